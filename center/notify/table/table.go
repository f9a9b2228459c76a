// Package table writes alerts for people at a terminal: a head line, the
// sentence, and the numbers that were compared.
package table

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/names"
)

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

// Write writes each alert as a head line, its sentence and the numbers
// compared, made safe for a terminal. width 0 means: no terminal, lines of 100
// characters, no colour.
func Write(w io.Writer, alerts []*alert.Alert, width int) error {
	paint := style(width > 0 && os.Getenv("NO_COLOR") == "")
	if width < 60 {
		width = 100
	}
	var b strings.Builder
	for _, a := range alerts {
		fmt.Fprintf(&b, "%s  %s  %s\n", a.Start.Go().Format("2006-01-02 15:04:05"), paint.severity(a.Severity), paint.paint("1", a.Detection))
		wrap(&b, names.Display(a.Summary), width)
		wrap(&b, names.Display(why(a)), width)
		b.WriteByte('\n')
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
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
