package ldap

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// samba is how Samba and AD say that a password is wrong.
const samba = "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1"

func TestSimpleBind(t *testing.T) {
	tests := []struct {
		name, user, password string
		answer               []byte
		want                 activity.LDAPBind
		outcome              activity.Outcome
		err                  string
	}{
		{"granted", "alice@lab.example", "secret", bindAnswer(7, 0, ""),
			activity.LDAPBind{ResultCode: 0}, activity.Success, ""},
		{"wrong password", `LAB\alice`, "secret", bindAnswer(7, 49, samba),
			activity.LDAPBind{ResultCode: 49, Data: "52e"}, activity.Failure, "invalidCredentials"},
		{"refused without a sub-error", "cn=x", "secret", bindAnswer(7, 53, "no simple binds"),
			activity.LDAPBind{ResultCode: 53}, activity.Failure, "unwillingToPerform"},
		{"a code the RFC does not know", "cn=x", "secret", bindAnswer(7, 999, ""),
			activity.LDAPBind{ResultCode: 999}, activity.Failure, "resultCode 999"},
		{"anonymous", "", "", bindAnswer(7, 0, ""),
			activity.LDAPBind{Anonymous: true}, activity.Success, ""},
		{"name without password", "cn=x", "", bindAnswer(7, 0, ""),
			activity.LDAPBind{Anonymous: true}, activity.Success, ""},
		{"password without name", "", "secret", bindAnswer(7, 0, ""),
			activity.LDAPBind{Anonymous: true}, activity.Success, ""},
		{"no answer", "cn=x", "secret", nil,
			activity.LDAPBind{ResultCode: -1}, activity.Attempt, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, setting{})
			c.client(simpleBind(7, tt.user, tt.password))
			if tt.answer != nil {
				c.server(tt.answer)
			}
			a := c.one()
			tt.want.MessageID, tt.want.Version = 7, 3
			if d := cmp.Diff(&tt.want, a.LDAPBind, cmpopts.IgnoreFields(activity.LDAPBind{}, "PasswordTag")); d != "" {
				t.Error(d)
			}
			if (a.LDAPBind.PasswordTag != 0) != (tt.password != "") {
				t.Errorf("password tag %d for password %q", a.LDAPBind.PasswordTag, tt.password)
			}
			if a.Kind != activity.LDAPSimple || a.Account.Name != tt.user || a.Outcome != tt.outcome || a.Error != tt.err || a.Requested != start || a.Time != start+second {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// TestPasswordTag: the tag counts guesses, and nothing else of them is kept.
func TestPasswordTag(t *testing.T) {
	c := open(t, setting{})
	for i, password := range []string{"one", "two", "one"} {
		c.client(simpleBind(i+1, "x", password))
		c.server(bindAnswer(i+1, 49, ""))
	}
	got := c.close()
	if len(got) != 3 || got[0].LDAPBind.PasswordTag != got[2].LDAPBind.PasswordTag || got[0].LDAPBind.PasswordTag == got[1].LDAPBind.PasswordTag {
		t.Errorf("tags do not tell the passwords apart: %+v", got)
	}
}

func TestSubError(t *testing.T) {
	for diagnostic, want := range map[string]string{
		samba:                                 "52e",
		strings.ToUpper(samba):                "",
		"comment: error, data 775, v4563\x00": "775",
		"data 52E":                            "52e",
		"data , v1":                           "",
		"data 52e v1":                         "",
		"data 123456789, v1":                  "",
		"no such thing":                       "",
		"":                                    "",
	} {
		if got := subError([]byte(diagnostic)); got != want {
			t.Errorf("%q: %q, want %q", diagnostic, got, want)
		}
	}
}

func TestBindName(t *testing.T) {
	c := open(t, setting{})
	c.client(simpleBind(1, "cn=Z\xfcrich", "x"))
	a := c.one()
	if a.Account.Name != "cn=Z\uFFFDrich" || string(a.Account.Raw) != "cn=Z\xfcrich" || !slices.Equal(a.Anomalies, []string{anomalyText}) {
		t.Errorf("%q %q %v", a.Account.Name, a.Account.Raw, a.Anomalies)
	}
}

// fakes stands for the inner decoders: tokens "ticket", "negotiate",
// "challenge", "authenticate USER" and "anonymous" behind the NTLM signature.
func fakes() []decode.Inner {
	read := func(_ *decode.Context, dir flow.Dir, token []byte, auth *activity.Auth) bool {
		switch s := strings.TrimPrefix(string(token), "NTLMSSP\x00"); {
		case s == "ticket" && dir == flow.ToServer:
			auth.Mechanism = activity.MechKerberos
			auth.Ticket = &activity.Ticket{Service: "ldap/dc1"}
		case s == "negotiate" && dir == flow.ToServer:
			auth.Mechanism = activity.MechNTLM
			auth.NTLM = &activity.NTLM{}
		case s == "challenge" && dir == flow.ToClient:
			auth.Mechanism = activity.MechNTLM
			auth.NTLM = &activity.NTLM{Challenge: true, ServerName: "DC1"}
		case s == "anonymous" && dir == flow.ToServer:
			auth.NTLM = &activity.NTLM{Anonymous: true}
		case strings.HasPrefix(s, "authenticate ") && dir == flow.ToServer:
			auth.Mechanism = activity.MechNTLM
			challenge := auth.NTLM != nil && auth.NTLM.Challenge
			user := strings.ToValidUTF8(strings.TrimPrefix(s, "authenticate "), "")
			auth.NTLM = &activity.NTLM{User: activity.Cut(user), Domain: "LAB", Flags: 1, Challenge: challenge}
		default:
			return false
		}
		return true
	}
	return []decode.Inner{{Name: "gssapi", Read: read}, {Name: "ntlm", Read: read}}
}

func sicily(id int, choice byte, token string) []byte {
	return message(id, tlv(0x60, integer(3), octets(""), tlv(choice, []byte(token))))
}

func sicilyAnswer(id, code int, serverCreds string) []byte {
	return message(id, tlv(0x61, enumerated(code), octets(serverCreds), octets("")))
}

// cfx is an unsealed Kerberos wrap token, checksum last.
func cfx(content string) string {
	return "\x05\x04\x04\xff\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + content + "checksum1234"
}

func TestSASLBind(t *testing.T) {
	c1, s1 := flow.ToServer, flow.ToClient
	type step struct {
		dir flow.Dir
		b   []byte
	}
	ntlm := func(s string) string { return "NTLMSSP\x00" + s }
	tests := []struct {
		name    string
		steps   []step
		kind    activity.Kind
		account activity.Account
		auth    *activity.Auth
		bind    *activity.LDAPBind
		outcome activity.Outcome
		err     string
	}{
		{
			name:  "SPNEGO with Kerberos in one round",
			steps: []step{{c1, saslBind(1, "GSS-SPNEGO", "ticket")}, {s1, saslAnswer(1, 0, "reply")}},
			kind:  activity.KerberosAP, auth: &activity.Auth{Mechanism: activity.MechKerberos, Ticket: &activity.Ticket{Service: "ldap/dc1"}},
			outcome: activity.Success,
		},
		{
			name:  "Kerberos refused",
			steps: []step{{c1, saslBind(1, "GSS-SPNEGO", "ticket")}, {s1, saslAnswer(1, 49, "reply")}},
			kind:  activity.KerberosAP, auth: &activity.Auth{Mechanism: activity.MechKerberos, Ticket: &activity.Ticket{Service: "ldap/dc1"}},
			outcome: activity.Failure, err: "invalidCredentials",
		},
		{
			name: "GSSAPI with the rounds of RFC 4752, sealed",
			steps: []step{{c1, saslBind(1, "GSSAPI", "ticket")}, {s1, saslAnswer(1, 14, "reply")},
				{c1, saslBind(2, "GSSAPI", "")}, {s1, saslAnswer(2, 14, cfx("\x07\xff\xff\xff"))},
				{c1, saslBind(3, "GSSAPI", cfx("\x04\xff\xff\xff"))}, {s1, saslAnswer(3, 0, "")}},
			kind: activity.KerberosAP, auth: &activity.Auth{Mechanism: activity.MechKerberos, Protection: "privacy", Ticket: &activity.Ticket{Service: "ldap/dc1"}},
			outcome: activity.Success,
		},
		{
			name: "the same without its answers",
			steps: []step{{c1, saslBind(1, "GSSAPI", "ticket")}, {c1, saslBind(2, "GSSAPI", "")},
				{c1, saslBind(3, "GSSAPI", cfx("\x02\xff\xff\xff"))}},
			kind: activity.KerberosAP, auth: &activity.Auth{Mechanism: activity.MechKerberos, Protection: "integrity", Ticket: &activity.Ticket{Service: "ldap/dc1"}},
			outcome: activity.Attempt,
		},
		{
			name: "NTLM in SPNEGO",
			steps: []step{{c1, saslBind(1, "GSS-SPNEGO", "negotiate")}, {s1, saslAnswer(1, 14, "challenge")},
				{c1, saslBind(2, "GSS-SPNEGO", "authenticate alice")}, {s1, saslAnswer(2, 49, "")}},
			kind: activity.NTLMLogon, account: activity.Account{Name: "alice", Domain: "LAB"},
			auth:    &activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: "alice", Domain: "LAB", Flags: 1, Challenge: true}},
			outcome: activity.Failure, err: "invalidCredentials",
		},
		{
			name:  "raw NTLM by another mechanism's name, one direction",
			steps: []step{{c1, saslBind(1, "NTLM", ntlm("negotiate"))}, {c1, saslBind(2, "NTLM", ntlm("authenticate alice"))}},
			kind:  activity.NTLMLogon, account: activity.Account{Name: "alice", Domain: "LAB"},
			auth:    &activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: "alice", Domain: "LAB", Flags: 1}},
			outcome: activity.Attempt,
		},
		{
			name: "Sicily",
			steps: []step{{c1, sicily(1, 0x89, "")}, {s1, sicilyAnswer(1, 0, "NTLM")},
				{c1, sicily(2, 0x8a, ntlm("negotiate"))}, {s1, sicilyAnswer(2, 0, ntlm("challenge"))},
				{c1, sicily(3, 0x8b, ntlm("authenticate alice"))}, {s1, sicilyAnswer(3, 0, "")}},
			kind: activity.NTLMLogon, account: activity.Account{Name: "alice", Domain: "LAB"},
			auth:    &activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: "alice", Domain: "LAB", Flags: 1, Challenge: true}},
			outcome: activity.Success,
		},
		{
			name: "a mechanism that is neither",
			steps: []step{{c1, saslBind(1, "SRP", "x")}, {s1, saslAnswer(1, 14, "y")},
				{c1, saslBind(2, "SRP", "z")}, {s1, saslAnswer(2, 0, "")}},
			kind: activity.LDAPSASL, bind: &activity.LDAPBind{MessageID: 2, Version: 3, Mechanism: "SRP"}, outcome: activity.Success,
		},
		{
			name:  "SPNEGO that nobody can read",
			steps: []step{{c1, saslBind(1, "GSS-SPNEGO", "?")}, {s1, saslAnswer(1, 7, "")}},
			kind:  activity.LDAPSASL, bind: &activity.LDAPBind{MessageID: 1, Version: 3, Mechanism: "GSS-SPNEGO", ResultCode: 7},
			outcome: activity.Failure, err: "authMethodNotSupported",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, setting{inner: fakes()})
			for _, s := range tt.steps {
				c.feed(s.dir, [][]byte{s.b})
			}
			a := c.one()
			if d := cmp.Diff(tt.auth, a.Auth); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.bind, a.LDAPBind); d != "" {
				t.Error(d)
			}
			if a.Kind != tt.kind || !cmp.Equal(a.Account, tt.account) || a.Outcome != tt.outcome || a.Error != tt.err || a.Requested != start {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// TestExchangeLeft: a client that goes once it has the server's challenge has
// not tried to log on.
func TestExchangeLeft(t *testing.T) {
	c := open(t, setting{inner: fakes()})
	c.client(saslBind(1, "GSS-SPNEGO", "negotiate"))
	c.server(saslAnswer(1, 14, "challenge"))
	c.client(simpleBind(2, "cn=x", "y"))
	c.server(bindAnswer(2, 0, ""))
	if a := c.one(); a.Kind != activity.LDAPSimple {
		t.Errorf("got %+v", a)
	}
	c.counted(exchangesLeft, 1)
}

// TestBindsOneAfterAnother: each answer belongs to the bind before it, and one
// whose answer is missing does not take the next one's.
func TestBindsOneAfterAnother(t *testing.T) {
	c := open(t, setting{})
	c.client(simpleBind(1, "a", "x"), simpleBind(2, "b", "x"))
	c.server(bindAnswer(1, 0, ""), bindAnswer(2, 49, ""), bindAnswer(2, 0, ""))
	got := c.close()
	if len(got) != 2 || got[0].Account.Name != "a" || got[0].Outcome != activity.Attempt ||
		got[1].Account.Name != "b" || got[1].Outcome != activity.Failure {
		t.Errorf("got %+v", got)
	}
	c.counted(unasked, 2)
}

// TestBindPatience: a connection that lives on gives up an unanswered bind.
func TestBindPatience(t *testing.T) {
	c := open(t, setting{})
	c.client(simpleBind(1, "cn=x", "y"))
	c.now = start + patience + 1
	c.client(searchFor(2, "", present("cn")))
	if len(c.got) != 1 || c.got[0].Kind != activity.LDAPSimple || c.got[0].Outcome != activity.Attempt {
		t.Errorf("got %+v", c.got)
	}
}

// TestTokenAnomalies: what is odd about the tokens shows on the activity.
func TestTokenAnomalies(t *testing.T) {
	odd := func(_ *decode.Context, _ flow.Dir, _ []byte, auth *activity.Auth) bool {
		auth.Mechanism = activity.MechKerberos
		auth.Anomaly("token-odd")
		return true
	}
	c := open(t, setting{inner: []decode.Inner{{Name: "gssapi", Read: odd}}})
	c.client(saslBind(0, "GSS-SPNEGO", "?"))
	if a := c.one(); !slices.Equal(a.Anomalies, []string{anomalyMessageID, "token-odd"}) {
		t.Errorf("got %q", a.Anomalies)
	}
}

func TestBoundAccount(t *testing.T) {
	search := func(id int) []byte { return searchFor(id, "", present("objectClass")) }
	tests := []struct {
		name string
		bind []func(c *conversation)
		want activity.Account
	}{
		{"nobody", nil, activity.Account{}},
		{"simple", []func(*conversation){
			func(c *conversation) { c.client(simpleBind(1, "cn=x", "y")); c.server(bindAnswer(1, 0, "")) },
		}, activity.Account{Name: "cn=x"}},
		{"simple, refused", []func(*conversation){
			func(c *conversation) { c.client(simpleBind(1, "cn=x", "y")); c.server(bindAnswer(1, 0, "")) },
			func(c *conversation) { c.client(simpleBind(2, "cn=z", "y")); c.server(bindAnswer(2, 49, "")) },
		}, activity.Account{}},
		{"without password", []func(*conversation){
			func(c *conversation) { c.client(simpleBind(1, "cn=x", "")); c.server(bindAnswer(1, 0, "")) },
		}, activity.Account{}},
		{"NTLM", []func(*conversation){
			func(c *conversation) {
				c.client(saslBind(1, "GSS-SPNEGO", "authenticate alice"))
				c.server(saslAnswer(1, 0, ""))
			},
		}, activity.Account{Name: "alice", Domain: "LAB"}},
		{"Kerberos", []func(*conversation){
			func(c *conversation) { c.client(simpleBind(1, "cn=x", "y")); c.server(bindAnswer(1, 0, "")) },
			func(c *conversation) { c.client(saslBind(2, "GSS-SPNEGO", "ticket")); c.server(saslAnswer(2, 0, "")) },
		}, activity.Account{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, setting{inner: fakes()})
			for _, f := range tt.bind {
				f(c)
			}
			c.client(search(9))
			c.server(done(9, 0))
			got := c.close()
			if last := got[len(got)-1]; last.Kind != activity.LDAPQuery || !cmp.Equal(last.Account, tt.want) {
				t.Errorf("account %+v, want %+v", last.Account, tt.want)
			}
		})
	}
}

