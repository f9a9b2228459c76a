package ntlm

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

// Fixed parts of the messages. An AUTHENTICATE of Windows NT has no flags, one
// before Windows 2000 no session key field; the payload tells, since it begins
// where the fixed part ends (§2.2.1.3, notes on Version and MIC).
const (
	sizeHeader           = 12 // signature and type
	minChallenge         = 32 // up to ServerChallenge
	endChallengeInfo     = 48 // TargetInfoFields
	minAuthenticate      = 52 // up to WorkstationFields
	endAuthenticateFlags = 64
	endAuthenticateMIC   = 88
	offsetMIC            = 72
)

// maxPairs caps the pairs read of one target information: the specification
// defines ten.
const maxPairs = 32

var signature = []byte("NTLMSSP\x00")

var le = binary.LittleEndian

// field is the place of a payload field: Len and BufferOffset of the messages'
// "Fields" (§2.2.1).
type field struct{ length, offset int }

func fieldAt(b []byte, at int) field {
	return field{int(le.Uint16(b[at:])), int(le.Uint32(b[at+4:]))}
}

// of returns the field's bytes; ok is false when they are not inside message b.
func (f field) of(b []byte) (content []byte, ok bool) {
	if f.length == 0 {
		return nil, true
	}
	if f.offset > len(b) || f.length > len(b)-f.offset {
		return nil, false
	}
	return b[f.offset : f.offset+f.length], true
}

// challenge is what is read of CHALLENGE_MESSAGE (§2.2.1.2).
type challenge struct {
	targetInfo field
}

func readChallenge(b []byte) (c challenge, ok bool) {
	if len(b) < minChallenge {
		return challenge{}, false
	}
	if len(b) >= endChallengeInfo {
		c.targetInfo = fieldAt(b, 40)
	}
	return c, true
}

// authenticate is what is read of AUTHENTICATE_MESSAGE (§2.2.1.3).
type authenticate struct {
	lm, nt, domain, user, workstation field
	flags                             uint32
	flagsSeen                         bool
	mic                               bool
}

func readAuthenticate(b []byte) (m authenticate, ok bool) {
	if len(b) < minAuthenticate {
		return authenticate{}, false
	}
	m.lm, m.nt = fieldAt(b, 12), fieldAt(b, 20)
	m.domain, m.user, m.workstation = fieldAt(b, 28), fieldAt(b, 36), fieldAt(b, 44)
	payload := len(b)
	for _, f := range []field{m.lm, m.nt, m.domain, m.user, m.workstation} {
		if f.length > 0 {
			payload = min(payload, f.offset)
		}
	}
	if payload >= endAuthenticateFlags {
		m.flags, m.flagsSeen = le.Uint32(b[60:]), true
	}
	if payload >= endAuthenticateMIC {
		for _, x := range b[offsetMIC:endAuthenticateMIC] {
			m.mic = m.mic || x != 0
		}
	}
	return m, true
}

// pairs walks target information: AV_PAIR structures up to MsvAvEOL. whole is
// false when there is none within b or within maxPairs.
func pairs(b []byte, each func(id uint16, value []byte)) (whole bool) {
	for range maxPairs {
		if len(b) < 4 {
			return false
		}
		id, n := le.Uint16(b), int(le.Uint16(b[2:]))
		if id == avEOL {
			return true
		}
		if n > len(b)-4 {
			return false
		}
		each(id, b[4:4+n])
		b = b[4+n:]
	}
	return false
}

// text reads a name. raw holds its bytes, cut like it, when they are not text.
func text(b []byte, unicode bool) (s string, raw []byte) {
	if unicode {
		s, raw = names.FromUTF16LE(b)
	} else {
		s, raw = oem(b)
	}
	return activity.Cut(s), raw[:min(len(raw), activity.MaxText)]
}

// oem reads a name in the sender's OEM code page, which no message tells: all
// agree on ASCII only.
func oem(b []byte) (s string, raw []byte) {
	var t strings.Builder
	for _, x := range b {
		if x < utf8.RuneSelf {
			t.WriteByte(x)
			continue
		}
		t.WriteRune(utf8.RuneError)
		if raw == nil {
			raw = bytes.Clone(b)
		}
	}
	return t.String(), raw
}
