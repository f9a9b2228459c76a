package center_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/directory"
	"github.com/verderer/verderer/center/ingest"
)

func newCore(shards int) *center.Core {
	return center.New(center.Config{Definitions: all.Definitions, Level: detect.LevelLow, Shards: shards})
}

func apply(c *center.Core, records []ingest.Record) {
	for i := range records {
		c.Apply(&records[i])
	}
}

func snapshot(t testing.TB, c *center.Core) []byte {
	t.Helper()
	b, err := c.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCoreIsAFunctionOfTheLog replays the log of several sensors, one of which
// comes back with a spool, in all the ways that must not matter.
func TestCoreIsAFunctionOfTheLog(t *testing.T) {
	records := log(1, 60_000)
	straight := newCore(1)
	apply(straight, records)
	straight.Drain()
	want := straight.Alerts()
	ids := make(map[string]bool)
	late := false
	for _, a := range want {
		ids[a.Detection] = true
		late = late || a.Late
	}
	if len(ids) < 4 || !late {
		t.Fatalf("alerts of %v, late ones among them: %v: too little to compare", ids, late)
	}
	rnd := rand.New(rand.NewPCG(3, 0))
	for range 3 {
		c := newCore(1 + rnd.IntN(64))
		for i := range records {
			if rnd.IntN(len(records)/4) == 0 {
				b := snapshot(t, c)
				c = newCore(1 + rnd.IntN(64))
				if err := c.Restore(b); err != nil {
					t.Fatal(err)
				}
				if again := snapshot(t, c); string(again) != string(b) {
					t.Error("a snapshot restored is another snapshot")
				}
			}
			c.Apply(&records[i])
		}
		c.Drain()
		if d := cmp.Diff(want, c.Alerts()); d != "" {
			t.Fatalf("alerts differ (-straight +restored):\n%.3000s", d)
		}
		if !reflect.DeepEqual(c.Seen(), straight.Seen()) || !reflect.DeepEqual(c.DomainControllers(), straight.DomainControllers()) {
			t.Error("what was seen differs")
		}
	}
}

func TestDirectoryIsARecord(t *testing.T) {
	c := newCore(1)
	c.Apply(&ingest.Record{Sensor: "dc1", Directory: &directory.Snapshot{Schema: directory.Schema,
		DomainControllers: []directory.DomainController{{Name: "dc9.lab.example"}}}})
	apply(c, log(2, 100))
	c.Drain()
	if n := len(c.DomainControllers()); n != 0 {
		t.Errorf("%d domain controllers beside the directory's list", n)
	}
	again := newCore(1)
	if err := again.Restore(snapshot(t, c)); err != nil {
		t.Fatal(err)
	}
	apply(again, log(2, 100))
	if len(again.DomainControllers()) != 0 {
		t.Error("the directory is not part of the snapshot")
	}
}

func TestRestoreRefuses(t *testing.T) {
	c := newCore(1)
	apply(c, log(1, 5000))
	good := string(snapshot(t, c))
	part := func(name, value string) string {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(good), &m); err != nil {
			t.Fatal(err)
		}
		if m[name] = json.RawMessage(value); value == "" {
			delete(m, name)
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if err := newCore(1).Restore([]byte(part("activity", "{}"))); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	bad := []string{"", "null", "[]", "{}", good[:len(good)/2], good + "x",
		part("version", `"verderer/snapshot/0"`), part("version", `null`), part("version", ""),
		part("order", `{"held":[null],"tags":[0]}`),
		part("resolve", `{"tickets":[],"hosts":[{"k":"10.0.0.1","v":null}],"names":[],"realms":[]}`),
		part("detect", `{"keys":{"dcsync":{"10.0.0.1":null}}}`),
		part("alerts", `{"alerts":[null]}`), part("alerts", `{"current":[-1]}`),
	}
	for _, name := range []string{"order", "resolve", "detect", "alerts"} {
		bad = append(bad, part(name, ""), part(name, "null"), part(name, "7"))
	}
	for _, s := range bad {
		err := newCore(1).Restore([]byte(s))
		if err == nil || !strings.HasPrefix(err.Error(), "reading snapshot: ") {
			t.Errorf("%.80s: error %v", s, err)
		}
	}
}

func TestExclusionsAreConfiguration(t *testing.T) {
	x, err := alert.ParseExclusion("10.0.0.0/8", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := center.New(center.Config{Definitions: all.Definitions, Level: detect.LevelLow, Exclusions: []*alert.Exclusion{x}})
	apply(c, log(1, 20_000))
	c.Drain()
	if len(c.Alerts()) != 0 || x.Excluded == 0 {
		t.Errorf("%d alerts, %d findings excluded", len(c.Alerts()), x.Excluded)
	}
}

// survives restores b, which may be anything. What is taken must hold: the core
// goes on without panic and writes a snapshot that can be read again.
func survives(t *testing.T, b []byte, more []ingest.Record) (taken bool) {
	t.Helper()
	c := newCore(1)
	if err := c.Restore(b); err != nil {
		return false
	}
	apply(c, more)
	c.Drain()
	c.DomainControllers()
	for _, a := range c.Alerts() {
		if a.Summary == "" {
			t.Error("an alert without a summary")
		}
	}
	if err := newCore(3).Restore(snapshot(t, c)); err != nil {
		t.Errorf("what it wrote cannot be read: %v", err)
	}
	return true
}

func FuzzRestore(f *testing.F) {
	records := log(4, 40) // small, so that much is tried
	c := newCore(1)
	apply(c, records[:20])
	f.Add(snapshot(f, c))
	empty := string(snapshot(f, newCore(1)))
	f.Add([]byte(empty))
	for _, s := range []string{
		`{"version":"verderer/snapshot/1","order":{"held":[null],"tags":[0]}}`,
		strings.Replace(empty, `"alerts":{`, `"alerts":{"alerts":[{"alert":{"detection":"dns-recon"}}],"current":[0],`, 1),
		strings.Replace(empty, `"hosts":[]`, `"hosts":[{"k":"10.1.0.1","v":{"names":["x"]}}]`, 1),
		strings.Replace(empty, `"names":[]`, `"names":[{"k":"x","v":{"addrs":[{"by":""}]}}]`, 1),
		strings.Replace(empty, `"brute-force-auth":{}`, `"brute-force-auth":{"10.1.0.1":{"last":"9999-01-01T00:00:00Z","state":{"Recent":{"acts":[{"k":"x","b":1}]}}}}`, 1),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { survives(t, b, records[20:]) })
}

// TestRestoreSurvivesChangedSnapshots changes values of a real snapshot, one or
// a few at a time: what fuzzing of its text seldom reaches.
func TestRestoreSurvivesChangedSnapshots(t *testing.T) {
	records := log(5, 900)
	c := newCore(1)
	apply(c, records[:600])
	good := snapshot(t, c)
	rnd := rand.New(rand.NewPCG(9, 0))
	taken := 0
	for range 300 {
		var v any
		if err := json.Unmarshal(good, &v); err != nil {
			t.Fatal(err)
		}
		for range 1 + rnd.IntN(3) {
			change(rnd, v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if survives(t, b, records[600:]) {
			taken++
		}
	}
	if taken == 0 || taken == 300 {
		t.Errorf("%d of 300 taken", taken)
	}
}

// change replaces a value somewhere in v, a decoded JSON document.
func change(rnd *rand.Rand, v any) {
	values := []any{nil, -1, 0, 1e30, "", "x", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", []any{}, []any{nil}, map[string]any{}, true}
	other := values[rnd.IntN(len(values))]
	for {
		switch x := v.(type) {
		case map[string]any:
			keys := slices.Sorted(maps.Keys(x))
			if len(keys) == 0 {
				return
			}
			k := keys[rnd.IntN(len(keys))]
			if next, leaf := x[k], rnd.IntN(4) == 0; !leaf && (isList(next)) {
				v = next
				continue
			}
			x[k] = other
		case []any:
			if len(x) == 0 {
				return
			}
			i := rnd.IntN(len(x))
			if next, leaf := x[i], rnd.IntN(4) == 0; !leaf && isList(next) {
				v = next
				continue
			}
			x[i] = other
		}
		return
	}
}

func isList(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// BenchmarkCore is ingest, resolve, all detections and alerts over mixed
// activities. BenchmarkFloor, to compare with, makes the same activities and
// encodes them.
func BenchmarkCore(b *testing.B) {
	for _, shards := range []int{1, 2} {
		b.Run(fmt.Sprint(shards, " shards"), func(b *testing.B) {
			c := newCore(shards)
			w := newWorkload(1)
			c.Apply(&ingest.Record{Sensor: "s", Ingest: w.now, Attach: w.now})
			made := make([]*activity.Activity, 0, 4096)
			b.ReportAllocs()
			for left := b.N; left > 0; left -= len(made) {
				b.StopTimer()
				made = made[:0]
				for range min(left, cap(made)) {
					made = append(made, w.next())
				}
				b.StartTimer()
				told := made[0].Time
				for _, a := range made {
					c.Apply(&ingest.Record{Sensor: "s", Ingest: a.Time, Activity: a})
					if a.Time-told >= 250e6 {
						told = a.Time
						c.Apply(&ingest.Record{Sensor: "s", Ingest: a.Time, Progress: a.Time})
					}
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(len(c.Alerts())), "alerts")
		})
	}
}

func BenchmarkFloor(b *testing.B) {
	w := newWorkload(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(w.next()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	c := newCore(1)
	apply(c, log(1, 300_000))
	made, err := c.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Snapshot(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(made))/1e6, "MB")
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := newCore(1).Restore(made); err != nil {
				b.Fatal(err)
			}
		}
	})
}
