package kerberos

// anomalies is a set of the oddities below, one bit each.
type anomalies uint32

// The closed list. Each says the clause broken and how it comes about
// harmlessly. An activity shows the names in anomalyNames; what carries an
// AP-REQ token shows them with "kerberos-" before them.
const (
	// longLength: a length in more octets than it needs. RFC 4120 §5.1 asks for
	// DER, whose lengths are the shortest (X.690 §10.1). Harmless: encoders that
	// reserve the room for a length before they know it.
	longLength anomalies = 1 << iota
	// longInteger: an INTEGER with leading octets that say nothing (X.690
	// §8.3.2). Harmless: encoders that always write four octets.
	longInteger
	// integerRange: an INTEGER outside the range of its type (RFC 4120 §5.2.4);
	// its value is left out. Harmless: none known.
	integerRange
	// trailingBytes: bytes after the end of a message or of what an explicit tag
	// holds. Harmless: padding added by a relay or a fixed-size send buffer.
	trailingBytes
	// badElement: bytes that are no DER element: an indefinite length, a tag
	// number above 30, a tag without its content (X.690 §8.1). What follows in
	// the same container is not read. Harmless: none known.
	badElement
	// overrun: an element longer than the one around it (X.690 §8.1.3). Harmless:
	// none known; a message cut by the capture is messageCut instead.
	overrun
	// wrongType: another ASN.1 type than RFC 4120 appendix A asks for. Strings of
	// other string types are read, anything else is left out. Harmless: clients
	// that send names as UTF8String.
	wrongType
	// unknownField: a tagged field that the type does not have. Harmless: an
	// extension newer than this decoder (RFC 4120 §1.4).
	unknownField
	// fieldOrder: fields repeated or not in ascending order (X.690 §8.9.2).
	// Harmless: none known.
	fieldOrder
	// missingField: a field that is not OPTIONAL is not there, or an AS-REQ names
	// no client (RFC 4120 §5.4.1). Names without components are no fault
	// elsewhere: the type allows them (§5.2.2), and Heimdal KDCs, Samba's among
	// them, send one as the server of some errors. Harmless: minimal clients and
	// health probes.
	missingField
	// wrongVersion: pvno or tkt-vno is not 5 (RFC 4120 §5.3, §5.4.1). Harmless:
	// none known.
	wrongVersion
	// msgTypeMismatch: msg-type contradicts the application tag (RFC 4120 §5.10).
	// Harmless: none known.
	msgTypeMismatch
	// badTime: a KerberosTime in another form than YYYYMMDDHHMMSSZ, or no date
	// (RFC 4120 §5.2.3). Harmless: encoders that add fractions of a second.
	badTime
	// shortFlags: KerberosFlags of fewer than 32 bits (RFC 4120 §5.2.8).
	// Harmless: ASN.1 compilers that drop trailing zero bits, as X.690 §11.2.2
	// asks for named bits.
	shortFlags
	// noAPReq: a TGS-REQ without a readable PA-TGS-REQ, which no KDC can answer
	// (RFC 4120 §3.3.1). Harmless: health probes.
	noAPReq
	// cnameInTGSReq: a TGS-REQ with a cname, which only AS-REQ uses (RFC 4120
	// §5.4.1); it proves nothing and is left out. Harmless: clients that build
	// both requests with the same code.
	cnameInTGSReq
	// notUTF8: a name neither in ASCII, as RFC 4120 §5.2.1 asks, nor in UTF-8, as
	// Windows sends. Harmless: Unix clients with a Latin-1 locale.
	notUTF8
	// longList: more than maxList entries; the rest is left out. No clause is
	// broken. Harmless: none known.
	longList
	// messageCut: the end of a message is not there: cut by the snap length, lost
	// by the capture, or beyond maxMessage. No clause is broken. What the
	// activity does not show may still have been in the message.
	messageCut
	// usersDiffer: PA-FOR-USER and PA-S4U-X509-USER name two users, though both
	// are to say whom the ticket is for (MS-SFU §3.1.5.1.1.1). The activity shows
	// the former's. Harmless: none known.
	usersDiffer
	// certificateUnreadable: what PA-PK-AS-REQ holds is no SignedData with an
	// X.509 certificate (RFC 4556 §3.2.1, RFC 5652 §5.1), or PA-S4U-X509-USER no
	// certificate. What of it could be read is shown. Harmless: certificates of
	// authorities that bend RFC 5280.
	certificateUnreadable
)

var anomalyNames = [...]string{
	"length-not-shortest",
	"integer-not-shortest",
	"integer-out-of-range",
	"trailing-bytes",
	"unreadable-element",
	"element-overrun",
	"wrong-type",
	"unknown-field",
	"field-order",
	"missing-field",
	"wrong-version",
	"message-type-mismatch",
	"malformed-time",
	"short-flags",
	"no-ticket-presented",
	"cname-in-tgs-req",
	"text-not-utf8",
	"list-cut",
	"message-cut",
	"impersonated-users-differ",
	"certificate-unreadable",
}

// malformed are the anomalies that made the decoder leave something out.
const malformed = integerRange | badElement | overrun | wrongType | badTime | noAPReq

// names lists the set in the order above, nil when it is empty.
func (a anomalies) names() (names []string) {
	for i, name := range anomalyNames {
		if a&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
