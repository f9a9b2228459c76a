package capture

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/verderer/verderer/activity"
)

// The capture file of many blocks: draft-ietf-opsawg-pcapng, "PCAP Now Generic
// (pcapng) Capture File Format". Section numbers below are of that draft.
const (
	blockSection   = 0x0a0d0d0a // §4.1; reads the same in both byte orders
	blockInterface = 1          // §4.2
	blockPacket    = 2          // appendix A, obsolete
	blockSimple    = 3          // §4.4
	blockNames     = 4          // §4.5
	blockStats     = 5          // §4.6
	blockEnhanced  = 6          // §4.3
	blockSecrets   = 10         // §4.7
	blockCustom    = 0x00000bad // §4.8, may be copied
	blockCustomNo  = 0x40000bad // §4.8, must not be copied

	byteOrderMagic = 0x1a2b3c4d

	blockFrame = 12 // type, length, and the length again at the end

	// maxBlock bounds the blocks whose content is read, which must be in memory
	// whole: the longest packet and as much again for its options.
	maxBlock = 2 * MaxPacket
	// maxSkipped bounds the blocks that are passed over. Wireshark and libpcap
	// refuse blocks above 16 MiB, so that a longer one is a damaged length.
	maxSkipped = 16 << 20

	// maxInterfaces bounds the interfaces of a section. The old packet block
	// could name no more.
	maxInterfaces = 1 << 16

	optEnd           = 0
	optTimeResol     = 9  // §4.2 if_tsresol
	optTimeOffset    = 14 // §4.2 if_tsoffset
	microsecondResol = 6
)

// pcapng reads the blocks of a pcapng file.
type pcapng struct {
	w          *window
	big        bool // byte order of the section
	section    bool // a section header was read
	interfaces []interfaceDesc
	frames     int64
	last       activity.Time // of the newest packet, for those that carry none
}

// interfaceDesc is what packets need to know of their interface.
type interfaceDesc struct {
	link  LinkType
	snap  uint32 // 0: unlimited
	clock clock
}

// next implements format.
func (p *pcapng) next(c *Chunk) error {
	for {
		h := p.w.peek(blockFrame)
		if len(h) < blockFrame {
			if len(h) == 0 {
				return p.w.end()
			}
			return p.w.cut("a block", len(h), blockFrame)
		}
		typ := order(p.big, h)
		if typ == blockSection {
			big, ok := sectionOrder(h)
			if !ok {
				return p.resync(fmt.Sprintf("section header with byte-order magic %#08x", order(p.big, h[8:])))
			}
			p.big, p.section = big, true
			p.interfaces = p.interfaces[:0]
		}
		length := order(p.big, h[4:])
		limit := uint32(maxSkipped)
		if read(typ) {
			limit = maxBlock
		}
		if length < blockFrame || length > limit {
			return p.resync(fmt.Sprintf("%s claims a length of %d bytes, allowed are %d to %d", p.what(typ), length, blockFrame, limit))
		}
		size := padded(length)
		if size > maxBlock {
			if d := p.pass(typ, length); d != nil {
				return d
			}
			continue
		}
		b := p.w.peek(size)
		if len(b) < size {
			return p.cutOff(typ, size)
		}
		if again := order(p.big, b[size-4:]); again != length {
			return p.resync(mismatch(p.what(typ), length, again))
		}
		at := p.w.off
		p.w.skip(size)
		if !read(typ) {
			continue
		}
		packet, reason := p.block(typ, b[8:size-4], c)
		if reason != "" {
			return &Damage{Offset: at, Reason: reason}
		}
		if packet {
			return nil
		}
	}
}

// padded is the number of bytes that a block of a length takes. The length has
// to be a multiple of four (§3.1), but writers exist that count without the
// padding.
func padded(length uint32) int { return int(length+3) &^ 3 }

func mismatch(what string, length, again uint32) string {
	return fmt.Sprintf("%s is %d bytes long by its beginning and %d by its end", what, length, again)
}

