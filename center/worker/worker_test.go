package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/journal"
	"github.com/verderer/verderer/center/worker"
)

func logger(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func openJournal(t testing.TB, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(journal.Config{Dir: dir, MinFree: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// sink keeps what a worker hands on, as a store does: the newest of each.
type sink struct {
	mu         sync.Mutex
	last       uint64
	alerts     map[string]string // id → JSON
	activities map[activity.ID]bool
	brought    int
	acts       []ingest.Act
	results    []*worker.Result
}

func newSink() *sink {
	return &sink{alerts: make(map[string]string), activities: make(map[activity.ID]bool)}
}

func (s *sink) emit(_ context.Context, r *worker.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Position <= s.last {
		return nil
	}
	s.last = r.Position
	for _, a := range r.Alerts {
		b, err := json.Marshal(a)
		if err != nil {
			return err
		}
		s.alerts[a.ID] = string(b)
	}
	for _, a := range r.Activities {
		s.activities[a.ID] = true
	}
	s.brought += len(r.Activities)
	s.acts = append(s.acts, r.Acts...)
	s.results = append(s.results, r)
	return nil
}

// lines are the alerts, by id.
func (s *sink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Values(s.alerts))
}

func lines(t testing.TB, alerts []*alert.Alert) []string {
	t.Helper()
	all := []string{}
	for _, a := range alerts {
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	slices.Sort(all)
	return all
}

// newWorker makes one that emits to s. Change may change its configuration.
func newWorker(t testing.TB, j *journal.Journal, dir string, s *sink, change ...func(*worker.Config)) *worker.Worker {
	t.Helper()
	cfg := worker.Config{Journal: j, Dir: dir, Definitions: all.Definitions, Shards: 2,
		Health: health.NewRegistry(nil), Log: logger(t), Emit: s.emit}
	for _, c := range change {
		c(&cfg)
	}
	w, err := worker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func catchUp(t testing.TB, w *worker.Worker) {
	t.Helper()
	if err := w.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// stop has the worker write its state, as when the center stops.
func stop(t testing.TB, w *worker.Worker) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func add(t testing.TB, j *journal.Journal, items ...journal.Item) uint64 {
	t.Helper()
	at, err := j.Append(t.Context(), items...)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func batch(t testing.TB, sensor string, b wire.Batch) journal.Item {
	t.Helper()
	data, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return journal.Item{Sensor: sensor, Batch: data}
}

func settings(level string, exclusions ...string) journal.Item {
	return journal.Item{Settings: &ingest.Settings{Level: level, Exclusions: exclusions}}
}

// entries is what a sensor that reads the files states.
func entries(t testing.TB, o analyze.Options) []wire.Entry {
	t.Helper()
	var all []wire.Entry
	var last activity.Time
	if _, err := analyze.Log(t.Context(), o, func(r *ingest.Record) {
		switch {
		case r.Activity != nil:
			all = append(all, wire.Entry{Activity: r.Activity})
			last = max(last, r.Activity.Time)
		case r.Progress != 0:
			all = append(all, wire.Entry{Progress: r.Progress})
			last = max(last, r.Progress)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return append(all, wire.Entry{Progress: last})
}

// file puts entries into the log as the batches of a sensor that reads files,
// several to an entry, the way receive does: attached with its first progress.
func file(t testing.TB, j *journal.Journal, sensor string, all []wire.Entry, each int) {
	t.Helper()
	attached := false
	var items []journal.Item
	for seq := uint64(1); len(all) > 0; seq++ {
		n := min(each, len(all))
		if !attached {
			for _, e := range all[:n] {
				if e.Progress != 0 {
					items = append(items, journal.Item{Sensor: sensor, Attach: e.Progress, Files: true})
					attached = true
					break
				}
			}
		}
		items = append(items, batch(t, sensor, wire.Batch{Spool: 7, Sequence: seq, Entries: all[:n]}))
		if all = all[n:]; len(items) >= 20 || len(all) == 0 {
			add(t, j, items...)
			items = nil
		}
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recorded is what a sensor that reads all captures states.
func recorded(t testing.TB) (analyze.Options, []wire.Entry) {
	t.Helper()
	files, err := filepath.Glob("../detect/*/testdata/*/capture.pcap")
	files = slices.DeleteFunc(files, func(f string) bool { return strings.Contains(f, "/template/") })
	if err != nil || len(files) < 20 {
		t.Fatalf("%d captures: %v", len(files), err)
	}
	o := analyze.Options{Inputs: files}
	return o, entries(t, o)
}

// TestSameAsAnalyze runs every recording the way a sensor for files sends it,
// and wants what analyze makes of it, ids included.
func TestSameAsAnalyze(t *testing.T) {
	folders, err := filepath.Glob("../detect/*/testdata")
	if err != nil {
		t.Fatal(err)
	}
	n, alerts := 0, 0
	for _, folder := range folders {
		dir := filepath.Dir(folder)
		for _, s := range detecttest.Scenarios(t, dir) {
			n++
			t.Run(filepath.Base(dir)+"/"+s.Name(), func(t *testing.T) {
				o := s.Options(t)
				res, err := analyze.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				alerts += len(res.Alerts)
				stated := entries(t, o)
				level := string(o.Level)
				if level == "" {
					level = "low"
				}
				j := openJournal(t, t.TempDir())
				add(t, j, settings(level, o.Exclusions...))
				if o.Directory != "" {
					add(t, j, journal.Item{Directory: read(t, o.Directory)})
				}
				file(t, j, "files", stated, 1+n*3)
				got := newSink()
				w := newWorker(t, j, t.TempDir(), got)
				catchUp(t, w)
				same(t, lines(t, res.Alerts), got.lines())
				if int64(got.brought) != res.Activities {
					t.Errorf("%d activities, want %d", got.brought, res.Activities)
				}
				for _, r := range w.Counters() {
					if strings.Contains(r.Name, "quarantined") || r.Stage == "worker" {
						t.Errorf("counted %+v", r)
					}
				}
				var why []string
				for i, e := range w.Evaluations(res.Explained.Counters) {
					if want := res.Explained.Detections[i]; e.Working != want.Working {
						why = append(why, fmt.Sprintf("%+v, want %+v", e, want))
					}
				}
				if why != nil {
					t.Error(strings.Join(why, "\n"))
				}
			})
		}
	}
	if n < 20 || alerts < 10 {
		t.Errorf("%d recordings with %d alerts: too little to prove anything", n, alerts)
	}
}

// same compares alerts, field by field so that a difference can be read.
func same(t testing.TB, want, got []string) {
	t.Helper()
	split := func(all []string) []string { return strings.Split(strings.Join(all, "\n"), `,"`) }
	if d := cmp.Diff(split(want), split(got)); d != "" {
		t.Errorf("alerts differ (-want +got):\n%.4000s", d)
	}
}

// TestAllRecordingsAtOnce: as above, of all captures merged, restored from a
// snapshot after every entry.
func TestAllRecordingsAtOnce(t *testing.T) {
	o, stated := recorded(t)
	res, err := analyze.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	j, dir, got := openJournal(t, t.TempDir()), t.TempDir(), newSink()
	add(t, j, settings("low"))
	for i := range 10 { // the log grows while it is worked through
		n := len(stated) / 10
		part := stated[i*n : (i+1)*n]
		if i == 9 {
			part = stated[9*n:]
		}
		var items []journal.Item
		if i == 0 {
			items = append(items, journal.Item{Sensor: "files", Attach: 1, Files: true})
		}
		items = append(items, batch(t, "files", wire.Batch{Spool: 7, Sequence: uint64(i + 1), Entries: part}))
		add(t, j, items...)
		w := newWorker(t, j, dir, got)
		catchUp(t, w)
		stop(t, w)
	}
	same(t, lines(t, res.Alerts), got.lines())
}

func TestWait(t *testing.T) {
	j := openJournal(t, t.TempDir())
	w := newWorker(t, j, t.TempDir(), newSink())
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan error)
	go func() { end <- w.Run(ctx) }()
	waited := make(chan error)
	go func() { waited <- w.Wait(t.Context(), 3) }()
	add(t, j, settings("low"))
	add(t, j, settings("medium"))
	if err := w.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if s := w.Settings(); s.Level != "medium" {
		t.Errorf("settings %+v", s)
	}
	select {
	case <-waited:
		t.Error("waiting for what has not come ended")
	case <-time.After(20 * time.Millisecond):
	}
	add(t, j, settings("high"))
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-end; err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(ctx, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ended with %v", err)
	}
}

// TestAskedWhileItWorks is for the race detector: everything may be asked while
// entries are applied and snapshots are written.
func TestAskedWhileItWorks(t *testing.T) {
	j, got := openJournal(t, t.TempDir()), newSink()
	w := newWorker(t, j, t.TempDir(), got, func(c *worker.Config) { c.SnapshotEvery = time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		running.Go(func() {
			for ctx.Err() == nil {
				w.Seen()
				w.Sensors()
				w.Settings()
				w.Counters()
				w.Stats()
				w.Evaluations(nil)
			}
		})
	}
	_, stated := recorded(t)
	add(t, j, settings("low", "10.9.9.9"))
	file(t, j, "files", stated, 20)
	if err := w.Wait(t.Context(), j.Last()); err != nil {
		t.Error(err)
	}
	cancel()
	running.Wait()
	if s := w.Stats(); s.Position != j.Last() || s.Snapshot != j.Last() || s.Entries != int64(j.Last()) || s.Results == 0 {
		t.Errorf("%+v, the log ends at %d", s, j.Last())
	}
	if e := w.Evaluations(nil); len(e) != len(all.Definitions) || !e[0].Working {
		t.Errorf("evaluations %+v", e)
	}
}
