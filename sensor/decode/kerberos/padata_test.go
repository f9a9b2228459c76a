package kerberos

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// asked is the detail of one request, and its anomalies.
func asked(t *testing.T, request []byte) (*activity.Kerberos, []string) {
	t.Helper()
	cv := converse(t, activity.UDP)
	cv.Feed(flow.ToServer, request, 1)
	cv.Close(2)
	if len(cv.got) != 1 {
		t.Fatalf("%d activities", len(cv.got))
	}
	return cv.got[0].Kerberos, cv.got[0].Anomalies
}

// answered is the detail of a request with its answer.
func answered(t *testing.T, request, answer []byte) *activity.Kerberos {
	t.Helper()
	cv := converse(t, activity.UDP)
	cv.Feed(flow.ToServer, request, 1)
	cv.Feed(flow.ToClient, answer, 2)
	if len(cv.got) != 1 {
		t.Fatalf("%d activities", len(cv.got))
	}
	return cv.got[0].Kerberos
}

var (
	checksum = seq(field(0, num(-138)), field(1, octets([]byte("0123456789abcdef"))))
	tgt      = padata(1, apReq(ticket("LAB.EXAMPLE", krbtgt, keyed(18, 2, "tgt"))))
	admin    = principal(10, "administrator@lab.example")
)

func id(cipher string) activity.TicketID { return activity.NewTicketID([]byte(cipher)) }

func TestFAST(t *testing.T) {
	armored := func(parts ...[]byte) []byte {
		return field(0, seq(append(parts, field(1, checksum), field(2, sealed(18, "inner")))...))
	}
	armor := func(kind int64) []byte {
		return field(0, seq(field(0, num(kind)), field(1, octets(apReq(ticket("LAB.EXAMPLE", krbtgt, keyed(18, 2, "machine")))))))
	}
	machine := &activity.Ticket{ID: id("machine"), Realm: "LAB.EXAMPLE", Service: "krbtgt/LAB.EXAMPLE", EType: 18, KVNO: 2, Size: 7}
	for _, tt := range []struct {
		name  string
		value []byte
		fast  bool
		kind  int32
		armor *activity.Ticket
	}{
		{"armor of an AP-REQ", armored(armor(1)), true, 1, machine},
		{"armor of another type", armored(armor(9)), true, 9, nil},
		{"implicit armor", armored(), true, 0, nil},
		{"only named", nil, false, 0, nil},
		{"another choice", field(1, seq()), false, 0, nil},
	} {
		k, odd := asked(t, kdcReq(10, seq(padata(136, tt.value)), body(alice, krbtgt, 1)))
		if k.FAST != tt.fast || k.ArmorType != tt.kind || !cmp.Equal(k.Armor, tt.armor) || odd != nil || !k.HasPA(136) {
			t.Errorf("%s: %+v, armor %+v, %v", tt.name, k, k.Armor, odd)
		}
	}
}

func TestServiceForUser(t *testing.T) {
	forUser := func(user []byte) []byte {
		return padata(129, seq(field(0, user), field(1, str("LAB.EXAMPLE")), field(2, checksum), field(3, str("Kerberos"))))
	}
	x509User := func(more ...[]byte) []byte {
		id := append([][]byte{field(0, num(1))}, more...)
		return padata(130, seq(field(0, seq(append(id, field(4, flags(0x20000000)))...)), field(1, checksum)))
	}
	byName := x509User(field(1, admin), field(2, str("OTHER.EXAMPLE")))
	for _, tt := range []struct {
		name        string
		pa          [][]byte
		user, realm string
		odd         []string
	}{
		{"PA-FOR-USER", [][]byte{tgt, forUser(admin)}, "administrator@lab.example", "LAB.EXAMPLE", nil},
		{"both", [][]byte{tgt, byName, forUser(admin)}, "administrator@lab.example", "LAB.EXAMPLE", nil},
		{"PA-S4U-X509-USER", [][]byte{tgt, byName}, "administrator@lab.example", "OTHER.EXAMPLE", nil},
		{"two users", [][]byte{tgt, byName, forUser(alice)}, "alice", "LAB.EXAMPLE", []string{"impersonated-users-differ"}},
		{"none", [][]byte{tgt}, "", "", nil},
	} {
		k, odd := asked(t, kdcReq(12, seq(tt.pa...), body(nil, cifs, 1)))
		if k.ForUser != tt.user || k.ForRealm != tt.realm || !cmp.Equal(odd, tt.odd) || k.SelfForUser() != (tt.user != "") {
			t.Errorf("%s: %q in %q, %v", tt.name, k.ForUser, k.ForRealm, odd)
		}
	}
	certificate, _ := newCertificate(t)
	k, _ := asked(t, kdcReq(12, seq(tgt, x509User(field(2, str("LAB.EXAMPLE")), field(3, octets(certificate)))), body(nil, cifs, 1)))
	if k.PKINIT == nil || k.PKINIT.Subject != "CN=alice,OU=Staff" || !k.SelfForUser() || k.ForUser != "" {
		t.Errorf("for a certificate: %+v", k.PKINIT)
	}
}

