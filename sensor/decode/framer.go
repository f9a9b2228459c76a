package decode

import "github.com/verderer/verderer/sensor/flow"

// Framer cuts one TCP direction into messages for protocols whose header tells
// the length. It joins messages that span segments, skips what is not wanted by
// length without buffering it, and finds its place again after a gap.
//
// Zero-copy where it can: a message that lies whole within one segment is
// handed over as a slice of it.
type Framer struct {
	// Header looks at the first bytes of a message. It returns its whole length
	// (header included, at least 1); or 0 when it needs more bytes (it is asked again with
	// them, up to MaxHeader); or −1 when this is no message start.
	Header func(b []byte) int
	// Max caps the bytes kept of one message. Of a longer one the first Max
	// bytes are handed over with truncated set, and the rest is skipped. Header
	// may set it for the message it looks at, to no less than MaxHeader.
	Max int

	buf  []byte // the begun message, at most Max bytes
	want int    // whole length of the begun message, 0 when not yet known
	seen int    // bytes of the begun message consumed so far, kept or skipped
	lost bool   // out of step: wait for a segment that begins with a message
}

// MaxHeader is the most bytes a Header function may ask for.
const MaxHeader = 32

// maxKept caps the buffer that Reset keeps for the next conversation: a few
// segments, so that a full pool of decoders holds 16 MiB a protocol at most
// whatever the conversations before were.
const maxKept = 8 << 10

// Reset makes f ready for a new conversation; midStream says that the first
// bytes need not be a message start. It lets go of a large buffer, so a decoder
// calls it when it is closed too, before it waits in a pool.
func (f *Framer) Reset(midStream bool) {
	f.buf = f.buf[:0]
	if cap(f.buf) > maxKept {
		f.buf = nil
	}
	f.want, f.seen = 0, 0
	f.lost = midStream
}

// Idle tells that f is in step and between two messages: the next byte begins
// one. A decoder whose protocol may change there (STARTTLS, a security layer)
// asks before it looks at that byte.
func (f *Framer) Idle() bool { return !f.lost && f.want == 0 && len(f.buf) == 0 }

// Lost tells that f is out of step and drops bytes until it finds a message.
func (f *Framer) Lost() bool { return f.lost }

// Feed consumes the bytes of one segment. msg gets each complete message, valid
// only during the call; truncated says that it was longer than Max. skipped
// returns how many bytes were dropped because no message start was found.
func (f *Framer) Feed(data []byte, msg func(b []byte, truncated bool)) (skipped int) {
	for len(data) > 0 {
		if f.want == 0 {
			n, start := 0, data
			if len(f.buf) > 0 { // header begun in an earlier segment
				take := min(MaxHeader-len(f.buf), len(data))
				f.buf = append(f.buf, data[:take]...)
				n = f.Header(f.buf)
				if n == 0 && len(f.buf) >= MaxHeader {
					n = -1
				}
				if n < 0 {
					skipped += len(f.buf) - take + len(data)
					f.lose()
					return skipped
				}
				if n == 0 {
					return skipped
				}
				had := len(f.buf) - take
				f.want, f.seen = n, had
				f.buf = f.buf[:had]
				if n < had { // the length does not even cover what asked for it
					skipped += len(data)
					f.lose()
					return skipped
				}
				f.lost = false
				if f.seen == f.want {
					f.done(msg)
				}
				continue
			}
			n = f.Header(start)
			switch {
			case n < 0 || n == 0 && len(start) >= MaxHeader:
				skipped += len(data)
				f.lose()
				return skipped
			case n == 0:
				if f.lost {
					// A few bytes that could begin a message after a loss: wait for
					// a better place rather than guess.
					return skipped + len(data)
				}
				f.buf = append(f.buf[:0], data...)
				return skipped
			case n <= len(data):
				f.lost = false
				msg(data[:min(n, max(f.Max, 1))], n > f.Max)
				data = data[n:]
				continue
			}
			f.lost = false
			f.want, f.seen = n, 0
		}
		take := min(f.want-f.seen, len(data))
		if keep := min(take, f.Max-len(f.buf)); keep > 0 {
			f.buf = append(f.buf, data[:keep]...)
		}
		f.seen += take
		data = data[take:]
		if f.seen == f.want {
			f.done(msg)
		}
	}
	return skipped
}

func (f *Framer) done(msg func([]byte, bool)) {
	b, truncated := f.buf, f.want > len(f.buf)
	f.want, f.seen = 0, 0
	msg(b, truncated)
	f.buf = f.buf[:0]
}

func (f *Framer) lose() {
	f.buf = f.buf[:0]
	f.want, f.seen = 0, 0
	f.lost = true
}

// Begun returns what is kept so far of the message that has begun, at most Max
// bytes of it, nil when none has. A decoder that can use part of a message looks
// here before Gap forgets it. Valid until the next Feed or Reset.
func (f *Framer) Begun() []byte {
	if len(f.buf) == 0 {
		return nil
	}
	return f.buf
}

// Held is how many bytes f keeps.
func (f *Framer) Held() int { return cap(f.buf) }

// Gap notes n lost bytes. A gap inside bytes that would be skipped anyway, the
// part of a message beyond Max, costs nothing; any other loses the begun
// message and the place. n = 0 (unknown) always does. A message whose end is in
// the gap is handed over when the next bytes come.
func (f *Framer) Gap(n int) {
	if n > 0 && f.want > 0 && len(f.buf) == f.Max && f.seen+n <= f.want {
		f.seen += n
		return
	}
	f.lose()
}

// Framers is the pair for both directions of a conversation.
type Framers [2]Framer

// Of returns the framer of a direction.
func (f *Framers) Of(dir flow.Dir) *Framer { return &f[dir] }
