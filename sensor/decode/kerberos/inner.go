package kerberos

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ber"
	"github.com/verderer/verderer/sensor/flow"
)

// Inner reads the Kerberos tokens of GSS-API without their frame.
var Inner = decode.Inner{
	Name:    "kerberos",
	Read:    readToken,
	Reasons: []string{reasonToken, reasonNoTicket},
}

const (
	reasonToken    = "tokens that are no AP-REQ, AP-REP or KRB-ERROR"
	reasonNoTicket = "AP-REQ tokens without a readable ticket"
)

// readToken takes from an AP-REQ the ticket, and from a server's AP-REP or
// KRB-ERROR its verdict. The two-byte token id (RFC 4121 §4.1: 01 00 AP-REQ,
// 02 00 AP-REP, 03 00 KRB-ERROR) may be there or not: DCE style sends the bare
// message (MS-KILE §3.4.5.1). The message itself says which it is.
func readToken(x *decode.Context, dir flow.Dir, token []byte, auth *activity.Auth) bool {
	if len(token) > 2 && token[0] >= 1 && token[0] <= 3 && token[1] == 0 {
		token = token[2:]
	}
	_, h, n, err := ber.Header(token)
	p := parser{cut: err == nil && (h == 0 || n > len(token)-h)}
	if p.cut {
		p.found = messageCut
	}
	r := ber.New(token)
	tag, body, _, ok := p.element(&r)
	switch {
	case ok && tag == ber.Application(msgAPReq):
		a := p.apReq(body)
		t := p.outside(&a.Ticket, &activity.Ticket{}, &detail{})
		if t == nil {
			x.Count(reasonNoTicket, 1)
			return false
		}
		auth.Ticket = t
	case ok && tag == ber.Application(msgAPRep):
		// The third leg of DCE style is the client's and judges nothing.
		if dir == flow.ToClient {
			auth.Verdict, auth.Refusal = activity.Success, ""
		}
	case ok && tag == ber.Application(msgError):
		var e KRBError
		p.krbError(body, &e)
		if dir == flow.ToClient {
			auth.Verdict, auth.Refusal = activity.Failure, e.name()
		}
	default:
		x.Count(reasonToken, 1)
		return false
	}
	auth.Mechanism = activity.MechKerberos
	for _, name := range p.found.names() {
		auth.Anomaly("kerberos-" + name)
	}
	return true
}
