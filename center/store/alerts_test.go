package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/worker"
)

func TestAlertComesBackWhole(t *testing.T) {
	s := fresh(t)
	a := alarm(1, fact(1), fact(2))
	a.Start, a.End = t0+1, t0+999 // nanoseconds stay
	a.Previous, a.Late, a.MDIID, a.ATAIDs = "before", true, 2006, []int{1, 2}
	seven, five := 7, 5
	a.Evidence = append(a.Evidence, alert.Evidence{Kind: alert.Comparison, Text: "things: 7\x00\u202e", Value: &seven, Threshold: &five})
	r := result(3, a)
	r.Ingest = t0 + 7000
	write(t, s, r)
	got, err := s.Alert(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&Alert{Alert: a, Raised: t0 + 7000, Updated: t0 + 7000}, got); d != "" {
		t.Errorf("-written +read:\n%s", d)
	}
	for _, id := range []string{"", "none", a.ID + "'", "%", "\x00"} {
		if _, err := s.Alert(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("alert %q: %v", id, err)
		}
	}
}

// TestReplay: results that come again, or come late, change nothing.
func TestReplay(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	first := alarm(1, fact(1))
	closed := alarm(1, fact(1))
	closed.Status = alert.Closed
	grown := alarm(1, fact(1), fact(2))
	grown.Status, grown.Summary, grown.Count = alert.Closed, "ws1 did it twice", 2
	note := func(comment string) ingest.Act {
		return ingest.Act{Alert: first.ID, Do: ingest.Note, By: "ann", Comment: comment}
	}
	results := []*worker.Result{
		{Position: 10, Ingest: t0 + 10*second, Alerts: []*alert.Alert{first}, Activities: []*activity.Activity{fact(1)}},
		{Position: 11, Ingest: t0 + 11*second, Alerts: []*alert.Alert{closed},
			Acts: []ingest.Act{{Alert: first.ID, Do: ingest.Close, By: "ann", Comment: "a scanner"}}},
		{Position: 12, Ingest: t0 + 12*second, Acts: []ingest.Act{note("one"), note("two"), note("two")}},
		{Position: 14, Ingest: t0 + 14*second, Alerts: []*alert.Alert{grown}, Activities: []*activity.Activity{fact(2)}},
	}
	state := func() (v struct {
		Alert      *Alert
		Acts       []Act
		Activities []*activity.Activity
		Missing    int
		Position   uint64
		Ring       int64
	}) {
		var err [5]error
		v.Alert, err[0] = s.Alert(ctx, first.ID)
		v.Acts, err[1] = s.History(ctx, first.ID)
		v.Activities, v.Missing, err[2] = s.AlertActivities(ctx, first.ID)
		v.Position, err[3] = s.Position(ctx)
		v.Ring, err[4] = s.read.NewSelect().Table("activity").Count(ctx)
		if e := errors.Join(err[:]...); e != nil {
			t.Fatal(e)
		}
		return v
	}
	for _, r := range results {
		write(t, s, r)
		write(t, s, r)
	}
	want := state()
	if want.Alert.Alert.Status != alert.Closed || want.Alert.Alert.Count != 2 || want.Alert.Raised != t0+10*second || want.Alert.Updated != t0+14*second {
		t.Errorf("%+v", want.Alert)
	}
	var acts []string
	for _, a := range want.Acts {
		acts = append(acts, fmt.Sprint(a.Time.Sub(t0), a.Do, a.By, a.Comment))
	}
	if !slices.Equal(acts, []string{"11scloseanna scanner", "12snoteannone", "12snoteanntwo", "12snoteanntwo"}) {
		t.Errorf("history %q", acts)
	}
	if len(want.Activities) != 2 || want.Missing != 0 || want.Position != 14 || want.Ring != 2 {
		t.Errorf("%+v", want)
	}
	for from := range results {
		for _, r := range results[from:] {
			write(t, s, r)
			if d := cmp.Diff(want, state(), cmp.Comparer(func(a, b *activity.Activity) bool { return a.ID == b.ID })); d != "" {
				t.Fatalf("entry %d again (-before +after):\n%s", r.Position, d)
			}
		}
	}
	reopened := alarm(1, fact(1), fact(2))
	write(t, s, result(15, reopened))
	if a, _ := s.Alert(ctx, first.ID); a.Alert.Status != alert.Open || a.Raised != t0+10*second {
		t.Errorf("a newer result: %+v", a)
	}
}

