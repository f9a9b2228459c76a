package ldap

import (
	"math"

	"github.com/verderer/verderer/sensor/decode/ber"
)

// The structs of this file are the messages of RFC 4511 §4, with their fields
// in its order; fields nothing needs are left out. Byte slices lie in the
// message they were read from and are valid only as long as it is.
//
// Their parse methods keep what they read before a bad byte and return whether
// all of it was as the RFC has it.

// LDAPMessage is the envelope of everything (RFC 4511 §4.1.1).
type LDAPMessage struct {
	MessageID  int32
	ProtocolOp ProtocolOp
	Body       []byte // content of the protocolOp
	Whole      bool   // false: Body is cut, and what follows it is not there
	Controls   ber.Reader
}

// parse reads the envelope of b, which may be cut anywhere behind the tag of
// the protocolOp.
func (m *LDAPMessage) parse(b []byte) bool {
	r := ber.New(b)
	tag, content, whole, err := r.Partial()
	if err != nil || tag != ber.Sequence {
		return false
	}
	r = ber.New(content)
	id, ok := r.Int()
	if !ok || id < 0 || id > math.MaxInt32 { // §4.1.1: maxInt
		return false
	}
	op, body, wholeOp, err := r.Partial()
	if err != nil {
		return false
	}
	m.MessageID, m.ProtocolOp, m.Body, m.Whole = int32(id), ProtocolOp(op), body, whole && wholeOp
	m.Controls, _ = r.Into(ber.Context(0))
	return true
}

// Control is one of an LDAPMessage's controls (RFC 4511 §4.1.11).
type Control struct {
	ControlType []byte // an OID in dotted text
}

func (c *Control) parse(r *ber.Reader) bool {
	seq, ok := r.Into(ber.Sequence)
	if !ok {
		return false
	}
	c.ControlType, ok = seq.Expect(ber.OctetString)
	return ok
}

// LDAPResult is what most answers begin with (RFC 4511 §4.1.9).
type LDAPResult struct {
	ResultCode        ResultCode
	MatchedDN         []byte
	DiagnosticMessage []byte
}

func (l *LDAPResult) parse(r *ber.Reader) bool {
	l.ResultCode = noResult
	c, ok := r.Expect(ber.Enumerated)
	if !ok {
		return false
	}
	code, ok := ber.Int(c)
	if !ok || code < 0 || code > math.MaxInt32 {
		return false
	}
	l.ResultCode = ResultCode(code)
	if l.MatchedDN, ok = r.Expect(ber.OctetString); !ok {
		return false
	}
	if l.DiagnosticMessage, ok = r.Expect(ber.OctetString); !ok {
		return false
	}
	r.Expect(ber.Context(3)) // referral [3]
	return true
}

// authentication choices of a BindRequest: RFC 4511 §4.2, and the three of
// Sicily, MS-ADTS §5.1.1.1.3.
const (
	authSimple                 = ber.Tag(0x80)
	authSASL                   = ber.Tag(0xa3)
	authSicilyPackageDiscovery = ber.Tag(0x89)
	authSicilyNegotiate        = ber.Tag(0x8a)
	authSicilyResponse         = ber.Tag(0x8b)
)

// BindRequest asks to authenticate (RFC 4511 §4.2).
type BindRequest struct {
	Version        int64
	Name           []byte
	Authentication ber.Tag
	Mechanism      []byte // SASL
	Credentials    []byte // the password, the SASL credentials or the Sicily token
}

func (b *BindRequest) parse(body []byte) (ok bool) {
	r := ber.New(body)
	if b.Version, ok = r.Int(); !ok {
		return false
	}
	if b.Name, ok = r.Expect(ber.OctetString); !ok {
		return false
	}
	tag, content, whole, err := r.Partial()
	if err != nil {
		return false
	}
	b.Authentication = tag
	if tag == authSASL {
		sasl := ber.New(content)
		if b.Mechanism, ok = sasl.Expect(ber.OctetString); !ok {
			return false
		}
		b.Credentials, _ = sasl.Expect(ber.OctetString)
	} else if whole {
		b.Credentials = content
	}
	return whole && r.Empty()
}

// BindResponse answers it (RFC 4511 §4.2.2).
type BindResponse struct {
	LDAPResult
	ServerSASLCreds []byte
}

func (b *BindResponse) parse(body []byte) bool {
	r := ber.New(body)
	if !b.LDAPResult.parse(&r) {
		return false
	}
	b.ServerSASLCreds, _ = r.Expect(ber.ContextPrimitive(7))
	return true
}

// SearchRequest asks for entries (RFC 4511 §4.5.1).
type SearchRequest struct {
	BaseObject []byte
	Scope      int64
	Filter     ber.Reader // stands before the filter, which is read by appendFilter
	Attributes ber.Reader
}

func (s *SearchRequest) parse(body []byte) (ok bool) {
	r := ber.New(body)
	if s.BaseObject, ok = r.Expect(ber.OctetString); !ok {
		return false
	}
	scope, ok := r.Expect(ber.Enumerated)
	if !ok {
		return false
	}
	if s.Scope, ok = ber.Int(scope); !ok {
		return false
	}
	for _, t := range [...]ber.Tag{ber.Enumerated, ber.Integer, ber.Integer, ber.Boolean} { // derefAliases, sizeLimit, timeLimit, typesOnly
		if _, ok := r.Expect(t); !ok {
			return false
		}
	}
	s.Filter = r
	if _, _, err := r.Next(); err != nil {
		return false
	}
	if s.Attributes, ok = r.Into(ber.Sequence); !ok {
		return false
	}
	return r.Empty()
}

