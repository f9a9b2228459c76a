package kerberos

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	mathbits "math/bits"
	"strings"
	"unicode/utf16"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode/ber"
)

const (
	// maxCertificates bounds the search for the signer's: a chain has about four.
	maxCertificates = 16
	// maxNames and maxUsages are the caps of activity.PKINIT's lists.
	maxNames  = 64
	maxUsages = 32
	// maxSerial caps a serial number: 20 octets by RFC 5280 §4.1.2.2, and room
	// for authorities that use more.
	maxSerial = 64
)

// signedAuthPack returns the CMS message in PA-PK-AS-REQ (RFC 4556 §3.2.1): its
// first field, an OCTET STRING by implicit tagging. The type of the Windows 2000
// draft has it in the same place.
func signedAuthPack(value []byte) []byte {
	r := ber.New(value)
	in, ok := r.Into(ber.Sequence)
	if !ok {
		return nil
	}
	b, ok := in.Expect(ber.ContextPrimitive(0))
	if !ok || len(b) == 0 {
		return nil
	}
	return b
}

// pkinit reads the SignedData of a PKINIT request (RFC 5652 §5.1): the signer's
// certificate, and what its AuthPack says of the key agreement. The signature is
// not checked.
func (p *parser) pkinit(cms []byte) *activity.PKINIT {
	k := &activity.PKINIT{}
	r := ber.New(cms)
	info, ok := r.Into(ber.Sequence) // ContentInfo
	if !ok {
		p.found |= certificateUnreadable
		return k
	}
	info.Expect(ber.OID)
	explicit, _ := info.Into(ber.Context(0))
	signed, ok := explicit.Into(ber.Sequence)
	if !ok {
		p.found |= certificateUnreadable
		return k
	}
	signed.Expect(ber.Integer) // version
	signed.Expect(ber.Set)     // digestAlgorithms
	if encap, ok := signed.Into(ber.Sequence); ok {
		encap.Expect(ber.OID)
		explicit, _ := encap.Into(ber.Context(0))
		if pack, ok := explicit.Expect(ber.OctetString); ok {
			k.DHBits = dhBits(pack)
		}
	}
	var certificates [maxCertificates][]byte
	n := 0
	for set, _ := signed.Into(ber.Context(0)); !set.Empty(); {
		begin := set.Rest()
		tag, _, err := set.Next()
		if err != nil {
			p.found |= certificateUnreadable
			break
		}
		if tag == ber.Sequence && n < maxCertificates { // other choices are obsolete or no X.509
			certificates[n] = begin[:len(begin)-len(set.Rest())]
			n++
		}
		k.Chain++
	}
	signed.Expect(ber.Context(1)) // crls
	if n == 0 {
		return k // anonymous, RFC 8062 §4.1
	}
	sid := signer(signed)
	chosen := certificates[0]
	for _, c := range certificates[:n] {
		if sid.names(c) {
			chosen = c
			break
		}
	}
	p.certificate(chosen, k)
	return k
}

// signerID is SignerIdentifier (RFC 5652 §5.3): issuer and serial number, or a
// key identifier.
type signerID struct {
	issuerAndSerial []byte // both elements, as they stand in a certificate too
	keyID           []byte
}

// signer reads the sid of the first SignerInfo.
func signer(signed ber.Reader) (s signerID) {
	infos, _ := signed.Into(ber.Set)
	info, ok := infos.Into(ber.Sequence)
	if !ok {
		return s
	}
	info.Expect(ber.Integer) // version
	switch info.Peek() {
	case ber.Sequence:
		s.issuerAndSerial, _ = info.Expect(ber.Sequence)
	case ber.ContextPrimitive(0):
		s.keyID, _ = info.Expect(ber.ContextPrimitive(0))
	}
	return s
}

