package kerberos

import (
	"bytes"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ber"
	"github.com/verderer/verderer/sensor/flow"
)

// Protocol is the exchange with a KDC. Password changes (port 464) are another
// protocol, RFC 3244.
var Protocol = decode.Protocol{
	Name: "kerberos",
	TCP:  []uint16{88},
	UDP:  []uint16{88},
	New:  func() decode.Decoder { return newDecoder() },
	Reasons: []string{
		reasonSkipped, reasonUnreadable, reasonUnknown, reasonOther, reasonDirection,
		reasonPart, reasonCut, reasonGap, reasonPending, reasonRepeatedRequest, reasonRepeatedReply,
	},
}

// What the decoder counts.
const (
	reasonSkipped         = "bytes skipped in search of a message"
	reasonUnreadable      = "messages that are not BER"
	reasonUnknown         = "messages of no known type"
	reasonOther           = "messages that are no KDC exchange (AP, SAFE, PRIV, CRED)"
	reasonDirection       = "messages against their direction"
	reasonPart            = "messages read in part: malformed"
	reasonCut             = "messages read in part: cut short"
	reasonGap             = "gaps that cost a message"
	reasonPending         = "requests given up: too many unanswered"
	reasonRepeatedRequest = "requests sent again"
	reasonRepeatedReply   = "replies sent again"
)

const (
	// maxMessage caps the bytes kept of one message. Tickets grow with the
	// client's groups to MaxTokenSize, 48000 bytes by default on Windows, and a
	// TGS-REQ holds one of them.
	maxMessage = 64 << 10
	// maxLength is the longest message taken for one: what the most generous KDC
	// (MIT krb5) accepts. More is a lost place in the stream.
	maxLength = 1 << 20
	// maxPending caps unanswered requests of a conversation. Clients wait for
	// each answer; only one that does not speak Kerberos would send more.
	maxPending = 8
)

// decoder follows one conversation with a KDC.
type decoder struct {
	x       *decode.Context
	framers decode.Framers // TCP
	parser  parser         // of the message at hand; here so that a message costs no allocation
	pending []exchange     // unanswered requests, oldest first; at most maxPending, on UDP one

	// The last reply seen over UDP, to know it when it comes again: its length
	// and checksum.
	lastLen int
	lastSum uint32
}

// checksums: Castagnoli's polynomial has an instruction of its own on the CPUs
// that matter.
var checksums = crc32.MakeTable(crc32.Castagnoli)

// exchange is what is known of a request and its answer.
type exchange struct {
	kind      activity.Kind
	requested activity.Time
	account   activity.Account
	found     anomalies
	detail    *detail
	size      int // bytes of the request, of which account and detail keep less
}

// detail is an activity.Kerberos with room for what it points to, so that an
// exchange is one allocation.
type detail struct {
	activity.Kerberos
	issued, presented activity.Ticket
	pacRequest        bool
}

func newDecoder() *decoder {
	d := &decoder{}
	for i := range d.framers {
		d.framers[i] = decode.Framer{Header: recordLength, Max: maxMessage}
	}
	return d
}

// recordLength reads the length that precedes each message over TCP, whose high
// bit is reserved (RFC 4120 §7.2.2), and checks the tag of the message when it
// is already there. Extensions that use the bit (RFC 5021) are not followed.
func recordLength(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	n := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	if n < 2 || n > maxLength {
		return -1
	}
	if len(b) > 4 && (b[4] < 0x60|msgASReq || b[4] > 0x60|msgError) {
		return -1
	}
	return 4 + n
}

func (d *decoder) Reset(x *decode.Context) {
	d.x = x
	for i := range d.framers {
		d.framers[i].Reset(x.Conn.MidStream)
	}
	clear(d.pending)
	d.pending = d.pending[:0]
	d.lastLen, d.lastSum = 0, 0
}

func (d *decoder) Feed(dir flow.Dir, data []byte, now activity.Time) {
	if d.x.Conn.Transport == activity.UDP {
		d.datagram(dir, data, now)
		return
	}
	f := d.framers.Of(dir)
	lost := f.Lost()
	skipped := f.Feed(data, func(b []byte, truncated bool) {
		d.message(dir, b[4:], truncated, now)
	})
	if skipped > 0 {
		d.x.Count(reasonSkipped, skipped)
	}
	if dir == flow.ToClient && f.Lost() && !lost {
		d.giveUp(0, now)
	}
}

