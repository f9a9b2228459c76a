package receive

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
)

var discard = slog.New(slog.DiscardHandler)

func TestCertificates(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	other := newCA(t, "another CA")
	n.revoked["666"] = true
	for _, c := range []struct {
		name string
		cert tls.Certificate
		says string
	}{
		{"foreign", other.sign(t, "a", 11, time.Hour, x509.ExtKeyUsageClientAuth), "certificate signed by unknown authority"},
		{"expired", n.ca.sign(t, "a", 12, -time.Minute, x509.ExtKeyUsageClientAuth), "certificate has expired"},
		{"a server's", n.ca.sign(t, "a", 13, time.Hour, x509.ExtKeyUsageServerAuth), "incompatible key usage"},
		{"unknown", n.ca.sign(t, "stranger", 14, time.Hour, x509.ExtKeyUsageClientAuth), "unknown or revoked"},
		{"revoked", n.ca.sign(t, "a", 666, time.Hour, x509.ExtKeyUsageClientAuth), "unknown or revoked"},
		{"more than an id", n.ca.sign(t, "a.>", 15, time.Hour, x509.ExtKeyUsageClientAuth), "not one that can stand in a subject"},
		{"more than an id", n.ca.sign(t, "*", 16, time.Hour, x509.ExtKeyUsageClientAuth), "not one that can stand in a subject"},
	} {
		conn, err := n.dial(c.cert, "inbox.a")
		if err == nil {
			t.Errorf("%s: connected", c.name)
			conn.Close()
		}
		leaf, _ := x509.ParseCertificate(c.cert.Certificate[0])
		serial := fmt.Sprintf("serial=%032x", leaf.SerialNumber)
		until(t, c.name+" in the log", func() bool {
			return n.log.has("connection of a sensor refused", c.says, serial, "from=127.0.0.1:")
		})
	}
	if s := n.Stats(); s.Refusals != 7 || s.Connections != 0 {
		t.Errorf("%+v", s)
	}
	// Whoever can connect chooses these names, of 200 KB if they like.
	long := newCA(t, strings.Repeat("i", 5<<10)).sign(t, strings.Repeat("n", 5<<10), 18, time.Hour, x509.ExtKeyUsageClientAuth)
	if conn, err := n.dial(long, "inbox.a"); err == nil {
		t.Error("a certificate with a long name: connected")
		conn.Close()
	}
	until(t, "it in the log", func() bool { return n.log.has("serial=00000000000000000000000000000012") })
	if n.log.has(strings.Repeat("n", 300)) || n.log.has(strings.Repeat("i", 300)) {
		t.Error("a name of any length is in the log")
	}
	// None, and an old version of TLS.
	for name, c := range map[string]*tls.Config{
		"no certificate": {RootCAs: n.ca.pool(), ServerName: "center"},
		"TLS 1.2": {RootCAs: n.ca.pool(), ServerName: "center", MaxVersion: tls.VersionTLS12,
			Certificates: []tls.Certificate{n.ca.sign(t, "a", 17, time.Hour, x509.ExtKeyUsageClientAuth)}},
	} {
		if conn, err := nats.Connect("tls://"+n.Addr().String(), nats.Secure(c), nats.NoReconnect()); err == nil {
			t.Errorf("%s: connected", name)
			conn.Close()
		}
	}
	// Without TLS, with or without a token.
	if conn, err := nats.Connect("nats://"+n.Addr().String(), nats.Token("x"), nats.NoReconnect()); err == nil {
		t.Error("connected without TLS")
		conn.Close()
	}
}

func TestRevocation(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	a.hello(false)
	a.state(n.time())
	n.mu.Lock()
	n.revoked[big.NewInt(a.serial).String()] = true
	n.mu.Unlock()
	n.Disconnect("a")
	n.ends("a batch 1", "a detach: its certificate was revoked")
	until(t, "the connection to end", a.IsClosed)
	until(t, "the sensor to be forgotten", func() bool { return len(n.States()) == 0 })
	if c, err := n.dial(a.cert, "inbox.a"); err == nil {
		c.Close()
		t.Error("connected again")
	}
	// Enrolled anew it is welcome.
	b := n.sensor("a")
	b.hello(false)
	b.state(n.time())
	n.ends("a attach", "a batch 1")
}

