package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/journal"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/center/worker"
)

// each finds something in every activity of its kind, and panics over the
// accounts "poison" (as it processes it), "key" and "summary".
func each() []*detect.Definition {
	return []*detect.Definition{{
		ID: "each", Name: "Each", Severity: detect.Low, Consumes: []activity.Kind{activity.LDAPSimple}, Retain: 24 * 3600e9, Legitimate: "This.",
		Key: func(r *resolve.Resolved) string {
			if r.Activity.Account.Name == "key" {
				panic("no key")
			}
			return r.Activity.Account.Name
		},
		New: func(detect.Tuning) detect.Detector { return new(eachState) },
		Summary: func(f detect.Facts) string {
			if f.First[detect.Attacked] == "summary" {
				panic("no summary")
			}
			return "Something."
		},
	}}
}

type eachState struct{ N int }

func (s *eachState) Size() int { return s.N }
func (s *eachState) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	if s.N++; r.Activity.Account.Name == "poison" && s.N == 2 {
		panic("poisoned")
	}
	f := detect.FindingOf(r)
	f.Start, f.End, f.Count, f.Activities = r.Time, r.Time, 1, []activity.ID{r.ID}
	f.Accounts = []detect.Party{{Name: r.Activity.Account.Name, Key: r.Activity.Account.Name, Role: detect.Attacked}}
	emit(f)
}

const t0 = activity.Time(1_700_000_000 * 1e9)

// bind is an activity at a second, and the progress behind it.
func bind(second float64, who string) []wire.Entry {
	a := &activity.Activity{
		Time: t0 + activity.Time(second*1e9), Kind: activity.LDAPSimple, Account: activity.Account{Name: who},
		Source: activity.Endpoint{Addr: netip.MustParseAddr("10.0.0.1")}, Target: activity.Endpoint{Addr: netip.MustParseAddr("10.0.0.2")},
		LDAPBind: &activity.LDAPBind{Version: 3, ResultCode: 49},
	}
	a.Seal()
	return []wire.Entry{{Activity: a}, {Progress: a.Time}}
}

func attach(sensor string) journal.Item { return journal.Item{Sensor: sensor, Attach: t0, Files: true} }

func simple(c *worker.Config) { c.Definitions = each() }

func titles(s *sink) string {
	var all []string
	for _, r := range s.results {
		for _, a := range r.Alerts {
			who := a.Accounts[0].Name
			all = append(all, fmt.Sprintf("%s×%d %s", who, a.Count, a.Status))
		}
	}
	return strings.Join(all, ", ")
}

// issues lists the kinds that are open.
func issues(h *health.Registry) (kinds []string) {
	for _, i := range h.Issues() {
		kinds = append(kinds, i.Kind)
	}
	return kinds
}

// TestPanicsOfDetections: one activity that a detection cannot bear costs that
// activity, now and in every replay.
func TestPanicsOfDetections(t *testing.T) {
	j, got := openJournal(t, t.TempDir()), newSink()
	add(t, j, attach("s"))
	for i, who := range []string{"ann", "poison", "poison", "ann", "key", "summary", "poison", "ann"} {
		add(t, j, batch(t, "s", wire.Batch{Spool: 1, Sequence: uint64(i + 1), Entries: bind(float64(i+1), who)}))
	}
	h := health.NewRegistry(nil)
	w := newWorker(t, j, t.TempDir(), got, simple, func(c *worker.Config) { c.Health = h })
	catchUp(t, w)
	want := "ann×1 open, poison×1 open, ann×2 open, poison×2 open, ann×3 open"
	if s := titles(got); s != want {
		t.Errorf("alerts %s, want %s", s, want)
	}
	if w.Stats().Failures != 3 || len(got.activities) != 8 {
		t.Errorf("%d failures, %d activities", w.Stats().Failures, len(got.activities))
	}
	if i := h.Issues(); len(i) != 1 || i[0].Kind != "record-left-out" || !strings.Contains(i[0].Text, "3 records, last at position 7") {
		t.Errorf("issues %+v", i)
	}
	again := newSink()
	catchUp(t, newWorker(t, j, t.TempDir(), again, simple, func(c *worker.Config) { c.Shards = 8 }))
	if titles(again) != want {
		t.Errorf("a replay gives %s", titles(again))
	}
}

