package smb

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

func TestSessionOfNTLM(t *testing.T) {
	c := logged(t)
	l := c.one(activity.NTLMLogon)
	if l.Outcome != activity.Success || l.Protocol != activity.ProtoSMB || l.Account.Name != "u" || l.Account.Domain != "LAB" || l.Requested != start+4*second || l.Time != start+5*second {
		t.Errorf("logon %+v", l)
	}
	s := c.one(activity.SMBSession)
	want := &activity.SMB{Dialect: "3.0.2", Session: 7, Auth: l.Auth}
	if diff := cmp.Diff(want, s.SMB); diff != "" || s.Outcome != activity.Success || s.Account.Name != "u" || s.Requested != start+2*second {
		t.Errorf("session %+v: -want +got:\n%s", s, diff)
	}
	c.close()
	if len(c.got) != 2 {
		t.Errorf("%d activities, want 2", len(c.got))
	}
}

func TestSessionVerdicts(t *testing.T) {
	const denied, logonFailure = 0xc0000022, 0xc000006d
	type logon struct {
		kind    activity.Kind
		outcome activity.Outcome
		why     string
		name    string
	}
	for _, tt := range []struct {
		name    string
		talk    func(c *conversation)
		logons  []logon
		session string // outcome, error and flags
	}{
		{"wrong password", func(c *conversation) {
			c.client(netbios(h2{id: 1}.setup("negotiate"))).server(netbios(h2{id: 1, session: 7}.setupAnswer(statusMoreProcessing, 0, "challenge")))
			c.client(netbios(h2{id: 2, session: 7}.setup("user u"))).server(netbios(h2{id: 2, session: 7}.setupAnswer(logonFailure, 0, "")))
		}, []logon{{activity.NTLMLogon, activity.Failure, "STATUS_LOGON_FAILURE", "u"}}, "failure STATUS_LOGON_FAILURE"},
		{"Kerberos", func(c *conversation) {
			c.client(netbios(h2{id: 1}.setup("ticket cifs"))).server(netbios(h2{id: 1, session: 7}.setupAnswer(0, 0, "accept")))
		}, []logon{{activity.KerberosAP, activity.Success, "", ""}}, "success"},
		{"a ticket refused, then NTLM", func(c *conversation) {
			c.client(netbios(h2{id: 1}.setup("ticket cifs"))).server(netbios(h2{id: 1, session: 7}.setupAnswer(statusMoreProcessing, 0, "refuse KRB_AP_ERR_SKEW")))
			c.client(netbios(h2{id: 2, session: 7}.setup("negotiate"))).server(netbios(h2{id: 2, session: 7}.setupAnswer(statusMoreProcessing, 0, "challenge")))
			c.client(netbios(h2{id: 3, session: 7}.setup("user u"))).server(netbios(h2{id: 3, session: 7}.setupAnswer(0, 0, "")))
		}, []logon{{activity.KerberosAP, activity.Failure, "KRB_AP_ERR_SKEW", ""}, {activity.NTLMLogon, activity.Success, "", "u"}}, "success"},
		{"a ticket that the server does not look at", func(c *conversation) {
			c.client(netbios(h2{id: 1}.setup("ticket cifs"))).server(netbios(h2{id: 1, session: 7}.setupAnswer(statusMoreProcessing, 0, "")))
			c.client(netbios(h2{id: 2, session: 7}.setup("negotiate"))).server(netbios(h2{id: 2, session: 7}.setupAnswer(statusMoreProcessing, 0, "challenge")))
			c.client(netbios(h2{id: 3, session: 7}.setup("user u"))).server(netbios(h2{id: 3, session: 7}.setupAnswer(denied, 0, "")))
		}, []logon{{activity.KerberosAP, activity.Attempt, "", ""}, {activity.NTLMLogon, activity.Failure, "STATUS_ACCESS_DENIED", "u"}}, "failure STATUS_ACCESS_DENIED"},
		{"nobody", func(c *conversation) {
			c.client(netbios(h2{id: 2, session: 7}.setup("nobody"))).server(netbios(h2{id: 2, session: 7}.setupAnswer(0, sessionNull, "")))
		}, []logon{{activity.NTLMLogon, activity.Success, "", ""}}, "success null"},
		{"guest, whoever asked", func(c *conversation) {
			c.client(netbios(h2{id: 2, session: 7}.setup("user u"))).server(netbios(h2{id: 2, session: 7}.setupAnswer(0, sessionGuest, "")))
		}, []logon{{activity.NTLMLogon, activity.Failure, refusedAsGuest, "u"}}, "success guest"},
		{"guest, who asked for it", func(c *conversation) {
			c.client(netbios(h2{id: 2, session: 7}.setup("user Guest"))).server(netbios(h2{id: 2, session: 7}.setupAnswer(0, sessionGuest, "")))
		}, []logon{{activity.NTLMLogon, activity.Success, "", "Guest"}}, "success guest"},
		{"encrypted", func(c *conversation) {
			c.client(netbios(h2{id: 1}.setup("ticket cifs"))).server(netbios(h2{id: 1, session: 7}.setupAnswer(0, sessionEncrypt, "accept")))
		}, []logon{{activity.KerberosAP, activity.Success, "", ""}}, "success encrypted"},
		{"no answer", func(c *conversation) {
			c.client(netbios(h2{id: 2, session: 7}.setup("user u")))
		}, []logon{{activity.NTLMLogon, activity.Attempt, "", "u"}}, "attempt"},
		{"a token nobody reads", func(c *conversation) {
			c.client(netbios(h2{id: 2}.setup("what"))).server(netbios(h2{id: 2, session: 7}.setupAnswer(0, 0, "")))
		}, nil, "success"},
		{"only a look at the server's names", func(c *conversation) {
			c.client(netbios(h2{id: 1}.setup("negotiate"))).server(netbios(h2{id: 1, session: 7}.setupAnswer(statusMoreProcessing, 0, "challenge")))
		}, nil, ""},
		{"again in the same session", func(c *conversation) {
			c.client(netbios(h2{id: 1}.setup("ticket cifs"))).server(netbios(h2{id: 1, session: 7}.setupAnswer(0, 0, "accept")))
			c.got = nil
			c.client(netbios(h2{id: 2, session: 7}.setup("ticket later"))).server(netbios(h2{id: 2, session: 7}.setupAnswer(0, 0, "accept")))
			if len(c.d.sessions) != 1 {
				c.t.Errorf("%d sessions", len(c.d.sessions))
			}
		}, []logon{{activity.KerberosAP, activity.Success, "", ""}}, "success"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, false)
			tt.talk(c)
			c.close()
			var logons []logon
			session := ""
			for _, a := range c.got {
				if a.Kind != activity.SMBSession {
					logons = append(logons, logon{a.Kind, a.Outcome, a.Error, a.Account.Name})
					continue
				}
				session = string(a.Outcome)
				for _, w := range []struct {
					is   bool
					word string
				}{{a.Error != "", a.Error}, {a.SMB.Null, "null"}, {a.SMB.Guest, "guest"}, {a.SMB.Encrypted, "encrypted"}} {
					if w.is {
						session += " " + w.word
					}
				}
			}
			if diff := cmp.Diff(tt.logons, logons, cmp.AllowUnexported(logon{})); diff != "" {
				t.Errorf("logons: -want +got:\n%s", diff)
			}
			if session != tt.session {
				t.Errorf("session %q, want %q", session, tt.session)
			}
		})
	}
}

