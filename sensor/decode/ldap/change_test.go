package ldap

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
)

func values(v ...string) []byte {
	var list []byte
	for _, s := range v {
		list = append(list, octets(s)...)
	}
	return tlv(0x31, list)
}

// mod is one change of a modify request.
func mod(op int, name string, v ...string) []byte {
	return seq(enumerated(op), seq(octets(name), values(v...)))
}

func modify(id int, dn string, changes ...[]byte) []byte {
	return message(id, tlv(0x66, octets(dn), seq(changes...)))
}

func addFor(id int, dn string, attributes ...[]byte) []byte {
	return message(id, tlv(0x68, octets(dn), seq(attributes...)))
}

// renameTo is a modify DN request; superior "-" leaves newSuperior out.
func renameTo(id int, dn, rdn, superior string) []byte {
	op := [][]byte{octets(dn), octets(rdn), tlv(0x01, []byte{0xff})}
	if superior != "-" {
		op = append(op, tlv(0x80, []byte(superior)))
	}
	return message(id, tlv(0x6c, op...))
}

// passwordModify is the request of RFC 3062; old "-" leaves the old password out.
func passwordModify(id int, user, old string) []byte {
	var parts [][]byte
	if user != "" {
		parts = append(parts, tlv(0x80, []byte(user)))
	}
	if old != "-" {
		parts = append(parts, tlv(0x81, []byte(old)))
	}
	value := seq(append(parts, tlv(0x82, []byte("new")))...)
	return message(id, tlv(0x77, tlv(0x80, []byte(oidPasswordModify)), tlv(0x81, value)))
}

func TestModify(t *testing.T) {
	c := open(t, setting{})
	c.client(simpleBind(1, "LAB\\alice", "pw"))
	c.server(bindAnswer(1, 0, ""))
	c.client(message(2, tlv(0x66, octets("CN=Domain Admins,CN=Users,DC=lab,DC=example"), seq(
		mod(0, "member", "CN=bob,DC=lab", "CN=eve,DC=lab"), mod(1, "description"), mod(2, "sIDHistory", "\x01\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00"),
		mod(3, "logonCount;x-opt", "1"), mod(2, "nTSecurityDescriptor", "\x01\x00\x04\x80"))), "1.2.840.113556.1.4.801"))
	c.server(result(0x67, 2, 50, "no"))
	a := c.close()[1]
	want := &activity.Change{
		Act: "modify", Object: "CN=Domain Admins,CN=Users,DC=lab,DC=example", MessageID: 2, ResultCode: 50, Controls: []string{"1.2.840.113556.1.4.801"},
		Attributes: []activity.AttributeChange{
			{Name: "member", Act: "add", Values: []string{"CN=bob,DC=lab", "CN=eve,DC=lab"}, Count: 2},
			{Name: "description", Act: "delete"},
			{Name: "sIDHistory", Act: "replace", Values: []string{"S-1-5-18"}, Count: 1},
			{Name: "logonCount;x-opt", Act: "increment", Values: []string{"1"}, Count: 1},
			{Name: "nTSecurityDescriptor", Act: "replace", Count: 1},
		},
	}
	if d := cmp.Diff(want, a.Change); d != "" {
		t.Error(d)
	}
	if a.Kind != activity.DirectoryChange || a.Protocol != activity.ProtoLDAP || a.Account.Name != "LAB\\alice" || a.Outcome != activity.Failure ||
		a.Error != "insufficientAccessRights" || a.Requested != start+2*second || a.Time != start+3*second || a.Anomalies != nil {
		t.Errorf("got %+v", a)
	}
}

