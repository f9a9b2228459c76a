package flow

import "bytes"

// pageSize is the memory a page costs: the payload of an Ethernet frame, of
// 1,460 bytes, fits one.
const pageSize = 2048

// page holds bytes that arrived early: a TCP segment, or a part of one, or of
// an IP fragment.
type page struct {
	next *page
	seq  uint32 // of the first byte: sequence number, or offset in the datagram
	n    uint16 // bytes in data
	more bool   // the next page goes on with the same segment
	lost int32  // bytes after these that the snap length cut off
	data [pageSize - 24]byte
}

func (p *page) end() uint32 { return p.seq + uint32(p.n) }

// pagePool keeps pages for reuse. It never shrinks; what it can grow to is
// bounded by the budgets of those who take from it.
type pagePool struct{ free *page }

// budget is a share of pages.
type budget struct{ used, max int }

func (b *budget) left() int { return b.max - b.used }

func (pp *pagePool) get(b *budget) *page {
	if b.used >= b.max {
		return nil
	}
	b.used++
	p := pp.free
	if p == nil {
		return new(page)
	}
	pp.free = p.next
	p.next, p.more, p.lost = nil, false, 0
	return p
}

func (pp *pagePool) put(b *budget, p *page) {
	b.used--
	p.next = pp.free
	pp.free = p
}

// chain is a list of pages in order of seq, none overlapping another. Distances
// are signed, so that sequence numbers may wrap around (RFC 9293 §3.4).
type chain struct {
	head, tail *page
	pages      int
}

// inserted says what became of bytes given to a chain.
type inserted struct {
	known    int  // bytes that were there before; those stay, whatever the new ones say
	conflict bool // the new ones said something else
	full     bool // the budget was used up; what came after is not kept
}

// insert adds a copy of the part of data that the chain does not have yet.
// lost bytes follow data that nobody captured.
func (c *chain) insert(pp *pagePool, b *budget, seq uint32, data []byte, lost int) (res inserted) {
	at := &c.head
	if c.tail != nil && int32(seq-c.tail.end()) >= 0 {
		at = &c.tail.next
	}
	var last *page
	for len(data) > 0 {
		for *at != nil && int32((*at).end()-seq) <= 0 {
			at = &(*at).next
		}
		room := len(data)
		if p := *at; p != nil {
			ahead := int(int32(p.seq - seq))
			if ahead <= 0 {
				have := p.data[-ahead:p.n]
				have = have[:min(len(have), len(data))]
				if !bytes.Equal(have, data[:len(have)]) {
					res.conflict = true
				}
				res.known += len(have)
				seq += uint32(len(have))
				data = data[len(have):]
				last = nil
				continue
			}
			room = min(room, ahead)
		}
		for last = nil; room > 0; {
			p := pp.get(b)
			if p == nil {
				res.full = true
				return res
			}
			p.seq = seq
			p.n = uint16(copy(p.data[:], data[:room]))
			p.next, *at, at = *at, p, &p.next
			if p.next == nil {
				c.tail = p
			}
			if last != nil {
				last.more = true
			}
			last = p
			c.pages++
			seq += uint32(p.n)
			room -= int(p.n)
			data = data[p.n:]
		}
	}
	if last != nil {
		last.lost = int32(min(lost, 1<<20))
	}
	return res
}

// pop takes the first page off.
func (c *chain) pop(pp *pagePool, b *budget) {
	p := c.head
	c.head = p.next
	if c.head == nil {
		c.tail = nil
	}
	c.pages--
	pp.put(b, p)
}

func (c *chain) clear(pp *pagePool, b *budget) {
	for c.head != nil {
		c.pop(pp, b)
	}
}