// what names a block in reasons.
func (p *pcapng) what(typ uint32) string {
	switch typ {
	case blockEnhanced, blockPacket, blockSimple:
		return fmt.Sprintf("packet %d", p.frames+1)
	}
	return fmt.Sprintf("block of type %#x", typ)
}

// read tells whether the content of a block is looked at.
func read(typ uint32) bool {
	switch typ {
	case blockSection, blockInterface, blockPacket, blockSimple, blockEnhanced:
		return true
	}
	return false
}

// sectionOrder returns the byte order that a section header block declares,
// after its length (§4.1). The version beside it is not looked at: there was
// never more than one layout.
func sectionOrder(h []byte) (big, ok bool) {
	switch {
	case order(false, h[8:]) == byteOrderMagic:
		return false, true
	case order(true, h[8:]) == byteOrderMagic:
		return true, true
	}
	return false, false
}

// block takes one whole block apart. packet says that c was filled, a reason
// that the block cannot be used although its frame is whole.
func (p *pcapng) block(typ uint32, body []byte, c *Chunk) (packet bool, reason string) {
	switch typ {
	case blockSection:
		if len(body) < 16 {
			return false, fmt.Sprintf("section header of %d bytes, needs 16", len(body))
		}
		return false, ""
	case blockInterface:
		return false, p.describe(body)
	case blockEnhanced: // interface u32, time u32 u32, captured u32, original u32
		if len(body) < 20 {
			return false, fmt.Sprintf("%s has a block of %d bytes, needs 20", p.what(typ), len(body))
		}
		return p.packet(c, order(p.big, body), body[4:], body[20:])
	case blockPacket: // interface u16, drops u16, time u32 u32, captured u32, original u32
		if len(body) < 20 {
			return false, fmt.Sprintf("%s has a block of %d bytes, needs 20", p.what(typ), len(body))
		}
		id := binary.LittleEndian.Uint16(body)
		if p.big {
			id = binary.BigEndian.Uint16(body)
		}
		return p.packet(c, uint32(id), body[4:], body[20:])
	default:
		return p.simple(c, body)
	}
}

// packet fills c from the fields that packet blocks of both kinds share: times
// begins with the two halves of the time, rest with the packet.
func (p *pcapng) packet(c *Chunk, id uint32, times, rest []byte) (bool, string) {
	if int64(id) >= int64(len(p.interfaces)) {
		return false, fmt.Sprintf("packet %d is of interface %d, but there are %d", p.frames+1, id, len(p.interfaces))
	}
	captured, original := order(p.big, times[8:]), order(p.big, times[12:])
	if captured > MaxPacket {
		return false, overlong(p.frames+1, captured)
	}
	if int(captured) > len(rest) {
		return false, fmt.Sprintf("packet %d claims %d bytes, its block has %d", p.frames+1, captured, len(rest))
	}
	in := &p.interfaces[id]
	ticks := uint64(order(p.big, times))<<32 | uint64(order(p.big, times[4:]))
	p.last = in.clock.time(ticks)
	p.frames++
	c.Time, c.Link, c.Data = p.last, in.link, rest[:captured]
	c.Wire, c.Frame = int(max(captured, original)), p.frames
	return true, ""
}

// simple fills c from a simple packet block, which belongs to the first
// interface, is cut to its snap length without saying so, and has no time
// (§4.4): it gets that of the packet before it, 0 if there is none.
func (p *pcapng) simple(c *Chunk, body []byte) (bool, string) {
	if len(body) < 4 {
		return false, fmt.Sprintf("packet %d has a block of %d bytes, needs 4", p.frames+1, len(body))
	}
	if len(p.interfaces) == 0 {
		return false, fmt.Sprintf("packet %d is of interface 0, but there are 0", p.frames+1)
	}
	in := &p.interfaces[0]
	original, rest := order(p.big, body), body[4:]
	captured := original
	if in.snap > 0 {
		captured = min(captured, in.snap)
	}
	// Without a snap length the padding to 32 bits is all that the block may
	// have beyond the packet, and a packet longer than the block was cut.
	captured = min(captured, uint32(len(rest)), MaxPacket)
	p.frames++
	c.Time, c.Link, c.Data = p.last, in.link, rest[:captured]
	c.Wire, c.Frame = int(max(captured, original)), p.frames
	return true, ""
}