// TestNames: a sensor speaks and hears under its own name only.
func TestNames(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a, b := n.sensor("a"), n.sensor("b")
	a.hello(false)
	b.hello(false)
	denied := make(chan error, 100)
	a.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err })
	want := func(what string) {
		t.Helper()
		select {
		case err := <-denied:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: allowed", what)
		}
	}
	for _, s := range []string{"sensor.b.batch", "sensor.b.hello", "sensor.a.other", "sensor.a", "inbox.b.x", "inbox.a.x", "ingest",
		"$JS.API.INFO", "$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.INFO", "_INBOX.x", "foo"} {
		if err := a.Publish(s, b.batchOf(1, wire.Entry{Progress: n.time()})); err != nil {
			t.Fatal(err)
		}
		want("publishing to " + s)
	}
	for _, s := range []string{"inbox.b.>", "inbox.>", "inbox.*.x", "sensor.a.batch", "sensor.>", "_INBOX.>", "$SYS.>", "$JS.>", ">", "*"} {
		sub, err := a.SubscribeSync(s)
		if err != nil {
			t.Fatal(err)
		}
		want("subscribing to " + s)
		_ = sub.Unsubscribe()
	}
	if got := n.items(); len(got) != 0 {
		t.Errorf("stored: %q", got)
	}
	// An answer into another's inbox.
	heard, err := b.SubscribeSync("inbox.b.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Flush(), a.PublishRequest(wire.HelloSubject("a"), "inbox.b.x", []byte(`{"protocol":1}`)), a.Flush()); err != nil {
		t.Fatal(err)
	}
	a.hello(false) // later on the same connection, and answered
	if m, err := heard.NextMsg(50 * time.Millisecond); err == nil {
		t.Errorf("b heard %s", m.Data)
	}
	if n.Stats().Ignored["asks for the answer to go elsewhere"] != 1 {
		t.Errorf("%+v", n.Stats())
	}
}

func TestBadBatches(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	if ack := a.send(a.batchOf(1, wire.Entry{Progress: 1})); !ack.Hold || ack.Why != "say hello first" {
		t.Errorf("before hello: %+v", ack)
	}
	a.hello(false)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, wire.MaxBatch+1)
	_, _ = rand.Read(noise)
	for name, b := range map[string][]byte{
		"nothing":      {},
		"garbage":      noise[:1000],
		"oversized":    noise,
		"bomb":         enc.EncodeAll(make([]byte, 512<<20), nil),
		"no batch":     enc.EncodeAll([]byte("hello"), nil),
		"sequence 0":   a.batchOf(0, wire.Entry{Progress: 1}),
		"half of one":  a.batchOf(1, wire.Entry{Progress: 1})[:10],
		"of JSON kind": []byte(`{"spool":1}`),
	} {
		if ack := a.send(b); !ack.Refused || ack.Why == "" || ack.Sequence != 0 {
			t.Errorf("%s: %+v", name, ack)
		}
	}
	n.issue("sensor-refused-batches", "a", true)
	if s := n.Stats(); s.Refused["cannot be read"] != 8 || s.Accepted != 0 || n.States()["a"].Refused != 8 {
		t.Errorf("%+v", s)
	}
	if got := n.items(); len(got) != 0 {
		t.Errorf("stored: %q", got)
	}
	a.state(n.time()) // it is not held against the sensor
	n.clock.add(16 * time.Minute)
	a.state(n.time())
	n.issue("sensor-refused-batches", "a", false)

	// What does not even fit ends the connection.
	if err := a.Publish(wire.BatchSubject("a"), make([]byte, wire.MaxBatch+8<<10)); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("%v", err)
	}
}

