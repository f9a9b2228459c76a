package icpr

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func key(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func must(t testing.TB, v any) []byte {
	t.Helper()
	b, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// raw is an element with a tag of its own.
func raw(class, tag int, compound bool, content ...[]byte) asn1.RawValue {
	var all []byte
	for _, c := range content {
		all = append(all, c...)
	}
	return asn1.RawValue{Class: class, Tag: tag, IsCompound: compound, Bytes: all}
}

func oid(n ...int) asn1.ObjectIdentifier { return n }

// altNames holds every sort of name that is read.
func altNames(t testing.TB) []byte {
	upn := raw(2, 0, true, must(t, oid(1, 3, 6, 1, 4, 1, 311, 20, 2, 3)), must(t, raw(2, 0, true, must(t, raw(0, 12, false, []byte("administrator@lab.example"))))))
	other := raw(2, 0, true, must(t, oid(1, 2, 3)), must(t, raw(2, 0, true, must(t, 5))))
	dn := raw(2, 4, true, must(t, pkix.Name{CommonName: "other"}.ToRDNSequence()))
	return must(t, raw(0, 16, true, must(t, upn), must(t, raw(2, 2, false, []byte("dc1.lab.example"))), must(t, raw(2, 1, false, []byte("a@lab.example"))),
		must(t, raw(2, 6, false, []byte("tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500"))), must(t, raw(2, 7, false, []byte{10, 0, 0, 1})), must(t, dn), must(t, other)))
}

func security(t testing.TB) []byte {
	return must(t, raw(0, 16, true, must(t, raw(2, 0, true, must(t, oid(1, 3, 6, 1, 4, 1, 311, 25, 2, 1)),
		must(t, raw(2, 0, true, must(t, raw(0, 4, false, []byte("S-1-5-21-1-2-3-500")))))))))
}

// pkcs10 is a request with every extension that is read.
func pkcs10(t testing.TB, extra ...pkix.Extension) []byte {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "alice", Organization: []string{"Lab"}},
		ExtraExtensions: append([]pkix.Extension{
			{Id: oid(2, 5, 29, 17), Critical: true, Value: altNames(t)},
			{Id: oid(1, 3, 6, 1, 4, 1, 311, 25, 2), Value: security(t)},
			{Id: oid(2, 5, 29, 15), Critical: true, Value: []byte{3, 2, 5, 0xa0}},
		}, extra...),
	}, key(t))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// cmc wraps a request as certreq does (RFC 5272 §3.2).
func cmc(t testing.TB, request []byte) []byte {
	seq := func(content ...[]byte) []byte { return must(t, raw(0, 16, true, content...)) }
	data := seq(seq(), seq(must(t, raw(2, 0, true, must(t, 1), request))), seq(), seq())
	encapsulated := seq(must(t, oid(1, 3, 6, 1, 5, 5, 7, 12, 2)), must(t, raw(2, 0, true, must(t, raw(0, 4, false, data)))))
	signed := seq(must(t, 3), must(t, raw(0, 17, true)), encapsulated, must(t, raw(0, 17, true)))
	return seq(must(t, oid(1, 2, 840, 113549, 1, 7, 2)), must(t, raw(2, 0, true, signed)))
}

