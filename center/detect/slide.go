package detect

import "github.com/verderer/verderer/activity"

// Tally is what a detection counts over a window. Acts enter in the order of
// time and leave in the same order, so that the last to have entered of a kind
// is the last to leave. Enter and Leave must not change the act.
type Tally interface {
	Enter(a *Act)
	Leave(a *Act)
	Reset() // nothing has entered
}

// Slide moves a window over the acts of a Recent and keeps a Tally of what is in
// it. A busy source has thousands of acts in a window: counting them anew at
// each would cost hundreds of microseconds an activity.
//
// The tally depends on the acts alone. It is no part of a snapshot and is made
// again when needed.
type Slide struct {
	recent *Recent
	span   activity.Time
	tally  Tally
	lo, hi int // acts [lo, hi) have entered and not left
}

// Slide makes a window of the span for t. It is made once, before the first act.
func (r *Recent) Slide(span activity.Time, t Tally) *Slide {
	s := &Slide{recent: r, span: span, tally: t}
	s.restart()
	r.slides = append(r.slides, s)
	return s
}

// To moves the window's end to the act at index i, just added, and calls judge
// there; for a late act, then at every later act within the span too, whose
// windows the late one has joined. Before judge the tally holds the acts of the
// window that ends at end, Recent.Window(end, span).
func (s *Slide) To(i int, judge func(end int)) {
	acts := s.recent.Acts
	for s.hi > 0 && s.hi < i { // acts added since, for which nobody asked
		s.enter(s.hi)
	}
	for end := i; end < len(acts); end++ {
		s.enter(end)
		if acts[end].At <= acts[i].At+s.span {
			judge(end)
		}
	}
}

// enter lets the act at end in, and out those too old to be in its window.
func (s *Slide) enter(end int) {
	acts := s.recent.Acts
	if s.hi == 0 { // from the beginning
		s.lo = end
		for s.lo > 0 && acts[s.lo-1].At >= acts[end].At-s.span {
			s.lo--
		}
		for s.hi = s.lo; s.hi < end; s.hi++ {
			s.tally.Enter(&acts[s.hi])
		}
	}
	for ; s.lo < end && acts[s.lo].At < acts[end].At-s.span; s.lo++ {
		s.tally.Leave(&acts[s.lo])
	}
	s.tally.Enter(&acts[end])
	s.hi = end + 1
}

func (s *Slide) restart() {
	s.tally.Reset()
	s.lo, s.hi = 0, 0
}

// inserted tells that there is a new act at i. In order it has not entered yet.
func (s *Slide) inserted(i int) {
	if i < s.hi {
		s.restart()
	}
}

// forget lets out the first n acts, which are about to be forgotten.
func (s *Slide) forget(n int) {
	for ; s.lo < min(n, s.hi); s.lo++ {
		s.tally.Leave(&s.recent.Acts[s.lo])
	}
	s.lo, s.hi = max(0, s.lo-n), max(0, s.hi-n)
}
