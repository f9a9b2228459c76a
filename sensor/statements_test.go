package sensor

import (
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/capture/live"
	"github.com/verderer/verderer/sensor/decode/all"
)

// scripted is a live source without an interface.
type scripted []capture.Chunk

func (s *scripted) Next(c *capture.Chunk) error {
	if len(*s) == 0 {
		return io.EOF
	}
	*c = (*s)[0]
	*s = (*s)[1:]
	return nil
}

func (s *scripted) Close() error { return nil }

// at is a time in seconds of a day in 2026.
func at(seconds float64) activity.Time {
	return activity.Time(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano()) + activity.Time(seconds*1e9)
}

// ticks are those that a silent interface yields.
func ticks(from, to float64) (out []capture.Chunk) {
	for s := from; s < to; s += 0.05 {
		out = append(out, capture.Chunk{Time: at(s), Tick: true})
	}
	return out
}

// query is a DNS query or its answer.
func query(seconds float64, id uint16, answer bool) capture.Chunk {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: answer},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("dc1.corp.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	src, dst := []byte{10, 0, 0, 9, 0x9c, byte(id)}, []byte{10, 0, 0, 1, 0, 53}
	if answer {
		src, dst = dst, src
	}
	ip := []byte{0x45, 0, 0, byte(28 + len(b)), 0, 0, 0, 0, 64, 17, 0, 0}
	p := append(append(append(make([]byte, 12), 8, 0), ip...), append(src[:4:4], dst[:4]...)...)
	p = append(append(p, src[4], src[5], dst[4], dst[5], 0, byte(8+len(b)), 0, 0), b...)
	return capture.Chunk{Time: at(seconds), Link: capture.LinkEthernet, Data: p, Wire: len(p)}
}

// run states what a script gives and checks what always holds.
func run(t *testing.T, script []capture.Chunk, cfg LiveConfig) ([]wire.Entry, *statements) {
	t.Helper()
	var out []wire.Entry
	s := &statements{emit: func(e wire.Entry) error { out = append(out, e); return nil }}
	src := scripted(script)
	cfg.Set = all.Set
	if err := s.run(&src, func() []live.State { return nil }, cfg); err != nil {
		t.Fatal(err)
	}
	return out, s
}

// ordered checks that no activity is from before the progress stated, and that
// progress does not go back.
func ordered(t *testing.T, entries []wire.Entry) {
	t.Helper()
	var told activity.Time
	for i, e := range entries {
		switch {
		case e.Activity != nil && e.Activity.Time <= told:
			t.Errorf("entry %d: an activity of %v after progress %v", i, e.Activity.Time, told)
		case e.Activity == nil && e.Progress <= told:
			t.Errorf("entry %d: progress %v after %v", i, e.Progress, told)
		case e.Activity == nil:
			told = e.Progress
		}
	}
}

// TestSilentWire: a request without an answer is given up though no packet ever
// comes after it, and progress is stated every 250 ms and not far behind.
func TestSilentWire(t *testing.T) {
	script := append([]capture.Chunk{query(0, 1, false)}, ticks(0.05, 12)...)
	out, _ := run(t, script, LiveConfig{})
	ordered(t, out)
	var clock activity.Time
	given := 0
	for i, e := range out {
		if a := e.Activity; a != nil {
			given++
			if a.Kind != activity.DNSQuery || a.Outcome != activity.Attempt || a.Requested != at(0) || a.Time < at(10) || a.Time > at(11.2) {
				t.Errorf("given up: %+v", a)
			}
			if a.Time.Sub(clock) > time.Second {
				t.Errorf("stated %v after the progress", a.Time.Sub(clock))
			}
			continue
		}
		if clock != 0 && e.Progress.Sub(clock) > wire.ProgressEvery+100*time.Millisecond && i < len(out)-1 {
			t.Errorf("progress %v after %v", e.Progress, clock)
		}
		clock = e.Progress
	}
	if given != 1 {
		t.Errorf("%d activities, want 1", given)
	}
	if last := script[len(script)-1].Time; clock != last {
		t.Errorf("the last progress is %v, want %v: all is said", clock, last)
	}
}