// TestCountersOfALiar: what a sensor counts is shown, summed over sensors and
// given to Prometheus, which takes no figures at all with two of one name.
func TestCountersOfALiar(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	a.hello(false)
	rows := []counter.Row{{Stage: "flow", Name: "x", Count: 1}, {Stage: "flow", Name: "x", Count: 2}, {Stage: "flow", Name: "y", Count: -5},
		{Stage: strings.Repeat("s", 300), Name: strings.Repeat("n", 300), Count: 1}}
	for i := range 600 {
		rows = append(rows, counter.Row{Stage: "many", Name: fmt.Sprint(i), Count: 1})
	}
	a.status(wire.Status{Now: n.time(), Packets: -1, Dropped: -1, Events: -1, Activities: -1, Memory: -1,
		Spool: wire.SpoolStatus{Batches: -1, Bytes: -1, Limit: -1, Lost: -1}, Counters: rows})
	until(t, "its status is taken", func() bool { return n.Stats().Statuses == 1 })
	st := n.States()["a"].Status
	if len(st.Counters) != maxCounters || st.Counters[0] != (counter.Row{Stage: "flow", Name: "x", Count: 1}) ||
		st.Counters[1] != (counter.Row{Stage: "flow", Name: "y"}) || len(st.Counters[2].Stage) != 255 || len(st.Counters[2].Name) != 255 {
		t.Errorf("%d counters, %+v", len(st.Counters), st.Counters[:min(3, len(st.Counters))])
	}
	if st.Packets != 0 || st.Dropped != 0 || st.Events != 0 || st.Activities != 0 || st.Memory != 0 || st.Spool != (wire.SpoolStatus{}) {
		t.Errorf("less than nothing: %+v", st)
	}
}

func TestOtherVersion(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	var w wire.Welcome
	a.ask(wire.HelloSubject("a"), wire.Hello{Protocol: wire.Version + 1, Spool: 7}, &w)
	if !strings.Contains(w.Refused, "upgrade the center") || w.TagKeys != nil {
		t.Errorf("%+v", w)
	}
	if ack := a.send(a.batch(n.time())); !ack.Hold || !strings.Contains(ack.Why, "upgrade the center") {
		t.Errorf("%+v", ack)
	}
	a.ask(wire.HelloSubject("a"), []byte("{"), &w)
	if !strings.Contains(w.Refused, "cannot be read") {
		t.Errorf("%+v", w)
	}
}

// TestOtherPurpose: whether a sensor reads files was said when it was enrolled.
func TestOtherPurpose(t *testing.T) {
	n := newCenter(t, nil, nil, nil, func(c *Config) {
		c.Enrolled = func(id string) (files, ok bool) { return id == "f", true }
	})
	for _, id := range []string{"a", "f"} {
		p := n.sensor(id)
		var w wire.Welcome
		p.ask(wire.HelloSubject(id), wire.Hello{Protocol: wire.Version, Spool: 7, Files: id != "f"}, &w)
		if !strings.Contains(w.Refused, "was enrolled to") || w.TagKeys != nil {
			t.Errorf("%s: %+v", id, w)
		}
		if ack := p.send(p.batchOf(1, wire.Entry{Progress: n.time()})); !ack.Hold || n.States()[id].Files != false {
			t.Errorf("%s: %+v", id, ack)
		}
		p.hello(id == "f")
		// And no second one with its certificate changes that.
		p.ask(wire.HelloSubject(id), wire.Hello{Protocol: wire.Version, Spool: 7, Files: id != "f"}, &w)
		p.state(n.time())
		if s := n.States()[id]; s.Files != (id == "f") || s.Batches != 1 {
			t.Errorf("%s: %+v", id, s)
		}
	}
}

