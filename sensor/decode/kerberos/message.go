package kerberos

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode/ber"
)

// The types below are the messages of RFC 4120 with the fields this package
// reads, named and ordered as in the RFC. Byte slices point into the message
// and live as long as it does. A field that was absent, unreadable or cut off
// has its zero value.

// Message types (RFC 4120 §7.5.7).
const (
	msgASReq  = 10
	msgASRep  = 11
	msgTGSReq = 12
	msgTGSRep = 13
	msgAPReq  = 14
	msgAPRep  = 15
	msgSafe   = 20
	msgPriv   = 21
	msgCred   = 22
	msgError  = 30
)

// tagTicket is the application tag of Ticket; those of messages have the number
// of the message type (RFC 4120 §5.10).
const tagTicket = ber.Tag(0x61)

// PrincipalName is a name of one or more components (RFC 4120 §5.2.2).
type PrincipalName struct {
	NameType   int32
	NameString []byte // the KerberosStrings, still encoded; nil when there is no whole name
}

// EncryptedData shows its algorithm and key version (RFC 4120 §5.2.9).
type EncryptedData struct {
	EType  int32
	KVNO   uint32
	Cipher []byte // empty when it is not there whole
}

// Ticket is RFC 4120 §5.3.
type Ticket struct {
	Realm   []byte
	SName   PrincipalName
	EncPart EncryptedData
}

// APReq is RFC 4120 §5.5.1.
type APReq struct {
	Ticket Ticket
}

// PAData is what a SEQUENCE OF PA-DATA tells without keys (RFC 4120 §5.2.7).
type PAData struct {
	Types         int32List // padata-type of each, in order
	HasAPReq      bool
	APReq         APReq // of PA-TGS-REQ
	EncTimestamp  int32 // etype of PA-ENC-TIMESTAMP
	HasPACRequest bool
	IncludePAC    bool      // of PA-PAC-REQUEST
	ETypeInfo     int32List // etypes of PA-ETYPE-INFO
	ETypeInfo2    int32List // etypes of PA-ETYPE-INFO2
	FAST          KrbFastArmoredReq
	PAForUser     S4UUserID // userName and userRealm of PA-FOR-USER
	PAS4UX509User S4UUserID // user-id of PA-S4U-X509-USER
	PACOptions    uint32
	PKASReq       []byte // signedAuthPack of PA-PK-AS-REQ
	ExtError      uint32 // NTSTATUS of KERB-EXT-ERROR in PA-PW-SALT
}

// KrbFastArmoredReq is RFC 6113 §5.4.2; Present tells that there is one.
type KrbFastArmoredReq struct {
	Present   bool
	ArmorType int32
	Armor     Ticket // of the AP-REQ, armor type 1
}

// S4UUserID is MS-SFU §2.2.2.
type S4UUserID struct {
	CName              PrincipalName
	CRealm             []byte
	SubjectCertificate []byte
}

// KDCReq is AS-REQ or TGS-REQ, its KDC-REQ-BODY included (RFC 4120 §5.4.1).
type KDCReq struct {
	PAData PAData

	KDCOptions  uint32
	CName       PrincipalName
	Realm       []byte
	SName       PrincipalName
	Till        activity.Time
	RTime       activity.Time
	Nonce       uint32
	EType       int32List
	Addresses   int    // how many
	NetBIOS     []byte // first address of the type NetBIOS
	EncAuthData bool   // enc-authorization-data is present
	Additional  Ticket // first of additional-tickets
}

// KDCRep is AS-REP or TGS-REP (RFC 4120 §5.4.2).
type KDCRep struct {
	PAData  PAData
	CRealm  []byte
	CName   PrincipalName
	Ticket  Ticket
	EncPart EncryptedData
}

// KRBError is RFC 4120 §5.9.1.
type KRBError struct {
	HasErrorCode bool
	ErrorCode    int32
	CRealm       []byte
	CName        PrincipalName
	Realm        []byte
	SName        PrincipalName
	EData        PAData // zero when e-data is not METHOD-DATA
	ExtError     uint32 // NTSTATUS of KERB-EXT-ERROR in KERB-ERROR-DATA
}

// maxList caps the lists kept of a message. Clients offer at most about ten
// encryption types and send about as many kinds of pre-authentication data;
// 32 leaves room, and keeps a hostile message of 64 KiB from becoming an
// activity of that size. The tags in activity.Kerberos have the same cap.
const maxList = 32

// int32List is a capped list without an allocation of its own.
type int32List struct {
	n int
	v [maxList]int32
}

// add appends v and tells whether there was room.
func (l *int32List) add(v int32) bool {
	if l.n == maxList {
		return false
	}
	l.v[l.n] = v
	l.n++
	return true
}

// list copies l, nil when it is empty.
func (l *int32List) list() []int32 {
	if l.n == 0 {
		return nil
	}
	return append(make([]int32, 0, l.n), l.v[:l.n]...)
}

