package service

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
	half "github.com/verderer/verderer/sensor"
	decoders "github.com/verderer/verderer/sensor/decode/all"
)

// A peer speaks to the center as whoever has a sensor's state folder can, and
// need not behave like one.
type peer struct {
	*nats.Conn
	t        testing.TB
	id       string
	troubles chan error // what the center complains of
	next     uint64
}

// spoolOfPeer is the id of every peer's spool.
const spoolOfPeer = 4711

// id is who the sensor is.
func (s *sensor) id() string {
	s.t.Helper()
	var about struct{ ID string }
	b, err := os.ReadFile(filepath.Join(s.state, "sensor.json"))
	if err == nil {
		err = json.Unmarshal(b, &about)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return about.ID
}

// connect connects with a sensor's certificate, and says hello.
func (s *sensor) connect(c *center, files bool) *peer {
	s.t.Helper()
	p := &peer{t: s.t, id: s.id(), troubles: make(chan error, 100), next: 1}
	conn, err := nats.Connect("tls://"+c.sensors, nats.Secure(s.tls()), nats.CustomInboxPrefix(wire.InboxPrefix(p.id)), nats.NoReconnect(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { p.troubles <- err }))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	p.Conn = conn
	var w wire.Welcome
	p.ask(wire.HelloSubject(p.id), asJSON(s.t, wire.Hello{Protocol: wire.Version, Spool: spoolOfPeer, Host: "peer", Files: files}), &w)
	if w.Refused != "" {
		s.t.Fatal(w.Refused)
	}
	return p
}

func asJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ask sends a request and decodes the answer.
func (p *peer) ask(subject string, body []byte, out any) {
	p.t.Helper()
	m, err := p.Request(subject, body, 30*time.Second)
	if err == nil {
		err = json.Unmarshal(m.Data, out)
	}
	if err != nil {
		p.t.Fatalf("%s: %v", subject, err)
	}
}

// send sends something as a batch.
func (p *peer) send(batch []byte) (a wire.Ack) {
	p.t.Helper()
	p.ask(wire.BatchSubject(p.id), batch, &a)
	return a
}

// state sends entries as the next batch, which must be stored.
func (p *peer) state(entries ...wire.Entry) {
	p.t.Helper()
	if a := p.send(encode(p.t, p.next, entries...)); a.Sequence != p.next {
		p.t.Fatalf("batch %d: %+v", p.next, a)
	}
	p.next++
}

func encode(t testing.TB, sequence uint64, entries ...wire.Entry) []byte {
	t.Helper()
	b, err := (&wire.Batch{Spool: spoolOfPeer, Sequence: sequence, Entries: entries}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// status says how the peer's clock is.
func (p *peer) status(now time.Time) {
	p.t.Helper()
	if err := p.Publish(wire.StatusSubject(p.id), asJSON(p.t, wire.Status{Now: activity.Time(now.UnixNano()), Packets: 1})); err != nil {
		p.t.Fatal(err)
	}
}

// statements are what a sensor states of a recording whose last packet is at end.
func statements(t testing.TB, path string, end time.Time) (list []wire.Entry) {
	t.Helper()
	r := half.Replay{Decoders: decoders.Set, Counters: new(counter.Set), Inputs: []string{path}, EndAt: activity.Time(end.UnixNano())}
	err := r.Run(t.Context(), func(e wire.Entry) error {
		list = append(list, e)
		return nil
	})
	if err != nil || len(list) == 0 {
		t.Fatalf("reading %s: %d statements, %v", path, len(list), err)
	}
	return list
}

// attack is a recording in which something is found.
func attack(t testing.TB) string {
	t.Helper()
	for _, path := range recordings(t) {
		if strings.Contains(path, "dnsrecon/testdata/zone-transfer/") {
			return path
		}
	}
	t.Fatal("no recording of an attack")
	return ""
}
