package alert

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// one folds a finding and returns the alert that changed.
func one(t *testing.T, f *Fold, key string, at float64) *Alert {
	t.Helper()
	f.Add(finding("one", key, at))
	all := f.Changed()
	if len(all) != 1 {
		t.Fatalf("%d alerts changed", len(all))
	}
	return all[0]
}

func TestClosing(t *testing.T) {
	f, _ := fold(t)
	a := one(t, f, "k", 0)
	if f.Close("gone") || f.Reopen("gone") || f.Note("gone") || f.Reopen(a.ID) || len(f.Changed()) != 0 {
		t.Error("what cannot be done took effect")
	}
	if !f.Close(a.ID) || f.Close(a.ID) {
		t.Error("closing takes effect once")
	}
	if c := f.Changed(); len(c) != 1 || c[0].ID != a.ID || c[0].Status != Closed || c[0].Count != 1 {
		t.Errorf("changed: %+v", c)
	}
	if !f.Note(a.ID) {
		t.Error("a closed alert takes no note")
	}
	if c := f.Changed(); len(c) != 1 || c[0].Status != Closed {
		t.Errorf("changed: %+v", c)
	}
	b := one(t, f, "k", 1)
	if b.ID == a.ID || b.Previous != a.ID || b.Count != 1 || b.Status != Open {
		t.Errorf("after closing: %+v", b)
	}
	if again := one(t, f, "k", 2); again.ID != b.ID || again.Count != 2 || again.Previous != a.ID {
		t.Errorf("the new one grows: %+v", again)
	}
	if other := one(t, f, "l", 2); other.Previous != "" {
		t.Errorf("another key: %+v", other)
	}
	// Reopened, the first does not take over from the second.
	if !f.Reopen(a.ID) || f.Changed()[0].Status != Open {
		t.Error("reopening")
	}
	if again := one(t, f, "k", 3); again.ID != b.ID {
		t.Errorf("after reopening: %+v", again)
	}
	// A repeat is linked to the newest, weeks later too.
	f.Close(b.ID)
	f.Changed()
	c := one(t, f, "k", 1000)
	if c.Previous != b.ID {
		t.Errorf("weeks later: %+v", c)
	}
	// One that nobody closed is not linked to when its time is over.
	if d := one(t, f, "k", 2000); d.ID == c.ID || d.Previous != "" {
		t.Errorf("not closed: %+v", d)
	}
}

func TestReopenedGrowsAgain(t *testing.T) {
	f, _ := fold(t)
	a := one(t, f, "k", 0)
	f.Close(a.ID)
	f.Reopen(a.ID)
	if b := one(t, f, "k", 1); b.ID != a.ID || b.Count != 2 || b.Previous != "" {
		t.Errorf("%+v", b)
	}
}

func TestChangedCostsWhatChanged(t *testing.T) {
	f, _ := fold(t)
	for i := range 5000 {
		f.Add(finding("one", fmt.Sprint(i), 0))
	}
	if n := len(f.Changed()); n != 5000 {
		t.Fatalf("%d changed", n)
	}
	n := finding("one", "7", 1)
	few := testing.AllocsPerRun(10, func() {
		f.Add(n)
		if len(f.Changed()) != 1 {
			t.Error("one changed")
		}
	})
	if few > 100 {
		t.Errorf("%v allocations for one of 5000", few)
	}
	if f.Changed() != nil {
		t.Error("changed without change")
	}
}

// TestClosedMakeRoom: years of handled alerts do not use up the cap.
func TestClosedMakeRoom(t *testing.T) {
	f, _ := fold(t)
	var ids []string
	for i := range 3 * maxAlerts {
		n := finding("one", fmt.Sprint(i), 0)
		f.Add(n)
		a := f.Changed()[0]
		if len(a.Sources) != 1 || a.Count != 1 {
			t.Fatalf("alert %d tells of others: %+v", i, a)
		}
		ids = append(ids, a.ID)
		if i%10 != 0 { // not all are handled
			f.Close(a.ID)
			f.Changed()
		}
		if len(f.alerts) > maxAlerts || len(f.byID) != len(f.alerts) || len(f.current) > len(f.alerts) || f.count["one"] != len(f.alerts) {
			t.Fatalf("%d alerts, %d by id, %d current, %d counted", len(f.alerts), len(f.byID), len(f.current), f.count["one"])
		}
	}
	for i, id := range ids {
		if i%10 == 0 && !f.Note(id) {
			t.Fatalf("an open one was forgotten, the %dth", i)
		}
	}
	if f.Note(ids[1]) || !f.Note(ids[len(ids)-2]) {
		t.Error("the oldest closed ones go first")
	}
}

