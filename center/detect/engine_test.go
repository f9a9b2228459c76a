package detect

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/counter"
)

// every is a detection that counts the activities of an account and tells of
// each third, and of what it remembers.
func every(id string, kinds ...activity.Kind) *Definition {
	return &Definition{
		ID: id, Consumes: kinds, Retain: 24 * time.Hour, Learning: time.Hour,
		Tunables: []Tunable{{Name: "nth", High: 4, Medium: 3, Low: 3}},
		Key:      func(r *resolve.Resolved) string { return r.Account.Key },
		New:      func(t Tuning) Detector { return &counting{nth: t.Int("nth")} },
	}
}

type counting struct {
	N      int
	Recent Recent
	nth    int
}

func (c *counting) Size() int { return c.Recent.Size() }

func (c *counting) Process(r *resolve.Resolved, emit func(Finding)) {
	c.N++
	c.Recent.Add(ActOf(r, ""), 24*hour)
	if c.N%c.nth == 0 {
		f := FindingOf(r)
		f.Count, f.Numbers = c.N, []Number{{Name: "remembered", Value: c.Recent.Size()}}
		emit(f)
		emit(f)
	}
}

const (
	kindA, kindB = activity.Kind("a"), activity.Kind("b")
	t0           = activity.Time(1_700_000_000 * 1e9)
	hour         = activity.Time(3600 * 1e9)
)

func resolved(n int, kind activity.Kind, at activity.Time, key string) *resolve.Resolved {
	a := &activity.Activity{Kind: kind, Time: at}
	binary.BigEndian.PutUint64(a.ID[:], uint64(n))
	return &resolve.Resolved{Activity: a, Account: resolve.Account{Key: key},
		Source: resolve.Host{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})}}
}

func engine(shards int) (*Engine, *counter.Set) {
	c := new(counter.Set)
	return NewEngine([]*Definition{every("first", kindA, kindB), every("second", kindB)}, LevelLow, shards, c), c
}

// traffic is random activities in batches of any size: some keys come back
// often, a flood of others once, some activities late by up to two days.
func traffic(rnd *rand.Rand, n, keys int, step activity.Time) (batches [][]*resolve.Resolved) {
	now := t0
	var batch []*resolve.Resolved
	for i := range n {
		now += activity.Time(rnd.Int64N(2 * int64(step)))
		at := now
		if rnd.IntN(10) == 0 {
			at -= activity.Time(rnd.Int64N(int64(48 * hour)))
		}
		key := fmt.Sprint("often ", rnd.IntN(40))
		if rnd.IntN(2) == 0 {
			key = fmt.Sprint("once ", rnd.IntN(keys))
		}
		r := resolved(i, []activity.Kind{kindA, kindB}[rnd.IntN(2)], at, key)
		r.Late = at != now
		batch = append(batch, r)
		if rnd.IntN(300) == 0 {
			batches, batch = append(batches, batch), nil
		}
	}
	return append(batches, batch)
}

// feed runs the batches; before is called ahead of each and may replace the engine.
func feed(e *Engine, batches [][]*resolve.Resolved, before func(i int, e *Engine) *Engine) (all []Finding) {
	for i, b := range batches {
		if before != nil {
			e = before(i, e)
		}
		all = append(all, e.Process(b)...)
	}
	return all
}

