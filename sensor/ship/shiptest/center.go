// Package shiptest plays a center for tests of the sensor: it enrols over HTTPS,
// and takes batches over NATS with mutual TLS, with the permissions that a real
// one gives. It forgets, holds, refuses and loses what a test tells it to.
package shiptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
)

// Sensor is the id that the center gives to whoever enrols.
const Sensor = "sensor-1"

// Secret stands in the access key.
const Secret = "secret"

// Center is a center. Its fields may be set before it is used; the functions are
// called with no lock held.
type Center struct {
	Enrol   *httptest.Server
	Address string // host:port of the sensor port, the same after Restart

	// Batch says what becomes of the nth batch that came, from 1. nil stores.
	Batch func(n int, b *wire.Batch) Fate
	// Life of the certificates that it issues; 0 is an hour.
	Life time.Duration
	// Welcome changes what Hello is answered; nil: nothing.
	Welcome func(*wire.Welcome)

	t      testing.TB
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	server *server.Server
	conn   *nats.Conn

	mu       sync.Mutex
	came     int
	stored   []*wire.Batch
	last     map[uint64]uint64 // by spool
	hellos   []wire.Hello
	statuses []wire.Status
	revoked  map[string]bool // serials
	serials  []string        // that were used, in the order of their connections
	violated []string        // subjects that a sensor had no right to
}

// Fate is what becomes of a batch.
type Fate int

// The fates.
const (
	Store     Fate = iota
	LoseAck        // stored, and no answer comes
	Lose           // neither
	Hold           // for now
	Refuse         // for good
	Cut            // stored, and every connection is cut instead of an answer
	CutBefore      // not stored, and cut
)

// NewCenter starts one that ends with the test.
func NewCenter(t testing.TB) *Center {
	t.Helper()
	c := &Center{t: t, last: make(map[uint64]uint64), revoked: make(map[string]bool)}
	c.caKey, c.ca = CA(t)
	c.Enrol = httptest.NewUnstartedServer(http.HandlerFunc(c.enrol))
	c.Enrol.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.certificate(time.Hour)}}
	c.Enrol.StartTLS()
	t.Cleanup(c.Enrol.Close)
	c.Start()
	t.Cleanup(c.Stop)
	return c
}

// Key is an access key of this center.
func (c *Center) Key() string { return Key(c.ca, Secret) }

// Key makes an access key of a CA.
func Key(ca *x509.Certificate, secret string) string {
	sum := sha256.Sum256(ca.Raw)
	return "vk1-key1-" + secret + "-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))
}

// CA makes a certificate authority.
func CA(t testing.TB) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true}
	return key, sign(t, tmpl, tmpl, &key.PublicKey, key)
}

// Certificate makes the center a certificate for 127.0.0.1 that ends after some
// time, with its CA.
func (c *Center) certificate(life time.Duration) tls.Certificate {
	key := newKey(c.t)
	cert := sign(c.t, &x509.Certificate{SerialNumber: serial(), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, c.ca, &key.PublicKey, c.caKey)
	return tls.Certificate{Certificate: [][]byte{cert.Raw, c.ca.Raw}, PrivateKey: key}
}

// issue signs the key of a request.
func (c *Center) issue(csr []byte) (der []byte, err error) {
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, err
	}
	life := c.Life
	if life == 0 {
		life = time.Hour
	}
	now := time.Now()
	cert := sign(c.t, &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: Sensor}, NotBefore: now.Add(-life / 10), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, c.ca, req.PublicKey, c.caKey)
	return cert.Raw, nil
}

