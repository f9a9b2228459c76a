package dcerpc

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Protocol registers the decoder: the endpoint mapper by its port, everything
// else, whose ports are dynamic, by its first payload.
var Protocol = decode.Protocol{
	Name:      "dcerpc",
	TCP:       []uint16{135},
	Signature: signature,
	New:       func() decode.Decoder { return newDecoder() },
	Reasons:   allReasons(),
}

// Decoder reads one association: a TCP connection, or a named pipe that another
// decoder feeds it from (decode.Context.Nest).
type Decoder struct {
	x       *decode.Context
	framers decode.Framers
	message [2]func(b []byte, truncated bool) // by direction
	now     activity.Time

	bound      bool           // a bind or alter_context was seen
	contexts   []presentation // added by offers, up to maxContexts; never removed
	offers     []offer        // of the latest bind or alter_context, in order
	offersCall uint32         // its call id

	security   [maxSecurity]security // by auth_context_id; the first securities are in use
	securities int

	calls  []*call // unanswered, oldest first
	free   []*call
	states []state // of interfaces that were called; at most one for each of contexts
}

func newDecoder() *Decoder {
	d := new(Decoder)
	for _, dir := range []flow.Dir{flow.ToServer, flow.ToClient} {
		f := d.framers.Of(dir)
		f.Header = func(b []byte) int { return d.header(f, b) }
		d.message[dir] = func(b []byte, truncated bool) { d.pdu(dir, b, truncated) }
	}
	return d
}

// Reset implements decode.Decoder.
func (d *Decoder) Reset(x *decode.Context) {
	d.x, d.now = x, 0
	midStream := x.Conn.MidStream
	if x.Carrier != nil {
		midStream = x.Carrier.MidStream
	}
	d.forget(midStream)
}

// forget drops everything known of a conversation, and buffers that a pooled
// decoder should not hold.
func (d *Decoder) forget(midStream bool) {
	for _, dir := range []flow.Dir{flow.ToServer, flow.ToClient} {
		d.framers.Of(dir).Reset(midStream)
	}
	d.bound, d.contexts, d.offers, d.offersCall = false, d.contexts[:0], d.offers[:0], 0
	clear(d.security[:])
	d.securities = 0
	clear(d.calls)
	d.calls = d.calls[:0]
	if len(d.free) > keepFree {
		clear(d.free[keepFree:])
		d.free = d.free[:keepFree]
	}
	for _, c := range d.free {
		c.RPCCall, c.security = decode.RPCCall{}, nil
	}
	d.states = nil
}

// Feed implements flow.Handler.
func (d *Decoder) Feed(dir flow.Dir, data []byte, now activity.Time) {
	d.now = now
	d.expire()
	if skipped := d.framers.Of(dir).Feed(data, d.message[dir]); skipped > 0 {
		d.x.Count(reasonSkipped, skipped)
	}
}

// Gap implements flow.Handler. What comes after it does not continue a stub
// that was begun before it.
func (d *Decoder) Gap(dir flow.Dir, n int, now activity.Time) {
	d.now = now
	d.x.Count(reasonGap, 1)
	d.framers.Of(dir).Gap(n)
	for _, c := range d.calls {
		if dir == flow.ToServer {
			c.request.closed = true
		} else {
			c.response.closed = true
		}
	}
}

// Close implements flow.Handler: no answer will come.
func (d *Decoder) Close(now activity.Time) {
	d.now = now
	for i := range d.security[:d.securities] {
		if s := &d.security[i]; s.open() {
			d.settle(s, activity.Attempt, "")
		}
	}
	for len(d.calls) > 0 {
		d.giveUp(d.calls[0])
	}
	d.forget(false)
}

// Held implements decode.Decoder.
func (d *Decoder) Held() int {
	const decoder, context, identity = 2 << 10, 64, 1 << 10
	n := decoder + d.framers[0].Held() + d.framers[1].Held() +
		(cap(d.contexts)+cap(d.offers))*context + d.securities*identity
	for _, c := range d.calls {
		n += c.held()
	}
	for _, c := range d.free {
		n += c.held()
	}
	for _, s := range d.states {
		n += s.of.Held()
	}
	return n
}

// header is Framer.Header, and decides how much of the PDU is kept: all of it,
// or for a call that nobody reads just enough to count it.
func (d *Decoder) header(f *decode.Framer, b []byte) int {
	n := length(b)
	if n <= 0 {
		return n
	}
	f.Max = maxPDU
	ptype := b[2]
	if ptype != ptypeRequest && ptype != ptypeResponse && ptype != ptypeFault || n < sizeCall {
		return n
	}
	if len(b) < sizeCall {
		return 0
	}
	if ptype == ptypeRequest {
		if p := d.context(order(b[4]).Uint16(b[20:])); p == nil || !p.readable() {
			f.Max = decode.MaxHeader
		}
	} else if len(d.calls) == 0 && !d.waiting() {
		f.Max = decode.MaxHeader
	}
	return n
}

// pdu reads one PDU; truncated says that only its header was kept.
func (d *Decoder) pdu(dir flow.Dir, b []byte, truncated bool) {
	h := readHeader(b)
	if from, _ := side(h.ptype); from != dir && h.ptype != ptypeShutdown {
		d.x.Count(reasonDirection, 1)
		return
	}
	switch h.ptype {
	case ptypeRequest:
		d.request(h, b, truncated)
	case ptypeResponse, ptypeFault:
		d.answer(h, b, truncated)
	case ptypeBind, ptypeAlterContext:
		d.bind(h, b)
	case ptypeBindAck, ptypeAlterContextResp:
		d.bindAck(h, b)
	case ptypeBindNak:
		d.bindNak(h, b)
	case ptypeAuth3:
		_, v := d.body(h, b)
		d.clientToken(h, v)
	case ptypeShutdown:
		d.x.Count(reasonShutdown, 1)
	case ptypeCancel:
		d.x.Count(reasonCancel, 1) // a request to hurry: the answer still comes
	case ptypeOrphaned:
		d.x.Count(reasonOrphaned, 1)
		if c := d.find(h.callID); c != nil {
			d.deliver(c) // the client no longer waits (C706 §12.6.4.8)
		}
	}
}

// body is what follows the header of a PDU that is no call, and its verifier.
func (d *Decoder) body(h header, b []byte) ([]byte, verifier) {
	body, v, ok := h.body(b, sizeHeader)
	if !ok {
		d.x.Count(reasonVerifier, 1)
	}
	return body, v
}

// expire gives up what was not answered in time.
func (d *Decoder) expire() {
	for i := range d.security[:d.securities] {
		if s := &d.security[i]; !s.settled && d.now.Sub(s.asked) > answerWait && s.open() {
			d.settle(s, activity.Attempt, "")
		}
	}
	for i := 0; i < len(d.calls); {
		if c := d.calls[i]; d.now.Sub(c.latest) > answerWait {
			d.giveUp(c)
		} else {
			i++
		}
	}
}

// giveUp delivers a call whose answer, or the rest of it, will not come.
func (d *Decoder) giveUp(c *call) {
	if c.Outcome == activity.Attempt {
		d.x.Count(reasonUnanswered, 1)
	}
	d.deliver(c)
}
