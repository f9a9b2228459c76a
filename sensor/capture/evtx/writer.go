package evtx

import (
	"strconv"
	"time"
)

// known is what a name means to the writer.
type known uint8

const (
	other known = iota
	nameEvent
	nameSystem
	nameProvider
	nameEventID
	nameVersion
	nameKeywords
	nameTimeCreated
	nameRecordID
	nameChannel
	nameComputer
	nameSecurity
	nameRenderingInfo
	attrName
	attrSystemTime
	attrUserID
)

func knownName(s string) known {
	switch s {
	case "Event":
		return nameEvent
	case "System":
		return nameSystem
	case "Provider":
		return nameProvider
	case "EventID":
		return nameEventID
	case "Version":
		return nameVersion
	case "Keywords":
		return nameKeywords
	case "TimeCreated":
		return nameTimeCreated
	case "EventRecordID":
		return nameRecordID
	case "Channel":
		return nameChannel
	case "Computer":
		return nameComputer
	case "Security":
		return nameSecurity
	case "RenderingInfo":
		return nameRenderingInfo
	case "Name":
		return attrName
	case "SystemTime":
		return attrSystemTime
	case "UserID":
		return attrUserID
	}
	return other
}

// where the writer is.
type place uint8

const (
	outside    place = iota
	inEvent          // directly below Event
	inSystem         // directly below System
	inProperty       // an element of System
	inData           // in EventData or what stands in its place, at any depth
	skipped          // in what is not kept
)

// writer makes a Record of elements.
type writer struct {
	rec   Record
	buf   []byte // text of the record so far
	spans []span // of the fields, in buf
	stack []element
	cut   int

	attr   known  // of the attribute at hand
	inTag  bool   // attributes are being read
	start  int    // of its value in buf
	static string // its value where that is one text of the template
	parts  int    // texts in it
	found  bool   // EventID
}

type span struct {
	name     string
	from, to int
}

type element struct {
	place  place
	known  known
	name   string
	start  int // of its text in buf
	parent bool
}

func (w *writer) begin() {
	w.buf, w.spans, w.stack, w.inTag, w.found, w.cut = w.buf[:0], w.spans[:0], w.stack[:0], false, false, 0
}

// run takes the steps of a template with their values.
func (r *Reader) run(t template, values []value) error {
	if r.ran += t.to - t.from; r.ran > r.limit {
		return errSteps
	}
	w := &r.out
	depth := len(w.stack)
	for i := t.from; i < t.to; i++ {
		s := &r.steps[i]
		switch s.kind {
		case stepOpen:
			if len(w.stack) >= maxDepth {
				return errDepth
			}
			w.open(s)
		case stepAttribute:
			w.endAttribute(r)
			w.attr, w.start, w.static, w.parts = s.known, len(w.buf), "", 0
		case stepBody:
			w.endAttribute(r)
			w.inTag = false
		case stepClose:
			if len(w.stack) > depth {
				w.close(r)
			}
		case stepText:
			if w.inTag {
				w.static = s.text
				w.parts++
			}
			w.text(s.text)
		case stepValue:
			if int(s.index) >= len(values) {
				continue // none given: nothing stands there
			}
			w.parts += 2 // not static
			if err := r.value(values[s.index]); err != nil {
				return err
			}
		}
	}
	return nil
}

// open begins an element.
func (w *writer) open(s *step) {
	at := outside
	var known known
	if n := len(w.stack); n == 0 {
		if s.known == nameEvent {
			at = inEvent
		} else {
			at = skipped
		}
	} else {
		above := &w.stack[n-1]
		above.parent = true
		switch above.place {
		case inEvent:
			switch s.known {
			case nameSystem:
				at = inSystem
			case nameRenderingInfo:
				at = skipped
			default:
				at = inData
			}
		case inSystem:
			at, known = inProperty, s.known
		case inData:
			at = inData
		default:
			at = skipped
		}
	}
	w.stack = append(w.stack, element{place: at, known: known, name: s.text, start: len(w.buf)})
	w.inTag, w.attr, w.parts, w.start, w.static = true, other, 0, len(w.buf), ""
}

