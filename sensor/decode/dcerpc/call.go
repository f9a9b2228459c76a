package dcerpc

import (
	"slices"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

const (
	// maxCalls caps the unanswered calls of a connection, counted only for
	// registered interfaces. Clients without concurrent multiplexing have one;
	// with it, one per thread.
	maxCalls = 64
	// answerWait is how long an answer, or its next fragment, is waited for.
	// Replication of a large naming context takes a server tens of seconds per
	// answer; a connection between domain controllers stays for hours, and a
	// fact must not wait that long because one packet was not captured.
	answerWait = 2 * time.Minute
	// maxKept caps what the unanswered calls of a connection keep of their
	// stubs: 64 of decode.UsualStub, or 8 of the longest.
	maxKept = 128 << 10
	// keepFree is how many calls a pooled decoder keeps for reuse, with stubs of
	// up to decode.UsualStub.
	keepFree = 4
)

// call is an unanswered call on a registered interface.
type call struct {
	decode.RPCCall
	in                *decode.Interface
	security          *security
	request, response stub
	latest            activity.Time // of the latest fragment
}

// held is the bytes that a call keeps.
func (c *call) held() int {
	const size = 400
	return size + c.kept()
}

// kept is the bytes of the stubs that a call keeps.
func (c *call) kept() int { return cap(c.request.begin) + cap(c.response.begin) }

// stub is what is kept of one direction's stub.
type stub struct {
	begin  []byte  // the first bytes, as many as the interface wants
	tail   [4]byte // the last bytes
	size   int
	sealed bool
	closed bool // no longer continuous: begin gets no more
}

// add takes a fragment's part of the stub.
func (s *stub) add(b []byte, sealed bool, want int) {
	s.size += len(b)
	if sealed {
		s.sealed = true
		return
	}
	if !s.closed {
		s.begin = append(s.begin, b[:min(len(b), want-len(s.begin))]...)
	}
	if n := len(b); n >= 4 {
		s.tail = [4]byte(b[n-4:])
	} else {
		copy(s.tail[:], s.tail[n:])
		copy(s.tail[4-n:], b)
	}
}

// readable is the beginning, nil when sealed or not captured.
func (s *stub) readable() []byte {
	if s.sealed || len(s.begin) == 0 {
		return nil
	}
	return s.begin
}

func (d *Decoder) find(id uint32) *call {
	for _, c := range d.calls {
		if c.CallID == id {
			return c
		}
	}
	return nil
}

// begin opens a call, giving up the oldest if there are too many.
func (d *Decoder) begin(h header, p *presentation) *call {
	if len(d.calls) == maxCalls {
		d.x.Count(reasonEvicted, 1)
		d.deliver(d.calls[0])
	}
	var c *call
	if n := len(d.free); n > 0 {
		c, d.free = d.free[n-1], d.free[:n-1]
	} else {
		c = new(call)
	}
	*c = call{
		RPCCall: decode.RPCCall{
			CallID: h.callID, BindSeen: true, Requested: d.now, Outcome: activity.Attempt,
			RequestOrder: h.order, ResponseOrder: h.order, NDR64: p.ndr64,
		},
		in:       p.in,
		request:  stub{begin: c.request.begin[:0]},
		response: stub{begin: c.response.begin[:0]},
	}
	d.calls = append(d.calls, c)
	return c
}

// request reads a request PDU, or counts it.
func (d *Decoder) request(h header, b []byte, truncated bool) {
	if len(b) < sizeCall {
		d.x.Count(reasonShort, 1)
		return
	}
	d.requested(h)
	first := h.flags&flagFirst != 0
	p := d.context(h.order.Uint16(b[20:]))
	if p == nil || !p.readable() {
		if first {
			d.x.Count(d.unread(p), 1)
		}
		return
	}
	from := sizeCall
	if h.flags&flagObject != 0 {
		from += sizeObjectID
	}
	// truncated: the context was accepted while its request was on its way.
	if truncated || len(b) < from {
		d.x.Count(reasonShort, 1)
		return
	}
	body, v, ok := h.body(b, from)
	c := d.find(h.callID)
	reused := c != nil && first
	if reused {
		d.x.Count(reasonCallID, 1)
		d.deliver(c)
	}
	if c == nil || reused {
		c = d.begin(h, p)
		c.Opnum = h.order.Uint16(b[22:])
		if from > sizeCall {
			c.Object = decode.ReadUUID(b[sizeCall:], h.order)
		}
		c.security = d.securityOf(v)
		if reused {
			c.anomaly(anomalyCallID)
		}
		if !first {
			c.request.closed = true
			c.anomaly(anomalyFirstFragment)
			d.x.Count(reasonFragment, 1)
		}
	}
	d.checkVerifier(c, ok)
	c.latest = d.now
	c.request.add(body, v.level == levelPrivacy, c.in.Request)
	d.trim(c)
}

// trim gives up the oldest calls but c until the others and c keep no more than
// maxKept.
func (d *Decoder) trim(c *call) {
	n := 0
	for _, other := range d.calls {
		n += other.kept()
	}
	for n > maxKept && len(d.calls) > 1 {
		oldest := d.calls[0]
		if oldest == c {
			oldest = d.calls[1]
		}
		n -= oldest.kept()
		d.x.Count(reasonEvicted, 1)
		d.deliver(oldest)
	}
}

// unread is why a request is not read.
func (d *Decoder) unread(p *presentation) string {
	switch {
	case p == nil && !d.bound:
		return reasonNoBind
	case p == nil:
		return reasonNoContext
	case p.rejected:
		return reasonRejected
	}
	if reason, ok := callReasons[p.uuid]; ok {
		return reason
	}
	return reasonOther
}

// answer reads a response or fault PDU.
func (d *Decoder) answer(h header, b []byte, truncated bool) {
	if len(b) < sizeCall || h.ptype == ptypeFault && len(b) < sizeFault {
		d.x.Count(reasonShort, 1)
		return
	}
	c := d.find(h.callID)
	if c == nil && h.flags&flagFirst != 0 {
		if p := d.context(h.order.Uint16(b[20:])); p != nil && p.readable() {
			d.x.Count(reasonNoRequest, 1)
		}
	}
	if truncated {
		return // nobody waited for it when it began
	}
	body, v, ok := h.body(b, sizeCall)
	if h.ptype == ptypeFault {
		d.fault(h, v, c, h.order.Uint32(b[sizeCall:]))
		return
	}
	d.judge(v)
	if c == nil {
		return
	}
	d.checkVerifier(c, ok)
	if c.Outcome != activity.Success {
		c.Outcome, c.ResponseOrder = activity.Success, h.order
		if h.flags&flagFirst == 0 {
			c.response.closed = true
			c.anomaly(anomalyFirstFragment)
		}
	}
	c.latest = d.now
	c.response.add(body, v.level == levelPrivacy, c.in.Response)
	d.trim(c)
	if h.flags&flagLast != 0 {
		if r := &c.response; !r.sealed && r.size >= len(r.tail) {
			c.Return, c.ReturnSeen = h.order.Uint32(r.tail[:]), true
		}
		d.deliver(c)
	}
}

// fault reads a fault: the answer to a call or to an alter_context.
func (d *Decoder) fault(h header, v verifier, c *call, status uint32) {
	if c == nil {
		d.refuse(h, faultName(status))
	}
	d.judgeFault(v, status)
	if c != nil {
		c.Outcome, c.Fault, c.Error = activity.Failure, status, faultName(status)
		d.deliver(c)
	}
}

func (c *call) anomaly(name string) {
	if !slices.Contains(c.Anomalies, name) {
		c.Anomalies = append(c.Anomalies, name)
	}
}

// checkVerifier notes a verifier that is not inside its PDU.
func (d *Decoder) checkVerifier(c *call, ok bool) {
	if !ok {
		d.x.Count(reasonVerifier, 1)
		c.anomaly(anomalyVerifier)
	}
}

// deliver hands a call to its reader and forgets it.
func (d *Decoder) deliver(c *call) {
	i := slices.Index(d.calls, c)
	d.calls = slices.Delete(d.calls, i, i+1)
	c.Time = d.now
	c.Request, c.RequestSize = c.request.readable(), c.request.size
	c.Response, c.ResponseSize = c.response.readable(), c.response.size
	c.Sealed = c.request.sealed || c.response.sealed
	if s := c.security; s != nil {
		c.Auth, c.Account = s.share(), s.account()
	}
	if p := d.x.Carrier; p != nil {
		c.Pipe = p.Pipe
		if c.Auth == nil || c.Auth.Mechanism == "" {
			c.Auth, c.Account = p.Auth() // who opened the pipe
		}
	}
	c.State = d.state(c.in)
	d.x.Deliver(c.in, &c.RPCCall)
	for _, s := range []*stub{&c.request, &c.response} {
		if cap(s.begin) > decode.UsualStub {
			s.begin = nil
		}
	}
	d.free = append(d.free, c)
}