// names tells whether s names the certificate. TBSCertificate begins with an
// optional version, the serial number, the signature algorithm and the issuer
// (RFC 5280 §4.1); a key identifier is looked for in its bytes.
func (s *signerID) names(certificate []byte) bool {
	if len(s.keyID) > 0 {
		return bytes.Contains(certificate, s.keyID)
	}
	if len(s.issuerAndSerial) == 0 {
		return false
	}
	r := ber.New(certificate)
	outer, _ := r.Into(ber.Sequence)
	tbs, ok := outer.Into(ber.Sequence)
	if !ok {
		return false
	}
	tbs.Expect(ber.Context(0))
	serial := tbs.Rest()
	tbs.Expect(ber.Integer)
	serial = serial[:len(serial)-len(tbs.Rest())]
	tbs.Expect(ber.Sequence)
	issuer := tbs.Rest()
	tbs.Expect(ber.Sequence)
	issuer = issuer[:len(issuer)-len(tbs.Rest())]
	rest, ok := bytes.CutPrefix(s.issuerAndSerial, issuer)
	return ok && bytes.Equal(rest, serial)
}

// dhBits is the length of the prime that AuthPack's clientPublicValue is about
// (RFC 4556 §3.2.1; RFC 3279 §2.3.3 for the parameters).
func dhBits(pack []byte) int32 {
	r := ber.New(pack)
	in, _ := r.Into(ber.Sequence)
	in.Expect(ber.Context(0)) // pkAuthenticator
	explicit, _ := in.Into(ber.Context(1))
	info, _ := explicit.Into(ber.Sequence)        // SubjectPublicKeyInfo
	algorithm, _ := info.Into(ber.Sequence)       // AlgorithmIdentifier
	algorithm.Expect(ber.OID)                     // dhpublicnumber
	parameters, _ := algorithm.Into(ber.Sequence) // DomainParameters
	prime, _ := parameters.Expect(ber.Integer)
	prime = bytes.TrimLeft(prime, "\x00")
	if len(prime) == 0 {
		return 0
	}
	return int32(8*(len(prime)-1) + mathbits.Len8(prime[0]))
}

// OIDs of X.509 extensions and names: RFC 5280 §4.2.1.6 and §4.2.1.12, RFC 4556 §3.2.2, and
// those of Microsoft (MS-WCCE §2.2.2.7.5, §2.2.2.7.7.2).
var (
	oidExtKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidTemplateName   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2}
	oidTemplate       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 7}
	oidNTDSSecurity   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}
	oidUPN            = []byte{0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3} // 1.3.6.1.4.1.311.20.2.3
	oidKRB5Principal  = []byte{0x2b, 6, 1, 5, 2, 2}                    // 1.3.6.1.5.2.2
	oidNTDSObjectSID  = []byte{0x2b, 6, 1, 4, 1, 0x82, 0x37, 25, 2, 1} // 1.3.6.1.4.1.311.25.2.1
)

// certificate takes what rules look at from an X.509 certificate. One that Go's
// reader refuses still has a thumbprint.
func (p *parser) certificate(der []byte, k *activity.PKINIT) {
	sum := sha1.Sum(der)
	k.Thumbprint = hex.EncodeToString(sum[:])
	c, err := x509.ParseCertificate(der)
	if err != nil {
		p.found |= certificateUnreadable
		return
	}
	k.Subject, k.Issuer = p.distinguished(c.Subject), p.distinguished(c.Issuer)
	serial := c.SerialNumber.Bytes()
	k.Serial = hex.EncodeToString(serial[:min(len(serial), maxSerial)])
	k.NotBefore, k.NotAfter = instant(c.NotBefore), instant(c.NotAfter)
	k.SKI, k.AKI = identifier(c.SubjectKeyId), identifier(c.AuthorityKeyId)
	k.CDP = len(c.CRLDistributionPoints) > 0
	k.AIA = len(c.IssuingCertificateURL) > 0 || len(c.OCSPServer) > 0
	for _, e := range c.Extensions {
		switch {
		case e.Id.Equal(oidExtKeyUsage):
			var usages []asn1.ObjectIdentifier
			_, _ = asn1.Unmarshal(e.Value, &usages) // ParseCertificate read it before
			for _, u := range usages[:min(len(usages), maxUsages)] {
				k.Usages = append(k.Usages, activity.Cut(u.String()))
			}
		case e.Id.Equal(oidSubjectAltName):
			p.altNames(e.Value, k)
		case e.Id.Equal(oidNTDSSecurity):
			r := ber.New(e.Value)
			if name, ok := r.Into(ber.Sequence); ok {
				p.otherName(name, k)
			}
		case e.Id.Equal(oidTemplate): // CertificateTemplate: templateID, versions
			var id asn1.ObjectIdentifier
			r := ber.New(e.Value)
			if in, ok := r.Into(ber.Sequence); ok {
				if _, err := asn1.Unmarshal(in.Rest(), &id); err == nil {
					k.Template = activity.Cut(id.String())
				}
			}
		case e.Id.Equal(oidTemplateName) && k.Template == "": // BMPString
			r := ber.New(e.Value)
			if _, b, err := r.Next(); err == nil {
				k.Template = activity.Cut(bmp(b))
			}
		}
	}
}

