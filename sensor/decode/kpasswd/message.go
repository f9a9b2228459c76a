package kpasswd

import (
	"encoding/binary"

	"github.com/verderer/verderer/sensor/decode/ber"
)

// Protocol versions of a message (RFC 3244 §2): the change password protocol
// that it describes as existing, and the set password protocol.
const (
	versionChange = 1
	versionSet    = 0xff80
)

// headerSize is that of a message, which a record over TCP precedes by 4 bytes.
const headerSize = 6

// message is a request or a reply (RFC 3244 §2); slices lie in what was read.
type message struct {
	MessageLength   int
	ProtocolVersion uint16
	AP              []byte // AP-REQ, or AP-REP; empty where an error stands instead
	Rest            []byte // KRB-PRIV, or KRB-ERROR
}

// read reads a message. ok is false when it has no header, or one that cannot be.
func (m *message) read(b []byte) (ok bool) {
	if len(b) < headerSize {
		return false
	}
	m.MessageLength = int(binary.BigEndian.Uint16(b))
	m.ProtocolVersion = binary.BigEndian.Uint16(b[2:])
	n := int(binary.BigEndian.Uint16(b[4:]))
	b = b[headerSize:]
	if m.ProtocolVersion != versionChange && m.ProtocolVersion != versionSet {
		return false
	}
	m.AP, m.Rest = b[:min(n, len(b))], b[min(n, len(b)):]
	return true
}

// isError tells a bare KRB-ERROR, which servers send that could not read enough
// to make a reply.
func isError(b []byte) bool { return len(b) > 0 && ber.Tag(b[0]) == ber.Application(30) }

// resultCode reads the e-data of a KRB-ERROR (RFC 4120 §5.9.1, field 12): two
// octets, high first, and a text. −1 when there is none.
func resultCode(krbError []byte) int32 {
	r := ber.New(krbError)
	body, _ := r.Into(ber.Application(30))
	for f, _ := body.Into(ber.Sequence); !f.Empty(); {
		tag, content, err := f.Next()
		if err != nil {
			return -1
		}
		if tag != ber.Context(12) {
			continue
		}
		in := ber.New(content)
		if b, ok := in.Expect(ber.OctetString); ok && len(b) >= 2 {
			return int32(binary.BigEndian.Uint16(b))
		}
	}
	return -1
}

// resultNames are those of RFC 3244 §2.
var resultNames = [...]string{
	"KRB5_KPASSWD_SUCCESS", "KRB5_KPASSWD_MALFORMED", "KRB5_KPASSWD_HARDERROR", "KRB5_KPASSWD_AUTHERROR",
	"KRB5_KPASSWD_SOFTERROR", "KRB5_KPASSWD_ACCESSDENIED", "KRB5_KPASSWD_BAD_VERSION", "KRB5_KPASSWD_INITIAL_FLAG_NEEDED",
}
