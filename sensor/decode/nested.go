package decode

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// Carrier is what a conversation rides in that has no transport of its own: a
// named pipe of SMB.
type Carrier struct {
	Pipe      string // its name, folded, without \pipe\; "" when its opening was not seen
	MidStream bool   // the first bytes need not begin a message
	// Auth tells who the carrier is authenticated as: nil and the zero account
	// when that is not known. What auth points to does not change.
	Auth func() (auth *activity.Auth, account activity.Account)
}

// Nested is a conversation inside another one, with a decoder of its own. What
// that holds counts as held by the carrier's decoder, which says so in Held.
type Nested struct{ h *handler }

// Nest starts a conversation of the protocol registered under name, carried by
// c. It is nil when there is no such protocol.
func (x *Context) Nest(name string, c *Carrier) *Nested {
	for _, p := range x.stage.pools {
		if p.Name != name {
			continue
		}
		h := p.handler()
		x.stage.budget.held -= h.held
		h.held = 0
		h.context = Context{Conn: x.Conn, Carrier: c, stage: x.stage, proto: p.Name, file: x.file, frame: x.frame}
		h.Reset(&h.context)
		return &Nested{h}
	}
	return nil
}

// Feed hands on bytes of one direction, in order; none are a reminder of the
// time.
func (n *Nested) Feed(dir flow.Dir, data []byte, now activity.Time) {
	s := n.h.context.stage
	n.h.context.file, n.h.context.frame = s.file, s.frame
	n.h.Decoder.Feed(dir, data, now)
}

// Gap says that bytes are missing, as flow.Handler has it.
func (n *Nested) Gap(dir flow.Dir, bytes int, now activity.Time) { n.h.Decoder.Gap(dir, bytes, now) }

// Close ends the conversation; n is of no use afterwards.
func (n *Nested) Close(now activity.Time) {
	n.h.Decoder.Close(now)
	n.h.rest()
	n.h = nil
}

// Held is what the conversation keeps.
func (n *Nested) Held() int { return handlerSize + n.h.Decoder.Held() }