// TestEngineDependsOnTheActivitiesOnly runs the same traffic with any number of
// shards, restored on the way, and with sweeps at other times.
func TestEngineDependsOnTheActivitiesOnly(t *testing.T) {
	for _, c := range []struct {
		name     string
		n, keys  int
		step     activity.Time // on average between two
		overflow bool
	}{
		{"few keys", 3000, 100, hour / 20, false},
		{"more keys than fit", 150_000, 10_000_000, hour / 16000, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.overflow && testing.Short() {
				t.Skip("a flood of keys takes seconds: left out with -short")
			}
			batches := traffic(rand.New(rand.NewPCG(7, uint64(c.n))), c.n, c.keys, c.step)
			e, counters := engine(1)
			want := feed(e, batches, nil)
			if len(want) < 100 {
				t.Fatalf("%d findings prove little", len(want))
			}
			if got := counters.Of("detect", "keys forgotten: more than fit").Value() > 0; got != c.overflow {
				t.Fatalf("keys forgotten: %v", got)
			}
			if counters.Of("detect", "activities too late for the state kept").Value() == 0 {
				t.Error("nothing was too late")
			}
			snapshot, _ := e.MarshalJSON()
			same := func(name string, shards int, before func(i int, e *Engine) *Engine) {
				t.Helper()
				e, other := engine(shards)
				got := feed(e, batches, before)
				if !reflect.DeepEqual(want, got) {
					t.Errorf("%s: findings differ: %d, want %d", name, len(got), len(want))
				}
				if before == nil {
					if !reflect.DeepEqual(counters.Rows(), other.Rows()) {
						t.Errorf("%s: counted %v, want %v", name, other.Rows(), counters.Rows())
					}
					if s, _ := e.MarshalJSON(); string(s) != string(snapshot) {
						t.Errorf("%s: the snapshot differs", name)
					}
				}
			}
			for _, shards := range []int{0, 3, 8, 64, 1000} {
				if c.overflow && shards != 3 && shards != 64 {
					continue // it takes seconds
				}
				same(fmt.Sprint(shards, " shards"), shards, nil)
			}
			same("sweeping at each batch", 1, func(_ int, e *Engine) *Engine {
				for i := range e.parts {
					e.parts[i].swept = 0
				}
				return e
			})
			same("sweeping never", 1, func(_ int, e *Engine) *Engine {
				for i := range e.parts {
					e.parts[i].swept = 1<<63 - 1 - sweepEvery
				}
				return e
			})
			step := max(1, len(batches)/3)
			same("restored", 8, func(i int, e *Engine) *Engine {
				if i%step != step-1 {
					return e
				}
				b, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				e, _ = engine(1 + i%8)
				if err := json.Unmarshal(b, e); err != nil {
					t.Fatal(err)
				}
				return e
			})
		})
	}
}

func TestEngineRouting(t *testing.T) {
	e, _ := engine(1)
	var batch []*resolve.Resolved
	for i := range 3 {
		batch = append(batch, resolved(i, kindA, t0+activity.Time(i), "ann"), resolved(10+i, kindB, t0+activity.Time(i), ""), resolved(20+i, "c", t0, "ann"))
	}
	got := e.Process(batch)
	if len(got) != 2 {
		t.Fatalf("%d findings, want the two of kind a: %+v", len(got), got)
	}
	f := got[0]
	if f.Detection != "first" || f.Key != "ann" || f.Time != t0+2 || f.Baseline != BaselineNone || f.Late {
		t.Errorf("%+v", f)
	}
	if len(f.ID) != 32 || f.ID == got[1].ID {
		t.Errorf("ids %s and %s", f.ID, got[1].ID)
	}
	high := NewEngine([]*Definition{every("first", kindA)}, LevelHigh, 1, new(counter.Set))
	got = high.Process(append(batch, resolved(30, kindA, t0+9, "ann")))
	if len(got) != 2 || got[0].Count != 4 {
		t.Errorf("at level high: %+v", got)
	}
	plain := every("plain", kindA)
	plain.Learning = 0
	got = NewEngine([]*Definition{plain}, LevelLow, 1, new(counter.Set)).Process(batch)
	if len(got) != 2 || got[0].Baseline != BaselineUnneeded {
		t.Errorf("of a rule that does not learn: %+v", got)
	}
}

// TestEngineRetain looks one nanosecond before and after the time for which
// state is kept, with another key's activities to move the clock.
func TestEngineRetain(t *testing.T) {
	const retain = 24 * hour
	for _, c := range []struct {
		name  string
		times []activity.Time
		fires bool
		late  int64
	}{
		{"within", []activity.Time{0, retain, 2 * retain}, true, 0},
		{"idle for longer", []activity.Time{0, 1, retain + 2}, false, 0},
		{"late, within", []activity.Time{retain, retain, 0}, true, 0},
		{"late by more", []activity.Time{retain + 1, retain + 1, 0}, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, counters := engine(1)
			var got []Finding
			for i, at := range c.times {
				got = append(got, e.Process([]*resolve.Resolved{resolved(i, kindA, t0+at, "ann")})...)
			}
			if fired := len(got) > 0; fired != c.fires {
				t.Errorf("fired: %v", fired)
			}
			if n := counters.Of("detect", "activities too late for the state kept").Value(); n != c.late {
				t.Errorf("%d too late", n)
			}
		})
	}
}