// offered lists the etypes that the KDC has keys of the client for.
// PA-ETYPE-INFO is for clients that know no better (RFC 4120 §5.2.7.5).
func (d *PAData) offered() []int32 {
	if d.ETypeInfo2.n > 0 {
		return d.ETypeInfo2.list()
	}
	return d.ETypeInfo.list()
}

// join appends the components of n to b, separated by "/".
func (n *PrincipalName) join(b []byte) []byte {
	r := ber.New(n.NameString)
	for i := 0; !r.Empty(); i++ {
		_, s, err := r.Next()
		if err != nil {
			break
		}
		if i > 0 {
			b = append(b, '/')
		}
		b = append(b, s...)
	}
	return b
}

// name is the name of e's code, "" when it has none.
func (e *KRBError) name() string {
	if !e.HasErrorCode {
		return ""
	}
	return activity.KRBErrorName(e.ErrorCode)
}

// kind guesses which exchange e ends when its request was not seen: an error
// does not say. AS exchanges are about the ticket-granting and the password
// changing service. TGS exchanges are about any other and, in renewals and
// across realms, about the former, which is seldom refused; errors that name no
// service are about tickets too.
func (e *KRBError) kind() activity.Kind {
	r := ber.New(e.SName.NameString)
	_, first, _ := r.Next()
	if s := string(first); s == "krbtgt" || s == "kadmin" {
		return activity.KerberosAS
	}
	return activity.KerberosTGS
}

// Mandatory fields, by tag number.
var (
	needPrincipalName = bits(0, 1)
	needEncryptedData = bits(0, 2)
	needTicket        = bits(0, 1, 2, 3)
	needAPReq         = bits(0, 1, 2, 3, 4)
	needPAData        = bits(1, 2)
	needKDCReq        = bits(1, 2, 4)
	needKDCReqBody    = bits(0, 2, 5, 7, 8)
	needKDCRep        = bits(0, 1, 3, 4, 5, 6)
	needKRBError      = bits(0, 1, 4, 5, 6, 9, 10)
)

func (p *parser) principalName(content []byte) (n PrincipalName) {
	f := p.sequence(content)
	for tag, c := range f.each {
		switch tag {
		case 0:
			n.NameType, _ = p.int32(c)
		case 1:
			// A name with its end cut off would be another name.
			if s, whole, ok := p.only(c, ber.Sequence); ok && whole {
				n.NameString = s
				p.nameString(s)
			}
		default:
			f.unknown()
		}
	}
	f.need(needPrincipalName)
	return n
}

// nameString looks for what is odd in the components of a name.
func (p *parser) nameString(s []byte) {
	r := ber.New(s)
	for tag, _, _, ok := p.element(&r); ok; tag, _, _, ok = p.element(&r) {
		p.isString(tag)
	}
}

func (p *parser) encryptedData(content []byte) (e EncryptedData) {
	f := p.sequence(content)
	for tag, c := range f.each {
		switch tag {
		case 0:
			e.EType, _ = p.int32(c)
		case 1:
			e.KVNO = p.uint32(c)
		case 2:
			e.Cipher, _ = p.leaf(c, ber.OctetString)
		default:
			f.unknown()
		}
	}
	f.need(needEncryptedData)
	return e
}

func (p *parser) ticket(content []byte) (t Ticket) {
	body, _, _ := p.only(content, tagTicket)
	return p.ticketBody(body)
}

// ticketBody reads the content of a ticket's application tag.
func (p *parser) ticketBody(body []byte) (t Ticket) {
	f := p.sequence(body)
	for tag, c := range f.each {
		switch tag {
		case 0:
			p.version(c)
		case 1:
			t.Realm = p.kerberosString(c)
		case 2:
			t.SName = p.principalName(c)
		case 3:
			t.EncPart = p.encryptedData(c)
		default:
			f.unknown()
		}
	}
	f.need(needTicket)
	return t
}

// apReq reads the body of an AP-REQ, the content of its application tag.
func (p *parser) apReq(body []byte) (a APReq) {
	f := p.sequence(body)
	for tag, c := range f.each {
		switch tag {
		case 0:
			p.version(c)
		case 1:
			p.msgType(c, msgAPReq)
		case 2: // ap-options: whether mutual authentication is wanted
		case 3:
			a.Ticket = p.ticket(c)
		case 4: // authenticator: sealed
		default:
			f.unknown()
		}
	}
	f.need(needAPReq)
	return a
}

// kdcReq reads the body of an AS-REQ or TGS-REQ into q, which must be zero.
func (p *parser) kdcReq(body []byte, msgType int32, q *KDCReq) {
	f := p.sequence(body)
	for tag, c := range f.each {
		switch tag {
		case 1:
			p.version(c)
		case 2:
			p.msgType(c, msgType)
		case 3:
			p.paData(c, &q.PAData)
		case 4:
			p.kdcReqBody(c, q)
		default:
			f.unknown()
		}
	}
	f.need(needKDCReq)
	if msgType == msgTGSReq && len(q.CName.NameString) > 0 {
		p.found |= cnameInTGSReq
	}
	if msgType == msgTGSReq && !q.PAData.HasAPReq && !p.cut {
		p.found |= noAPReq
	}
	if msgType == msgASReq && len(q.CName.NameString) == 0 && !p.cut {
		p.found |= missingField
	}
}

