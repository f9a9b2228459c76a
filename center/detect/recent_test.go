package detect

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/verderer/verderer/activity"
)

func actAt(at int, id int) Act {
	a := Act{At: activity.Time(at), Key: fmt.Sprint("k", id%5), Bits: uint32(id % 3)}
	binary.BigEndian.PutUint64(a.ID[:], uint64(id))
	return a
}

// list is a Tally that holds what is in its window, to compare.
type list struct{ acts []Act }

func (l *list) Reset()       { l.acts = nil }
func (l *list) Enter(a *Act) { l.acts = append(l.acts, *a) }
func (l *list) Leave(a *Act) {
	if len(l.acts) == 0 || l.acts[0].ID != a.ID {
		panic("left before it entered, or out of turn")
	}
	l.acts = l.acts[1:]
}

// TestRecentAgainstModel compares Recent and its Slides with a list that is
// searched anew each time, over acts in order, late, repeated, at equal times,
// and restored on the way.
func TestRecentAgainstModel(t *testing.T) {
	const keep, span, short = 100, 60, 7
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		r, long, brief := new(Recent), new(list), new(list)
		slides := []*Slide{r.Slide(span, long), r.Slide(short, brief)}
		var model []Act
		now, skipping := 1000, 0
		for n := range 500 {
			at := now
			switch rnd.IntN(5) {
			case 0:
				at -= rnd.IntN(2 * keep)
			case 1: // same time
			default:
				now += rnd.IntN(4)
				at = now
			}
			if rnd.IntN(50) == 0 {
				now += rnd.IntN(2 * keep)
			}
			a := actAt(at, n)
			if rnd.IntN(20) == 0 && len(model) > 0 {
				a = model[rnd.IntN(len(model))]
			}
			latest := a.At
			for _, m := range model {
				latest = max(latest, m.At)
			}
			repeated := slices.ContainsFunc(r.Acts, func(m Act) bool { return m.ID == a.ID })
			i := r.Add(a, keep)
			if !repeated && !slices.ContainsFunc(model, func(m Act) bool { return m.ID == a.ID }) {
				model = append(model, a)
			}
			switch {
			case repeated && i != -1:
				t.Fatalf("seed %d: an act repeated got index %d", seed, i)
			case !repeated && a.At >= latest-keep && i < 0:
				t.Fatalf("seed %d: an act within keep was not kept", seed)
			case i >= 0 && r.Acts[i].ID != a.ID:
				t.Fatalf("seed %d: index %d is another act", seed, i)
			}
			var want []activity.ID // what is within keep must be there
			for _, m := range model {
				if m.At >= latest-keep {
					want = append(want, m.ID)
				}
			}
			for _, id := range want {
				if !slices.ContainsFunc(r.Acts, func(m Act) bool { return m.ID == id }) {
					t.Fatalf("seed %d: act %v within keep was forgotten", seed, id)
				}
			}
			if !slices.IsSortedFunc(r.Acts, func(x, y Act) int { return int(x.At - y.At) }) {
				t.Fatalf("seed %d: not in order", seed)
			}
			if len(r.Acts) > 2*len(want)+8 {
				t.Fatalf("seed %d: %d acts kept of %d within keep", seed, len(r.Acts), len(want))
			}
			if i < 0 {
				continue
			}
			if skipping = max(0, skipping-1); skipping == 0 && rnd.IntN(20) == 0 {
				skipping = rnd.IntN(10) // acts for which a detection does not ask
			}
			for k, s := range slides {
				if k == 1 && skipping > 0 {
					continue
				}
				var ends []int
				s.To(i, func(end int) {
					ends = append(ends, end)
					in := s.tally.(*list).acts
					if w := r.Window(end, s.span); !equalIDs(w, in) {
						t.Fatalf("seed %d, act %d, end %d: the window holds %d acts, the tally %d", seed, i, end, len(w), len(in))
					}
					for j, m := range r.Acts {
						if in := slices.ContainsFunc(in, func(x Act) bool { return x.ID == m.ID }); in != (j <= end && m.At >= r.Acts[end].At-s.span) {
							t.Fatalf("seed %d: act %d in the window that ends at %d: %v", seed, j, end, in)
						}
					}
				})
				if !reflect.DeepEqual(ends, r.Ends(i, s.span)) {
					t.Fatalf("seed %d: judged at %v, want %v", seed, ends, r.Ends(i, s.span))
				}
			}
			if rnd.IntN(40) == 0 {
				b, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				before := slices.Clone(r.Acts)
				if err := json.Unmarshal(b, r); err != nil || !reflect.DeepEqual(before, r.Acts) {
					t.Fatalf("seed %d: not the same after JSON: %v", seed, err)
				}
			}
		}
	}
}

