package worker_test

import (
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/ingest/journal"
	"github.com/verderer/verderer/center/worker"
)

// present is a log whose clock the test sets, in seconds after t0.
type present struct {
	*journal.Journal
	now time.Time
}

func openPresent(t *testing.T) *present {
	t.Helper()
	p := &present{now: t0.Go()}
	j, err := journal.Open(journal.Config{Dir: t.TempDir(), MinFree: 1, Log: logger(t), Now: func() time.Time { return p.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	p.Journal = j
	return p
}

func (p *present) at(second float64) { p.now = t0.Add(time.Duration(second * 1e9)).Go() }

func counted(w *worker.Worker, name string) int64 {
	for _, r := range w.Counters() {
		if r.Name == name {
			return r.Count
		}
	}
	return 0
}

const (
	late  = "activities late"
	ahead = "activities quarantined: clock ahead of ingest time"
)

// TestLiveSensorCutOff: one sensor, away for a minute. What it kept is not late,
// since nobody went on without it.
func TestLiveSensorCutOff(t *testing.T) {
	p, got := openPresent(t), newSink()
	w := newWorker(t, p.Journal, t.TempDir(), got, simple)
	seq := uint64(0)
	send := func(now float64, before []journal.Item, seconds ...float64) {
		t.Helper()
		var stated []wire.Entry
		for _, s := range seconds {
			stated = append(stated, bind(s, "ann")...)
		}
		seq++
		p.at(now)
		add(t, p.Journal, append(before, batch(t, "s", wire.Batch{Spool: 1, Sequence: seq, Entries: stated}))...)
		catchUp(t, w)
	}
	send(10, []journal.Item{{Sensor: "s", Attach: t0 + 10e9}}, 9, 10)
	send(11, nil, 11)
	p.at(21)
	add(t, p.Journal, journal.Item{Sensor: "s", Detach: "silent"})
	send(71, nil, 12, 13, 14)
	send(71.5, nil, 15, 30, 60)
	send(72, []journal.Item{{Sensor: "s", Attach: t0 + 72e9}}, 71, 72)
	if n := w.Seen()[activity.LDAPSimple]; n != 3 {
		t.Errorf("%d activities were processed before it was back", n)
	}
	send(73, nil, 73)
	if n := w.Seen()[activity.LDAPSimple]; n != 12 || counted(w, late) != 0 {
		t.Errorf("%d of 12 activities processed, %d late", n, counted(w, late))
	}
	if s := w.Sensors()["s"]; !s.Attached || s.Files || s.Clock != t0+73e9 {
		t.Errorf("%+v", s)
	}
	// And a clock that is ahead is not believed.
	send(74, nil, 74+301)
	if counted(w, ahead) != 1 {
		t.Errorf("%d quarantined", counted(w, ahead))
	}
}

// TestFilesAmongLive: files that are read while the present is watched are late
// when they are old, quarantined when they are ahead, and hold nobody back.
// Before, they have the time of the files.
func TestFilesAmongLive(t *testing.T) {
	p, dir, got := openPresent(t), t.TempDir(), newSink()
	w := newWorker(t, p.Journal, dir, got, simple)
	send := func(sensor string, seq uint64, now float64, before []journal.Item, second float64) {
		t.Helper()
		catchUp(t, w)
		stop(t, w) // so that each step follows a restart
		w = newWorker(t, p.Journal, dir, got, simple)
		p.at(now)
		add(t, p.Journal, append(before, batch(t, sensor, wire.Batch{Spool: 1, Sequence: seq, Entries: bind(second, sensor)}))...)
		catchUp(t, w)
	}
	const year = 365 * 24 * 3600
	// Files alone: their time is theirs, though it be ahead by half a year.
	send("files", 1, 0, []journal.Item{{Sensor: "files", Attach: t0 + 1e9, Files: true}}, 1)
	send("files", 2, 0, nil, year/2)
	if n := w.Seen()[activity.LDAPSimple]; n != 2 || counted(w, ahead) != 0 {
		t.Errorf("%d of 2 activities processed, %d quarantined", n, counted(w, ahead))
	}
	// A live sensor comes, as receive states it.
	send("live", 1, year+1, []journal.Item{{Sensor: "files", Detach: "another takes part"}, {Sensor: "live", Attach: t0 + year*1e9}}, year)
	send("live", 2, year+2, nil, year+2)
	send("files", 3, year+3, nil, 20)
	if counted(w, late) != 1 || w.Seen()[activity.LDAPSimple] != 5 {
		t.Errorf("old: %d late, %d processed", counted(w, late), w.Seen()[activity.LDAPSimple])
	}
	send("files", 4, year+3, nil, 2*year)
	if counted(w, ahead) != 1 || w.Seen()[activity.LDAPSimple] != 5 {
		t.Errorf("ahead: %d quarantined, %d processed", counted(w, ahead), w.Seen()[activity.LDAPSimple])
	}
	send("live", 3, year+4, nil, year+4)
	if w.Seen()[activity.LDAPSimple] != 6 {
		t.Errorf("live: %d processed", w.Seen()[activity.LDAPSimple])
	}
}
