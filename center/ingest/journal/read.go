package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/verderer/verderer/activity"
)

// Read calls each for every entry from position from on, in order and without
// a gap, and goes on as the log grows, until ctx ends (it returns its error) or
// each fails (it returns that). An entry that is missing or cannot be read is an
// error that names its position: whoever goes on behind it decides to lose it.
// each may keep the entry.
func (j *Journal) Read(ctx context.Context, from uint64, each func(*Entry) error) error {
	for at := max(from, 1); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		j.mu.Lock()
		first, last, e, grown, closed := j.first, j.last, j.srv, j.grown, j.closed
		j.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case at < first:
			return fmt.Errorf("reading the journal at %d: no longer kept, it starts at %d", at, first)
		case at > last+1:
			return fmt.Errorf("reading the journal at %d: it ends at %d; what came behind is lost", at, last)
		case at == last+1 || e == nil:
			select {
			case <-grown:
			case <-ctx.Done():
			}
			continue
		}
		entry, err := e.get(ctx, at)
		if err != nil {
			if j.server() != e || ctx.Err() != nil {
				continue // the server was stopped under us: ask the next one
			}
			if errors.Is(err, jetstream.ErrMsgNotFound) && j.First() > at {
				continue // forgotten under us
			}
			return fmt.Errorf("reading the journal at %d: %w", at, err)
		}
		if err := each(entry); err != nil {
			return err
		}
		at++
	}
}

func (e *embedded) get(ctx context.Context, at uint64) (*Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return e.entry(ctx, at)
}

// Forget drops the entries before a position, but never the newest one: it
// keeps the log's clock from going back.
func (j *Journal) Forget(before uint64) error {
	j.append.Lock()
	defer j.append.Unlock()
	e, err := j.running()
	if err != nil {
		return err
	}
	before = min(before, j.Last())
	if before <= j.First() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := e.stream.Purge(ctx, jetstream.WithPurgeSequence(before)); err != nil {
		return fmt.Errorf("forgetting the journal before %d: %w", before, err)
	}
	info, err := e.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("forgetting the journal before %d: %w", before, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.first, j.bytes, j.full = info.State.FirstSeq, info.State.Bytes, false
	j.changed()
	return nil
}

// Raise has the log go on above a position, with a clock that is not before
// ingest: somebody has seen entries up to there that the log does not know, since
// it was lost or is from an older backup, and the next one must not get the number of one of them.
// What the log holds is dropped: a gap in it would be damage. A log
// that ends there or further stays as it is.
func (j *Journal) Raise(above uint64, ingest activity.Time) error {
	j.append.Lock()
	defer j.append.Unlock()
	e, err := j.running()
	if err != nil {
		return err
	}
	if above <= j.Last() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := e.stream.Purge(ctx, jetstream.WithPurgeSequence(above+1)); err != nil {
		return fmt.Errorf("raising the journal above %d: %w", above, err)
	}
	info, err := e.stream.Info(ctx)
	if err == nil && info.State.LastSeq != above {
		err = fmt.Errorf("it ends at %d", info.State.LastSeq)
	}
	if err != nil {
		return fmt.Errorf("raising the journal above %d: %w", above, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.first, j.last, j.bytes, j.full = above+1, above, info.State.Bytes, false
	j.ingest = max(j.ingest, ingest)
	j.changed()
	return nil
}
