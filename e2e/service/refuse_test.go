package service

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/store"
	"github.com/verderer/verderer/counter"
)

// TestAccessKeysRefused: what a person sees who enrolls with a key that is no
// good, and what the center keeps of it.
func TestAccessKeysRefused(t *testing.T) {
	t.Parallel()
	c, other := newCenter(t, "", ""), newCenter(t, "", "")
	c.start()
	c.login()
	other.start()
	good, used := c.accessKey(), c.accessKey()
	parts := strings.Split(good, "-")
	parts[2] = strings.Repeat("a", len(parts[2]))
	wrong := strings.Join(parts, "-")

	first := &sensor{t: t, state: t.TempDir()}
	if code, out := first.run("enroll", "--center", c.console, "--key", used); code != 0 {
		t.Fatalf("enrolling: exit code %d\n%s", code, out)
	}
	const refused = "verderer-sensor: enrolling: the center refuses the access key: This access key is wrong, expired or used up. Make a new one in the console, under Sensors."
	for _, k := range []struct{ name, key, says string }{
		{"wrong", wrong, refused},
		{"used up", used, refused},
		{"expired", c.expiredKey(), refused},
		{"another center's", other.accessKey(), "verderer-sensor: enrolling: the center's certificate is not of the CA that the access key names: something between you and the center answers in its place, or the key is of another center"},
		{"cut short", good[:len(good)-3], "verderer-sensor: enrolling: this is no access key: one looks like vk1-…-…-…, has no spaces, and is shown in the console under Sensors"},
		{"none", "", "verderer-sensor: an access key is needed: --key or --key-file"},
	} {
		s := &sensor{t: t, state: t.TempDir()}
		code, out := s.run("enroll", "--center", c.console, "--key", k.key)
		want := 1
		if k.key == "" {
			want = 2
		}
		if code != want || out != k.says {
			t.Errorf("%s: exit code %d:\n%s\nwant %d:\n%s", k.name, code, out, want, k.says)
		}
		if left, err := os.ReadDir(s.state); err != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return e.Name() == "sensor.json" }) {
			t.Errorf("%s: there is an identity afterwards: %v %v", k.name, left, err)
		}
	}
	denied, enrolled := 0, 0
	for _, a := range c.audit() {
		if a.Action == "enrol" && !a.OK && strings.Contains(a.Detail, "wrong, expired or used up access key, from 127.0.0.1") {
			denied++
		}
		if a.Action == "enrol" && a.OK {
			enrolled++
		}
		if strings.Contains(fmt.Sprint(a), parts[2]) {
			t.Errorf("a secret stands in the audit log: %+v", a)
		}
	}
	if denied != 3 || enrolled != 1 {
		t.Errorf("the audit log has %d denials and %d enrolments, want 3 and 1: %+v", denied, enrolled, c.audit())
	}
	var list struct{ Sensors []listed }
	if c.must("GET", "sensors", nil, &list); len(list.Sensors) != 1 {
		t.Errorf("enrolled are %+v, want one", list.Sensors)
	}
	// What was tried did the good key no harm.
	s := &sensor{t: t, state: t.TempDir()}
	if code, out := s.run("enroll", "--center", c.console, "--key", good); code != 0 {
		t.Errorf("the good key: exit code %d\n%s", code, out)
	}
}

// expiredKey is a key that was good until just now.
func (c *center) expiredKey() string {
	c.t.Helper()
	st, err := store.Open(filepath.Join(c.dir, "data", "verderer.db"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer st.Close()
	now := time.Now()
	secret, k, err := st.NewAccessKey(context.Background(), store.AccessKey{By: "test", Uses: 1,
		Created: activity.Time(now.Add(-time.Hour).UnixNano()), Expires: activity.Time(now.Add(time.Second).UnixNano())})
	if err != nil {
		c.t.Fatal(err)
	}
	time.Sleep(time.Until(now.Add(time.Second)))
	parts := strings.Split(c.accessKey(), "-")
	parts[1], parts[2] = k.ID, secret
	return strings.Join(parts, "-")
}

// signed gives a sensor another certificate, of that CA.
func (s *sensor) signed(caCert *x509.Certificate, caKey any, until time.Time) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	id := s.id()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: id},
		URIs: []*url.URL{{Scheme: "urn", Opaque: "verderer:sensor:" + id}}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if caCert == nil { // a CA that nobody knows
		caCert, caKey = &x509.Certificate{Subject: pkix.Name{CommonName: "somebody else"}}, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, caCert, &key.PublicKey, caKey)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: b}} {
		if err := os.WriteFile(filepath.Join(s.state, name), pem.EncodeToMemory(block), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// ca is the center's own authority.
func (c *center) ca() (*x509.Certificate, any) {
	c.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.dir, "data", "pki", "ca.crt"), filepath.Join(c.dir, "data", "pki", "ca.key"))
	if err != nil {
		c.t.Fatal(err)
	}
	return pair.Leaf, pair.PrivateKey
}

