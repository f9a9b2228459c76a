package decode

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

const (
	// maxHeld caps what all decoders of a stage keep between calls. Beside a
	// flow.Table with every cap reached, 40 MiB, it leaves a quarter of the
	// 128 MiB promised for a sensor to everything else. It is room for 30,000
	// ordinary conversations with something under way.
	maxHeld = 56 << 20
	// heavy is what an ordinary conversation stays below: a bind with its ticket
	// or a page of a search's filter. Those above give way first, so that a few
	// thousand connections full of unfinished messages do not push out the rest.
	heavy = 16 << 10
	// handlerSize is what a conversation costs beside its decoder.
	handlerSize = 256
)

const countForgotten = "conversations forgotten for a while: decoders held too much"

// budget knows what the decoders of a stage keep.
type budget struct {
	held         int  // by all handlers, those in pools included
	light, heavy list // open conversations that hold something
}

// list holds handlers from the least to the most recently fed.
type list struct{ head, tail *handler }

// move puts h at the end of l, taking it off the list it was on.
func (l *list) move(h *handler) {
	if l.tail == h {
		return
	}
	h.unlink()
	h.in, h.prev = l, l.tail
	if l.tail != nil {
		l.tail.next = h
	} else {
		l.head = h
	}
	l.tail = h
}

func (h *handler) unlink() {
	l := h.in
	if l == nil {
		return
	}
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		l.head = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	} else {
		l.tail = h.prev
	}
	h.in, h.prev, h.next = nil, nil, nil
}

// weigh notes what h holds now, and makes room if that is too much with all the
// others.
func (s *Stage) weigh(h *handler, now activity.Time) {
	n := handlerSize + h.Decoder.Held()
	s.budget.held += n - h.held
	h.held = n
	if n > heavy {
		s.budget.heavy.move(h)
	} else {
		s.budget.light.move(h)
	}
	for s.budget.held > maxHeld && s.relieve(h, now) {
	}
}

// relieve lets go of one decoder: of a pooled one, else of the heavy
// conversation that was silent for longest, else of any, but never of keep. It
// is false when there is none.
func (s *Stage) relieve(keep *handler, now activity.Time) bool {
	for _, p := range s.pools {
		if n := len(p.free); n > 0 {
			s.budget.held -= p.free[n-1].held
			p.free[n-1] = nil
			p.free = p.free[:n-1]
			return true
		}
	}
	h := s.budget.heavy.head
	if h == nil || h == keep {
		h = s.budget.light.head
	}
	if h == nil || h == keep {
		return false
	}
	h.forget(now)
	s.Counters.Of("decode", countForgotten).Add(1)
	return true
}

// forget closes the decoder, as at the end of the conversation, and lets go of
// it. The conversation may go on: see resume.
func (h *handler) forget(now activity.Time) {
	h.Decoder.Close(now)
	h.Decoder = nil
	h.context.stage.budget.held -= h.held
	h.held = 0
	h.unlink()
}

// resume gives a conversation that was forgotten a new decoder, which begins in
// its middle.
func (h *handler) resume() {
	conn := *h.context.Conn
	conn.MidStream = conn.Transport == activity.TCP
	h.context.Conn = &conn
	h.Decoder = h.pool.New()
	h.Reset(&h.context)
}

// Feed notes which packet it was: one given up on later is told by its last.
func (h *handler) Feed(dir flow.Dir, data []byte, now activity.Time) {
	if h.Decoder == nil {
		h.resume()
	}
	s := h.context.stage
	h.context.file, h.context.frame = s.file, s.frame
	h.Decoder.Feed(dir, data, now)
	s.weigh(h, now)
}

// Gap is nothing to a conversation that was forgotten.
func (h *handler) Gap(dir flow.Dir, n int, now activity.Time) {
	if h.Decoder == nil {
		return
	}
	h.Decoder.Gap(dir, n, now)
	h.context.stage.weigh(h, now)
}

// Close ends the conversation and keeps the decoder for the next one.
func (h *handler) Close(now activity.Time) {
	if h.Decoder == nil {
		return
	}
	h.Decoder.Close(now)
	h.unlink()
	h.rest()
}

// rest puts the handler of a closed decoder into its pool, if there is room.
func (h *handler) rest() {
	b := &h.context.stage.budget
	b.held -= h.held
	if h.held = 0; len(h.pool.free) < maxPool {
		if n := handlerSize + h.Decoder.Held(); b.held+n <= maxHeld {
			h.held = n
			b.held += n
			h.pool.free = append(h.pool.free, h)
		}
	}
}