// TestRemovedMeanwhile: a sensor that was removed while the center was down, or
// crashed in the middle of it, is neither waited for nor missed.
func TestRemovedMeanwhile(t *testing.T) {
	c := &clock{t: time.Now()}
	n := newCenter(t, nil, c, map[string]Known{
		"attached": {Attached: true, Spool: 7, Sequence: 2, Clock: activity.Time(c.now().UnixNano())},
		"known":    {Spool: 7, Sequence: 2, Clock: activity.Time(c.now().UnixNano())},
		"there":    {Spool: 7, Sequence: 2, Clock: activity.Time(c.now().UnixNano())},
	}, func(c *Config) {
		c.Enrolled = func(id string) (files, ok bool) { return false, id == "there" }
	})
	n.ends("attached detach: ")
	until(t, "them to be forgotten", func() bool { return len(n.States()) == 1 })
	c.add(2 * time.Minute)
	n.issue("sensor-silent", "there", true)
	if len(n.health.Issues()) != 1 {
		t.Errorf("issues %+v", n.health.Issues())
	}
}

func TestRepeatsAndOrder(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	a.hello(false)
	one := a.batchOf(1, wire.Entry{Progress: n.time()})
	five := a.batchOf(5, wire.Entry{Progress: n.time()})
	for _, c := range []struct {
		b    []byte
		want wire.Ack
	}{
		{one, wire.Ack{Sequence: 1}},
		{one, wire.Ack{Sequence: 1}},
		{a.batchOf(1, wire.Entry{Progress: n.time() - 1}), wire.Ack{Sequence: 2}}, // of a copy of it
		{five, wire.Ack{Sequence: 5}}, // 2 to 4 were lost in the sensor
		{one, wire.Ack{Sequence: 5}},
		{a.batchOf(3, wire.Entry{Progress: n.time()}), wire.Ack{Refused: true, Why: "batch 3 comes after batch 5"}},
		{five, wire.Ack{Sequence: 5}},
	} {
		if got := a.send(c.b); got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
	// A copy of the sensor with a spool of its own, in between.
	copy := *a
	copy.spool, copy.next = 8, 1
	if w := copy.hello(false); w.Sequence != 0 {
		t.Errorf("%+v", w)
	}
	copy.state(n.time())
	if w := a.hello(false); w.Sequence != 5 {
		t.Errorf("%+v", w)
	}
	a.send(five)
	n.ends("a attach", "a batch 1", "a batch 5", "a batch 1")
	if got := n.items(); len(got) != 4 {
		t.Errorf("%q", got)
	}
	s := n.Stats()
	if s.Accepted != 3 || s.Repeated != 4 || s.Copies != 1 || s.Lost != 3 || s.Refused["out of order"] != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRenewal(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	var r wire.Renewed
	a.ask(wire.RenewSubject("a"), wire.Renewal{CSR: []byte("csr")}, &r)
	if string(r.Certificate) != "for a" || r.Refused != "" {
		t.Errorf("%+v", r)
	}
	r = wire.Renewed{}
	a.ask(wire.RenewSubject("a"), wire.Renewal{CSR: []byte("x")}, &r)
	if r.Certificate != nil || r.Refused != "this is no request" {
		t.Errorf("%+v", r)
	}
}

func TestConnectionsOfOneSensor(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	a := n.sensor("a")
	for range maxOfSensor - 1 {
		b := *a
		b.connect()
	}
	if c, err := n.dial(a.cert, "inbox.a"); err == nil {
		c.Close()
		t.Error("connected once more")
	}
	if !n.log.has("4 connections of this sensor are open") {
		t.Error("the log does not say so")
	}
	a.Close()
	until(t, "room for a new connection", func() bool {
		c, err := n.dial(a.cert, "inbox.a")
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// TestFlood: a sensor that sends and never reads costs a bounded amount, and the
// others are served.
func TestFlood(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	bad, good := n.sensor("bad"), n.sensor("good")
	good.hello(false)
	bad.hello(false)
	bad.Close()

	raw, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Read(make([]byte, 4096)); err != nil { // INFO
		t.Fatal(err)
	}
	conn := tls.Client(raw, &tls.Config{RootCAs: n.ca.pool(), ServerName: "center", Certificates: []tls.Certificate{bad.cert}})
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write([]byte("CONNECT {\"verbose\":true,\"tls_required\":true}\r\n")); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	stop := make(chan struct{})
	var flood sync.WaitGroup
	flood.Go(func() {
		hello, _ := json.Marshal(wire.Hello{Protocol: wire.Version, Spool: 1})
		big := make([]byte, wire.MaxBatch)
		for n := 0; ; n++ {
			payload, subject := hello, wire.HelloSubject("bad")
			if n%8 == 0 {
				payload, subject = big, wire.BatchSubject("bad")
			}
			_, err := fmt.Fprintf(conn, "PUB %s inbox.bad.x %d\r\n%s\r\n", subject, len(payload), payload)
			select {
			case <-stop:
				return
			default:
			}
			if err != nil {
				return // cut off: as well
			}
		}
	})
	var most uint64
	for range 100 {
		good.state(n.time())
		runtime.ReadMemStats(&after)
		most = max(most, after.HeapAlloc)
	}
	close(stop)
	raw.Close()
	flood.Wait()
	if grown := int64(most) - int64(before.HeapAlloc); grown > 256<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	t.Logf("%+v", n.Stats())
}

// TestMany: 200 sensors come back at once with full batches, some cut off and
// coming again; everything is stored once, and in order.
func TestMany(t *testing.T) {
	n := newCenter(t, nil, nil, nil)
	const sensors, batches = 200, 5
	peers := make([]*peer, sensors)
	var all sync.WaitGroup
	for i := range peers {
		p := &peer{t: t, n: n, id: fmt.Sprintf("s%d", i), spool: uint64(i) + 1, next: 1}
		p.cert = n.ca.sign(t, p.id, int64(1000+i), time.Hour, x509.ExtKeyUsageClientAuth)
		peers[i] = p
	}
	for _, p := range peers {
		all.Go(func() {
			for s := uint64(1); s <= batches; {
				if p.Conn == nil {
					c, err := n.dial(p.cert, wire.InboxPrefix(p.id))
					if err != nil {
						continue
					}
					p.Conn = c
					s = p.hello(false).Sequence + 1
				}
				entries := make([]wire.Entry, 2000)
				for i := range entries {
					entries[i].Progress = n.time() + 1
				}
				b, err := (&wire.Batch{Spool: p.spool, Sequence: s, Entries: entries}).Append(nil)
				if err != nil {
					t.Error(err)
					return
				}
				if s == 3 && p.next == 1 { // cut off without having heard the answer
					p.next = 2
					_ = p.PublishRequest(wire.BatchSubject(p.id), wire.InboxPrefix(p.id)+".x", b)
					_ = p.Flush()
					p.Conn.Close()
					p.Conn = nil
					continue
				}
				m, err := p.Request(wire.BatchSubject(p.id), b, 5*time.Second)
				var ack wire.Ack
				if err != nil || json.Unmarshal(m.Data, &ack) != nil {
					continue
				}
				if ack.Hold {
					time.Sleep(20 * time.Millisecond)
					continue
				}
				if ack.Refused {
					t.Errorf("%s: %+v", p.id, ack)
					return
				}
				s = ack.Sequence + 1
			}
		})
	}
	all.Wait()
	next := make(map[string]int)
	for _, i := range n.items() {
		id, rest, _ := strings.Cut(i, " ")
		if strings.HasPrefix(rest, "batch") {
			next[id]++
			if rest != fmt.Sprintf("batch %d", next[id]) {
				t.Errorf("%s out of order", i)
			}
		}
	}
	for _, p := range peers {
		if next[p.id] != batches {
			t.Errorf("%s: %d batches", p.id, next[p.id])
		}
		p.Conn.Close()
	}
	s := n.Stats()
	t.Logf("%d batches in %d entries", s.Accepted, n.journal.Last())
	if s.Accepted != sensors*batches || s.Waiting != 0 || n.journal.Last() >= uint64(s.Accepted) {
		t.Errorf("%+v; the log ends at %d", s, n.journal.Last())
	}
}
