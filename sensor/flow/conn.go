package flow

import (
	"bytes"
	"net/netip"

	"github.com/verderer/verderer/activity"
)

// key finds a conversation from a packet of either direction: the lower
// address and port come first. IPv4 addresses are mapped into IPv6.
type key struct {
	addr [2][16]byte
	port [2]uint16
}

func mapped(dst *[16]byte, addr []byte) {
	if len(addr) == 16 {
		copy(dst[:], addr)
		return
	}
	dst[10], dst[11] = 0xff, 0xff
	copy(dst[12:], addr)
}

// keyOf also says whether the packet's source comes first in the key.
func keyOf(p *packet, sport, dport uint16) (k key, srcFirst bool) {
	order := bytes.Compare(p.src, p.dst)
	srcFirst = order < 0 || order == 0 && sport <= dport
	if srcFirst {
		mapped(&k.addr[0], p.src)
		mapped(&k.addr[1], p.dst)
		k.port = [2]uint16{sport, dport}
	} else {
		mapped(&k.addr[0], p.dst)
		mapped(&k.addr[1], p.src)
		k.port = [2]uint16{dport, sport}
	}
	return k, srcFirst
}

// half is one direction of a TCP connection.
type half struct {
	start uint32 // sequence number of the first byte; valid iff started
	next  uint32 // of the next byte to feed; valid iff started
	ack   uint32 // what the receiver last acknowledged; valid iff acked
	fin   uint32 // where the sender finished; valid iff finSeen

	seen    bool // a segment of this direction was captured
	started bool
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

	clientFirst bool // the client comes first in the key
	ask         bool // Signature has to recognise the first bytes
	declined    bool // the Router wants nothing of it
	over        bool // closed; stays to recognise late segments

	last       activity.Time // clock at the last packet
	in         *list
	prev, next *conn
}

func (c *conn) dir(srcFirst bool) Dir {
	if srcFirst == c.clientFirst {
		return ToServer
	}
	return ToClient
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

// add makes an entry, whose server is the packet's source or destination.
func (t *Table) add(p *packet, k key, srcFirst, serverIsSrc bool, transport activity.Transport) *conn {
	c := t.spare
	if c != nil {
		t.spare = c.next
		*c = conn{}
	} else {
		c = new(conn)
	}
	src, dst := 0, 1
	if !srcFirst {
		src, dst = 1, 0
	}
	server, client := dst, src
	if serverIsSrc {
		server, client = src, dst
	}
	c.Client = k.addrPort(client)
	c.Server = k.addrPort(server)
	c.Transport = transport
	c.clientFirst = client == 0
	t.conns(transport)[k] = c
	return c
}

func (k *key) addrPort(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(k.addr[i]).Unmap(), k.port[i])
}

func (t *Table) conns(transport activity.Transport) map[key]*conn {
	if transport == activity.UDP {
		return t.udpConns
	}
	return t.tcpConns
}

// end closes c, after what it holds back, and takes it out of the table.
func (t *Table) end(c *conn, now activity.Time) {
	t.close(c, now)
	client, server := 0, 1
	if !c.clientFirst {
		client, server = 1, 0
	}
	var k key
	k.addr[client], k.port[client] = c.Client.Addr().As16(), c.Client.Port()
	k.addr[server], k.port[server] = c.Server.Addr().As16(), c.Server.Port()
	delete(t.conns(c.Transport), k)
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
