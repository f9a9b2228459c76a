package winevent_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/winevent"
)

// corpus lists the event logs outside the repository; see decodetest.Corpus.
func corpus(t testing.TB) []string {
	dir := os.Getenv("VERDERER_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpus")
	}
	var logs []string
	for _, pattern := range []string{"evtx/*.evtx", "events-json/*.json*", "benign/*.evtx", "benign/*.json*"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		logs = append(logs, found...)
	}
	if len(logs) == 0 {
		t.Skipf("no event logs in %s: set VERDERER_CORPUS to the corpus", dir)
	}
	return logs
}

// TestCorpus: each event of the corpus whose id is read becomes one activity, or
// is counted by one reason.
func TestCorpus(t *testing.T) {
	kinds := make(map[activity.Kind]int)
	reasons := make(map[string]int64)
	ids := make(map[uint32]int)
	events, read := 0, 0
	for _, path := range corpus(t) {
		src, err := capture.Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		var (
			out      []*activity.Activity
			counters counter.Set
		)
		s, err := decode.NewStage(decode.Set{Events: []decode.Events{winevent.Events}}, nil, &counters, func(a *activity.Activity) { out = append(out, a) })
		if err != nil {
			t.Fatal(err)
		}
		count := func() (why []string) {
			for _, r := range winevent.Events.Reasons {
				if strings.HasPrefix(r, "events with a time without zone") || strings.HasPrefix(r, "events with fields left out") || strings.HasPrefix(r, "events with a field that should be XML") {
					continue // beside an activity
				}
				for range counters.Of("winevent", r).Value() - reasons[path+r] {
					why = append(why, r)
				}
				reasons[path+r] = counters.Of("winevent", r).Value()
			}
			return why
		}
		for {
			var c capture.Chunk
			var d *capture.Damage
			if err := src.Next(&c); err == io.EOF {
				break
			} else if errors.As(err, &d) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			events++
			out = out[:0]
			s.Event(c.Time, c.Event)
			why := count()
			if len(out)+len(why) != 1 {
				t.Fatalf("%s, record %d, event %d: %d activities, counted %v", path, c.Frame, c.Event.ID, len(out), why)
			}
			for _, a := range out {
				read++
				ids[c.Event.ID]++
				kinds[a.Kind]++
				if !a.HasDetail() || a.Details() != 1 || a.Via != activity.ViaEvent || a.Time != c.Time || a.Target.Host == "" {
					t.Errorf("%s, record %d: %+v", path, c.Frame, a)
				}
			}
			for _, r := range why {
				reasons[r]++
				if r != winevent.Events.Reasons[0] && r != winevent.Events.Reasons[1] && os.Getenv("VERDERER_AGREE") != "" {
					t.Logf("%s record %d: %d %s: %v", filepath.Base(path), c.Frame, c.Event.ID, r, c.Event.Fields)
				}
			}
		}
		src.Close()
	}
	t.Logf("%d events, %d activities: %v, of events %v", events, read, kinds, ids)
	for _, r := range winevent.Events.Reasons {
		if reasons[r] > 0 {
			t.Logf("%7d %s", reasons[r], r)
		}
	}
}
