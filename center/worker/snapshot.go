package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/ingest/journal"
)

// A snapshot is a file POSITION.snapshot: a line with layout and the SHA-256 of
// what follows, then the state in JSON, compressed with zstd. It is complete or
// not there: written beside, synced and renamed. The last two are kept.
const (
	layout  = "verderer/worker/1"
	suffix  = ".snapshot"
	badly   = ".unreadable" // appended to the name of one that cannot be read
	partial = ".tmp"

	// maxState caps a state uncompressed: some ten times that of 100,000 accounts.
	maxState = 4 << 30
	// calm is how many times as long as a snapshot takes the worker does other
	// things before the next: it costs 5 % at most.
	calm = 20
	// markEvery and maxMarks: where the log was every ten minutes, for a week.
	markEvery = activity.Time(10 * time.Minute)
	maxMarks  = 1000
)

// mark says when an entry was stored.
type mark struct {
	Position uint64        `json:"position"`
	Ingest   activity.Time `json:"ingest"`
}

type state struct {
	Position uint64             `json:"position"`
	Ingest   activity.Time      `json:"ingest"`
	Sensors  map[string]*sensor `json:"sensors"`
	Live     bool               `json:"live"`
	Marks    []mark             `json:"marks"`
	Core     json.RawMessage    `json:"core"`
}

func (w *Worker) makeDir() error {
	if err := os.MkdirAll(w.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of snapshots: %w", err)
	}
	left, _ := filepath.Glob(filepath.Join(w.cfg.Dir, "*"+partial))
	for _, f := range left { // a crash came between
		os.Remove(f)
	}
	return nil
}

