package flow

import (
	"time"

	"github.com/verderer/verderer/activity"
)

const (
	// maxHolePages bounds what one direction holds back: 256 KiB, the receive
	// window Windows tunes itself to on a LAN.
	maxHolePages = 128
	// reservePages stay free for the segment that fills a hole, which is
	// inserted among what waits behind it: 64 KiB, and a piece between any two
	// pages of a full direction.
	reservePages = 64<<10/2000 + maxHolePages + 2

	// holeSilent is how long a hole may stay open if the receiver is not heard:
	// beyond the first retransmission (RFC 6298 starts at 1 s).
	holeSilent = 2 * time.Second
	// holeAcked is how long once the receiver acknowledged bytes behind the
	// hole. It has what we miss; only the capture may still bring it, in a
	// queue beside the one the acknowledgement came from.
	holeAcked = 100 * time.Millisecond
	// holeWaiting is how long while the receiver says that it waits as well:
	// four retransmissions with doubling intervals.
	holeWaiting = 20 * time.Second
)

// hole is a direction of a connection that misses bytes, and the later ones
// that wait for them.
type hole struct {
	chain    chain // empty when only the FIN is known
	conn     *conn
	dir      Dir
	opened   activity.Time // clock
	deadline activity.Time // clock
	waiting  bool          // the receiver acknowledged what we have fed and no more

	prev, next *hole
}

// holeList is the open holes, by the time each was opened or last moved.
type holeList struct {
	head, tail *hole
	budget     budget
	spare      *hole
}

// end is where the hole ends. It must not be asked of a hole behind which
// nothing is known.
func (h *half) holeEnd() uint32 {
	if p := h.hole.chain.head; p != nil {
		return p.seq
	}
	return h.fin
}

// covered tells whether the receiver has what we miss.
func (h *half) covered() bool {
	return h.acked && int32(h.ack-h.holeEnd()) >= 0
}

func (t *Table) openHole(c *conn, dir Dir) *hole {
	hs := &t.held
	o := hs.spare
	if o != nil {
		hs.spare = o.next
	} else {
		o = new(hole)
	}
	*o = hole{conn: c, dir: dir}
	c.half[dir].hole = o
	t.resetHole(o)
	return o
}

// resetHole starts the time of a hole, new or moved forward.
func (t *Table) resetHole(o *hole) {
	hs := &t.held
	o.waiting = false
	o.opened = t.clock
	o.deadline = t.clock.Add(holeSilent)
	if hs.tail == o {
		return
	}
	hs.unlink(o)
	o.prev, o.next = hs.tail, nil
	if hs.tail != nil {
		hs.tail.next = o
	} else {
		hs.head = o
	}
	hs.tail = o
}

func (hs *holeList) unlink(o *hole) {
	if o.prev != nil {
		o.prev.next = o.next
	} else if hs.head == o {
		hs.head = o.next
	}
	if o.next != nil {
		o.next.prev = o.prev
	} else if hs.tail == o {
		hs.tail = o.prev
	}
	o.prev, o.next = nil, nil
}

// dropHole forgets what h holds back.
func (t *Table) dropHole(h *half) {
	o := h.hole
	if o == nil {
		return
	}
	h.hole, h.finSeen = nil, false
	o.chain.clear(&t.pages, &t.held.budget)
	t.held.unlink(o)
	o.conn = nil
	o.next = t.held.spare
	t.held.spare = o
}

// acknowledge notes what the receiver of dir has, as its segment s says.
func (t *Table) acknowledge(c *conn, dir Dir, s *segment, now activity.Time) {
	h := &c.half[dir]
	h.ack, h.acked = s.ack, true
	o := h.hole
	switch {
	case o == nil:
	case int32(s.ack-h.next) <= 0:
		o.waiting = true
	case !h.covered():
	case len(s.data) > 0 && s.ack != h.holeEnd():
		// An answer to what we hold back must not be fed before it.
		t.giveUp(c, dir, now)
	default:
		o.deadline = min(o.deadline, t.clock.Add(holeAcked))
	}
}

// checkHoles gives up the holes that are due, of connections that fell silent.
func (t *Table) checkHoles(now activity.Time) {
	for o := t.held.head; o != nil; {
		c, next := o.conn, o.next // o may be removed, or moved to the end
		t.expireDue(o, now)
		t.closeIfDone(c, now)
		o = next
	}
}