// TestCertificatesRefused: certificates that the center did not issue to a
// sensor, or no longer means.
func TestCertificatesRefused(t *testing.T) {
	t.Parallel()
	c, other := newCenter(t, "", ""), newCenter(t, "", "")
	c.start()
	c.login()
	other.start()
	cert, key := c.ca()
	ours := "connecting to " + c.sensors + ": "
	refused := 0
	for _, k := range []struct {
		name   string
		change func(*sensor)
		says   string // the sensor
		logs   string // the center; "": it sees nobody
	}{
		{"of another authority", func(s *sensor) { s.signed(nil, nil, time.Now().Add(time.Hour)) },
			ours + "the center hung up when it saw this sensor's certificate: unless it was just being stopped, it did not issue it, or was installed anew since: enrol this sensor again, with --force",
			"certificate signed by unknown authority"},
		{"expired", func(s *sensor) { s.signed(cert, key, time.Now().Add(-time.Hour)) },
			ours + "this sensor's certificate expired on " + time.Now().Add(-time.Hour).UTC().Format("2006-01-02"),
			"certificate has expired or is not yet valid"},
		{"not the one that was issued", func(s *sensor) { s.signed(cert, key, time.Now().Add(time.Hour)) },
			ours + "the center does not accept this sensor's certificate: was the sensor deleted there? Then enrol it again, with --force",
			"unknown or revoked"},
		{"the center is another one", func(s *sensor) {
			b, err := os.ReadFile(filepath.Join(other.dir, "data", "pki", "ca.crt"))
			if err == nil {
				err = os.WriteFile(filepath.Join(s.state, "ca.pem"), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, ours + "what answers there is not the center that this sensor was enrolled with", ""},
	} {
		s := c.enroll("--name", k.name)
		k.change(s)
		if code, out := s.run("check"); code != 1 || !strings.Contains(out, "\nverderer-sensor: "+k.says) {
			t.Errorf("%s: check: exit code %d\n%s\nwant 1 and: %s", k.name, code, out, k.says)
		}
		// One that runs says the same, and goes on trying.
		p := s.start(read([]string{attack(t)})...)
		within(t, k.name+": the sensor says why", func() bool { return p.says("Not connected to the center.", k.says) })
		if !p.running() {
			t.Errorf("%s: the sensor ended:\n%s", k.name, p.tail())
		}
		p.signal(9)
		if k.logs != "" {
			refused++
			within(t, k.name+": the center says why", func() bool {
				return c.process.says("connection of a sensor refused", k.logs, "from=127.0.0.1:", "certificate="+s.id())
			})
		}
		if l := c.sensorOf(s.id()); l.State != "never" || !strings.Contains(l.StateText, "has not connected yet") {
			t.Errorf("%s: the center shows %+v", k.name, l)
		}
	}
	// Whoever holds such a certificate may have renewed with a stolen key.
	within(t, "people are told of a certificate that was replaced", func() bool {
		_, ok := c.wrong("sensor-old-certificate")
		return ok
	})
	if n := int(c.figure("verderer_connections_refused_total")); n < 2*refused {
		t.Errorf("%d refused connections are counted, want %d or more", n, 2*refused)
	}
	if c.became("stored") != 0 {
		t.Error("something was stored")
	}
}

// TestAnothersName: a sensor that speaks as another is not heard.
func TestAnothersName(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "", "")
	c.start()
	c.login()
	a, b := c.enroll("--name", "a"), c.enroll("--name", "b")
	p := a.connect(c, false)
	batch := encode(t, 1, statements(t, attack(t), time.Now())...)
	for _, subject := range []string{wire.BatchSubject(b.id()), wire.HelloSubject(b.id()), wire.StatusSubject(b.id()), wire.RenewSubject(b.id()), "ingest", "$JS.API.INFO"} {
		if err := p.PublishRequest(subject, wire.InboxPrefix(p.id)+".x", batch); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-p.troubles:
			if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(subject)) {
				t.Errorf("%s: %v", subject, err)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s: the center does not mind", subject)
		}
	}
	if n := c.became("stored"); n != 0 {
		t.Errorf("%d batches were stored", n)
	}
	if l := c.sensorOf(b.id()); l.State != "never" {
		t.Errorf("the other one is shown as %+v", l)
	}
	if all := c.alerts(); len(all) != 0 {
		t.Errorf("alerts of it: %v", all)
	}
	// What it says of itself spoils nobody's figures.
	rows := []counter.Row{{Stage: "a", Name: "b", Count: 1}, {Stage: "a", Name: "b", Count: 2}, {Stage: "\n\"", Name: "\x1b", Count: -1}}
	if err := p.Publish(wire.StatusSubject(p.id), asJSON(t, wire.Status{Now: activity.Time(time.Now().UnixNano()), Counters: rows})); err != nil {
		t.Fatal(err)
	}
	within(t, "its counters are among the figures", func() bool { return c.figure("verderer_sensor_counter_total", "sensor="+p.id) != 0 })
	// Its own name is still its own.
	p.state(wire.Entry{Progress: activity.Time(time.Now().UnixNano())})
}

// TestOversized: batches that are larger than they may be, or become so.
func TestOversized(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "", "")
	c.start()
	c.login()
	s := c.enroll("--name", "large")
	p := s.connect(c, false)
	before := c.figure("process_resident_memory_bytes")
	noise := make([]byte, wire.MaxBatch+1)
	rand.Read(noise)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := enc.EncodeAll(make([]byte, 1<<30), nil)
	if len(bomb) > wire.MaxBatch {
		t.Fatalf("a bomb of %d bytes", len(bomb))
	}
	for _, k := range []struct {
		name  string
		batch []byte
		why   string
	}{
		{"above what may be sent", noise, fmt.Sprintf("%d bytes, more than %d", wire.MaxBatch+1, wire.MaxBatch)},
		{"1 GiB in few bytes", bomb, fmt.Sprintf("more than %d bytes", wire.MaxPlain)},
		{"noise", noise[:1000], ""},
	} {
		a := p.send(k.batch)
		if !a.Refused || a.Sequence != 0 || a.Why == "" || !strings.Contains(a.Why, k.why) {
			t.Errorf("%s: %+v, want a refusal that says %q", k.name, a, k.why)
		}
		t.Logf("%s: %s", k.name, a.Why)
		within(t, "health says so", func() bool {
			i, open := c.wrong("sensor-refused-batches")
			return open && i.Subject == s.id() && strings.Contains(i.Text, "Batches of sensor large were refused") && strings.Contains(i.Text, a.Why)
		})
	}
	if n := c.became("refused"); n != 3 {
		t.Errorf("%d refused batches are counted, want 3", n)
	}
	if grown := c.figure("process_resident_memory_bytes") - before; grown > 256<<20 {
		t.Errorf("the center grew by %.0f MiB", grown/(1<<20))
	}
	// The sensor is not shut out for it.
	p.state(wire.Entry{Progress: activity.Time(time.Now().UnixNano())})
	p.status(time.Now())
	within(t, "the sensor is shown with its refused batches", func() bool {
		return strings.Contains(c.sensorOf(s.id()).StateText, "3 batches will not be taken: ")
	})
	// What is larger still the client library does not even send: past it.
	raw := s.raw(c)
	fmt.Fprintf(raw, "CONNECT {}\r\nPUB %s %d\r\n", wire.BatchSubject(s.id()), 64<<20)
	raw.SetReadDeadline(time.Now().Add(30 * time.Second))
	if answer, err := io.ReadAll(raw); !bytes.Contains(answer, []byte("Maximum Payload Violation")) || os.IsTimeout(err) {
		t.Errorf("to a message of 64 MiB the center says %q, %v", answer, err)
	}
	if n := c.became("stored"); n != 1 {
		t.Errorf("%d batches are stored, want 1", n)
	}
}