// TestActsOnForgottenAlerts: the detections may not remember an alert, after
// their state was lost for instance. People can close it all the same.
func TestActsOnForgottenAlerts(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	write(t, s, result(1, alarm(1, fact(1))))
	id := alarm(1).ID
	act := func(position int, do ingest.ActionKind) *worker.Result {
		return &worker.Result{Position: uint64(position), Ingest: t0 + activity.Time(position)*second, Acts: []ingest.Act{{Alert: id, Do: do, By: "ann"}}}
	}
	results := []*worker.Result{act(2, ingest.Reopen), act(3, ingest.Note), act(4, ingest.Close), act(5, ingest.Close), act(6, ingest.Note),
		{Position: 7, Acts: []ingest.Act{{Alert: "gone", Do: ingest.Note}}}}
	for _, r := range append(results, results...) {
		write(t, s, r)
	}
	a, err := s.Alert(ctx, id)
	if err != nil || a.Alert.Status != alert.Closed || a.Updated != t0+4*second || a.Alert.Summary != alarm(1).Summary {
		t.Errorf("closed: %+v, %v", a, err)
	}
	if list, _, n, _ := s.Alerts(ctx, AlertFilter{Status: []string{"closed"}}); n != 1 || list[0].Alert.ID != id {
		t.Errorf("%d are listed as closed", n)
	}
	var acts []string
	history, err := s.History(ctx, id)
	for _, h := range history {
		acts = append(acts, h.Do)
	}
	if !slices.Equal(acts, []string{"note", "close", "note"}) || err != nil {
		t.Errorf("history %q, %v", acts, err)
	}
	if h, _ := s.History(ctx, "gone"); len(h) != 0 {
		t.Errorf("history of none: %+v", h)
	}
	write(t, s, act(8, ingest.Reopen))
	if a, _ := s.Alert(ctx, id); a.Alert.Status != alert.Open {
		t.Errorf("reopened: %+v", a.Alert)
	}
}

func TestEvidenceOutlivesTheRing(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	old := ringLimits
	ringLimits = limits{rows: 100, bytes: 1 << 20, age: time.Hour}
	defer func() { ringLimits = old }()
	write(t, s, &worker.Result{Position: 1, Ingest: t0, Activities: []*activity.Activity{fact(2), fact(1), fact(3)}})
	// It rests on two of before, one that comes with it, and one never seen.
	r := result(2, alarm(1, fact(1), fact(2), fact(4), fact(999_999)))
	r.Activities = []*activity.Activity{fact(4)}
	write(t, s, r)
	check := func(want, lost int) {
		t.Helper()
		list, missing, err := s.AlertActivities(ctx, alarm(1).ID)
		if err != nil || len(list) != want || missing != lost {
			t.Fatalf("%d activities, %d missing, %v; want %d and %d", len(list), missing, err, want, lost)
		}
		if !slices.IsSortedFunc(list, func(a, b *activity.Activity) int { return int(a.Time - b.Time) }) {
			t.Error("not oldest first")
		}
		if d := cmp.Diff(fact(1).DNS, list[0].DNS); d != "" || list[0].ID != fact(1).ID {
			t.Errorf("what came back differs: %s", d)
		}
	}
	check(3, 1)
	for i := range 5 {
		many := &worker.Result{Position: uint64(10 + i), Ingest: t0 + activity.Time(10+i)*60*second}
		for j := range 1000 {
			many.Activities = append(many.Activities, fact(1000+1000*i+j))
		}
		write(t, s, many)
	}
	n, err := s.read.NewSelect().Table("activity").Count(ctx)
	if err != nil || n > 100+trimEvery {
		t.Errorf("%d activities in a ring of 100: %v", n, err)
	}
	check(3, 1)
	// It grows by one that is new and one that the ring has let go.
	r = result(20, alarm(1, fact(1), fact(2), fact(4), fact(999_999), fact(3), fact(5)))
	r.Activities = []*activity.Activity{fact(5)}
	write(t, s, r)
	check(4, 2)
	if _, _, err := s.AlertActivities(ctx, "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("of no alert: %v", err)
	}
}