// expireDue decides about a hole whose time has come. While the receiver
// visibly waits for the same bytes as we do, nothing behind them was delivered:
// such segments may be forged to make us skip what is real, and are dropped in
// the end.
func (t *Table) expireDue(o *hole, now activity.Time) {
	if o == nil || t.clock < o.deadline {
		return
	}
	h := &o.conn.half[o.dir]
	switch {
	case !o.waiting || h.covered():
		t.giveUp(o.conn, o.dir, now)
	case t.clock.Sub(o.opened) < holeWaiting:
		o.deadline = t.clock.Add(holeSilent)
	default:
		t.n.unacked.Add(o.chain.pages)
		t.dropHole(h)
	}
}

// giveUp declares the missing bytes lost and feeds what follows them.
func (t *Table) giveUp(c *conn, dir Dir, now activity.Time) {
	h := &c.half[dir]
	end := h.holeEnd()
	t.gap(c, dir, int(end-h.next), now)
	h.next = end
	t.drain(c, dir, now)
}

// hold keeps a segment that arrived early; ahead bytes before it are missing.
func (t *Table) hold(c *conn, dir Dir, s *segment, ahead int, now activity.Time) {
	t.n.outOfOrder.Add(1)
	if len(s.data) == 0 {
		return // nothing captured of it: it becomes part of the hole
	}
	h := &c.half[dir]
	need := len(s.data)/len(page{}.data) + 1
	for t.held.budget.left() < need+reservePages || h.hole != nil && h.hole.chain.pages+need > maxHolePages {
		if h.hole == nil { // others hold everything
			t.gap(c, dir, ahead, now)
			h.next = s.seq
			t.deliver(c, dir, s, now)
			return
		}
		if h.hole.waiting && !h.covered() {
			t.n.heldFull.Add(1)
			return
		}
		t.giveUp(c, dir, now)
		if ahead = int(int32(s.seq - h.next)); ahead <= 0 {
			t.data(c, dir, s, now)
			return
		}
	}
	if h.hole == nil {
		t.openHole(c, dir)
	}
	t.insert(h, s)
	if h.covered() {
		h.hole.deadline = min(h.hole.deadline, t.clock.Add(holeAcked))
	}
}

func (t *Table) insert(h *half, s *segment) {
	res := h.hole.chain.insert(&t.pages, &t.held.budget, s.seq, s.data, s.lost)
	if res.known > 0 {
		t.n.overlaps.Add(1)
	}
	if res.conflict {
		t.n.conflicts.Add(1)
	}
	if res.full {
		t.n.heldFull.Add(1)
	}
}

// deliver feeds a segment that begins with the next byte, and what it makes
// whole. Where it overlaps what was held back, that came first and wins.
func (t *Table) deliver(c *conn, dir Dir, s *segment, now activity.Time) {
	h := &c.half[dir]
	if h.hole != nil {
		if p := h.hole.chain.head; p != nil && int(int32(p.seq-h.next)) < s.len() {
			t.insert(h, s)
			t.drain(c, dir, now)
			return
		}
	}
	h.next += uint32(len(s.data))
	t.feed(c, dir, s.data, now)
	if s.lost > 0 {
		h.next += uint32(s.lost)
		t.gap(c, dir, s.lost, now)
	}
	if h.hole != nil {
		t.drain(c, dir, now)
	}
}

// drain feeds what is no longer early, one segment a call. No page ever begins
// before the next byte: whatever overlaps is cut when it is inserted.
func (t *Table) drain(c *conn, dir Dir, now activity.Time) {
	h := &c.half[dir]
	o := h.hole
	ch, pool, b := &o.chain, &t.pages, &t.held.budget
	from := h.next
	for p := ch.head; p != nil && p.seq == h.next; p = ch.head {
		data := p.data[:p.n]
		if p.more {
			t.segment = append(t.segment[:0], data...)
			for p.more {
				ch.pop(pool, b)
				p = ch.head
				t.segment = append(t.segment, p.data[:p.n]...)
			}
			data = t.segment
		}
		h.next = p.end()
		t.feed(c, dir, data, now)
		lost := int(p.lost)
		ch.pop(pool, b)
		if ch.head != nil {
			lost = min(lost, int(int32(ch.head.seq-h.next)))
		}
		if lost > 0 {
			h.next += uint32(lost)
			t.gap(c, dir, lost, now)
		}
	}
	h.finish()
	switch {
	case ch.head == nil && !h.finSeen:
		t.dropHole(h)
	case h.next != from:
		t.resetHole(o)
		if h.covered() {
			o.deadline = min(o.deadline, t.clock.Add(holeAcked))
		}
	}
}
