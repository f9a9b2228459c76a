package capture

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"sync/atomic"

	"github.com/verderer/verderer/activity"
)

const (
	// hashed is how much of an input's content tells it from others that begin
	// at the same instant.
	hashed = 64 << 10

	// maxLive bounds the inputs that hold a buffer and a file descriptor, well
	// below the usual limit of 1024 descriptors. Only captures that overlap in
	// time are needed together; where more do, those not needed for longest are
	// parked.
	maxLive = 256
)

// Merger is a Source over many inputs: see Merge.
type Merger struct {
	pending []*member // not begun, by rank
	heap    []*member // those with a packet ready, by less
	current *member   // whose packet was handed out last, or which was just begun
	refused []*Damage // inputs that cannot be read, to be told first
	skipped []*Unknown

	live []*member // those that hold a buffer
	most int       // live ones, at most
	turn int64     // counts packets, to tell which input was used last

	read atomic.Int64 // bytes of files read
	size int64        // bytes of files in all
}

// member is one input of a Merger.
type member struct {
	name   string
	path   string    // "" for a stream
	stream io.Reader // nil for a file
	close  func() error

	first activity.Time // of its first packet; math.MinInt64 when it has none
	hash  [sha256.Size]byte
	rank  int

	src   *source   // nil before its time comes
	found []*Damage // what came before the first packet of a stream
	chunk Chunk
	live  bool  // holds a buffer
	used  int64 // turn in which it was read last
	size  int64 // of the file as stored
}

// packed tells that the input is compressed.
func (e *member) packed() bool { return e.src != nil && e.src.in.packing != "" }

// Merge yields the packets of many inputs in the order of their time. Packets
// of one input keep their order even where their time goes back: such a packet
// comes right after the one before it. Where times are equal, the order of the
// inputs decides: by first packet, then content, then name, so that the result
// does not depend on how they were listed.
//
// Files are opened when the merge arrives at their first packet; finding that
// packet takes a look at each of them beforehand (unless there is only one).
// stdin is read for the input Stdin, and not closed.
//
// Damage of the inputs comes out of Next as it is met, and an input that cannot
// be read at all as a *Damage, but one of unknown kind that was not named by
// the user is only listed by Skipped.
func Merge(inputs []Input, stdin io.Reader) *Merger {
	m := &Merger{most: maxLive}
	for _, in := range inputs {
		if in.Err != nil {
			m.refuse(in, in.Err)
			continue
		}
		e := &member{name: in.Path, path: in.Path, first: math.MinInt64}
		if in.Path == Stdin {
			e.path, e.stream = "", stdin
		} else if info, err := os.Stat(in.Path); err == nil && !info.Mode().IsRegular() {
			f, err := os.Open(in.Path) // a pipe, which cannot be opened twice
			if err != nil {
				m.refuse(in, err)
				continue
			}
			e.path, e.stream, e.close = "", f, f.Close
		} else if err == nil {
			e.size = info.Size()
		}
		if err := m.probe(e, len(inputs) > 1); err != nil {
			m.refuse(in, err)
			if e.close != nil {
				e.close()
			}
			continue
		}
		m.size += e.size
		m.pending = append(m.pending, e)
	}
	slices.SortFunc(m.pending, func(a, b *member) int {
		return cmp.Or(cmp.Compare(a.first, b.first), bytes.Compare(a.hash[:], b.hash[:]), cmp.Compare(a.name, b.name))
	})
	for i, e := range m.pending {
		e.rank = i
	}
	slices.SortFunc(m.refused, func(a, b *Damage) int { return cmp.Compare(a.File, b.File) })
	slices.SortFunc(m.skipped, func(a, b *Unknown) int { return cmp.Compare(a.File, b.File) })
	return m
}

// refuse lists an input that is not read.
func (m *Merger) refuse(in Input, err error) {
	var unknown *Unknown
	var damage *Damage
	switch {
	case errors.As(err, &unknown) && !in.Named:
		m.skipped = append(m.skipped, unknown)
		return
	case errors.As(err, &unknown):
		damage = &Damage{File: in.Path, Reason: unknown.Reason}
	case !errors.As(err, &damage):
		damage = unopened(in.Path, err)
	}
	m.refused = append(m.refused, damage)
}

// unopened is the Damage of an input that could not be opened.
func unopened(name string, err error) *Damage {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the path is said already
	}
	return &Damage{File: name, Reason: fmt.Sprintf("opening: %v", err)}
}