// raw is a connection of a sensor on which anything may be written.
func (s *sensor) raw(c *center) *tls.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", c.sensors)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if _, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil { // before TLS the center names itself
		s.t.Fatal(err)
	}
	return tls.Client(conn, s.tls())
}

// TestClockAhead: what is stated ten minutes ahead of time raises no alert, holds
// nobody up, and is told of; the same in its time does raise one.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "", "")
	c.start()
	c.login()
	s := c.enroll("--name", "early")
	p := s.connect(c, false)
	const off = 10 * time.Minute
	ahead := statements(t, attack(t), time.Now().Add(off))
	p.status(time.Now().Add(off))
	p.state(ahead...)
	var i issue
	within(t, "health says that the clock is ahead", func() (open bool) {
		p.status(time.Now().Add(off))
		i, open = c.wrong("clock-ahead")
		return open
	})
	if i.Subject != s.id() || i.Severity != "high" || !strings.Contains(i.Text, "The clock of sensor early is more than 5 minutes ahead of the center's") || !strings.Contains(i.Remedy, "Correct the clock") {
		t.Errorf("%+v", i)
	}
	within(t, "the sensor is shown with its clock", func() bool {
		l := c.sensorOf(s.id())
		return l.State == "ahead" && strings.Contains(l.StateText, "Its clock is 9 minutes ahead") || strings.Contains(l.StateText, "Its clock is 10 minutes ahead")
	})
	if n := c.figure("verderer_counter_total", "stage=ingest", "name=activities quarantined: clock ahead of ingest time"); n == 0 {
		t.Error("nothing is counted as quarantined")
	}
	if n := c.figure("verderer_sensor_attached", "sensor="+s.id()); n != 0 {
		t.Error("the log waits for it")
	}
	if all := c.alerts(); len(all) != 0 {
		t.Errorf("alerts of what is ahead: %v", all)
	}
	// Somebody else is evaluated meanwhile: nothing waits for the one ahead.
	o := c.enroll("--name", "right").connect(c, false)
	o.status(time.Now())
	o.state(wire.Entry{Progress: activity.Time(time.Now().UnixNano())})
	o.state(statements(t, attack(t), time.Now())...)
	within(t, "the alert of the one whose clock is right", func() bool {
		o.state(wire.Entry{Progress: activity.Time(time.Now().UnixNano())})
		return len(c.alerts()) == 1
	})
	// And when its clock is set, all is well.
	p.status(time.Now())
	within(t, "the issue is gone", func() bool {
		p.status(time.Now())
		p.state(wire.Entry{Progress: activity.Time(time.Now().UnixNano())})
		_, open := c.wrong("clock-ahead")
		return !open && c.figure("verderer_sensor_attached", "sensor="+s.id()) == 1
	})
}