// distinguished is the text of a name (RFC 2253).
func (p *parser) distinguished(n pkix.Name) string { return p.text([]byte(n.String()), "") }

func identifier(b []byte) string { return hex.EncodeToString(b[:min(len(b), maxSerial)]) }

// instant is t, 0 where it does not fit: certificates are valid until 9999.
func instant(t interface{ Unix() int64 }) activity.Time {
	const limit = (1<<63 - 1) / int64(1e9)
	if s := t.Unix(); s < limit && s > -limit {
		return activity.Time(s * 1e9)
	}
	return 0
}

// bmp is a BMPString, UTF-16 in network order.
func bmp(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, uint16(b[0])<<8|uint16(b[1]))
	}
	return string(utf16.Decode(units))
}

// add puts a name on the list.
func (p *parser) add(k *activity.PKINIT, kind string, name []byte) {
	if len(k.Names) == maxNames {
		p.found |= longList
		return
	}
	s, raw := names.FromUTF8(name)
	if raw != nil {
		p.found |= notUTF8
	}
	k.Names = append(k.Names, activity.Cut(kind+s))
}

// altNames reads GeneralNames (RFC 5280 §4.2.1.6).
func (p *parser) altNames(value []byte, k *activity.PKINIT) {
	r := ber.New(value)
	for list, _ := r.Into(ber.Sequence); !list.Empty(); {
		tag, b, err := list.Next()
		if err != nil {
			p.found |= certificateUnreadable
			return
		}
		switch tag {
		case ber.Context(0):
			list := ber.New(b)
			p.otherNameBody(&list, k)
		case ber.ContextPrimitive(1):
			p.add(k, "mail:", b)
		case ber.ContextPrimitive(2):
			p.add(k, "dns:", b)
		}
	}
}

// otherName reads the list of other names in Microsoft's security extension.
func (p *parser) otherName(list ber.Reader, k *activity.PKINIT) {
	for !list.Empty() {
		tag, b, err := list.Next()
		if err != nil {
			p.found |= certificateUnreadable
			return
		}
		if tag == ber.Context(0) {
			in := ber.New(b)
			p.otherNameBody(&in, k)
		}
	}
}

// otherNameBody reads OtherName: a type and an explicitly tagged value.
func (p *parser) otherNameBody(r *ber.Reader, k *activity.PKINIT) {
	id, _ := r.Expect(ber.OID)
	value, ok := r.Into(ber.Context(0))
	if !ok {
		return
	}
	switch {
	case bytes.Equal(id, oidUPN):
		if _, b, err := value.Next(); err == nil {
			p.add(k, "upn:", b)
		}
	case bytes.Equal(id, oidNTDSObjectSID):
		if b, ok := value.Expect(ber.OctetString); ok {
			p.add(k, "sid:", b)
		}
	case bytes.Equal(id, oidKRB5Principal): // KRB5PrincipalName: realm, principalName
		q := parser{}
		f := q.sequence(value.Rest())
		var realm []byte
		var name PrincipalName
		for tag, c := range f.each {
			switch tag {
			case 0:
				realm = q.kerberosString(c)
			case 1:
				name = q.principalName(c)
			}
		}
		var b strings.Builder
		b.Write(name.join(nil))
		b.WriteByte('@')
		b.Write(realm)
		p.add(k, "krb:", []byte(b.String()))
	}
}
