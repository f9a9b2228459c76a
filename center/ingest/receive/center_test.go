package receive

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest/journal"
)

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// ca is a certificate authority.
type ca struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newCA(t testing.TB, name string) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &ca{key, cert}
}

func (a *ca) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// sign makes a certificate for a name, valid so long.
func (a *ca) sign(t testing.TB, name string, serial int64, lasts time.Duration, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(lasts),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// lines is a log that tests read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) has(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			return true
		}
	}
	return false
}

// center is a Receiver with its journal.
type center struct {
	*Receiver
	t       testing.TB
	ca      *ca
	clock   *clock
	journal *journal.Journal
	health  *health.Registry
	log     *lines
	mu      sync.Mutex
	revoked map[string]bool // serials
	serial  int64
	news    chan string // ids that Changed was called with, as far as there is room
}

// newCenter starts one. j may be nil.
func newCenter(t testing.TB, j *journal.Journal, c *clock, known map[string]Known, change ...func(*Config)) *center {
	t.Helper()
	n := &center{t: t, ca: newCA(t, "our CA"), clock: c, journal: j, log: new(lines), revoked: make(map[string]bool), serial: 100, news: make(chan string, 100)}
	if c == nil {
		n.clock = &clock{t: time.Now()}
	}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(n.log, t.Output()), nil))
	if j == nil {
		n.journal = openJournal(t, t.TempDir(), n.clock, 1)
	}
	n.health = health.NewRegistry(nil)
	var err error
	cfg := Config{
		Listen: "127.0.0.1:0",
		TLS:    &tls.Config{Certificates: []tls.Certificate{n.ca.sign(t, "center", 2, time.Hour, x509.ExtKeyUsageServerAuth)}},
		CAPool: n.ca.pool,
		Authenticate: func(cert *x509.Certificate) (string, bool) {
			n.mu.Lock()
			defer n.mu.Unlock()
			return cert.Subject.CommonName, !n.revoked[cert.SerialNumber.String()] && cert.Subject.CommonName != "stranger"
		},
		Journal: n.journal,
		Sensors: known,
		TagKeys: func() []wire.TagKey { return []wire.TagKey{{Day: "2026-01-02", Key: make([]byte, 32)}} },
		Renew: func(id string, csr []byte) (wire.Renewed, error) {
			if string(csr) != "csr" {
				return wire.Renewed{}, errors.New("this is no request")
			}
			return wire.Renewed{Certificate: []byte("for " + id)}, nil
		},
		Health: n.health,
		Changed: func(id string) {
			select {
			case n.news <- id:
			default:
			}
		},
		Now: n.clock.now,
		Log: log,
	}
	for _, f := range change {
		f(&cfg)
	}
	n.Receiver, err = New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func openJournal(t testing.TB, dir string, c *clock, minFree int64) *journal.Journal {
	t.Helper()
	j, err := journal.Open(journal.Config{Dir: dir, MinFree: minFree, Now: c.now, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// time is the center's clock now.
func (n *center) time() activity.Time { return activity.Time(n.clock.now().UnixNano()) }

// dial connects with a certificate.
func (n *center) dial(cert tls.Certificate, inbox string) (*nats.Conn, error) {
	return nats.Connect("tls://"+n.Addr().String(),
		nats.Secure(&tls.Config{RootCAs: n.ca.pool(), ServerName: "center", Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}),
		nats.CustomInboxPrefix(inbox), nats.NoReconnect(), nats.Timeout(10*time.Second))
}

// peer is a sensor.
type peer struct {
	*nats.Conn
	t      testing.TB
	n      *center
	id     string
	serial int64
	cert   tls.Certificate
	spool  uint64
	next   uint64
}

// sensor enrols a sensor and connects it.
func (n *center) sensor(id string) *peer {
	n.t.Helper()
	n.mu.Lock()
	n.serial++
	p := &peer{t: n.t, n: n, id: id, serial: n.serial, spool: 7, next: 1}
	n.mu.Unlock()
	p.cert = n.ca.sign(n.t, id, p.serial, time.Hour, x509.ExtKeyUsageClientAuth)
	p.connect()
	return p
}

func (p *peer) connect() {
	p.t.Helper()
	c, err := p.n.dial(p.cert, wire.InboxPrefix(p.id))
	if err != nil {
		p.t.Fatalf("connecting %s: %v", p.id, err)
	}
	p.Conn = c
	p.t.Cleanup(c.Close)
}

func (p *peer) ask(subject string, v, answer any) {
	p.t.Helper()
	b, ok := v.([]byte)
	if !ok {
		b, _ = json.Marshal(v)
	}
	m, err := p.Request(subject, b, 20*time.Second)
	if err != nil {
		p.t.Fatalf("asking %s: %v", subject, err)
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) hello(files bool) (w wire.Welcome) {
	p.t.Helper()
	p.ask(wire.HelloSubject(p.id), wire.Hello{Protocol: wire.Version, Version: "1", Host: p.id, Spool: p.spool, Files: files}, &w)
	if w.Refused != "" {
		p.t.Fatal(w.Refused)
	}
	return w
}

func (p *peer) status(s wire.Status) {
	p.t.Helper()
	b, _ := json.Marshal(s)
	if err := p.Publish(wire.StatusSubject(p.id), b); err != nil {
		p.t.Fatal(err)
	}
	if err := p.Flush(); err != nil {
		p.t.Fatal(err)
	}
}

// batch is the sensor's next batch, with its progress.
func (p *peer) batch(progress activity.Time) []byte {
	p.t.Helper()
	b := p.batchOf(p.next, wire.Entry{Progress: progress})
	p.next++
	return b
}

func (p *peer) batchOf(sequence uint64, entries ...wire.Entry) []byte {
	p.t.Helper()
	b, err := (&wire.Batch{Spool: p.spool, Sequence: sequence, Entries: entries}).Append(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *peer) send(b []byte) (a wire.Ack) {
	p.t.Helper()
	p.ask(wire.BatchSubject(p.id), b, &a)
	return a
}

// state states the sensor's progress and has it stored.
func (p *peer) state(progress activity.Time) {
	p.t.Helper()
	want := p.next
	if a := p.send(p.batch(progress)); a.Sequence != want || a.Hold || a.Refused {
		p.t.Fatalf("batch %d of %s: %+v", want, p.id, a)
	}
}

// items lists what the journal holds, in words.
func (n *center) items() (list []string) {
	n.t.Helper()
	done := errors.New("done")
	last := n.journal.Last()
	if last == 0 {
		return nil
	}
	err := n.journal.Read(n.t.Context(), 1, func(e *journal.Entry) error {
		for _, i := range e.Items {
			switch {
			case i.Attach != 0 && i.Files:
				list = append(list, i.Sensor+" attach files")
			case i.Attach != 0:
				list = append(list, i.Sensor+" attach")
			case i.Detach != "":
				list = append(list, i.Sensor+" detach: "+i.Detach)
			case i.Batch != nil:
				b, err := wire.Decode(i.Batch)
				if err != nil {
					return err
				}
				list = append(list, fmt.Sprintf("%s batch %d", i.Sensor, b.Sequence))
			}
		}
		if e.Position == last {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		n.t.Fatal(err)
	}
	return list
}

// until waits for something that must come about by itself.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: waited for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ends waits for the journal to end with items.
func (n *center) ends(want ...string) {
	n.t.Helper()
	var got []string
	ok := func() bool {
		if got = n.items(); len(got) < len(want) {
			return false
		}
		for i, w := range want {
			if !strings.HasPrefix(got[len(got)-len(want)+i], w) {
				return false
			}
		}
		return true
	}
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			n.t.Fatalf("the journal ends with\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// issue waits for an issue to be open, or closed.
func (n *center) issue(kind, subject string, open bool) {
	n.t.Helper()
	until(n.t, fmt.Sprintf("issue %s of %q open: %t", kind, subject, open), func() bool {
		for _, i := range n.health.Issues() {
			if i.Kind == kind && i.Subject == subject {
				return open && i.Text != "" && i.Remedy != ""
			}
		}
		return !open
	})
}

// TestPortTaken: whoever starts a second center is told at once.
func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := make(chan error, 1)
	go func() {
		n := newCA(t, "our CA")
		r, err := New(Config{Listen: l.Addr().String(), Journal: openJournal(t, t.TempDir(), &clock{t: time.Now()}, 1),
			TLS:    &tls.Config{Certificates: []tls.Certificate{n.sign(t, "center", 2, time.Hour, x509.ExtKeyUsageServerAuth)}},
			CAPool: n.pool, Health: health.NewRegistry(nil), Log: discard})
		if err == nil {
			r.Close()
		}
		said <- err
	}()
	select {
	case err := <-said:
		if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("it says %v", err)
		}
	case <-time.After(time.Minute): // it once took two
		t.Error("it says nothing")
	}
}
