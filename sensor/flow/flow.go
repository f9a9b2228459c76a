// Package flow is the second stage: it takes the link, IP and transport headers
// off captured packets, joins IP fragments and TCP segments, and feeds each
// conversation to a Handler in order, with gaps named.
//
// A sensor on a domain controller sees mostly traffic that is none of its
// business, and must cost next to nothing for it: no allocation, no state, and
// no more than a few header reads and one lookup per packet. What it does
// follow must fit a fixed memory however many flows an attacker makes up. The
// general reassemblers we know allocate per packet or per connection and are
// bounded, if at all, by timeouts; therefore this one is our own. In-order
// payload reaches the Handler as a slice of the captured packet; only segments
// that arrive early are copied, into pages of a pool with a cap.
//
// Everything is bounded: see Config. Time is packet time.
//
// A sensor cannot know which of two forged or overlapping segments a host took.
// The first one captured wins here, and every conflict, segment outside any
// window and reset is counted. Checksums are not verified, since network cards
// fill them in after the capture.
package flow

import (
	"net/netip"

	"github.com/verderer/verderer/activity"
)

// Dir is the direction of bytes within a conversation.
type Dir uint8

const (
	ToServer Dir = 0
	ToClient Dir = 1
)

// Conn names a conversation. It stays valid for the life of the Handler.
type Conn struct {
	Client, Server netip.AddrPort // IPv4 is never given as ::ffff:a.b.c.d; zones are dropped
	Transport      activity.Transport
	MidStream      bool // TCP picked up without its SYN: the beginning is unknown
}

// Handler consumes one conversation.
//
// Feed gets bytes in order; for UDP one whole datagram a call. A Feed begins at
// a TCP segment's payload (a decoder that lost its place may look for a message
// start there), or after the part of one that was fed before. data is valid only during the call. Gap says that n bytes of a
// TCP direction will never come (n is 0 when their number is unknown). After
// Close nothing follows. now is packet time and never decreases within a
// conversation unless the capture itself goes back in time.
type Handler interface {
	Feed(dir Dir, data []byte, now activity.Time)
	Gap(dir Dir, n int, now activity.Time)
	Close(now activity.Time)
}

// Router decides what to do with conversations. Its methods must not allocate
// for traffic they decline: they are called for every packet that belongs to
// no followed conversation.
type Router interface {
	// Port tells whether conversations with this server port are followed from
	// their first packet on. It is asked once for each port; see New.
	Port(t activity.Transport, port uint16) bool
	// Signature looks at the first payload of a TCP segment between two ports
	// neither of which is followed and both ≥ 1024 (RPC endpoints are dynamic),
	// and tells whether to follow the conversation, and which way it goes.
	Signature(payload []byte) (follow bool, dir Dir)
	// Open starts a followed conversation, when it has its first bytes or gap:
	// connections that never carry data cost no Handler. Nil declines it for good.
	Open(c *Conn) Handler
}
