package ldap

import (
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ber"
	"github.com/verderer/verderer/sensor/flow"
)

// Limits on what is kept of a message, in bytes.
const (
	// maxRequest holds a bind with the largest Kerberos ticket Windows makes
	// (MaxTokenSize, 65,535) and the envelope around it. Searches are shorter.
	maxRequest = 72 << 10
	// maxResponse holds a bind response with the challenge of any mechanism and
	// a result with its diagnostic message. Of an entry only the envelope is
	// needed, and its first bytes if it is a locator answer.
	maxResponse = 8 << 10
	// maxMessage is the longest message that is believed, above AD's default
	// limit for requests of 10 MB (MS-ADTS §3.1.1.3.4.6, MaxReceiveBuffer). A
	// longer length is a sign that this is no message.
	maxMessage = 16 << 20
	// maxLDAPHead is how many bytes of a message plausible looks at: tag and
	// length (6), message ID (7), operation.
	maxLDAPHead = 14
)

// mode is what the bytes of a direction are.
type mode uint8

const (
	plain   mode = iota // LDAP messages
	wrapped             // LDAP messages in the buffers of a security layer
	inTLS               // TLS records
)

// stream reads one direction of a TCP conversation down to LDAP messages.
//
// The direction may change what it is between two messages: to TLS after
// STARTTLS, to a security layer after a SASL bind, and that bind may not have
// been seen. It is told by the first byte: 0x30 begins a message, 0x14 to 0x18
// a TLS record, and 0x00 a buffer of at most 16 MiB.
type stream struct {
	d        *decoder
	dir      flow.Dir
	mode     mode
	framer   decode.Framer
	layer    layer
	signs    bool                           // an NTLM layer was seen to leave messages readable
	unpadded bool                           // an RC4 layer was seen to do without padding
	take     func(b []byte, truncated bool) // takes what the framer cut
}

func newStream(d *decoder, dir flow.Dir) *stream {
	s := &stream{d: d, dir: dir}
	s.framer.Header = s.header
	s.take = func(b []byte, truncated bool) {
		if s.mode == inTLS {
			d.record(b)
		} else {
			d.message(dir, b, truncated)
		}
	}
	return s
}

func (s *stream) reset(midStream bool) {
	s.mode, s.signs, s.unpadded = plain, false, false
	s.layer.next()
	s.framer.Max = maxRequest
	if s.dir == flow.ToClient {
		s.framer.Max = maxResponse
	}
	s.framer.Reset(midStream)
}

// startTLS has the next byte begin a TLS record.
func (s *stream) startTLS(midStream bool) {
	s.mode = inTLS
	s.framer.Max = tlsHeader
	s.framer.Reset(midStream)
}

// feed reads the bytes of one segment.
func (s *stream) feed(data []byte) {
	for len(data) > 0 {
		switch s.mode {
		case wrapped:
			data = s.unwrap(data)
		case plain:
			if s.changes(data) {
				continue
			}
			fallthrough
		default:
			s.d.skip(s.framer.Feed(data, s.take))
			return
		}
	}
}

// changes looks at the start of a segment that need not go on a message.
func (s *stream) changes(data []byte) bool {
	if !s.framer.Idle() && !s.framer.Lost() {
		return false
	}
	switch {
	case data[0] == 0:
		s.mode = wrapped
		s.layer.next()
		return true
	case beginsTLS(data):
		s.d.startTLS()
		return true
	}
	return false
}

// unwrap takes bytes in a security layer and returns those it did not want.
func (s *stream) unwrap(data []byte) []byte {
	l := &s.layer
	if l.token.kind == tokenUnfinished {
		if l.n == 0 && data[0] != 0 {
			s.mode = plain
			return data
		}
		before := l.n
		early, taken, rest, known := l.begin(data)
		if !known {
			return nil
		}
		if !s.judge(early) {
			s.d.skip(before + len(data))
			s.leave()
			return nil
		}
		s.content(early[:taken])
		data = rest
	}
	n := min(l.left(), len(data))
	s.content(data[:n])
	if l.left() == 0 {
		l.next()
	}
	return data[n:]
}

// judge decides what to do with a buffer by the beginning of its token, and
// counts it unless it can be read. False: this is no buffer at all.
func (s *stream) judge(early []byte) bool {
	l := &s.layer
	switch l.token.kind {
	case tokenNTLM:
		// The signature says nothing of sealing. The content is in the clear if
		// it begins with a message, or goes on one that was.
		begun := !s.framer.Idle() && !s.framer.Lost()
		if s.signs && begun || plausible(early[ntlmSize:]) > 0 {
			s.signs = true
			l.token.kind = tokenSigned
		} else {
			l.token.kind = tokenSealed
		}
	case tokenUnknown:
		// After a bind by another mechanism its layer is expected. Without one, or
		// out of step, nothing says that these four bytes are a length.
		if !s.d.layered || s.framer.Lost() || len(early) == 0 {
			return false
		}
		s.d.count(layerUnknown, 1)
		s.d.count(layerUnknownBytes, l.size)
		s.d.readable = true
		return true
	}
	if l.token.kind == tokenSealed {
		s.d.count(sealed, 1)
		s.d.count(sealedBytes, l.size-l.token.head)
		s.d.readable = true
	}
	return true
}