// TestActs: what a request amounts to.
func TestActs(t *testing.T) {
	for _, tt := range []struct {
		name              string
		request           []byte
		answer            byte
		act, object, more string
	}{
		{"delete", message(2, tlv(0x4a, []byte("CN=x,DC=lab"))), 0x6b, "delete", "CN=x,DC=lab", ""},
		{"create", addFor(2, "CN=x,DC=lab", seq(octets("objectClass"), values("computer", "user", "top"))), 0x69, "create", "CN=x,DC=lab", "computer"},
		{"create of a class unknown", addFor(2, "CN=x", seq(octets("OBJECTCLASS"), values("top", "nTDSDSA"))), 0x69, "create", "CN=x", "nTDSDSA"},
		{"rename", renameTo(2, `CN=a\,b,OU=c,DC=lab`, "CN=z", "-"), 0x6d, "rename", `CN=a\,b,OU=c,DC=lab`, "CN=z,OU=c,DC=lab"},
		{"move", renameTo(2, `CN="a,b",OU=c`, "CN=z", "OU=d,DC=lab"), 0x6d, "rename", `CN="a,b",OU=c`, "CN=z,OU=d,DC=lab"},
		{"rename at the top", renameTo(2, "DC=lab", "DC=bal", "-"), 0x6d, "rename", "DC=lab", "DC=bal"},
		{"password reset", modify(2, "CN=x", mod(2, "unicodePwd", "\"\x00n\x00")), 0x67, "password-reset", "CN=x", ""},
		{"password reset by add", modify(2, "CN=x", mod(0, "userPassword;lang-de", "n")), 0x67, "password-reset", "CN=x", ""},
		{"password reset by OID", modify(2, "CN=x", mod(2, "1.2.840.113556.1.4.90", "n")), 0x67, "password-reset", "CN=x", ""},
		{"password change", modify(2, "CN=x", mod(1, "unicodePwd", "o"), mod(0, "UNICODEPWD", "n")), 0x67, "password-change", "CN=x", ""},
		{"password deleted", modify(2, "CN=x", mod(1, "userPassword", "o")), 0x67, "modify", "CN=x", ""},
		{"restore", modify(2, "CN=x\\0ADEL:1,CN=Deleted Objects", mod(1, "isDeleted"), mod(2, "distinguishedName", "CN=x,DC=lab")), 0x67, "restore", "CN=x\\0ADEL:1,CN=Deleted Objects", "CN=x,DC=lab"},
		{"password modify, reset", passwordModify(2, "uid=x", "-"), 0x78, "password-reset", "uid=x", ""},
		{"password modify, own", passwordModify(2, "", "old"), 0x78, "password-change", "me", ""},
		{"password modify without a value", message(2, tlv(0x77, tlv(0x80, []byte(oidPasswordModify)))), 0x78, "password-reset", "me", ""},
		{"by SID", modify(2, "<SID=S-1-5-21-1-2-3-500>", mod(2, "cn", "x")), 0x67, "modify", "<SID=S-1-5-21-1-2-3-500>", "S-1-5-21-1-2-3-500"},
		{"by GUID", message(2, tlv(0x4a, []byte("<guid=e3514235-4b06-11d1-ab04-00c04fc2dcd2>"))), 0x6b, "delete", "<guid=e3514235-4b06-11d1-ab04-00c04fc2dcd2>", "e3514235-4b06-11d1-ab04-00c04fc2dcd2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, setting{})
			c.client(simpleBind(1, "me", "pw"))
			c.server(bindAnswer(1, 0, ""))
			c.client(tt.request)
			c.server(result(tt.answer, 2, 0, ""))
			if len(c.got) != 2 {
				t.Fatalf("%d activities", len(c.got))
			}
			a := c.got[1]
			g := a.Change
			if g.Act != tt.act || g.Object != tt.object || g.Class+g.NewName+g.SID+g.GUID != tt.more || a.Outcome != activity.Success || a.Anomalies != nil {
				t.Errorf("%+v of %+v", g, a)
			}
		})
	}
}

// TestSecretsStay: no byte of a password or key leaves the decoder, whatever its
// attribute is called.
func TestSecretsStay(t *testing.T) {
	const secret = "Tr0ub4dor"
	var changes, attributes [][]byte
	list := []string{"unicodePwd", "userPassword", "USERPASSWORD;binary", "dBCSPwd", "clearTextPassword", "ms-Mcs-AdmPwd", "msLAPS-Password",
		"msLAPS-EncryptedPassword", "msDS-ManagedPassword", "unixUserPassword", "msSFU30Password", "trustAuthIncoming", "initialAuthOutgoing",
		"supplementalCredentials", "ntPwdHistory", "lmPwdHistory", "currentValue", "priorValue", "msFVE-RecoveryPassword", "msFVE-KeyPackage",
		"userPKCS12", "msPKIAccountCredentials", "msPKIDPAPIMasterKeys", "1.2.840.113556.1.4.90", "2.5.4.35", "oid.2.5.4.35", "pekList", ""}
	for _, name := range list {
		changes = append(changes, mod(2, name, secret))
		attributes = append(attributes, attribute(name, secret))
	}
	c := open(t, setting{})
	c.client(join(modify(1, "CN=x", changes...), addFor(2, "CN=x", attributes...), passwordModify(3, "uid=x", secret)))
	for _, a := range c.close() {
		if s := fmt.Sprintf("%+v", a.Change); strings.Contains(s, secret) || strings.Contains(s, hex.EncodeToString([]byte(secret))) {
			t.Errorf("it says %s", s)
		}
		for _, g := range a.Change.Attributes {
			if g.Count != 1 {
				t.Errorf("%q: %d values", g.Name, g.Count)
			}
		}
	}
	c.counted(secretValues, int64(2*len(list)))
	for _, name := range []string{"pwdLastSet", "member", "servicePrincipalName", "msDS-KeyCredentialLink", "userAccountControl", "dNSHostName"} {
		if isSecret(name) {
			t.Errorf("%s is taken for secret", name)
		}
	}
}

