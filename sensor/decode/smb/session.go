package smb

import (
	"fmt"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/flow"
)

// maxSessions caps the sessions of a connection. A Windows client has one for
// each user of it, one more for itself; a terminal server has dozens.
const maxSessions = 64

// session is a session, or the set-up of one.
type session struct {
	id      uint64 // 0 until an answer gives it
	begun   bool   // a set-up is under way
	settled bool   // one has succeeded
	asked   activity.Time

	auth      activity.Auth  // what the tokens of the set-up said so far
	presented activity.Time  // when an identity was presented that has no verdict; 0 when none waits
	identity  *activity.Auth // who the server let in; activities point to it, it does not change
	account   activity.Account

	signed      bool // a side requires it, or SMB1 does it
	encrypted   bool
	sealed      bool // an encrypted message was seen
	guest, null bool

	legacy                 bool // SMB1 without extended security
	nativeOS, nativeLanMan string
	vcNumber, maxMpx       uint16
	anomalies              []string
	size                   int // bytes of text, counted in decoder.text
}

// signs tells whether messages of the session are signed: one side requires
// it, and there is a key (MS-SMB2 §3.2.5.3.1).
func (s *session) signs(d *decoder) bool {
	return (s.signed || d.required) && !s.guest && !s.null
}

// who is who the session is logged on as. A ticket does not show its client:
// then there is no account.
func (s *session) who() (*activity.Auth, activity.Account) {
	if s == nil {
		return nil, activity.Account{}
	}
	return s.identity, s.account
}

// kept is a copy for activities to point to; nil when the tokens said nothing.
func kept(auth activity.Auth) *activity.Auth {
	if auth.Mechanism == "" {
		return nil
	}
	return &auth
}

func accountOf(auth *activity.Auth) activity.Account {
	if auth == nil {
		return activity.Account{}
	}
	if n := auth.NTLM; auth.Mechanism == activity.MechNTLM && n != nil {
		return activity.Account{Name: n.User, Domain: n.Domain, Raw: n.Raw}
	}
	return activity.Account{}
}

// proved tells whether tokens say who the client is: a ticket, or the
// AUTHENTICATE of NTLM, whose flags are never all zero in practice.
func proved(auth *activity.Auth) bool {
	n := auth.NTLM
	return auth.Mechanism == activity.MechKerberos && auth.Ticket != nil ||
		auth.Mechanism == activity.MechNTLM && n != nil && (n.User != "" || n.Anonymous || n.Flags != 0)
}

// session finds a session by its id; nil when it is not known.
func (d *decoder) session(id uint64) *session {
	for _, s := range d.sessions {
		if s.id == id && id != 0 {
			return s
		}
	}
	return nil
}

// addSession makes room for a session and adds it.
func (d *decoder) addSession(id uint64) *session {
	if len(d.sessions) == maxSessions {
		d.count(reasonSessions, 1)
		d.dropSession(d.sessions[0])
	}
	s := &session{id: id}
	d.sessions = append(d.sessions, s)
	return s
}

// setUp finds the session that a set-up request goes on with, or begins one.
func (d *decoder) setUp(id uint64) *session {
	s := d.session(id)
	if s == nil {
		s = d.addSession(id)
	}
	if !s.begun {
		s.begun, s.asked = true, d.now
	}
	return s
}

// clientToken reads the token of a set-up request.
func (d *decoder) clientToken(s *session, token []byte) {
	before := s.auth
	if len(token) > 0 && !d.x.Handoff("gssapi", flow.ToServer, token, &s.auth) {
		d.count(reasonTokenUnread, 1)
	}
	d.resize(s)
	changed := s.auth.Ticket != before.Ticket || s.auth.NTLM != before.NTLM
	if changed && s.presented != 0 {
		// The server asked for more without a word on it, as it does for the
		// ticket of a mechanism it does not choose.
		d.logon(s, kept(before), activity.Attempt, "")
	}
	if changed {
		s.presented = 0
		if proved(&s.auth) {
			s.presented = d.now
		}
	}
}

// serverToken reads the token of an answer.
func (d *decoder) serverToken(s *session, token []byte) {
	if len(token) > 0 && !d.x.Handoff("gssapi", flow.ToClient, token, &s.auth) {
		d.count(reasonTokenUnread, 1)
	}
	d.resize(s)
}

// resize notes what the session's text takes; auth has changed, perhaps.
func (d *decoder) resize(s *session) {
	n := len(s.nativeOS) + len(s.nativeLanMan)
	if a := s.auth.NTLM; a != nil {
		n += len(a.User) + len(a.Domain) + len(a.Workstation) + len(a.Raw) + len(a.ServerName) + len(a.ServerDNS) + len(a.ServerDom) + len(a.ServerDNSDomain) + len(a.Target)
	}
	if t := s.auth.Ticket; t != nil {
		n += len(t.Realm) + len(t.Service)
	}
	n *= 2 // identity may be an earlier one
	d.text += n - s.size
	s.size = n
}

