package ship

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
)

const (
	// ackTime is for the center to store a batch. A disk that is busy takes
	// seconds.
	ackTime = 30 * time.Second
	// maxUnanswered is after how many batches in a row without a good answer the
	// connection is given up.
	maxUnanswered = 3
	// firstWait and longestWait bound what a sensor waits before it connects
	// again, doubling each time. What it really waits is drawn between nothing
	// and that: a thousand sensors come back over a minute, not at once.
	firstWait   = 2 * time.Second
	longestWait = time.Minute
	// leastHold and mostHold are between which a batch is tried again that the
	// center could not store.
	leastHold, mostHold = 2 * time.Second, 10 * time.Second
	// maxSkew is how far the clocks of sensor and center may differ before it is
	// said. Beyond ingest's 5 minutes the center puts activities aside.
	maxSkew = 5 * time.Second
	// renewAgain is the least time between two renewals, whatever the center
	// says, and before one that failed is tried again.
	renewAgain = time.Hour
	// repeatLog is how often the same trouble is logged.
	repeatLog = 5 * time.Minute
)

// errRenewed ends a connection so that the next one shows the new certificate.
var errRenewed = errors.New("the certificate was renewed")

// Sender brings the batches of a spool to the center, in order, and each again
// until it is acknowledged.
type Sender struct {
	Identity *Identity
	Spool    *Spool
	Log      *slog.Logger
	Version  string // of the program
	Files    bool   // the sensor reads files
	// Status is asked every 5 s from another goroutine; Now and Spool are
	// filled in.
	Status func() wire.Status
	// TagKeys gets the keys that the center gives, from another goroutine; nil:
	// nobody.
	TagKeys func([]wire.TagKey)

	ackTimeout time.Duration

	renewed time.Time // when that was tried last
	attempt int       // connections since the last one that was welcome
	trouble string    // what was logged last, and when
	logged  time.Time
}

// Run sends until ctx ends, connecting again for ever. The error is nil then;
// otherwise it is of the spool's file.
func (s *Sender) Run(ctx context.Context) error {
	s.ackTimeout = cmp.Or(s.ackTimeout, ackTime)
	for {
		pair := s.Identity.pairs[s.attempt%len(s.Identity.pairs)]
		s.attempt++
		err := s.session(ctx, pair)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errSpool):
			return err
		case errors.Is(err, errRenewed):
			continue
		}
		wait := backoff(s.attempt)
		s.complain("Not connected to the center.", err, "again", wait.Round(time.Second))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// errSpool wraps errors that no other connection helps against.
var errSpool = errors.New("the spool")

func spoolError(err error) error { return fmt.Errorf("%w: %w", errSpool, err) }

// backoff is how long to wait after a number of attempts in a row.
func backoff(attempt int) time.Duration {
	most := longestWait
	if attempt < 6 {
		most = min(most, firstWait<<max(attempt-1, 0))
	}
	return rand.N(most)
}

// complain logs trouble, and what has been said already only now and then.
func (s *Sender) complain(message string, err error, more ...any) {
	text := message + err.Error()
	if text == s.trouble && time.Since(s.logged) < repeatLog {
		return
	}
	s.trouble, s.logged = text, time.Now()
	s.Log.Warn(message, append([]any{"error", err}, more...)...)
}

// session is one connection, from Hello until it ends. The error says why.
func (s *Sender) session(ctx context.Context, p pair) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l, err := dial(ctx, s.Identity, p, s.Log)
	if err != nil {
		return err
	}
	defer l.conn.Close()
	go func() {
		select {
		case <-l.closed:
			if err := l.conn.LastError(); err != nil {
				cancel(fmt.Errorf("the connection was cut: %w", err))
			} else {
				cancel(errors.New("the connection was cut"))
			}
		case <-ctx.Done():
		}
	}()
	w, err := s.hello(ctx, l)
	if err != nil {
		return cause(ctx, err)
	}
	if err := s.Identity.settle(p); err != nil {
		s.Log.Error("The renewed certificate cannot be put into its place.", "error", err)
	}
	if err := s.Spool.Resume(w.Sequence); err != nil {
		return spoolError(err)
	}
	s.Log.Info("Connected to the center.", "address", s.Identity.Address, "stored", w.Sequence, "unsent", s.Spool.Status().Batches)
	s.attempt, s.trouble = 0, ""
	var side sync.WaitGroup
	defer side.Wait()
	defer cancel(nil)
	side.Go(func() { s.report(ctx, l) })
	side.Go(func() {
		if err := s.upkeep(ctx, l, w); err != nil {
			cancel(err)
		}
	})
	return s.send(ctx, l)
}

// cause is why ctx ended, or err when it has not.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// hello says Hello and takes what Welcome brings.
func (s *Sender) hello(ctx context.Context, l *link) (wire.Welcome, error) {
	w, skew, err := l.hello(ctx, wire.Hello{Version: s.Version, Spool: s.Spool.ID(), Files: s.Files})
	if err != nil {
		return w, err
	}
	if skew.Abs() > maxSkew {
		s.Log.Warn("The clocks of this computer and of the center differ. Times are kept as they are here.", "centerAhead", skew.Round(time.Millisecond))
	}
	if s.TagKeys != nil && len(w.TagKeys) > 0 {
		s.TagKeys(w.TagKeys)
	}
	return w, nil
}

