// Package receive is the center's end of the sensors' connections: it knows who
// speaks by the certificate, checks what is sent, has it stored in the journal,
// and only then acknowledges it. It decides which sensors the log waits for.
//
// A sensor is believed under its own name and no other. It costs the center one
// batch at a time, whatever it sends.
package receive

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest/journal"
)

// Config of a Receiver. Functions may be called from any goroutine.
type Config struct {
	Listen string      // host:port; port 0 is any
	TLS    *tls.Config // the center's certificate; what is asked of sensors is added
	// CAPool holds the CAs whose certificates sensors may show. It is asked at
	// every connection, so that a CA can be replaced.
	CAPool func() *x509.CertPool
	// Authenticate tells whose certificate that is; not ok when it is revoked or
	// nobody's. That the CA signed it and that it is valid now was checked.
	Authenticate func(*x509.Certificate) (id string, ok bool)
	Journal      *journal.Journal
	// Enrolled tells whether a sensor is enrolled, and whether to read files; nil:
	// all are, for what they say. One that does something else is refused: whether
	// the log has its time or the present's is not its to choose.
	Enrolled func(id string) (files, ok bool)
	// Sensors as of the end of the journal. Those that are not enrolled any more
	// are detached and forgotten.
	Sensors map[string]Known
	TagKeys func() []wire.TagKey
	// Renew signs a request. An error's text goes to the sensor.
	Renew   func(id string, csr []byte) (wire.Renewed, error)
	Health  *health.Registry
	Name    func(id string) string // what people call a sensor; nil: its id
	Changed func(id string)        // States has news of a sensor; also before New has returned; nil: nobody asks
	Now     func() time.Time       // nil: time.Now
	Log     *slog.Logger
}

// Known is what the journal says of a sensor.
type Known struct {
	Attached bool
	Files    bool
	Spool    uint64
	Sequence uint64        // the last batch of Spool that is stored
	Clock    activity.Time // its progress
}

// State is how a sensor is, as far as the center can tell.
type State struct {
	Connected     bool
	Attached      bool // the log waits for it
	Files         bool // reads files
	Hello         wire.Hello
	Status        wire.Status
	LastSeen      activity.Time // the last word of it since the center started; 0 none
	Clock         activity.Time // its progress as stored
	Ahead         bool          // its clock is ahead by more than ingest.MaxAhead: it is never attached
	Behind        bool          // connected, and its progress is too old for others to wait for
	Holding       bool          // its last batch could not be stored yet
	HoldWhy       string
	Skew          time.Duration // its clock minus the center's
	FirstPacket   activity.Time // when the center first heard of a packet or event, since it started
	FirstActivity activity.Time // when the center first stored an activity, since it started
	Batches       int64         // stored
	Refused       int64         // batches that will never be stored
	RefusedWhy    string        // of the last one
	Lost          int64         // sequences that were skipped: batches the sensor no longer had
}

// Stats counts since New.
type Stats struct {
	Connections int   // open
	Refusals    int64 // connections refused: no valid certificate, or too many
	Hellos      int64
	Statuses    int64
	Renewals    int64
	Accepted    int64 // batches stored
	Repeated    int64 // batches acknowledged that were stored before
	Copies      int64 // batches that were others than those stored under their sequences
	Lost        int64 // sequences skipped
	Refused     map[string]int64
	Held        map[string]int64
	Ignored     map[string]int64 // messages without an answer
	Waiting     int64            // bytes of batches under way
}

// maxConnections in all: a thousand sensors, with some reconnecting while
// their old connection is not known to be dead. Tests set a smaller one.
var maxConnections = 4000

const (
	// maxOfSensor caps the connections of one sensor.
	maxOfSensor = 4
	// maxWaiting caps the bytes of batches under way, as sent: 1,000 sensors
	// that reconnect at once with a batch of 64 KiB. Who comes later is told to
	// wait.
	maxWaiting = 64 << 20
	// maxStatus caps a Hello, Status or Renewal. The largest is a Status with its counters,
	// some 10 KiB. It is kept for every sensor.
	maxStatus = 64 << 10
	// decoders run at once. One batch may take 15 times wire.MaxPlain while it
	// is decoded, so this is not left to the number of cores. Two decode some
	// thousand batches of 64 KiB in a second.
	decoders = 2
	// tickEvery is how often silence and lag are looked for.
	tickEvery = 250 * time.Millisecond
)