// TestTrustees reads who a descriptor lets act for others.
func TestTrustees(t *testing.T) {
	ace := func(kind byte, skip int, sid string) string {
		body := make([]byte, skip)
		if kind == 5 {
			body[4] = 3
		}
		b := string(body) + sid
		return string([]byte{kind, 0, byte(4 + len(b)), 0}) + b
	}
	acl := func(aces ...string) string {
		all := strings.Join(aces, "")
		return string([]byte{2, 0, byte(8 + len(all)), 0, byte(len(aces)), 0, 0, 0}) + all
	}
	const head = "\x01\x00\x04\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00"
	const system, admins = "\x01\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00", "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x20\x02\x00\x00"
	for name, tt := range map[string]struct{ b, want string }{
		"one":           {head + acl(ace(0, 4, system)), "S-1-5-18"},
		"two":           {head + acl(ace(0, 4, system), ace(1, 4, system), ace(5, 40, admins)), "S-1-5-18, S-1-5-32-544"},
		"none":          {head + acl(), ""},
		"no DACL":       {head[:16] + "\x00\x00\x00\x00", ""},
		"DACL beyond":   {head[:16] + "\xff\xff\xff\xff" + acl(ace(0, 4, system)), ""},
		"cut":           {head + acl(ace(0, 4, system))[:20], ""},
		"ACE too small": {head + acl("\x00\x00\x03\x00"), ""},
		"text":          {"CN=x", ""},
		"empty":         {"", ""},
	} {
		if got := trustees([]byte(tt.b)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestChangesWithoutAnswer(t *testing.T) {
	c := open(t, setting{})
	c.client(modify(1, "CN=one", mod(2, "cn", "x")), modify(1, "CN=again", mod(2, "cn", "x")))
	c.now = start + patience + 2*second
	c.client(message(9, tlv(0x42)))
	if len(c.got) != 2 {
		t.Fatalf("%d given up, want 2", len(c.got))
	}
	for i, a := range c.got {
		if a.Outcome != activity.Attempt || a.Change.ResultCode != -1 || (i == 1) != slices.Contains(a.Anomalies, anomalyMessageID) {
			t.Errorf("%+v of %+v", a.Change, a)
		}
	}
	// Too many at once, and too much text.
	c = open(t, setting{})
	for i := range maxChanges + 1 {
		c.client(modify(i+1, "CN=x", mod(2, "cn", "x")))
	}
	if len(c.got) != 1 || c.got[0].Change.MessageID != 1 {
		t.Errorf("%d given up", len(c.got))
	}
	c.counted(changesFull, 1)
	c = open(t, setting{})
	long := strings.Repeat("x", 4000)
	for i := range 5 {
		c.client(modify(i+1, "CN=x", mod(2, "info", slices.Repeat([]string{long}, 16)...)))
	}
	if len(c.got) != 1 || c.d.changeText > maxChangeText {
		t.Errorf("%d given up, %d bytes held", len(c.got), c.d.changeText)
	}
}

// TestChangeMalformed: what was read before a bad byte is kept.
func TestChangeMalformed(t *testing.T) {
	for name, tt := range map[string]struct {
		request []byte
		n       int // attributes
		odd     string
	}{
		"modify":    {message(1, tlv(0x66, octets("CN=x"), seq(mod(0, "member", "a"), integer(1)))), 1, anomalyRequest},
		"add":       {message(1, tlv(0x68, octets("CN=x"), seq(attribute("cn", "x"), integer(1)))), 1, anomalyRequest},
		"operation": {modify(1, "CN=x", mod(7, "cn", "x")), 1, anomalyOperation},
		"value":     {modify(1, "CN=x", seq(enumerated(0), seq(octets("cn"), tlv(0x31, octets("a"), integer(1))))), 1, anomalyRequest},
		"rename":    {message(1, tlv(0x6c, octets("CN=x"))), 0, anomalyRequest},
		"text":      {modify(1, "CN=\xff", mod(0, "cn", "x")), 1, anomalyText},
		"lists":     {modify(1, "CN=x", slices.Repeat([][]byte{mod(0, "cn", "x")}, activity.MaxChanges+1)...), activity.MaxChanges, anomalyListCut},
	} {
		c := open(t, setting{})
		c.client(tt.request)
		a := c.one()
		if len(a.Change.Attributes) != tt.n || !slices.Equal(a.Anomalies, []string{tt.odd}) {
			t.Errorf("%s: %d attributes, %v", name, len(a.Change.Attributes), a.Anomalies)
		}
	}
	// A request beyond maxRequest is read as far as it is kept.
	c := open(t, setting{})
	c.client(modify(1, "CN=x", mod(0, "cn", "x"), mod(2, "jpegPhoto", strings.Repeat("\x01", maxRequest)), mod(0, "sn", "y")))
	c.server(result(0x67, 1, 0, ""))
	if a := c.one(); len(a.Change.Attributes) != 1 || !slices.Equal(a.Anomalies, []string{anomalyCut}) || a.Outcome != activity.Success {
		t.Errorf("cut: %+v, %v", a.Change, a.Anomalies)
	}
	// Of many values the first are kept, all are counted.
	c = open(t, setting{})
	c.client(modify(1, "CN=x", mod(0, "member", slices.Repeat([]string{"CN=y"}, activity.MaxValues+5)...)))
	if g := c.one().Change.Attributes[0]; len(g.Values) != activity.MaxValues || g.Count != activity.MaxValues+5 {
		t.Errorf("%d values of %d", len(g.Values), g.Count)
	}
}

// TestAuthOfConnection: what follows a SASL bind shows who it was, by ticket for
// Kerberos, and by name once the server was asked for it.
func TestAuthOfConnection(t *testing.T) {
	c := open(t, setting{inner: fakes()})
	c.client(saslBind(1, "GSSAPI", "ticket"))
	c.server(saslAnswer(1, 0, ""))
	c.client(searchFor(2, "a", anyObject))
	c.server(done(2, 0))
	c.client(message(3, tlv(0x77, tlv(0x80, []byte(oidWhoAmI)))))
	c.server(result(0x78, 3, 0, "", tlv(0x8b, []byte(`u:LAB\alice`))))
	c.client(message(4, tlv(0x4a, []byte("CN=x"))))
	c.server(result(0x6b, 4, 0, ""))
	c.client(simpleBind(5, "", ""))
	c.server(bindAnswer(5, 0, ""))
	c.client(searchFor(6, "b", anyObject))
	got := c.close()
	s, g, last := got[1], got[2], got[4]
	if s.LDAPSearch.Auth == nil || s.LDAPSearch.Auth.Ticket.Service != "ldap/dc1" || !s.Account.Zero() {
		t.Errorf("the search is of %+v", s.LDAPSearch.Auth)
	}
	if g.Change.Auth == nil || g.Account.Name != `LAB\alice` {
		t.Errorf("the change is of %+v by %+v", g.Change.Auth, g.Account)
	}
	if last.LDAPSearch.Auth != nil || !last.Account.Zero() {
		t.Errorf("after another bind: %+v by %+v", last.LDAPSearch.Auth, last.Account)
	}
}

// TestPing reads what a locator asks for.
func TestPing(t *testing.T) {
	term := func(name, value string) []byte { return equality(name, value) }
	for name, tt := range map[string]struct {
		filter []byte
		want   *activity.LDAPPing
	}{
		"all": {tlv(0xa0, term("DnsDomain", "lab.example"), term("Host", "WS01"), term("User", "alice"), term("AAC", "\x10\x02\x00\x00"), term("NtVer", "\x16\x00\x00\x20")),
			&activity.LDAPPing{DNSDomain: "lab.example", Host: "WS01", User: "alice", AAC: 0x210, NtVer: 0x20000016}},
		"case":         {tlv(0xa0, present("cn"), term("uSER", "a"), term("user", "b")), &activity.LDAPPing{User: "a"}},
		"one term":     {term("User", "alice"), &activity.LDAPPing{User: "alice"}},
		"short number": {tlv(0xa0, term("AAC", "\x10"), term("User", "x")), &activity.LDAPPing{User: "x"}},
		"nothing":      {anyObject, nil},
	} {
		c := open(t, setting{transport: activity.UDP})
		c.client(message(1, searchOp("", 0, tt.filter, "Netlogon")))
		c.server(join(entry(1, "", netlogon(25)), done(1, 0)))
		s := c.one().LDAPSearch
		if d := cmp.Diff(tt.want, s.Ping); d != "" || s.NetlogonOp != activity.NetlogonUserUnknownEx {
			t.Errorf("%s: opcode %d %s", name, s.NetlogonOp, d)
		}
	}
	// Any other search with such terms is none.
	c := open(t, setting{})
	c.client(searchFor(1, "", equality("User", "alice"), "cn"))
	if s := c.one().LDAPSearch; s.Ping != nil {
		t.Errorf("%+v", s.Ping)
	}
}
