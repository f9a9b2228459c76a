package kerberos

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ber"
	"github.com/verderer/verderer/sensor/flow"
)

// Inner reads the Kerberos tokens of GSS-API without their frame.
var Inner = decode.Inner{Name: "kerberos", Read: readToken}

// readToken takes the mechanism, and of an AP-REQ the ticket, from a token. The
// two-byte token id (RFC 4121 §4.1: 01 00 AP-REQ, 02 00 AP-REP, 03 00
// KRB-ERROR) may be there or not: DCE style sends the bare message (MS-KILE
// §3.4.5.1). The message itself says which it is.
func readToken(_ *decode.Context, _ flow.Dir, token []byte, auth *activity.Auth) bool {
	if len(token) > 2 && token[0] >= 1 && token[0] <= 3 && token[1] == 0 {
		token = token[2:]
	}
	var p parser
	r := ber.New(token)
	tag, body, whole, ok := p.element(&r)
	if !ok {
		return false
	}
	switch tag {
	case ber.Application(msgAPRep), ber.Application(msgError):
		if !whole {
			return false
		}
	case ber.Application(msgAPReq):
		p.cut = !whole
		a := p.apReq(body)
		if len(a.Ticket.EncPart.Cipher) == 0 {
			return false
		}
		auth.Ticket = p.outside(&a.Ticket, &activity.Ticket{}, &detail{})
	default:
		return false
	}
	auth.Mechanism = activity.MechKerberos
	return true
}