// content takes the next bytes of the buffer's token.
func (s *stream) content(b []byte) {
	l := &s.layer
	first := l.pos <= l.token.head
	from, to := l.content(len(b))
	if l.token.kind != tokenSigned || from == to {
		return
	}
	b = b[from:to]
	if s.framer.Lost() && !first {
		s.d.skip(len(b)) // messages begin where buffers do, if anywhere
		return
	}
	if end := len(b) - 1; l.token.pad && l.left() == 0 {
		// RFC 4757 §7.3 ends the plaintext in one octet of padding, of value 1.
		// Should an implementation leave it out, its buffers end in other octets.
		s.unpadded = s.unpadded || b[end] != 1
		if !s.unpadded {
			b = b[:end]
		}
	}
	s.d.skip(s.framer.Feed(b, s.take))
}

// leave gives up the layer until the next segment shows what it is.
func (s *stream) leave() {
	s.layer.next()
	s.lose(0)
	s.mode = plain
}

// gap notes n lost bytes, 0 for an unknown number.
func (s *stream) gap(n int) {
	l := &s.layer
	if s.mode != wrapped {
		s.lose(n)
		return
	}
	if l.token.kind == tokenUnfinished || n == 0 || n > l.left() {
		s.leave()
		return
	}
	if from, to := l.content(n); from < to && l.token.kind == tokenSigned {
		s.lose(to - from)
	}
	if l.left() == 0 {
		l.next()
	}
}

// lose notes n lost bytes of LDAP. What there is of the message they cut is
// read: the filter of a long request is worth more than nothing.
func (s *stream) lose(n int) {
	begun := s.framer.Begun()
	s.framer.Gap(n)
	switch {
	case begun == nil || !s.framer.Lost():
	case s.mode != inTLS && plausible(begun) > 0:
		s.take(begun, true)
	default:
		s.d.skip(len(begun))
	}
}

// header is the framer's Header. In step it believes any element that could
// hold a message, so that one with an unknown operation is skipped by its
// length; out of step it demands more.
func (s *stream) header(b []byte) int {
	if s.mode == inTLS {
		return tlsRecord(b)
	}
	if s.framer.Lost() {
		return plausible(b)
	}
	return element(b)
}

// element reads the header of a SEQUENCE: see decode.Framer.Header.
func element(b []byte) int {
	_, h, n, err := ber.Header(b)
	switch {
	case len(b) > 0 && ber.Tag(b[0]) != ber.Sequence, err != nil, n > maxMessage:
		return -1
	case h == 0:
		return 0
	}
	return h + n
}

// plausible is element for bytes of which nothing is known: it also wants a
// message ID and an operation of RFC 4511.
func plausible(b []byte) int {
	n := element(b)
	if n <= 0 {
		return n
	}
	_, h, _, _ := ber.Header(b)
	id := b[h:]
	switch {
	case len(id) > 0 && ber.Tag(id[0]) != ber.Integer, len(id) > 1 && (id[1] == 0 || id[1] > 5):
		return -1
	case len(id) < 2 || len(id) < 3+int(id[1]):
		return 0
	case !ProtocolOp(id[2+id[1]]).known():
		return -1
	}
	return n
}

// TLS is recognised by its record header (RFC 8446 §5.1).
const (
	tlsHeader    = 5
	tlsMaxRecord = 1<<14 + 2048 // TLS 1.2, RFC 5246 §6.2.3; 1.3 allows less
)

// tlsRecord is the framer's Header for TLS: ContentType 20 to 24, major version
// 3, length.
func tlsRecord(b []byte) int {
	if len(b) < tlsHeader {
		return 0
	}
	n := int(b[3])<<8 | int(b[4])
	if b[0] < 20 || b[0] > 24 || b[1] != 3 || n == 0 || n > tlsMaxRecord {
		return -1
	}
	return tlsHeader + n
}

// beginsTLS tells whether a segment consists of TLS records, the last of which
// may go on. One header alone is too little to give up a connection for.
func beginsTLS(b []byte) bool {
	n := tlsRecord(b)
	for n > 0 && n < len(b) {
		b = b[n:]
		n = tlsRecord(b)
	}
	return n > 0
}
