package capture

import (
	"fmt"
	"io"
	"math"
)

const (
	// minWindow is the first buffer of an input. Most files of a folder full of
	// per-flow captures are smaller, and many may be open together.
	minWindow = 16 << 10
	// maxWindow is where the buffer stops growing by itself: larger reads were
	// not measurably faster. What is peeked may fill half of it, or moving the
	// rest to the front would cost more than reading; the longest blocks
	// therefore grow it further, to twice maxBlock.
	maxWindow = 256 << 10
)

// window is a reader's view of its input: a buffer that slides over the
// content. What peek returns stays valid until the next peek, so packets are
// handed on without a copy.
type window struct {
	r      io.Reader
	buf    []byte
	lo, hi int   // buf[lo:hi] is read and not yet consumed
	off    int64 // of buf[lo] in the content
	err    error // why nothing more can be read; io.EOF at the end of the content
}

// peek returns the next n bytes without consuming them, fewer only where the
// content ends or breaks (see err).
func (w *window) peek(n int) []byte {
	if w.hi-w.lo < n {
		w.fill(n)
	}
	return w.buf[w.lo:min(w.lo+n, w.hi)]
}

// skip consumes n bytes that were peeked.
func (w *window) skip(n int) {
	w.lo += n
	w.off += int64(n)
}

// discard consumes n bytes without buffering them and returns how many there
// were.
func (w *window) discard(n int) int {
	done := 0
	for done < n {
		b := w.peek(1)
		if len(b) == 0 {
			break
		}
		step := min(n-done, w.hi-w.lo)
		w.skip(step)
		done += step
	}
	return done
}

// fill reads until n bytes can be peeked or nothing more comes. It never waits
// for more than n bytes: the input may be a pipe that a capture is written to.
func (w *window) fill(n int) {
	if w.err != nil {
		return
	}
	size := max(len(w.buf), minWindow)
	if w.lo > 0 && w.hi == len(w.buf) && size < maxWindow {
		size *= 2 // it was read to its end before: the input is not a small one
	}
	for size < 2*n {
		size *= 2
	}
	if w.lo+n > len(w.buf) || w.lo == w.hi {
		to := w.buf
		if size > len(w.buf) {
			to = make([]byte, size)
		}
		copy(to, w.buf[w.lo:w.hi])
		w.buf, w.lo, w.hi = to, 0, w.hi-w.lo
	}
	for idle := 0; w.hi-w.lo < n && w.err == nil; {
		m, err := w.r.Read(w.buf[w.hi:])
		w.hi += m
		w.err = err
		if m > 0 {
			idle = 0
		} else if idle++; idle == 100 && err == nil {
			w.err = io.ErrNoProgress
		}
	}
}

// broken tells that the content did not end but could not be read any further.
func (w *window) broken() bool { return w.err != nil && w.err != io.EOF }

// cut describes content that ends within something: have of want bytes of what
// are there. It consumes all that is left, so that the next peek is empty.
func (w *window) cut(what string, have, want int) *Damage {
	d := &Damage{Offset: w.off, Reason: fmt.Sprintf("cut off in %s: has %d of %d bytes", what, have, want)}
	w.discard(math.MaxInt)
	if w.broken() {
		d.Offset, d.Reason = w.off, fmt.Sprintf("reading the content: %v; %s", w.err, d.Reason)
		w.err = io.EOF
	}
	return d
}

// end is what a format returns where a new record or block would begin and
// nothing is left: io.EOF, or once a *Damage when the content broke there.
func (w *window) end() error {
	if w.broken() {
		d := &Damage{Offset: w.off, Reason: fmt.Sprintf("reading the content: %v", w.err)}
		w.err = io.EOF
		return d
	}
	return io.EOF
}

// park drops the buffer. The next peek reads it again from the input, which
// must be parked as well.
func (w *window) park() {
	w.buf, w.lo, w.hi, w.err = nil, 0, 0, nil
}
