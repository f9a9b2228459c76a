package sensor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/capture/live"
	"github.com/verderer/verderer/sensor/decode"
)

const (
	// slack is how far progress stays behind the time of what the Sorter handed
	// out last. That is 100 ms behind what the kernel delivered, as sorting wants
	// it, and the kernel's blocks are up to 80 ms behind the present: with slack a
	// live sensor's progress is about 0.3 s old when it is stated. A packet that
	// comes later still (a Sorter that had to give up on order under load hands
	// out some) makes a late activity, which is counted.
	slack = 100 * time.Millisecond
	// stepped is how far time may go back before we take it that the clock was
	// set: progress goes on from there.
	stepped = 10 * time.Second
	// reportEvery is how often LiveConfig.Report is called.
	reportEvery = time.Second
)

// LiveConfig says what a live sensor captures and how.
type LiveConfig struct {
	Set     decode.Set
	Capture live.Config // its ports are added to by those of Set

	// TagKey gives the key of password tags for a day ("2006-01-02", UTC), or nil
	// where it has none; then, and without TagKey, one is made of SiteKey.
	TagKey  func(day string) []byte
	SiteKey []byte

	// Report gets how things are about once a second, and at the end. It is called
	// by the goroutine that runs Live; nil: nobody.
	Report func(LiveReport)
}

// LiveReport is how a live sensor is.
type LiveReport struct {
	Clock      activity.Time // progress so far
	Activities int64
	Packets    int64 // read from the interfaces
	Dropped    int64 // lost, since the kernel's rings were full
	Interfaces []live.State
	Counters   []counter.Row // of every stage
}

// Ports lists the server ports that the decoders of a set follow.
func Ports(set decode.Set) (tcp, udp []uint16) {
	for _, p := range set.Protocols {
		tcp = append(tcp, p.TCP...)
		udp = append(udp, p.UDP...)
	}
	slices.Sort(tcp)
	slices.Sort(udp)
	return slices.Compact(tcp), slices.Compact(udp)
}

// Live captures from interfaces and states activities and progress until ctx
// ends; then what the kernel had captured by then is worked through, every
// conversation closed, and nil returned. It returns early with an error when
// capturing cannot begin, or with emit's error.
//
// Progress is stated every wire.ProgressEvery, by the time of what was read:
// packets, or ticks of the wall clock where none came. Activities have the time
// of the packet that completed them; a request that is given up has the time at
// which it is: that of the packet or tick that ended its conversation's patience
// (flow's: 10 s on UDP, 10 min on TCP). So no activity is from before the
// progress stated last, but those of packets that were delivered too late, which
// are counted and stated all the same.
func Live(ctx context.Context, cfg LiveConfig, emit func(wire.Entry) error) error {
	tcp, udp := Ports(cfg.Set)
	cfg.Capture.TCP = append(tcp, cfg.Capture.TCP...)
	cfg.Capture.UDP = append(udp, cfg.Capture.UDP...)
	src, err := live.Open(cfg.Capture)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, src.Stop)()
	s := &statements{emit: emit}
	return s.run(src, src.State, cfg)
}

// statements makes what a live sensor states of what it captures.
type statements struct {
	emit     func(wire.Entry) error
	counters counter.Set
	late     *counter.Counter
	failed   error

	clock      activity.Time // of what was handed out last
	told       activity.Time // progress stated last
	reported   activity.Time
	activities int64
	dropped    int64 // as the counters have it
	freezes    int64
}

// run works src through. state tells how its interfaces are.
func (s *statements) run(src capture.Source, state func() []live.State, cfg LiveConfig) error {
	packets := capture.Sort(src)
	defer packets.Close()
	s.late = s.counters.Of("live", "activities after the progress they belong to: packets delivered late")
	back := s.counters.Of("live", "clock went back")
	pipe, err := New(cfg.Set, cfg.SiteKey, &s.counters, s.activity)
	if err != nil {
		return err
	}
	pipe.TagKeys(cfg.TagKey)
	var c capture.Chunk
	for s.failed == nil {
		if err := packets.Next(&c); errors.Is(err, io.EOF) {
			pipe.Flush(s.clock)
			s.progress(s.clock)
			s.report(state(), cfg.Report)
			return s.failed
		} else if err != nil {
			return fmt.Errorf("capturing: %w", err)
		}
		if s.clock.Sub(c.Time) > stepped {
			back.Add(1)
			s.clock, s.told, s.reported = c.Time, 0, 0
		}
		s.clock = max(s.clock, c.Time)
		pipe.Packet(&c)
		if now := s.clock.Add(-slack); now.Sub(s.told) >= wire.ProgressEvery {
			s.progress(now)
		}
		if s.clock.Sub(s.reported) >= reportEvery {
			s.reported = s.clock
			s.report(state(), cfg.Report)
		}
	}
	return s.failed
}

// activity states one.
func (s *statements) activity(a *activity.Activity) {
	if a.Time <= s.told {
		s.late.Add(1)
	}
	s.activities++
	if s.failed == nil {
		s.failed = s.emit(wire.Entry{Activity: a})
	}
}

// progress states that everything up to now was stated.
func (s *statements) progress(now activity.Time) {
	if now <= s.told || s.failed != nil {
		return
	}
	s.told = now
	s.failed = s.emit(wire.Entry{Progress: now})
}

// report tells how things are.
func (s *statements) report(state []live.State, to func(LiveReport)) {
	r := LiveReport{Clock: s.told, Activities: s.activities, Interfaces: state}
	var freezes int64
	for _, i := range state {
		r.Packets += i.Packets
		r.Dropped += i.Dropped
		freezes += i.Freezes
	}
	s.counters.Of("live", "packets dropped by the kernel: the ring was full").Add(int(r.Dropped - s.dropped))
	s.counters.Of("live", "times the ring became full").Add(int(freezes - s.freezes))
	s.dropped, s.freezes = r.Dropped, freezes
	if to != nil {
		r.Counters = s.counters.Rows()
		to(r)
	}
}
