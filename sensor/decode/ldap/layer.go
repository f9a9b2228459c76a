package ldap

import (
	"bytes"
	"encoding/binary"

	"github.com/verderer/verderer/sensor/decode/ber"
)

// maxBuffer is the longest buffer of a security layer that is believed: the
// most a side may announce in RFC 4752 §3.1, three octets.
const maxBuffer = 1<<24 - 1

// Sizes of what comes before the content of a buffer.
const (
	lengthSize = 4                             // RFC 4422 §3.7: length in network byte order
	cfxSize    = 16                            // RFC 4121 §4.2.6.2
	ntlmSize   = 16                            // MS-NLMP §2.2.2.9
	rc4Size    = 32                            // RFC 4757 §7.3 with the confounder, behind the GSS-API framing
	maxHead    = lengthSize + 6 + 11 + rc4Size // GSS-API framing: tag, up to 5 octets of length, the mechanism
)

// layer takes the SASL security layer off one direction (RFC 4422 §3.7, RFC
// 4752, MS-ADTS §5.1.2.1): buffers of a four-octet length and a token that
// wraps bytes of the LDAP stream. A message may begin and end anywhere in them.
//
// Nothing of a buffer is kept but its first maxHead bytes, and these only if
// they come in pieces: AD answers a large search in one buffer of megabytes.
type layer struct {
	head  [maxHead]byte
	n     int   // bytes of head
	size  int   // of the token, as the length states
	token token // of the buffer under way, unfinished between two
	pos   int   // bytes of it consumed
}

// token says how to read a buffer behind its length.
type token struct {
	kind tokenKind
	head int  // bytes before the content
	tail int  // bytes after it
	pad  bool // the content may end in a byte of padding
}

type tokenKind uint8

const (
	tokenUnfinished tokenKind = iota // more bytes are needed to tell
	tokenUnknown                     // none of a mechanism known here
	tokenSigned                      // the content is readable
	tokenSealed                      // it is not
	tokenNTLM                        // only the content tells
)

// krb5Mechanism is the OID 1.2.840.113554.1.2.2 as an element (RFC 4121 §4.1).
var krb5Mechanism = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

// parseToken looks at the first bytes b of a token of size bytes.
func parseToken(b []byte, size int) token {
	var t token
	switch {
	case len(b) < 4:
	case b[0] == 0x05 && b[1] == 0x04:
		t = parseCFX(b, size)
	case b[0] == 0x60:
		t = parseRC4(b, size)
	case binary.LittleEndian.Uint32(b) == 1: // NTLMSSP_MESSAGE_SIGNATURE.Version
		// The content's head must be there too, for it tells whether it is sealed.
		if len(b) >= min(size, ntlmSize+maxLDAPHead) && size >= ntlmSize {
			t = token{kind: tokenNTLM, head: ntlmSize}
		}
	default:
		t.kind = tokenUnknown
	}
	if t.kind == tokenUnfinished && len(b) >= min(size, maxHead-lengthSize) {
		t.kind = tokenUnknown
	}
	return t
}

// parseCFX reads the Wrap token of RFC 4121 §4.2.6.2. In an unsealed one EC is
// the length of the checksum behind the plaintext, and both are rotated right
// by RRC (§4.2.5). Windows and Samba rotate by EC: the checksum comes first. A
// larger rotation would put the plaintext's end before its beginning; nobody
// does that, and it is not read.
func parseCFX(b []byte, size int) token {
	const flagSealed = 0x02
	if len(b) < cfxSize {
		return token{}
	}
	ec, rrc := int(binary.BigEndian.Uint16(b[4:])), int(binary.BigEndian.Uint16(b[6:]))
	switch {
	case b[3] != 0xff: // Filler
		return token{kind: tokenUnknown}
	case b[2]&flagSealed != 0:
		return token{kind: tokenSealed, head: cfxSize}
	case rrc > ec || ec > size-cfxSize:
		return token{kind: tokenUnknown}
	}
	return token{kind: tokenSigned, head: cfxSize + rrc, tail: ec - rrc}
}

// parseRC4 reads the older Wrap token, of RFC 4757 §7.3 and RFC 1964 §1.2.2, in
// the framing of RFC 2743 §3.1.
func parseRC4(b []byte, size int) token {
	_, h, _, err := ber.Header(b)
	if err != nil {
		return token{kind: tokenUnknown}
	}
	inner := h + len(krb5Mechanism)
	if h == 0 || len(b) < inner+6 {
		return token{}
	}
	t := token{kind: tokenSealed, head: inner + rc4Size}
	id, seal := b[inner:inner+2], b[inner+4:inner+6]
	if !bytes.Equal(b[h:inner], krb5Mechanism) || id[0] != 0x02 || id[1] != 0x01 || size < t.head {
		return token{kind: tokenUnknown}
	}
	if seal[0] == 0xff && seal[1] == 0xff { // SEAL_ALG none
		t.kind, t.pad = tokenSigned, true
	}
	return t
}

// begin reads the head of a buffer. known tells that its token is; then early
// is what was looked at of it, of which taken bytes are consumed and not in
// rest.
func (l *layer) begin(data []byte) (early []byte, taken int, rest []byte, known bool) {
	if l.n == 0 && len(data) > lengthSize {
		// All of it at hand, as nearly always: nothing need be copied, and the
		// messages stay in one piece.
		if !l.measure(data) {
			return nil, 0, data, true
		}
		rest = data[lengthSize:]
		early = rest[:min(l.size, len(rest))]
		if l.token = parseToken(early, l.size); l.token.kind != tokenUnfinished {
			return early, 0, rest, true
		}
	}
	for len(data) > 0 {
		want := lengthSize
		if l.n >= lengthSize {
			want = min(maxHead, lengthSize+l.size)
		}
		took := copy(l.head[l.n:want], data)
		l.n, data = l.n+took, data[took:]
		if l.n < lengthSize {
			break
		}
		if !l.measure(l.head[:]) {
			return nil, 0, data, true
		}
		early = l.head[lengthSize:l.n]
		if l.token = parseToken(early, l.size); l.token.kind != tokenUnfinished {
			return early, len(early), data, true
		}
	}
	return nil, 0, nil, false
}

// measure reads the length. One that cannot be leaves an unknown token.
func (l *layer) measure(b []byte) bool {
	n := binary.BigEndian.Uint32(b)
	if n == 0 || n > maxBuffer {
		l.token = token{kind: tokenUnknown}
		return false
	}
	l.size = int(n)
	return true
}

// left is how much of the buffer is still to come.
func (l *layer) left() int { return l.size - l.pos }

// content moves on over n bytes of the token and tells which of them, from and
// to, are content.
func (l *layer) content(n int) (from, to int) {
	from = min(n, max(0, l.token.head-l.pos))
	to = min(n, l.size-l.token.tail-l.pos)
	l.pos += n
	return from, max(from, to)
}

// next begins at a new buffer.
func (l *layer) next() { l.n, l.size, l.pos, l.token = 0, 0, 0, token{} }
