package smb

import (
	"github.com/verderer/verderer/sensor/flow"
)

// stream cuts one direction into commands. Of a command it gathers as many
// bytes as its reader wants to see at once, in place where they came in one
// segment; what follows them, the body of a READ or WRITE above all, is passed
// on as it comes, or over.
type stream struct {
	d   *decoder
	dir flow.Dir

	buf  []byte // the begun piece, when it did not come in one segment
	need int    // bytes of it that must be there before it is looked at again
	lost bool   // out of step: wait for a segment that begins with a message

	inside bool  // a NetBIOS packet has begun
	packet int   // bytes of it from the begun command on
	more   bool  // another command follows in the chain
	depth  int   // commands of the chain before this one
	chain  chain // what related operations refer to

	// What follows the piece that was read last: bytes passed over, bytes for
	// sink, bytes passed over.
	pre, body, post int
	sink            sink
}

// chain is what the commands before in a compound were about (MS-SMB2
// §3.3.5.2.7.2).
type chain struct {
	session uint64
	tree    uint32
	file    *file
}

// plan is where the bytes for sink are, from the beginning of the command.
type plan struct {
	sink         sink
	from, length int
}

// maxKept caps the buffer that is kept from one command to the next.
const maxKept = 8 << 10

func (s *stream) reset(midStream bool) {
	*s = stream{d: s.d, dir: s.dir, buf: s.buf[:0], need: sizeNetBIOS, lost: midStream}
	s.trim()
}

func (s *stream) trim() {
	if s.buf = s.buf[:0]; cap(s.buf) > maxKept {
		s.buf = nil
	}
}

// lose gives up the place.
func (s *stream) lose() { s.reset(true) }

// left is what follows the piece read last and is not read as a command.
func (s *stream) left() int { return s.pre + s.body + s.post }

func (s *stream) feed(data []byte) {
	for len(data) > 0 {
		if s.lost {
			if !begins(data) {
				s.d.count(reasonSkipped, len(data))
				return
			}
			s.lost = false
		}
		if s.left() > 0 {
			data = s.pass(data)
		} else {
			data = s.gather(data)
		}
	}
}

// gather adds to the begun piece and, when enough of it is there, has it read.
// It returns what of data follows it.
func (s *stream) gather(data []byte) []byte {
	for {
		b := data
		if len(s.buf) > 0 {
			n := min(s.need-len(s.buf), len(data))
			s.buf = append(s.buf, data[:n]...)
			b, data = s.buf, data[n:]
		}
		if len(b) < s.need {
			if len(s.buf) == 0 {
				s.buf = append(s.buf, data...)
			}
			return nil
		}
		b = b[:s.need]
		if need := s.wants(b); need > len(b) {
			s.need = need
			continue
		}
		if len(s.buf) == 0 {
			data = data[len(b):]
		}
		if !s.piece(b) {
			s.d.count(reasonSkipped, len(b)+len(data))
			s.lose()
			return nil
		}
		s.trim()
		if s.left() == 0 {
			s.next()
		}
		return data
	}
}

// next makes ready for the piece after this one.
func (s *stream) next() {
	s.sink = sink{}
	if s.need = sizeNetBIOS; s.inside && (!s.more || s.packet == 0) {
		s.inside, s.depth, s.chain = false, 0, chain{}
	} else if s.inside {
		s.need = min(sizeMagic, s.packet)
	}
}

// pass hands on or over what follows the piece that was read last.
func (s *stream) pass(data []byte) []byte {
	n := min(s.pre, len(data))
	s.pre -= n
	data = data[n:]
	if n = min(s.body, len(data)); n > 0 {
		s.body -= n
		s.d.content(s.dir, &s.sink, data[:n])
		data = data[n:]
	}
	n = 0
	if s.body == 0 {
		n = min(s.post, len(data))
		s.post -= n
	}
	if s.left() == 0 {
		s.next()
	}
	return data[n:]
}