// TestEmitIsRepeated: what cannot be stored is tried again, and nothing is
// passed over.
func TestEmitIsRepeated(t *testing.T) {
	j, got := openJournal(t, t.TempDir()), newSink()
	add(t, j, attach("s"))
	for i := range 3 {
		add(t, j, batch(t, "s", wire.Batch{Spool: 1, Sequence: uint64(i + 1), Entries: bind(float64(i+1), "ann")}))
	}
	h := health.NewRegistry(nil)
	tried := 0
	w := newWorker(t, j, t.TempDir(), got, simple, func(c *worker.Config) {
		c.Health = h
		c.Emit = func(ctx context.Context, r *worker.Result) error {
			if tried++; r.Position == 3 && tried < 4 {
				if tried > 2 && !slices.Contains(issues(h), "store-failing") {
					t.Error("nobody is told")
				}
				return errors.New("the disk is full")
			}
			return got.emit(ctx, r)
		}
	})
	catchUp(t, w)
	if s := titles(got); s != "ann×1 open, ann×2 open, ann×3 open" {
		t.Errorf("alerts %s", s)
	}
	if w.Stats().Retries != 2 || len(h.Issues()) > 0 {
		t.Errorf("%d retries, issues %+v", w.Stats().Retries, h.Issues())
	}
}

// TestStoppedWhileItCannotStore: an entry that was applied and not emitted is
// in no snapshot.
func TestStoppedWhileItCannotStore(t *testing.T) {
	j, dir, got := openJournal(t, t.TempDir()), t.TempDir(), newSink()
	add(t, j, attach("s"))
	add(t, j, batch(t, "s", wire.Batch{Spool: 1, Sequence: 1, Entries: bind(1, "ann")}))
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorker(t, j, dir, got, simple, func(c *worker.Config) {
		c.Emit = func(context.Context, *worker.Result) error {
			cancel()
			return errors.New("no")
		}
	})
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Run(ctx); err == nil {
		t.Error("it goes on behind what it did not emit")
	}
	catchUp(t, newWorker(t, j, dir, got, simple))
	if s := titles(got); s != "ann×1 open" {
		t.Errorf("alerts %s", s)
	}
}

func TestWhatIsNotUnderstoodIsPassedOver(t *testing.T) {
	j, got := openJournal(t, t.TempDir()), newSink()
	add(t, j, attach("s"), journal.Item{Sensor: "s", Batch: []byte("no batch")}, journal.Item{Directory: []byte("{")}, settings("lower", "gone:10.0.0.1"),
		batch(t, "s", wire.Batch{Spool: 1, Sequence: 1, Entries: bind(1, "ann")}), act("nobody", ingest.Close))
	w := newWorker(t, j, t.TempDir(), got, simple)
	catchUp(t, w)
	if s := titles(got); s != "ann×1 open" {
		t.Errorf("alerts %s", s)
	}
	counted := make(map[string]int64)
	for _, r := range w.Counters() {
		counted[r.Name] = r.Count
	}
	for _, name := range []string{"batches not understood", "directory snapshots not understood", "level refused: unknown", "exclusions not understood",
		"acts on alerts that the detections do not remember"} {
		if counted[name] != 1 {
			t.Errorf("%q counted %d times", name, counted[name])
		}
	}
}

// TestRepeats: a batch that was stored twice counts once, also after a restart,
// and when a copy of the sensor with a spool of its own sends in between.
func TestRepeats(t *testing.T) {
	j, dir, got := openJournal(t, t.TempDir()), t.TempDir(), newSink()
	send := func(spool, seq uint64, second float64) {
		t.Helper()
		add(t, j, batch(t, "s", wire.Batch{Spool: spool, Sequence: seq, Entries: bind(second, "ann")}))
		w := newWorker(t, j, dir, got, simple)
		catchUp(t, w)
		stop(t, w)
	}
	add(t, j, attach("s"))
	send(1, 1, 1)
	send(1, 2, 2)
	send(1, 2, 2)
	send(2, 1, 3)
	send(1, 2, 2)
	send(1, 1, 1)
	send(2, 2, 4)
	send(1, 5, 5)
	if got.brought != 5 || len(got.activities) != 5 {
		t.Errorf("%d activities, %d different", got.brought, len(got.activities))
	}
	w := newWorker(t, j, dir, got, simple)
	catchUp(t, w)
	want := worker.SensorState{Attached: true, Files: true, Spool: 1, Sequence: 5, Clock: t0 + 5e9}
	if s := w.Sensors()["s"]; s != want {
		t.Errorf("sensor %+v, want %+v", s, want)
	}
	if n := w.Seen()[activity.LDAPSimple]; n != 5 {
		t.Errorf("%d seen", n)
	}
	add(t, j, journal.Item{Sensor: "s", Detach: "silent"})
	w = newWorker(t, j, dir, got, simple)
	catchUp(t, w)
	if s := w.Sensors()["s"]; s.Attached || s.Sequence != 5 {
		t.Errorf("detached: %+v", s)
	}
}

