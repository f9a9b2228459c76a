package receive

import (
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/ingest/journal"
)

const second = time.Second

func TestLiveSensor(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	if w := a.hello(false); w.Now != n.time() || w.Sequence != 0 || len(w.TagKeys) != 1 {
		t.Errorf("%+v", w)
	}
	o := n.sensor("o") // another, whose clock is right
	o.hello(false)
	o.state(n.time())
	a.state(n.time().Add(-6 * second)) // too old to wait for
	n.ends("o attach", "o batch 1", "a batch 1")
	a.state(n.time().Add(-5 * second))
	n.ends("a batch 1", "a attach", "a batch 2")
	n.clock.add(5 * second)
	o.state(n.time())
	a.state(n.time().Add(-10 * second)) // old, and still waited for
	a.state(n.time().Add(-11 * second)) // in order, and the last that is
	n.ends("a batch 3", "a batch 4", "a detach: what it states is 11s older")
	n.issue("sensor-behind", "a", true)
	a.state(n.time().Add(-8 * second))
	n.ends("a batch 5")
	n.issue("sensor-behind", "a", true)
	a.state(n.time())
	n.ends("a batch 5", "a attach", "a batch 6")
	n.issue("sensor-behind", "a", false)
	if s := n.States()["a"]; !s.Connected || !s.Attached || s.Behind || s.Batches != 6 || s.Clock != n.time() || s.Hello.Host != "a" {
		t.Errorf("%+v", s)
	}

	// Silence.
	n.clock.add(4 * second)
	a.state(n.time())
	n.clock.add(6 * second)
	o.state(n.time())
	n.clock.add(5 * second)
	o.state(n.time())
	n.ends("a detach: nothing was heard")
	n.issue("sensor-silent", "a", true)
	a.state(n.time())
	n.ends("a attach", "a batch 8")
	n.issue("sensor-silent", "a", false)

	// It speaks, and states nothing: its spool is stuck.
	n.clock.add(9 * second)
	o.state(n.time())
	a.status(wire.Status{Now: n.time()})
	n.clock.add(2 * second)
	o.state(n.time())
	n.ends("o batch 6", "a detach: what it states is 11s older")
}

// TestNobodyElse: however old what it states is, a sensor is waited for while
// nobody else has to. Otherwise nothing would ever be evaluated: a domain
// controller's clock that is half a minute behind, a center's that was ahead.
func TestNobodyElse(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a, b := n.sensor("a"), n.sensor("b")
	a.hello(false)
	b.hello(false)
	a.state(n.time().Add(-time.Hour))
	n.ends("a attach", "a batch 1")
	n.issue("sensor-behind", "a", true)
	a.state(n.time().Add(-time.Hour + 30*second)) // a backlog
	n.ends("a batch 1", "a batch 2")

	// Several that are alike are waited for together.
	b.state(n.time().Add(-time.Hour + 27*second))
	n.ends("b attach", "b batch 1")
	a.state(n.time().Add(-time.Hour + 31*second))
	b.state(n.time().Add(-time.Hour + 31*second))
	n.ends("b batch 1", "a batch 3", "b batch 2")
	// Until one is nearer to the present.
	b.state(n.time().Add(-30 * second))
	n.ends("b batch 3", "a detach: what it states is 58m59s")
	a.state(n.time().Add(-time.Hour + 32*second))
	n.ends("a detach: what it states is 58m59s", "a batch 4")

	// And the last one left is enough.
	n.clock.add(6 * second)
	a.state(n.time().Add(-time.Hour + 33*second))
	n.clock.add(5 * second)
	n.ends("a batch 5", "b detach: nothing was heard")
	a.state(n.time().Add(-time.Hour + 34*second))
	n.ends("a attach", "a batch 6")
}

func TestClockAhead(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	a.hello(false)
	a.state(n.time().Add(10 * time.Minute))
	n.ends("a batch 1")
	n.issue("clock-ahead", "a", true)
	if s := n.States()["a"]; !s.Ahead || s.Attached {
		t.Errorf("%+v", s)
	}
	a.state(n.time().Add(5 * time.Minute))
	n.ends("a attach", "a batch 2")
	n.issue("clock-ahead", "a", false)
	a.state(n.time().Add(5*time.Minute + second))
	n.ends("a batch 3", "a detach: its clock is ahead")
	a.state(n.time())
	n.ends("a attach", "a batch 4")
	// It states the past, but its clock is ahead.
	a.status(wire.Status{Now: n.time().Add(6 * time.Minute)})
	n.ends("a batch 4", "a detach: its clock is ahead")
	a.state(n.time())
	n.ends("a detach: its clock is ahead", "a batch 5")
	// Somewhat ahead is a word, no more.
	a.status(wire.Status{Now: n.time().Add(-7 * second)})
	n.issue("clock-skew", "a", true)
	n.issue("clock-ahead", "a", false)
	a.state(n.time())
	n.ends("a attach", "a batch 6")
	a.status(wire.Status{Now: n.time()})
	n.issue("clock-skew", "a", false)
}

