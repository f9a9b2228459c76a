package kpasswd

import (
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Protocol registers the decoder.
var Protocol = decode.Protocol{
	Name:    "kpasswd",
	TCP:     []uint16{464},
	UDP:     []uint16{464},
	New:     func() decode.Decoder { return newDecoder() },
	Reasons: []string{reasonSkipped, reasonUnreadable, reasonUnasked, reasonRepeated, reasonPending, reasonSealed},
}

// What the decoder counts.
const (
	reasonSkipped    = "bytes skipped in search of a message"
	reasonUnreadable = "messages of no known version"
	reasonUnasked    = "replies to requests not seen"
	reasonRepeated   = "requests sent again"
	reasonPending    = "requests given up: too many unanswered"
	reasonSealed     = "replies whose verdict is sealed"
)

const (
	maxMessage = 64 << 10
	// maxPending caps unanswered requests of a connection: clients send one.
	maxPending = 4
)

// decoder follows one conversation.
type decoder struct {
	x       *decode.Context
	framers decode.Framers
	pending []request // oldest first
}

// request waits for its reply.
type request struct {
	at        activity.Time
	version   uint16
	auth      *activity.Auth
	anomalies []string
	sum       uint32 // of its bytes: the authenticator differs in every request
}

func newDecoder() *decoder {
	d := new(decoder)
	for i := range d.framers {
		d.framers[i] = decode.Framer{Header: recordLength, Max: maxMessage}
	}
	return d
}

// recordLength reads the record mark over TCP. What follows begins with a length
// of two octets that says the same, unless it is an error.
func recordLength(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	n := int(binary.BigEndian.Uint32(b))
	if n < headerSize || n >= maxMessage {
		return -1
	}
	if len(b) < 8 {
		return 0
	}
	if v := binary.BigEndian.Uint16(b[6:]); v != versionChange && v != versionSet && !isError(b[4:]) {
		return -1
	}
	return 4 + n
}

// Reset implements decode.Decoder.
func (d *decoder) Reset(x *decode.Context) {
	d.x = x
	for i := range d.framers {
		d.framers[i].Reset(x.Conn.MidStream)
	}
}

// Feed implements flow.Handler.
func (d *decoder) Feed(dir flow.Dir, data []byte, now activity.Time) {
	if d.x.Conn.Transport == activity.UDP {
		d.message(dir, data, now)
		return
	}
	if n := d.framers.Of(dir).Feed(data, func(b []byte, _ bool) { d.message(dir, b[4:], now) }); n > 0 {
		d.x.Count(reasonSkipped, n)
	}
}

// Gap implements flow.Handler. What there is of a cut request is read.
func (d *decoder) Gap(dir flow.Dir, n int, now activity.Time) {
	if d.x.Conn.Transport == activity.UDP {
		return
	}
	f := d.framers.Of(dir)
	begun := f.Begun()
	if f.Gap(n); f.Lost() && len(begun) > 4 {
		d.message(dir, begun[4:], now)
	}
}

// Held implements decode.Decoder.
func (d *decoder) Held() int {
	const decoder, waiting = 256, 512
	return decoder + d.framers[0].Held() + d.framers[1].Held() + len(d.pending)*waiting
}

// Close implements flow.Handler.
func (d *decoder) Close(now activity.Time) {
	for dir := range d.framers {
		if b := d.framers[dir].Begun(); len(b) > 4 {
			d.message(flow.Dir(dir), b[4:], now)
		}
	}
	for len(d.pending) > 0 {
		d.emit(d.take(), activity.Attempt, "", -1, now)
	}
	d.pending = nil
	for i := range d.framers {
		d.framers[i].Reset(false)
	}
}

func (d *decoder) message(dir flow.Dir, b []byte, now activity.Time) {
	var m message
	switch {
	case dir == flow.ToClient && isError(b):
		d.reply(&message{Rest: b}, now)
	case !m.read(b):
		d.x.Count(reasonUnreadable, 1)
	case dir == flow.ToServer:
		d.request(&m, b, now)
	default:
		d.reply(&m, now)
	}
}

func (d *decoder) request(m *message, b []byte, now activity.Time) {
	r := request{at: now, version: m.ProtocolVersion, sum: crc32.ChecksumIEEE(b), auth: new(activity.Auth)}
	if d.x.Conn.Transport == activity.UDP && len(d.pending) > 0 {
		if d.pending[0].sum == r.sum {
			d.x.Count(reasonRepeated, 1)
			return
		}
		d.emit(d.take(), activity.Attempt, "", -1, now)
	}
	if len(d.pending) == maxPending {
		d.x.Count(reasonPending, 1)
		d.emit(d.take(), activity.Attempt, "", -1, now)
	}
	switch {
	case m.MessageLength > len(b):
		r.anomalies = append(r.anomalies, AnomalyCut)
	case m.MessageLength < len(b):
		r.anomalies = append(r.anomalies, AnomalyLength)
	}
	if !d.x.Handoff("kerberos", flow.ToServer, m.AP, r.auth) || r.auth.Ticket == nil {
		r.anomalies = append(r.anomalies, AnomalyTicket)
	}
	r.anomalies = append(r.anomalies, r.auth.Anomalies...)
	d.pending = append(d.pending, r)
}

func (d *decoder) reply(m *message, now activity.Time) {
	if len(d.pending) == 0 {
		d.x.Count(reasonUnasked, 1)
		return
	}
	r := d.take()
	if len(m.AP) > 0 || !isError(m.Rest) {
		d.x.Count(reasonSealed, 1)
		d.emit(r, activity.Attempt, "", -1, now)
		return
	}
	var verdict activity.Auth
	d.x.Handoff("kerberos", flow.ToClient, m.Rest, &verdict)
	code, name := resultCode(m.Rest), verdict.Refusal
	if code >= 0 && int(code) < len(resultNames) {
		name = resultNames[code]
	}
	outcome := activity.Failure
	if code == 0 {
		outcome, name = activity.Success, ""
	}
	d.emit(r, outcome, name, code, now)
}

// take removes the oldest request: a server answers in order.
func (d *decoder) take() request {
	r := d.pending[0]
	d.pending = slices.Delete(d.pending, 0, 1)
	return r
}

func (d *decoder) emit(r request, outcome activity.Outcome, code string, result int32, now activity.Time) {
	a := d.x.New(activity.DirectoryChange, activity.ProtoKpasswd, now)
	a.Requested, a.Outcome, a.Error, a.Anomalies = r.at, outcome, code, r.anomalies
	a.Change = &activity.Change{Act: "password-change", ResultCode: result}
	if r.version == versionSet {
		a.Change.Act = "password-reset"
	}
	if r.auth.Ticket != nil {
		a.Change.Auth = r.auth
	}
	d.x.Emit(a)
}
