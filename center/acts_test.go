package center_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/resolve"
)

// TestActsAndSettingsAreRecords replays a log with people's acts and changed
// settings in it, restored anywhere, also between a record and Changed.
func TestActsAndSettingsAreRecords(t *testing.T) {
	records := log(1, 10_000)
	half := len(records) / 2
	probe := newCore(1)
	apply(probe, records[:half])
	acts := []ingest.Record{{Settings: &ingest.Settings{Level: "medium", Exclusions: []string{"10.1.1.244", "dcsync:10.9.9.9"}}}}
	first, _ := probe.Changed()
	for i, a := range first {
		acts = append(acts, ingest.Record{Act: &ingest.Act{Alert: a.ID, Do: ingest.Close, By: "ann"}})
		if i%2 == 0 {
			acts = append(acts, ingest.Record{Act: &ingest.Act{Alert: a.ID, Do: ingest.Reopen, By: "bob"}})
		}
	}
	acts = append(acts, ingest.Record{Act: &ingest.Act{Alert: "unknown", Do: ingest.Note}}, ingest.Record{Act: &ingest.Act{Alert: first[0].ID, Do: "undo"}})
	records = slices.Concat(records[:half], acts, records[half:], []ingest.Record{{Settings: &ingest.Settings{Level: "low"}}}, log(2, 5_000))

	linked, done := 0, 0
	run := func(restoreAt func(int) bool, shards int) (out []string, c *center.Core) {
		c = newCore(shards)
		for i := range records {
			if restoreAt(i) {
				b := snapshot(t, c)
				c = newCore(1 + shards%3)
				if err := c.Restore(b); err != nil {
					t.Fatal(err)
				}
			}
			c.Apply(&records[i])
			if i%503 != 0 {
				continue
			}
			changed, acts := c.Changed()
			done += len(acts)
			for _, a := range changed {
				if a.Previous != "" {
					linked++
				}
			}
			b, err := json.Marshal([]any{changed, acts})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(b))
		}
		return out, c
	}
	want, straight := run(func(int) bool { return false }, 1)
	if linked == 0 || done != len(acts)-2 {
		t.Fatalf("%d linked, %d of %d acts took effect", linked, done, len(acts))
	}
	if s := straight.Settings(); s == nil || s.Level != "low" {
		t.Errorf("settings %+v", s)
	}
	rnd := rand.New(rand.NewPCG(8, 0))
	for range 3 {
		got, c := run(func(i int) bool { return i == half+4 || rnd.IntN(len(records)/4) == 0 }, 1+rnd.IntN(8))
		for i := range want {
			if want[i] != got[i] {
				t.Fatalf("what changed differs, the %dth time: %.1500s\nrestored: %.1500s", i, want[i], got[i])
			}
		}
		if !reflect.DeepEqual(straight.Alerts(), c.Alerts()) {
			t.Fatal("alerts differ")
		}
	}
}

// TestChangeOfLevelKeepsState: settings that are taken back at once change
// nothing, whatever is under way.
func TestChangeOfLevelKeepsState(t *testing.T) {
	records := log(3, 10_000)
	want := newCore(1)
	apply(want, records)
	got := newCore(1)
	for i := range records {
		if i%1500 == 0 { // there and back again, between two activities
			got.Apply(&ingest.Record{Settings: &ingest.Settings{Level: "high", Exclusions: []string{"10.0.0.1"}}})
			got.Apply(&ingest.Record{Settings: &ingest.Settings{Level: "low"}})
		}
		got.Apply(&records[i])
	}
	if d := cmp.Diff(want.Alerts(), got.Alerts()); d != "" || len(want.Alerts()) == 0 {
		t.Errorf("alerts differ:\n%.3000s", d)
	}
	var a, b map[string]json.RawMessage
	for p, c := range map[*map[string]json.RawMessage]*center.Core{&a: want, &b: got} {
		if err := json.Unmarshal(snapshot(t, c), p); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"order", "resolve", "detect", "activity"} {
		if string(a[part]) != string(b[part]) {
			t.Errorf("the state of %s differs", part)
		}
	}
}

// TestPanics: with somebody to tell, what panics over one activity is left out
// and the rest goes on; without, it is not hidden.
func TestPanics(t *testing.T) {
	records := log(1, 5_000)
	bad := *all.Definitions[0]
	bad.ID, bad.Consumes = "bad", []activity.Kind{activity.KerberosAS}
	n := 0
	bad.Key = func(*resolve.Resolved) string {
		if n++; n == 5 {
			panic("no key")
		}
		return "k"
	}
	bad.New = func(detect.Tuning) detect.Detector { return new(fragile) }
	defs := append(slices.Clone(all.Definitions), &bad)

	want := newCore(1)
	apply(want, records)
	for _, shards := range []int{1, 4} {
		n = 0
		var told []string
		c := center.New(center.Config{Definitions: defs, Level: detect.LevelLow, Shards: shards,
			OnPanic: func(where string, value any, stack []byte) {
				told = append(told, where)
				if len(stack) == 0 {
					t.Error("no stack")
				}
			}})
		apply(c, records)
		if d := cmp.Diff(want.Alerts(), c.Alerts()); d != "" {
			t.Errorf("other detections suffer:\n%.3000s", d)
		}
		keys := 0
		for _, where := range told {
			switch {
			case strings.HasPrefix(where, "finding the key of activity ") && strings.HasSuffix(where, " for bad"):
				keys++
			case !strings.HasPrefix(where, "running bad over activity "):
				t.Errorf("told: %s", where)
			}
		}
		if keys != 1 || len(told) < 20 {
			t.Errorf("%d panics told of, %d of keys", len(told), keys)
		}
	}
	n = 0
	defer func() {
		if recover() == nil {
			t.Error("a panic that nobody is told of passed unseen")
		}
	}()
	apply(center.New(center.Config{Definitions: defs, Level: detect.LevelLow}), records)
}

// fragile panics over every tenth activity, half done.
type fragile struct{ N int }

func (s *fragile) Size() int { return s.N }
func (s *fragile) Process(*resolve.Resolved, func(detect.Finding)) {
	if s.N++; s.N == 10 {
		panic("ten")
	}
}
