package flow

import (
	"net/netip"

	"github.com/verderer/verderer/activity"
)

// half is one direction of a TCP connection.
type half struct {
	start uint32 // sequence number of the first byte; valid iff started
	next  uint32 // of the next byte to feed; valid iff started
	ack   uint32 // what the receiver last acknowledged; valid iff acked
	fin   uint32 // where the sender finished; valid iff finSeen

	seen    bool // a segment of this direction was captured
	started bool
	fromSYN bool // start is where a SYN says the bytes begin
	acked   bool
	finSeen bool
	done    bool // everything up to the FIN was fed; next counts the FIN

	hole *hole // what arrived early; nil when nothing did
}

// conn is one entry of the table, of TCP or UDP.
type conn struct {
	Conn
	handler Handler // nil before the first bytes and after the close
	half    [2]half // TCP

	ask      bool // Signature has to recognise the first bytes
	declined bool // the Router wants nothing of it
	over     bool // closed; stays to recognise late segments

	last       activity.Time // clock at the last packet
	in         *list
	prev, next *conn

	hash       uint64
	sameBucket *conn
}

// list holds entries from the least to the most recently used.
type list struct {
	head, tail *conn
	n          int
}

// move puts c at the end of l, taking it off the list it was on.
func (l *list) move(c *conn) {
	if l.tail == c {
		return
	}
	c.unlink()
	c.in, c.prev, c.next = l, l.tail, nil
	if l.tail != nil {
		l.tail.next = c
	} else {
		l.head = c
	}
	l.tail = c
	l.n++
}

func (c *conn) unlink() {
	l := c.in
	if l == nil {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.tail = c.prev
	}
	l.n--
	c.in, c.prev, c.next = nil, nil, nil
}

// touch notes a packet of c, and which list it belongs on now.
func (t *Table) touch(c *conn, l *list) {
	c.last = t.clock
	l.move(c)
}

// add makes an entry and puts it in its index.
func (t *Table) add(in *index, hash uint64, transport activity.Transport, client, server netip.AddrPort) *conn {
	c := t.spare
	if c != nil {
		t.spare = c.next
	} else {
		c = new(conn)
	}
	*c = conn{Conn: Conn{Client: client, Server: server, Transport: transport}, hash: hash}
	in.add(c)
	return c
}

// end closes c, after what it holds back, and takes it out of the table.
func (t *Table) end(c *conn, now activity.Time) {
	t.close(c, now)
	if c.Transport == activity.UDP {
		t.udpConns.remove(c)
	} else {
		t.tcpConns.remove(c)
	}
	c.unlink()
	c.next = t.spare
	t.spare = c
}

// close tells the Handler that the conversation is over. The entry stays.
func (t *Table) close(c *conn, now activity.Time) {
	for dir := range c.half {
		for c.half[dir].hole != nil {
			t.giveUp(c, Dir(dir), now)
		}
	}
	if c.handler != nil {
		c.handler.Close(now)
		c.handler = nil
	}
	c.over = true
}

// ready tells whether there is a Handler for the next bytes, opening one for
// the first. It is opened this late so that connections without data, a SYN
// flood above all, cost no Handler. data is nil when the bytes are lost.
func (t *Table) ready(c *conn, data []byte) bool {
	if c.handler != nil {
		return true
	}
	if c.declined || c.over {
		return false
	}
	if c.ask {
		if data == nil {
			return false
		}
		if follow, _ := t.router.Signature(data); !follow {
			return false
		}
		c.ask = false
		t.n.bySignature.Add(1)
	}
	c.handler = t.router.Open(&c.Conn)
	if c.handler == nil {
		c.declined = true
		t.n.declined.Add(1)
		return false
	}
	return true
}

func (t *Table) feed(c *conn, dir Dir, data []byte, now activity.Time) {
	if len(data) > 0 && t.ready(c, data) {
		t.n.fed.Add(1)
		t.n.fedBytes.Add(len(data))
		c.handler.Feed(dir, data, now)
	}
}

func (t *Table) gap(c *conn, dir Dir, n int, now activity.Time) {
	if t.ready(c, nil) {
		t.n.gaps.Add(1)
		t.n.gapBytes.Add(n)
		c.handler.Gap(dir, n, now)
	}
}
