package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/verderer/verderer/center/detect"
)

// header is the first line of a generated page.
func header(from string) string {
	return "<!-- Written by `make generate` from " + from + ". Do not edit. -->\n\n"
}

// folder is where a detection lives.
func folder(d *detect.Definition) string {
	return "center/detect/" + strings.ReplaceAll(d.ID, "-", "")
}

// page makes a detection's reference: its Definition, then what its README
// tells the analyst.
func page(d *detect.Definition, defs []*detect.Definition) ([]byte, error) {
	readme, err := os.ReadFile(folder(d) + "/README.md")
	if err != nil {
		return nil, err
	}
	at := bytes.Index(readme, []byte("\n## "))
	if at < 0 {
		return nil, errors.New("its README has no section")
	}
	var b bytes.Buffer
	b.WriteString(header("the Definition and the README in " + folder(d)))
	fmt.Fprintf(&b, "# %s\n\n%s\n\n| | |\n| --- | --- |\n", d.Name, d.Description)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", name, cell(value))
		}
	}
	row("Id", "`"+d.ID+"`")
	row("In Defender for Identity", number(d.MDIID))
	row("In ATA", join(d.ATAIDs, strconv.Itoa))
	row("Exclusion lists of ATA", join(d.ATAKeys, code))
	row("Severity", string(d.Severity))
	row("Tactic", d.Tactic)
	row("Techniques", join(d.Techniques, technique))
	row("Looks at", join(d.Consumes, code))
	row("Counts for each", d.KeyMeans)
	row("Learns for", duration(d.Learning))
	row("Remembers for", duration(d.Retain))
	row("Can exclude", join(d.Exclusions, func(k detect.ExclusionKind) string { return string(k) }))
	row("Nearest harmless cause", d.Legitimate)
	bullets(&b, "Needs", d.Needs)
	bullets(&b, "Cannot see", d.BlindSpots)
	if len(d.Tunables) > 0 {
		b.WriteString("\n## Numbers\n\n`verderer analyze` uses the level low.\n\n" +
			"| Number | High | Medium | Low | May be | Unit | Why |\n| --- | ---: | ---: | ---: | --- | --- | --- |\n")
		for _, t := range d.Tunables {
			fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d to %d | %s | %s |\n", t.Name, t.High, t.Medium, t.Low, t.Min, t.Max, cell(t.Unit), cell(t.Why))
		}
	}
	b.Write(relink(readme[at:], folder(d), defs))
	return b.Bytes(), nil
}

func bullets(b *bytes.Buffer, title string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", title)
	for _, s := range items {
		fmt.Fprintf(b, "- %s\n", s)
	}
}

// link is the target of a Markdown link.
var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// relink makes links of a file in the folder from lead to the same places from
// the folder of the pages, and to the page of a detection rather than its README.
func relink(text []byte, from string, defs []*detect.Definition) []byte {
	return link.ReplaceAllFunc(text, func(b []byte) []byte {
		m := link.FindSubmatch(b)
		target := path.Join(from, string(m[1]))
		for _, d := range defs {
			if target == folder(d)+"/README.md" {
				return fmt.Appendf(nil, "](%s.md%s)", d.ID, m[2])
			}
		}
		rel, err := filepath.Rel(pages, target)
		if err != nil {
			return b
		}
		return fmt.Appendf(nil, "](%s%s)", filepath.ToSlash(rel), m[2])
	})
}

// index makes the list of all pages.
func index(defs []*detect.Definition) []byte {
	var b bytes.Buffer
	b.WriteString(header("the Definitions in center/detect") +
		"# Detections\n\n| Detection | Severity | Techniques | What happened |\n| --- | --- | --- | --- |\n")
	for _, d := range defs {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s | %s |\n", d.ID, d.ID, d.Severity, join(d.Techniques, technique), cell(d.Description))
	}
	return b.Bytes()
}

// list is the detections for the README.
func list(defs []*detect.Definition) string {
	var b strings.Builder
	for _, d := range defs {
		fmt.Fprintf(&b, "- [%s](%s/%s.md): %s\n", d.ID, pages, d.ID, d.Description)
	}
	return b.String()
}

// between puts what belongs between <!-- name --> and <!-- /name --> there.
func between(text []byte, name, content string) ([]byte, error) {
	open, end := []byte("<!-- "+name+" -->\n"), []byte("<!-- /"+name+" -->")
	before, rest, ok := bytes.Cut(text, open)
	_, after, ok2 := bytes.Cut(rest, end)
	if !ok || !ok2 {
		return nil, fmt.Errorf("looking for the place: no %q with %q after it", bytes.TrimSpace(open), end)
	}
	return bytes.Join([][]byte{before, open, []byte(content), end, after}, nil), nil
}

func technique(id string) string {
	return fmt.Sprintf("[%s](https://attack.mitre.org/techniques/%s/)", id, strings.ReplaceAll(id, ".", "/"))
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func duration(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d > 48*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return d.String()
}

func code[T ~string](s T) string { return "`" + string(s) + "`" }

func join[T any](list []T, text func(T) string) string {
	var s []string
	for _, v := range list {
		s = append(s, text(v))
	}
	return strings.Join(s, ", ")
}

// cell makes text fit into a table's cell.
func cell(s string) string {
	return strings.ReplaceAll(strings.TrimSpace(oneLine(s)), "|", `\|`)
}

// anchor is the fragment by which a heading is linked to.
func anchor(heading string) string { return strings.ToLower(heading) }