func TestDelegation(t *testing.T) {
	evidence := ticket("LAB.EXAMPLE", principal(1, "svc-web"), keyed(23, 5, "evidence"))
	rbcd := padata(167, seq(field(0, flags(activity.PACResourceBased))))
	b := body(nil, cifs, 1, field(11, seq(evidence, ticket("LAB.EXAMPLE", krbtgt, keyed(18, 2, "second")))))
	k, odd := asked(t, kdcReq(12, seq(tgt, rbcd), b))
	want := &activity.Ticket{ID: id("evidence"), Realm: "LAB.EXAMPLE", Service: "svc-web", EType: 23, KVNO: 5, Size: 8}
	if !cmp.Equal(k.Additional, want) || k.PACOptions != activity.PACResourceBased || odd != nil {
		t.Errorf("additional %+v, options %x, %v", k.Additional, k.PACOptions, odd)
	}
	k.Options = activity.KDCCNameInAddl
	if !k.ProxyForUser() || k.UserToUser() || k.Renews() {
		t.Error("S4U2proxy is not told")
	}
	if _, odd := asked(t, kdcReq(12, seq(tgt), body(nil, cifs, 1, field(11, seq(num(1)))))); !cmp.Equal(odd, []string{"wrong-type"}) {
		t.Errorf("a number for a ticket: %v", odd)
	}
}

func TestReferral(t *testing.T) {
	other := principal(2, "krbtgt", "OTHER.EXAMPLE")
	if k := answered(t, tgsReq(1), kdcRep(13, alice, other, "x")); k.Referral != "OTHER.EXAMPLE" {
		t.Errorf("a ticket for elsewhere: %q", k.Referral)
	}
	if k := answered(t, tgsReq(1), kdcRep(13, alice, principal(2, "krbtgt", "lab.example"), "x")); k.Referral != "" {
		t.Errorf("a ticket for here: %q", k.Referral)
	}
	if k := answered(t, asReq(1), krbError(68, krbtgt, field(7, str("OTHER.EXAMPLE")))); k.Referral != "OTHER.EXAMPLE" {
		t.Errorf("wrong realm: %q", k.Referral)
	}
}

func TestWindowsStatus(t *testing.T) {
	ext := []byte{0x34, 0x02, 0x00, 0xc0, 0, 0, 0, 0, 1, 0, 0, 0}
	for _, tt := range []struct {
		name  string
		edata []byte
		want  uint32
	}{
		{"KERB-ERROR-DATA", seq(field(1, num(3)), field(2, octets(ext))), 0xc0000234},
		{"METHOD-DATA", seq(padata(3, ext)), 0xc0000234},
		{"KERB-ERROR-DATA of another type", seq(field(1, num(2)), field(2, octets(ext))), 0},
		{"a salt", seq(padata(3, []byte("LAB.EXAMPLEalice"))), 0},
		{"TYPED-DATA", seq(seq(field(0, num(3)), field(1, octets(ext)))), 0},
		{"nothing", nil, 0},
	} {
		e := krbErrorWith(18, octets(tt.edata))
		if k := answered(t, asReq(1), e); k.Status != tt.want {
			t.Errorf("%s: %08x, want %08x", tt.name, k.Status, tt.want)
		}
	}
}

// krbErrorWith is a KRB-ERROR with e-data.
func krbErrorWith(code int64, edata []byte) []byte {
	return app(30, seq(field(0, num(5)), field(1, num(30)), field(4, times("20261123195646Z")), field(5, num(1)), field(6, num(code)),
		field(9, str("LAB.EXAMPLE")), field(10, krbtgt), field(12, edata)))
}

func TestWorkstation(t *testing.T) {
	address := func(kind int64, b string) []byte { return seq(field(0, num(kind)), field(1, octets([]byte(b)))) }
	k, odd := asked(t, kdcReq(10, nil, body(alice, krbtgt, 1, field(9, seq(address(2, "\x0a\x00\x00\x01"), address(20, "WS01            "), address(20, "WS02"))))))
	if k.Workstation != "WS01" || k.Addresses != 3 || odd != nil {
		t.Errorf("%q of %d addresses, %v", k.Workstation, k.Addresses, odd)
	}
}

// newCertificate makes a certificate as a Windows CA issues them.
func newCertificate(t testing.TB) (certificate, tbsIssuerAndSerial []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := func(oid, value []byte) []byte { return der(0xa0, der(0x06, oid), der(0xa0, value)) }
	krb := seq(field(0, str("LAB.EXAMPLE")), field(1, alice))
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(0x6100000c),
		Subject:               pkix.Name{CommonName: "alice", OrganizationalUnit: []string{"Staff"}},
		NotBefore:             time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		NotAfter:              time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		SubjectKeyId:          []byte{1, 2, 3},
		UnknownExtKeyUsage:    []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 311, 20, 2, 2}},
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		CRLDistributionPoints: []string{"ldap:///CN=ca"},
		ExtraExtensions: []pkix.Extension{
			{Id: oidSubjectAltName, Value: seq(other(oidUPN, der(0x0c, []byte("alice@lab.example"))), other(oidKRB5Principal, krb), der(0x82, []byte("ws01.lab.example")))},
			{Id: oidNTDSSecurity, Value: seq(other(oidNTDSObjectSID, octets([]byte("S-1-5-21-1-2-3-1104"))))},
			{Id: oidTemplateName, Value: der(0x1e, []byte("\x00U\x00s\x00e\x00r"))},
			{Id: oidTemplate, Value: seq(der(0x06, []byte{0x2b, 6, 1, 4, 1, 0x82, 0x37, 21, 8, 1}), num(100), num(4))},
		},
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "LAB-CA"}, SubjectKeyId: []byte{9, 9}}
	certificate, err = x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, slices.Concat(c.RawIssuer, num(0x6100000c))
}

