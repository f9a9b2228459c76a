package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/journal"
	"github.com/verderer/verderer/counter"
)

// Config of a Worker.
type Config struct {
	Journal     *journal.Journal
	Dir         string // of the snapshots; made when it is not there
	Definitions []*detect.Definition
	Shards      int // goroutines that run detections; 0 one
	Health      *health.Registry
	Log         *slog.Logger

	// Emit gets each Result, in the order of the log, and stores it. It is called
	// again until it succeeds, and once more after a crash: the Result's position
	// tells. Its context does not end when the worker is to stop.
	Emit func(context.Context, *Result) error
	// Stored is the position of the newest Result that is stored; nil: that of the
	// snapshot, or of the log's end if that is further.
	Stored func(context.Context) (uint64, error)
	// OnLag is told how long after its ingest time the Result of an entry was
	// emitted; nil: nobody.
	OnLag func(time.Duration)

	SnapshotEvery time.Duration    // 0: 30 s
	KeepFor       time.Duration    // of entries in the log; 0: 24 h
	KeepBytes     int64            // of the log, beyond which they are kept for less; 0: 4 GiB
	Now           func() time.Time // nil: time.Now
}

// Worker runs the core over the log. CatchUp and Run belong to one goroutine;
// the other methods may be called from any.
type Worker struct {
	cfg Config

	// step is held while an entry is applied and emitted, and while a snapshot
	// is written: a snapshot must not hold what was not emitted. It guards what
	// follows up to mu.
	step     sync.Mutex
	restored bool
	aborted  bool // an entry is applied, but was not emitted: no more snapshots
	snapped  uint64
	before   uint64 // position of the snapshot before that
	snapAt   time.Time
	snapTook time.Duration
	marks    []mark

	mu      sync.Mutex // guards what follows against readers; to change it, step must be held too
	core    *center.Core
	sensors map[string]*sensor
	live    bool // a sensor that reads no files was attached at some time
	at      uint64
	ingest  activity.Time // of the entry at that position
	wake    chan struct{} // closed when at changes; nil: nobody waits; by mu alone
	own     counter.Set
	stats   Stats
	failure string        // the last thing that panicked over the present entry
	record  ingest.Record // reused
}

// Stats counts since New, positions aside.
type Stats struct {
	Position   uint64 // of the last entry applied and emitted
	Entries    int64
	Activities int64
	Results    int64         // emitted
	Retries    int64         // of Emit
	Failures   int64         // records left out because something panicked over them
	Lag        time.Duration // of the last entry: from ingest to emitted
	Snapshot   uint64        // position of the last one
	Snapshots  int64
	SnapTook   time.Duration // the last one
	SnapBytes  int64
}

const (
	snapshotEvery = 30 * time.Second
	keepFor       = 24 * time.Hour
	keepBytes     = 4 << 30
	// retryAfter and retryAtMost space the attempts to emit.
	retryAfter  = 100 * time.Millisecond
	retryAtMost = 10 * time.Second
	// readAgain is how often an entry that cannot be read is tried again before
	// it is left out, at retryAfter and twice as long each time: 13 s in all.
	readAgain = 8
)

// New makes a Worker. It does nothing yet.
func New(cfg Config) (*Worker, error) {
	if cfg.SnapshotEvery <= 0 {
		cfg.SnapshotEvery = snapshotEvery
	}
	if cfg.KeepFor <= 0 {
		cfg.KeepFor = keepFor
	}
	if cfg.KeepBytes <= 0 {
		cfg.KeepBytes = keepBytes
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	w := &Worker{cfg: cfg}
	w.reset()
	if err := w.makeDir(); err != nil {
		return nil, err
	}
	return w, nil
}

// reset puts the state of an empty log.
func (w *Worker) reset() {
	w.core = center.New(center.Config{Definitions: w.cfg.Definitions, Level: detect.LevelHigh, Shards: w.cfg.Shards, OnPanic: w.failed})
	w.sensors = make(map[string]*sensor)
	w.live, w.at, w.ingest, w.marks = false, 0, 0, nil
}

var (
	// errDone ends reading.
	errDone = errors.New("done")
	// errAborted is what a worker answers that stopped in the middle of an entry.
	errAborted = errors.New("following the log: an entry was applied and not emitted; start anew")
)

// CatchUp restores the last snapshot and works through the log up to its end as
// of now. Where log, state and store are of different times it brings them together.
func (w *Worker) CatchUp(ctx context.Context) error {
	end := w.cfg.Journal.Last()
	stored, err := w.restore(ctx)
	if err != nil {
		return err
	}
	if w.position() >= end {
		return w.raise(stored)
	}
	err = w.follow(ctx, func(e *journal.Entry) error {
		if err := w.entry(ctx, e); err != nil {
			return err
		}
		if e.Position >= end {
			return errDone
		}
		return nil
	})
	if !errors.Is(err, errDone) {
		return err
	}
	return w.raise(stored)
}

// Run catches up, follows the log until ctx ends, and then writes a last
// snapshot. It returns nil when it ended as it should.
func (w *Worker) Run(ctx context.Context) error {
	err := w.CatchUp(ctx)
	if err == nil {
		err = w.run(ctx)
	}
	w.step.Lock()
	defer w.step.Unlock()
	if ctx.Err() != nil && !errors.Is(err, errAborted) {
		err = nil
	}
	if w.aborted || w.at == w.snapped {
		return err
	}
	return errors.Join(err, w.snapshot())
}

func (w *Worker) run(ctx context.Context) error {
	done := make(chan struct{})
	var idle sync.WaitGroup
	idle.Go(func() { // for logs that stand still after some entries
		tick := time.NewTicker(w.cfg.SnapshotEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.step.Lock()
				w.snapshotIfDue()
				w.forget() // if the log is full, no entry comes to do it
				w.step.Unlock()
			case <-done:
				return
			}
		}
	})
	err := w.follow(ctx, func(e *journal.Entry) error { return w.entry(ctx, e) })
	close(done)
	idle.Wait()
	return err
}