// SearchResultEntry is one entry found (RFC 4511 §4.5.2).
type SearchResultEntry struct {
	ObjectName []byte
	Attributes ber.Reader
}

func (s *SearchResultEntry) parse(body []byte) (ok bool) {
	r := ber.New(body)
	if s.ObjectName, ok = r.Expect(ber.OctetString); !ok {
		return false
	}
	s.Attributes, ok = r.Into(ber.Sequence)
	return ok
}

// PartialAttribute is one attribute of an entry (RFC 4511 §4.1.7).
type PartialAttribute struct {
	Type []byte
	Vals ber.Reader
}

func (p *PartialAttribute) parse(r *ber.Reader) bool {
	seq, ok := r.Into(ber.Sequence)
	if !ok {
		return false
	}
	if p.Type, ok = seq.Expect(ber.OctetString); !ok {
		return false
	}
	p.Vals, ok = seq.Into(ber.Set)
	return ok
}

// ModifyRequest changes attributes of an entry (RFC 4511 §4.6).
type ModifyRequest struct {
	Object  []byte
	Changes ber.Reader // of Change
}

func (q *ModifyRequest) parse(body []byte) (ok bool) {
	r := ber.New(body)
	if q.Object, ok = r.Expect(ber.OctetString); !ok {
		return false
	}
	q.Changes, ok = partial(&r, ber.Sequence)
	return ok && r.Empty()
}

// partial descends into the next element, which may be cut, if it has the tag.
func partial(r *ber.Reader, want ber.Tag) (ber.Reader, bool) {
	tag, content, _, err := r.Partial()
	if err != nil || tag != want {
		return ber.Reader{}, false
	}
	return ber.New(content), true
}

// Change is one of its changes.
type Change struct {
	Operation    int64
	Modification PartialAttribute
}

func (g *Change) parse(r *ber.Reader) bool {
	seq, ok := r.Into(ber.Sequence)
	if !ok {
		return false
	}
	op, ok := seq.Expect(ber.Enumerated)
	if !ok {
		return false
	}
	if g.Operation, ok = ber.Int(op); !ok {
		return false
	}
	return g.Modification.parse(&seq)
}

// AddRequest makes an entry (RFC 4511 §4.7).
type AddRequest struct {
	Entry      []byte
	Attributes ber.Reader // of PartialAttribute
}

func (q *AddRequest) parse(body []byte) (ok bool) {
	r := ber.New(body)
	if q.Entry, ok = r.Expect(ber.OctetString); !ok {
		return false
	}
	q.Attributes, ok = partial(&r, ber.Sequence)
	return ok && r.Empty()
}

// ModifyDNRequest renames or moves an entry (RFC 4511 §4.9).
type ModifyDNRequest struct {
	Entry          []byte
	NewRDN         []byte
	NewSuperior    []byte
	HasNewSuperior bool
}

func (q *ModifyDNRequest) parse(body []byte) (ok bool) {
	r := ber.New(body)
	if q.Entry, ok = r.Expect(ber.OctetString); !ok {
		return false
	}
	if q.NewRDN, ok = r.Expect(ber.OctetString); !ok {
		return false
	}
	if _, ok = r.Expect(ber.Boolean); !ok { // deleteoldrdn
		return false
	}
	q.NewSuperior, q.HasNewSuperior = r.Expect(ber.ContextPrimitive(0))
	return r.Empty()
}

// PasswdModifyRequest is PasswdModifyRequestValue (RFC 3062 §2). The passwords
// are not looked at.
type PasswdModifyRequest struct {
	UserIdentity []byte
	HasOldPasswd bool
}

func (q *PasswdModifyRequest) parse(value []byte) bool {
	if len(value) == 0 {
		return true // optional
	}
	r := ber.New(value)
	seq, ok := r.Into(ber.Sequence)
	if !ok {
		return false
	}
	q.UserIdentity, _ = seq.Expect(ber.ContextPrimitive(0))
	_, q.HasOldPasswd = seq.Expect(ber.ContextPrimitive(1))
	seq.Expect(ber.ContextPrimitive(2)) // newPasswd
	return seq.Empty()
}

// ExtendedRequest asks for an operation named by an OID (RFC 4511 §4.12).
type ExtendedRequest struct {
	RequestName  []byte
	RequestValue []byte
}

func (e *ExtendedRequest) parse(body []byte) (ok bool) {
	r := ber.New(body)
	e.RequestName, ok = r.Expect(ber.ContextPrimitive(0))
	e.RequestValue, _ = r.Expect(ber.ContextPrimitive(1))
	return ok
}

// ExtendedResponse answers it, or comes unasked with message ID 0 (§4.4).
type ExtendedResponse struct {
	LDAPResult
	ResponseName  []byte
	ResponseValue []byte
}

func (e *ExtendedResponse) parse(body []byte) bool {
	r := ber.New(body)
	if !e.LDAPResult.parse(&r) {
		return false
	}
	e.ResponseName, _ = r.Expect(ber.ContextPrimitive(10))
	e.ResponseValue, _ = r.Expect(ber.ContextPrimitive(11))
	return true
}