func TestRing(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits limits
		most   int64
	}{
		{"rows", limits{rows: 3000, bytes: 1 << 40, age: 1000 * time.Hour}, 3000 + trimEvery},
		{"bytes", limits{rows: 1 << 40, bytes: 100_000, age: 1000 * time.Hour}, 2200}, // of about 90 bytes each
		{"age", limits{rows: 1 << 40, bytes: 1 << 40, age: 3 * time.Minute}, 4100},
		{"none", limits{rows: 1 << 40, bytes: 1 << 40, age: 1000 * time.Hour}, 20_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := ringLimits
			ringLimits = c.limits
			defer func() { ringLimits = old }()
			s := fresh(t)
			for p := range 20 {
				r := result(p + 1)
				for j := range 1000 {
					r.Activities = append(r.Activities, fact(1000*p+j))
				}
				write(t, s, r)
			}
			n, err := s.read.NewSelect().Table("activity").Count(t.Context())
			if err != nil || n > c.most || n < c.most/2 {
				t.Errorf("%d activities, want at most %d and not far less: %v", n, c.most, err)
			}
			if c.name == "none" {
				return
			}
			again := result(1) // what it has let go does not come back with a repeat
			again.Activities = []*activity.Activity{fact(0), fact(1)}
			write(t, s, again)
			for number, want := range map[int]int{0: 0, 1: 0, 19_999: 1} {
				var kept int
				a := fact(number)
				if err := s.read.QueryRow("SELECT COUNT(*) FROM activity WHERE id = ?", a.ID[:]).Scan(&kept); err != nil || kept != want {
					t.Errorf("activity %d is there %d times, want %d: %v", number, kept, want, err)
				}
			}
		})
	}
}

func ids(list []Alert) (out []int) {
	for _, a := range list {
		var n int
		fmt.Sscanf(a.Alert.ID, "%x", &n)
		out = append(out, n)
	}
	return out
}