func equalIDs(a, b []Act) bool {
	return slices.EqualFunc(a, b, func(x, y Act) bool { return x.ID == y.ID })
}

func TestRecentWindowEdges(t *testing.T) {
	var r Recent
	for i, at := range []int{100, 105, 110, 110, 111} {
		r.Add(actAt(at, i), 1000)
	}
	for _, c := range []struct{ end, first, n int }{{0, 100, 1}, {1, 100, 2}, {2, 100, 3}, {3, 100, 4}, {4, 105, 4}} {
		if w := r.Window(c.end, 10); len(w) != c.n || w[0].At != activity.Time(c.first) {
			t.Errorf("window of 10 up to act %d: %d acts from %d, want %d from %d", c.end, len(w), w[0].At, c.n, c.first)
		}
	}
	if got := r.Ends(0, 10); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("Ends = %v: what happens a window later counts, what happens after that does not", got)
	}
}

func TestRecentForgetsTheOldestBeyondItsCap(t *testing.T) {
	var r Recent
	tally := new(list)
	s := r.Slide(1<<40, tally)
	for n := range maxActs + 10 {
		if i := r.Add(actAt(1000+n, n), 1<<40); i < 0 {
			t.Fatal("a new act was not kept")
		} else {
			s.To(i, func(int) {})
		}
	}
	if r.Size() != maxActs*3/4+10 || r.Acts[0].At != 1000+maxActs/4 {
		t.Errorf("%d acts from %d", r.Size(), r.Acts[0].At)
	}
	if !equalIDs(r.Acts, tally.acts) {
		t.Errorf("the tally holds %d acts of %d", len(tally.acts), len(r.Acts))
	}
	if i := r.Add(actAt(1, 7_000_000), 1<<40); i != 0 {
		t.Errorf("there is room for an old one: index %d", i)
	}
}

func TestRecentSurvivesTimesAtTheEdge(t *testing.T) {
	var r Recent
	for i, at := range []activity.Time{-1 << 63, -1<<63 + 5, 1<<63 - 1, 0} {
		a := actAt(0, i)
		a.At = at
		r.Add(a, 1000)
	}
}

func TestRecentRefusesWhatItCannotHaveMade(t *testing.T) {
	many, _ := json.Marshal(map[string]any{"acts": make([]Act, maxActs+1)})
	for _, s := range []string{``, `[]`, `{"acts":[{"t":"2024-01-02T00:00:00Z"},{"t":"2024-01-01T00:00:00Z"}]}`, `{"acts":{}}`, `{"acts":[{"t":7}]}`, string(many)} {
		if err := new(Recent).UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%.60s: no error", s)
		}
	}
}

func TestReport(t *testing.T) {
	acts := []Act{actAt(30, 1), actAt(10, 2), actAt(20, 3)}
	acts[0].Reported = true
	f := Finding{}
	if !Report(acts, &f, func(a *Act) bool { return a.At != 20 }) {
		t.Fatal("nothing reported")
	}
	if f.Count != 1 || f.Start != 10 || f.End != 10 || len(f.Activities) != 1 || f.Activities[0] != acts[1].ID || !acts[1].Reported || acts[2].Reported {
		t.Errorf("%+v", f)
	}
	if !Report(acts, &f, func(*Act) bool { return true }) || f.Count != 2 || f.Start != 10 || f.End != 20 {
		t.Errorf("more into the same finding: %+v", f)
	}
	if Report(acts, &Finding{}, func(*Act) bool { return true }) {
		t.Error("what is reported is not new")
	}
}
