package ldap

import (
	"bytes"
	"unicode/utf8"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ber"
	"github.com/verderer/verderer/sensor/flow"
)

// Protocol registers the decoder. 3268 and 3269 are those of the global
// catalogue; 636 and 3269 speak TLS from the first byte.
var Protocol = decode.Protocol{
	Name:    "ldap",
	TCP:     []uint16{389, 3268, 636, 3269},
	UDP:     []uint16{389},
	New:     func() decode.Decoder { return newDecoder() },
	Reasons: reasons,
}

// Extended operations that are followed.
const (
	oidStartTLS       = "1.3.6.1.4.1.1466.20037"  // RFC 4511 §4.14
	oidWhoAmI         = "1.3.6.1.4.1.4203.1.11.3" // RFC 4532
	oidPasswordModify = "1.3.6.1.4.1.4203.1.11.1" // RFC 3062
)

// patience is how long an answer is waited for. AD gives up a search after two
// minutes by default (MS-ADTS §3.1.1.3.4.6, MaxQueryDuration), an administrator
// may have doubled that.
const patience = activity.Time(5 * 60 * 1e9)

// decoder follows one conversation: the Decoder of decode.Protocol.
type decoder struct {
	x       *decode.Context
	now     activity.Time
	streams [2]*stream // TCP
	bind    bind
	// bound is who the connection is authenticated as: set by a successful bind,
	// emptied by the next attempt (RFC 4511 §4.2.1). Zero for anonymous, and for
	// Kerberos, whose client name is sealed in the ticket.
	bound   activity.Account
	auth    *activity.Auth // of a SASL or Sicily bind that succeeded, nil without
	pending []search       // see search.go
	held    int            // bytes of text in pending
	text    filterText

	changes    []change // see change.go
	changeText int      // bytes of text in changes

	startTLSID int32 // message ID of an unanswered StartTLS request, 0 none
	whoAmIID   int32 // of an unanswered "Who am I?" request, 0 none
	layered    bool  // a SASL bind succeeded: a security layer may follow
	tls        bool  // TLS was seen
	readable   bool  // something was understood
	skipped    bool  // bytes were skipped
}

func newDecoder() *decoder {
	d := new(decoder)
	d.streams = [2]*stream{flow.ToServer: newStream(d, flow.ToServer), flow.ToClient: newStream(d, flow.ToClient)}
	return d
}

// Reset implements decode.Decoder.
func (d *decoder) Reset(x *decode.Context) {
	*d = decoder{x: x, streams: d.streams, pending: d.pending[:0], changes: d.changes[:0], text: filterText{buf: d.text.buf[:0]}}
	port := x.Conn.Server.Port()
	for _, s := range d.streams {
		s.reset(x.Conn.MidStream)
		if port == 636 || port == 3269 {
			s.startTLS(x.Conn.MidStream)
		}
	}
}

// Feed implements flow.Handler.
func (d *decoder) Feed(dir flow.Dir, data []byte, now activity.Time) {
	d.now = now
	if d.x.Conn.Transport == activity.UDP {
		d.datagram(dir, data)
		return
	}
	d.streams[dir].feed(data)
}

// datagram reads the messages of a CLDAP datagram: an answer is an entry and a
// result in one, encoded as over TCP and not as RFC 1798 has it.
func (d *decoder) datagram(dir flow.Dir, b []byte) {
	for len(b) > 0 {
		n := element(b)
		if n <= 0 || n > len(b) {
			d.skip(len(b))
			return
		}
		d.message(dir, b[:n], false)
		b = b[n:]
	}
}

// Gap implements flow.Handler.
func (d *decoder) Gap(dir flow.Dir, n int, now activity.Time) {
	d.now = now
	d.streams[dir].gap(n)
}

// Close implements flow.Handler: what has no answer is an attempt.
func (d *decoder) Close(now activity.Time) {
	d.now = now
	for _, s := range d.streams {
		s.lose(0) // a request may have begun
	}
	d.giveUpBind()
	for len(d.pending) > 0 {
		d.giveUp(0)
	}
	for len(d.changes) > 0 {
		d.giveUpChange(0)
	}
	if d.skipped && !d.readable {
		d.count(unreadable, 1)
	}
}

// Held implements decode.Decoder.
func (d *decoder) Held() int {
	const decoder, waiting, changing = 2 << 10, 500, 600
	n := decoder + cap(d.text.buf) + d.held + cap(d.pending)*waiting + d.changeText + cap(d.changes)*changing + d.bind.size + len(d.bound.Name) + len(d.bound.Domain)
	for _, s := range d.streams {
		n += s.framer.Held()
	}
	return n
}

func (d *decoder) count(reason string, n int) { d.x.Count(reason, n) }

// skip counts bytes in which no message began.
func (d *decoder) skip(n int) {
	if n > 0 {
		d.count(skippedBytes, n)
		d.skipped = true
	}
}

// startTLS notes that TLS begins in both directions.
func (d *decoder) startTLS() {
	for _, s := range d.streams {
		s.startTLS(false)
	}
}

// record counts a TLS record by its header; the rest is ciphertext.
func (d *decoder) record(b []byte) {
	if !d.tls {
		d.tls, d.readable = true, true
		d.count(tlsConversations, 1)
	}
	d.count(tlsRecords, 1)
	d.count(tlsBytes, int(b[3])<<8|int(b[4]))
}

