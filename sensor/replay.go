package sensor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/decode"
)

const (
	// Disorder is how far the packets of a capture may be out of order in time
	// before their activities count as late: multi-queue capture and merged
	// files swap packets within fractions of a second.
	Disorder = activity.Time(time.Second)
	// chainGap is the packet time between two inputs that Replay.EndAt puts one
	// after another.
	chainGap = activity.Time(time.Second)
	// askEvery is after how many packets Run looks whether its context ended.
	askEvery = 4096
)

// fileKey keys the password tags of what is read from files. It need not be
// secret: the captures hold the passwords themselves. It is fixed so that the
// same capture always gives the same findings.
var fileKey = sha256.Sum256([]byte("verderer analyze"))

// Replay states what files hold: activities, and every 250 ms of packet time how
// far it has come. The same files give the same statements in the same order,
// so that a replay can be taken up where it stopped by counting them.
//
// The fields of the second group tell how far it is; they may be read by emit,
// and after Run.
type Replay struct {
	Decoders decode.Set
	Counters *counter.Set
	Inputs   []string  // files and folders; "-" is Stdin
	Stdin    io.Reader //
	// EndAt, when it is not 0, shifts the files in time: they are read one after
	// another as they are listed, a second apart, so that the last packet of the
	// last one is at EndAt. Otherwise they merge by their own time.
	EndAt      activity.Time
	OnProgress func(read, total int64) // bytes of the files, now and then; nil: nobody

	Packets, Events int64
	Began           activity.Time // time of the packet or event that came first
	From, Clock     activity.Time // earliest and latest one so far
	Damage          []*capture.Damage
	Skipped         []*capture.Unknown // files found in folders that are no captures or event logs

	stated activity.Time // the latest time of an activity
	told   activity.Time // the clock when it was stated last
	failed error         // what emit said
}

// A stretch is inputs that are read together, and what is added to their times.
type stretch struct {
	inputs []capture.Input
	shift  activity.Time
}

// Run reads everything, once. The last statement is a progress that covers all
// activities. Damaged input is listed in Damage; an error is returned when
// ctx ends, when emit fails, and for inputs that cannot be shifted.
func (r *Replay) Run(ctx context.Context, emit func(wire.Entry) error) error {
	inputs := capture.Walk(r.Inputs)
	stretches := []stretch{{inputs: inputs}}
	if r.EndAt != 0 {
		var err error
		if stretches, err = chain(ctx, inputs, r.EndAt); err != nil {
			return err
		}
	}
	r.stated = math.MinInt64
	for _, s := range stretches {
		if err := r.read(ctx, s, emit); err != nil {
			return err
		}
	}
	if r.Packets+r.Events == 0 {
		return nil
	}
	return emit(wire.Entry{Progress: max(r.Clock, r.stated)})
}

// read states what a stretch holds.
func (r *Replay) read(ctx context.Context, s stretch, emit func(wire.Entry) error) error {
	pipe, err := New(r.Decoders, fileKey[:], r.Counters, func(a *activity.Activity) {
		if r.failed != nil {
			return
		}
		r.stated = max(r.stated, a.Time)
		r.failed = emit(wire.Entry{Activity: a})
	})
	if err != nil {
		return err
	}
	m := capture.Merge(s.inputs, r.Stdin)
	packets := capture.Sort(m)
	defer packets.Close()
	var c capture.Chunk
	for r.failed == nil {
		switch err := packets.Next(&c); {
		case err == nil:
		case errors.Is(err, io.EOF):
			pipe.Flush(r.Clock)
			r.Skipped = append(r.Skipped, m.Skipped()...)
			return r.failed
		default:
			var d *capture.Damage
			if !errors.As(err, &d) {
				return fmt.Errorf("reading captures: %w", err)
			}
			r.Damage = append(r.Damage, d)
			continue
		}
		c.Time += s.shift
		if r.Packets+r.Events == 0 {
			r.Began, r.From, r.Clock, r.told = c.Time, c.Time, c.Time, c.Time
		}
		if c.Event != nil {
			r.Events++
		} else {
			r.Packets++
		}
		r.Clock = max(r.Clock, c.Time)
		r.From = min(r.From, c.Time)
		if r.Clock >= r.told+activity.Time(wire.ProgressEvery) {
			r.told = r.Clock
			if r.failed = emit(wire.Entry{Progress: r.Clock - Disorder}); r.failed != nil {
				break
			}
		}
		pipe.Packet(&c)
		if (r.Packets+r.Events)%askEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if r.OnProgress != nil {
				r.OnProgress(m.Progress())
			}
		}
	}
	return r.failed
}

// chain puts inputs one after another in time, the last packet at end.
func chain(ctx context.Context, inputs []capture.Input, end activity.Time) ([]stretch, error) {
	out := make([]stretch, len(inputs))
	for i := len(inputs) - 1; i >= 0; i-- {
		in := inputs[i]
		if in.Path == capture.Stdin {
			return nil, errors.New("shifting files in time: standard input cannot be read twice")
		}
		out[i].inputs = inputs[i : i+1]
		first, last, err := span(ctx, in)
		if err != nil {
			return nil, err
		}
		if first > last { // nothing in it
			continue
		}
		out[i].shift = end - last
		end -= last - first + chainGap
	}
	return out, nil
}

// span is the time of the earliest and the latest packet of an input; the first
// is later than the last when there is none. What is damaged is found again
// when the input is read.
func span(ctx context.Context, in capture.Input) (first, last activity.Time, err error) {
	m := capture.Merge([]capture.Input{in}, nil)
	defer m.Close()
	first, last = math.MaxInt64, math.MinInt64
	var c capture.Chunk
	for n := 1; ; n++ {
		if n%askEvery == 0 && ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		var d *capture.Damage
		switch err := m.Next(&c); {
		case err == nil:
			first, last = min(first, c.Time), max(last, c.Time)
		case errors.Is(err, io.EOF):
			return first, last, nil
		case !errors.As(err, &d):
			return 0, 0, fmt.Errorf("reading %s: %w", in.Path, err)
		}
	}
}