func certificate(t testing.TB) []byte {
	k := key(t)
	c := &x509.Certificate{SerialNumber: big.NewInt(0x1234567890), NotAfter: time.Unix(2e9, 0), SubjectKeyId: []byte{1, 2, 3, 4},
		DNSNames: []string{"dc1.lab.example"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func blobOf(s *decodetest.Stub, b []byte) *decodetest.Stub {
	s.Struct().U32(uint32(len(b)))
	if b == nil {
		return s.Null(1)
	}
	return s.Pointers(1).Size(uint32(len(b))).Bytes(b...)
}

func utf16(text string) (b []byte) {
	for _, c := range text + "\x00" {
		b = append(b, byte(c), byte(c>>8))
	}
	return b
}

func ask(e decodetest.Encoding, attributes string, request []byte) *decodetest.Stub {
	s := e.Stub().U32(0x100).Unique("lab-CA").U32(0)
	blobOf(s, utf16(attributes))
	return blobOf(s, request)
}

func answer(e decodetest.Encoding, disposition uint32, chain, certificate []byte, result uint32) *decodetest.Stub {
	s := e.Stub().U32(17, disposition)
	blobOf(blobOf(blobOf(s, chain), certificate), utf16("Issued"))
	return s.U32(result)
}

var names64 = []string{
	"upn:administrator@lab.example", "dns:dc1.lab.example", "email:a@lab.example",
	"uri:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500", "ip:10.0.0.1", "dn:CN=other", "other:1.2.3", "sid:S-1-5-21-1-2-3-500",
}

func TestCall(t *testing.T) {
	byName := pkix.Extension{Id: oid(1, 3, 6, 1, 4, 1, 311, 20, 2), Value: must(t, raw(0, 30, false, []byte("\x00U\x00s\x00e\x00r")))}
	byOID := pkix.Extension{Id: oid(1, 3, 6, 1, 4, 1, 311, 21, 7), Value: must(t, struct {
		ID           asn1.ObjectIdentifier
		Major, Minor int
	}{oid(1, 3, 6, 1, 4, 1, 311, 21, 8, 123456, 7), 100, 3})}
	for _, e := range decodetest.Encodings {
		for _, tt := range []struct {
			what       string
			attributes string
			request    []byte
			response   *decodetest.Stub
			outcome    activity.Outcome
			err        string
			unread     int64
			want       activity.Certificate
		}{
			{"issued", "CertificateTemplate:User\n", pkcs10(t), answer(e, 3, make([]byte, 3000), certificate(t), 0), activity.Success, "", 0,
				activity.Certificate{Template: "User", Subject: "CN=alice,O=Lab", Names: names64, Attributes: "CertificateTemplate:User\n", RequestID: "17", Serial: "1234567890", SKI: "01020304"}},
			{"denied, template by name", "", pkcs10(t, byName), answer(e, 2, nil, nil, 0), activity.Failure, "CR_DISP_DENIED", 0,
				activity.Certificate{Template: "User", Subject: "CN=alice,O=Lab", Names: names64, RequestID: "17"}},
			{"pending, template by OID", "", pkcs10(t, byOID), answer(e, 5, nil, nil, 0), activity.Success, "", 0,
				activity.Certificate{Template: "1.3.6.1.4.1.311.21.8.123456.7", Subject: "CN=alice,O=Lab", Names: names64, RequestID: "17"}},
			{"an error as disposition", "", pkcs10(t), answer(e, 0x80094012, nil, nil, 0), activity.Failure, "CERTSRV_E_TEMPLATE_DENIED", 0,
				activity.Certificate{Subject: "CN=alice,O=Lab", Names: names64, RequestID: "17"}},
			{"an error as return value", "", pkcs10(t), answer(e, 0, nil, nil, 0x80070005), activity.Failure, "ERROR_ACCESS_DENIED", 0,
				activity.Certificate{Subject: "CN=alice,O=Lab", Names: names64}},
			{"CMC, no answer", "CertificateTemplate: Machine \r\nccm:x", cmc(t, pkcs10(t)), nil, activity.Attempt, "", 0,
				activity.Certificate{Template: "Machine", Subject: "CN=alice,O=Lab", Names: names64, Attributes: "CertificateTemplate: Machine \r\nccm:x"}},
			{"names as attribute", "SAN:upn=eve@lab.example&DNS=x.lab.example\nCertificateTemplate:Web", []byte("no DER"), nil, activity.Attempt, "", 1,
				activity.Certificate{Template: "Web", Names: []string{"upn:eve@lab.example", "dns:x.lab.example"}, Attributes: "SAN:upn=eve@lab.example&DNS=x.lab.example\nCertificateTemplate:Web"}},
			{"a request retrieved", "", nil, answer(e, 1, nil, nil, 0), activity.Failure, "CR_DISP_ERROR", 0, activity.Certificate{RequestID: "17"}},
		} {
			t.Run(e.String()+"/"+tt.what, func(t *testing.T) {
				conn := decodetest.Connect(t, Interface)
				out := conn.Deliver(e.Call(0, ask(e, tt.attributes, tt.request), tt.response))
				if len(out) != 1 || out[0].Kind != activity.CertificateRequest || out[0].Outcome != tt.outcome || out[0].Error != tt.err || len(out[0].Anomalies) > 0 {
					t.Fatalf("%+v", out[0])
				}
				tt.want.Act, tt.want.Authority = "request", "lab-CA"
				if diff := cmp.Diff(tt.want, *out[0].Certificate, cmpopts.IgnoreFields(activity.Certificate{}, "Call")); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if n := conn.Counters.Of(name, reasonFormat).Value(); n != tt.unread {
					t.Errorf("counted %d", n)
				}
			})
		}
	}
}

// TestGolden: one answered request, whose key and signature are not looked at, so
// that the golden does not depend on them.
func TestGolden(t *testing.T) {
	e := decodetest.Encoding{}
	decodetest.GoldenCalls(t, "testdata/made.golden.jsonl", Interface, []decode.RPCCall{
		e.Call(0, ask(e, "CertificateTemplate:User\n", unsigned(t)), answer(e, 3, nil, nil, 0)),
		e.Call(1, e.Stub().U32(0), nil),
	})
}

// unsigned is a request whose key and signature are always the same.
func unsigned(t testing.TB) []byte {
	seq := func(content ...[]byte) []byte { return must(t, raw(0, 16, true, content...)) }
	extensions := seq(seq(must(t, oid(2, 5, 29, 17)), must(t, altNames(t))))
	attributes := raw(2, 0, true, seq(must(t, oid(1, 2, 840, 113549, 1, 9, 14)), must(t, raw(0, 17, true, extensions))))
	info := seq(must(t, 0), must(t, pkix.Name{CommonName: "alice"}.ToRDNSequence()), seq(), must(t, attributes))
	return seq(info, seq(), must(t, asn1.BitString{}))
}

// TestCut: of a request that ends outside what is kept, what stands before that
// is read.
func TestCut(t *testing.T) {
	der := pkcs10(t)
	for n := range der {
		var c activity.Certificate
		csr(der[:n], &c)
		issued(der[:n], &c)
		csr(cmc(t, der[:n]), &c)
	}
	var c activity.Certificate
	if !csr(der[:len(der)-20], &c) || c.Subject == "" || len(c.Names) != len(names64) {
		t.Errorf("without its signature: %+v", c)
	}
	e := decodetest.Encoding{}
	long := strings.Repeat("x:y\n", 5000)
	out := decodetest.Connect(t, Interface).Deliver(e.Call(0, ask(e, long, der), nil))
	if a := out[0]; len(a.Anomalies) > 0 || len(a.Certificate.Attributes) > activity.MaxText {
		t.Errorf("%v", a.Anomalies)
	}
}

func TestManyNames(t *testing.T) {
	e := decodetest.Encoding{}
	out := decodetest.Connect(t, Interface).Deliver(e.Call(0, ask(e, "san:"+strings.Repeat("dns=x&", 500), nil), nil))
	if n := len(out[0].Certificate.Names); n != maxNames {
		t.Errorf("%d names", n)
	}
}

func TestDotted(t *testing.T) {
	for _, id := range []asn1.ObjectIdentifier{oid(1, 3, 6, 1, 4, 1, 311, 21, 7), oid(2, 5, 29, 17), oid(2, 999, 3), oid(0, 39)} {
		if got := dotted(must(t, id)[2:]); got != id.String() {
			t.Errorf("%v: %q", id, got)
		}
	}
	if got := dotted(make([]byte, 100)); got != "" {
		t.Errorf("a long one: %q", got)
	}
}

func FuzzCall(f *testing.F) {
	e := decodetest.Encoding{}
	decodetest.FuzzCalls(f, Interface, []decode.RPCCall{
		e.Call(0, ask(e, "CertificateTemplate:User\nsan:upn=a", pkcs10(f)), answer(e, 3, nil, certificate(f), 0)),
		e.Call(0, ask(e, "", cmc(f, pkcs10(f))), answer(e, 2, nil, nil, 0)),
	})
}

func FuzzRequest(f *testing.F) {
	f.Add(pkcs10(f))
	f.Add(cmc(f, pkcs10(f)))
	f.Add(certificate(f))
	f.Fuzz(func(t *testing.T, der []byte) {
		var c activity.Certificate
		csr(der, &c)
		issued(der, &c)
		if len(c.Names) > maxNames {
			t.Errorf("%d names", len(c.Names))
		}
	})
}