// TestProgressFollows: while ticks come, progress is at most 500 ms behind them.
func TestProgressFollows(t *testing.T) {
	var now activity.Time
	src := scripted(ticks(0, 5))
	var out []wire.Entry
	s := &statements{emit: func(e wire.Entry) error {
		if len(src) > 0 {
			now = src[0].Time
		}
		if behind := now.Sub(e.Progress); behind > 500*time.Millisecond {
			t.Errorf("progress is %v behind when stated", behind)
		}
		out = append(out, e)
		return nil
	}}
	if err := s.run(&src, func() []live.State { return nil }, LiveConfig{Set: all.Set}); err != nil {
		t.Fatal(err)
	}
	if len(out) < 15 {
		t.Errorf("%d statements in 5 s", len(out))
	}
}

// TestDisorder: packets that are late by less than the Sorter and slack allow
// break no promise, and those that are later are counted.
func TestDisorder(t *testing.T) {
	script := ticks(0, 2)
	for i := range uint16(20) {
		script = append(script, query(2+float64(i)/10, 100+i, false), query(2+float64(i)/10-0.08, 200+i, false))
	}
	out, s := run(t, append(script, ticks(4.1, 6)...), LiveConfig{})
	ordered(t, out)
	if s.late.Value() != 0 || s.activities != 40 {
		t.Errorf("%d activities, %d late", s.activities, s.late.Value())
	}

	// Bursts that the Sorter cannot hold: it hands out packets early.
	script = ticks(0, 1)
	other := query(0, 1, false)
	other.Data[37] = 54
	for burst := range uint16(20) {
		start := 1 + float64(burst)*0.05
		for i := range 1500 {
			other.Time = at(start + float64(i)*1e-6)
			script = append(script, other)
		}
		script = append(script, query(start-0.04, burst, false), query(start-0.04, burst, true))
	}
	out, s = run(t, script, LiveConfig{})
	ordered(t, out)
	if s.late.Value() != 0 || s.activities != 20 {
		t.Errorf("bursts: %d activities, %d late", s.activities, s.late.Value())
	}

	script = append(ticks(0, 2), query(0.5, 1, false), query(0.6, 1, true))
	out, s = run(t, append(script, ticks(2, 4)...), LiveConfig{})
	if s.late.Value() != 1 || s.activities != 1 {
		t.Errorf("%d activities, %d late: %v", s.activities, s.late.Value(), out)
	}
}

// TestClockSetBack: progress goes on from the clock's new time.
func TestClockSetBack(t *testing.T) {
	script := append(ticks(3600, 3602), ticks(0, 2)...)
	script = append(script, query(2, 1, false), query(2.1, 1, true))
	out, s := run(t, append(script, ticks(2.2, 4)...), LiveConfig{})
	if back := s.counters.Of("live", "clock went back").Value(); back != 1 || s.late.Value() != 0 || s.activities != 1 {
		t.Errorf("back %d times, %d late, %d activities", back, s.late.Value(), s.activities)
	}
	if last := out[len(out)-1].Progress; last < at(3.9) || last > at(4) {
		t.Errorf("the last progress is %v", last)
	}
}

// TestEmitFails: what emit says ends the capture.
func TestEmitFails(t *testing.T) {
	full := errors.New("full")
	n := 0
	s := &statements{emit: func(wire.Entry) error { n++; return full }}
	src := scripted(append(ticks(0, 2), query(2, 1, false)))
	if err := s.run(&src, func() []live.State { return nil }, LiveConfig{Set: all.Set}); err != full || n != 1 {
		t.Errorf("%v after %d calls", err, n)
	}
}

// TestReports come about every second and at the end, and count what the kernel
// dropped once.
func TestReports(t *testing.T) {
	var got []LiveReport
	s := &statements{emit: func(wire.Entry) error { return nil }}
	src := scripted(append(ticks(0, 5), query(5, 1, false)))
	err := s.run(&src, func() []live.State {
		return []live.State{{Interface: "a", Packets: 5, Dropped: 7, Freezes: 2}, {Interface: "b", Packets: 1, Dropped: 1}}
	}, LiveConfig{Set: all.Set, Report: func(r LiveReport) { got = append(got, r) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 5 || len(got) > 7 {
		t.Fatalf("%d reports in 5 s", len(got))
	}
	last := got[len(got)-1]
	if last.Packets != 6 || last.Dropped != 8 || last.Activities != 1 || last.Clock != at(5) || len(last.Interfaces) != 2 {
		t.Errorf("%+v", last)
	}
	counts := make(map[string]int64)
	for _, r := range last.Counters {
		counts[r.Stage+": "+r.Name] = r.Count
	}
	if counts["live: packets dropped by the kernel: the ring was full"] != 8 || counts["live: times the ring became full"] != 2 || counts["flow: packets"] != 1 {
		t.Errorf("%v", counts)
	}
}
