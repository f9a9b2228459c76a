package dcerpc

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// maxSecurity caps the security contexts of a connection. Windows multiplexes
// the identities of one process on a connection (MS-RPCE §3.3.1.5.2.1), in
// practice two or three.
const maxSecurity = 8

// security is one security context of the connection: who is authenticated in
// it, by the tokens under one auth_context_id.
type security struct {
	id      uint32
	kind    byte
	level   byte
	auth    activity.Auth  // what the tokens said so far
	shared  *activity.Auth // copy of auth that activities point to; nil when auth changed since
	asked   activity.Time  // when the identity was presented
	callID  uint32         // of the PDU that presented it
	answer  bool           // that PDU has an answer of its own: bind or alter_context, not auth3
	settled bool           // the identity's activity is emitted
}

// identity is what makes two presentations the same authentication.
type identity struct {
	ticket       activity.TicketID
	user, domain string
	flags        uint32
	anonymous    bool
}

// identity is zero as long as nothing was presented: no readable ticket, or
// NTLM before its AUTHENTICATE, whose flags are never all zero in practice.
func (s *security) identity() (id identity) {
	switch s.auth.Mechanism {
	case activity.MechKerberos:
		if t := s.auth.Ticket; t != nil {
			id.ticket = t.ID
		}
	case activity.MechNTLM:
		if n := s.auth.NTLM; n != nil {
			id = identity{user: n.User, domain: n.Domain, flags: n.Flags, anonymous: n.Anonymous}
		}
	}
	return id
}

// open tells that the security context waits for its verdict.
func (s *security) open() bool { return !s.settled && s.identity() != identity{} }

// share is what the tokens said, for activities to point to.
func (s *security) share() *activity.Auth {
	if s.shared == nil {
		a := s.auth
		s.shared = &a
	}
	return s.shared
}

// account is the identity as an account, where the mechanism names one: a
// ticket does not show its client.
func (s *security) account() activity.Account {
	if n := s.auth.NTLM; s.auth.Mechanism == activity.MechNTLM && n != nil {
		return activity.Account{Name: n.User, Domain: n.Domain, Raw: n.Raw}
	}
	return activity.Account{}
}

// securityOf finds the security context that PDUs with verifier v belong to.
// Without a verifier it is the only one, or the first of level connect. nil
// when there is none.
func (d *Decoder) securityOf(v verifier) *security {
	in := d.security[:d.securities]
	for i := range in {
		if v.present && in[i].id == v.context || !v.present && (len(in) == 1 || in[i].level <= levelConnect) {
			return &in[i]
		}
	}
	return nil
}

// waiting tells that a security context waits for its verdict.
func (d *Decoder) waiting() bool {
	for i := range d.security[:d.securities] {
		if d.security[i].open() {
			return true
		}
	}
	return false
}

// token gives the verifier of a PDU to its security context, which is made
// when it is new, and reads its token. s is nil when there is nothing to read;
// before is what it was until then.
func (d *Decoder) token(dir flow.Dir, v verifier) (s *security, before security) {
	if !v.present {
		return nil, before
	}
	if s = d.securityOf(v); s == nil {
		if d.securities == maxSecurity {
			d.x.Count(reasonSecurity, 1)
			return nil, before
		}
		s = &d.security[d.securities]
		*s = security{id: v.context}
		d.securities++
	}
	before = *s
	s.kind, s.level, s.shared = v.kind, v.level, nil
	switch v.kind {
	case authSPNEGO, authNTLM, authKerberos:
		if len(v.token) > 0 && !d.x.Handoff("gssapi", dir, v.token, &s.auth) {
			d.x.Count(reasonToken, 1)
		}
	case authNetlogon:
		s.auth.Mechanism = activity.MechNetlogon
	default:
		d.x.Count(reasonAuthType, 1)
	}
	s.auth.Protection = protection(v.level)
	if before.open() && s.identity() != before.identity() {
		d.emit(&before, activity.Attempt, "") // nothing was said of it, and nothing will be
	}
	return s, before
}

// clientToken reads the token of bind, alter_context or auth3.
func (d *Decoder) clientToken(h header, v verifier) {
	s, before := d.token(flow.ToServer, v)
	if s == nil || s.identity() == (identity{}) {
		return
	}
	// A token after a refusal is a new try, with the same ticket perhaps.
	again := before.settled && before.auth.Verdict == activity.Failure && s.auth.Verdict == ""
	if s.identity() != before.identity() || again {
		s.settled, s.asked, s.callID, s.answer = false, d.now, h.callID, h.ptype != ptypeAuth3
	}
}

// serverToken reads the token of bind_ack or alter_context_resp, and what the
// PDU itself says.
func (d *Decoder) serverToken(h header, v verifier) {
	s, _ := d.token(flow.ToClient, v)
	if s == nil {
		// No token: the server has nothing to add to the leg it answers.
		for i := range d.security[:d.securities] {
			if s := &d.security[i]; s.open() && s.answer && s.callID == h.callID {
				d.settle(s, activity.Success, "")
			}
		}
		return
	}
	switch {
	case !s.open():
	case s.auth.Verdict != "":
		d.settle(s, s.auth.Verdict, s.auth.Refusal)
	case s.kind == authNTLM && s.answer && s.callID == h.callID:
		d.settle(s, activity.Success, "") // NTLM ends with the client's leg, which was accepted
	}
}

// refuse settles what the PDU with h's call id presented.
func (d *Decoder) refuse(h header, why string) {
	for i := range d.security[:d.securities] {
		if s := &d.security[i]; s.open() && s.answer && s.callID == h.callID {
			d.settle(s, activity.Failure, why)
		}
	}
}

// judge draws from a response that the caller was let in.
func (d *Decoder) judge(v verifier) {
	if s := d.securityOf(v); s != nil && s.open() {
		d.settle(s, activity.Success, "")
	}
}

// judgeFault draws from a fault what it says of the caller.
func (d *Decoder) judgeFault(v verifier, status uint32) {
	s := d.securityOf(v)
	if s == nil || !s.open() {
		return
	}
	if v.present {
		d.settle(s, activity.Success, "") // signed: there is a security context
		return
	}
	switch status {
	case faultAccessDenied, faultSecPkgError, faultUnsupportedLv, faultInvalidChksum:
		d.settle(s, activity.Failure, faultName(status))
	}
}

// requested notes that a request uses h's call id: a fault with it no longer
// answers the bind or alter_context that used it before.
func (d *Decoder) requested(h header) {
	for i := range d.security[:d.securities] {
		if s := &d.security[i]; s.callID == h.callID {
			s.answer = false
		}
	}
}

func (d *Decoder) settle(s *security, outcome activity.Outcome, why string) {
	s.settled = true
	if outcome == activity.Failure && s.auth.Verdict != activity.Failure {
		s.auth.Verdict = activity.Failure // so that a further token is known for a new try
	}
	d.emit(s, outcome, why)
}

// emit makes the activity of an authentication.
func (d *Decoder) emit(s *security, outcome activity.Outcome, why string) {
	kind := activity.KerberosAP
	if s.auth.Mechanism == activity.MechNTLM {
		kind = activity.NTLMLogon
	}
	a := d.x.New(kind, activity.ProtoDCERPC, d.now)
	a.Requested, a.Outcome, a.Error = s.asked, outcome, why
	a.Auth, a.Account = s.share(), s.account()
	a.Anomalies = append(a.Anomalies, s.auth.Anomalies...)
	d.x.Emit(a)
}