func (c *Center) enrol(w http.ResponseWriter, r *http.Request) {
	var e wire.Enrolment
	if r.URL.Path != "/api/v1/enrol" || json.NewDecoder(r.Body).Decode(&e) != nil || !strings.Contains(e.Key, "-"+Secret+"-") {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"status":403,"code":"access-key","detail":"The key expired.\u001b[2J"}`)
		return
	}
	der, err := c.issue(e.CSR)
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	json.NewEncoder(w).Encode(wire.Enrolled{ID: Sensor, Certificate: der, CA: c.ca.Raw, Address: c.Address})
}

// Start opens the sensor port, at the same address as before.
func (c *Center) Start() {
	c.t.Helper()
	port := -1
	if c.Address != "" {
		_, text, _ := net.SplitHostPort(c.Address)
		fmt.Sscan(text, &port)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c.ca)
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true, MaxPayload: 1 << 20,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
			Certificates: []tls.Certificate{c.certificate(time.Hour)}},
		TLSTimeout:                 5,
		CustomClientAuthentication: (*gate)(c),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		c.t.Fatal("the center does not start")
	}
	c.Address = s.Addr().String()
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.server, c.conn = s, conn
	c.mu.Unlock()
	for subject, answer := range map[string]func([]byte) any{
		wire.HelloSubject(Sensor): c.hello, wire.BatchSubject(Sensor): c.batch,
		wire.StatusSubject(Sensor): c.status, wire.RenewSubject(Sensor): c.renew,
	} {
		_, err := conn.Subscribe(subject, func(m *nats.Msg) {
			a := answer(m.Data)
			if a == nil || m.Reply == "" {
				return
			}
			if !strings.HasPrefix(m.Reply, wire.InboxPrefix(Sensor)+".") {
				c.violate("an answer to " + m.Reply)
			}
			b, _ := json.Marshal(a)
			m.Respond(b)
		})
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if err := conn.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// Stop closes the sensor port.
func (c *Center) Stop() {
	c.mu.Lock()
	s, conn := c.server, c.conn
	c.server, c.conn = nil, nil
	c.mu.Unlock()
	if s != nil {
		conn.Close()
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// gate lets sensors in, each into its own subjects.
type gate Center

// Check implements server.Authentication.
func (g *gate) Check(client server.ClientAuthentication) bool {
	state := client.GetTLSConnectionState()
	if state == nil {
		return client.RemoteAddress() == nil || client.RemoteAddress().Network() == "pipe" // the center itself
	}
	cert := state.PeerCertificates[0]
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serials = append(g.serials, cert.SerialNumber.String())
	if g.revoked[cert.SerialNumber.String()] {
		return false
	}
	id := cert.Subject.CommonName
	client.RegisterUser(&server.User{Username: id, Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"sensor." + id + ".*"}},
		Subscribe: &server.SubjectPermission{Allow: []string{wire.InboxPrefix(id) + ".>"}},
	}})
	return true
}

func (c *Center) violate(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violated = append(c.violated, what)
}

func (c *Center) hello(b []byte) any {
	var h wire.Hello
	if err := json.Unmarshal(b, &h); err != nil {
		c.violate("a Hello: " + err.Error())
	}
	c.mu.Lock()
	c.hellos = append(c.hellos, h)
	w := wire.Welcome{Now: activity.Time(time.Now().UnixNano()), Sequence: c.last[h.Spool]}
	c.mu.Unlock()
	if c.Welcome != nil {
		c.Welcome(&w)
	}
	return w
}

func (c *Center) batch(data []byte) any {
	b, err := wire.Decode(data)
	if err != nil {
		c.violate("a batch: " + err.Error())
		return wire.Ack{Refused: true, Why: err.Error()}
	}
	c.mu.Lock()
	c.came++
	n := c.came
	c.mu.Unlock()
	fate := Store
	if c.Batch != nil {
		fate = c.Batch(n, b)
	}
	switch fate {
	case Hold:
		return wire.Ack{Hold: true, Why: "the disk is full"}
	case Refuse:
		return wire.Ack{Refused: true, Why: "it is not to be believed"}
	case Lose:
		return nil
	}
	if fate != CutBefore {
		c.store(b)
	}
	switch fate {
	case LoseAck:
		return nil
	case Cut, CutBefore:
		c.Cut()
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return wire.Ack{Sequence: c.last[b.Spool]}
}

// store keeps a batch, once.
func (c *Center) store(b *wire.Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.Sequence <= c.last[b.Spool] {
		return
	}
	c.last[b.Spool] = b.Sequence
	c.stored = append(c.stored, b)
}

func (c *Center) status(b []byte) any {
	var s wire.Status
	if err := json.Unmarshal(b, &s); err != nil {
		c.violate("a status: " + err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statuses = append(c.statuses, s)
	return nil
}

func (c *Center) renew(b []byte) any {
	var r wire.Renewal
	if err := json.Unmarshal(b, &r); err != nil {
		return wire.Renewed{Refused: err.Error()}
	}
	der, err := c.issue(r.CSR)
	if err != nil {
		return wire.Renewed{Refused: err.Error()}
	}
	return wire.Renewed{Certificate: der, CA: c.ca.Raw}
}

// Cut ends every connection of a sensor.
func (c *Center) Cut() {
	c.mu.Lock()
	s := c.server
	c.mu.Unlock()
	if s == nil {
		return
	}
	list, err := s.Connz(&server.ConnzOptions{Username: true})
	if err != nil {
		return
	}
	for _, conn := range list.Conns {
		if conn.TLSVersion != "" {
			s.DisconnectClientByID(conn.Cid)
		}
	}
}

// Revoke lets no connection in any more that shows a certificate which was shown so far.
func (c *Center) Revoke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.serials {
		c.revoked[s] = true
	}
}

// Forget makes the center one that was restored from a backup: of what it stored
// it has only the first n batches.
func (c *Center) Forget(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored = c.stored[:n]
	clear(c.last)
	for _, b := range c.stored {
		c.last[b.Spool] = b.Sequence
	}
}

// Entries are the statements stored, in order.
func (c *Center) Entries() (list []wire.Entry) {
	for _, b := range c.Stored() {
		list = append(list, b.Entries...)
	}
	return list
}

// Stored are the batches stored, in order.
func (c *Center) Stored() []*wire.Batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*wire.Batch(nil), c.stored...)
}

// Came is how many batches came, repeats included.
func (c *Center) Came() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.came
}

// Hellos are those that came.
func (c *Center) Hellos() []wire.Hello {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]wire.Hello(nil), c.hellos...)
}

// Statuses are those that came.
func (c *Center) Statuses() []wire.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]wire.Status(nil), c.statuses...)
}

// Serials are those of the certificates shown, in the order of connections.
func (c *Center) Serials() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.serials...)
}

// Violations are what a sensor sent that no sensor may.
func (c *Center) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.violated...)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100)) // never fails
	return n
}

func sign(t testing.TB, tmpl, parent *x509.Certificate, pub, key any) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
