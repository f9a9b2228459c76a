package ship

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/verderer/verderer/activity/wire"
)

const (
	// batchSize is how many bytes of entries, uncompressed, close a batch. One
	// activity more stays far below wire.MaxBatch.
	batchSize = 64 << 10
	// batchAge closes a batch that is not full: what an alert waits for here.
	batchAge = 250 * time.Millisecond
	// maxWaiting caps the bytes that wait for the disk. At 10,000 activities a
	// second, it lasts for seconds, which is longer than a busy disk takes.
	maxWaiting = 8 << 20
	// progressSize is about what a progress takes in a batch.
	progressSize = 16
	// retryAppend is how long a writer waits after the disk refused a batch.
	retryAppend = time.Second
	// retryLog is how often a lasting refusal is logged.
	retryLog = time.Minute
)

// Writer collects what a sensor states into batches and appends them to a
// spool, in a goroutine of its own.
type Writer struct {
	spool *Spool
	wait  bool
	log   *slog.Logger
	ctx   context.Context

	entries atomic.Int64 // entries that were dropped because the disk was too slow or refused them
	unfit   atomic.Int64 // activities that make no batch, mostly for their size

	mu      sync.Mutex
	skip    uint64
	waiting int        // bytes of entries that are not appended yet
	batches []*entries // oldest first; all but the last are closed
	closing bool

	wake chan struct{} // of one: something changed for the goroutine
	room chan struct{} // of one: something changed for Emit
	done chan struct{} // closed when the goroutine has ended
	err  error         // why it ended early; after done
}

// entries is a batch before it is encoded.
type entries struct {
	list  []wire.Entry
	size  int
	since time.Time // when the first entry came
}

func (b *entries) full() bool { return b.size >= batchSize || len(b.list) >= wire.MaxEntries }

// NewWriter starts a writer. With wait it waits where the disk or the spool is
// full, and passes over the statements that the spool has already: for files,
// which can be read again. Without, it drops and counts. When ctx ends it gives
// up what is not appended yet.
func NewWriter(ctx context.Context, spool *Spool, wait bool, log *slog.Logger) *Writer {
	w := &Writer{spool: spool, wait: wait, log: log, ctx: ctx,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{})}
	if wait {
		w.skip = spool.Stated()
	}
	go w.run()
	return w
}

// Emit takes the next statement. It belongs to one goroutine. The error is that
// the writer's context ended, or that it gave up.
func (w *Writer) Emit(e wire.Entry) error {
	if w.skip > 0 {
		w.skip--
		return nil
	}
	size := progressSize
	if e.Activity != nil {
		size = len(wire.AppendActivity(nil, e.Activity))
	}
	w.mu.Lock()
	for w.waiting > 0 && w.waiting+size > maxWaiting {
		w.mu.Unlock()
		if !w.wait {
			w.entries.Add(1)
			return w.ctx.Err()
		}
		select {
		case <-w.room:
		case <-w.done:
			return w.failure()
		}
		w.mu.Lock()
	}
	if n := len(w.batches); n == 0 || w.batches[n-1].full() {
		w.batches = append(w.batches, &entries{since: time.Now()})
	}
	b := w.batches[len(w.batches)-1]
	b.list = append(b.list, e)
	b.size += size
	w.waiting += size
	due := len(b.list) == 1 || b.full()
	w.mu.Unlock()
	if due {
		signal(w.wake)
	}
	return nil
}

// Skipping tells that the statements so far are in the spool already.
func (w *Writer) Skipping() bool { return w.skip > 0 }

func (w *Writer) failure() error {
	if w.err != nil {
		return w.err
	}
	return errors.New("the writer is closed")
}

// Close appends what was collected, and ends the writer.
func (w *Writer) Close() error {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	signal(w.wake)
	<-w.done
	return w.err
}

// Dropped is how many statements were dropped because they came faster than
// the disk took them, and how many activities make no batch, mostly for their size.
func (w *Writer) Dropped() (entries, unfit int64) { return w.entries.Load(), w.unfit.Load() }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *Writer) run() {
	defer close(w.done)
	for {
		b, left, closing := w.take()
		switch {
		case b != nil:
			if err := w.append(b.list); err != nil {
				w.err = err
				return
			}
			w.mu.Lock()
			w.waiting -= b.size
			w.mu.Unlock()
			signal(w.room)
			continue
		case closing:
			return
		}
		select {
		case <-w.wake:
		case <-time.After(left):
		case <-w.ctx.Done():
			w.err = w.ctx.Err()
			return
		}
	}
}

// take removes the oldest batch, if it is to be appended now. Otherwise left
// is when to ask again.
func (w *Writer) take() (b *entries, left time.Duration, closing bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.batches) == 0 {
		return nil, time.Hour, w.closing
	}
	b = w.batches[0]
	if age := time.Since(b.since); age < batchAge && !b.full() && !w.closing {
		return nil, batchAge - age, false
	}
	w.batches = w.batches[1:]
	return b, 0, false
}

// append appends a batch, trying again until the disk takes it.
func (w *Writer) append(list []wire.Entry) error {
	var logged time.Time
	for {
		var err error
		if w.wait {
			_, err = w.spool.AppendWait(w.ctx, list)
		} else {
			_, err = w.spool.Append(list)
		}
		var encoding *EncodingError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &encoding) && len(list) > 1:
			half := len(list) / 2
			if err := w.append(list[:half]); err != nil {
				return err
			}
			return w.append(list[half:])
		case errors.As(err, &encoding):
			w.unfit.Add(1)
			w.log.Error("An activity cannot be sent and is dropped.", "error", err)
			// A statement that says nothing takes its place, so that the spool goes
			// on counting.
			list = []wire.Entry{{Progress: 1}}
			continue
		case w.ctx.Err() != nil:
			return w.ctx.Err()
		case errors.Is(err, errDamaged):
			return err
		}
		if time.Since(logged) > retryLog {
			logged = time.Now()
			w.log.Error("The spool cannot be written. Trying again.", "error", err)
		}
		select {
		case <-time.After(retryAppend):
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
}
