package flow

import (
	"net/netip"
	"time"

	"github.com/verderer/verderer/activity"
)

const (
	// fragmentTimeout is what Linux waits for the rest of an IPv4 datagram;
	// RFC 8200 §4.5 asks for 60 s, Windows takes that. What comes later than 30
	// seconds on a domain controller's network was sent to confuse.
	fragmentTimeout = 30 * time.Second
	// maxDatagrams bounds the datagrams waited for at once; with the bytes
	// bounded too, it is reached by floods of tiny fragments alone.
	maxDatagrams = 1024
	// maxDatagram is the longest payload an IP length field can tell.
	maxDatagram = 65535
	// tinyFragment: every link carries 68 octets unfragmented (RFC 791 §3.2),
	// that is 48 of payload; nobody but an evader sends a fragment that is not
	// the last and has less.
	tinyFragment = 48
)

// fragment is what an IP header says of a fragment.
type fragment struct {
	id     uint32
	proto  byte // of IPv6: the header after the fragment header
	offset int
	more   bool
}

// fragKey tells datagrams apart: RFC 791 §3.2, RFC 8200 §4.5. IPv6 does not
// count the protocol, which differs between fragments when headers are forged.
type fragKey struct {
	src, dst netip.Addr
	id       uint32
	proto    byte
}

// datagram is one being reassembled.
type datagram struct {
	key        fragKey
	proto      byte // from the fragment at offset 0
	total      int  // length, −1 while the last fragment is missing
	have       int  // bytes in the chain
	chain      chain
	born       activity.Time // clock at the first fragment
	prev, next *datagram     // by age
}

// fragments holds datagrams that miss some.
type fragments struct {
	m          map[fragKey]*datagram
	head, tail *datagram
	budget     budget
	spare      *datagram
}

// fragment keeps one and, when it was the last one missing, hands the datagram
// on. Where fragments overlap the first one to arrive wins, as on Windows;
// RFC 5722 would have IPv6 drop the datagram, which hides it from us and not
// from every host.
func (t *Table) fragment(p *packet, f fragment, b []byte, wire int) {
	t.n.fragments.Add(1)
	if f.more && wire < tinyFragment {
		t.n.fragmentsTiny.Add(1)
	}
	// All but the last carry a multiple of 8 bytes.
	if wire <= 0 || f.more && wire%8 != 0 || f.offset+wire > maxDatagram {
		t.n.fragmentsBad.Add(1)
		return
	}
	if len(b) < wire {
		t.n.fragmentsCut.Add(1)
		return
	}
	k := fragKey{addrPort(p.src, 0).Addr(), addrPort(p.dst, 0).Addr(), f.id, f.proto}
	if len(p.src) == 16 {
		k.proto = 0
	}
	d := t.frags.m[k]
	if d == nil {
		d = t.newDatagram(k)
	}
	if f.offset == 0 {
		d.proto = f.proto
	}
	if end := f.offset + len(b); !f.more {
		if d.total >= 0 && d.total != end || d.chain.tail != nil && int(d.chain.tail.end()) > end {
			t.n.fragmentsBad.Add(1) // two ends, or bytes beyond it: keep what came first
			return
		}
		d.total = end
	} else if d.total >= 0 && end > d.total {
		t.n.fragmentsBad.Add(1)
		return
	}
	for t.frags.budget.left() < len(b)/len(page{}.data)+1 && t.frags.head != d {
		t.n.datagramsEvicted.Add(1)
		t.dropDatagram(t.frags.head)
	}
	res := d.chain.insert(&t.pages, &t.frags.budget, uint32(f.offset), b, 0)
	if res.full {
		t.n.datagramsEvicted.Add(1)
		t.dropDatagram(d)
		return
	}
	d.have += len(b) - res.known
	if res.known > 0 {
		t.n.fragmentsOverlapping.Add(1)
	}
	if res.conflict {
		t.n.fragmentsConflict.Add(1)
	}
	if d.have != d.total { // no overlaps in a chain: equal means no holes
		return
	}
	n := copy(t.ends[:16], p.src) // they may lie in t.datagram
	m := copy(t.ends[16:], p.dst)
	p.src, p.dst = t.ends[:n], t.ends[16:16+m]
	t.datagram = t.datagram[:0]
	for pg := d.chain.head; pg != nil; pg = pg.next {
		t.datagram = append(t.datagram, pg.data[:pg.n]...)
	}
	proto := d.proto
	t.dropDatagram(d)
	t.n.datagramsJoined.Add(1)
	t.upper(p, proto, t.datagram, len(t.datagram))
}

func (t *Table) newDatagram(k fragKey) *datagram {
	fs := &t.frags
	if len(fs.m) >= maxDatagrams {
		t.n.datagramsEvicted.Add(1)
		t.dropDatagram(fs.head)
	}
	d := fs.spare
	if d != nil {
		fs.spare = d.next
	} else {
		d = new(datagram)
	}
	*d = datagram{key: k, total: -1, born: t.clock, prev: fs.tail}
	if fs.tail != nil {
		fs.tail.next = d
	} else {
		fs.head = d
	}
	fs.tail = d
	fs.m[k] = d
	return d
}

func (t *Table) dropDatagram(d *datagram) {
	fs := &t.frags
	d.chain.clear(&t.pages, &fs.budget)
	delete(fs.m, d.key)
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		fs.head = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		fs.tail = d.prev
	}
	d.prev, d.next = nil, fs.spare
	fs.spare = d
}