// describe reads an interface description: link type u16, reserved u16, snap
// length u32, options.
func (p *pcapng) describe(body []byte) (reason string) {
	if len(body) < 8 {
		return fmt.Sprintf("interface description of %d bytes, needs 8", len(body))
	}
	if len(p.interfaces) == maxInterfaces {
		return fmt.Sprintf("more than %d interfaces in a section", maxInterfaces)
	}
	u16 := binary.LittleEndian.Uint16
	if p.big {
		u16 = binary.BigEndian.Uint16
	}
	in := interfaceDesc{link: linkOf(u16(body)), snap: order(p.big, body[4:])}
	resol, offset := byte(microsecondResol), int64(0)
	// Options (§3.5): code u16, length u16, value padded to 32 bits. Those that
	// do not fit end the list: the interface is still of use.
	for o := body[8:]; len(o) >= 4; {
		code, n := u16(o), int(u16(o[2:]))
		o = o[4:]
		if code == optEnd || n > len(o) {
			break
		}
		switch {
		case code == optTimeResol && n >= 1:
			resol = o[0]
		case code == optTimeOffset && n >= 8:
			hi, lo := order(p.big, o), order(p.big, o[4:])
			if !p.big {
				hi, lo = lo, hi
			}
			offset = int64(uint64(hi)<<32 | uint64(lo))
		}
		o = o[min((n+3)&^3, len(o)):]
	}
	in.clock = newClock(resol, offset)
	p.interfaces = append(p.interfaces, in)
	return ""
}

// pass consumes a block that is too long to be kept in memory.
func (p *pcapng) pass(typ, length uint32) *Damage {
	at, size := p.w.off, padded(length)
	n := p.w.discard(size - 4)
	b := p.w.peek(4)
	if len(b) < 4 {
		broken := p.w.broken()
		d := p.w.cut(p.what(typ), n+len(b), size)
		if !broken {
			d.Offset = at
		}
		return d
	}
	again := order(p.big, b)
	if again != length {
		return p.resync(mismatch(p.what(typ), length, again))
	}
	p.w.skip(4)
	return nil
}

// resync looks for the next block after one that cannot be one: in steps of
// four bytes, to which all blocks are aligned.
func (p *pcapng) resync(reason string) *Damage {
	d := &Damage{Offset: p.w.off}
	for len(p.w.peek(4+blockFrame)) == 4+blockFrame {
		p.w.skip(4)
		size, big := p.plausible(p.w.peek(blockFrame))
		if size == 0 {
			continue
		}
		if repeated(p.w.peek(size), size, big) {
			d.Reason = fmt.Sprintf("%s; %d bytes skipped", reason, p.w.off-d.Offset)
			return d
		}
	}
	p.w.discard(4 + blockFrame)
	d.Reason = fmt.Sprintf("%s; nothing readable in the %d bytes up to the end", reason, p.w.off-d.Offset)
	return d
}

// cutOff judges a block that reaches beyond the end of the content, as that of
// pcap does for records.
func (p *pcapng) cutOff(typ uint32, want int) *Damage {
	b := p.w.peek(want)
	if p.w.broken() {
		return p.w.cut(p.what(typ), len(b), want)
	}
	leads := make([]bool, len(b)+1)
	leads[len(b)] = true
	at := 0
	for i := (len(b) - blockFrame) &^ 3; i > 0; i -= 4 {
		size, big := p.plausible(b[i:])
		if size > 0 && repeated(b[i:], size, big) && leads[i+size] {
			leads[i] = true
			at = i
		}
	}
	if at == 0 {
		return p.w.cut(p.what(typ), len(b), want)
	}
	d := &Damage{Offset: p.w.off, Reason: fmt.Sprintf("%s claims %d bytes, more than are left; %d bytes skipped", p.what(typ), want, at)}
	p.w.skip(at)
	return d
}

