// Package detecttest runs a detection over its scenarios: recordings with what
// must, or must not, come of them. It is the one package below center that
// sees the sensor's half, through analyze.
package detecttest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
)

// Scenario is a folder's scenario.yaml.
type Scenario struct {
	Purpose   string         `yaml:"purpose"`   // what happens, and why it must or must not alert
	Source    string         `yaml:"source"`    // where the input comes from
	Licence   string         `yaml:"licence"`   //
	Inputs    []string       `yaml:"inputs"`    // files of the folder
	Verdict   string         `yaml:"verdict"`   // "alert" or "quiet"
	Level     detect.Level   `yaml:"level"`     // low is what analyze uses
	Exclude   []string       `yaml:"exclude"`   // as of --exclude
	Anomalies []string       `yaml:"anomalies"` // of the decoders; none declared means none allowed
	Directory map[string]any `yaml:"directory"` // directory snapshot without its schema line
	Dir       string         `yaml:"-"`         // the folder
}

// Scenarios reads every scenario below testdata of the folder dir.
func Scenarios(t testing.TB, dir string) []Scenario {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "testdata", "*", "scenario.yaml"))
	var all []Scenario
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		s := Scenario{Dir: filepath.Dir(f)}
		if err := d.Decode(&s); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if s.Purpose == "" || s.Source == "" || s.Licence == "" || len(s.Inputs) == 0 || s.Verdict != "alert" && s.Verdict != "quiet" {
			t.Fatalf("%s: purpose, source, licence, inputs and a verdict of alert or quiet are needed", f)
		}
		all = append(all, s)
	}
	return all
}

// Name is the folder's name.
func (s *Scenario) Name() string { return filepath.Base(s.Dir) }

// Options is how analyze runs the scenario.
func (s *Scenario) Options(t testing.TB) analyze.Options {
	t.Helper()
	o := analyze.Options{Exclusions: s.Exclude, Level: s.Level}
	for _, in := range s.Inputs {
		o.Inputs = append(o.Inputs, filepath.Join(s.Dir, in))
	}
	if len(s.Directory) > 0 {
		s.Directory["schema"] = "verderer/directory/1"
		b, err := json.Marshal(s.Directory)
		if err != nil {
			t.Fatal(err)
		}
		o.Directory = filepath.Join(t.TempDir(), "directory.json")
		if err := os.WriteFile(o.Directory, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// Run runs the definition alone over the scenarios of the current folder. At
// least one must alert and one be quiet. What alerts is compared with
// alerts.golden.json, in the fields which that declares; only
// `make golden ONE=./FOLDER` writes it.
func Run(t *testing.T, d detect.Definition) {
	verdicts := make(map[string]int)
	for _, s := range Scenarios(t, ".") {
		verdicts[s.Verdict]++
		t.Run(s.Name(), func(t *testing.T) { s.run(t, &d) })
	}
	if verdicts["alert"] == 0 || verdicts["quiet"] == 0 {
		t.Errorf("%d alerting and %d quiet scenarios: at least one of each is needed", verdicts["alert"], verdicts["quiet"])
	}
}

func (s *Scenario) run(t *testing.T, d *detect.Definition) {
	o := s.Options(t)
	o.Definitions = []*detect.Definition{d}
	var anomalies []string
	o.OnActivity = func(a *activity.Activity) error {
		for _, x := range a.Anomalies {
			if !slices.Contains(anomalies, x) {
				anomalies = append(anomalies, x)
			}
		}
		return nil
	}
	res, err := analyze.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range res.Damage {
		t.Error(x)
	}
	slices.Sort(anomalies)
	if want := slices.Sorted(slices.Values(s.Anomalies)); !slices.Equal(anomalies, want) {
		t.Errorf("anomalies %q, declared %q", anomalies, want)
	}
	golden := filepath.Join(s.Dir, "alerts.golden.json")
	if s.Verdict == "quiet" {
		for _, a := range res.Alerts {
			t.Errorf("must stay quiet, but: %s", a.Summary)
		}
		if _, err := os.Stat(golden); err == nil {
			t.Errorf("%s: a quiet scenario has none", golden)
		}
		return
	}
	if len(res.Alerts) == 0 {
		t.Fatal("must alert, and does not")
	}
	got := declared(t, res.Alerts)
	if os.Getenv("VERDERER_GOLDEN") == "write" {
		b, _ := json.MarshalIndent(got, "", "  ")
		if err := os.WriteFile(golden, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	compare(t, golden, got)
}

// declared is the alerts with the fields that goldens hold unless they are cut
// by hand: ids and evidence in full would tie them to things they are not about.
func declared(t testing.TB, alerts []*alert.Alert) []map[string]any {
	t.Helper()
	all := []map[string]any{}
	for _, a := range alerts {
		var compared []string
		for _, e := range a.Evidence {
			if e.Kind == alert.Comparison {
				compared = append(compared, e.Text)
			}
		}
		all = append(all, map[string]any{
			"detection": a.Detection,
			"severity":  a.Severity,
			"outcome":   a.Outcome,
			"protocol":  a.Protocol,
			"count":     a.Count,
			"sources":   addresses(a.Sources),
			"targets":   addresses(a.Targets),
			"accounts":  accounts(a.Accounts),
			"certainty": a.Certainty,
			"baseline":  a.Baseline,
			"summary":   a.Summary,
			"compared":  compared,
		})
	}
	// Through JSON, so that types compare.
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	all = nil
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func addresses(list []detect.Computer) []string {
	var s []string
	for _, c := range list {
		s = append(s, c.ID())
	}
	return s
}

func accounts(list []detect.Party) []string {
	var s []string
	for _, p := range list {
		s = append(s, strings.TrimSpace(p.Name+" "+string(p.Role)))
	}
	return s
}

func compare(t *testing.T, golden string, got []map[string]any) {
	shown, _ := json.MarshalIndent(got, "", "  ")
	b, err := os.ReadFile(golden)
	if err != nil || len(b) == 0 {
		t.Fatalf("no golden %s; it would hold:\n%s", golden, shown)
	}
	var want []map[string]any
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatalf("%s: %v", golden, err)
	}
	if len(want) == 0 {
		t.Fatalf("%s declares no alert", golden)
	}
	if len(got) != len(want) {
		t.Fatalf("%d alerts, want %d:\n%s", len(got), len(want), shown)
	}
	for i := range want {
		for k := range got[i] {
			if _, ok := want[i][k]; !ok {
				delete(got[i], k)
			}
		}
		if d := cmp.Diff(want[i], got[i]); d != "" {
			t.Errorf("alert %d (-want +got):\n%s", i, d)
		}
	}
}
