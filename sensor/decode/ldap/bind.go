package ldap

import (
	"bytes"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// mechanismSicily names in LDAPBind what has no SASL name (MS-ADTS §5.1.1.1.3).
const mechanismSicily = "Sicily"

// maxMechanism caps the kept name of a SASL mechanism: RFC 4422 §3.1 allows 20
// characters.
const maxMechanism = 64

// bind is the authentication under way: one request and its answer, or the
// rounds of a SASL or Sicily exchange. There is one at most, since a client may
// send nothing while it waits (RFC 4511 §4.2.1).
type bind struct {
	open    bool // an exchange has begun
	waiting bool // its last request has no answer yet
	final   bool // a success answer to that request ends the exchange; false for Sicily's first rounds
	id      int32
	began   activity.Time // first request
	asked   activity.Time // last request
	account activity.Account
	detail  activity.LDAPBind
	simple  bool
	auth    *activity.Auth // what the tokens said; nil for simple
	odd     []string       // anomalies
	size    int            // bytes of the requests, of which detail and auth keep less
}

// bindRequest begins an authentication or goes on with one.
func (d *decoder) bindRequest(m *LDAPMessage) {
	var r BindRequest
	whole := r.parse(m.Body)
	mechanism, known := mechanismOf(&r)
	if !known {
		d.giveUpBind()
		d.bound, d.auth = activity.Account{}, nil
		if m.Whole {
			d.count(authenticationUnknown, 1)
		}
		return
	}
	b := &d.bind
	if !b.goesOn(&r, mechanism) {
		d.giveUpBind()
		d.beginBind(&r, mechanism)
	}
	d.bound, d.auth = activity.Account{}, nil
	b.waiting, b.final = true, true
	b.id, b.asked = m.MessageID, d.now
	b.detail.MessageID = m.MessageID
	b.size += len(r.Name) + len(r.Credentials)
	if !m.Whole {
		b.note(anomalyCut)
	} else if !whole {
		b.note(anomalyRequest)
	}
	if m.MessageID == 0 {
		b.note(anomalyMessageID)
	}
	switch r.Authentication {
	case authSimple:
		if !whole {
			break // a name or password that is only cut off does not count as empty
		}
		b.detail.Anonymous = len(r.Name) == 0 || len(r.Credentials) == 0
		if len(r.Credentials) > 0 {
			b.detail.PasswordTag = d.x.PasswordTag(r.Credentials, d.now)
		}
	case authSASL:
		d.token(flow.ToServer, r.Credentials)
	case authSicilyPackageDiscovery:
		b.final = false
	case authSicilyNegotiate:
		b.final = false
		d.token(flow.ToServer, r.Credentials)
	case authSicilyResponse:
		d.token(flow.ToServer, r.Credentials)
	}
}

// goesOn tells whether r is the next round of the exchange under way: it names
// the same mechanism again (RFC 4513 §5.2.1.2). Where the answer before it was
// not captured, as in a capture of one direction, a proof ends the exchange.
func (b *bind) goesOn(r *BindRequest, mechanism string) bool {
	if !b.open || b.simple || mechanism == "" || b.detail.Mechanism != mechanism {
		return false
	}
	return !b.waiting || !b.proved() || len(r.Credentials) == 0 || chosenLayer(r.Credentials) != ""
}

// proved tells whether a token said who the client is: a Kerberos AP-REQ, or
// the AUTHENTICATE of NTLM.
func (b *bind) proved() bool {
	if b.simple {
		return true
	}
	n := b.auth.NTLM
	return b.auth.Mechanism == activity.MechKerberos || n != nil && (n.User != "" || n.Anonymous || n.Flags != 0)
}

// mechanismOf names how r authenticates: "" for simple.
func mechanismOf(r *BindRequest) (name string, known bool) {
	switch r.Authentication {
	case authSimple:
		return "", true
	case authSASL:
		name, _, _ := text(r.Mechanism[:min(len(r.Mechanism), maxMechanism)])
		return name, true
	case authSicilyPackageDiscovery, authSicilyNegotiate, authSicilyResponse:
		return mechanismSicily, true
	}
	return "", false
}

func (d *decoder) beginBind(r *BindRequest, mechanism string) {
	d.bind = bind{open: true, began: d.now, simple: r.Authentication == authSimple}
	b := &d.bind
	b.detail = activity.LDAPBind{Version: int32(r.Version), Mechanism: mechanism, ResultCode: int32(noResult)}
	if !b.simple {
		b.auth = new(activity.Auth)
	}
	var ok bool
	if b.account.Name, b.account.Raw, ok = text(r.Name); !ok {
		b.note(anomalyText)
	}
	if r.Version != 2 && r.Version != 3 {
		b.note(anomalyVersion)
	}
}

// note adds an anomaly once.
func (b *bind) note(anomaly string) { b.odd = noted(b.odd, anomaly) }

// ntlmSignature begins every NTLM message (MS-NLMP §2.2.1).
var ntlmSignature = []byte("NTLMSSP\x00")

// token hands a SASL or Sicily token to whoever reads it.
func (d *decoder) token(dir flow.Dir, token []byte) {
	b := &d.bind
	switch mech := b.detail.Mechanism; {
	case len(token) == 0:
		return
	case mech == "GSSAPI" && chosenLayer(token) != "":
		// RFC 4752 §3.1: with the context established, the server offers layers
		// and the client chooses one, each in a wrapped token.
		if dir == flow.ToServer {
			b.auth.Protection = chosenLayer(token)
		}
		return
	case bytes.HasPrefix(token, ntlmSignature):
		// Raw NTLM is what Sicily carries, and what Windows also accepts in place
		// of SPNEGO.
		d.x.Handoff("ntlm", dir, token, b.auth)
	case mech == "GSSAPI" || mech == "GSS-SPNEGO":
		d.x.Handoff("gssapi", dir, token, b.auth)
	}
}

// chosenLayer reads the security layer from a token of RFC 4752 §3.1: wrapped
// without sealing, its first octet a bit mask of layers. "" when the token is
// none of those, or chooses no protection.
func chosenLayer(token []byte) string {
	t := parseToken(token, len(token))
	if t.kind != tokenSigned || len(token)-t.tail < t.head+lengthSize {
		return ""
	}
	switch token[t.head] {
	case 2:
		return "integrity"
	case 4:
		return "privacy"
	}
	return ""
}

// bindResponse ends the authentication, or a round of it.
func (d *decoder) bindResponse(m *LDAPMessage) {
	b := &d.bind
	if !b.waiting || b.id != m.MessageID {
		d.count(unasked, 1)
		return
	}
	var r BindResponse
	if !r.parse(m.Body) && r.ResultCode == noResult {
		b.note(anomalyResponse)
	}
	b.waiting = false
	if !b.simple {
		challenge := r.ServerSASLCreds
		if b.detail.Mechanism == mechanismSicily {
			challenge = r.MatchedDN // SicilyBindResponse.serverCreds stands in its place
		}
		d.token(flow.ToClient, challenge)
		if r.ResultCode == resultSASLBindProgress || r.ResultCode == resultSuccess && !b.final {
			return
		}
	}
	d.endBind(&r.LDAPResult)
}

// endBind emits the authentication with the server's verdict.
func (d *decoder) endBind(r *LDAPResult) {
	a := d.bindActivity()
	outcome(a, r.ResultCode)
	if a.LDAPBind != nil {
		a.LDAPBind.ResultCode = int32(r.ResultCode)
		a.LDAPBind.Data = subError(r.DiagnosticMessage)
	}
	if r.ResultCode == resultSuccess {
		if d.bind.simple && d.bind.detail.Anonymous {
			d.bound = activity.Account{}
		} else if d.bind.simple || a.Kind == activity.NTLMLogon {
			d.bound = a.Account
		}
		if !d.bind.simple && d.bind.auth.Mechanism != "" {
			d.auth = d.bind.auth
		}
		d.layered = d.layered || !d.bind.simple
	}
	d.bind = bind{}
	d.x.Emit(a)
}

// giveUpBind emits an authentication that got no verdict as an attempt. A SASL
// exchange the client left before it proved anything, as programs do that only
// want the names in the server's NTLM challenge, is counted and no logon.
func (d *decoder) giveUpBind() {
	b := &d.bind
	if !b.open {
		return
	}
	if !b.waiting && !b.proved() {
		d.count(exchangesLeft, 1)
		d.bind = bind{}
		return
	}
	a := d.bindActivity()
	d.bind = bind{}
	d.x.Emit(a)
}

// bindActivity makes the activity of the authentication under way.
func (d *decoder) bindActivity() *activity.Activity {
	b := &d.bind
	kind := activity.LDAPSimple
	if !b.simple {
		kind = activity.LDAPSASL
		switch b.auth.Mechanism {
		case activity.MechKerberos:
			kind = activity.KerberosAP
		case activity.MechNTLM:
			kind = activity.NTLMLogon
		}
	}
	a := d.x.New(kind, d.protocol(), d.now)
	if !b.simple {
		for _, anomaly := range b.auth.Anomalies {
			b.note(anomaly)
		}
	}
	a.Requested, a.Anomalies = b.began, b.odd
	switch kind {
	case activity.KerberosAP:
		a.Auth = b.auth
	case activity.NTLMLogon:
		a.Auth = b.auth
		if n := b.auth.NTLM; n != nil {
			a.Account = activity.Account{Name: n.User, Domain: n.Domain, Raw: n.Raw}
		}
	default:
		a.Account = b.account
		detail := b.detail
		a.LDAPBind = &detail
	}
	return a
}

// subError finds AD's own error in a diagnostic message: the Win32 code in hex
// that follows "data " ("AcceptSecurityContext error, data 52e, v1db1").
func subError(diagnostic []byte) string {
	const label = "data "
	i := bytes.Index(diagnostic, []byte(label))
	if i < 0 {
		return ""
	}
	code := diagnostic[i+len(label):]
	n := 0
	for n < len(code) && isHex(code[n]) {
		n++
	}
	if n == 0 || n > 8 || n < len(code) && code[n] != ',' {
		return ""
	}
	return string(bytes.ToLower(code[:n]))
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
