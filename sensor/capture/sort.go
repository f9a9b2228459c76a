package capture

import (
	"io"
	"time"

	"github.com/verderer/verderer/activity"
)

const (
	// disorder is how late a packet may come and still be put into its place.
	// Captures from several queues of a network card, or from an interface for
	// each direction, write answers before their questions, by milliseconds.
	disorder = 100 * time.Millisecond
	// maxSorted bounds the packets held back meanwhile, and twice shelfSize
	// their bytes: at 1 Gbit/s the latter is 4 ms or more. More would not stay in
	// the processor's cache, and sorting would cost much more than a copy.
	maxSorted = 1024
	shelfSize = 512 << 10
)

// Sorter is a Source that puts packets in the order of their time: see Sort.
type Sorter struct {
	src   Source
	held  []sorting // by time, and those of one time as they came
	first int       // of held: what is before it was handed out
	next  Chunk     // came after time went back, for when held is empty
	back  bool      // next is valid
	err   error     // what src said last, once held is to be emptied

	shelves [2]shelf
	on      int // the shelf that packets are copied to
	taken   int // the shelf of the packet handed out last; -1 without one
}

// sorting is a packet held back.
type sorting struct {
	Chunk
	shelf int // -1: a buffer of its own
}

// shelf is memory for packets, in the order they come. It is empty again when
// all of them are gone.
type shelf struct {
	buf    []byte
	used   int
	packed int // packets on it
}

// Sort yields the packets of src in the order of their time, as far as they are
// less than 100 ms, 1,024 packets and half a MiB out of it. A packet that is
// earlier still comes after those before it in src: the capture went back in
// time, which is not for sorting to hide. Damage comes at once, before packets
// that are held back.
func Sort(src Source) *Sorter { return &Sorter{src: src, taken: -1} }

// Next implements Source.
func (s *Sorter) Next(c *Chunk) error {
	if s.taken >= 0 {
		s.shelves[s.taken].packed--
		s.taken = -1
	}
	for !s.ready() {
		if s.back {
			s.back = false
			s.insert(&s.next)
			continue
		}
		if s.err != nil {
			return s.err
		}
		if err := s.src.Next(c); err == nil {
			s.add(c)
		} else if _, ok := err.(*Damage); ok {
			return err
		} else {
			s.err = err
		}
	}
	out := &s.held[s.first]
	s.first++
	s.taken = out.shelf
	*c = out.Chunk
	return nil
}

// ready tells whether the first packet held has waited long enough.
func (s *Sorter) ready() bool {
	n := len(s.held) - s.first
	if n == 0 {
		return false
	}
	return s.err != nil || s.back || n > maxSorted || s.crowded() ||
		s.newest().Sub(s.held[s.first].Time) > disorder
}

// crowded tells that the shelf in use may not take another packet and the other
// one is not empty yet.
func (s *Sorter) crowded() bool {
	return s.shelves[s.on].used > shelfSize-MaxPacket && s.shelves[1-s.on].packed > 0
}

func (s *Sorter) newest() activity.Time { return s.held[len(s.held)-1].Time }

// add holds a copy of c, or keeps it for later when time went back.
func (s *Sorter) add(c *Chunk) {
	if s.first < len(s.held) && c.Time < s.newest()-activity.Time(disorder) {
		s.next, s.back = *c, true // valid until src is asked again, when held is empty
		return
	}
	s.insert(c)
}

// insert puts a copy of c in its place, which is mostly the last.
func (s *Sorter) insert(c *Chunk) {
	if s.first > maxSorted {
		s.held = s.held[:copy(s.held, s.held[s.first:])]
		s.first = 0
	}
	i := len(s.held)
	s.held = append(s.held, sorting{*c, 0})
	for ; i > s.first && s.held[i-1].Time > c.Time; i-- {
		s.held[i] = s.held[i-1]
	}
	p := &s.held[i]
	p.Chunk = *c
	p.Data, p.shelf = s.keep(c.Data)
}

// keep copies the data of a packet.
func (s *Sorter) keep(b []byte) ([]byte, int) {
	if s.shelves[s.on].used+len(b) > shelfSize && s.shelves[1-s.on].packed == 0 {
		s.on = 1 - s.on
		s.shelves[s.on].used = 0
	}
	h := &s.shelves[s.on]
	if h.used+len(b) > shelfSize { // only if src has longer packets than MaxPacket
		return append([]byte(nil), b...), -1
	}
	if h.buf == nil {
		h.buf = make([]byte, shelfSize)
	}
	from := h.used
	h.used += copy(h.buf[from:], b)
	h.packed++
	return h.buf[from:h.used:h.used], s.on
}

// Close implements Source.
func (s *Sorter) Close() error {
	*s = Sorter{src: s.src, err: io.EOF, taken: -1}
	return s.src.Close()
}