// snapshots lists the positions of those there are, newest first.
func (w *Worker) snapshots() ([]uint64, error) {
	files, err := os.ReadDir(w.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("listing snapshots: %w", err)
	}
	var all []uint64
	for _, f := range files {
		if digits, ok := strings.CutSuffix(f.Name(), suffix); ok {
			if n, err := strconv.ParseUint(digits, 10, 64); err == nil && w.name(n) == f.Name() {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all, nil
}

func (w *Worker) name(position uint64) string { return fmt.Sprintf("%020d%s", position, suffix) }

// restore loads the newest snapshot that can be read, once. It returns the
// position of what is stored.
func (w *Worker) restore(ctx context.Context) (stored uint64, err error) {
	w.step.Lock()
	defer w.step.Unlock()
	if w.restored {
		if w.aborted {
			return 0, errAborted
		}
		return 0, nil
	}
	all, err := w.snapshots()
	if err != nil {
		return 0, err
	}
	var bad []string
	for i, position := range all {
		name := w.name(position)
		if err := w.load(position); err != nil {
			w.cfg.Log.Error("a snapshot cannot be read", "file", name, "error", err)
			bad = append(bad, fmt.Sprintf("%s: %v", name, err))
			w.setAside(name)
			continue
		}
		w.snapped = position
		if i+1 < len(all) {
			w.before = all[i+1]
		}
		break
	}
	first := w.cfg.Journal.First()
	switch {
	case len(bad) > 0 && w.snapped > 0:
		w.issue("snapshot-unreadable", detect.Low,
			fmt.Sprintf("The center's last state could not be read (%s). It went on from the one before; nothing is lost.", strings.Join(bad, "; ")),
			"Check the disk of the center's data folder.")
	case len(bad) > 0:
		w.issue("snapshot-unreadable", detect.High,
			fmt.Sprintf("The center's state could not be read (%s). It was rebuilt from the log, which starts at entry %d: what was learned before, and which alerts were open, is not known to the detections any more.", strings.Join(bad, "; "), first),
			"Check the disk of the center's data folder. To get the state back, restore a backup of the whole folder.")
	case w.snapped == 0 && first > 1:
		w.issue("snapshot-unreadable", detect.High,
			fmt.Sprintf("There is no snapshot of the center's state. It was rebuilt from the log, which starts at entry %d: what was learned before, and which alerts were open, is not known to the detections any more.", first),
			"To get the state back, restore a backup of the whole data folder.")
	}
	if w.snapped == 0 && first > 1 {
		w.mu.Lock()
		w.reach(first-1, 0)
		w.mu.Unlock()
	}
	w.restored, w.snapAt = true, w.cfg.Now()
	if w.cfg.Stored == nil {
		return 0, nil
	}
	if stored, err = w.cfg.Stored(ctx); err == nil && stored < w.snapped {
		err = w.retell(ctx, stored)
	}
	w.aborted = err != nil
	return stored, err
}

// retell hands on again what the store should have and has not: it was lost, or
// is older than the snapshot. That is every alert as it is, and before them what the log
// still has of the activities. step is held.
func (w *Worker) retell(ctx context.Context, stored uint64) error {
	w.cfg.Log.Warn("the store is older than the state: alerts are stored again", "stored", stored, "snapshot", w.snapped)
	w.issue("store-older", detect.High,
		fmt.Sprintf("The center's database knows of entry %d of the log, and its state is of entry %d: the database was lost, or is from an older backup. Alerts that the detections remember were stored again. What people did since, to alerts, sensors and accounts, is missing.", stored, w.snapped),
		"Enroll sensors anew that are not listed, and close alerts again that were handled.")
	from, to := max(stored+1, w.cfg.Journal.First()), min(w.snapped, w.cfg.Journal.Last())
	last := &Result{Position: w.at, Ingest: w.ingest, Alerts: w.core.Alerts()}
	var failed error // of emit
	for from <= to {
		err := w.cfg.Journal.Read(ctx, from, func(e *journal.Entry) error {
			res := &Result{Position: e.Position, Ingest: e.Ingest}
			for i := range e.Items {
				if b, err := wire.Decode(e.Items[i].Batch); err == nil {
					for j := range b.Entries {
						if a := b.Entries[j].Activity; a != nil {
							res.Activities = append(res.Activities, a)
						}
					}
				}
			}
			if from = e.Position + 1; e.Position == w.at {
				last.Activities = res.Activities
				return errDone
			}
			if failed = w.emit(ctx, res); failed == nil && from > to {
				return errDone
			}
			return failed
		})
		if failed != nil || ctx.Err() != nil {
			return err
		}
		from++ // behind one that cannot be read, whose loss follow has said
	}
	return w.emit(ctx, last)
}

// raise has the log go on above every position that we or the store have of it
// already, when it ends below: it was lost, or is from an older backup. What
// entries are numbered by otherwise everybody would take for done.
func (w *Worker) raise(stored uint64) error {
	w.step.Lock()
	defer w.step.Unlock()
	end, above := w.cfg.Journal.Last(), max(w.at, stored)
	if above <= end {
		return nil
	}
	w.cfg.Log.Warn("the log ends before what was worked through: it goes on above", "end", end, "above", above)
	w.issue("log-lost", detect.High,
		fmt.Sprintf("The log of what sensors sent ends at entry %d, and %d were worked through: it was lost, or is from an older backup than the rest of the data folder. It goes on at %d. What was sent in between is evaluated only if the state has it or sensors send it again: they keep 15 minutes.", end, above, above+1),
		"If there is a backup of the whole data folder that is as new, restore that.")
	w.mu.Lock()
	w.reach(above, w.ingest)
	w.mu.Unlock()
	// First, so that the state does not need what is dropped.
	if err := w.snapshot(); err != nil {
		w.cfg.Log.Error("writing a snapshot failed", "error", err)
	}
	return w.cfg.Journal.Raise(above, w.ingest)
}

// setAside keeps the last one that could not be read, for whoever looks into it.
func (w *Worker) setAside(name string) {
	old, _ := filepath.Glob(filepath.Join(w.cfg.Dir, "*"+badly))
	for _, f := range old {
		os.Remove(f)
	}
	if err := os.Rename(filepath.Join(w.cfg.Dir, name), filepath.Join(w.cfg.Dir, name+badly)); err != nil {
		w.cfg.Log.Error("setting a snapshot aside failed", "file", name, "error", err)
	}
}

// load reads a snapshot into the worker, which stays as it was if it cannot.
func (w *Worker) load(position uint64) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("reading it panicked: %v", v)
		}
		if err != nil {
			w.reset()
		}
	}()
	b, err := os.ReadFile(filepath.Join(w.cfg.Dir, w.name(position)))
	if err != nil {
		return err
	}
	head, packed, _ := bytes.Cut(b, []byte("\n"))
	version, sum, _ := strings.Cut(string(head), " ")
	if version != layout {
		return fmt.Errorf("layout %.40q, want %q", version, layout)
	}
	if sum != fmt.Sprintf("%x", sha256.Sum256(packed)) {
		return errors.New("damaged: its checksum differs")
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxState))
	if err != nil {
		return err
	}
	defer d.Close()
	plain, err := d.DecodeAll(packed, nil)
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(plain, &s); err != nil {
		return err
	}
	if s.Position != position {
		return fmt.Errorf("it is of position %d", s.Position)
	}
	if err := w.core.Restore(s.Core); err != nil {
		return err
	}
	for id, x := range s.Sensors {
		if x == nil || len(x.Spools) > keptSpools {
			return fmt.Errorf("sensor %q is not one", id)
		}
		w.sensors[id] = x
	}
	w.live, w.marks = s.Live, s.Marks
	w.reach(s.Position, s.Ingest)
	return nil
}

