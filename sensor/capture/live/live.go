// Package live captures packets from network interfaces, on Linux through
// AF_PACKET rings (TPACKET_V3). The kernel filters: a domain controller's other
// traffic costs the sensor nothing. Several interfaces are captured at once and
// merged by time.
//
// A Source yields, besides packets, ticks: the time up to which every interface
// was read. They move the clock of the stages behind it when no packet comes,
// and are sound whatever the load, since each is what the wall clock said before
// the ring was found empty.
package live

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/capture"
)

const (
	// MaxInterfaces bounds the interfaces of a Source: with each one's ring, what
	// they take of the 128 MiB promised for a sensor.
	MaxInterfaces = 8

	// oneRing is the ring of an interface that is captured alone: 130 ms of what
	// we want at 1 Gbit/s, and 1.28 s or more of any slower traffic, since the
	// kernel takes a new block of 128 KiB every 20 ms at most and there are 128.
	// With decoders and flows at their caps (96 MiB) it stays below 128 MiB.
	oneRing = 16 << 20
	// eachRing is the ring of each of several: while one is silent, the others'
	// packets wait for up to 60 ms to be merged, at 1 Gbit/s 7.5 MiB.
	eachRing = 8 << 20
	// blockSize is the least power of two that holds a packet of 64 KiB, as
	// cards that join segments (GRO) and senders that leave splitting to the card
	// (TSO) make them, beside the kernel's headers. Longer ones (BIG TCP) are cut
	// to it, which flow counts.
	blockSize = 128 << 10

	// blockWait is when the kernel hands over a block that is not full, and
	// pollWait how long we sleep when there was none before we look again: together
	// they are how late a lone packet is seen. After packets it is busyWait, in
	// which 10 Gbit/s fill less than half of a ring. Sleeping costs an idle host a
	// fraction of what waiting in poll(2) does, which keeps Go's scheduler awake.
	blockWait = 20 * time.Millisecond
	pollWait  = 20 * time.Millisecond
	busyWait  = 5 * time.Millisecond
	// settled is how long after its time a packet is sure to be in a block that
	// was handed over: blockWait, and as much for timers that fire late.
	settled = 2 * blockWait

	// tickEvery is how often time is stated when no packet comes.
	tickEvery = 50 * time.Millisecond
	// stepped is how far times may be apart before we take it that the clock was
	// set, and stop waiting for the ones behind.
	stepped = 10 * time.Second

	// refresh is how often the kernel's counters are read, and reread how often
	// the host's own addresses.
	refresh = time.Second
	reread  = time.Minute

	// backoff is the pause before an interface that went away is looked for
	// again; it doubles up to maxBackoff.
	backoff    = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// Config says what to capture.
type Config struct {
	Interfaces []string // at least one, at most MaxInterfaces
	TCP, UDP   []uint16 // server ports

	// Servers are the domain controllers: of other hosts, TCP between dynamic
	// ports is dropped. None stands for the addresses of this host, looked up
	// again every minute; a mirror port needs them said. With one that is not of
	// this host the interfaces are made promiscuous.
	Servers []netip.Addr

	// Tunnels: the mirror comes in GRE, ERSPAN or VXLAN. The filter lets all of
	// these through, as it cannot look into them.
	Tunnels bool

	Ring int          // bytes of each interface's ring; 0 is 16 MiB for one, 8 MiB for each of several
	Log  *slog.Logger // nil: nobody
}

// State is how the capture on an interface is. Counts are since Open.
type State struct {
	Interface string `json:"interface"`
	Packets   int64  `json:"packets"`           // read
	Dropped   int64  `json:"dropped"`           // wanted, and lost because the ring was full
	Freezes   int64  `json:"freezes"`           // how often the ring became full
	Reopened  int64  `json:"reopened"`          // how often it came back after it was gone or down
	Problem   string `json:"problem,omitempty"` // why nothing is captured at present
}

// Source captures. It implements capture.Source; Next and Close belong to one
// goroutine.
type Source struct {
	cfg   Config
	log   *slog.Logger
	own   bool // Servers are the host's own addresses
	rings []*ring

	wake chan struct{} // a ring has something new
	stop chan struct{} // drain
	quit chan struct{} // end at once
	once [2]sync.Once
	done sync.WaitGroup

	last  activity.Time // yielded
	frame int64
}

// ring is one interface with its goroutine.
type ring struct {
	s    *Source
	name string

	full, free chan *batch
	upTo       atomic.Int64 // everything up to this activity.Time was pushed

	mu    sync.Mutex
	state State
	read  atomic.Int64

	// Of the goroutine that calls Next.
	cur  *batch
	at   int
	over bool
}

// A batch is packets on their way between two goroutines. There are perRing of
// each ring; while all are full the kernel's ring fills.
type batch struct {
	packets []packet
	data    []byte
}

type packet struct {
	time     activity.Time
	from, to int
	wire     int
}

const (
	perRing      = 4
	batchData    = 256 << 10
	batchPackets = 4096
	// batchSpan is how long a batch waits for more packets.
	batchSpan = activity.Time(blockWait)
)

// Open starts capturing. The error says what is missing: an interface, or the
// right to capture. An interface that is down is no error; see State.
func Open(cfg Config) (*Source, error) {
	switch {
	case len(cfg.Interfaces) == 0:
		return nil, errors.New("opening capture: no interface named")
	case len(cfg.Interfaces) > MaxInterfaces:
		return nil, fmt.Errorf("opening capture: %d interfaces named, at most %d can be captured", len(cfg.Interfaces), MaxInterfaces)
	case cfg.Ring != 0 && cfg.Ring < 4*blockSize:
		return nil, fmt.Errorf("opening capture: a ring of %d bytes, at least %d are needed", cfg.Ring, 4*blockSize)
	}
	for i, name := range cfg.Interfaces {
		if slices.Contains(cfg.Interfaces[:i], name) {
			return nil, fmt.Errorf("opening capture: interface %s is named twice", name)
		}
	}
	if cfg.Ring == 0 {
		cfg.Ring = eachRing
		if len(cfg.Interfaces) == 1 {
			cfg.Ring = oneRing
		}
	}
	s := &Source{
		cfg:  cfg,
		log:  cfg.Log,
		own:  len(cfg.Servers) == 0,
		wake: make(chan struct{}, 1),
		stop: make(chan struct{}),
		quit: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	sockets := make([]*socket, len(cfg.Interfaces))
	for i, name := range cfg.Interfaces {
		r := &ring{s: s, name: name, full: make(chan *batch, perRing), free: make(chan *batch, perRing)}
		for range perRing {
			r.free <- new(batch)
		}
		r.state.Interface = name
		r.upTo.Store(int64(now()) - int64(settled))
		s.rings = append(s.rings, r)
		var err error
		sockets[i], err = r.open()
		if err != nil && !errors.Is(err, errDown) {
			for _, k := range sockets[:i] {
				k.close()
			}
			return nil, fmt.Errorf("opening capture: %w", err)
		}
	}
	for i, r := range s.rings {
		s.done.Go(func() { r.run(sockets[i]) })
	}
	return s, nil
}

// Next implements capture.Source. It fills c with the next packet, or with a
// tick (see capture.Chunk.Tick), and returns io.EOF when everything was read
// that came before Stop.
func (s *Source) Next(c *capture.Chunk) error {
	for {
		var head *ring
		low, over := activity.Time(math.MaxInt64), true
		for _, r := range s.rings {
			upTo := activity.Time(r.upTo.Load()) // before a look at what was pushed
			switch {
			case r.ready():
				if head == nil || r.next().time < head.next().time {
					head = r
				}
				over = false
			case !r.over:
				low = min(low, upTo)
				over = false
			}
		}
		switch {
		case over:
			return io.EOF
		case head != nil && (head.next().time <= low || head.next().time.Sub(low) > stepped):
			p := head.next()
			s.frame++
			*c = capture.Chunk{Time: p.time, Link: capture.LinkEthernet,
				Data: head.cur.data[p.from:p.to:p.to], Wire: p.wire, Frame: s.frame}
			head.at++
			s.last = p.time
			return nil
		case head == nil && (low.Sub(s.last) >= tickEvery || s.last.Sub(low) > stepped):
			*c = capture.Chunk{Time: low, Tick: true}
			s.last = low
			return nil
		}
		select {
		case <-s.wake:
		case <-s.quit:
			return io.EOF
		}
	}
}

// ready tells whether a packet of r is there, getting the next batch if it has
// to.
func (r *ring) ready() bool {
	if r.cur != nil && r.at < len(r.cur.packets) {
		return true
	}
	if r.over {
		return false
	}
	if r.cur != nil {
		r.free <- r.cur
		r.cur = nil
	}
	select {
	case b, ok := <-r.full:
		if !ok {
			r.over = true
			return false
		}
		r.cur, r.at = b, 0
		return true
	default:
		return false
	}
}

func (r *ring) next() *packet { return &r.cur.packets[r.at] }

// Stop ends the capture: the kernel drops what comes from now on, and Next
// yields what is there already, then io.EOF. It may be called from any goroutine.
func (s *Source) Stop() { s.once[0].Do(func() { close(s.stop) }) }

// Close implements capture.Source: it ends the capture and drops what was not read.
func (s *Source) Close() error {
	s.once[1].Do(func() { close(s.quit) })
	s.done.Wait()
	return nil
}

// State tells how each interface is, in the order of Config. It may be called
// from any goroutine.
func (s *Source) State() []State {
	out := make([]State, len(s.rings))
	for i, r := range s.rings {
		r.mu.Lock()
		out[i] = r.state
		r.mu.Unlock()
		out[i].Packets = r.read.Load()
	}
	return out
}

func (s *Source) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// now is the clock that the kernel stamps packets with.
func now() activity.Time { return activity.Time(time.Now().UnixNano()) }

// ownAddresses are the addresses of this host, of all interfaces: a domain
// controller's traffic with itself is on the loopback interface, and the parts
// of a bond or bridge have no address.
func ownAddresses() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("listing the addresses of this host: %w", err)
	}
	var out []netip.Addr
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, addr.Unmap())
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}