// plausible returns the size and byte order of the block whose header b begins
// with, 0 if it is none of a known type.
func (p *pcapng) plausible(b []byte) (size int, big bool) {
	big = p.big
	switch order(big, b) {
	case blockSection:
		var ok bool
		if big, ok = sectionOrder(b); !ok {
			return 0, false
		}
	case blockInterface, blockPacket, blockSimple, blockNames, blockStats, blockEnhanced, blockSecrets, blockCustom, blockCustomNo:
		if !p.section {
			return 0, false // in which byte order?
		}
	default:
		return 0, false
	}
	length := order(big, b[4:])
	if length < blockFrame || length > maxBlock {
		return 0, false
	}
	return padded(length), big
}

// repeated tells whether b holds all of a block of a size and the same length
// at both ends of it.
func repeated(b []byte, size int, big bool) bool {
	return len(b) >= size && order(big, b[4:]) == order(big, b[size-4:])
}

// clock turns the time stamps of an interface into time:
// ticks × mul ÷ div ÷ 2^shift nanoseconds, plus offset.
type clock struct {
	mul, div uint64
	shift    uint
	offset   int64 // seconds
}

// newClock follows §4.2: resol is a negative power of ten, or of two when its
// highest bit is set.
func newClock(resol byte, offset int64) clock {
	c := clock{mul: 1, div: 1, offset: offset}
	e := uint(resol & 0x7f)
	if resol&0x80 != 0 {
		c.mul, c.shift = uint64(time.Second), e
		return c
	}
	for ; e < 9; e++ {
		c.mul *= 10
	}
	// Beyond 10^19 the divisor would overflow; 64 bits of such ticks are less
	// than a nanosecond already at 10^29.
	for ; e > 9 && c.div < 1e19; e-- {
		c.div *= 10
	}
	if e > 9 {
		c.mul = 0
	}
	return c
}

// time clamps to what int64 nanoseconds can hold, the years 1678 to 2262.
func (c *clock) time(ticks uint64) activity.Time {
	hi, lo := bits.Mul64(ticks, c.mul)
	switch {
	case c.shift >= 128:
		hi, lo = 0, 0
	case c.shift >= 64:
		hi, lo = 0, hi>>(c.shift-64)
	case c.shift > 0:
		hi, lo = hi>>c.shift, lo>>c.shift|hi<<(64-c.shift)
	case c.div > 1: // then mul is 1 and hi 0
		lo /= c.div
	}
	if c.offset == 0 {
		if hi > 0 || lo > math.MaxInt64 {
			return math.MaxInt64
		}
		return activity.Time(lo)
	}
	return addSeconds(hi, lo, c.offset)
}

// addSeconds is the 128-bit number of nanoseconds hi:lo plus s seconds, clamped.
func addSeconds(hi, lo uint64, s int64) activity.Time {
	if s > 0 {
		oh, ol := bits.Mul64(uint64(s), uint64(time.Second))
		lo, carry := bits.Add64(lo, ol, 0)
		hi, over := bits.Add64(hi, oh, carry)
		if over > 0 || hi > 0 || lo > math.MaxInt64 {
			return math.MaxInt64
		}
		return activity.Time(lo)
	}
	oh, ol := bits.Mul64(-uint64(s), uint64(time.Second))
	lo, borrow := bits.Sub64(lo, ol, 0)
	hi, _ = bits.Sub64(hi, oh, borrow) // as two's complement; no operand reaches 2^127
	switch {
	case hi == 0 && lo <= math.MaxInt64:
		return activity.Time(lo)
	case hi == math.MaxUint64 && lo > math.MaxInt64:
		return activity.Time(lo)
	case int64(hi) < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}