// datagram reads a message over UDP, which is alone in its datagram (RFC 4120
// §7.2.1). One that claims to be longer was cut by the snap length.
func (d *decoder) datagram(dir flow.Dir, data []byte, now activity.Time) {
	if len(data) == 0 {
		return
	}
	_, h, n, err := ber.Header(data)
	cut := err == nil && (h == 0 || n > len(data)-h)
	if dir == flow.ToClient {
		// A KDC answers a repeated request with the same bytes, and mirror ports
		// show packets twice. While a request waits, what comes is its answer:
		// two refusals within a second may well be alike.
		sum := crc32.Checksum(data, checksums)
		if len(d.pending) == 0 && len(data) == d.lastLen && sum == d.lastSum {
			d.x.Count(reasonRepeatedReply, 1)
			return
		}
		d.lastLen, d.lastSum = len(data), sum
	}
	d.message(dir, data, cut, now)
}

// Gap gives up what was lost. What is there of a message is read, so that a
// request stays known, and that it was answered.
func (d *decoder) Gap(dir flow.Dir, n int, now activity.Time) {
	if d.x.Conn.Transport == activity.UDP {
		return
	}
	f := d.framers.Of(dir)
	begun := f.Begun()
	f.Gap(n)
	if !f.Lost() {
		return
	}
	d.x.Count(reasonGap, 1)
	d.partial(dir, begun, now)
	if dir == flow.ToClient {
		// The answers may have been in the gap. What comes after it must not be
		// taken for them.
		d.giveUp(0, now)
	}
}

// partial reads what there is of a message over TCP that will not become whole.
func (d *decoder) partial(dir flow.Dir, begun []byte, now activity.Time) {
	if len(begun) > 4 {
		d.message(dir, begun[4:], true, now)
	}
}

func (d *decoder) Close(now activity.Time) {
	for dir := range d.framers {
		d.partial(flow.Dir(dir), d.framers[dir].Begun(), now)
	}
	d.giveUp(0, now)
}

// Held implements decode.Decoder.
func (d *decoder) Held() int {
	const decoder, waiting = 512, 128 + 640 // an exchange and its detail
	n := decoder + d.framers[0].Held() + d.framers[1].Held()
	for i := range d.pending {
		n += waiting + d.pending[i].size
	}
	return n
}

// giveUp emits the oldest requests as unanswered until only keep are left.
func (d *decoder) giveUp(keep int, now activity.Time) {
	for len(d.pending) > keep {
		e := d.take(0)
		d.emit(&e, activity.Attempt, "", now)
	}
}

// message reads one message, without the length that precedes it over TCP.
func (d *decoder) message(dir flow.Dir, b []byte, cut bool, now activity.Time) {
	p := &d.parser
	*p = parser{cut: cut}
	if cut {
		p.found = messageCut
		d.x.Count(reasonCut, 1)
	}
	r := ber.New(b)
	tag, body, _, ok := p.element(&r)
	if !ok {
		if !cut {
			d.x.Count(reasonUnreadable, 1)
		}
		return
	}
	if !r.Empty() {
		p.found |= trailingBytes
	}
	number := int32(tag & 0x1f)
	switch {
	case tag&0xe0 != 0x60:
		d.x.Count(reasonUnknown, 1)
		return
	case number == msgASReq || number == msgTGSReq:
		if dir != flow.ToServer {
			d.x.Count(reasonDirection, 1)
			return
		}
		d.request(p, number, body, now)
	case number == msgASRep || number == msgTGSRep || number == msgError:
		if dir != flow.ToClient {
			d.x.Count(reasonDirection, 1)
			return
		}
		if number == msgError {
			d.refusal(p, body, now)
		} else {
			d.reply(p, number, body, now)
		}
	case number == msgAPReq || number == msgAPRep || number == msgSafe || number == msgPriv || number == msgCred:
		d.x.Count(reasonOther, 1)
	default:
		d.x.Count(reasonUnknown, 1)
	}
	if p.found&malformed != 0 {
		d.x.Count(reasonPart, 1)
	}
}

