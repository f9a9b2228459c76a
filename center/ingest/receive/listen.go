package receive

import (
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/ingest/journal"
)

// listen starts the server that sensors connect to. It is not the journal's:
// it has no JetStream and no system account that anybody could reach.
func (r *Receiver) listen() (err error) {
	defer func() {
		r.closed.Store(err != nil)
		close(r.ready)
	}()
	host, port, err := net.SplitHostPort(r.cfg.Listen)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("port %q: %w", port, err)
	}
	o := &server.Options{
		ServerName:      "verderer-sensors",
		Host:            host,
		Port:            int(n),
		NoSystemAccount: true,
		// Headers carry message tracing and other requests to the server that
		// sensors have no use for.
		NoHeaderSupport:            true,
		CustomClientAuthentication: authentication{r},
		TLSConfig:                  r.tls(),
		TLSTimeout:                 10, // seconds; a sensor may be far away, or its CPU busy
		AuthTimeout:                15, // seconds, with the handshake
		MaxConn:                    maxConnections + 2,
		MaxSubs:                    16,   // a sensor needs its inbox, we one
		MaxControlLine:             1024, // the longest of ours: a subject and an inbox
		MaxPayload:                 wire.MaxBatch + 4<<10,
		MaxPending:                 32 << 20, // to one connection: of batches to ours
		WriteDeadline:              5 * time.Second,
		PingInterval:               20 * time.Second, // a sensor that vanished is known in a minute
		MaxPingsOut:                2,
		MaxClosedClients:           100,
	}
	if n == 0 {
		o.Port = server.RANDOM_PORT
	}
	r.token = rand.Text()
	if r.server, err = journal.StartServer(o, r.cfg.Log); err != nil {
		return err
	}
	// The connection can be lost if this process had no CPU for long; sensors
	// that got no answer ask again.
	r.conn, err = nats.Connect("", nats.InProcessServer(r.server), nats.Token(r.token),
		nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.ErrorHandler(r.trouble))
	if err == nil {
		var sub *nats.Subscription
		if sub, err = r.conn.Subscribe("sensor.>", r.dispatch); err == nil {
			err = errors.Join(sub.SetPendingLimits(2*maxConnections, maxWaiting), r.conn.Flush())
		}
	}
	if err != nil {
		r.server.Shutdown()
		return fmt.Errorf("connecting to the embedded server: %w", err)
	}
	return nil
}

func (r *Receiver) trouble(_ *nats.Conn, sub *nats.Subscription, err error) {
	r.cfg.Log.Warn("messages of sensors were dropped: they will ask again", "error", err)
}

// tls is what the server shows and asks for.
func (r *Receiver) tls() *tls.Config {
	base := r.cfg.TLS.Clone()
	base.MinVersion = tls.VersionTLS13
	// The certificate is checked in verify, which knows from where it came and
	// says so.
	base.ClientAuth = tls.RequireAnyClientCert
	// A resumed session would outlive its certificate.
	base.SessionTicketsDisabled = true
	top := base.Clone()
	top.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c := base.Clone()
		from := hello.Conn.RemoteAddr()
		c.VerifyConnection = func(cs tls.ConnectionState) error { return r.verify(cs.PeerCertificates[0], from) }
		return c, nil
	}
	return top
}

// verify checks that our CA made the certificate, for a client, and that it is
// valid now.
func (r *Receiver) verify(cert *x509.Certificate, from net.Addr) error {
	_, err := cert.Verify(x509.VerifyOptions{
		Roots:       r.cfg.CAPool(),
		CurrentTime: r.cfg.Now(),
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		r.refuse(cert, from, err.Error())
	}
	return err
}

// refuse logs and counts a connection that was refused.
func (r *Receiver) refuse(cert *x509.Certificate, from net.Addr, why string) {
	r.mu.Lock()
	r.stats.Refusals++
	r.mu.Unlock()
	r.warn("connection of a sensor refused", "why", clip(why), "from", from.String(),
		"certificate", clip(cert.Subject.CommonName), "serial", clip(fmt.Sprintf("%032x", cert.SerialNumber)),
		"issuer", clip(cert.Issuer.CommonName))
}

// warn logs what somebody outside has caused, but no flood of it.
func (r *Receiver) warn(message string, args ...any) {
	if !r.limit.Allow() {
		r.unsaid.Add(1)
		return
	}
	if n := r.unsaid.Swap(0); n > 0 {
		args = append(args, "lines_left_out", n)
	}
	r.cfg.Log.Warn(message, args...)
}

// authentication decides who a connection is.
type authentication struct{ r *Receiver }

// Check is called once for each connection, when the handshake is done.
func (a authentication) Check(c server.ClientAuthentication) bool {
	r := a.r
	state := c.GetTLSConnectionState()
	if state == nil { // in this process: the server takes nothing but TLS from outside
		ours := subtle.ConstantTimeCompare([]byte(c.GetOpts().Token), []byte(r.token)) == 1
		return ours
	}
	<-r.ready
	if len(state.PeerCertificates) == 0 || r.closed.Load() {
		return false
	}
	cert, from := state.PeerCertificates[0], c.RemoteAddress()
	id, ok := r.cfg.Authenticate(cert)
	if !ok {
		r.refuse(cert, from, "unknown or revoked")
		return false
	}
	if !validID(id) {
		r.refuse(cert, from, "its id is not one that can stand in a subject")
		return false
	}
	if !r.connect(id, c.GetID()) {
		r.refuse(cert, from, fmt.Sprintf("%d connections of this sensor are open", maxOfSensor))
		return false
	}
	// Again, now that Disconnect would find the connection: it may have been
	// revoked in between.
	if again, ok := r.cfg.Authenticate(cert); !ok || again != id {
		r.refuse(cert, from, "revoked just now")
		return false
	}
	c.RegisterUser(&server.User{
		Username: id,
		Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{
				wire.HelloSubject(id), wire.BatchSubject(id), wire.StatusSubject(id), wire.RenewSubject(id),
			}},
			Subscribe: &server.SubjectPermission{Allow: []string{wire.InboxPrefix(id) + ".>"}},
		},
		ConnectionDeadline: time.Now().Add(cert.NotAfter.Sub(r.cfg.Now())),
	})
	return true
}

// validID tells whether an id can stand in a subject and means itself alone.
func validID(id string) bool {
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(id) >= 1 && len(id) <= 64
}

// connect notes a connection of a sensor, unless it has too many.
func (r *Receiver) connect(id string, conn uint64) bool {
	name, purpose := r.cfg.Name(id), ""
	if r.cfg.Enrolled != nil {
		if files, ok := r.cfg.Enrolled(id); ok {
			purpose = purposeOf(files)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sensor(id)
	s.name, s.purpose = name, purpose
	r.connected(s)
	if len(s.conns) >= maxOfSensor {
		return false
	}
	s.conns = append(s.conns, conn)
	s.gone = false
	return true
}

// connected forgets a sensor's connections that are closed, and tells whether
// one is left. mu is held.
func (r *Receiver) connected(s *sensor) bool {
	s.conns = slices.DeleteFunc(s.conns, func(c uint64) bool { return r.server.GetClient(c) == nil })
	return len(s.conns) > 0
}