// send sends batches, one under way at a time, until the connection ends.
func (s *Sender) send(ctx context.Context, l *link) error {
	at, unanswered := s.Spool.Acked(), 0
	for {
		seq, batch, err := s.Spool.Next(ctx, at)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		} else if err != nil {
			return spoolError(err)
		}
		var ack wire.Ack
		err = l.ask(ctx, wire.BatchSubject(l.id), batch, s.ackTimeout, &ack)
		wait := time.Duration(0)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			if unanswered++; unanswered >= maxUnanswered {
				return fmt.Errorf("sending batch %d: %w", seq, err)
			}
			wait = backoff(unanswered)
		case ack.Refused:
			s.Log.Error("The center will not have a batch. It is dropped.", "sequence", seq, "why", ack.Why)
			if err := s.Spool.CountRefused(seq); err != nil {
				return spoolError(err)
			}
			at, unanswered = seq, 0
		case ack.Hold:
			s.complain("The center cannot store what is sent. It stays in the spool.", errors.New(ack.Why))
			unanswered = 0
			wait = leastHold + rand.N(mostHold-leastHold)
		case ack.Sequence > seq:
			// It never had more of us than this: somebody sends under our numbers,
			// and what is unsent would pass for repeats.
			if err := s.Spool.Copied(); err != nil {
				return spoolError(err)
			}
			at, unanswered = s.Spool.Acked(), 0
		case ack.Sequence == seq:
			if err := s.Spool.MarkAcked(seq); err != nil {
				return spoolError(err)
			}
			at, unanswered = seq, 0
		default:
			// It lacks what comes before: go back to that, where it is kept.
			if err := s.Spool.Resume(ack.Sequence); err != nil {
				return spoolError(err)
			}
			if unanswered++; unanswered >= maxUnanswered {
				return fmt.Errorf("sending batch %d: the center goes on answering that it has none after %d", seq, ack.Sequence)
			}
			at, wait = ack.Sequence, backoff(unanswered)
		}
		if wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}
}

// report sends the sensor's status, now and every wire.StatusEvery.
func (s *Sender) report(ctx context.Context, l *link) {
	tick := time.NewTicker(wire.StatusEvery)
	defer tick.Stop()
	for {
		s.reportOnce(l)
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.reportOnce(l) // the last word, where it still goes through
			return
		}
	}
}

func (s *Sender) reportOnce(l *link) {
	st := s.Status()
	st.Now = activity.Time(time.Now().UnixNano())
	st.Spool = s.Spool.Status()
	b, err := json.Marshal(st)
	if err == nil {
		err = l.conn.Publish(wire.StatusSubject(l.id), b)
	}
	if err != nil && !l.conn.IsClosed() {
		s.Log.Error("The status cannot be sent.", "error", err)
	}
}

// upkeep says Hello now and then, and renews the certificate when it is time.
// The error ends the connection.
func (s *Sender) upkeep(ctx context.Context, l *link, w wire.Welcome) error {
	tick := time.NewTicker(wire.HelloEvery)
	defer tick.Stop()
	for {
		if now := time.Now(); (w.Renew || s.Identity.due(now)) && now.Sub(s.renewed) > renewAgain {
			s.renewed = now
			err := s.renew(ctx, l)
			if err == nil {
				return errRenewed
			}
			if ctx.Err() == nil {
				s.Log.Error("The certificate cannot be renewed. Trying again later.", "error", err, "expires", s.Identity.Expires())
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		var err error
		var refused *RefusedError
		if w, err = s.hello(ctx, l); errors.As(err, &refused) {
			return err
		} else if err != nil && ctx.Err() == nil {
			s.Log.Warn("The center does not answer.", "error", err)
		}
	}
}

// renew gets a certificate for a new key.
func (s *Sender) renew(ctx context.Context, l *link) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	csr, err := request(key)
	if err != nil {
		return err
	}
	body, err := json.Marshal(wire.Renewal{CSR: csr})
	if err != nil {
		return err
	}
	var answer wire.Renewed
	if err := l.ask(ctx, wire.RenewSubject(l.id), body, answerTimeout, &answer); err != nil {
		return err
	}
	if answer.Refused != "" {
		return &RefusedError{answer.Refused}
	}
	ca, err := x509.ParseCertificates(answer.CA)
	if err != nil {
		return fmt.Errorf("reading the center's CA: %w", err)
	}
	trusted := ca
	if len(ca) == 0 {
		trusted = s.Identity.ca
	}
	cert, err := issued(answer.Certificate, key, trusted)
	if err != nil {
		return err
	}
	if err := s.Identity.add(key, cert, ca); err != nil {
		return fmt.Errorf("keeping the certificate: %w", err)
	}
	s.Log.Info("The certificate was renewed.", "expires", cert.NotAfter)
	return nil
}
