package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/notify/table"
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

// printTable writes the alerts and how much they were found in. width is
// table.Write's.
func printTable(w io.Writer, res *analyze.Result, width int) error {
	if err := table.Write(w, res.Alerts, width); err != nil {
		return err
	}
	if _, err := io.WriteString(w, total(res)); err != nil {
		return fmt.Errorf("writing alerts: %w", err)
	}
	return nil
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