// adopt gives the session the id of its answer. A session that had it before is
// over: its end was not seen.
func (d *decoder) adopt(s *session, id uint64) {
	if s.id == id {
		return
	}
	if old := d.session(id); old != nil {
		d.dropSession(old)
	}
	s.id = id
}

// setupAnswer ends a set-up, or a leg of it, with the server's verdict.
func (d *decoder) setupAnswer(s *session, status uint32) {
	switch {
	case status == statusMoreProcessing:
		if s.presented != 0 && s.auth.Verdict == activity.Failure {
			d.logon(s, kept(s.auth), activity.Failure, s.auth.Refusal)
			s.presented = 0
		}
		return
	case failed(status):
		auth := kept(s.auth)
		if s.presented != 0 {
			d.logon(s, auth, activity.Failure, statusName(status))
		}
		d.sessionActivity(s, auth, activity.Failure, status)
		s.presented, s.begun = 0, false
		if !s.settled {
			d.dropSession(s)
		}
		return
	}
	if n := s.auth.NTLM; n != nil && n.Anonymous {
		s.null = true
	}
	auth := kept(s.auth)
	if s.presented != 0 {
		outcome, why := activity.Success, ""
		if s.guest && names.Fold(accountOf(&s.auth).Name) != "guest" {
			outcome, why = activity.Failure, refusedAsGuest
		}
		d.logon(s, auth, outcome, why)
	}
	s.identity, s.account = auth, accountOf(auth)
	d.sessionActivity(s, auth, activity.Success, status)
	s.presented, s.begun, s.settled = 0, false, true
}

// refusedAsGuest is Activity.Error of a logon whose name or password was not
// accepted, and that was let in as guest all the same.
const refusedAsGuest = "logged on as guest"

// setupLeft ends a set-up without a verdict.
func (d *decoder) setupLeft(s *session) {
	if s.presented != 0 {
		auth := kept(s.auth)
		d.logon(s, auth, activity.Attempt, "")
		d.sessionActivity(s, auth, activity.Attempt, 0)
	} else if s.begun {
		d.count(reasonLeft, 1)
	}
	s.presented, s.begun = 0, false
	if !s.settled {
		d.dropSession(s)
	}
}

// dropSession forgets a session, with its shares and files.
func (d *decoder) dropSession(s *session) {
	i := slices.Index(d.sessions, s)
	if i < 0 {
		return
	}
	d.sessions = slices.Delete(d.sessions, i, i+1)
	if s.begun {
		s.settled = true // or setupLeft drops it
		d.setupLeft(s)
	}
	d.closeFiles(func(f *file) bool { return f.session == s })
	for j := 0; j < len(d.trees); {
		if t := d.trees[j]; t.session == s {
			d.dropTree(t)
		} else {
			j++
		}
	}
	for j := 0; j < len(d.pending); {
		if p := &d.pending[j]; p.session == s || p.tree != nil && p.tree.session == s || p.file != nil && p.file.session == s {
			d.giveUp(j)
			j = 0
		} else {
			j++
		}
	}
	d.text -= s.size
	s.size = 0
}

// logon emits the authentication that a set-up presented.
func (d *decoder) logon(s *session, auth *activity.Auth, outcome activity.Outcome, why string) {
	kind := activity.KerberosAP
	if auth.Mechanism == activity.MechNTLM {
		kind = activity.NTLMLogon
	}
	a := d.x.New(kind, activity.ProtoSMB, d.now)
	a.Requested, a.Outcome, a.Error = s.presented, outcome, why
	a.Auth, a.Account = auth, accountOf(auth)
	a.Anomalies = append(a.Anomalies, auth.Anomalies...)
	d.x.Emit(a)
}

// sessionActivity emits the set-up of a session.
func (d *decoder) sessionActivity(s *session, auth *activity.Auth, outcome activity.Outcome, status uint32) {
	a := d.x.New(activity.SMBSession, activity.ProtoSMB, d.now)
	m := d.detail(s, nil)
	m.Status, m.Auth = status, auth
	m.NativeOS, m.NativeLanMan, m.Legacy, m.VCNumber, m.MaxMpx = s.nativeOS, s.nativeLanMan, s.legacy, s.vcNumber, s.maxMpx
	a.Requested, a.Outcome, a.SMB, a.Account = s.asked, outcome, &m, accountOf(auth)
	if outcome == activity.Failure {
		a.Error = statusName(status)
	}
	a.Anomalies, s.anomalies = s.anomalies, nil
	d.x.Emit(a)
}

// statusName names a status that refuses. An error of SMB1 that is no NTSTATUS
// is a class and a code (MS-CIFS §2.2.2.4).
func statusName(status uint32) string {
	if code := status >> 16; status>>30 == 0 && status&0xffff >= 1 && status&0xffff <= 3 && code != 0 {
		return fmt.Sprintf("%s %d", [...]string{"ERRDOS", "ERRSRV", "ERRHRD"}[status&0xffff-1], code)
	}
	return activity.StatusName(status)
}