// TestDeletedSensor: a sensor that is deleted at the center is cut off at once
// and stays out.
func TestDeletedSensor(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "", "")
	c.start()
	c.login()
	s := c.enroll("--files", "--name", "gone")
	p := s.start(read([]string{attack(t)}, "--stay")...)
	within(t, "the sensor is connected", func() bool { return c.figure("verderer_sensor_connected", "sensor="+s.id()) == 1 })
	within(t, "its alert", func() bool { return len(c.alerts()) == 1 })
	c.must("DELETE", "sensors/"+s.id(), nil, nil)
	const why = "the center does not accept this sensor's certificate: was the sensor deleted there? Then enrol it again, with --force"
	within(t, "the sensor says why", func() bool { return p.says("Not connected to the center.", why) })
	if code, out := s.run("check"); code != 1 || !strings.Contains(out, why) {
		t.Errorf("check: exit code %d\n%s", code, out)
	}
	var list struct{ Sensors []listed }
	if c.must("GET", "sensors", nil, &list); len(list.Sensors) != 0 {
		t.Errorf("still listed: %+v", list.Sensors)
	}
	if err := c.call("GET", "sensors/"+s.id(), nil, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("asked for it: %v", err)
	}
	if a := c.audit(); !slices.ContainsFunc(a, func(a audited) bool {
		return a == audited{User: "admin", Action: "revokeSensor", Object: s.id(), Detail: "gone", OK: true}
	}) {
		t.Errorf("the audit log does not say who deleted it: %+v", a)
	}
	if i, open := c.wrong("sensor-silent"); open {
		t.Errorf("it is missed: %+v", i)
	}
	// Its alerts stay, and enrolled anew it is another sensor.
	if len(c.alerts()) != 1 {
		t.Error("its alert went with it")
	}
	p.signal(9)
	old := s.id()
	if code, out := s.run("enroll", "--center", c.console, "--key", c.accessKey(), "--force", "--files"); code != 0 || s.id() == old {
		t.Errorf("enrolled anew as %s, before %s: exit code %d\n%s", s.id(), old, code, out)
	}
	if code, out := s.run("check"); code != 0 || !strings.Contains(out, "it welcomes this sensor") {
		t.Errorf("check: exit code %d\n%s", code, out)
	}
}
