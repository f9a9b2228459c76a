package capture

import (
	"errors"
	"fmt"
)

// The reader of EVTX trusts counts and lengths: one record that claims 2^32
// values makes it take all memory there is, and one with nested values of no
// length makes it work for hours. Neither is a panic that could be recovered
// from. So every chunk is first walked through here, by the same grammar and
// with the same steps but without making anything, and a record on which the
// reader would do more than chunks that Windows wrote can ask for is left out.
const (
	// maxTokens caps the tokens and values of a chunk. Each takes at least one
	// byte, and honest ones are walked once.
	maxTokens = 2 * evtxChunk
	// maxExpanded caps the tokens of all template instances of a chunk: about
	// 1,000 of the shortest records fit into one, with some 100 tokens each.
	maxExpanded = 8 * evtxChunk
	// maxNest caps templates within values within templates; UserData and
	// forwarded events have three.
	maxNest = 16
	// maxSIDValue is the length of a SID with 15 sub-authorities (MS-DTYP §2.4.2.2).
	maxSIDValue = 8 + 4*15
)

// vetted says what vet found in a chunk.
type vetted struct {
	records int // that follow each other properly, those refused among them
	offsets []int
	refused map[int]bool // by index; the reader will find them empty
	at      int          // offset of the first fault
	why     string       // the first fault, "" without one
}

// vet walks through a chunk and empties the records that the reader must not
// meet, in b.
func vet(b []byte) vetted {
	v := vetted{refused: make(map[int]bool)}
	k := vetter{b: b, templates: make(map[int]int)}
	end := u32(b, evtxFree)
	if end < evtxFirst || end > evtxChunk {
		end = evtxChunk
	}
	fault := func(at int, format string, args ...any) {
		if v.why == "" {
			v.at, v.why = at, fmt.Sprintf(format, args...)
		}
	}
	at := evtxFirst
	for at+evtxRecordHeader+evtxRecordTail <= end {
		if string(b[at:at+4]) != evtxRecordMagic {
			fault(at, "%d bytes of a chunk are no record: they begin with % x", end-at, b[at:at+4])
			break
		}
		size := u32(b, at+4)
		if size < evtxRecordHeader+evtxRecordTail || size > end-at {
			fault(at, "a record claims %d of %d bytes", size, end-at)
			break
		}
		if err := k.record(at+evtxRecordHeader, at+size-evtxRecordTail); err != nil {
			fault(at, "left out a record: %v", err)
			v.refused[v.records] = true
			b[at+evtxRecordHeader] = 0 // an end token: the reader finds nothing
		}
		v.offsets = append(v.offsets, at)
		v.records++
		at += size
	}
	return v
}

// vetter walks binary XML (MS-EVEN6 §2.2.12) as the reader does.
type vetter struct {
	b         []byte
	at        int
	templates map[int]int // id → tokens of its body; those being walked have 0
	fresh     []int       // templates that the record at hand defines
	tokens    int
	expanded  int
	nest      int
}

var errRunsOut = errors.New("its content runs out of the chunk")

// record walks the content of one record.
func (k *vetter) record(from, to int) error {
	k.at, k.nest, k.fresh = from, 0, k.fresh[:0]
	err := k.fragment()
	if err == nil && k.at > to {
		err = errors.New("its content is longer than the record")
	}
	if err != nil {
		for _, id := range k.fresh {
			delete(k.templates, id)
		}
	}
	return err
}

// spend counts n more tokens or values.
func (k *vetter) spend(n int) error {
	if k.tokens += n; k.tokens > maxTokens {
		return fmt.Errorf("a chunk with more than %d tokens", maxTokens)
	}
	return nil
}

// take passes over n bytes and returns where they were.
func (k *vetter) take(n int) (int, error) {
	if n < 0 || n > len(k.b)-k.at {
		return 0, errRunsOut
	}
	at := k.at
	k.at += n
	return at, nil
}

