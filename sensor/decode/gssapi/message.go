package gssapi

import (
	"bytes"

	"github.com/verderer/verderer/sensor/decode/ber"
)

// First bytes that tell what a token is.
const (
	tagInitial  = ber.Tag(0x60) // InitialContextToken (RFC 2743 §3.1)
	tagNegInit  = ber.Tag(0xa0) // NegotiationToken's negTokenInit (RFC 4178 §4.2)
	tagNegResp  = ber.Tag(0xa1) // negTokenResp
	tagAPReq    = ber.Tag(0x6e) // Kerberos messages (RFC 4120 §5.5, §5.9)
	tagAPRep    = ber.Tag(0x6f)
	tagKRBError = ber.Tag(0x7e)
)

var ntlmSignature = []byte("NTLMSSP\x00")

// unwrap takes the framing off an initial token: content is what follows the
// mechanism's OID. whole is false when the token's length is not that of b.
func unwrap(b []byte) (content []byte, whole, ok bool) {
	r := ber.New(b)
	_, inner, whole, err := r.Partial()
	if err != nil {
		return nil, false, false
	}
	whole = whole && r.Empty()
	in := ber.New(inner)
	if _, ok := in.Expect(ber.OID); !ok {
		return nil, false, false
	}
	return in.Rest(), whole, true
}

// kerberosBody takes the token id off a Kerberos token (RFC 4121 §4.1), if b
// begins with one: 01 00 AP-REQ, 02 00 AP-REP, 03 00 KRB-ERROR.
func kerberosBody(b []byte) []byte {
	if len(b) > 2 && b[1] == 0 && b[0] >= 1 && b[0] <= 3 {
		return b[2:]
	}
	return b
}

// negToken is what is read of NegTokenInit and NegTokenResp.
type negToken struct {
	token    []byte // mechToken, responseToken
	negState int64  // −1 when absent
}

// readNegToken reads b from its NegotiationToken tag on. ok is false where it
// differs from its ASN.1; what came before is kept.
func readNegToken(b []byte) (t negToken, ok bool) {
	t.negState = -1
	r := ber.New(b)
	tag, content, err := r.Next()
	if err != nil {
		return t, false
	}
	outer := ber.New(content)
	fields, ok := outer.Into(ber.Sequence)
	if !ok {
		return t, false
	}
	for !fields.Empty() {
		field, value, err := fields.Next()
		if err != nil {
			return t, false
		}
		v := ber.New(value)
		switch {
		case field == ber.Context(2): // mechToken and responseToken have the same tag
			if t.token, ok = v.Expect(ber.OctetString); !ok {
				return t, false
			}
		case field == ber.Context(0) && tag == tagNegResp:
			state, ok := v.Expect(ber.Enumerated)
			if !ok {
				return t, false
			}
			if t.negState, ok = ber.Int(state); !ok {
				t.negState = -1
				return t, false
			}
		}
	}
	return t, true
}

func isNTLM(b []byte) bool { return bytes.HasPrefix(b, ntlmSignature) }
