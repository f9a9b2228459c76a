package alert

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

const (
	t0   = activity.Time(1_700_000_000 * 1e9)
	hour = activity.Time(3600 * 1e9)
)

func defs() []*detect.Definition {
	var all []*detect.Definition
	for _, id := range []string{"one", "other"} {
		all = append(all, &detect.Definition{ID: id, Name: "Title of " + id, MDIID: 7, Severity: detect.High, Legitimate: "A scanner.",
			Summary: func(f detect.Facts) string {
				return fmt.Sprintf("%s to %s, %d times, %s", f.Source, f.Target, f.Count, f.Outcome)
			}})
	}
	return all
}

func fold(t testing.TB, exclusions ...string) (*Fold, []*Exclusion) {
	t.Helper()
	var all []*Exclusion
	for _, s := range exclusions {
		x, err := ParseExclusion(s, []string{"one", "other"})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return NewFold(defs(), all), all
}

// finding of one act at a time, in hours.
func finding(id, key string, at float64) *detect.Finding {
	when := t0 + activity.Time(at*float64(hour))
	return &detect.Finding{
		ID: fmt.Sprint(id, key, at), Detection: id, Key: key, Time: when, Start: when, End: when, Count: 1,
		Outcome: activity.Failure, Certainty: resolve.High,
		Sources:    []detect.Computer{{Address: "10.0.0.66"}},
		Targets:    []detect.Computer{{Address: "10.0.0.1"}},
		Numbers:    []detect.Number{{Name: "things", Value: 1, Threshold: 1, Window: time.Hour}},
		Activities: []activity.ID{{byte(at)}},
	}
}

func add(f *Fold, all ...*detect.Finding) []*Alert {
	for _, n := range all {
		f.Add(n)
	}
	return f.Alerts()
}

func TestMerging(t *testing.T) {
	long := finding("one", "k", 0)
	long.End += 5 * hour
	for _, c := range []struct {
		name     string
		findings []*detect.Finding
		counts   []int // of the alerts, by start
	}{
		{"same detection and key", []*detect.Finding{finding("one", "k", 0), finding("one", "k", 1)}, []int{2}},
		{"another key", []*detect.Finding{finding("one", "k", 0), finding("one", "l", 1)}, []int{1, 1}},
		{"another detection", []*detect.Finding{finding("one", "k", 0), finding("other", "k", 1)}, []int{1, 1}},
		{"a day after its last activity", []*detect.Finding{finding("one", "k", 0), finding("one", "k", 24)}, []int{2}},
		{"more than that", []*detect.Finding{finding("one", "k", 0), finding("one", "k", 24.001), finding("one", "k", 25)}, []int{1, 2}},
		{"a day after the latest end", []*detect.Finding{long, finding("one", "k", 1), finding("one", "k", 29)}, []int{3}},
		{"a late one", []*detect.Finding{finding("one", "k", 5), finding("one", "k", 0)}, []int{2}},
		{"of a detection not run", []*detect.Finding{finding("gone", "k", 0)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, _ := fold(t)
			var counts []int
			ids := make(map[string]bool)
			for _, a := range add(f, c.findings...) {
				counts = append(counts, a.Count)
				ids[a.ID] = true
				if a.Start > a.End {
					t.Errorf("from %v to %v", a.Start, a.End)
				}
			}
			if !slices.Equal(counts, c.counts) || len(ids) != len(counts) {
				t.Errorf("alerts of %v findings with %d ids, want %v", counts, len(ids), c.counts)
			}
		})
	}
}

func TestWhatAnAlertBecomes(t *testing.T) {
	f, _ := fold(t)
	a := finding("one", "k", 0)
	a.Certainty, a.Outcome = resolve.Low, activity.Attempt
	a.Accounts = []detect.Party{{Name: "ann", Key: "ann@lab", Role: detect.Attacked}, {}}
	a.Notes = []string{"first", "second"}
	b := finding("one", "k", 1)
	b.Outcome, b.Late, b.Baseline = activity.Success, true, detect.BaselineNone
	b.Accounts = []detect.Party{{Name: "ANN", Key: "ann@lab", Role: detect.Guessed}, {Name: "bob", Key: "bob@lab", Role: detect.Attacked, Method: "ticket"}}
	b.Sources[0].Name, b.Sources[0].Method, b.Sources[0].Certainty = "ws66", "DNS", resolve.High
	b.Targets = []detect.Computer{{Address: "10.0.0.2"}}
	b.Numbers = []detect.Number{{Name: "things", Value: 5, Threshold: 3, Window: 90 * time.Minute}, {Name: "more", Value: 2}}
	b.Notes = []string{"second", "third"}
	c := finding("one", "k", 2)
	c.Accounts = []detect.Party{{Name: "ann", Key: "ann@lab", Role: detect.Attacked}}
	c.Numbers[0].Value = 4
	got := add(f, a, b, c)[0]

	if got.Title != "Title of one" || got.MDIID != 7 || got.Status != Open || got.Severity != detect.High {
		t.Errorf("from the definition: %+v", got)
	}
	if got.Start != a.Start || got.End != c.End || got.Count != 3 || !got.Late || got.Certainty != resolve.High || got.Outcome != activity.Success {
		t.Errorf("the strongest of each: %+v", got)
	}
	if len(got.Accounts) != 2 || got.Accounts[0].Role != detect.Guessed || got.Accounts[0].Name != "ann" || got.Accounts[1].Name != "bob" {
		t.Errorf("accounts once each, and what was guessed stays so: %+v", got.Accounts)
	}
	if len(got.Sources) != 1 || got.Sources[0].Name != "ws66" || len(got.Targets) != 2 {
		t.Errorf("computers once each, with the name that became known: %+v, %+v", got.Sources, got.Targets)
	}
	if got.Summary != "ws66 (10.0.0.66) to 10.0.0.1 and 1 more, 3 times, success" {
		t.Error(got.Summary)
	}
	var texts []string
	for _, e := range got.Evidence {
		texts = append(texts, string(e.Kind)+" "+e.Text)
	}
	want := []string{
		"comparison things: 5 within 90 minutes (threshold 3)",
		"comparison more: 2",
		"statement first", "statement second", "statement third",
		"resolution 10.0.0.66 is ws66, by DNS (certainty high).",
		"resolution bob is named by the ticket that was presented: it had been issued to that account.",
		"activities 3 activities.",
		"legitimate A scanner.",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("evidence\n%s\nwant\n%s", strings.Join(texts, "\n"), strings.Join(want, "\n"))
	}
	if e := got.Evidence[0]; *e.Value != 5 || *e.Threshold != 3 || e.Seconds != 5400 {
		t.Errorf("comparison %+v", e)
	}
	if e := got.Evidence[1]; e.Threshold != nil || e.Seconds != 0 {
		t.Errorf("stated, not compared: %+v", e)
	}
	if e := got.Evidence[7]; len(e.Activities) != 3 {
		t.Errorf("activities %v", e.Activities)
	}
	got.Accounts[0].Name = "changed"
	got.Evidence[7].Activities[0] = activity.ID{99}
	if again := f.Alerts()[0]; again.Accounts[0].Name != "ann" || again.Evidence[7].Activities[0] == (activity.ID{99}) {
		t.Error("the fold shares its lists with who was given the alert")
	}
}

func TestWindowText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Second: "30s", time.Minute: "a minute", 10 * time.Minute: "10 minutes", time.Hour: "an hour",
		90 * time.Minute: "90 minutes", 24 * time.Hour: "24 hours",
	} {
		if got := windowText(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestListsAreNeverNull(t *testing.T) {
	f, _ := fold(t)
	n := finding("one", "k", 0)
	n.Sources, n.Targets, n.Activities, n.Numbers = nil, nil, nil, nil
	b, err := json.Marshal(add(f, n)[0])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "null") {
		t.Errorf("%s", b)
	}
	if b, _ = json.Marshal(NewFold(nil, nil).Alerts()); string(b) != "[]" {
		t.Errorf("no alerts: %s", b)
	}
}

func TestListsAreCapped(t *testing.T) {
	f, _ := fold(t)
	n := finding("one", "k", 0)
	n.Count, n.Activities = 0, nil
	for i := range maxListed + 10 {
		n.Count++
		n.Activities = append(n.Activities, activity.ID{byte(i), byte(i >> 8)})
		n.Sources = append(n.Sources, detect.Computer{Address: fmt.Sprint("s", i)})
		n.Targets = append(n.Targets, detect.Computer{Address: fmt.Sprint("t", i)})
		n.Accounts = append(n.Accounts, detect.Party{Name: fmt.Sprint(i), Key: fmt.Sprint(i)})
		n.Notes = append(n.Notes, fmt.Sprint(i))
	}
	a := add(f, n, n)[0]
	if len(a.Sources) != maxListed || len(a.Targets) != maxListed || len(a.Accounts) != maxListed || a.Count != 2*(maxListed+10) {
		t.Errorf("%d sources, %d targets, %d accounts, count %d", len(a.Sources), len(a.Targets), len(a.Accounts), a.Count)
	}
	notes := 0
	for _, e := range a.Evidence {
		switch e.Kind {
		case Statement:
			notes++
		case Activities:
			if len(e.Activities) != maxListed || e.Text != "The first 1000 of 2020 activities." {
				t.Errorf("%d activities: %s", len(e.Activities), e.Text)
			}
		}
	}
	if notes != maxNotes {
		t.Errorf("%d notes", notes)
	}
}

// TestManyAlerts: an attacker who forges sources fills neither the memory nor
// the list so that what comes after cannot be seen.
func TestManyAlerts(t *testing.T) {
	f, _ := fold(t)
	for i := range maxAlerts + 50 {
		n := finding("one", fmt.Sprint(i), 0)
		n.Sources[0].Address = fmt.Sprint("a", i)
		f.Add(n)
	}
	f.Add(finding("one", "7", 1))
	f.Add(finding("other", "k", 1))
	all := f.Alerts()
	if len(all) != maxAlerts+2 {
		t.Fatalf("%d alerts", len(all))
	}
	i := slices.IndexFunc(all, func(a *Alert) bool { return a.Count == 50 })
	if i < 0 || len(all[i].Sources) != 50 || !slices.ContainsFunc(all[i].Evidence, func(e Evidence) bool {
		return strings.Contains(e.Text, "There are 10000 alerts of this detection")
	}) {
		t.Errorf("what is beyond the cap is not told of in one alert")
	}
	if !slices.ContainsFunc(all, func(a *Alert) bool { return a.Count == 2 }) {
		t.Error("an alert that there was does not grow any more")
	}
	if !slices.ContainsFunc(all, func(a *Alert) bool { return a.Detection == "other" }) {
		t.Error("another detection has no room")
	}
}

func TestExclusions(t *testing.T) {
	party := func(name, domain string) detect.Party { return detect.Party{Name: name, Domain: domain} }
	named := func(name string, c resolve.Certainty) detect.Computer {
		return detect.Computer{Address: "10.0.0.66", Name: name, Certainty: c}
	}
	type what struct {
		source   detect.Computer
		accounts []detect.Party
	}
	for _, c := range []struct {
		exclusion string
		what      what
		want      bool
	}{
		{"10.0.0.66", what{source: named("", "")}, true},
		{"10.0.0.67", what{source: named("", "")}, false},
		{"::ffff:10.0.0.66", what{source: named("", "")}, true},
		{"10.0.0.0/24", what{source: named("", "")}, true},
		{"10.0.0.99/24", what{source: named("", "")}, true},
		{"10.0.1.0/24", what{source: named("", "")}, false},
		{"fe80::/64", what{source: detect.Computer{Address: "fe80::1"}}, true},
		{"one:fe80::1", what{source: detect.Computer{Address: "fe80::1"}}, true},
		{"one:10.0.0.66", what{source: named("", "")}, true},
		{"other:10.0.0.66", what{source: named("", "")}, false},
		{"WS66", what{source: named("ws66.lab.example", resolve.High)}, true},
		{"ws66.LAB.example.", what{source: named("ws66.lab.example", resolve.High)}, true},
		{"ws66.lab.example", what{source: named("ws66", resolve.High)}, false},
		{"ws6", what{source: named("ws66", resolve.High)}, false},
		{"ws66", what{source: named("ws66", resolve.Low)}, false}, // its own word
		{"10.0.0.66", what{source: named("ws66", resolve.Low)}, true},
		{"ws66", what{source: detect.Computer{Name: "ws66", Certainty: resolve.High}}, true},
		{"svc", what{accounts: []detect.Party{party("SVC", "LAB.EXAMPLE")}}, true},
		{`LAB\svc`, what{accounts: []detect.Party{party("svc", "LAB.EXAMPLE")}}, true},
		{`OTHER\svc`, what{accounts: []detect.Party{party("svc", "LAB.EXAMPLE")}}, false},
		{"svc@lab.example", what{accounts: []detect.Party{party("svc", "LAB")}}, true},
		{"svc@lab.example", what{accounts: []detect.Party{party("svc@lab.example", "")}}, true},
		{`LAB\svc`, what{accounts: []detect.Party{party("svc@lab.example", "LAB.EXAMPLE")}}, true},
		{"svc", what{accounts: []detect.Party{party("svc@lab.example", "")}}, true},
		{"svc", what{accounts: []detect.Party{party("CN=svc,DC=lab,DC=example", "")}}, false}, // a CN need not be the account's name
		{"CN=svc,DC=lab,DC=example", what{accounts: []detect.Party{party("cn=SVC, dc=lab, dc=example", "")}}, true},
		{"svc", what{accounts: []detect.Party{party("svc", "LAB"), party("ann", "LAB")}}, false}, // not it alone
		{"svc", what{}, false},
		{"one:svc", what{accounts: []detect.Party{party("svc", "LAB")}}, true},
	} {
		f, x := fold(t, c.exclusion)
		n := finding("one", "k", 0)
		n.Sources, n.Accounts = []detect.Computer{c.what.source}, c.what.accounts
		alerts := add(f, n, n)
		if excluded := len(alerts) == 0; excluded != c.want {
			t.Errorf("%q, %+v: excluded %v", c.exclusion, c.what, excluded)
		}
		if c.want && x[0].Excluded != 2 {
			t.Errorf("%q: counted %d", c.exclusion, x[0].Excluded)
		}
	}
	f, x := fold(t, "10.0.0.66", "10.0.0.0/8")
	add(f, finding("one", "k", 0))
	if x[0].Excluded != 1 || x[1].Excluded != 0 {
		t.Errorf("counted %d and %d: the first that matches counts it", x[0].Excluded, x[1].Excluded)
	}
}

func TestParseExclusionRefuses(t *testing.T) {
	for s, part := range map[string]string{
		"":             "names nothing",
		"one:":         "names nothing",
		"onne:ws1":     `no detection "onne"`,
		":ws1":         `no detection ""`,
		"http://ws1":   `no detection "http"`,
		"10.0.0.1:389": `no detection "10.0.0.1"`,
	} {
		x, err := ParseExclusion(s, []string{"one", "other"})
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %+v, %v", s, x, err)
		}
	}
}

