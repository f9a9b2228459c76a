package receive

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/ingest/journal"
)

// TestOwnConnectionIsLost: the receiver's connection to its own server comes
// back, and sensors notice nothing but a slow answer.
func TestOwnConnectionIsLost(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	a.hello(false)
	a.state(n.time())
	own, err := n.conn.GetClientID()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.server.DisconnectClientByID(own); err != nil {
		t.Fatal(err)
	}
	b := a.batch(n.time())
	until(t, "an answer", func() bool {
		m, err := a.Request(wire.BatchSubject("a"), b, 200*time.Millisecond)
		return err == nil && strings.Contains(string(m.Data), `"sequence":"2"`)
	})
	n.ends("a attach", "a batch 1", "a batch 2")
}

func TestCenterClockGoesBack(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	a.hello(false)
	a.state(n.time())
	n.clock.add(-time.Hour)
	n.issue("center-clock", "", true)
	n.clock.add(time.Hour)
	n.issue("center-clock", "", false)
}

// TestNews: who shows sensors is told when there is news.
func TestNews(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	a.hello(false)
	a.state(n.time())
	a.status(wire.Status{Now: n.time()})
	for range 3 { // hello, attached, status
		if id := <-n.news; id != "a" {
			t.Errorf("told of %q", id)
		}
		n.States()
	}
}

// FuzzBatch hands bytes to what stands behind the subscription, as any subject
// of a sensor's.
func FuzzBatch(f *testing.F) {
	at := activity.Time(time.Now().UnixNano())
	for _, b := range []*wire.Batch{
		{Spool: 1, Sequence: 1, Entries: []wire.Entry{{Progress: at}}},
		{Spool: 1, Sequence: 9, Entries: []wire.Entry{{Progress: at}, {Progress: 1}}},
		{Spool: 2, Sequence: 1},
	} {
		data, err := b.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(0), data)
	}
	f.Add(uint8(1), []byte(`{"protocol":1,"spool":"18446744073709551615","host":"\ud800"}`))
	f.Add(uint8(2), []byte(`{"now":"2026-01-01T00:00:00Z","sources":["a"],"counters":[{}],"spool":{"lost":1}}`))
	f.Add(uint8(3), []byte(`{"csr":"eA=="}`))
	c := &clock{t: time.Unix(0, int64(at))}
	j := openJournal(f, f.TempDir(), c, 1)
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		r := &Receiver{
			cfg: Config{Journal: j, Now: c.now, Log: discard, Changed: func(string) {},
				TagKeys: func() []wire.TagKey { return nil },
				Renew:   func(string, []byte) (wire.Renewed, error) { return wire.Renewed{}, nil }},
			limit: newLimit(), sensors: make(map[string]*sensor),
			decode: make(chan *incoming, 1), stats: newStats(),
		}
		s := r.sensor("a")
		s.Hello.Protocol = wire.Version
		s.store(1, 5, 0)
		before := s.logged
		verb := []string{"batch", "hello", "status", "renew", "other", ""}[kind%6]
		r.dispatch(&nats.Msg{Subject: "sensor.a." + verb, Data: data})
		r.done.Wait()
		if verb != "batch" || len(r.decode) == 0 {
			return
		}
		in := <-r.decode
		in.read()
		var ack wire.Ack
		p := &plan{now: at, wall: c.now(), before: make(map[*sensor]logged)}
		stored := r.plan(p, in, &ack)
		switch {
		case stored == (len(p.items) == 0):
			t.Fatalf("stored: %t, items: %+v", stored, p.items)
		case !stored && s.logged != before:
			t.Fatalf("not stored, and yet %+v became %+v", before, s.logged)
		case stored && (ack.Refused || ack.Sequence != in.sequence):
			t.Fatalf("stored %d, answered %+v", in.sequence, ack)
		case !stored && !ack.Refused && ack.Sequence < in.sequence:
			t.Fatalf("%d is not stored, answered %+v", in.sequence, ack)
		}
		if stored {
			if _, err := j.Append(t.Context(), p.items...); err != nil {
				t.Fatalf("the journal does not take what was planned: %v", err)
			}
			checkReadable(t, j)
		}
	})
}

// checkReadable reads the journal's last entry as the worker will.
func checkReadable(t *testing.T, j *journal.Journal) {
	last := j.Last()
	err := j.Read(t.Context(), last, func(e *journal.Entry) error {
		for _, i := range e.Items {
			if i.Batch == nil {
				continue
			}
			if _, err := wire.Decode(i.Batch); err != nil {
				t.Fatalf("stored what cannot be read: %v", err)
			}
		}
		return journal.ErrClosed
	})
	if err != journal.ErrClosed {
		t.Fatal(err)
	}
}
