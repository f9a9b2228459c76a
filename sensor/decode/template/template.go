package template

import (
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Protocol registers the decoder.
var Protocol = decode.Protocol{
	Name:    "template",
	TCP:     []uint16{4242},
	New:     func() decode.Decoder { return newDecoder() },
	Reasons: []string{reasonSkipped, reasonDirection, reasonUnasked, reasonPending},
}

// What the decoder counts.
const (
	reasonSkipped   = "bytes skipped in search of a message"
	reasonDirection = "messages against their direction"
	reasonUnasked   = "replies without a request"
	reasonPending   = "requests given up: too many unanswered"
)

const (
	// maxMessage caps the bytes kept of one message: twice what a name can have,
	// so that one which is too long can be shown.
	maxMessage = 512
	// maxPending caps the requests of a conversation that wait for a reply.
	// Clients wait for each before the next; 16 leaves room for impatient ones.
	maxPending = 16
)

// decoder follows one conversation.
type decoder struct {
	x       *decode.Context
	framers decode.Framers
	pending []request // oldest first, at most maxPending
}

// request is one that waits for its reply.
type request struct {
	message
	at activity.Time
}

func newDecoder() *decoder {
	d := new(decoder)
	for i := range d.framers {
		d.framers[i] = decode.Framer{Header: frameLength, Max: maxMessage}
	}
	return d
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
	skipped := d.framers.Of(dir).Feed(data, func(b []byte, _ bool) {
		d.message(dir, read(b), now)
	})
	if skipped > 0 {
		d.x.Count(reasonSkipped, skipped)
	}
}

// Gap implements flow.Handler. A lost reply leaves its request waiting: it is
// stated as an attempt in the end.
func (d *decoder) Gap(dir flow.Dir, n int, _ activity.Time) { d.framers.Of(dir).Gap(n) }

// Held implements decode.Decoder.
func (d *decoder) Held() int {
	const decoder, waiting = 256, 128 // with the longest name
	return decoder + d.framers[0].Held() + d.framers[1].Held() + cap(d.pending)*waiting
}

// Close implements flow.Handler.
func (d *decoder) Close(now activity.Time) {
	for _, r := range d.pending {
		d.emit(r, message{}, now)
	}
	clear(d.pending) // lets go of the texts
	d.pending = d.pending[:0]
	for i := range d.framers {
		d.framers[i].Reset(false) // and of the buffers
	}
}

func (d *decoder) message(dir flow.Dir, m message, now activity.Time) {
	switch {
	case (m.Type == typeRequest) != (dir == flow.ToServer):
		d.x.Count(reasonDirection, 1)
	case m.Type == typeRequest:
		if len(d.pending) == maxPending {
			d.x.Count(reasonPending, 1)
			d.emit(d.pending[0], message{}, now)
			d.pending = slices.Delete(d.pending, 0, 1)
		}
		d.pending = append(d.pending, request{m, now})
	default:
		i := slices.IndexFunc(d.pending, func(r request) bool { return r.ID == m.ID })
		if i < 0 {
			d.x.Count(reasonUnasked, 1)
			return
		}
		d.emit(d.pending[i], m, now)
		d.pending = slices.Delete(d.pending, i, i+1)
	}
}

// emit states a request with its reply, whose Type is 0 when there was none.
func (d *decoder) emit(r request, reply message, now activity.Time) {
	a := d.x.New(activity.DNSQuery, activity.ProtoDNS, now)
	a.Requested = r.at
	a.Anomalies = slices.Concat(r.anomalies, reply.anomalies)
	a.DNS = &activity.DNS{TxID: uint16(r.ID), Question: r.Text, Type: 1, Class: 1, RCode: -1}
	switch reply.Type {
	case typeAnswer:
		a.Outcome = activity.Success
		a.DNS.RCode, a.DNS.Answers = 0, 1
		a.DNS.Records = []activity.DNSRecord{{Name: r.Text, Type: 1, Data: reply.Text}}
	case typeRefusal:
		a.Outcome, a.Error = activity.Failure, "REFUSED"
		a.DNS.RCode = 5
	}
	d.x.Emit(a)
}
