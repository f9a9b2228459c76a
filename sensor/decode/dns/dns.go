package dns

import (
	"encoding/binary"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Protocol registers the decoder.
var Protocol = decode.Protocol{
	Name: "dns",
	TCP:  []uint16{53},
	UDP:  []uint16{53},
	New:  func() decode.Decoder { return newDecoder() },
	Reasons: []string{
		countShort, countOpCode, countUnasked, countRepeated, countGivenUp, countUnended, countSkipped,
	},
}

// What is counted besides anomalies.
const (
	countShort    = "messages shorter than a header"
	countOpCode   = "messages of an opcode that is not followed"
	countUnasked  = "responses without a question that fit no query"
	countRepeated = "queries repeated while they waited for a response"
	countGivenUp  = "queries given up on: too many without a response"
	countUnended  = "zone transfers without their end"
	countSkipped  = "bytes skipped to find a message start"
)

const (
	// maxPending caps the queries of a conversation that wait for a response. A
	// resolver has a handful at a time; a Windows DNS server that forwards from
	// one port has more only when nobody answers.
	maxPending = 32
	// maxHeld caps the bytes of names and records that pending queries keep, for
	// updates full of long names: room for maxPending ordinary ones.
	maxHeld = 16 << 10
	// maxMessage is the longest message over TCP with its length field (RFC 1035
	// §4.2.2).
	maxMessage = 2 + 0xFFFF
	headerSize = 12
)

// Decoder follows one conversation.
type Decoder struct {
	x       *decode.Context
	framers decode.Framers
	now     activity.Time
	dir     flow.Dir
	framed  func(b []byte, truncated bool) // d.tcpMessage, bound once

	msg     message
	pending []query // oldest first; at most maxPending and maxHeld, one always
	held    int     // bytes of text that pending keeps
}

func newDecoder() *Decoder {
	d := new(Decoder)
	d.framed = d.tcpMessage
	for i := range d.framers {
		f := &d.framers[i]
		f.Max = maxMessage
		f.Header = func(b []byte) int { return frameLength(b, f.Lost()) }
	}
	return d
}

// frameLength is the whole length of the message over TCP that b begins with.
// Out of step it must look like one: the length and four counts fit, the opcode
// is followed and the reserved bit zero (RFC 1035 §4.1.1).
func frameLength(b []byte, lost bool) int {
	if len(b) < 2 {
		return 0
	}
	n := int(binary.BigEndian.Uint16(b))
	if !lost {
		return 2 + n
	}
	if len(b) < 2+headerSize {
		return 0
	}
	op, count := b[4]>>3&0xF, func(i int) int { return int(binary.BigEndian.Uint16(b[6+2*i:])) }
	const question, record = 5, 11 // least sizes of each
	least := headerSize + count(0)*question + (count(1)+count(2)+count(3))*record
	if n < least || count(0) > 1 || op != opQuery && op != opUpdate || b[5]&0x40 != 0 {
		return -1
	}
	return 2 + n
}

// Reset implements decode.Decoder.
func (d *Decoder) Reset(x *decode.Context) {
	d.x = x
	for i := range d.framers {
		d.framers[i].Reset(x.Conn.MidStream)
	}
}

// Feed implements flow.Handler.
func (d *Decoder) Feed(dir flow.Dir, data []byte, now activity.Time) {
	d.now, d.dir = now, dir
	if d.x.Conn.Transport == activity.UDP {
		d.message(data)
		return
	}
	if n := d.framers.Of(dir).Feed(data, d.framed); n > 0 {
		d.x.Count(countSkipped, n)
	}
}

// Gap implements flow.Handler.
func (d *Decoder) Gap(dir flow.Dir, n int, now activity.Time) {
	if d.x.Conn.Transport == activity.TCP {
		d.framers.Of(dir).Gap(n)
	}
}

// Close implements flow.Handler.
func (d *Decoder) Close(now activity.Time) {
	d.now = now
	for i := range d.pending {
		d.giveUp(&d.pending[i])
	}
	clear(d.pending) // lets go of the strings
	d.pending, d.held = d.pending[:0], 0
	for i := range d.framers {
		d.framers[i].Reset(false) // and of the buffers
	}
}

// Held implements decode.Decoder.
func (d *Decoder) Held() int {
	const decoder, waiting, record = 1 << 10, 320, 56
	return decoder + d.framers[0].Held() + d.framers[1].Held() + d.held + cap(d.pending)*waiting + cap(d.msg.records)*record
}

func (d *Decoder) tcpMessage(b []byte, _ bool) { d.message(b[2:]) }

// message reads one message in direction d.dir.
func (d *Decoder) message(b []byte) {
	m := &d.msg
	switch {
	case !m.begin(b):
		d.x.Count(countShort, 1)
		return
	case m.header.OpCode != opQuery && m.header.OpCode != opUpdate:
		d.x.Count(countOpCode, 1)
		return
	}
	asker := d.dir
	if m.header.Response {
		asker = 1 - d.dir
	}
	switch {
	case asker == flow.ToClient && d.x.Conn.Client.Port() != d.x.Conn.Server.Port():
		d.astray()
	case m.header.Response:
		d.response(asker)
	default:
		d.query(asker)
	}
}

// astray states a message that goes the wrong way, a response to the server or
// a query to the client, as an attempt of its sender. It answers nothing, and
// the records in it are nobody's word.
func (d *Decoder) astray() {
	m := &d.msg
	q := m.query(d.dir)
	m.rest(q.name, 0, nil)
	m.anomaly(AnomalyDirection)
	d.note(&q)
	d.emit(&q)
}

func (d *Decoder) query(asker flow.Dir) {
	m := &d.msg
	if m.hasQuestion && d.find(asker) >= 0 {
		d.x.Count(countRepeated, 1) // asked again for want of an answer: one question
		return
	}
	q := m.query(asker)
	m.rest(q.name, activity.MaxDNSRecords, nil)
	q.seen, q.at = true, d.now
	q.serial, q.hasSerial = m.serial, m.hasSerial
	q.records = append(q.records, m.records...)
	d.note(&q)
	d.hold(q)
}

func (d *Decoder) response(asker flow.Dir) {
	m := &d.msg
	i := d.find(asker)
	var q query
	switch {
	case i >= 0:
		q = d.pending[i]
	case !m.hasQuestion && len(m.anomalies) == 0:
		d.x.Count(countUnasked, 1)
		return
	default:
		q = m.query(asker)
	}
	if isTransfer(q.qtype) && q.transfer == nil && d.x.Conn.Transport == activity.TCP {
		q.transfer = &transfer{incremental: q.qtype == typeIXFR, asked: q.seen, serial: q.serial, hasSerial: q.hasSerial}
	}
	room := activity.MaxDNSRecords - len(q.records)
	if q.opcode == opUpdate && q.seen {
		room = 0 // the response may repeat the update (RFC 2136 §3.8)
	}
	m.rest(q.name, room, q.transfer)
	d.note(&q)
	q.records = append(q.records, m.records...)
	q.reply = response{header: m.header, rcode: m.rcode, answers: q.reply.answers + m.answers, messages: q.reply.messages + 1}
	if t := q.transfer; t != nil {
		ended := t.message(m.rcode != 0)
		if t.misbegun() {
			d.anomaly(&q, AnomalyTransferSOA)
		}
		if !ended {
			d.replace(i, q)
			return
		}
	}
	d.drop(i)
	d.emit(&q)
}

// note adds what is unusual about the message to its query.
func (d *Decoder) note(q *query) {
	for _, a := range d.msg.anomalies {
		d.anomaly(q, a)
	}
}

// anomaly adds one, once: a transfer has many messages.
func (d *Decoder) anomaly(q *query, a string) {
	d.x.Count(a, 1)
	if !slices.Contains(q.anomalies, a) {
		q.anomalies = append(q.anomalies, a)
	}
}

// giveUp states a query whose response, or the rest of it, will not come.
func (d *Decoder) giveUp(q *query) {
	if q.transfer != nil {
		d.x.Count(countUnended, 1)
	}
	d.emit(q)
}

func (d *Decoder) emit(q *query) {
	kind := activity.DNSQuery
	if q.opcode == opUpdate {
		kind = activity.DNSUpdate
	}
	a := d.x.New(kind, activity.ProtoDNS, d.now)
	if q.asker == flow.ToClient {
		a.Source, a.Target = a.Target, a.Source
	}
	a.Requested = q.at
	a.Anomalies = q.anomalies
	a.DNS = &activity.DNS{
		TxID:     q.id,
		Question: q.name,
		Type:     uint16(q.qtype),
		Class:    uint16(q.class),
		OpCode:   uint8(q.opcode),
		RCode:    -1,
		Records:  q.records,
	}
	if r := &q.reply; r.messages > 0 {
		a.DNS.RCode = int(r.header.RCode)
		a.DNS.Authoritative = r.header.Authoritative
		a.DNS.Truncated = r.header.Truncated
		a.DNS.Answers = r.answers
		a.DNS.Messages = r.messages
		if a.Outcome = activity.Success; r.rcode != 0 {
			a.Outcome, a.Error = activity.Failure, activity.DNSRCodeName(r.rcode)
		}
	}
	d.x.Emit(a)
}