func TestFilesSensor(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	f := n.sensor("f")
	f.hello(true)
	f.state(1000) // 1970: its clock is its own
	n.ends("f attach files", "f batch 1")
	f.state(2000)
	n.ends("f batch 1", "f batch 2")

	a := n.sensor("a")
	a.hello(false)
	a.state(n.time())
	n.ends("f batch 2", "f detach: a sensor that reads the present", "a attach", "a batch 1")
	f.state(3000) // not while a live one is there
	n.ends("a batch 1", "f batch 3")
	n.clock.add(11 * second)
	f.state(4000)
	n.ends("a detach: nothing was heard")
	f.state(5000)
	n.ends("f attach files", "f batch 5")

	// All read and sent: nobody waits for it any longer, and nobody misses it.
	f.status(wire.Status{Now: n.time(), Done: true, Spool: wire.SpoolStatus{Batches: 1}})
	n.clock.add(9 * second)
	f.state(6000)
	n.ends("f batch 5", "f batch 6")
	f.status(wire.Status{Now: n.time(), Done: true})
	n.ends("f batch 6", "f detach: it has read its files")
	n.clock.add(time.Hour)
	n.issue("sensor-silent", "a", true)
	n.issue("sensor-silent", "f", false)

	// The same sensor reads an interface now.
	f.hello(true)
	f.state(7000)
	n.ends("f attach files", "f batch 7")
	f.hello(false)
	f.state(n.time())
	n.ends("f batch 8", "f detach: it was started again")
	f.state(n.time())
	n.ends("f attach", "f batch 9")
}

func TestCenterRestarts(t *testing.T) {
	c := &clock{t: time.Now()}
	dir := t.TempDir()
	j := openJournal(t, dir, c, 1)
	n := newCenter(t, j, c, nil)
	for _, id := range []string{"a", "b"} {
		p := n.sensor(id)
		p.hello(false)
		p.state(n.time())
		p.state(n.time())
		defer p.Close()
	}
	before := len(n.items())
	n.Close()
	n = newCenter(t, j, c, map[string]Known{
		"a": {Attached: true, Spool: 7, Sequence: 2, Clock: n.time()},
		"b": {Attached: true, Spool: 7, Sequence: 2, Clock: n.time()},
		"c": {Spool: 7, Sequence: 2, Clock: n.time()},
	})
	got := n.items()[before:]
	if len(got) != 2 || !strings.HasSuffix(got[0], "detach: the center was restarted") || !strings.HasSuffix(got[1], "detach: the center was restarted") || got[0] == got[1] {
		t.Errorf("%q", got)
	}
	a := n.sensor("a")
	if w := a.hello(false); w.Sequence != 2 {
		t.Errorf("welcome says %d", w.Sequence)
	}
	a.next = 2
	a.state(n.time()) // a repeat: the answer had not reached it
	a.state(n.time())
	n.ends("detach: the center was restarted"[:0]+"a attach", "a batch 3")
	if s := n.Stats(); s.Accepted != 1 || s.Repeated != 1 {
		t.Errorf("%+v", s)
	}
	// Those that do not come back are missed, after a while.
	c.add(59 * second)
	a.state(n.time())
	n.issue("sensor-silent", "c", false)
	c.add(2 * second)
	a.state(n.time())
	n.issue("sensor-silent", "b", true)
	n.issue("sensor-silent", "c", true)
}

func TestIssuesThatPass(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	a.hello(false)
	say := func(dropped, lost int64) {
		a.state(n.time())
		a.status(wire.Status{Now: n.time(), Started: 5, Packets: 1, Dropped: dropped, Spool: wire.SpoolStatus{Lost: lost}})
	}
	say(10, 10) // before our time
	say(10, 10)
	n.ends("a batch 2")
	n.issue("kernel-drops", "a", false)
	n.issue("spool-full", "a", false)
	say(11, 11)
	n.issue("kernel-drops", "a", true)
	n.issue("spool-full", "a", true)
	n.clock.add(time.Minute + second)
	say(11, 11)
	n.issue("kernel-drops", "a", false)
	n.issue("spool-full", "a", true)
	n.clock.add(15 * time.Minute)
	say(11, 11)
	n.issue("spool-full", "a", false)
	if s := n.States()["a"]; s.FirstPacket == 0 || s.Status.Dropped != 11 {
		t.Errorf("%+v", s)
	}
}

func TestJournalFull(t *testing.T) {
	c := &clock{t: time.Now()}
	j, err := journal.Open(journal.Config{Dir: t.TempDir(), MaxBytes: 64 << 10, MinFree: 1, Now: c.now, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	n := newCenter(t, j, c, nil)
	a := n.sensor("a")
	a.hello(false)
	var ack wire.Ack
	for range 5000 {
		if ack = a.send(a.batch(n.time())); ack.Hold {
			break
		}
	}
	if !ack.Hold || ack.Why != "the log is full: it may hold 0 MiB" {
		t.Fatalf("%+v", ack)
	}
	a.next--
	n.issue("disk-full", "", true)
	if s := n.States()["a"]; !s.Holding || s.HoldWhy == "" {
		t.Errorf("%+v", s)
	}
	if s := n.Stats(); s.Held["the log is full"] != 1 {
		t.Errorf("%+v", s)
	}
	last := j.Last()
	if err := j.Forget(last); err != nil {
		t.Fatal(err)
	}
	n.issue("disk-full", "", false) // though nobody sends
	a.state(n.time())
	if s := n.States()["a"]; s.Holding || !s.Attached || j.Last() != last+1 {
		t.Errorf("%+v; the log ends at %d", s, j.Last())
	}
}