func (p *parser) kdcReqBody(content []byte, q *KDCReq) {
	f := p.sequence(content)
	for tag, c := range f.each {
		switch tag {
		case 0:
			q.KDCOptions = p.flags(c)
		case 1:
			q.CName = p.principalName(c)
		case 2:
			q.Realm = p.kerberosString(c)
		case 3:
			q.SName = p.principalName(c)
		case 4: // from: of postdated tickets, which domain controllers do not issue
		case 5:
			q.Till = p.time(c)
		case 6:
			q.RTime = p.time(c)
		case 7:
			q.Nonce = p.uint32(c)
		case 8:
			p.etypes(c, &q.EType)
		case 9:
			p.addresses(c, q)
		case 10:
			q.EncAuthData = true
		case 11:
			if list, _, ok := p.only(c, ber.Sequence); ok {
				r := ber.New(list)
				if tag, b, _, ok := p.element(&r); ok && tag == tagTicket {
					q.Additional = p.ticketBody(b)
				} else if ok {
					p.found |= wrongType
				}
			}
		default:
			f.unknown()
		}
	}
	f.need(needKDCReqBody)
}

// etypes reads SEQUENCE OF Int32. A list whose end was cut off is left out: it
// would claim that the client did not offer the rest.
func (p *parser) etypes(content []byte, l *int32List) {
	list, whole, ok := p.only(content, ber.Sequence)
	if !ok || !whole {
		return
	}
	r := ber.New(list)
	for tag, b, whole, ok := p.element(&r); ok; tag, b, whole, ok = p.element(&r) {
		if tag != ber.Integer || !whole {
			p.found |= wrongType
			continue
		}
		if v, ok := p.integer(b, -1<<31, 1<<31-1); ok && !l.add(int32(v)) {
			p.found |= longList
			return
		}
	}
}

// addrNetBIOS is the address type of a client's NetBIOS name (RFC 4120 §7.5.3).
const addrNetBIOS = 20

// addresses counts the HostAddresses and picks the client's NetBIOS name.
func (p *parser) addresses(content []byte, q *KDCReq) {
	list, _, _ := p.only(content, ber.Sequence)
	r := ber.New(list)
	for {
		tag, b, whole, ok := p.element(&r)
		if !ok || !whole {
			return
		}
		q.Addresses++
		if tag != ber.Sequence || q.NetBIOS != nil {
			continue
		}
		f := fields{p: p, r: ber.New(b), last: -1}
		var kind int32
		for n, c := range f.each {
			switch n {
			case 0:
				kind, _ = p.int32(c)
			case 1:
				if v, ok := p.leaf(c, ber.OctetString); ok && kind == addrNetBIOS {
					q.NetBIOS = v
				}
			default:
				f.unknown()
			}
		}
	}
}

// kdcRep reads the body of an AS-REP or TGS-REP into a, which must be zero.
func (p *parser) kdcRep(body []byte, msgType int32, a *KDCRep) {
	p.reply = true
	f := p.sequence(body)
	for tag, c := range f.each {
		switch tag {
		case 0:
			p.version(c)
		case 1:
			p.msgType(c, msgType)
		case 2:
			p.paData(c, &a.PAData)
		case 3:
			a.CRealm = p.kerberosString(c)
		case 4:
			a.CName = p.principalName(c)
		case 5:
			a.Ticket = p.ticket(c)
		case 6:
			a.EncPart = p.encryptedData(c)
		default:
			f.unknown()
		}
	}
	f.need(needKDCRep)
}

// krbError reads the body of a KRB-ERROR into e, which must be zero.
func (p *parser) krbError(body []byte, e *KRBError) {
	p.reply = true
	f := p.sequence(body)
	for tag, c := range f.each {
		switch tag {
		case 0:
			p.version(c)
		case 1:
			p.msgType(c, msgError)
		case 2, 3, 4, 5: // ctime, cusec, stime, susec: the packet has a time of its own
		case 6:
			e.ErrorCode, e.HasErrorCode = p.int32(c)
		case 7:
			e.CRealm = p.kerberosString(c)
		case 8:
			e.CName = p.principalName(c)
		case 9:
			e.Realm = p.kerberosString(c)
		case 10:
			e.SName = p.principalName(c)
		case 11: // e-text: for people
		case 12:
			b, _, ok := p.only(c, ber.OctetString)
			switch {
			case ok && isMethodData(b):
				p.paData(b, &e.EData)
				e.ExtError = e.EData.ExtError
			case ok:
				e.ExtError = errorData(b)
			}
		default:
			f.unknown()
		}
	}
	f.need(needKRBError)
}
