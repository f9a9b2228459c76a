package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
)

// maxObject caps one JSON object. An event is at most 64 KiB of UTF-16 in
// Windows ([MS-EVEN6] §2.2.13); as JSON, with its message rendered and every
// character escaped, it stays below this.
const maxObject = 1 << 20

// eventJSON reads Windows events, or Samba's audit, in JSON: one object a line,
// or one array of objects. eventshape.go says which shapes of an object are read.
type eventJSON struct {
	w     *window
	begun bool
	array bool
	lines bool // objects end at the line's end: so did the first one
	frame int64

	foreign int64 // objects that are no event
	first   int64 // offset of the first of these
}

// refuse says why the content is not read, by its first object: "" when it is
// an event, or cannot be told yet. Nothing is consumed.
func (j *eventJSON) refuse() string {
	at, _ := j.start()
	n, err := j.object(at)
	switch {
	case err != nil && j.w.err == io.EOF && j.w.hi-j.w.lo < maxObject:
		return "JSON without a whole object"
	case err != nil:
		return ""
	}
	if _, _, err := parseEvent(j.w.peek(at + n)[at:]); err != nil {
		return fmt.Sprintf("JSON, but its first object is no Windows event in a shape that is read: %v", err)
	}
	return ""
}

// start finds where the first object begins and whether it is in an array.
func (j *eventJSON) start() (at int, array bool) {
	b := j.w.peek(sniffed)
	at = len(b) - len(bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n"))
	if at < len(b) && b[at] == '[' {
		array = true
		at++
		for {
			b = j.w.peek(at + 1)
			if len(b) <= at || !space(b[at]) || at >= maxObject {
				break
			}
			at++
		}
	}
	return at, array
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

var (
	errCut  = errors.New("cut off in an object")
	errLong = fmt.Errorf("an object of more than %d bytes", maxObject)
	errLine = errors.New("an object does not end with its line")
	errNone = errors.New("no object where one should begin")
)

// object returns the length of the object that begins at from in the content
// not yet consumed. It judges by quotes and brackets alone.
func (j *eventJSON) object(from int) (n int, err error) {
	depth, quoted, escaped := 0, false, false
	i := from
	for want := from + 4096; ; want = min(2*want, from+maxObject) {
		b := j.w.peek(want)
		for ; i < len(b); i++ {
			c := b[i]
			switch {
			case i == from && c != '{':
				return 0, errNone
			case c == '\n' && (quoted || j.lines):
				return i - from, errLine // a quoted one would be escaped
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				if depth--; depth == 0 {
					return i - from + 1, nil
				}
			}
		}
		switch {
		case len(b) < want:
			return i - from, errCut
		case want >= from+maxObject:
			return i - from, errLong
		}
	}
}

func (j *eventJSON) next(c *Chunk) error {
	if !j.begun {
		j.begun = true
		at, array := j.start()
		j.array = array
		j.w.skip(at)
	}
	for {
		j.separator()
		if b := j.w.peek(1); len(b) == 0 || j.array && b[0] == ']' {
			j.w.discard(math.MaxInt)
			return j.end()
		}
		n, err := j.object(0)
		if err == errCut {
			return j.w.cut("an object", n, n+1)
		}
		if err != nil {
			d := &Damage{Offset: j.w.off, Reason: err.Error()}
			j.frame++
			j.recover(n)
			return d
		}
		b := j.w.peek(n)
		j.frame++
		j.lines = j.lines || j.frame == 1 && !j.array && !bytes.Contains(b, []byte("\n"))
		event, at, err := parseEvent(b)
		if err != nil {
			if j.foreign++; j.foreign == 1 {
				j.first = j.w.off
			}
			j.w.skip(n)
			continue
		}
		j.w.skip(n)
		*c = Chunk{Time: at, Frame: j.frame, Event: event}
		return nil
	}
}

// end tells of the objects that were no events, once, then that there is no more.
func (j *eventJSON) end() error {
	if j.foreign > 0 {
		d := &Damage{Offset: j.first, Reason: fmt.Sprintf("%d of %d objects, of which this is the first, are no Windows event in a shape that is read", j.foreign, j.frame)}
		j.foreign = 0
		return d
	}
	return j.w.end()
}

// separator passes over what stands between objects.
func (j *eventJSON) separator() {
	for {
		b := j.w.peek(1)
		if len(b) == 0 || !space(b[0]) && !(j.array && b[0] == ',') {
			return
		}
		j.w.skip(1)
	}
}

// recover passes over n bytes and what follows up to a line that begins with
// an object.
func (j *eventJSON) recover(n int) {
	j.w.discard(n)
	newline := false
	for {
		b := j.w.peek(1)
		switch {
		case len(b) == 0 || newline && b[0] == '{':
			return
		case b[0] == '\n':
			newline = true
		case !space(b[0]):
			newline = false
		}
		j.w.skip(1)
	}
}