// TestActs: what people do is in the results, with the alert as it is then.
func TestActs(t *testing.T) {
	j, got := openJournal(t, t.TempDir()), newSink()
	add(t, j, attach("s"))
	w := newWorker(t, j, t.TempDir(), got, simple)
	seq := uint64(0)
	send := func(items ...journal.Item) {
		t.Helper()
		if len(items) == 0 {
			seq++
			items = append(items, batch(t, "s", wire.Batch{Spool: 1, Sequence: seq, Entries: bind(float64(seq), "ann")}))
		}
		add(t, j, items...)
		catchUp(t, w)
	}
	last := func() *worker.Result { return got.results[len(got.results)-1] }
	send()
	id := last().Alerts[0].ID
	send(act(id, ingest.Close))
	if r := last(); len(r.Acts) != 1 || r.Acts[0].By != "ann" || len(r.Alerts) != 1 || r.Alerts[0].Status != alert.Closed {
		t.Errorf("closed: %+v", r)
	}
	send(act(id, ingest.Close)) // by somebody else, at the same time
	if r := last(); r.Position != 3 {
		t.Errorf("closed again: %+v", r)
	}
	send()
	if r := last(); len(r.Alerts) != 1 || r.Alerts[0].ID == id || r.Alerts[0].Previous != id || r.Alerts[0].Count != 1 {
		t.Errorf("repeated: %+v", r.Alerts)
	}
	send(act(id, ingest.Reopen), act(id, ingest.Note))
	if r := last(); len(r.Acts) != 2 || len(r.Alerts) != 1 || r.Alerts[0].Status != alert.Open || r.Alerts[0].Count != 1 {
		t.Errorf("reopened: %+v", r)
	}
	// The store may have it, from before the state was lost.
	send(act("unknown", ingest.Close))
	if r := last(); len(r.Acts) != 1 || r.Acts[0].Alert != "unknown" || len(r.Alerts) != 0 {
		t.Errorf("of an alert not remembered: %+v", r)
	}
}

// TestSettingsAreRecords: an exclusion holds from its place in the log on, and
// so does a level, also when the center is restarted in between.
func TestSettingsAreRecords(t *testing.T) {
	j, got := openJournal(t, t.TempDir()), newSink()
	one := func(seq uint64) journal.Item {
		return batch(t, "s", wire.Batch{Spool: 1, Sequence: seq, Entries: bind(float64(seq), "ann")})
	}
	add(t, j, settings("low"), attach("s"), one(1))
	add(t, j, settings("low", "each:ann"), one(2))
	add(t, j, one(3))
	add(t, j, settings("low"), one(4))
	catchUp(t, newWorker(t, j, t.TempDir(), got, simple))
	if s := titles(got); s != "ann×1 open, ann×2 open" {
		t.Errorf("alerts %s", s)
	}

	// Levels: what the recordings give at high is less than at low. The level
	// is raised in the middle, with a restart before, and one behind.
	_, stated := recorded(t)
	var outcomes []string
	for _, restart := range []bool{false, true} {
		j, dir, got := openJournal(t, t.TempDir()), t.TempDir(), newSink()
		again := func() {
			if restart {
				w := newWorker(t, j, dir, got)
				catchUp(t, w)
				stop(t, w)
			}
		}
		add(t, j, settings("low"))
		file(t, j, "files", stated[:len(stated)/2], 50)
		again()
		add(t, j, settings("high", "10.9.9.9"))
		again()
		add(t, j, batch(t, "files", wire.Batch{Spool: 7, Sequence: 1e6, Entries: stated[len(stated)/2:]}))
		w := newWorker(t, j, dir, got)
		catchUp(t, w)
		if s := w.Settings(); s.Level != "high" || !slices.Equal(s.Exclusions, []string{"10.9.9.9"}) {
			t.Errorf("settings %+v", s)
		}
		b, err := json.Marshal(got.lines())
		if err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, string(b))
	}
	if outcomes[0] != outcomes[1] {
		t.Error("restarts change what comes of a changed level")
	}
	j, low := openJournal(t, t.TempDir()), newSink()
	add(t, j, settings("low"))
	file(t, j, "files", stated, 50)
	catchUp(t, newWorker(t, j, t.TempDir(), low))
	if b, _ := json.Marshal(low.lines()); string(b) == outcomes[0] {
		t.Error("the level changes nothing")
	}
}
