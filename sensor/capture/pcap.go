package capture

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/verderer/verderer/activity"
)

// The classic capture file: draft-ietf-opsawg-pcap, "PCAP Capture File Format".
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetzov's libpcap patch: longer record headers

	pcapHeader     = 24
	pcapRecord     = 16
	modifiedRecord = 24

	// MaxPacket is the longest packet read, libpcap's MAXIMUM_SNAPLEN. No
	// writer exceeds it, so that a longer one is a damaged length.
	MaxPacket = 262144

	// resyncReach is how far the time of a record found after damage may be from
	// the last good one. Captures seldom pause for a day, and random bytes fall
	// into two days of 136 years once in 25,000 times.
	resyncReach = 24 * time.Hour
)

// pcap reads the records of a classic capture file.
type pcap struct {
	w      *window
	begun  bool
	big    bool // byte order of the headers
	link   LinkType
	record int   // length of a record header
	unit   int64 // nanoseconds of the second time field
	frames int64
	last   activity.Time // of the newest good record; 0 before the first
}

// order reads a 32-bit number in the byte order of a file.
func order(big bool, b []byte) uint32 {
	if big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// isPcap tells whether b begins with the magic of a classic capture, in which
// byte order, and which magic.
func isPcap(b []byte) (magic uint32, big, ok bool) {
	if len(b) < 4 {
		return 0, false, false
	}
	for _, big := range []bool{false, true} {
		switch m := order(big, b); m {
		case magicMicro, magicNano, magicModified:
			return m, big, true
		}
	}
	return 0, false, false
}

// begin reads the file header. Version and snap length are not looked at: the
// record layout never changed since version 2.4 of 1998, and writers put
// nonsense into the snap length.
func (p *pcap) begin() *Damage {
	p.begun, p.record, p.unit = true, pcapRecord, int64(time.Microsecond)
	h := p.w.peek(pcapHeader)
	if len(h) < pcapHeader {
		return p.w.cut("the file header", len(h), pcapHeader)
	}
	magic, big, _ := isPcap(h)
	p.big = big
	switch magic {
	case magicNano:
		p.unit = 1
	case magicModified:
		p.record = modifiedRecord
	}
	p.link = linkOf(uint16(order(big, h[20:]))) // the upper half tells the length of frame check sequences
	p.w.skip(pcapHeader)
	return nil
}

// linkOf maps the values that BSD systems wrote for raw IP, before
// LINKTYPE_RAW was registered, to that.
func linkOf(v uint16) LinkType {
	if v == 12 || v == 14 {
		return LinkRaw
	}
	return LinkType(v)
}

// header is a decoded record header.
type header struct {
	time     activity.Time
	frac     uint32
	cap, len uint32
}

func (p *pcap) header(h []byte) header {
	frac := order(p.big, h[4:])
	return header{
		// Unsigned 32-bit seconds reach the year 2106 and cannot overflow.
		time: activity.Time(int64(order(p.big, h))*int64(time.Second) + int64(frac)*p.unit),
		frac: frac,
		cap:  order(p.big, h[8:]),
		len:  order(p.big, h[12:]),
	}
}

// next implements format.
func (p *pcap) next(c *Chunk) error {
	if !p.begun {
		if d := p.begin(); d != nil {
			return d
		}
	}
	b := p.w.peek(p.record)
	if len(b) < p.record {
		if len(b) == 0 {
			return p.w.end()
		}
		return p.w.cut(fmt.Sprintf("the header of packet %d", p.frames+1), len(b), p.record)
	}
	h := p.header(b)
	if h.cap > MaxPacket {
		return p.resync(overlong(p.frames+1, h.cap))
	}
	if h.cap == 0 && h.len == 0 && h.time == 0 {
		// What a file system leaves in a file that was open when the power failed.
		return p.resync(fmt.Sprintf("zeros in place of the header of packet %d", p.frames+1))
	}
	n := p.record + int(h.cap)
	b = p.w.peek(n)
	if len(b) < n {
		return p.cutOff(len(b)-p.record, int(h.cap))
	}
	p.w.skip(n)
	p.frames++
	p.last = h.time
	c.Time, c.Link, c.Data = h.time, p.link, b[p.record:]
	c.Wire, c.Frame = int(max(h.len, h.cap)), p.frames
	return nil
}

// overlong says that a packet is longer than MaxPacket.
func overlong(frame int64, n uint32) string {
	return fmt.Sprintf("packet %d claims %d bytes, more than the %d of any capture", frame, n, MaxPacket)
}

// plausible tells whether b begins with a record header that a capture may
// have close to the time near (0: at any time).
func (p *pcap) plausible(b []byte, near activity.Time) (h header, ok bool) {
	if len(b) < p.record {
		return h, false
	}
	h = p.header(b)
	ok = h.cap <= h.len && h.len <= MaxPacket && h.len > 0 && int64(h.frac)*p.unit < int64(time.Second) &&
		(near == 0 || h.time.Sub(near).Abs() <= resyncReach)
	return h, ok
}

// resync looks for the next record after a header that cannot be one: a
// plausible header followed by another plausible one or by the end.
func (p *pcap) resync(reason string) *Damage {
	d := &Damage{Offset: p.w.off}
	for {
		p.w.skip(1)
		b := p.w.peek(p.record)
		if len(b) < p.record {
			break
		}
		h, ok := p.plausible(b, p.last)
		if !ok {
			continue
		}
		n := p.record + int(h.cap)
		b = p.w.peek(n + p.record)
		if _, ok := p.plausible(b[min(n, len(b)):], h.time); ok || len(b) == n && !p.w.broken() {
			d.Reason = fmt.Sprintf("%s; %d bytes skipped", reason, p.w.off-d.Offset)
			return d
		}
	}
	p.w.discard(p.record)
	d.Reason = fmt.Sprintf("%s; nothing readable in the %d bytes up to the end", reason, p.w.off-d.Offset)
	return d
}

// cutOff judges a record that reaches beyond the end of the content. Either
// the file was cut, or the length is damaged and whole records follow. The
// latter is believed only if they lead to the very end: the cut packet may
// itself carry a capture, but that one would be cut as well.
func (p *pcap) cutOff(have, want int) *Damage {
	what := fmt.Sprintf("packet %d", p.frames+1)
	if p.w.broken() {
		return p.w.cut(what, have, want)
	}
	b := p.w.peek(p.record + have)
	// leads[i]: records follow one another from i to the end. Filled backwards,
	// so that hostile content costs no more than its length.
	leads := make([]bool, len(b)+1)
	leads[len(b)] = true
	at := 0
	for i := len(b) - p.record; i > 0; i-- {
		h, ok := p.plausible(b[i:], p.last)
		if n := i + p.record + int(h.cap); ok && n <= len(b) && leads[n] {
			leads[i] = true
			at = i
		}
	}
	if at == 0 {
		return p.w.cut(what, have, want)
	}
	d := &Damage{Offset: p.w.off, Reason: fmt.Sprintf("%s claims %d bytes, more than are left; %d bytes skipped", what, want, at)}
	p.w.skip(at)
	return d
}