// snapshotIfDue writes a snapshot if one is due. step is held.
func (w *Worker) snapshotIfDue() {
	if w.at == w.snapped || w.aborted || w.cfg.Now().Sub(w.snapAt) < max(w.cfg.SnapshotEvery, calm*w.snapTook) {
		return
	}
	if err := w.snapshot(); err != nil {
		w.cfg.Log.Error("writing a snapshot failed", "error", err)
		w.issue("snapshot-failing", detect.Medium,
			fmt.Sprintf("The center cannot write its state: %v. Nothing is lost, but after a restart it works through the log from position %d on.", err, w.snapped),
			"Free space on the disk of the center's data folder, and check its permissions. It goes on by itself.")
	} else {
		w.cfg.Health.Clear("snapshot-failing", "")
	}
	w.forget()
}

// snapshot writes the state as it is. step is held.
func (w *Worker) snapshot() error {
	start := w.cfg.Now()
	defer func() {
		w.snapAt = w.cfg.Now()
		w.snapTook = w.snapAt.Sub(start)
	}()
	if err := w.cfg.Emit(context.Background(), &Result{Position: w.at, Ingest: w.ingest}); err != nil {
		return fmt.Errorf("writing a snapshot: storing what it no longer needs the log for: %w", err)
	}
	// Who holds step is the only one to change any of it, so that others may go
	// on asking for it meanwhile.
	if n := len(w.marks); w.ingest != 0 && (n == 0 || w.ingest >= w.marks[n-1].Ingest+markEvery) {
		w.marks = append(w.marks, mark{w.at, w.ingest})
		w.marks = w.marks[max(0, len(w.marks)-maxMarks):]
	}
	s := state{Position: w.at, Ingest: w.ingest, Sensors: w.sensors, Live: w.live, Marks: w.marks}
	var err error
	var plain []byte
	if s.Core, err = w.core.Snapshot(); err == nil {
		plain, err = json.Marshal(s)
	}
	if err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	b, err := pack(plain)
	if err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	if err := writeFile(w.cfg.Dir, w.name(s.Position), b); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	w.before, w.snapped = w.snapped, s.Position
	all, err := w.snapshots()
	if err != nil {
		return err
	}
	for _, old := range all[min(2, len(all)):] {
		if err := os.Remove(filepath.Join(w.cfg.Dir, w.name(old))); err != nil {
			return fmt.Errorf("removing an old snapshot: %w", err)
		}
	}
	w.mu.Lock()
	w.stats.Snapshot, w.stats.SnapBytes, w.stats.SnapTook = s.Position, int64(len(b)), w.cfg.Now().Sub(start)
	w.stats.Snapshots++
	w.mu.Unlock()
	return nil
}

func pack(plain []byte) ([]byte, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	defer e.Close()
	packed := e.EncodeAll(plain, nil)
	return append(fmt.Appendf(nil, "%s %x\n", layout, sha256.Sum256(packed)), packed...), nil
}

// writeFile writes a file that is complete or not there, also after a crash.
func writeFile(dir, name string, b []byte) error {
	tmp := filepath.Join(dir, name+partial)
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(tmp)
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

// forget drops from the log what is older than both snapshots and KeepFor. When
// the log takes more than KeepBytes, or there is no room for more, the snapshots
// alone count, and the newest alone if the other one needs all of it: a log that is full stays so, and
// nothing new is stored. step is held.
func (w *Worker) forget() {
	j := w.cfg.Journal
	full := j.Room() != nil
	needed := w.before + 1 // the oldest entry that a snapshot we keep is followed by
	if full && needed <= j.First() {
		needed = w.snapped + 1
	}
	if needed <= j.First() {
		return
	}
	before := needed
	if !full && j.Stats().Stored <= uint64(w.cfg.KeepBytes) {
		before = 0
		limit := activity.Time(w.cfg.Now().Add(-w.cfg.KeepFor).UnixNano())
		for _, m := range w.marks {
			if m.Ingest <= limit {
				before = min(m.Position, needed)
			}
		}
	}
	if before <= j.First() {
		return
	}
	if err := j.Forget(before); err != nil {
		w.cfg.Log.Error("forgetting old entries of the log failed", "error", err)
	}
}