// Receiver answers sensors. Its methods may be called from any goroutine.
type Receiver struct {
	cfg    Config
	server *server.Server
	conn   *nats.Conn
	token  string // of our own connection
	limit  *rate.Limiter
	unsaid atomic.Int64 // lines that limit kept out of the log, since the last that it did not

	decode  chan *incoming // capacity: one for each sensor
	decoded chan *incoming
	wake    chan struct{}
	stop    chan struct{}
	done    sync.WaitGroup
	ready   chan struct{} // closed when listen is through
	closed  atomic.Bool

	mu      sync.Mutex
	sensors map[string]*sensor
	started time.Time
	full    bool // the journal had no room when last asked
	failed  bool // the journal failed otherwise

	wentBack bool // the center's clock; an issue is open
	stats    Stats
}

// New starts to listen. The journal gets a Detach for every sensor that was
// attached when the center stopped: they are attached again when they speak.
func New(cfg Config) (*Receiver, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Name == nil {
		cfg.Name = func(id string) string { return id }
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	r := &Receiver{
		cfg:     cfg,
		limit:   newLimit(),
		decode:  make(chan *incoming, maxConnections),
		decoded: make(chan *incoming, maxConnections),
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		ready:   make(chan struct{}),
		sensors: make(map[string]*sensor),
		started: cfg.Now(),
		stats:   newStats(),
	}
	for id, k := range cfg.Sensors {
		s := r.sensor(id)
		s.name = cfg.Name(id)
		s.attached, s.attachedFiles, s.clock = k.Attached, k.Files, k.Clock
		s.files, s.known = k.Files, true
		if k.Spool != 0 {
			s.spools[0] = spool{k.Spool, k.Sequence, 0}
		}
		if k.Attached {
			s.detach = "the center was restarted"
		}
		if cfg.Enrolled != nil {
			if _, ok := cfg.Enrolled(id); !ok {
				s.gone = true // removed while the center was down, or before
			}
		}
	}
	r.commit(nil, true)
	if err := r.listen(); err != nil {
		return nil, fmt.Errorf("listening for sensors on %s: %w", cfg.Listen, err)
	}
	for range decoders {
		r.done.Go(r.decodeAll)
	}
	r.done.Go(r.appendAll)
	r.done.Go(r.thinOut)
	return r, nil
}

// newLimit is for our log: what connects from outside may write 5 lines a second
// into it, after 50 at once.
func newLimit() *rate.Limiter { return rate.NewLimiter(5, 50) }

func newStats() Stats {
	return Stats{Refused: make(map[string]int64), Held: make(map[string]int64), Ignored: make(map[string]int64)}
}

// Addr is where sensors connect.
func (r *Receiver) Addr() net.Addr { return r.server.Addr() }

// Close ends all connections. What was not acknowledged the sensors send again.
func (r *Receiver) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	r.conn.Close()
	r.server.Shutdown()
	r.server.WaitForShutdown()
	close(r.stop)
	r.done.Wait()
	return nil
}

// States tells how every sensor is that was known at the start or has spoken
// since.
func (r *Receiver) States() map[string]State {
	r.mu.Lock()
	defer r.mu.Unlock()
	states := make(map[string]State, len(r.sensors))
	for id, s := range r.sensors {
		states[id] = r.state(s)
	}
	return states
}

// state is a copy for others. mu is held.
func (r *Receiver) state(s *sensor) State {
	st := s.State
	st.Connected = r.connected(s)
	st.Attached, st.Clock, st.Files = s.attached, s.clock, s.files
	return st
}

// Stats tells what was received so far.
func (r *Receiver) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Refused, s.Held, s.Ignored = maps.Clone(s.Refused), maps.Clone(s.Held), maps.Clone(s.Ignored)
	for _, sn := range r.sensors {
		r.connected(sn)
		s.Connections += len(sn.conns)
	}
	return s
}

// Disconnect ends a sensor's connections, once Authenticate refuses it: it was
// revoked or removed. The log stops waiting for it.
func (r *Receiver) Disconnect(id string) {
	r.mu.Lock()
	s := r.sensors[id]
	var conns []uint64
	if s != nil {
		s.gone = true
		s.detach = "its certificate was revoked"
		conns = slices.Clone(s.conns)
	}
	r.mu.Unlock()
	for _, c := range conns {
		_ = r.server.DisconnectClientByID(c) // an error says that it is gone already
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