// pkasReq is PA-PK-AS-REQ with these certificates and signer.
func pkasReq(sid []byte, certificates ...[]byte) []byte {
	prime := append([]byte{0, 0x80}, make([]byte, 127)...)
	domain := seq(der(0x02, prime), num(2))
	public := seq(seq(der(0x06, []byte{0x2a, 0x86, 0x48, 0xce, 0x3e, 2, 1}), domain), der(0x03, []byte{0, 1}))
	pack := seq(field(0, seq(field(0, num(1)))), field(1, public))
	signed := [][]byte{num(3), der(0x31), seq(der(0x06, []byte{0x2b, 6, 1, 5, 2, 3, 1}), field(0, octets(pack)))}
	if certificates != nil {
		signed = append(signed, der(0xa0, certificates...))
	}
	signed = append(signed, der(0x31, seq(num(1), sid)))
	info := seq(der(0x06, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}), field(0, seq(signed...)))
	return seq(der(0x80, info))
}

func TestPKINIT(t *testing.T) {
	certificate, sid := newCertificate(t)
	sum := sha1.Sum(certificate)
	want := &activity.PKINIT{
		Thumbprint: hex.EncodeToString(sum[:]), Subject: "CN=alice,OU=Staff", Issuer: "CN=LAB-CA", Serial: "6100000c",
		NotBefore: activity.Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano()),
		Names:     []string{"upn:alice@lab.example", "krb:alice@LAB.EXAMPLE", "dns:ws01.lab.example", "sid:S-1-5-21-1-2-3-1104"},
		Usages:    []string{"1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.311.20.2.2"}, Template: "1.3.6.1.4.1.311.21.8.1", SKI: "010203", AKI: "0909",
		CDP: true, DHBits: 1024, Chain: 2,
	}
	ask := func(value []byte) (*activity.Kerberos, []string) {
		return asked(t, kdcReq(10, seq(padata(16, value)), body(alice, krbtgt, 1)))
	}
	first := newOther(t) // the signer's is found wherever it stands in the set
	for name, value := range map[string][]byte{
		"by issuer and serial": pkasReq(seq(sid), first, certificate),
		"by key identifier":    pkasReq(der(0x80, []byte{1, 2, 3}), first, certificate),
	} {
		k, odd := ask(value)
		if d := cmp.Diff(want, k.PKINIT); d != "" || odd != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, odd, d)
		}
	}
	if k, odd := ask(pkasReq(seq(sid))); k.PKINIT == nil || k.PKINIT.DHBits != 1024 || k.PKINIT.Chain != 0 || odd != nil {
		t.Errorf("anonymous: %+v, %v", k.PKINIT, odd)
	}
	broken := append([]byte(nil), certificate...)
	broken[4] = 0x31
	if k, odd := ask(pkasReq(seq(sid), broken)); k.PKINIT.Thumbprint == "" || k.PKINIT.Subject != "" || !cmp.Equal(odd, []string{"certificate-unreadable"}) {
		t.Errorf("broken: %+v, %v", k.PKINIT, odd)
	}
	if k, odd := ask(seq(der(0x80, []byte("no CMS")))); k.PKINIT == nil || !cmp.Equal(odd, []string{"certificate-unreadable"}) {
		t.Errorf("no CMS: %+v, %v", k.PKINIT, odd)
	}
	if k, _ := ask(nil); k.PKINIT != nil {
		t.Errorf("only named: %+v", k.PKINIT)
	}
}

// newOther makes a certificate that nobody signs with here.
func newOther(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "LAB-CA"}}
	b, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The id of an exchange without any of these facts is what it was before they
// were read; each of them makes another.
func TestIDOfRareFacts(t *testing.T) {
	a := activity.Activity{Kind: activity.KerberosTGS, Kerberos: &activity.Kerberos{}}
	a.Seal()
	seen := map[activity.ID]string{a.ID: "none"}
	for name, k := range map[string]activity.Kerberos{
		"fast":       {FAST: true},
		"armor":      {FAST: true, Armor: &activity.Ticket{ID: id("x")}},
		"for user":   {ForUser: "alice"},
		"additional": {Additional: &activity.Ticket{ID: id("x")}},
		"pkinit":     {PKINIT: &activity.PKINIT{Thumbprint: "00"}},
	} {
		a.Kerberos = &k
		a.Seal()
		if other, ok := seen[a.ID]; ok {
			t.Errorf("%s has the id of %s", name, other)
		}
		seen[a.ID] = name
	}
}
