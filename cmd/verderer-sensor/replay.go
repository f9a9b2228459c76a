package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor"
	"github.com/verderer/verderer/sensor/capture"
	decoders "github.com/verderer/verderer/sensor/decode/all"
	"github.com/verderer/verderer/sensor/ship"
	"github.com/verderer/verderer/version"
)

// sampleEvery is how often the status takes over how far a replay is.
const sampleEvery = time.Second

// replay states what files hold, and waits until the center has it all. It takes
// up a replay of the same files that was interrupted.
func (s *sensing) replay(ctx context.Context) error {
	want := ship.Replay{Inputs: s.inputs(), Version: version.String(), Started: wallTime()}
	r, err := s.spool.BeginReplay(want, s.Again)
	if err != nil {
		return err
	}
	var damage error
	if r.Done {
		s.log.Info("These files were sent before; --again sends them anew.", "statements", s.spool.Stated())
	} else if damage, err = s.read(ctx, r); err != nil {
		return err
	}
	s.now.set(func(st *wire.Status) { st.Done = true })
	if err := s.spool.Drained(ctx); err != nil {
		return s.stopped(err)
	}
	s.log.Info("Everything was read, and the center has it.", "statements", s.spool.Stated())
	if s.Stay {
		<-ctx.Done()
	}
	return damage
}

// stopped is what becomes of an interrupted replay.
func (s *sensing) stopped(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("told to stop before everything was read and sent; run it again to go on")
	}
	return err
}

// read works the files through. damage says that some could not be read.
func (s *sensing) read(ctx context.Context, r ship.Replay) (damage, err error) {
	if n := s.spool.Stated(); n > 0 {
		s.log.Info("An interrupted replay goes on.", "statements", n)
	}
	w := ship.NewWriter(ctx, s.spool, true, s.log)
	var counters counter.Set
	f := sensor.Replay{Decoders: decoders.Set, Counters: &counters, Inputs: s.Read, Stdin: os.Stdin}
	if s.ShiftToNow {
		f.EndAt = r.Started // when the replay was begun: the same after an interruption
	}
	var activities int64
	var sampled time.Time
	var clock activity.Time
	sample := func() {
		sampled = time.Now()
		s.now.set(func(st *wire.Status) {
			st.Clock, st.Packets, st.Events, st.Activities = clock, f.Packets, f.Events, activities
			st.Counters = append(counters.Rows(), shipped(w, s.spool)...)
		})
	}
	pace := pacer{speed: s.Speed}
	err = f.Run(ctx, func(e wire.Entry) error {
		if e.Activity != nil {
			activities++
		} else {
			clock = e.Progress
			if !w.Skipping() {
				if err := pace.wait(ctx, clock); err != nil {
					return err
				}
			}
		}
		if time.Since(sampled) > sampleEvery {
			sample()
		}
		return w.Emit(e)
	})
	closed := w.Close()
	sample()
	if err = errors.Join(err, closed); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, s.stopped(err)
	}
	for _, d := range f.Damage {
		s.log.Error("Something could not be read.", "file", d.File, "offset", d.Offset, "reason", d.Reason)
	}
	for _, u := range f.Skipped {
		s.log.Warn("A file is no capture or event log, and is passed over.", "file", u.File, "reason", u.Reason)
	}
	if err := s.spool.EndReplay(); err != nil {
		return nil, err
	}
	s.log.Info("Everything was read.", "packets", f.Packets, "events", f.Events, "activities", activities)
	if n := len(f.Damage); n > 0 {
		damage = fmt.Errorf("the input is damaged in %d places, which are logged; the rest was sent", n)
	}
	return damage, nil
}

// inputs changes whenever the files do, or how they are read, or for whom. What
// comes from standard input is never the same.
func (s *sensing) inputs() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %t\n", s.id.ID, s.ShiftToNow)
	list := capture.Walk(s.Read)
	if !s.ShiftToNow { // then their order does not matter
		slices.SortFunc(list, func(a, b capture.Input) int { return strings.Compare(a.Path, b.Path) })
	}
	for _, in := range list {
		fmt.Fprintf(h, "%q", in.Path)
		if info, err := os.Stat(in.Path); in.Path == capture.Stdin || err != nil || !info.Mode().IsRegular() {
			fmt.Fprintf(h, " %d\n", wallTime())
		} else {
			fmt.Fprintf(h, " %d %d\n", info.Size(), info.ModTime().UnixNano())
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// pacer holds a replay to a speed.
type pacer struct {
	speed float64 // packet seconds a second; 0 is as fast as possible
	first activity.Time
	began time.Time
}

// wait waits until it is time for a progress.
func (p *pacer) wait(ctx context.Context, progress activity.Time) error {
	if p.speed == 0 {
		return nil
	}
	if p.began.IsZero() {
		p.first, p.began = progress, time.Now()
	}
	due := p.began.Add(time.Duration(float64(progress.Sub(p.first)) / p.speed))
	select {
	case <-time.After(time.Until(due)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
