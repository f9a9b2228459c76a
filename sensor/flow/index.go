package flow

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
)

// index finds an entry by its two ends, whichever comes first. It is a hash
// table with chains of our own, since a Go map keyed by both ends would take as
// much memory again as the entries themselves, to store every key twice and
// for room to grow. The seed is secret, so that nobody makes flows that share a
// bucket; nothing depends on the order within one.
type index struct {
	seed    maphash.Seed
	buckets []*conn // a power of two
	n       int
}

// newIndex makes an index for at most n entries.
func newIndex(n int) index {
	size := 1
	for size < 2*n {
		size *= 2
	}
	return index{seed: maphash.MakeSeed(), buckets: make([]*conn, size)}
}

// hash is the same for both directions.
func (x *index) hash(a, b netip.AddrPort) uint64 {
	var key [36]byte
	if a.Addr().Is4() && b.Addr().Is4() {
		m, n := packed4(a), packed4(b)
		binary.NativeEndian.PutUint64(key[:], min(m, n))
		binary.NativeEndian.PutUint64(key[8:], max(m, n))
		return maphash.Bytes(x.seed, key[:16])
	}
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	*(*[16]byte)(key[0:]), *(*[16]byte)(key[16:]) = a.Addr().As16(), b.Addr().As16()
	binary.NativeEndian.PutUint16(key[32:], a.Port())
	binary.NativeEndian.PutUint16(key[34:], b.Port())
	return maphash.Bytes(x.seed, key[:])
}

// packed4 is an IPv4 address and port as a number.
func packed4(a netip.AddrPort) uint64 {
	b := a.Addr().As4()
	return uint64(binary.BigEndian.Uint32(b[:]))<<16 | uint64(a.Port())
}

func (x *index) bucket(hash uint64) **conn { return &x.buckets[hash&uint64(len(x.buckets)-1)] }

// find returns the entry for a packet from src to dst and its direction, and
// the hash to add it with if there is none.
func (x *index) find(src, dst netip.AddrPort) (c *conn, dir Dir, hash uint64) {
	hash = x.hash(src, dst)
	for c = *x.bucket(hash); c != nil; c = c.sameBucket {
		switch {
		case c.hash != hash:
		case c.Client == src && c.Server == dst:
			return c, ToServer, hash
		case c.Client == dst && c.Server == src:
			return c, ToClient, hash
		}
	}
	return nil, ToServer, hash
}

func (x *index) add(c *conn) {
	at := x.bucket(c.hash)
	c.sameBucket = *at
	*at = c
	x.n++
}

func (x *index) remove(c *conn) {
	at := x.bucket(c.hash)
	for *at != c {
		at = &(*at).sameBucket
	}
	*at = c.sameBucket
	x.n--
}