// gap notes n lost bytes, 0 for an unknown number. Those that would be passed
// over cost nothing.
func (s *stream) gap(n int) {
	if s.lost {
		return
	}
	if n > 0 && n <= s.left() {
		k := min(s.pre, n)
		s.pre -= k
		n -= k
		if k = min(s.body, n); k > 0 {
			s.body -= k
			n -= k
			s.d.contentLost(s.dir, &s.sink, k)
		}
		s.post -= n
		if s.left() == 0 {
			s.next()
		}
		return
	}
	s.lose()
	s.d.pipesLost(s.dir)
}

// begins tells whether a segment begins with a message: all there is to tell
// the place by.
func begins(b []byte) bool {
	return len(b) >= sizeNetBIOS+sizeMagic && b[0] == sessionMessage && magic(b[sizeNetBIOS:]) != 0
}

// wants is how many bytes of the begun piece are needed, b being its beginning.
// More than len(b): look again then; else b is the piece.
func (s *stream) wants(b []byte) int {
	if !s.inside {
		if b[0] == sessionRequest {
			return min(max(sizeNetBIOS+be24(b), sizeNetBIOS), sizeNames)
		}
		return sizeNetBIOS
	}
	switch magic(b) {
	case magicSMB2:
		return s.wants2(b)
	case magicSMB1:
		return s.wants1(b)
	case magicTransform:
		return min(sizeTransform, s.packet)
	case magicCompressed:
		return min(sizeCompressed, s.packet)
	}
	return len(b)
}

// piece reads a whole piece and sets what follows it. It is false when it
// cannot be one.
func (s *stream) piece(b []byte) bool {
	if !s.inside {
		return s.netBIOS(b)
	}
	switch magic(b) {
	case magicSMB2:
		return s.piece2(b)
	case magicSMB1:
		return s.piece1(b)
	case magicTransform:
		s.whole(b)
		s.d.transformed(b, s.post+len(b))
		return true
	case magicCompressed:
		s.whole(b)
		s.d.compressed(b, s.post+len(b))
		return true
	}
	return false
}

// whole says that b begins all the rest of the packet.
func (s *stream) whole(b []byte) {
	s.post, s.packet, s.more = s.packet-len(b), 0, false
}

// follow sets what follows piece b of a command of extent bytes.
func (s *stream) follow(b []byte, extent int, p plan) {
	s.pre, s.body, s.post = 0, 0, extent-len(b)
	if p.length > 0 {
		s.pre, s.body, s.post = p.from-len(b), p.length, extent-p.from-p.length
		s.sink = p.sink
		s.sink.file.moved(s.dir, p.length)
	}
	s.packet -= extent
}

// fit cuts a plan to what lies between piece b and the end of the command.
func (s *stream) fit(b []byte, extent int, p plan) plan {
	switch {
	case p.length == 0:
		return plan{}
	case p.from < len(b):
		s.d.count(reasonBody, 1) // it would begin within its own description
		return plan{}
	case p.length > extent-p.from:
		s.d.count(reasonBody, 1)
		p.length = max(extent-p.from, 0)
	}
	return p
}

// netBIOS reads the header of a packet of the session service (RFC 1002 §4.3.1;
// over port 445 MS-SMB2 §2.1), and the names of a session request.
func (s *stream) netBIOS(b []byte) bool {
	n := be24(b)
	switch b[0] {
	case sessionMessage:
		if n == 0 {
			return true
		}
		s.inside, s.packet, s.more, s.depth, s.chain = true, n, true, 0, chain{}
		return true
	case sessionRequest:
		if s.dir != flow.ToServer {
			return false
		}
		if len(b) == sizeNames {
			s.d.caller = netBIOSName(b[sizeNetBIOS+sizeName:])
		}
		s.post = n + sizeNetBIOS - len(b)
		return true
	case sessionPositive, sessionNegative, sessionRetarget:
		if b[0] != sessionPositive {
			s.d.count(reasonNoSession, 1)
		}
		s.post = n
		return s.dir == flow.ToClient && n <= 6
	case sessionKeepAlive:
		return n == 0
	}
	return false
}