// follow reads the log from where the worker is. An entry that cannot be read,
// or is gone, is left out: a center that stands still for ever would lose more.
func (w *Worker) follow(ctx context.Context, each func(*journal.Entry) error) error {
	var failed error // what each returned
	tried, wait := 0, retryAfter
	for {
		next := w.position() + 1
		err := w.cfg.Journal.Read(ctx, next, func(e *journal.Entry) error {
			failed = each(e)
			return failed
		})
		if failed != nil || ctx.Err() != nil || errors.Is(err, journal.ErrClosed) {
			return err
		}
		if at := w.position() + 1; at != next {
			tried, wait, next = 0, retryAfter, at
		}
		if w.cfg.Journal.Last() < next-1 { // its disk lost the end of it
			if err := w.raise(0); err != nil {
				return err
			}
			continue
		}
		last := next
		if first := w.cfg.Journal.First(); first > next {
			last = first - 1
		} else if tried++; tried <= readAgain {
			w.cfg.Log.Warn("reading the log failed", "position", next, "error", err)
			if !sleep(ctx, &wait) {
				return ctx.Err()
			}
			continue
		}
		w.cfg.Log.Error("entries of the log are left out", "from", next, "to", last, "error", err)
		w.issue("log-damaged", detect.High,
			fmt.Sprintf("Entries %d to %d of the log cannot be read and were left out: %v. What sensors sent in them is not evaluated.", next, last, err),
			"Check the disk of the center's data folder. If there are more such entries, restore a backup.")
		w.step.Lock()
		w.mu.Lock()
		w.own.Of("worker", "entries of the log left out: gone or not readable").Add(int(last - next + 1))
		w.reach(last, w.ingest)
		w.mu.Unlock()
		w.step.Unlock()
	}
}

// sleep waits, twice as long the next time; false when ctx ends before.
func sleep(ctx context.Context, wait *time.Duration) bool {
	t := time.NewTimer(*wait)
	defer t.Stop()
	*wait = min(2**wait, retryAtMost)
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// entry applies and emits an entry.
func (w *Worker) entry(ctx context.Context, e *journal.Entry) error {
	w.step.Lock()
	defer w.step.Unlock()
	w.mu.Lock()
	res := w.apply(e)
	w.mu.Unlock()
	w.sayFailure(e.Position)
	if err := w.emit(ctx, res); err != nil {
		w.aborted = true
		return err
	}
	lag := w.cfg.Now().Sub(e.Ingest.Go())
	w.mu.Lock()
	w.stats.Entries++
	w.stats.Activities += int64(len(res.Activities))
	w.stats.Lag = lag
	w.reach(e.Position, e.Ingest)
	w.mu.Unlock()
	if w.cfg.OnLag != nil {
		w.cfg.OnLag(lag)
	}
	w.snapshotIfDue()
	return nil
}

// emit hands the result on, if it says anything, however often that takes.
func (w *Worker) emit(ctx context.Context, res *Result) error {
	if len(res.Activities) == 0 && len(res.Alerts) == 0 && len(res.Acts) == 0 {
		return nil
	}
	failing, wait := false, retryAfter
	for {
		err := w.cfg.Emit(context.WithoutCancel(ctx), res)
		if err == nil {
			break
		}
		failing = true
		w.cfg.Log.Error("storing a result failed", "position", res.Position, "error", err)
		w.issue("store-failing", detect.High,
			fmt.Sprintf("What the center finds cannot be stored: %v. No alert is shown or sent until it can; nothing is lost.", err),
			"Free space on the disk of the center's data folder, and check that no other program holds its database. It goes on by itself.")
		w.mu.Lock()
		w.stats.Retries++
		w.mu.Unlock()
		if !sleep(ctx, &wait) {
			return ctx.Err()
		}
	}
	if failing {
		w.cfg.Health.Clear("store-failing", "")
	}
	w.mu.Lock()
	w.stats.Results++
	w.mu.Unlock()
	return nil
}

// reach sets the position and wakes who waits for it. mu is held.
func (w *Worker) reach(position uint64, ingest activity.Time) {
	w.at, w.ingest = position, ingest
	if w.wake != nil {
		close(w.wake)
		w.wake = nil
	}
}

func (w *Worker) position() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// Wait returns when the entry at the position has been applied and emitted.
func (w *Worker) Wait(ctx context.Context, position uint64) error {
	for {
		w.mu.Lock()
		at := w.at
		if at < position && w.wake == nil {
			w.wake = make(chan struct{})
		}
		wake := w.wake
		w.mu.Unlock()
		if at >= position {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *Worker) issue(kind string, severity detect.Severity, text, remedy string) {
	w.cfg.Health.Set(health.Issue{Kind: kind, Severity: severity, Text: text, Remedy: remedy,
		Since: activity.Time(w.cfg.Now().UnixNano())})
}