func TestSigned(t *testing.T) {
	for _, tt := range []struct {
		mode  byte
		flags uint16
		want  bool
	}{{1, 0, false}, {3, 0, true}, {3, sessionGuest, false}, {3, sessionNull, false}} {
		c := open(t, false).server(netbios(negotiateAnswer(0x0311, tt.mode)))
		c.client(netbios(h2{id: 1}.setup("user u"))).server(netbios(h2{id: 1, session: 7}.setupAnswer(0, tt.flags, "")))
		if got := c.one(activity.SMBSession).SMB; got.Signed != tt.want || got.Dialect != "3.1.1" {
			t.Errorf("mode %d, flags %d: signed %v, dialect %s", tt.mode, tt.flags, got.Signed, got.Dialect)
		}
	}
}

// TestTwoAtOnce: set-ups of two users cross each other on a connection.
func TestTwoAtOnce(t *testing.T) {
	c := open(t, false).
		client(netbios(h2{id: 1}.setup("user a"), h2{id: 2}.setup("user b"))).
		server(netbios(h2{id: 2, session: 20}.setupAnswer(0, 0, ""), h2{id: 1, session: 10}.setupAnswer(0xc000006d, 0, "")))
	names := ""
	for _, a := range c.kind(activity.NTLMLogon) {
		names += fmt.Sprintf("%s %s;", a.Account.Name, a.Outcome)
	}
	if names != "b success;a failure;" {
		t.Error(names)
	}
	if s := c.d.session(20); s == nil || s.account.Name != "b" || len(c.d.sessions) != 1 {
		t.Errorf("sessions %+v", c.d.sessions)
	}
}

// TestSessionEnds: what a session had open ends with it, and its number may mean
// another one then.
func TestSessionEnds(t *testing.T) {
	c := connected(t, `\\dc1\public`, 1).
		client(netbios(in(4).create("a.txt", 1, 0))).
		server(netbios(in(4).createAnswer(1, 10, 0, fileID{1, 1}))).
		client(netbios(h2{command: logoff2, id: 5, session: 7}.with(uint16(4), uint16(0)))).
		server(netbios(h2{command: logoff2, id: 5, session: 7}.answer(0, uint16(4), uint16(0))))
	if f := c.one(activity.SMBFile); f.SMB.Path != "a.txt" || f.Account.Name != "u" {
		t.Errorf("file %+v", f.SMB)
	}
	c.client(netbios(h2{id: 6}.setup("user other"))).
		server(netbios(h2{id: 6, session: 7}.setupAnswer(0, 0, ""))).
		client(netbios(h2{id: 7, session: 7}.treeConnect(`\\dc1\c$`))).
		server(netbios(h2{id: 7, session: 7}.refuse(treeConnect2, 0xc0000022)))
	if trees := c.kind(activity.SMBTree); len(trees) != 2 || trees[1].Account.Name != "other" || trees[1].Error != "STATUS_ACCESS_DENIED" {
		t.Errorf("trees %+v", trees)
	}
	if len(c.d.trees) != 0 || len(c.d.files) != 0 {
		t.Errorf("%d shares, %d files are left", len(c.d.trees), len(c.d.files))
	}
}