func TestSetExclusions(t *testing.T) {
	f, x := fold(t, "10.0.0.66")
	f.Add(finding("one", "k", 0))
	_, y := fold(t, "10.0.0.0/8", "10.0.0.66")
	f.SetExclusions(y)
	f.Add(finding("one", "k", 1))
	if x[0].Excluded != 1 || y[0].Excluded != 1 || y[1].Excluded != 1 {
		t.Errorf("counted %d; then %d and %d", x[0].Excluded, y[0].Excluded, y[1].Excluded)
	}
	f.SetExclusions(nil)
	if len(add(f, finding("one", "k", 2))) != 1 {
		t.Error("an exclusion that was taken away holds")
	}
}

// TestActsInSnapshots restarts the fold between random findings and acts.
func TestActsInSnapshots(t *testing.T) {
	linked, refused := 0, 0
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		straight, _ := fold(t)
		restored, _ := fold(t)
		now := 0.0
		var ids []string
		for i := range 300 {
			now += rnd.Float64() * 4
			if rnd.IntN(2) == 0 || len(ids) == 0 {
				n := finding([]string{"one", "other"}[rnd.IntN(2)], fmt.Sprint(rnd.IntN(4)), now)
				straight.Add(n)
				restored.Add(n)
			} else {
				id := ids[rnd.IntN(len(ids))]
				do := []func(*Fold, string) bool{(*Fold).Close, (*Fold).Reopen, (*Fold).Note}[rnd.IntN(3)]
				a, b := do(straight, id), do(restored, id)
				if a != b {
					t.Fatalf("seed %d, step %d: an act takes effect %v, after restarts %v", seed, i, a, b)
				}
				if !a {
					refused++
				}
			}
			if rnd.IntN(20) == 0 {
				b, err := json.Marshal(restored)
				if err != nil {
					t.Fatal(err)
				}
				restored, _ = fold(t)
				if err := json.Unmarshal(b, restored); err != nil {
					t.Fatal(err)
				}
			}
			if rnd.IntN(3) == 0 {
				a, b := straight.Changed(), restored.Changed()
				if !reflect.DeepEqual(a, b) {
					t.Fatalf("seed %d, step %d: what changed differs", seed, i)
				}
				for _, c := range a {
					if !slices.Contains(ids, c.ID) {
						ids = append(ids, c.ID)
					}
					if c.Previous != "" {
						linked++
					}
				}
			}
		}
		if !reflect.DeepEqual(straight.Alerts(), restored.Alerts()) {
			t.Errorf("seed %d: alerts differ", seed)
		}
	}
	if linked < 100 || refused < 100 {
		t.Errorf("%d linked, %d refused: too little to prove anything", linked, refused)
	}
}

func TestPanicOverOneAlert(t *testing.T) {
	f, _ := fold(t)
	defs := defs()
	was := defs[0].Summary
	f.defs["one"] = defs[0]
	f.Add(finding("one", "bad", 0))
	f.Add(finding("other", "k", 0))
	f.Changed()
	var told []string
	f.OnPanic = func(where string, value any, stack []byte) { told = append(told, fmt.Sprint(where, ": ", value)) }
	defs[0].Summary = nil
	f.Add(finding("one", "bad", 1))
	f.Add(finding("other", "k", 1))
	if c := f.Changed(); len(c) != 1 || c[0].Detection != "other" || len(told) != 1 {
		t.Errorf("%d changed, told %q", len(c), told)
	}
	defs[0].Summary = was
	if a := one(t, f, "bad", 2); a.Count != 3 {
		t.Errorf("afterwards: %+v", a)
	}
}