// text adds to the value at hand.
func (w *writer) text(s string) {
	if len(w.buf)+len(s) > maxText {
		w.cut++
		return
	}
	w.buf = append(w.buf, s...)
}

// endAttribute takes the attribute that was read, if it is one that is kept.
func (w *writer) endAttribute(r *Reader) {
	if len(w.stack) == 0 || w.parts == 0 && len(w.buf) == w.start {
		return
	}
	v := w.buf[w.start:]
	e := &w.stack[len(w.stack)-1]
	switch {
	case e.place == inData && w.attr == attrName:
		if w.parts == 1 {
			e.name = w.static
		} else {
			e.name = r.intern(v)
		}
	case e.place == inProperty && e.known == nameProvider && w.attr == attrName:
		w.rec.Provider = r.intern(v)
	case e.place == inProperty && e.known == nameSecurity && w.attr == attrUserID:
		w.rec.User = r.intern(v)
	case e.place == inProperty && e.known == nameTimeCreated && w.attr == attrSystemTime && w.rec.Time == 0:
		w.rec.Time = readTime(string(v))
	}
	w.buf, w.parts = w.buf[:w.start], 0
	e.start = len(w.buf)
}

// close ends an element.
func (w *writer) close(r *Reader) {
	e := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	switch {
	case e.place == inData && !e.parent && len(w.stack) > 1:
		w.field(e.name, e.start)
		return // its text stays
	case e.place == inProperty:
		w.property(r, e.known, w.buf[e.start:])
	}
	w.buf = w.buf[:max(e.start, w.kept())]
}

// kept is the end of the text that fields refer to.
func (w *writer) kept() int {
	if n := len(w.spans); n > 0 {
		return w.spans[n-1].to
	}
	return 0
}

// field takes what was written from start on as the value of a field.
func (w *writer) field(name string, start int) {
	if len(w.spans) >= maxFields {
		w.cut++
		w.buf = w.buf[:start]
		return
	}
	w.spans = append(w.spans, span{name, start, len(w.buf)})
}

// property takes an element of System.
func (w *writer) property(r *Reader, of known, v []byte) {
	if len(v) == 0 {
		return
	}
	switch of {
	case nameEventID:
		n, err := strconv.ParseUint(string(v), 10, 32)
		w.rec.EventID, w.found = uint32(n), err == nil
	case nameVersion:
		n, _ := strconv.ParseUint(string(v), 10, 8)
		w.rec.Version = uint8(n)
	case nameKeywords:
		w.rec.Keywords, _ = strconv.ParseUint(string(v), 0, 64)
	case nameRecordID:
		if n, err := strconv.ParseUint(string(v), 10, 64); err == nil {
			w.rec.ID = n
		}
	case nameChannel:
		w.rec.Channel = r.intern(v)
	case nameComputer:
		w.rec.Computer = r.intern(v)
	}
}

// finish makes the fields and says why the record is no event, "" if it is one.
func (w *writer) finish(r *Reader) string {
	switch {
	case !w.found:
		return "no EventID"
	case w.rec.Time == 0:
		return "no time"
	}
	all := string(w.buf)
	for _, s := range w.spans {
		w.rec.Fields = append(w.rec.Fields, Field{s.name, all[s.from:s.to]})
	}
	w.rec.Cut = w.cut
	return ""
}

// filetimeEpoch is 1970-01-01 in units of 100 ns since 1601-01-01.
const filetimeEpoch = 116444736000000000

// readTime is text as FILETIME, 0 for none.
func readTime(s string) uint64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2261 {
		return 0
	}
	return uint64(t.UnixNano()/100) + filetimeEpoch
}