// probe makes sure that an input can be read and, if it is to be ranked, looks
// for its first packet.
func (m *Merger) probe(e *member, rank bool) error {
	s, err := open(&input{name: e.name, path: e.path, stream: e.stream})
	if err != nil {
		return err
	}
	if e.stream != nil {
		e.src = s
	} else {
		defer s.Close()
	}
	if !rank {
		return nil
	}
	e.hash = sha256.Sum256(s.w.peek(hashed))
	for {
		err := s.Next(&e.chunk)
		var d *Damage
		if errors.As(err, &d) {
			e.found = append(e.found, d)
			continue
		}
		if err == nil {
			e.first = e.chunk.Time
		}
		s.held, s.heldErr, s.ahead = true, err, e.chunk
		break
	}
	if e.path != "" {
		e.found = nil // met again when it is read
	}
	return nil
}

// Next implements Source.
func (m *Merger) Next(c *Chunk) error {
	if len(m.refused) > 0 {
		d := m.refused[0]
		m.refused = m.refused[1:]
		return d
	}
	for {
		if m.current != nil {
			if err := m.advance(m.current); err != nil {
				return err
			}
			m.current = nil
		}
		// At equal times the open ones, whose rank is higher, go first anyway.
		if len(m.pending) > 0 && (len(m.heap) == 0 || m.pending[0].first < m.heap[0].chunk.Time) {
			m.current = m.pending[0]
			m.pending = m.pending[1:]
			continue
		}
		if len(m.heap) == 0 {
			return io.EOF
		}
		m.current = m.pop()
		*c = m.current.chunk
		return nil
	}
}

// advance reads the next packet of the current input and puts the input into
// the heap, or closes it at its end. The error is a *Damage.
func (m *Merger) advance(e *member) error {
	if len(e.found) > 0 {
		d := e.found[0]
		e.found = e.found[1:]
		return d
	}
	m.wake(e)
	if e.src == nil {
		s, err := open(&input{name: e.name, path: e.path, meter: &m.read})
		if err != nil { // it could be opened before: it changed or went away
			m.current = nil
			m.finish(e)
			return unopened(e.name, err)
		}
		e.src = s
	}
	switch err := e.src.Next(&e.chunk); err {
	case nil:
		m.push(e)
		return nil
	case io.EOF:
		m.finish(e)
		return nil
	default:
		return err
	}
}

// wake counts an input among those that hold a buffer, parking another if
// there are too many.
func (m *Merger) wake(e *member) {
	m.turn++
	e.used = m.turn
	if e.live || e.stream != nil {
		return
	}
	if len(m.live) >= m.most {
		// Compressed ones last: waking them means decompressing from the start.
		i := 0
		for j, o := range m.live[1:] {
			v := m.live[i]
			if p := o.packed(); p != v.packed() && !p || p == v.packed() && o.used < v.used {
				i = j + 1
			}
		}
		v := m.live[i]
		v.chunk.Data = slices.Clone(v.chunk.Data)
		v.src.park()
		v.live = false
		m.live = slices.Delete(m.live, i, i+1)
	}
	e.live = true
	m.live = append(m.live, e)
}

// finish closes an input.
func (m *Merger) finish(e *member) {
	if e.src != nil {
		// All of it counts as read, also what an unreadable rest left over.
		m.read.Add(e.size - e.src.in.metered)
		e.src.Close()
	} else {
		m.read.Add(e.size)
	}
	if e.close != nil {
		e.close()
	}
	if i := slices.Index(m.live, e); i >= 0 {
		m.live = slices.Delete(m.live, i, i+1)
	}
	e.live, e.src, e.chunk.Data = false, nil, nil
}

// Close implements Source.
func (m *Merger) Close() error {
	if m.current != nil {
		m.finish(m.current)
	}
	for _, e := range m.heap {
		m.finish(e)
	}
	for _, e := range m.pending { // streams are open already
		m.finish(e)
	}
	m.current, m.heap, m.pending, m.refused = nil, nil, nil, nil
	return nil
}

// Progress tells how many bytes were read so far and how many there are in
// all, both as stored, before decompression. Streams count for nothing: their
// length is not known. It may be called at any time from any goroutine.
func (m *Merger) Progress() (read, total int64) { return m.read.Load(), m.size }

// Skipped lists the files of unknown kind that folders held.
func (m *Merger) Skipped() []*Unknown { return m.skipped }

// less orders inputs by the packet they have ready. One whose time went back is
// earlier than all others have, so that it follows its predecessor at once.
func (e *member) less(o *member) bool {
	return e.chunk.Time < o.chunk.Time || e.chunk.Time == o.chunk.Time && e.rank < o.rank
}

// push adds an input to the heap.
func (m *Merger) push(e *member) {
	m.heap = append(m.heap, e)
	for i := len(m.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !m.heap[i].less(m.heap[up]) {
			break
		}
		m.heap[i], m.heap[up] = m.heap[up], m.heap[i]
		i = up
	}
}

// pop takes the input with the earliest packet off the heap.
func (m *Merger) pop() *member {
	h := m.heap
	top, last := h[0], len(h)-1
	h[0], h[last] = h[last], nil
	h = h[:last]
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < last && h[down].less(h[least]) {
				least = down
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	m.heap = h
	return top
}
