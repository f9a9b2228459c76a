package nbns

import (
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Protocol registers the decoder.
var Protocol = decode.Protocol{
	Name:    "nbns",
	UDP:     []uint16{137},
	New:     func() decode.Decoder { return new(decoder) },
	Reasons: []string{reasonShort, reasonOpcode, reasonWait, reasonUnnamed, reasonRepeated, reasonPending},
}

// What the decoder counts.
const (
	reasonShort    = "messages shorter than a header"
	reasonOpcode   = "messages of no known opcode"
	reasonWait     = "wait acknowledgements"
	reasonUnnamed  = "messages without a readable name"
	reasonRepeated = "requests sent again"
	reasonPending  = "requests given up: too many unanswered"
)

// maxPending caps the requests of a conversation that wait for an answer. A host
// that starts registers some eight names at once.
const maxPending = 16

// decoder follows one conversation.
type decoder struct {
	x       *decode.Context
	pending []request // oldest first, at most maxPending
}

// request waits for its answer.
type request struct {
	message
	asker flow.Dir // the way it went
	at    activity.Time
}

// Reset implements decode.Decoder.
func (d *decoder) Reset(x *decode.Context) { d.x = x }

// Gap implements flow.Handler.
func (*decoder) Gap(flow.Dir, int, activity.Time) {}

// Held implements decode.Decoder.
func (d *decoder) Held() int {
	const decoder, waiting = 64, 320 // with its name and an address
	return decoder + cap(d.pending)*waiting
}

// Close implements flow.Handler.
func (d *decoder) Close(now activity.Time) {
	for i := range d.pending {
		d.emit(&d.pending[i], nil, now)
	}
	clear(d.pending) // lets go of the texts
	d.pending = d.pending[:0]
}

// Feed implements flow.Handler.
func (d *decoder) Feed(dir flow.Dir, b []byte, now activity.Time) {
	var m message
	switch {
	case !m.read(b):
		d.x.Count(reasonShort, 1)
	case m.Opcode == opWACK:
		d.x.Count(reasonWait, 1)
	case !known(m.Opcode):
		d.x.Count(reasonOpcode, 1)
	case m.Response:
		d.answer(dir, &m, now)
	case !m.Named:
		d.x.Count(reasonUnnamed, 1)
	default:
		d.request(dir, &m, now)
	}
}

func known(op uint8) bool {
	switch op {
	case opQuery, opRegistration, opRelease, opRefresh, opRefreshAlt, opMultihomed:
		return true
	}
	return false
}

func (d *decoder) request(dir flow.Dir, m *message, now activity.Time) {
	for i := range d.pending {
		if p := &d.pending[i]; p.asker == dir && p.NameTrnID == m.NameTrnID && p.Opcode == m.Opcode && p.Name == m.Name && p.Suffix == m.Suffix {
			d.x.Count(reasonRepeated, 1)
			return
		}
	}
	if len(d.pending) == maxPending {
		d.x.Count(reasonPending, 1)
		d.emit(&d.pending[0], nil, now)
		d.pending = slices.Delete(d.pending, 0, 1)
	}
	d.pending = append(d.pending, request{*m, dir, now})
}

// answer ends the request of its id, or stands alone.
func (d *decoder) answer(dir flow.Dir, m *message, now activity.Time) {
	asker := 1 - dir
	i := slices.IndexFunc(d.pending, func(p request) bool { return p.asker == asker && p.NameTrnID == m.NameTrnID })
	switch {
	case i >= 0:
		d.emit(&d.pending[i], m, now)
		d.pending = slices.Delete(d.pending, i, i+1)
	case !m.Named:
		d.x.Count(reasonUnnamed, 1)
	default:
		alone := request{message: *m, asker: asker}
		alone.anomalies, alone.Answers, alone.Unit = nil, nil, ""
		d.emit(&alone, m, now)
	}
}

// emit states a request with its answer, nil when there was none.
func (d *decoder) emit(r *request, answer *message, now activity.Time) {
	a := d.x.New(activity.NetBIOSQuery, activity.ProtoNetBIOS, now)
	if r.asker == flow.ToClient {
		a.Source, a.Target = a.Target, a.Source
	}
	a.Requested = r.at
	a.Anomalies = r.anomalies
	n := &activity.NetBIOS{ID: r.NameTrnID, Opcode: r.Opcode, Name: r.Name, Suffix: r.Suffix, Type: r.Type, RCode: -1,
		Claimed: r.Claimed, Group: r.Group, Broadcast: r.Broadcast}
	a.NetBIOS = n
	if answer != nil {
		n.RCode, n.Answers, n.Unit, n.Group = int32(answer.RCode), answer.Answers, answer.Unit, n.Group || answer.Group
		if a.Outcome = activity.Success; answer.RCode != 0 {
			a.Outcome, a.Error = activity.Failure, rcodeName(answer.RCode)
		}
		for _, s := range answer.anomalies {
			if !slices.Contains(a.Anomalies, s) {
				a.Anomalies = append(slices.Clip(a.Anomalies), s)
			}
		}
	}
	d.x.Emit(a)
}