// request notes an AS-REQ or TGS-REQ as pending.
func (d *decoder) request(p *parser, number int32, body []byte, now activity.Time) {
	var q KDCReq
	p.kdcReq(body, number, &q)

	k := &detail{}
	k.RequestSeen = true
	k.Realm = p.text(q.Realm, "")
	k.Service = p.name(q.SName, "")
	k.ServiceType = q.SName.NameType
	k.Options = q.KDCOptions
	k.ETypes = q.EType.list()
	k.PAData = q.PAData.Types.list()
	k.PreAuthEType = q.PAData.EncTimestamp
	if q.PAData.HasPACRequest {
		k.pacRequest = q.PAData.IncludePAC
		k.PACRequest = &k.pacRequest
	}
	k.Addresses = q.Addresses
	if q.NetBIOS != nil { // 15 characters, filled up with blanks (RFC 1001 §14.1)
		k.Workstation = p.text(bytes.TrimRight(q.NetBIOS[:min(len(q.NetBIOS), 16)], " \x00"), "")
	}
	k.Till, k.Renew = q.Till, q.RTime
	k.Nonce = q.Nonce
	k.EncAuthData = q.EncAuthData
	if q.PAData.HasAPReq {
		k.Presented = p.outside(&q.PAData.APReq.Ticket, &k.presented, k)
	}
	p.rare(&q, k)

	e := exchange{kind: activity.KerberosTGS, requested: now, detail: k, size: len(body)}
	if number == msgASReq {
		e.kind = activity.KerberosAS
		e.account = p.account(q.CName, q.Realm, k)
		k.ClientType = q.CName.NameType
	}
	e.found = p.found

	if n := len(d.pending); d.x.Conn.Transport == activity.UDP && n > 0 {
		// A client that hears nothing sends its request again; the exchange began
		// with the first. Any other request ends the one before: a client waits
		// for one answer at a time.
		if e.repeats(&d.pending[n-1]) {
			d.x.Count(reasonRepeatedRequest, 1)
			return
		}
		d.giveUp(0, now)
	} else if n == maxPending {
		d.x.Count(reasonPending, 1)
		d.giveUp(maxPending-1, now)
	}
	d.pending = append(d.pending, e)
}

// rare takes what most requests are without, and allocates for it.
func (p *parser) rare(q *KDCReq, k *detail) {
	k.PACOptions = q.PAData.PACOptions
	if f := &q.PAData.FAST; f.Present {
		k.FAST, k.ArmorType = true, f.ArmorType
		if len(f.Armor.EncPart.Cipher) > 0 {
			k.Armor = p.outside(&f.Armor, &activity.Ticket{}, k)
		}
	}
	if len(q.Additional.EncPart.Cipher) > 0 {
		k.Additional = p.outside(&q.Additional, &activity.Ticket{}, k)
	}
	forUser, byX509 := &q.PAData.PAForUser, &q.PAData.PAS4UX509User
	if u := forUser; u.CName.NameString != nil || byX509.CName.NameString != nil {
		if u.CName.NameString == nil {
			u = byX509
		} else if byX509.CName.NameString != nil && !bytes.Equal(u.CName.NameString, byX509.CName.NameString) {
			p.found |= usersDiffer
		}
		k.ForUser, k.ForUserType = p.name(u.CName, ""), u.CName.NameType
		k.ForRealm = p.text(u.CRealm, k.Realm)
	}
	switch {
	case q.PAData.PKASReq != nil:
		k.PKINIT = p.pkinit(q.PAData.PKASReq)
	case len(byX509.SubjectCertificate) > 0:
		k.PKINIT = &activity.PKINIT{Chain: 1}
		p.certificate(byX509.SubjectCertificate, k.PKINIT)
	}
}

// referral is the realm that a KDC sends the client on to by the ticket it
// gives: one for the ticket-granting service of another realm than its own
// (RFC 4120 §3.3.3.1, RFC 6806 §8). "" for any other ticket.
func referral(t *activity.Ticket) string {
	if t == nil {
		return ""
	}
	realm, ok := strings.CutPrefix(t.Service, "krbtgt/")
	if !ok || strings.EqualFold(realm, t.Realm) {
		return ""
	}
	return realm
}

// repeats tells that e asks what o asked. The nonce alone would do if every
// client drew it at random; guessing tools have a constant there.
func (e *exchange) repeats(o *exchange) bool {
	k, l := e.detail, o.detail
	return e.kind == o.kind && k.Nonce == l.Nonce && e.account.Name == o.account.Name &&
		k.Service == l.Service && slices.Equal(k.PAData, l.PAData)
}