// TestEngineKeepsTheStateOfALongOutage drains a spool two days old beside
// current traffic that makes sweeps run between any two of its activities.
func TestEngineKeepsTheStateOfALongOutage(t *testing.T) {
	e, _ := engine(1)
	var got []Finding
	for i := range 3 {
		now := t0 + activity.Time(i)*hour
		var batch []*resolve.Resolved
		for k := range 500 { // keys in every partition
			batch = append(batch, resolved(1000*i+k, kindA, now, fmt.Sprint(k, " ", i)))
		}
		batch = append(batch, resolved(i, kindA, t0-48*hour+activity.Time(i), "spooled"))
		got = append(got, e.Process(batch)...)
	}
	if !slices.ContainsFunc(got, func(f Finding) bool { return f.Key == "spooled" }) {
		t.Error("what three spooled activities show was swept away between them")
	}
}

func TestEngineBounds(t *testing.T) {
	e, counters := engine(1)
	const n = 200_000
	for i := range n {
		e.Process([]*resolve.Resolved{resolved(i, kindA, t0+activity.Time(i), fmt.Sprint(i))})
	}
	keys := 0
	for pi := range e.parts {
		size := 0
		for _, m := range e.parts[pi].keys {
			if len(m) > maxKeys {
				t.Errorf("partition %d holds %d keys of one detection", pi, len(m))
			}
			keys += len(m)
			for _, s := range m {
				size += s.Detector.Size()
			}
		}
		if p := &e.parts[pi]; size != p.size || size > maxSize {
			t.Errorf("partition %d remembers %d acts and believes %d", pi, size, p.size)
		}
	}
	if gone := counters.Of("detect", "keys forgotten: more than fit").Value(); int(gone)+keys != n {
		t.Errorf("%d keys there and %d counted as forgotten, of %d", keys, gone, n)
	}
	for i := n - 100; i < n; i++ {
		key := fmt.Sprint(i)
		if e.parts[partOf("first", key)].keys[0][key] == nil {
			t.Errorf("key %s, one of the latest, was forgotten", key)
		}
	}

	// Keys with many acts each reach the other cap first.
	e, counters = engine(1)
	var keys0 []string // of the first partition
	for i := 0; len(keys0) < 500; i++ {
		if key := fmt.Sprint(i); partOf("first", key) == 0 {
			keys0 = append(keys0, key)
		}
	}
	for i := range 3 * maxSize {
		e.Process([]*resolve.Resolved{resolved(i, kindA, t0+activity.Time(i), keys0[i%len(keys0)])})
		if p := &e.parts[0]; p.size > maxSize {
			t.Fatalf("%d acts", p.size)
		}
	}
	if counters.Of("detect", "keys forgotten: more than fit").Value() == 0 {
		t.Error("nothing was forgotten, or not counted")
	}
}

func TestEngineCountsWhatABusyKeyForgets(t *testing.T) {
	e, counters := engine(1)
	cut := counters.Of("detect", "keys whose oldest acts were forgotten: more than fit")
	for i := range maxActs + 1 {
		if cut.Value() != 0 {
			t.Fatalf("counted at act %d", i)
		}
		e.Process([]*resolve.Resolved{resolved(i, kindA, t0+activity.Time(i), "busy")})
	}
	if cut.Value() != 1 {
		t.Errorf("counted %d", cut.Value())
	}
}

func TestEngineRefusesBrokenSnapshots(t *testing.T) {
	for _, s := range []string{
		``, `null`, `[]`, `{}`, `{"keys":null}`,
		`{"keys":{"first":{"ann":null}}}`,
		`{"keys":{"first":{"ann":{"last":"2024-01-01T00:00:00Z"}}}}`,
		`{"keys":{"first":{"ann":{"last":7,"state":{}}}}}`,
		`{"keys":{"first":{"ann":{"state":[]}}}}`,
		`{"keys":{"first":{"ann":{"state":{"Recent":{"acts":[{"t":7}]}}}}}}`,
	} {
		e, _ := engine(1)
		if err := e.UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
	e, counters := engine(1)
	if err := e.UnmarshalJSON([]byte(`{"keys":{"gone":{"ann":{"state":{}}}}}`)); err != nil {
		t.Errorf("a detection not run any more: %v", err)
	}
	if !strings.Contains(fmt.Sprint(counters.Rows()), "detections not run") {
		t.Error("states left out are counted")
	}
}

// BenchmarkEngineFlood is a flood of keys never seen before.
func BenchmarkEngineFlood(b *testing.B) {
	e, _ := engine(1)
	r := resolved(0, kindB, t0, "")
	batch := []*resolve.Resolved{r}
	for i := range b.N {
		r.Activity.Time++
		binary.BigEndian.PutUint64(r.Activity.ID[:], uint64(i))
		r.Account.Key = fmt.Sprint(i)
		e.Process(batch)
	}
}