// TestSnapshotRoundTrip restarts the fold between random findings.
func TestSnapshotRoundTrip(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		straight, x := fold(t, "10.0.0.7", "other:10.0.0.8")
		restored, y := fold(t, "10.0.0.7", "other:10.0.0.8")
		now := 0.0
		for i := range 200 {
			now += rnd.Float64() * 4
			n := finding([]string{"one", "other"}[rnd.IntN(2)], fmt.Sprint(rnd.IntN(4)), now-float64(rnd.IntN(2))*rnd.Float64()*30)
			n.Sources[0].Address = fmt.Sprint("10.0.0.", rnd.IntN(10))
			n.Sources[0].Name = []string{"", "ws"}[rnd.IntN(2)]
			n.Accounts = []detect.Party{{Name: fmt.Sprint(rnd.IntN(9)), Key: fmt.Sprint(rnd.IntN(9)), Role: []detect.Role{detect.Attacked, detect.Guessed}[rnd.IntN(2)]}}
			n.Numbers[0].Value, n.Numbers[0].Window = rnd.IntN(9), time.Duration(rnd.IntN(9))*time.Minute
			n.Numbers[0].Name = fmt.Sprint("things ", rnd.IntN(3))
			n.Notes = []string{fmt.Sprint(rnd.IntN(5))}
			n.Outcome = []activity.Outcome{activity.Attempt, activity.Failure, activity.Success}[rnd.IntN(3)]
			straight.Add(n)
			restored.Add(n)
			if rnd.IntN(20) == 0 {
				b, err := json.Marshal(restored)
				if err != nil {
					t.Fatal(err)
				}
				restored, y = fold(t, "10.0.0.7", "other:10.0.0.8")
				if err := json.Unmarshal(b, restored); err != nil {
					t.Fatal(err)
				}
			}
			if i%20 == 0 && !reflect.DeepEqual(straight.Alerts(), restored.Alerts()) {
				t.Fatalf("seed %d: alerts differ after finding %d", seed, i)
			}
		}
		if !reflect.DeepEqual(straight.Alerts(), restored.Alerts()) || x[0].Excluded != y[0].Excluded || x[1].Excluded != y[1].Excluded || x[0].Excluded == 0 {
			t.Errorf("seed %d: %d, %d excluded; restored %d, %d", seed, x[0].Excluded, x[1].Excluded, y[0].Excluded, y[1].Excluded)
		}
	}
}

func TestRefusesBrokenSnapshots(t *testing.T) {
	for _, s := range []string{
		``, `[]`, `{"alerts":[null]}`, `{"alerts":[{}]}`, `{"alerts":[{"alert":{"detection":"gone"}}]}`,
		`{"alerts":[{"alert":{"detection":"one"},"numbers":[{}],"windows":[]}]}`,
		`{"current":[0]}`, `{"current":[-1]}`, `{"alerts":[{"alert":{"detection":"one"}}],"current":[1]}`,
	} {
		f, _ := fold(t)
		if err := f.UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
}
