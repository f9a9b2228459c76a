package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest/journal"
	"github.com/verderer/verderer/center/worker"
)

// snapshots lists the files of a folder, without their leading zeros.
func snapshots(t testing.TB, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimLeft(f.Name(), "0"))
	}
	return strings.Join(names, " ")
}

// TestUnreadableSnapshots: every way in which the newest snapshot, or both, may
// be no good. What comes out is the same while the log has it all.
func TestUnreadableSnapshots(t *testing.T) {
	j := openJournal(t, t.TempDir())
	add(t, j, attach("s"))
	dir := t.TempDir()
	name := func(n int) string { return filepath.Join(dir, fmt.Sprintf("%020d.snapshot", n)) }
	sink0 := newSink()
	for i := 1; i <= 4; i++ {
		add(t, j, batch(t, "s", wire.Batch{Spool: 1, Sequence: uint64(i), Entries: bind(float64(i), "ann")}))
		w := newWorker(t, j, dir, sink0, simple)
		catchUp(t, w)
		stop(t, w)
	}
	if got := snapshots(t, dir); got != "4.snapshot 5.snapshot" {
		t.Fatalf("snapshots kept: %s", got)
	}
	newest, older := read(t, name(5)), read(t, name(4))
	add(t, j, batch(t, "s", wire.Batch{Spool: 1, Sequence: 5, Entries: bind(5, "ann")}))

	change := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	foreign := bytes.Replace(newest, []byte("verderer/worker/1"), []byte("verderer/worker/2"), 1)
	for _, c := range []struct {
		name          string
		newest, older []byte // nil: not there
		applied       int64  // entries: fewer, the newer the snapshot it started from
		severity      detect.Severity
		files         string // after a clean stop
	}{
		{"both good", newest, older, 1, "", "5.snapshot 6.snapshot"},
		{"cut", newest[:len(newest)-9], older, 2, detect.Low, "4.snapshot 5.snapshot.unreadable 6.snapshot"},
		{"empty", []byte{}, older, 2, detect.Low, "4.snapshot 5.snapshot.unreadable 6.snapshot"},
		{"one bit", change(newest, len(newest)/2), older, 2, detect.Low, "4.snapshot 5.snapshot.unreadable 6.snapshot"},
		{"one bit of its sum", change(newest, 30), older, 2, detect.Low, "4.snapshot 5.snapshot.unreadable 6.snapshot"},
		{"another layout", foreign, older, 2, detect.Low, "4.snapshot 5.snapshot.unreadable 6.snapshot"},
		{"of another position", older, older, 2, detect.Low, "4.snapshot 5.snapshot.unreadable 6.snapshot"},
		{"both bad", foreign, older[:50], 6, detect.High, "4.snapshot.unreadable 6.snapshot"},
		{"one, and bad", foreign, nil, 6, detect.High, "5.snapshot.unreadable 6.snapshot"},
		{"none", nil, nil, 6, "", "6.snapshot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, _ := filepath.Glob(filepath.Join(dir, "*"))
			for _, f := range old {
				os.Remove(f)
			}
			for n, b := range map[int][]byte{5: c.newest, 4: c.older} {
				if b != nil {
					if err := os.WriteFile(name(n), b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			// What a crash leaves of one that was being written.
			if err := os.WriteFile(name(3)+".tmp", newest[:100], 0o600); err != nil {
				t.Fatal(err)
			}
			h, got := health.NewRegistry(nil), newSink()
			w := newWorker(t, j, dir, got, simple, func(c *worker.Config) { c.Health = h })
			catchUp(t, w)
			if n := w.Stats().Entries; n != c.applied {
				t.Errorf("%d entries applied, want %d", n, c.applied)
			}
			if s := titles(got); !strings.HasSuffix(s, "ann×5 open") {
				t.Errorf("alerts %s", s)
			}
			switch i := h.Issues(); {
			case c.severity == "" && len(i) > 0:
				t.Errorf("issues %+v", i)
			case c.severity != "" && (len(i) != 1 || i[0].Kind != "snapshot-unreadable" || i[0].Severity != c.severity):
				t.Errorf("issues %+v, want %s", i, c.severity)
			}
			stop(t, w)
			if got := snapshots(t, dir); got != c.files {
				t.Errorf("left are %s, want %s", got, c.files)
			}
		})
	}
}

// TestLogOfAnotherTime: the state, the store, or both are ahead of the log, which
// was lost or restored alone. New entries get positions of their own, and
// nothing that is known is forgotten for it.
func TestLogOfAnotherTime(t *testing.T) {
	stated := func(n int) journal.Item {
		return batch(t, "s", wire.Batch{Spool: 1, Sequence: uint64(n), Entries: bind(float64(n), "ann")})
	}
	for _, c := range []struct {
		name   string
		logged int    // entries of the log that is left
		state  bool   // there is a snapshot, of 4
		stored uint64 // where the store is
		at     uint64 // where the log goes on
		alerts string // after one more activity
	}{
		{"all of one time", 4, true, 4, 5, "ann×4 open"},
		{"log lost", 0, true, 4, 5, "ann×4 open"},
		{"log lost, store further", 0, true, 9, 10, "ann×4 open"},
		{"log and state lost", 0, false, 9, 10, "ann×1 open"},
		{"older log", 2, true, 9, 10, "ann×4 open"},
		{"older log, state lost", 2, false, 9, 10, "ann×2 open"},
		{"log and store lost", 0, true, 0, 5, "ann×4 open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, dir, got := openJournal(t, t.TempDir()), t.TempDir(), newSink()
			if c.state {
				add(t, j, attach("s"))
				for n := 1; n <= 3; n++ {
					add(t, j, stated(n))
				}
				w := newWorker(t, j, dir, got, simple)
				catchUp(t, w)
				stop(t, w)
			}
			if c.logged < 4 {
				j = openJournal(t, t.TempDir())
				for n := range c.logged {
					if n == 0 {
						add(t, j, attach("s"))
					} else {
						add(t, j, stated(n))
					}
				}
			}
			got.last = max(got.last, c.stored)
			h := health.NewRegistry(nil)
			open := func() *worker.Worker {
				return newWorker(t, j, dir, got, simple, func(w *worker.Config) {
					w.Health = h
					w.Stored = func(context.Context) (uint64, error) { return c.stored, nil }
				})
			}
			catchUp(t, open())
			w := open() // as after a crash: what was put right stays so
			catchUp(t, w)
			lost := slices.ContainsFunc(h.Issues(), func(i health.Issue) bool { return i.Kind == "log-lost" })
			if lost != (c.name != "all of one time") {
				t.Errorf("issues %+v", h.Issues())
			}
			if at := add(t, j, attach("s"), stated(8)); at != c.at {
				t.Errorf("the log goes on at %d, want %d", at, c.at)
			}
			catchUp(t, w)
			if s := titles(got); !strings.HasSuffix(s, c.alerts) {
				t.Errorf("alerts %s, want %s", s, c.alerts)
			}
		})
	}
}

// TestStoreOfAnotherTime: a store that is older than the state gets again what
// it lacks.
func TestStoreOfAnotherTime(t *testing.T) {
	j, dir, got := openJournal(t, t.TempDir()), t.TempDir(), newSink()
	add(t, j, attach("s"))
	for n := 1; n <= 3; n++ {
		add(t, j, batch(t, "s", wire.Batch{Spool: 1, Sequence: uint64(n), Entries: bind(float64(n), "ann")}))
	}
	var stored uint64
	known := func(c *worker.Config) {
		c.Stored = func(context.Context) (uint64, error) { return stored, nil }
	}
	w := newWorker(t, j, dir, got, simple, known)
	catchUp(t, w)
	stop(t, w)
	const all = "ann×3 open"
	if got.last != 4 {
		t.Errorf("the store is told of entry %d when the snapshot is of 4", got.last)
	}
	h := health.NewRegistry(nil)
	for _, stored = range []uint64{4, 0, 2} {
		got = newSink()
		catchUp(t, newWorker(t, j, dir, got, simple, known, func(c *worker.Config) { c.Health = h }))
		switch {
		case stored == 4:
			if len(got.results) != 0 || len(h.Issues()) != 0 {
				t.Errorf("of the same time: %d results, issues %+v", len(got.results), h.Issues())
			}
		case titles(got) != all || len(got.activities) != 4-max(int(stored), 1) || got.last != 4:
			t.Errorf("stored up to %d: alerts %s, want %s; %d activities, up to %d", stored, titles(got), all, len(got.activities), got.last)
		case len(h.Issues()) != 1 || h.Issues()[0].Kind != "store-older":
			t.Errorf("issues %+v", h.Issues())
		}
	}
}

// TestForgetting: the log keeps what is younger than KeepFor, and what the older
// snapshot would need, whichever is more.
func TestForgetting(t *testing.T) {
	j, dir, got := openJournal(t, t.TempDir()), t.TempDir(), newSink()
	now := time.Now()
	clock := func(c *worker.Config) {
		c.Now = func() time.Time { return now }
		c.SnapshotEvery = time.Minute
	}
	w := newWorker(t, j, dir, got, simple, clock)
	add(t, j, attach("s"))
	seq := uint64(0)
	send := func(n int) {
		t.Helper()
		for range n {
			seq++
			add(t, j, batch(t, "s", wire.Batch{Spool: 1, Sequence: seq, Entries: bind(float64(seq), "ann")}))
		}
		catchUp(t, w)
	}
	send(9)
	now = now.Add(time.Hour)
	send(10) // the first of them makes a snapshot, at 11
	if s := snapshots(t, dir); s != "11.snapshot" {
		t.Errorf("snapshots %s", s)
	}
	now = now.Add(time.Hour)
	send(10) // at 21
	if s := snapshots(t, dir); s != "11.snapshot 21.snapshot" || j.First() != 1 {
		t.Errorf("snapshots %s, the log starts at %d", s, j.First())
	}
	now = now.Add(25 * time.Hour) // all entries, as the journal's clock stamped them, are older
	send(1)                       // at 31
	if s := snapshots(t, dir); s != "21.snapshot 31.snapshot" {
		t.Errorf("snapshots %s", s)
	}
	// Marks of when entries were stored are ten minutes apart: these are of 11.
	if j.First() != 11 {
		t.Errorf("the log starts at %d", j.First())
	}
	// And now with a log that is too large: what the older one needs stays.
	w = newWorker(t, j, dir, got, simple, clock, func(c *worker.Config) { c.KeepBytes = 1 })
	catchUp(t, w)
	now = now.Add(time.Hour)
	send(3) // the first of them makes one at 32
	if j.First() != 32 {
		t.Errorf("the log starts at %d", j.First())
	}
	if err := os.Remove(filepath.Join(dir, fmt.Sprintf("%020d.snapshot", 32))); err != nil {
		t.Fatal(err)
	}
	h := health.NewRegistry(nil)
	w = newWorker(t, j, dir, got, simple, func(c *worker.Config) { c.Health = h })
	catchUp(t, w)
	if s := w.Stats(); s.Entries != 3 || s.Position != 34 || len(h.Issues()) > 0 {
		t.Errorf("from the older snapshot: %+v, issues %+v", s, h.Issues())
	}
	// Without any it starts where the log does, and says so.
	w = newWorker(t, j, t.TempDir(), newSink(), simple, func(c *worker.Config) { c.Health = h })
	catchUp(t, w)
	if s := w.Stats(); s.Entries != 3 || s.Position != 34 || len(h.Issues()) != 1 || h.Issues()[0].Kind != "snapshot-unreadable" {
		t.Errorf("from the rest of the log: %+v, issues %+v", s, h.Issues())
	}
}

// TestEntriesGone: what somebody took out of the log is said to be lost, and
// does not stop what comes behind.
func TestEntriesGone(t *testing.T) {
	j, dir, got := openJournal(t, t.TempDir()), t.TempDir(), newSink()
	add(t, j, attach("s"))
	w := newWorker(t, j, dir, got, simple)
	catchUp(t, w)
	stop(t, w)
	for i := 1; i <= 9; i++ {
		add(t, j, batch(t, "s", wire.Batch{Spool: 1, Sequence: uint64(i), Entries: bind(float64(i), "ann")}))
	}
	if err := j.Forget(8); err != nil {
		t.Fatal(err)
	}
	h := health.NewRegistry(nil)
	w = newWorker(t, j, dir, got, simple, func(c *worker.Config) { c.Health = h })
	catchUp(t, w)
	if i := h.Issues(); len(i) != 1 || i[0].Kind != "log-damaged" || !strings.Contains(i[0].Text, "Entries 2 to 7 of the log") {
		t.Errorf("issues %+v", i)
	}
	if s := titles(got); s != "ann×1 open, ann×2 open, ann×3 open" || w.Stats().Position != 10 {
		t.Errorf("alerts %s, at %d", s, w.Stats().Position)
	}
}

// TestFullLog: a log without room gets room, though no entry comes.
func TestFullLog(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(journal.Config{Dir: dir, MinFree: 1, MaxBytes: 1 << 20, Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for err == nil {
		_, err = j.Append(t.Context(), journal.Item{Sensor: "s", Batch: noise(50_000)})
	}
	if !errors.Is(err, journal.ErrFull) {
		t.Fatal(err)
	}
	w := newWorker(t, j, t.TempDir(), newSink(), simple, func(c *worker.Config) { c.SnapshotEvery = 10 * time.Millisecond })
	end := make(chan error)
	go func() { end <- w.Run(t.Context()) }()
	deadline := time.Now().Add(20 * time.Second)
	for j.Room() != nil {
		if time.Now().After(deadline) {
			t.Fatal("it stays full")
		}
		time.Sleep(5 * time.Millisecond)
	}
	at := add(t, j, attach("s"))
	if err := w.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if err := <-end; !errors.Is(err, journal.ErrClosed) {
		t.Error(err)
	}
}

// TestFullLogBehindSnapshots: so does one that is full of what the newest
// snapshot covers and the one before does not.
func TestFullLogBehindSnapshots(t *testing.T) {
	j, err := journal.Open(journal.Config{Dir: t.TempDir(), MinFree: 1, MaxBytes: 1 << 20, Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	dir, got := t.TempDir(), newSink()
	add(t, j, attach("s"))
	w := newWorker(t, j, dir, got, simple)
	catchUp(t, w)
	stop(t, w) // one snapshot
	for err == nil {
		_, err = j.Append(t.Context(), journal.Item{Sensor: "s", Batch: noise(50_000)})
	}
	if err := j.Forget(2); err != nil { // as it was after the snapshot before that
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = j.Append(t.Context(), journal.Item{Sensor: "s", Batch: noise(1000)})
	}
	w = newWorker(t, j, dir, got, simple, func(c *worker.Config) { c.SnapshotEvery = 10 * time.Millisecond })
	go w.Run(t.Context())
	deadline := time.Now().Add(20 * time.Second)
	for j.Room() != nil {
		if time.Now().After(deadline) {
			t.Fatal("it stays full")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// noise does not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}