// TestReusedID: a session whose end was not seen gives way to one with its id.
func TestReusedID(t *testing.T) {
	c := connected(t, `\\dc1\public`, 1).
		client(netbios(in(4).create("a.txt", 1, 0))).
		server(netbios(in(4).createAnswer(1, 10, 0, fileID{1, 1}))).
		client(netbios(h2{id: 6}.setup("user other"))).
		server(netbios(h2{id: 6, session: 7}.setupAnswer(0, 0, "")))
	if f := c.one(activity.SMBFile); f.Account.Name != "u" {
		t.Errorf("file %+v", f)
	}
	if s := c.d.sessions; len(s) != 1 || s[0].account.Name != "other" {
		t.Errorf("%d sessions", len(s))
	}
}

func TestGivenUp(t *testing.T) {
	c := logged(t).client(
		netbios(h2{id: 3, session: 7}.treeConnect(`\\dc1\sysvol`)),
		netbios(h2{id: 4, session: 7, tree: 3}.create("a", 1, 0)),
		netbios(h2{id: 5}.setup("user late")),
	)
	c.now += 10 * 60 * second
	c.client([]byte{sessionKeepAlive, 0, 0, 0})
	if tree := c.one(activity.SMBTree); tree.Outcome != activity.Attempt || tree.SMB.Share != `\\dc1\sysvol` {
		t.Errorf("share %+v", tree)
	}
	if f := c.one(activity.SMBFile); f.Outcome != activity.Attempt || f.SMB.Path != "a" || f.Requested != start+7*second {
		t.Errorf("file %+v", f)
	}
	if l := c.kind(activity.NTLMLogon); len(l) != 2 || l[1].Outcome != activity.Attempt || l[1].Account.Name != "late" {
		t.Errorf("logons %+v", l)
	}
	if len(c.d.pending) != 0 {
		t.Errorf("%d requests still wait", len(c.d.pending))
	}
}

func TestEncrypted(t *testing.T) {
	sealed := func(session uint64, n int) []byte {
		b := put([]byte("\xfdSMB"), make([]byte, 16), make([]byte, 16), uint32(n), uint16(0), uint16(1), session)
		return append(b, make([]byte, n)...)
	}
	c := logged(t).client(netbios(sealed(7, 500), sealed(7, 40), sealed(9, 40)))
	c.server(netbios(sealed(7, 100))[:60])
	c.gap(flow.ToClient, 96)
	c.server(netbios(sealed(7, 5)))
	c.counted(reasonEncrypted, 5)
	c.counted(reasonEncryptedSessions, 1)
	c.counted(reasonEncryptedBytes, 5*sizeTransform+500+40+40+100+5)
	c.counted(reasonSkipped, 0)
	if s := c.d.session(7); !s.encrypted {
		t.Error("the session is not marked")
	}
}

func TestCompressed(t *testing.T) {
	message := func(size uint32, flags uint16, offset uint32) []byte {
		return netbios(put([]byte("\xfcSMB"), size, uint16(1), flags, offset, make([]byte, 100)))
	}
	asked := negotiateAnswer(0x0311, 1, put(nil, uint16(contextCompression), uint16(10), uint32(0), make([]byte, 16)))
	for _, tt := range []struct {
		name   string
		server []byte
		b      []byte
		want   []string
	}{
		{"as agreed", asked, message(4000, 0, 80), nil},
		{"chained", asked, message(4000, 1, 1<<31), nil},
		{"not agreed", negotiateAnswer(0x0311, 1), message(4000, 0, 80), []string{anomalyCompressionUnasked}},
		{"an older dialect", negotiateAnswer(0x0302, 1), message(4000, 0, 80), []string{anomalyCompressionUnasked}},
		{"size and offset wrap", asked, message(1<<32-1, 0, 100), []string{anomalyCompressionWraps, anomalyCompressionSize}},
		{"offset outside", asked, message(4000, 0, 101), []string{anomalyCompressionOffset}},
		{"too large", asked, message(65<<20, 0, 80), []string{anomalyCompressionSize}},
		{"nothing known", nil, message(4000, 0, 80), nil},
	} {
		c := open(t, false)
		if tt.server != nil {
			c.server(netbios(tt.server))
		}
		c.client(tt.b, tt.b)
		var got []string
		for _, a := range c.kind(activity.SMBSession) {
			got = append(got, a.Anomalies...)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
		c.counted(reasonCompressed, 2)
	}
}
