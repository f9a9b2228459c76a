package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/names"
)

// printable makes text from captures safe for a terminal.
func printable(s string) string { return names.Display(s) }

// terminalWidth is the width of a terminal, 0 for anything else.
func terminalWidth(f *os.File) int {
	if w, _, err := term.GetSize(int(f.Fd())); err == nil {
		return w
	}
	return 0
}

// style colours by severity on a terminal, unless NO_COLOR is set (no-color.org).
type style bool

func (s style) severity(v detect.Severity) string {
	text := fmt.Sprintf("%-6s", strings.ToUpper(string(v)))
	switch v {
	case detect.High:
		return s.paint("1;31", text)
	case detect.Medium:
		return s.paint("33", text)
	}
	return text
}

func (s style) paint(code, text string) string {
	if !s {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// indent is where the second and further lines of an alert begin.
const indent = 21

// printTable writes each alert as a head line, its sentence and the numbers
// compared. width 0 means: no terminal, lines of 100 characters, no colour.
func printTable(w io.Writer, res *analyze.Result, width int) error {
	paint := style(width > 0 && os.Getenv("NO_COLOR") == "")
	if width < 60 {
		width = 100
	}
	var b strings.Builder
	for _, a := range res.Alerts {
		fmt.Fprintf(&b, "%s  %s  %s\n", a.Start.Go().Format("2006-01-02 15:04:05"), paint.severity(a.Severity), paint.paint("1", a.Detection))
		wrap(&b, printable(a.Summary), width)
		wrap(&b, printable(why(a)), width)
		b.WriteByte('\n')
	}
	b.WriteString(total(res))
	_, err := io.WriteString(w, b.String())
	if err != nil {
		return fmt.Errorf("writing alerts: %w", err)
	}
	return nil
}

// why is the second sentence of an alert: the numbers that were compared.
func why(a *alert.Alert) string {
	var numbers []string
	for _, e := range a.Evidence {
		if e.Kind == alert.Comparison {
			numbers = append(numbers, e.Text)
		}
	}
	s := "Why: " + strings.Join(numbers, "; ") + "."
	if a.Certainty != resolve.High {
		s += " Certainty " + string(a.Certainty) + "."
	}
	return s
}

func wrap(b *strings.Builder, text string, width int) {
	pad := strings.Repeat(" ", indent)
	line := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if line > 0 && indent+line+1+n > width {
			b.WriteByte('\n')
			line = 0
		}
		if line == 0 {
			b.WriteString(pad)
		} else {
			b.WriteByte(' ')
			line++
		}
		b.WriteString(word)
		line += n
	}
	b.WriteByte('\n')
}

func total(res *analyze.Result) string {
	count := make(map[detect.Severity]int)
	for _, a := range res.Alerts {
		count[a.Severity]++
	}
	var parts []string
	for _, s := range []detect.Severity{detect.High, detect.Medium, detect.Low} {
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	head := "No alerts"
	if n := len(res.Alerts); n > 0 {
		head = fmt.Sprintf("%d %s (%s)", n, plural(n, "alert"), strings.Join(parts, ", "))
	}
	s := head + " from "
	switch {
	case res.Events == 0:
		s += fmt.Sprintf("%d %s", res.Packets, plural(res.Packets, "packet"))
	case res.Packets == 0:
		s += fmt.Sprintf("%d %s", res.Events, plural(res.Events, "event"))
	default:
		s += fmt.Sprintf("%d %s, %d %s", res.Packets, plural(res.Packets, "packet"), res.Events, plural(res.Events, "event"))
	}
	if res.Activities == 1 {
		s += " and 1 activity"
	} else {
		s += fmt.Sprintf(" and %d activities", res.Activities)
	}
	if res.Packets+res.Events > 0 {
		s += fmt.Sprintf(", %s to %s UTC", res.From.Go().Format("2006-01-02 15:04:05"), res.To.Go().Format("2006-01-02 15:04:05"))
	}
	s += ".\n"
	if n := len(res.Damage); n > 0 {
		s += fmt.Sprintf("%d %s of the input could not be read; what was readable was analyzed.\n", n, plural(n, "part"))
	}
	idle := 0
	for _, e := range res.Explained.Detections {
		if !e.Working {
			idle++
		}
	}
	if idle > 0 {
		s += fmt.Sprintf("%d of %d detections had nothing to look at; --explain tells why.\n", idle, len(res.Explained.Detections))
	}
	return s
}

func plural[N int | int64](n N, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func printExplanation(w io.Writer, res *analyze.Result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nDetections")
	for _, e := range res.Explained.Detections {
		state := "working"
		if !e.Working {
			state = "blind"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", e.ID, state, e.Why)
	}
	fmt.Fprintln(t, "\nDomain controllers")
	if len(res.Explained.DomainControllers) == 0 {
		fmt.Fprintln(t, "  none known: nothing in the input answered as one, and no --directory was given")
	}
	for _, d := range res.Explained.DomainControllers {
		fmt.Fprintf(t, "  %s\t%s\n", d.Addr, d.Why)
	}
	if len(res.Explained.Exclusions) > 0 {
		fmt.Fprintln(t, "\nExclusions")
		for _, x := range res.Explained.Exclusions {
			fmt.Fprintf(t, "  %s\t%d %s left out\n", printable(x.Text), x.Excluded, plural(x.Excluded, "finding"))
		}
	}
	if len(res.Skipped) > 0 {
		fmt.Fprintln(t, "\nSkipped files")
	}
	for _, s := range res.Skipped {
		fmt.Fprintf(t, "  %s\n", printable(s.Error()))
	}
	fmt.Fprintln(t, "\nCounters")
	for _, r := range res.Explained.Counters {
		fmt.Fprintf(t, "  %s\t%s\t%d\n", r.Stage, r.Name, r.Count)
	}
	t.Flush()
}