// reply ends the exchange that an AS-REP or TGS-REP answers.
func (d *decoder) reply(p *parser, number int32, body []byte, now activity.Time) {
	var a KDCRep
	p.kdcRep(body, number, &a)

	kind := activity.KerberosTGS
	if number == msgASRep {
		kind = activity.KerberosAS
	}
	e := d.answered(kind)
	k := e.detail
	if e.account.Zero() {
		e.account = p.account(a.CName, a.CRealm, k)
		k.ClientType = a.CName.NameType
	} else if len(a.CRealm) > 0 { // the realm of the request is where the client was looked for
		e.account.Domain = p.text(a.CRealm, e.account.Domain)
	}
	k.Issued = p.outside(&a.Ticket, &k.issued, k)
	k.Referral = referral(k.Issued)
	k.ReplyEType = a.EncPart.EType
	k.OfferedETypes = a.PAData.offered()
	e.found |= p.found
	d.emit(&e, activity.Success, "", now)
}

// refusal ends the exchange that a KRB-ERROR answers.
func (d *decoder) refusal(p *parser, body []byte, now activity.Time) {
	var a KRBError
	p.krbError(body, &a)

	e := d.answered("")
	k := e.detail
	if e.kind == "" { // the request was not seen
		e.kind = a.kind()
		k.Realm = p.text(a.Realm, "")
		k.Service = p.name(a.SName, "")
		k.ServiceType = a.SName.NameType
	}
	if e.account.Zero() {
		e.account = p.account(a.CName, a.CRealm, k)
		k.ClientType = a.CName.NameType
	}
	k.ErrorCode = a.ErrorCode
	k.OfferedETypes = a.EData.offered()
	k.Status = a.ExtError
	if a.ErrorCode == activity.KRBWrongRealm { // RFC 6806 §7: crealm says where to go
		k.Referral = p.text(a.CRealm, e.account.Domain)
	}
	e.found |= p.found
	d.emit(&e, activity.Failure, a.name(), now)
}

// answered takes the oldest pending request of a kind, "" for any. The reply
// names its request by a nonce, but under encryption; a KDC answers those of a
// connection in their order. Without one the exchange is empty.
func (d *decoder) answered(kind activity.Kind) exchange {
	for i := range d.pending {
		if kind == "" || d.pending[i].kind == kind {
			return d.take(i)
		}
	}
	return exchange{kind: kind, detail: &detail{}}
}

// take removes a pending request.
func (d *decoder) take(i int) exchange {
	e := d.pending[i]
	d.pending = slices.Delete(d.pending, i, i+1)
	return e
}

func (d *decoder) emit(e *exchange, outcome activity.Outcome, code string, now activity.Time) {
	a := d.x.New(e.kind, activity.ProtoKerberos, now)
	a.Requested = e.requested
	a.Account = e.account
	a.Outcome = outcome
	a.Error = code
	a.Anomalies = e.found.names()
	a.Kerberos = &e.detail.Kerberos
	d.x.Emit(a)
}

// text is the text of a KerberosString. It mostly equals what is known already,
// which then saves a copy.
func (p *parser) text(b []byte, known string) string {
	if string(b) == known {
		return known
	}
	s, raw := names.FromUTF8(b)
	if raw != nil {
		p.found |= notUTF8
	}
	return activity.Cut(s)
}

// name is the text of a name, its components joined by "/".
func (p *parser) name(n PrincipalName, known string) string {
	var room [256]byte
	return p.text(n.join(room[:0]), known)
}

// account is the client of a name and its realm; zero without a name.
func (p *parser) account(cname PrincipalName, crealm []byte, k *detail) (a activity.Account) {
	var room [256]byte
	joined := cname.join(room[:0])
	if len(joined) == 0 {
		return a
	}
	s, raw := names.FromUTF8(joined)
	if raw != nil {
		p.found |= notUTF8
		a.Raw = raw[:min(len(raw), activity.MaxText)]
	}
	a.Name = activity.Cut(s)
	a.Domain = p.text(crealm, k.Realm)
	return a
}

// outside fills into with what is readable of t. It is nil without a whole
// cipher, since part of one would identify another ticket.
func (p *parser) outside(t *Ticket, into *activity.Ticket, k *detail) *activity.Ticket {
	if len(t.EncPart.Cipher) == 0 {
		return nil
	}
	*into = activity.Ticket{
		ID:      activity.NewTicketID(t.EncPart.Cipher),
		Realm:   p.text(t.Realm, k.Realm),
		Service: p.name(t.SName, k.Service),
		EType:   t.EncPart.EType,
		KVNO:    t.EncPart.KVNO,
		Size:    uint32(len(t.EncPart.Cipher)),
	}
	return into
}
