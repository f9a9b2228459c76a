package icpr

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode/ber"
)

// Object identifiers, as the content of their DER.
var (
	oidSignedData       = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")     // 1.2.840.113549.1.7.2
	oidExtensionRequest = []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")     // 1.2.840.113549.1.9.14
	oidCertExtensions   = []byte("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e") // 1.3.6.1.4.1.311.2.1.14, an older name for it
	oidTemplateName     = []byte("\x2b\x06\x01\x04\x01\x82\x37\x14\x02")     // 1.3.6.1.4.1.311.20.2 (MS-WCCE §2.2.2.7.7.1)
	oidTemplate         = []byte("\x2b\x06\x01\x04\x01\x82\x37\x15\x07")     // 1.3.6.1.4.1.311.21.7 (§2.2.2.7.7.2)
	oidSecurity         = []byte("\x2b\x06\x01\x04\x01\x82\x37\x19\x02")     // 1.3.6.1.4.1.311.25.2 (§2.2.2.7.7.4)
	oidUPN              = []byte("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03") // 1.3.6.1.4.1.311.20.2.3
	oidObjectSID        = []byte("\x2b\x06\x01\x04\x01\x82\x37\x19\x02\x01") // 1.3.6.1.4.1.311.25.2.1
	oidAltNames         = []byte("\x55\x1d\x11")                             // 2.5.29.17
	oidKeyID            = []byte("\x55\x1d\x0e")                             // 2.5.29.14
)

// csr reads a request for a certificate: PKCS #10, or the first one in a CMC. ok
// is false when it is neither.
func csr(der []byte, t *activity.Certificate) (ok bool) {
	info, ok := requestInfo(der)
	if !ok {
		if info, ok = requestInfo(fromCMC(der)); !ok {
			return false
		}
	}
	// CertificationRequestInfo (RFC 2986 §4.1): version, subject, key, attributes.
	if _, ok := info.Expect(ber.Integer); !ok {
		return false
	}
	subject, ok := info.Expect(ber.Sequence)
	if !ok {
		return false
	}
	t.Subject = activity.Cut(distinguished(subject))
	if _, ok := info.Expect(ber.Sequence); !ok {
		return false
	}
	list, ok := info.Into(ber.Context(0))
	for ok && !list.Empty() {
		attribute, is := list.Into(ber.Sequence)
		if !is {
			return false
		}
		id, _ := attribute.Expect(ber.OID)
		if !bytes.Equal(id, oidExtensionRequest) && !bytes.Equal(id, oidCertExtensions) {
			continue
		}
		if values, is := attribute.Into(ber.Set); is {
			extensions(values, t)
		}
	}
	return true
}

// requestInfo opens a CertificationRequest, of which the signature may be cut
// off.
func requestInfo(der []byte) (info ber.Reader, ok bool) {
	r := ber.New(der)
	tag, content, _, err := r.Partial()
	if err != nil || tag != ber.Sequence {
		return info, false
	}
	r = ber.New(content)
	if info, ok = r.Into(ber.Sequence); !ok || info.Peek() != ber.Integer {
		return info, false
	}
	return info, true
}

// fromCMC finds the first certification request in a CMS with PKIData (RFC 5272
// §3.2.1): ContentInfo, SignedData, EncapsulatedContentInfo, and in it
// controlSequence and reqSequence with a tcr.
func fromCMC(der []byte) []byte {
	r := ber.New(der)
	tag, content, _, err := r.Partial()
	if err != nil || tag != ber.Sequence {
		return nil
	}
	r = ber.New(content)
	if id, ok := r.Expect(ber.OID); !ok || !bytes.Equal(id, oidSignedData) {
		return nil
	}
	for range 2 { // [0], SignedData: perhaps cut off at their ends
		if _, content, _, err = r.Partial(); err != nil {
			return nil
		}
		r = ber.New(content)
	}
	r.Expect(ber.Integer) // version
	r.Expect(ber.Set)     // digestAlgorithms
	encapsulated, ok := r.Into(ber.Sequence)
	if !ok {
		return nil
	}
	encapsulated.Expect(ber.OID)
	explicit, _ := encapsulated.Into(ber.Context(0))
	octets, ok := explicit.Into(ber.OctetString)
	if !ok {
		return nil
	}
	data, _ := octets.Into(ber.Sequence)
	data.Expect(ber.Sequence) // controlSequence
	requests, _ := data.Into(ber.Sequence)
	tagged, ok := requests.Into(ber.Context(0)) // tcr, implicitly a TaggedCertificationRequest
	if !ok {
		return nil
	}
	tagged.Expect(ber.Integer) // bodyPartID
	return tagged.Rest()
}

// distinguished writes a Name; "" for one that is not read.
func distinguished(content []byte) string {
	var name pkix.RDNSequence
	der, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: content})
	if err != nil {
		return ""
	}
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return ""
	}
	return name.String()
}

