package all_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/all"
)

// noDetections are the folders beside the detections that are none.
var noDetections = []string{"all", "detecttest", "template"}

func folder(d *detect.Definition) string { return strings.ReplaceAll(d.ID, "-", "") }

// TestListIsWhole: a folder that is not listed is a detection that never runs.
func TestListIsWhole(t *testing.T) {
	listed := make(map[string]bool)
	for i, d := range all.Definitions {
		if listed[folder(d)] {
			t.Errorf("%s is listed twice", d.ID)
		}
		listed[folder(d)] = true
		if i > 0 && all.Definitions[i-1].ID >= d.ID {
			t.Errorf("%s stands after %s: the list is sorted by id", d.ID, all.Definitions[i-1].ID)
		}
		if _, err := os.Stat("../" + folder(d)); err != nil {
			t.Errorf("%s is no id of a folder: a folder has the id without dashes", d.ID)
		}
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(noDetections, e.Name()) && !listed[e.Name()] {
			t.Errorf("center/detect/%s is not listed in all.Definitions", e.Name())
		}
	}
}

// headings are the questions an analyst has, in the order they come up.
var headings = []string{"## What happened", "## How to check", "## False positives", "## Response"}

func TestREADMEs(t *testing.T) {
	for _, d := range all.Definitions {
		b, err := os.ReadFile("../" + folder(d) + "/README.md")
		if err != nil {
			t.Error(err)
			continue
		}
		at := 0
		for _, h := range headings {
			i := bytes.Index(b[at:], []byte("\n"+h+"\n"))
			if i < 0 {
				t.Errorf("%s: README.md has no heading %q, or not in its place", d.ID, h)
				break
			}
			at += i
		}
	}
}

// TestScenarios: a rule is shown to fire, and to stay silent on ordinary life
// that looks like it. detecttest runs them; this finds folders without.
func TestScenarios(t *testing.T) {
	for _, d := range all.Definitions {
		files, _ := filepath.Glob("../" + folder(d) + "/testdata/*/scenario.yaml")
		verdicts := make(map[string]int)
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var s struct{ Verdict string }
			if err := yaml.Unmarshal(b, &s); err != nil {
				t.Errorf("%s: %v", f, err)
			}
			verdicts[s.Verdict]++
		}
		if verdicts["alert"] == 0 || verdicts["quiet"] == 0 {
			t.Errorf("%s has %d alerting and %d quiet scenarios: at least one of each is needed", d.ID, verdicts["alert"], verdicts["quiet"])
		}
	}
}

func TestDefinitions(t *testing.T) {
	for _, d := range all.Definitions {
		for _, flaw := range flaws(d) {
			t.Errorf("%q: %s", d.ID, flaw)
		}
	}
}

var (
	kebab     = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	technique = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
)

// flaws lists what a definition lacks that pages, alerts, settings or the
// engine rest on.
func flaws(d *detect.Definition) []string {
	var list []string
	want := func(ok bool, what string) {
		if !ok {
			list = append(list, what)
		}
	}
	want(kebab.MatchString(d.ID), "the id is not words joined by dashes")
	want(d.Name != "", "no name")
	want(sentence(d.Description), "the description is no sentence with its period")
	want(sentence(d.Legitimate), "the legitimate cause is no sentence with its period")
	want(slices.Contains([]detect.Severity{detect.Low, detect.Medium, detect.High}, d.Severity), "no severity")
	want(d.Tactic != "", "no tactic")
	want(len(d.Techniques) > 0, "no technique")
	for _, id := range d.Techniques {
		want(technique.MatchString(id), "technique "+id+" is no id of ATT&CK")
	}
	want(len(d.Consumes) > 0, "consumes nothing")
	for _, k := range d.Consumes {
		want(slices.ContainsFunc(activity.Kinds, func(e struct {
			Kind    activity.Kind
			Meaning string
		}) bool {
			return e.Kind == k
		}), "there are no activities of kind "+string(k))
	}
	want(d.Retain >= 24*time.Hour, "retains for less than the 24 h that activities may be late")
	want(d.Learning >= 0, "learns for less than no time")
	want(len(d.Needs) > 0, "needs nothing: say what must be seen")
	want(len(d.BlindSpots) > 0, "no blind spot: every detection has some")
	want(len(d.Exclusions) > 0, "nothing can be excluded")
	want(d.KeyMeans != "", "does not say what it counts for")
	want(d.Key != nil, "no Key")
	want(d.New != nil, "no New")
	want(d.Summary != nil, "no Summary")
	names := make(map[string]bool)
	for _, u := range d.Tunables {
		want(kebab.MatchString(u.Name), "tunable "+u.Name+": the name is not words joined by dashes")
		want(!names[u.Name], "tunable "+u.Name+" stands twice")
		names[u.Name] = true
		want(u.Unit != "", "tunable "+u.Name+" has no unit")
		want(u.Why != "", "tunable "+u.Name+" does not say why")
		for _, v := range []int{u.Low, u.Medium, u.High} {
			want(u.Min <= v && v <= u.Max, "tunable "+u.Name+": a default is out of its range")
		}
	}
	return list
}

func sentence(s string) bool { return len(s) > 1 && strings.HasSuffix(s, ".") }

// TestFlaws: the check above finds what is missing.
func TestFlaws(t *testing.T) {
	good := *all.Definitions[0]
	for name, spoil := range map[string]func(d *detect.Definition){
		"the id":               func(d *detect.Definition) { d.ID = "Account Enum" },
		"the legitimate cause": func(d *detect.Definition) { d.Legitimate = "a scanner" },
		"no id of ATT&CK":      func(d *detect.Definition) { d.Techniques = []string{"T1087.2"} },
		"of kind":              func(d *detect.Definition) { d.Consumes = []activity.Kind{"logon"} },
		"24 h":                 func(d *detect.Definition) { d.Retain = time.Hour },
		"does not say why":     func(d *detect.Definition) { d.Tunables = []detect.Tunable{{Name: "n", Unit: "names"}} },
		"out of its range": func(d *detect.Definition) {
			d.Tunables = []detect.Tunable{{Name: "n", Unit: "names", Why: "so", Low: 1, Medium: 2, High: 3, Min: 2, Max: 3}}
		},
		"no Summary": func(d *detect.Definition) { d.Summary = nil },
	} {
		d := good
		spoil(&d)
		if list := flaws(&d); len(list) != 1 || !strings.Contains(list[0], name) {
			t.Errorf("found %q, want one flaw: %q", list, name)
		}
	}
}
