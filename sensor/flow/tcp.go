package flow

import (
	"encoding/binary"
	"net/netip"

	"github.com/verderer/verderer/activity"
)

// TCP control bits (RFC 9293 §3.1).
const (
	flagFIN = 1 << 0
	flagSYN = 1 << 1
	flagRST = 1 << 2
	flagACK = 1 << 4
)

const (
	// maxAhead is the largest window: 65,535 << 14 (RFC 7323 §2.3). A sequence
	// number further ahead is of no connection we know.
	maxAhead = 1 << 30
	// maxBehind is how far back a segment counts as retransmitted. A domain
	// controller's peers keep less than this in flight; what is further back
	// is a new start, lest one forged segment ahead make us deaf to all that
	// follows.
	maxBehind = 16 << 20
)

// segment is a TCP segment.
type segment struct {
	seq, ack uint32
	flags    byte
	data     []byte
	lost     int // bytes after data that the snap length cut off
}

func (s *segment) len() int            { return len(s.data) + s.lost }
func (s *segment) has(flags byte) bool { return s.flags&flags != 0 }

// tcp finds the connection of a segment. The checksum is not verified: network
// cards fill it in after the capture.
func (t *Table) tcp(p *packet, b []byte, wire int) {
	if len(b) < 20 {
		t.short(len(b), wire)
		return
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > wire {
		t.n.malformed.Add(1)
		return
	}
	sport, dport := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	fromServer, toServer := t.followTCP.has(sport), t.followTCP.has(dport)
	if !fromServer && !toServer && (sport < 1024 || dport < 1024) {
		t.n.notFollowed.Add(1)
		return
	}
	s := segment{
		seq:   binary.BigEndian.Uint32(b[4:]),
		ack:   binary.BigEndian.Uint32(b[8:]),
		flags: b[13],
	}
	if len(b) > header {
		s.data = b[header:]
	}
	s.lost = wire - header - len(s.data)

	src, dst := addrPort(p.src, sport), addrPort(p.dst, dport)
	c, dir, hash := t.tcpConns.find(src, dst)
	if c != nil && !t.belongs(c, dir, &s) {
		if !c.over {
			t.n.replaced.Add(1)
		}
		t.end(c, p.now)
		c = nil
	}
	if c == nil {
		if c, dir = t.begin(src, dst, hash, &s, p.now); c == nil {
			t.n.notFollowed.Add(1)
			return
		}
	}
	t.n.followed.Add(1)
	t.process(c, dir, &s, p.now)
}

// begin decides about the first segment of a connection, and makes the entry.
// Nothing is stored for one that is declined.
func (t *Table) begin(src, dst netip.AddrPort, hash uint64, s *segment, now activity.Time) (*conn, Dir) {
	fromServer, toServer := t.followTCP.has(src.Port()), t.followTCP.has(dst.Port())
	followed := fromServer || toServer
	var dir Dir
	var ask, midStream bool
	switch {
	case s.has(flagRST):
		return nil, 0
	case followed && s.has(flagSYN):
		// A client may bind a followed port to look like a server. The SYN
		// tells; then Signature judges the connection, as between high ports.
		if s.has(flagACK) {
			dir, ask = ToClient, !fromServer
		} else {
			dir, ask = ToServer, !toServer
		}
	case len(s.data) == 0:
		return nil, 0
	case followed:
		if fromServer && (!toServer || src.Port() < dst.Port()) {
			dir = ToClient
		}
		midStream = true
	default:
		var follow bool
		if follow, dir = t.router.Signature(s.data); !follow {
			return nil, 0
		}
		t.n.bySignature.Add(1)
		midStream = dir == ToClient
	}
	if t.tcpConns.n >= t.cfg.MaxTCP {
		t.evict(now)
	}
	if dir == ToClient {
		src, dst = dst, src
	}
	c := t.add(&t.tcpConns, hash, activity.TCP, src, dst)
	c.MidStream, c.ask = midStream, ask
	t.n.conns.Add(1)
	if midStream {
		t.n.midStream.Add(1)
	}
	return c, dir
}

// evict makes room for a connection: first of those that are over, then of
// those nobody answered if they are many, so that a flood of SYNs or of forged
// segments does not push out real connections; else of the least recently used.
func (t *Table) evict(now activity.Time) {
	l := &t.settled
	switch {
	case t.closing.n > 0:
		l = &t.closing
	case t.fresh.n > t.cfg.MaxTCP/8 || t.settled.n == 0:
		l = &t.fresh
	}
	if !l.head.over {
		t.n.evicted.Add(1)
	}
	t.end(l.head, now)
}

// belongs tells whether a segment is of connection c, not of a later one
// between the same ports.
func (t *Table) belongs(c *conn, dir Dir, s *segment) bool {
	h := &c.half[dir]
	switch {
	case s.has(flagRST):
		return true
	case s.has(flagSYN|flagACK) && s.flags&flagACK != 0 && s.flags&flagSYN != 0:
		if dir != ToClient {
			return false
		}
		// With TCP Fast Open a SYN-ACK acknowledges data too (RFC 7413 §4.1.2).
		if peer := &c.half[ToServer]; peer.started && s.ack-peer.start > peer.next-peer.start {
			return false
		}
		return !h.started || h.start == s.seq+1 || h.next == h.start && !c.over
	case s.has(flagSYN):
		return dir == ToServer && h.started && h.start == s.seq+1
	case c.over && s.len() > 0:
		if !h.started {
			return false
		}
		behind := int32(h.next - s.seq)
		return behind > 0 && behind <= maxBehind
	}
	return true
}

// process takes a segment that belongs to c.
func (t *Table) process(c *conn, dir Dir, s *segment, now activity.Time) {
	if c.over {
		if s.len() > 0 {
			t.n.afterClose.Add(1)
		}
		return // not touched: its time is running out
	}
	if c.declined {
		if s.has(flagFIN | flagRST) {
			c.over = true
			t.touch(c, &t.closing)
		} else {
			t.touch(c, &t.settled)
		}
		return
	}
	h, peer := &c.half[dir], &c.half[1-dir]
	h.seen = true
	if s.has(flagRST) {
		t.rst(c, h, s, now)
		return
	}
	if s.has(flagSYN) {
		s.seq++ // the SYN counts as one byte
		if !h.started || h.start != s.seq {
			// Of two SYN-ACKs the later counts.
			t.dropHole(h)
			h.begin(s.seq)
			h.fromSYN = true
		}
		if s.has(flagACK) && !peer.started {
			peer.begin(s.ack)
			peer.fromSYN = true
		}
	}
	if s.has(flagACK) {
		t.acknowledge(c, 1-dir, s, now)
	}
	t.expireDue(peer.hole, now)
	continued := h.started && h.next != h.start
	if s.len() > 0 {
		t.data(c, dir, s, now)
	}
	if s.has(flagFIN) {
		t.fin(c, dir, s.seq+uint32(s.len()), now)
	}
	t.expireDue(h.hole, now) // not before what may have filled it
	switch {
	case t.closeIfDone(c, now):
	case h.done || peer.done || h.finSeen || peer.finSeen,
		c.in == &t.closing && s.len() == 0:
		t.touch(c, &t.closing)
	case c.in == &t.settled || c.in == &t.closing,
		!s.has(flagSYN) && (peer.seen || continued):
		t.touch(c, &t.settled)
	default:
		t.touch(c, &t.fresh)
	}
}

func (h *half) begin(seq uint32) {
	h.started, h.fromSYN, h.start, h.next = true, false, seq, seq
}

// rst closes a connection reset by the segment its peer obeys for sure, which
// is the one with the very next sequence number (RFC 5961 §3.2). After any
// other, the connection has a short time to show that it lives.
func (t *Table) rst(c *conn, h *half, s *segment, now activity.Time) {
	t.n.reset.Add(1)
	if h.started && s.seq == h.next {
		t.close(c, now)
	}
	t.touch(c, &t.closing)
}

// data feeds, keeps or drops the bytes of a segment.
func (t *Table) data(c *conn, dir Dir, s *segment, now activity.Time) {
	h := &c.half[dir]
	if !h.started {
		h.begin(s.seq)
	}
	n := s.len()
	if h.done && s.seq == h.next-1 {
		// Bytes where the FIN was: the receiver cannot have accepted both, and
		// whoever goes on sending says which.
		h.done = false
		h.next--
	}
	ahead := int(int32(s.seq - h.next))
	if ahead > maxAhead || ahead < -h.behind() {
		t.n.restarts.Add(1)
		if !h.expects(s) {
			return
		}
		t.dropHole(h)
		t.gap(c, dir, 0, now)
		h.begin(s.seq)
		ahead = 0
	}
	switch {
	case h.done && ahead >= 0:
		t.n.afterClose.Add(1)
		return
	case ahead > 0:
		t.hold(c, dir, s, ahead, now)
		return
	case n <= 1 && ahead == -1: // RFC 9293 §3.8.4: one garbage byte
		t.n.keepAlive.Add(1)
		return
	case ahead+n <= 0:
		t.n.retransmitted.Add(1)
		return
	case ahead < 0:
		t.n.overlaps.Add(1)
		known := -ahead
		s.seq += uint32(known)
		if known > len(s.data) {
			s.lost -= known - len(s.data)
			known = len(s.data)
		}
		s.data = s.data[known:]
	}
	t.deliver(c, dir, s, now)
}

// behind is how far back a segment can be of this connection. Nothing but a
// keep-alive is from before its SYN, as it would seem after a forged one.
func (h *half) behind() int {
	if sent := h.next - h.start; h.fromSYN && sent < maxBehind {
		return int(sent) + 1
	}
	return maxBehind
}

// expects tells whether the receiver, as far as it was heard, has use for s.
func (h *half) expects(s *segment) bool {
	return !h.acked || int32(s.seq+uint32(s.len())-h.ack) > 0 && int32(s.seq-h.ack) <= maxAhead
}

// fin notes that the sender finished at seq.
func (t *Table) fin(c *conn, dir Dir, seq uint32, now activity.Time) {
	h := &c.half[dir]
	if !h.started {
		h.begin(seq)
	}
	if ahead := int32(seq - h.next); h.done || ahead < 0 || ahead > maxAhead {
		return
	}
	h.fin, h.finSeen = seq, true
	if h.hole == nil && h.next != seq {
		t.openHole(c, dir)
	}
	h.finish()
	if h.done {
		t.dropHole(h)
	}
}

// finish ends the direction if everything up to its FIN was fed. A FIN with
// later bytes behind it was none.
func (h *half) finish() {
	if !h.finSeen || int32(h.next-h.fin) < 0 {
		return
	}
	h.finSeen = false
	if h.next == h.fin && (h.hole == nil || h.hole.chain.head == nil) {
		h.done = true
		h.next++ // the FIN counts as one byte
	}
}

// closeIfDone closes c when both directions are finished.
func (t *Table) closeIfDone(c *conn, now activity.Time) bool {
	if !c.half[ToServer].done || !c.half[ToClient].done {
		return false
	}
	t.close(c, now)
	t.touch(c, &t.closing)
	return true
}
