package radius

import (
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Protocol registers the decoder. 1646 is what came before 1813 (RFC 2866 §3).
var Protocol = decode.Protocol{
	Name:    "radius",
	UDP:     []uint16{1813, 1646},
	New:     func() decode.Decoder { return new(decoder) },
	Reasons: []string{reasonUnreadable, reasonCode, reasonDirection, reasonStatus, reasonUnasked, reasonRepeated, reasonPending},
}

// What the decoder counts.
const (
	reasonUnreadable = "packets without a header"
	reasonCode       = "packets that are no accounting"
	reasonDirection  = "packets against their direction"
	reasonStatus     = "requests of no session: other status types"
	reasonUnasked    = "responses to requests not seen"
	reasonRepeated   = "requests sent again"
	reasonPending    = "requests given up: too many unanswered"
)

// maxPending: one source port has as many identifiers (RFC 2866 §3).
const maxPending = 256

// decoder follows one conversation.
type decoder struct {
	x       *decode.Context
	pending []request // oldest first, at most maxPending
	held    int       // bytes of text in pending
}

// request waits for its response.
type request struct {
	accounting
	id, again uint8 // identifiers of the first and the last time it was sent
	at        activity.Time
	size      int
}

// Reset implements decode.Decoder.
func (d *decoder) Reset(x *decode.Context) { d.x = x }

// Gap implements flow.Handler.
func (*decoder) Gap(flow.Dir, int, activity.Time) {}

// Held implements decode.Decoder.
func (d *decoder) Held() int {
	const decoder, waiting = 64, 420
	return decoder + cap(d.pending)*waiting + d.held
}

// Close implements flow.Handler.
func (d *decoder) Close(now activity.Time) {
	for len(d.pending) > 0 {
		d.emit(d.take(0), false, now)
	}
	d.pending = nil
}

// Feed implements flow.Handler.
func (d *decoder) Feed(dir flow.Dir, b []byte, now activity.Time) {
	var h header
	switch {
	case !h.read(b):
		d.x.Count(reasonUnreadable, 1)
	case h.Code != codeAccountingRequest && h.Code != codeAccountingResponse:
		d.x.Count(reasonCode, 1)
	case (h.Code == codeAccountingRequest) != (dir == flow.ToServer):
		d.x.Count(reasonDirection, 1)
	case h.Code == codeAccountingRequest:
		d.request(&h, len(b), now)
	default:
		i := slices.IndexFunc(d.pending, func(r request) bool { return r.id == h.Identifier || r.again == h.Identifier })
		if i < 0 {
			d.x.Count(reasonUnasked, 1)
			return
		}
		d.emit(d.take(i), true, now)
	}
}

func (d *decoder) request(h *header, size int, now activity.Time) {
	r := request{id: h.Identifier, again: h.Identifier, at: now, size: size}
	r.read(h.body)
	if h.short {
		r.anomaly(AnomalyShort)
	}
	switch r.status {
	case statusStart:
		r.detail.Act = "start"
	case statusStop:
		r.detail.Act = "stop"
	case statusInterim:
		r.detail.Act = "interim"
	default:
		d.x.Count(reasonStatus, 1)
		return
	}
	if r.detail.Session == "" {
		r.anomaly(AnomalySession)
	}
	if r.detail.Stamp == 0 && r.delay > 0 {
		r.detail.Stamp = now - activity.Time(r.delay)*1e9
	}
	for i := range d.pending {
		if p := &d.pending[i]; p.status == r.status && p.detail.Session == r.detail.Session && p.user.Name == r.user.Name &&
			(p.again == r.id || r.delay > p.delay) {
			p.again = r.id
			d.x.Count(reasonRepeated, 1)
			return
		}
	}
	if len(d.pending) == maxPending {
		d.x.Count(reasonPending, 1)
		d.emit(d.take(0), false, now)
	}
	d.held += r.size
	d.pending = append(d.pending, r)
}

func (d *decoder) take(i int) request {
	r := d.pending[i]
	d.held -= r.size
	d.pending = slices.Delete(d.pending, i, i+1)
	return r
}

func (d *decoder) emit(r request, answered bool, now activity.Time) {
	kind := activity.VPNConnect
	if r.status == statusStop {
		kind = activity.VPNEnd
	}
	a := d.x.New(kind, activity.ProtoRADIUS, now)
	a.Requested, a.Account, a.Anomalies = r.at, r.user, r.anomalies
	if answered {
		a.Outcome = activity.Success
	}
	detail := r.detail // by itself: it stays longer than the rest
	detail.Confirmed = answered
	a.VPN = &detail
	d.x.Emit(a)
}
