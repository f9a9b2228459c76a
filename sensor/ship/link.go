package ship

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/names"
)

const (
	// dialTimeout is for TCP, TLS and NATS to agree on a connection.
	dialTimeout = 15 * time.Second
	// pingEvery and maxPings find out that a connection is dead within 30 s: a
	// firewall forgot it, or the center's machine is gone.
	pingEvery = 10 * time.Second
	maxPings  = 2
	// answerTimeout is for the center to answer anything but a batch.
	answerTimeout = 10 * time.Second
	// maxAnswerJSON caps an answer: a Renewed with some certificates.
	maxAnswerJSON = 256 << 10
)

// link is one connection to the center.
type link struct {
	conn   *nats.Conn
	id     string
	closed chan struct{} // closed when the connection has ended, for whatever reason
}

// dial connects with one pair of key and certificate.
func dial(ctx context.Context, id *Identity, p pair, log *slog.Logger) (*link, error) {
	l := &link{id: id.ID, closed: make(chan struct{})}
	ctx, connected := context.WithCancelCause(ctx)
	defer connected(errConnected)
	var met atomic.Bool // it is the center that answers
	config := id.config(p)
	config.VerifyConnection = func(tls.ConnectionState) error {
		met.Store(true)
		return nil
	}
	conn, err := nats.Connect("tls://"+id.Address,
		nats.Name(id.ID),
		nats.Secure(config),
		nats.CustomInboxPrefix(wire.InboxPrefix(id.ID)),
		// Reconnecting is the sender's: it begins with Hello, and maybe with
		// another certificate.
		nats.NoReconnect(),
		nats.IgnoreDiscoveredServers(),
		nats.SetCustomDialer(dialer{ctx}),
		nats.Timeout(dialTimeout),
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(maxPings),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			// Others end the connection, which says so itself.
			if errors.Is(err, nats.ErrPermissionViolation) {
				log.Error("The center does not let this sensor do what it must.", "error", err)
			}
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(l.closed) }),
	)
	if err != nil {
		return nil, explainDial(id, p, err, met.Load())
	}
	l.conn = conn
	return l, nil
}

// errConnected ends the context of dialing when the connection is made.
var errConnected = errors.New("connected")

// dialer makes TCP connections that end with a context, but for errConnected.
type dialer struct{ ctx context.Context }

// Dial implements nats.CustomDialer.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(d.ctx, network, address)
	if err == nil {
		context.AfterFunc(d.ctx, func() {
			if context.Cause(d.ctx) != errConnected {
				c.Close()
			}
		})
	}
	return c, err
}

// explainDial says for people why a connection did not come about. met says that
// it was the center that answered: it had looked at the sensor's certificate
// when the connection ended.
func explainDial(id *Identity, p pair, err error, met bool) error {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	now := time.Now()
	switch {
	case now.After(p.leaf.NotAfter):
		return fmt.Errorf("connecting to %s: this sensor's certificate expired on %s: enrol it again, with --force (%w)", id.Address, clockText(p.leaf.NotAfter), err)
	case now.Before(p.leaf.NotBefore):
		return fmt.Errorf("connecting to %s: this sensor's certificate is valid from %s, and it is %s on this computer: set its clock (%w)",
			id.Address, clockText(p.leaf.NotBefore), clockText(now), err)
	case errors.As(err, &unknown):
		return fmt.Errorf("connecting to %s: what answers there is not the center that this sensor was enrolled with: %w", id.Address, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("connecting to %s: the center's certificate is valid from %s to %s, and it is %s on this computer: set its clock, or look at the center's",
			id.Address, clockText(invalid.Cert.NotBefore), clockText(invalid.Cert.NotAfter), clockText(now))
	case errors.As(err, &name):
		return fmt.Errorf("connecting to %s: the center's certificate is not for that name: %w", id.Address, err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("connecting to %s: the center does not accept this sensor's certificate: was the sensor deleted there? Then enrol it again, with --force (%w)", id.Address, err)
	case met && errors.Is(err, nats.ErrTLS), met && isAlert(err):
		// In TLS 1.3 a client's certificate is refused after the handshake, and
		// the alert that says so may be lost with the connection.
		return fmt.Errorf("connecting to %s: the center hung up when it saw this sensor's certificate: unless it was just being stopped, it did not issue it, or was installed anew since: enrol this sensor again, with --force (%w)", id.Address, err)
	}
	return fmt.Errorf("connecting to %s: %w", id.Address, err)
}

// isAlert tells that the other side ended TLS and said so.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// ask sends a request and reads the JSON that answers it.
func (l *link) ask(ctx context.Context, subject string, body []byte, timeout time.Duration, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m, err := l.conn.RequestWithContext(ctx, subject, body)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return errors.New("the center is up and does not take what sensors send, for now")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", timeout)
	case err != nil:
		return err
	}
	return readAnswer(m.Data, answer)
}

// readAnswer reads what a center answered.
func readAnswer(b []byte, to any) error {
	if len(b) > maxAnswerJSON {
		return fmt.Errorf("reading the center's answer: %d bytes, more than %d", len(b), maxAnswerJSON)
	}
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("reading the center's answer: %w", err)
	}
	return nil
}

// A RefusedError says that the center will have nothing of this sensor.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string {
	return "the center refuses this sensor: " + names.Display(e.Why)
}

// hello introduces the sensor. skew is how far the center's clock is ahead.
func (l *link) hello(ctx context.Context, h wire.Hello) (w wire.Welcome, skew time.Duration, err error) {
	h.Protocol, h.OS = wire.Version, Platform()
	h.Host, _ = os.Hostname() // "" says that it has none
	body, err := json.Marshal(h)
	if err != nil {
		return w, 0, err
	}
	sent := time.Now()
	if err := l.ask(ctx, wire.HelloSubject(l.id), body, answerTimeout, &w); err != nil {
		return w, 0, fmt.Errorf("introducing this sensor to the center: %w", err)
	}
	if w.Refused != "" {
		return w, 0, &RefusedError{w.Refused}
	}
	middle := sent.Add(time.Since(sent) / 2)
	return w, w.Now.Sub(activity.Time(middle.UnixNano())), nil
}