// message reads one LDAPMessage. truncated says that b is only its beginning.
func (d *decoder) message(dir flow.Dir, b []byte, truncated bool) {
	var m LDAPMessage
	if !m.parse(b) || !m.ProtocolOp.known() {
		d.count(malformed, 1)
		return
	}
	d.readable = true
	if truncated {
		d.count(cut, 1)
	}
	if dir == flow.ToServer {
		d.request(&m)
	} else {
		d.response(&m)
	}
}

func (d *decoder) request(m *LDAPMessage) {
	d.expire()
	switch m.ProtocolOp {
	case opBindRequest:
		d.bindRequest(m)
	case opSearchRequest:
		d.searchRequest(m)
	case opAbandonRequest:
		d.count(abandonRequests, 1)
		if id, ok := ber.Int(m.Body); ok { // implicitly tagged MessageID (RFC 4511 §4.11)
			if i := d.find(id); i >= 0 {
				d.giveUp(i)
			}
		}
	case opExtendedRequest:
		d.count(extendedRequests, 1)
		var e ExtendedRequest
		if !e.parse(m.Body) {
			break
		}
		switch string(e.RequestName) {
		case oidStartTLS:
			d.startTLSID = m.MessageID
		case oidWhoAmI:
			d.whoAmIID = m.MessageID
		case oidPasswordModify:
			d.passwordModify(m, e.RequestValue)
		}
	case opUnbindRequest:
		d.count(unbindRequests, 1) // answers may still cross it: what is pending waits for Close
	case opModifyRequest:
		d.modifyRequest(m)
	case opAddRequest:
		d.addRequest(m)
	case opDelRequest:
		d.delRequest(m)
	case opModifyDNRequest:
		d.modifyDNRequest(m)
	case opCompareRequest:
		d.count(compareRequests, 1)
	default:
		d.count(wrongWay, 1)
	}
}

func (d *decoder) response(m *LDAPMessage) {
	switch m.ProtocolOp {
	case opBindResponse:
		d.bindResponse(m)
	case opSearchResultEntry:
		d.searchResultEntry(m)
	case opSearchResultDone:
		d.searchResultDone(m)
	case opExtendedResponse:
		d.extendedResponse(m)
	case opModifyResponse, opAddResponse, opDelResponse, opModifyDNResponse:
		d.changeResult(m)
	case opSearchResultReference, opIntermediateResponse, opCompareResponse:
		// Nothing is said with them that is kept.
	default:
		d.count(wrongWay, 1)
	}
}

func (d *decoder) extendedResponse(m *LDAPMessage) {
	var e ExtendedResponse
	ok := e.parse(m.Body)
	switch {
	case m.MessageID == 0:
		d.count(unsolicited, 1) // a notice of disconnection (RFC 4511 §4.4.1)
	case ok && (m.MessageID == d.startTLSID || string(e.ResponseName) == oidStartTLS):
		d.startTLSID = 0
		if e.ResultCode == resultSuccess {
			d.startTLS()
		}
	case ok && m.MessageID == d.whoAmIID:
		d.whoAmIID = 0
		if e.ResultCode == resultSuccess {
			d.whoAmI(e.ResponseValue)
		}
	case d.findChange(m.MessageID) >= 0:
		d.changeResult(m)
	}
}

// whoAmI takes the server's word for who the connection is bound as: "u:" and a
// name, or "dn:" and a DN (RFC 4532 §2.2, RFC 4513 §5.2.1.8). It is how the
// account of a Kerberos bind shows.
func (d *decoder) whoAmI(authzID []byte) {
	if !d.bound.Zero() {
		return
	}
	for _, form := range []string{"u:", "dn:"} {
		if name, ok := bytes.CutPrefix(authzID, []byte(form)); ok && len(name) > 0 {
			d.bound.Name, d.bound.Raw, _ = text(name)
			return
		}
	}
}

// expire gives up what has waited longer than patience.
func (d *decoder) expire() {
	if d.bind.waiting && d.now-d.bind.asked > patience {
		d.giveUpBind()
	}
	for i := 0; i < len(d.pending); {
		if d.now-d.pending[i].alive > patience {
			d.giveUp(i)
		} else {
			i++
		}
	}
	for i := 0; i < len(d.changes); {
		if d.now-d.changes[i].asked > patience {
			d.giveUpChange(i)
		} else {
			i++
		}
	}
}

// outcome sets what an answer says. An unreadable one leaves an attempt.
func outcome(a *activity.Activity, code ResultCode) {
	switch code {
	case noResult:
	case resultSuccess:
		a.Outcome = activity.Success
	default:
		a.Outcome, a.Error = activity.Failure, code.String()
	}
}

// text takes a string of the wire. Bytes that are not UTF-8 are returned as raw
// too; ok tells that there were none.
func text(b []byte) (s string, raw []byte, ok bool) {
	if utf8.Valid(b) {
		return activity.Cut(string(b)), nil, true
	}
	if len(b) > activity.MaxText {
		b = b[:activity.MaxText]
	}
	return activity.Cut(string(bytes.ToValidUTF8(b, []byte("\uFFFD")))), bytes.Clone(b), false
}
