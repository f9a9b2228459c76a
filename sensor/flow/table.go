package flow

import (
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
)

// Config bounds a Table. A zero field takes its default.
//
// At the defaults and with every cap reached, a Table holds 40 MiB: 240 bytes
// for a conversation and its place in the index make 15 MiB for TCP and 4 MiB
// for UDP, and the pages, which exist only after they were needed once, are what
// MaxHeld and MaxFragments say. The Handlers come on top.
type Config struct {
	MaxTCP       int // connections tracked at once; default 65,536
	MaxUDP       int // conversations tracked at once; default 16,384
	MaxHeld      int // bytes for TCP segments that arrived early; default 16 MiB
	MaxFragments int // bytes for IP fragments; default 4 MiB
}

const (
	// idleSettled is how long a connection may be silent. Windows closes idle
	// LDAP connections after 15 minutes (MS-ADTS 3.1.1.3.4.6, MaxConnIdleTime)
	// and idle SMB sessions likewise; one that speaks again after 10 minutes is
	// picked up mid-stream.
	idleSettled = 10 * time.Minute
	// idleFresh is for connections that were not answered yet: the three SYNs
	// of a Windows client are over after 21 seconds.
	idleFresh = time.Minute
	// idleClosing is for connections after a FIN or RST: time for the other
	// side's last bytes and for retransmissions.
	idleClosing = 10 * time.Second
	// idleUDP is beyond the retries of Kerberos, DNS and CLDAP clients.
	idleUDP = 10 * time.Second

	// tickEvery bounds the cost of expiry for captures of few packets a second.
	tickEvery = time.Second
	// clockSkew is how far packets may be out of order in time before we take
	// it that the capture went back (a clock set, an older file).
	clockSkew = 10 * time.Second
)

// Table tracks the conversations of one packet source. It belongs to one
// goroutine; the Router and the Handlers are called from it and must not call
// it back.
//
// The same packets always give the same calls.
type Table struct {
	cfg    Config
	router Router
	n      counts

	followTCP, followUDP ports

	tcpConns, udpConns index

	fresh   list  // TCP: nobody answered yet
	settled list  // TCP: both sides spoke, or one side kept speaking
	closing list  // TCP: after a FIN or RST, and already closed
	udp     list  //
	spare   *conn // removed, for reuse; linked by next

	pages pagePool
	held  holeList
	frags fragments

	// segment and datagram join what lies on several pages. Two, since a
	// reassembled datagram may hold the segment that releases others.
	segment, datagram []byte
	// ends keeps the addresses of a datagram that was part of another while
	// datagram is made anew.
	ends [32]byte

	// clock is packet time made monotonic, see advance. Only it is compared
	// with, but Handlers are told the time of the packet.
	clock, high, nextTick activity.Time
}

// packet is what the layers above need to know of the ones below.
type packet struct {
	now      activity.Time
	src, dst []byte // 4 or 16 bytes
	depth    int    // IP headers taken off so far

	tunnelled bool // a mirror's tunnel was taken off
	truncated bool // which says that it cut the frame
}

// New makes an empty table. Router.Port is asked for every port here, once;
// its answers hold for the life of the Table.
func New(cfg Config, r Router, counters *counter.Set) *Table {
	orDefault := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	orDefault(&cfg.MaxTCP, 65536)
	orDefault(&cfg.MaxUDP, 16384)
	orDefault(&cfg.MaxHeld, 16<<20)
	orDefault(&cfg.MaxFragments, 4<<20)
	t := &Table{
		cfg:      cfg,
		router:   r,
		n:        newCounts(counters),
		tcpConns: newIndex(cfg.MaxTCP),
		udpConns: newIndex(cfg.MaxUDP),
	}
	t.held.budget.max = cfg.MaxHeld/pageSize + reservePages
	t.frags.budget.max = cfg.MaxFragments/pageSize + 1
	t.frags.m = make(map[fragKey]*datagram)
	for port := range 1 << 16 {
		if r.Port(activity.TCP, uint16(port)) {
			t.followTCP.add(uint16(port))
		}
		if r.Port(activity.UDP, uint16(port)) {
			t.followUDP.add(uint16(port))
		}
	}
	return t
}

// Packet processes one captured packet. It keeps nothing of c.Data.
func (t *Table) Packet(c *capture.Chunk) {
	t.n.packets.Add(1)
	t.n.bytes.Add(len(c.Data))
	t.advance(c.Time)
	if c.Wire > len(c.Data) {
		t.n.cut.Add(1)
	}
	p := packet{now: c.Time}
	t.link(&p, c.Link, c.Data, max(c.Wire, len(c.Data)))
}

// Tick says that it is now and that no packet from before is to come: what is
// due expires, as a packet would have it. Files have no ticks.
func (t *Table) Tick(now activity.Time) { t.advance(now) }

// Flush ends the input: every conversation is closed, after what was held back
// for it. The table is empty then and may be used again.
func (t *Table) Flush(now activity.Time) {
	for t.frags.head != nil {
		t.n.datagramsUnfinished.Add(1)
		t.dropDatagram(t.frags.head)
	}
	for _, l := range []*list{&t.closing, &t.fresh, &t.settled, &t.udp} {
		for l.head != nil {
			t.end(l.head, now)
		}
	}
}

// advance moves the clock. It follows packet time while that moves forward,
// stands still for packets slightly out of order, and goes on from where it was
// after the capture jumped back in time: so that reading an older file next
// neither expires everything nor stops all expiry.
func (t *Table) advance(now activity.Time) {
	switch {
	case t.high == 0 && t.clock == 0:
		t.clock, t.high = now, now
		t.nextTick = t.clock.Add(tickEvery)
	case now > t.high:
		// The sum may overflow for times that nobody measured; then the clock
		// stands still.
		if next := t.clock + (now - t.high); next > t.clock && next < maxClock {
			t.clock = next
		}
		t.high = now
	case t.high.Sub(now) > clockSkew || t.high.Sub(now) < 0:
		t.high = now
		t.n.timeBack.Add(1)
	}
	if t.clock >= t.nextTick {
		t.tick(now)
		t.nextTick = t.clock.Add(tickEvery)
	}
}

// maxClock leaves room to add any timeout without overflow.
const maxClock = activity.Time(1<<63 - 1 - 24*3600*1e9)

// tick expires what is due. Every list is in order of age, so that it costs
// only what it expires; holes are few (each holds a page).
func (t *Table) tick(now activity.Time) {
	for d := t.frags.head; d != nil && t.clock.Sub(d.born) >= fragmentTimeout; d = t.frags.head {
		t.n.datagramsUnfinished.Add(1)
		t.dropDatagram(d)
	}
	t.checkHoles(now)
	for _, e := range []struct {
		l    *list
		idle time.Duration
	}{{&t.udp, idleUDP}, {&t.closing, idleClosing}, {&t.fresh, idleFresh}, {&t.settled, idleSettled}} {
		for c := e.l.head; c != nil && t.clock.Sub(c.last) >= e.idle; c = e.l.head {
			t.end(c, now)
		}
	}
}

// ports is a set of ports: 8 KiB that stay in the nearest cache, for the
// question asked of every packet.
type ports [1 << 16 / 64]uint64

func (s *ports) add(p uint16)      { s[p/64] |= 1 << (p % 64) }
func (s *ports) has(p uint16) bool { return s[p/64]&(1<<(p%64)) != 0 }