func TestBindOddities(t *testing.T) {
	whole := simpleBind(1, "cn=x", "secret")
	tests := []struct {
		name    string
		request []byte
		want    []string
		tagged  bool
	}{
		{"version 7", message(1, tlv(0x60, integer(7), octets("cn=x"), tlv(0x80, []byte("y")))), []string{anomalyVersion}, true},
		{"version 2", message(1, tlv(0x60, integer(2), octets("cn=x"), tlv(0x80, []byte("y")))), nil, true},
		{"something behind", message(1, tlv(0x60, integer(3), octets("cn=x"), tlv(0x80, []byte("y")), octets("z"))), []string{anomalyRequest}, false},
		{"message ID 0", simpleBind(0, "cn=x", "y"), []string{anomalyMessageID}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, setting{})
			c.client(tt.request)
			a := c.one()
			if !slices.Equal(a.Anomalies, tt.want) || (a.LDAPBind.PasswordTag != 0) != tt.tagged {
				t.Errorf("anomalies %v, want %v; tag %d", a.Anomalies, tt.want, a.LDAPBind.PasswordTag)
			}
		})
	}
	t.Run("lost in the middle", func(t *testing.T) {
		c := open(t, setting{})
		c.client(whole[:len(whole)-3])
		c.gap(flow.ToServer, 3)
		c.server(bindAnswer(1, 49, samba))
		a := c.one()
		if a.Account.Name != "cn=x" || a.LDAPBind.PasswordTag != 0 || a.LDAPBind.Anonymous ||
			a.LDAPBind.Data != "52e" || !slices.Equal(a.Anomalies, []string{anomalyCut}) {
			t.Errorf("got %+v %+v", a, a.LDAPBind)
		}
	})
	t.Run("unknown authentication", func(t *testing.T) {
		c := open(t, setting{})
		c.client(message(1, tlv(0x60, integer(3), octets("cn=x"), tlv(0x85, []byte("y")))))
		c.server(bindAnswer(1, 7, ""))
		if got := c.close(); len(got) != 0 {
			t.Errorf("got %+v", got)
		}
		c.counted(authenticationUnknown, 1)
	})
	t.Run("answer without a result", func(t *testing.T) {
		c := open(t, setting{})
		c.client(whole)
		c.server(message(1, tlv(0x61, octets("?"))))
		if a := c.one(); a.Outcome != activity.Attempt || a.LDAPBind.ResultCode != -1 || !slices.Equal(a.Anomalies, []string{anomalyResponse}) {
			t.Errorf("got %+v", a)
		}
	})
}