// fragment walks tokens up to the end token, or one that ends it.
func (k *vetter) fragment() error {
	if k.nest++; k.nest > maxNest {
		return fmt.Errorf("templates nested deeper than %d", maxNest)
	}
	defer func() { k.nest-- }()
	for {
		at, err := k.take(1)
		if err != nil {
			return err
		}
		if err := k.spend(1); err != nil {
			return err
		}
		more := true
		switch tag := k.b[at]; tag {
		case 0x01, 0x41: // open start element
			if _, err = k.take(6); err == nil {
				err = k.name()
			}
			if err == nil && tag == 0x41 {
				_, err = k.take(4)
			}
		case 0x05, 0x45: // value: type, length in characters, text
			if at, err = k.take(3); err == nil {
				err = k.text(u16(k.b, at+1))
			}
		case 0x06, 0x46: // attribute
			err = k.name()
		case 0x0c: // template instance
			more, err = k.instance()
		case 0x0d, 0x0e: // substitution
			if at, err = k.take(3); err == nil && k.b[at+2] == 0 {
				_, err = k.take(1)
			}
		case 0x0f: // fragment header
			_, err = k.take(3)
		case 0x02, 0x03, 0x04, 0x07, 0x47, 0x08, 0x48, 0x09, 0x49, 0x0a, 0x0b:
		default:
			more = false
		}
		if err != nil || !more {
			return err
		}
	}
}

// text passes over n characters, which cost as values do.
func (k *vetter) text(n int) error {
	if err := k.spend(n / 16); err != nil {
		return err
	}
	_, err := k.take(2 * n)
	return err
}

// name walks a name: here, or at an offset of the chunk.
func (k *vetter) name() error {
	at, err := k.take(4)
	if err != nil {
		return err
	}
	back := k.at
	k.at = u32(k.b, at)
	here := k.at == back
	if at, err = k.take(8); err != nil {
		return err
	}
	if err := k.text(u16(k.b, at+6) + 1); err != nil {
		return err
	}
	if !here {
		k.at = back
	}
	return nil
}

// instance walks a template, where it is defined, and its values. more is
// false where the reader stops.
func (k *vetter) instance() (more bool, err error) {
	at, err := k.take(1)
	if err != nil || k.b[at] != 1 {
		return false, err
	}
	if at, err = k.take(4); err != nil {
		return false, err
	}
	id := u32(k.b, at)
	if id == 0 {
		return false, nil
	}
	if at, err = k.take(8); err != nil {
		return false, err
	}
	values := u32(k.b, at+4)
	if _, known := k.templates[id]; !known {
		if at, err = k.take(20); err != nil {
			return false, err
		}
		size, body := u32(k.b, at+16), k.at
		k.templates[id] = 0
		k.fresh = append(k.fresh, id)
		before := k.tokens
		if err := k.fragment(); err != nil {
			return false, err
		}
		k.templates[id] = k.tokens - before
		k.at = body
		if _, err = k.take(size); err != nil {
			return false, err
		}
		if at, err = k.take(4); err != nil {
			return false, err
		}
		values = u32(k.b, at)
	}
	if k.expanded += k.templates[id]; k.expanded > maxExpanded {
		return false, fmt.Errorf("a chunk whose templates expand to more than %d tokens", maxExpanded)
	}
	if values < 0 || values > len(k.b)/4 {
		return false, fmt.Errorf("%d values in a template", values)
	}
	if err := k.spend(values); err != nil {
		return false, err
	}
	list, err := k.take(4 * values)
	if err != nil {
		return false, err
	}
	for i := range values {
		if err := k.value(u16(k.b, list+4*i), u16(k.b, list+4*i+2)); err != nil {
			return false, err
		}
	}
	return true, nil
}

// widths are the lengths that the reader takes for values of a type, whatever
// the record says: integers and FILETIME.
var widths = map[int]int{0x04: 1, 0x06: 2, 0x08: 4, 0x0a: 8, 0x11: 8, 0x14: 4, 0x15: 8}

func (k *vetter) value(length, kind int) error {
	if err := k.spend(length / 32); err != nil {
		return err
	}
	switch {
	case kind == 0x21: // binary XML
		start := k.at
		if err := k.fragment(); err != nil {
			return err
		}
		k.at = start
	case kind == 0x13 && (length < 8 || length > maxSIDValue || length%4 != 0):
		return fmt.Errorf("a SID of %d bytes", length)
	case kind == 0x0d && length != 1 && length != 2 && length != 4 && length != 8:
		length = 0
	default:
		if n, ok := widths[kind]; ok {
			length = n
		}
	}
	_, err := k.take(length)
	return err
}
