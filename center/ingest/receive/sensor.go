package receive

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/ingest"
)

const (
	// attachWithin is how near to the others' a live sensor's progress must be
	// for the log to wait for it, and detachAfter how far it may fall behind while it
	// does, and how long the sensor may be silent. In between nothing changes, so that a sensor
	// at the edge does not come and go. It is measured against the others and not
	// against our clock: a sensor that nobody has to wait for is attached however
	// old what it states is. Else a center whose only sensor has a clock that is
	// behind, or whose own is ahead, would hold everything back and evaluate nothing.
	attachWithin = 5 * time.Second
	detachAfter  = 10 * time.Second

	// keptSpools of a sensor: that of its present run, and those of copies of it
	// that somebody runs by mistake.
	keptSpools = 4
	// keptGaps of a sensor, to tell a batch that comes too late from a repeat.
	keptGaps = 16
)

// sensor is what we know of one. The Receiver's mu guards it.
type sensor struct {
	State
	id    string
	name  string            // for people
	said  map[string]string // the issues that are open, by kind: their text
	conns []uint64
	known bool // from the journal; not heard of yet
	gone  bool // revoked or removed
	busy  bool // a batch of it is under way
	sign  bool // a renewal is under way
	files bool // as of its last hello, or of the journal
	// purpose is what it was enrolled for, as purposeOf has it; "" anything.
	purpose string
	limit   *rate.Limiter // of messages other than batches
	// finished: it said that it has read its files and sent everything, and has
	// sent nothing since.
	finished bool

	heard     time.Time // its last message
	refusedAt time.Time
	lostAt    time.Time // its spool's count of lost batches last grew
	droppedAt time.Time // its kernel's count of dropped packets last grew

	detach string // why it must be detached at the next occasion; "" no need
	logged
}

// logged is what the log says of a sensor, or will when the entry that is being
// appended is stored.
type logged struct {
	attached      bool
	attachedFiles bool
	clock         activity.Time
	spools        [keptSpools]spool // the last used first
	gaps          [keptGaps]gap     // the newest first
}

// spool is how far a spool is stored.
type spool struct {
	id, sequence uint64
	sum          uint32 // CRC-32 of the last batch; 0 unknown
}

// gap is a run of sequences that was skipped.
type gap struct{ spool, from, to uint64 }

// sensor finds or makes one. Only those that showed a certificate come here,
// so there are as many as are enrolled. mu is held.
func (r *Receiver) sensor(id string) *sensor {
	s := r.sensors[id]
	if s == nil {
		// Five a second, after twenty at once: a sensor says hello and its
		// status every 5 s.
		s = &sensor{id: id, name: id, limit: rate.NewLimiter(5, 20), said: make(map[string]string)}
		r.sensors[id] = s
	}
	return s
}

func purposeOf(files bool) string {
	if files {
		return "to read files"
	}
	return "to capture"
}

// misused says why a sensor that introduces itself like that is not the one that
// was enrolled; "" it may be.
func (s *sensor) misused(h *wire.Hello) string {
	does := purposeOf(h.Files)
	if s.purpose == "" || s.purpose == does {
		return ""
	}
	return fmt.Sprintf("the sensor was enrolled %s, and now starts %s: enroll another one for that, with its own state folder (--files is for one that reads files)", s.purpose, does)
}

// stored is the last sequence of a spool that is stored; 0 none.
func (l *logged) stored(id uint64) uint64 {
	for _, s := range l.spools {
		if s.id == id {
			return s.sequence
		}
	}
	return 0
}

// store notes that a batch is stored and returns how many were skipped.
func (l *logged) store(id, sequence uint64, sum uint32) (skipped uint64) {
	last := l.stored(id)
	if last > 0 && sequence > last+1 {
		skipped = sequence - last - 1
		copy(l.gaps[1:], l.gaps[:])
		l.gaps[0] = gap{id, last + 1, sequence - 1}
	}
	at := len(l.spools) - 1
	for n, s := range l.spools {
		if s.id == id {
			at = n
			break
		}
	}
	copy(l.spools[1:at+1], l.spools[:at])
	l.spools[0] = spool{id, sequence, sum}
	return skipped
}

// other tells whether a batch is another one than that of its sequence, as far as
// that is known: of the last one it is, while the center runs.
func (l *logged) other(id, sequence uint64, sum uint32) bool {
	for _, s := range l.spools {
		if s.id == id && s.sequence == sequence {
			return s.sum != 0 && s.sum != sum
		}
	}
	return false
}

// skipped tells whether a sequence is one that was never stored, though later
// ones are.
func (l *logged) skipped(id, sequence uint64) bool {
	for _, g := range l.gaps {
		if g.spool == id && g.from <= sequence && sequence <= g.to {
			return true
		}
	}
	return false
}

// lag is how old a sensor's progress is.
func (s *sensor) lag(now activity.Time) time.Duration { return now.Sub(s.clock) }

// ahead tells whether its progress, or its clock, is too far ahead for the log.
func (s *sensor) ahead(now activity.Time) bool {
	return !s.files && (s.lag(now) < -ingest.MaxAhead || s.Skew > ingest.MaxAhead)
}

// mayAttach tells whether the log should wait for s from its present progress
// on.
func (s *sensor) mayAttach(p *plan) bool {
	switch {
	case s.attached || s.clock == 0:
		return false
	case s.files:
		return p.live == 0
	}
	return !s.ahead(p.now) && p.behind(s) <= attachWithin
}

// mustDetach says why the log should no longer wait for s; "" it should.
func (s *sensor) mustDetach(p *plan) string {
	silent := p.wall.Sub(s.heard)
	switch {
	case !s.attached:
		return ""
	case s.detach != "":
		return s.detach
	case s.attachedFiles != s.files:
		return "it was started again to read something else"
	case silent > detachAfter:
		return "nothing was heard of it for 10 seconds"
	case s.files && p.live > 0:
		return "a sensor that reads the present takes part"
	case s.files && s.finished:
		return "it has read its files"
	case s.files:
		return ""
	case s.ahead(p.now):
		return "its clock is ahead by more than 5 minutes"
	case p.behind(s) > detachAfter && silent < detachAfter/2:
		return fmt.Sprintf("what it states is %s older than what others do", p.behind(s).Round(time.Second))
	}
	return ""
}