func TestFilters(t *testing.T) {
	s := fresh(t)
	var all []*alert.Alert
	for i := 1; i <= 12; i++ {
		a := alarm(i)
		a.Severity = []detect.Severity{detect.Low, detect.Medium, detect.High}[i%3]
		a.Status = []alert.Status{alert.Open, alert.Closed}[i%2]
		a.Detection = []string{"one", "other"}[i/7]
		all = append(all, a)
	}
	all[0].Summary = "100% of a_b was done, it's said"
	all[1].Accounts = []detect.Party{{Name: "ＡＮＮ", Domain: "Straße"}, {Name: "bad\x00name"}}
	all[2].Targets = []detect.Computer{{Address: "2001:db8::5", Name: "DC1.Lab.Example"}}
	write(t, s, result(1, all...))
	every := []int{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}
	at := func(n int) activity.Time { return t0 + activity.Time(n)*second }
	for _, c := range []struct {
		filter AlertFilter
		want   []int
	}{
		{AlertFilter{}, every},
		{AlertFilter{Status: []string{"open"}}, []int{12, 10, 8, 6, 4, 2}},
		{AlertFilter{Status: []string{"open", "closed", "suppressed"}}, every},
		{AlertFilter{Severity: []string{"high"}}, []int{11, 8, 5, 2}},
		{AlertFilter{Severity: []string{"high", "low"}, Status: []string{"closed"}}, []int{11, 9, 5, 3}},
		{AlertFilter{Detection: "other"}, []int{12, 11, 10, 9, 8, 7}},
		{AlertFilter{Detection: "other", Severity: []string{"high"}, Status: []string{"open"}, From: at(8), To: at(9), Text: "ws8"}, []int{8}},
		{AlertFilter{From: at(10)}, []int{12, 11, 10}},
		{AlertFilter{To: at(3)}, []int{2, 1}},
		{AlertFilter{From: at(3), To: at(3)}, nil},
		{AlertFilter{Text: "WS1"}, []int{12, 11, 10, 1}},
		{AlertFilter{Text: "ws11 user11"}, []int{11}},
		{AlertFilter{Text: "user11 ws12"}, nil},
		{AlertFilter{Text: `lab\USER7`}, []int{7}},
		{AlertFilter{Text: "user7@lab"}, []int{7}},
		{AlertFilter{Text: "10.1.0.4"}, []int{4}},
		{AlertFilter{Text: "t1003"}, every},
		{AlertFilter{Text: "100%"}, []int{1}},
		{AlertFilter{Text: "%"}, []int{1}},
		{AlertFilter{Text: "_"}, []int{1}},
		{AlertFilter{Text: "a_b"}, []int{1}},
		{AlertFilter{Text: "it's"}, []int{1}},
		{AlertFilter{Text: "ann"}, []int{2}},
		{AlertFilter{Text: "STRASSE"}, []int{2}},
		{AlertFilter{Text: "bad\x00name"}, []int{2}},
		{AlertFilter{Text: "dc1.LAB.example"}, []int{3}},
		{AlertFilter{Text: "2001:DB8::5"}, []int{3}},
		{AlertFilter{Text: fmt.Sprintf("%032x", 9)}, []int{9}},
		{AlertFilter{Text: "   "}, every},
		{AlertFilter{Text: "'; DROP TABLE alert; --"}, nil},
		{AlertFilter{Text: `\`, Limit: 1}, []int{12}},
		{AlertFilter{Text: `") OR 1=1 --`}, nil},
		{AlertFilter{Text: "?"}, nil},
		{AlertFilter{Text: "\xff\xfe"}, []int{2}}, // what is no text stands as U+FFFD
		{AlertFilter{Detection: "one' OR '1'='1"}, nil},
		{AlertFilter{Status: []string{"open') OR ('1'='1", "\x00", "?0"}}, nil},
		{AlertFilter{Severity: []string{`x" OR "1"="1`}}, nil},
	} {
		list, _, total, err := s.Alerts(t.Context(), c.filter)
		if err != nil {
			t.Errorf("%+v: %v", c.filter, err)
			continue
		}
		got := ids(list)
		if c.filter.Limit == 0 && total != len(got) {
			t.Errorf("%+v: total %d, listed %d", c.filter, total, len(got))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.filter, got, c.want)
		}
	}
}

func TestPages(t *testing.T) {
	s := fresh(t)
	var all []*alert.Alert
	for i := range 105 {
		a := alarm(i)
		a.Start = t0 + activity.Time(i/10)*second // ten start at once
		all = append(all, a)
	}
	write(t, s, result(1, all...))
	var seen []int
	f := AlertFilter{Limit: 10}
	for page := 0; ; page++ {
		list, next, total, err := s.Alerts(t.Context(), f)
		if err != nil || total != 105 || page > 11 {
			t.Fatalf("page %d: total %d, %v", page, total, err)
		}
		seen = append(seen, ids(list)...)
		if next == "" {
			break
		}
		f.Before = next
		if page == 3 { // one that is newer moves nothing
			write(t, s, result(2, alarm(5000)))
			if _, _, total, _ := s.Alerts(t.Context(), f); total != 106 {
				t.Errorf("total %d", total)
			}
			if _, err := s.write.Exec("DELETE FROM alert WHERE id = ?", alarm(5000).ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := make([]int, 105)
	for i := range want {
		want[i] = 104 - i
	}
	if !slices.Equal(seen, want) {
		t.Errorf("%v", seen)
	}
	for _, bad := range []string{"x", "1", ".", "x.y", "9999999999999999999999.a", "1;DROP"} {
		if _, _, _, err := s.Alerts(t.Context(), AlertFilter{Before: bad}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
	if list, _, _, err := s.Alerts(t.Context(), AlertFilter{Before: "1.' OR 1=1"}); err != nil || len(list) != 0 {
		t.Errorf("%d alerts, %v", len(list), err)
	}
	for limit, want := range map[int]int{0: 50, -1: 50, 1: 1, 1_000_000: 105} {
		if list, _, _, err := s.Alerts(t.Context(), AlertFilter{Limit: limit}); err != nil || len(list) != want {
			t.Errorf("limit %d: %d, %v", limit, len(list), err)
		}
	}
}

func TestCounts(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	for i := range 10 {
		a := alarm(i)
		if a.Detection = "other"; i < 6 {
			a.Detection = "one"
		}
		if i%2 == 0 {
			a.Severity = detect.Low
		}
		if i == 5 || i == 9 {
			a.Status = alert.Closed
		}
		if i == 7 {
			a.Previous = alarm(5).ID
		}
		write(t, s, result(i+1, a))
	}
	open, err := s.OpenAlerts(ctx)
	if d := cmp.Diff(map[string]map[detect.Severity]int{"one": {"low": 3, "high": 2}, "other": {"low": 2, "high": 1}}, open); d != "" || err != nil {
		t.Error(d, err)
	}
	all, err := s.AlertCounts(ctx)
	if d := cmp.Diff(map[string]int{"one": 6, "other": 4}, all); d != "" || err != nil {
		t.Error(d, err)
	}
	for id, want := range map[string]string{alarm(5).ID: alarm(7).ID, alarm(7).ID: "", "": "", "none": ""} {
		if next, err := s.NextOf(ctx, id); next != want || err != nil {
			t.Errorf("after %q comes %q, %v", id, next, err)
		}
	}
}

// TestHostileText: whatever text attackers choose, the alert is stored.
func TestHostileText(t *testing.T) {
	s := fresh(t)
	for i, x := range []string{"\x00", "a\x00b", "\xff\xfe\x80", "'; DROP TABLE alert; --", `\`, "?", "?0", "?name", "\u202e", strings.Repeat("x", 300<<10), "\"", "$1", "X'00'"} {
		a := alarm(i)
		a.Summary, a.Title, a.Previous, a.Detection = x, x, x, x
		a.Accounts[0].Name, a.Accounts[0].Domain, a.Sources[0].Name = x, x, x
		r := result(i+1, a)
		r.Acts = []ingest.Act{{Alert: a.ID, Do: ingest.ActionKind(x), By: x, Comment: x}}
		if err := s.Write(t.Context(), r); err != nil {
			t.Errorf("%.20q: %v", x, err)
			continue
		}
		if got, err := s.Alert(t.Context(), a.ID); err != nil || strings.ToValidUTF8(got.Alert.Summary, "") == "" && x != "" {
			t.Errorf("%.20q: %v", x, err)
		}
		if h, err := s.History(t.Context(), a.ID); err != nil || len(h) != 1 {
			t.Errorf("%.20q: history %v, %v", x, h, err)
		}
		if _, err := s.NextOf(t.Context(), x); err != nil {
			t.Errorf("%.20q: %v", x, err)
		}
	}
	var most int
	if err := s.read.QueryRow("SELECT MAX(LENGTH(words)) FROM alert").Scan(&most); err != nil || most > maxWords {
		t.Errorf("words of %d bytes, %v", most, err)
	}
}