// extensions reads a list of Extension that r holds.
func extensions(r ber.Reader, t *activity.Certificate) {
	list, ok := r.Into(ber.Sequence)
	for ok && !list.Empty() {
		var e ber.Reader
		if e, ok = list.Into(ber.Sequence); !ok {
			return
		}
		id, _ := e.Expect(ber.OID)
		if e.Peek() == ber.Boolean {
			e.Expect(ber.Boolean) // critical
		}
		value, _ := e.Expect(ber.OctetString)
		extension(id, value, t)
	}
}

func extension(id, value []byte, t *activity.Certificate) {
	v := ber.New(value)
	switch {
	case bytes.Equal(id, oidAltNames):
		general, ok := v.Into(ber.Sequence)
		for ok && !general.Empty() {
			tag, content, err := general.Next()
			if err != nil {
				return
			}
			generalName(tag, content, t)
		}
	case bytes.Equal(id, oidSecurity):
		if list, ok := v.Into(ber.Sequence); ok {
			if tag, content, err := list.Next(); err == nil && tag == ber.Context(0) {
				generalName(tag, content, t)
			}
		}
	case bytes.Equal(id, oidTemplateName):
		if _, content, err := v.Next(); err == nil && t.Template == "" {
			t.Template = activity.Cut(bmp(content))
		}
	case bytes.Equal(id, oidTemplate):
		if template, ok := v.Into(ber.Sequence); ok && t.Template == "" {
			if oid, ok := template.Expect(ber.OID); ok {
				t.Template = dotted(oid)
			}
		}
	case bytes.Equal(id, oidKeyID):
		if key, ok := v.Expect(ber.OctetString); ok {
			t.SKI = activity.Cut(hex.EncodeToString(key))
		}
	}
}

// generalName reads a GeneralName (RFC 5280 §4.2.1.6).
func generalName(tag ber.Tag, content []byte, t *activity.Certificate) {
	switch tag {
	case ber.Context(0): // otherName
		other := ber.New(content)
		id, _ := other.Expect(ber.OID)
		explicit, _ := other.Into(ber.Context(0))
		_, value, err := explicit.Next()
		if err != nil {
			return
		}
		switch {
		case bytes.Equal(id, oidUPN):
			addName(t, "upn", utf8(value))
		case bytes.Equal(id, oidObjectSID):
			addName(t, "sid", utf8(value))
		default:
			addName(t, "other", dotted(id))
		}
	case ber.ContextPrimitive(1):
		addName(t, "email", utf8(content))
	case ber.ContextPrimitive(2):
		addName(t, "dns", utf8(content))
	case ber.Context(4):
		if name := ber.New(content); name.Peek() == ber.Sequence {
			rdns, _ := name.Expect(ber.Sequence)
			addName(t, "dn", distinguished(rdns))
		}
	case ber.ContextPrimitive(6):
		addName(t, "uri", utf8(content))
	case ber.ContextPrimitive(7):
		if ip, ok := netip.AddrFromSlice(content); ok {
			addName(t, "ip", ip.String())
		}
	}
}

// issued reads serial number and subject key identifier of a certificate.
func issued(der []byte, t *activity.Certificate) {
	r := ber.New(der)
	_, content, _, err := r.Partial()
	if err != nil {
		return
	}
	r = ber.New(content)
	tbs, ok := r.Into(ber.Sequence)
	if !ok {
		return
	}
	if tbs.Peek() == ber.Context(0) {
		tbs.Next() // version
	}
	if serial, ok := tbs.Expect(ber.Integer); ok {
		t.Serial = activity.Cut(hex.EncodeToString(serial))
	}
	for !tbs.Empty() {
		tag, content, err := tbs.Next()
		if err != nil {
			return
		}
		if tag == ber.Context(3) {
			var only activity.Certificate // its other extensions were asked for, and are in the request
			extensions(ber.New(content), &only)
			t.SKI = only.SKI
		}
	}
}

func utf8(b []byte) string { s, _ := names.FromUTF8(b); return s }

// bmp reads big-endian UTF-16.
func bmp(b []byte) string {
	b = bytes.Clone(b[:len(b)&^1])
	for i := 0; i < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	s, _ := names.FromUTF16LE(b)
	return s
}

// dotted writes an object identifier; "" for one that is not read.
func dotted(content []byte) string {
	var out strings.Builder
	n, first := uint64(0), true
	for i, b := range content {
		if n > 1<<56 || i > 64 {
			return ""
		}
		if n = n<<7 | uint64(b&0x7f); b&0x80 != 0 {
			continue
		}
		if first {
			top := min(n/40, 2)
			out.WriteString(strconv.FormatUint(top, 10))
			n, first = n-40*top, false
		}
		out.WriteByte('.')
		out.WriteString(strconv.FormatUint(n, 10))
		n = 0
	}
	return out.String()
}
