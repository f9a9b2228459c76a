package all_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"

	"github.com/verderer/verderer/sensor/decode/all"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// beside are the reasons that are counted with an activity rather than for want
// of one.
var beside = []string{
	"events with a time without zone, taken as UTC", "events with fields left out or shortened", "events with a field that should be XML and is not",
	"records with values left out or shortened", "records with a status that has no number",
}

// TestEachEvent: each event of the corpus becomes one activity, or is counted by
// one reason. Whose fault it would be is told by the event.
func TestEachEvent(t *testing.T) {
	kinds := make(map[activity.Kind]int)
	ids := make(map[uint32]int)
	total := make(map[string]int64)
	events, made := 0, 0
	for _, path := range decodetest.Logs(t, 3) {
		before := make(map[string]int64)
		decodetest.EachEvent(t, path, all.Set, func(c decodetest.Told, list []*activity.Activity, counters *counter.Set) {
			events++
			var why []string
			for _, r := range all.Set.Events {
				for _, reason := range r.Reasons {
					key := r.Name + ": " + reason
					n := counters.Of(r.Name, reason).Value()
					if n != before[key] && !slices.Contains(beside, reason) {
						why = append(why, key)
					}
					total[key] += n - before[key]
					before[key] = n
				}
			}
			if len(list)+len(why) != 1 {
				t.Fatalf("%s, record %d, event %d: %d activities, counted %v", path, c.Frame, c.Event.ID, len(list), why)
			}
			for _, a := range list {
				made++
				ids[c.Event.ID]++
				kinds[a.Kind]++
				if !a.HasDetail() || a.Details() != 1 || a.Via != activity.ViaEvent || a.Time != c.Time {
					t.Errorf("%s, record %d: %+v", path, c.Frame, a)
				}
			}
			for _, r := range why {
				if strings.HasSuffix(r, "no names, and are not as many as are known") || strings.HasSuffix(r, "no number") {
					t.Errorf("%s, record %d, event %d: %s", filepath.Base(path), c.Frame, c.Event.ID, r)
				}
			}
		})
	}
	t.Logf("%d events, %d activities: %v, of events %v", events, made, kinds, ids)
	for r, n := range total {
		if n > 0 {
			t.Logf("%7d %s", n, r)
		}
	}
}
