package evtx

import (
	"errors"
	"fmt"
)

// Tokens of binary XML (MS-EVEN6 §2.2.12). moreData tells that more of the same
// kind follows.
const (
	tokEnd           = 0x00
	tokOpen          = 0x01
	tokCloseStart    = 0x02
	tokCloseEmpty    = 0x03
	tokCloseElement  = 0x04
	tokValue         = 0x05
	tokAttribute     = 0x06
	tokCDATA         = 0x07
	tokCharRef       = 0x08
	tokEntityRef     = 0x09
	tokPITarget      = 0x0a
	tokPIData        = 0x0b
	tokTemplate      = 0x0c
	tokSubstitution  = 0x0d
	tokOptional      = 0x0e
	tokFragment      = 0x0f
	moreData         = 0x40
	hasAttributes    = moreData // of tokOpen
	fragmentLength   = 4
	templateHeader   = 24 // of a definition: u32 next, GUID, u32 length of what follows
	instanceLength   = 10 // u8 version, u32 id, u32 offset of the definition, with the token
	descriptorLength = 4  // of a value: u16 length, u8 type, u8 nothing
)

// step is one part of a template, in the order of its text.
type step struct {
	kind  stepKind
	known known  // what a name means here
	index uint16 // of the value
	text  string // name, or text
}

type stepKind uint8

const (
	stepOpen      stepKind = iota // an element named text begins
	stepAttribute                 // its attribute named text begins
	stepBody                      // its attributes end
	stepClose                     // it ends
	stepText
	stepValue // a value of the record stands here
)

// template is a part of Reader.steps.
type template struct{ from, to int }

// value is one value of an instance.
type value struct {
	kind     byte
	from, to int // in the chunk
}

// fragment reads binary XML from from to to. dependency: elements in it have
// their dependency id.
func (r *Reader) fragment(from, to int, dependency bool) error {
	if r.nest++; r.nest > maxNest {
		return errNest
	}
	defer func() { r.nest-- }()
	for at := from; at < to; {
		switch tok := r.b[at]; tok {
		case tokEnd:
			return nil
		case tokFragment:
			at += fragmentLength
		case tokTemplate:
			next, err := r.instance(at, to)
			if err != nil {
				return err
			}
			at = next
		case tokOpen, tokOpen | hasAttributes:
			first := len(r.steps)
			next, err := r.compile(at, to, dependency, true)
			if err == nil {
				err = r.run(template{first, len(r.steps)}, nil)
			}
			r.steps = r.steps[:first]
			if err != nil {
				return err
			}
			at = next
		default:
			return fmt.Errorf("token %#02x where an element or a template should be", tok)
		}
	}
	return nil
}

// instance runs the template that the token at at names, with the values that
// follow, and returns where these end.
func (r *Reader) instance(at, to int) (next int, err error) {
	if at+instanceLength > to {
		return 0, errRunsOut
	}
	definition := u32(r.b, at+6)
	next = at + instanceLength
	if definition == next { // it is defined right here
		if definition+templateHeader > to {
			return 0, errRunsOut
		}
		if next += templateHeader + u32(r.b, definition+20); next > to {
			return 0, errRunsOut
		}
	}
	t, ok := r.templates[uint32(definition)]
	if !ok {
		if t, err = r.define(definition); err != nil {
			return 0, err
		}
		r.templates[uint32(definition)] = t
	}
	if next+4 > to {
		return 0, errRunsOut
	}
	n := u32(r.b, next)
	list := next + 4
	if n > (to-list)/descriptorLength {
		return 0, fmt.Errorf("%d values in a template", n)
	}
	base := len(r.values)
	defer func() { r.values = r.values[:base] }()
	at = list + n*descriptorLength
	for i := range n {
		d := list + i*descriptorLength
		v := value{r.b[d+2], at, at + u16(r.b, d)}
		if v.to > to {
			return 0, errRunsOut
		}
		r.values = append(r.values, v)
		at = v.to
	}
	return at, r.run(t, r.values[base:])
}

// define compiles the template that is defined at an offset of the chunk.
func (r *Reader) define(at int) (template, error) {
	if at < First || at+templateHeader > len(r.b) {
		return template{}, fmt.Errorf("a template at %d", at)
	}
	size := u32(r.b, at+20)
	from := at + templateHeader
	if size > len(r.b)-from {
		return template{}, fmt.Errorf("a template of %d bytes", size)
	}
	first := len(r.steps)
	if from+fragmentLength <= len(r.b) && r.b[from] == tokFragment {
		from += fragmentLength
		size -= fragmentLength
	}
	if _, err := r.compile(from, from+size, true, false); err != nil {
		r.steps = r.steps[:first]
		return template{}, err
	}
	return template{first, len(r.steps)}, nil
}

var errStructure = errors.New("elements that do not end as they began")

// compile appends the steps of the elements from at on: of one, or of all up to
// the end. It returns where they end.
func (r *Reader) compile(at, to int, dependency, one bool) (next int, err error) {
	depth, inTag := 0, false
	for at < to {
		if r.tokens++; r.tokens > maxTokens {
			return 0, errTokens
		}
		tok := r.b[at]
		switch tok &^ moreData {
		case tokOpen:
			if inTag {
				return 0, errStructure
			}
			if depth++; depth > maxDepth {
				return 0, errDepth
			}
			if at, err = r.open(at, to, dependency); err != nil {
				return 0, err
			}
			inTag = true
			continue
		case tokAttribute:
			name, next, err := r.name(at+1, to)
			if err != nil {
				return 0, err
			}
			r.steps = append(r.steps, step{kind: stepAttribute, known: knownName(name), text: name})
			at = next
			continue
		}
		switch tok {
		case tokEnd:
			if depth > 0 {
				return 0, errStructure
			}
			return at + 1, nil
		case tokCloseStart, tokCloseEmpty, tokCloseElement:
			if depth == 0 || inTag == (tok == tokCloseElement) {
				return 0, errStructure
			}
			if inTag {
				r.steps = append(r.steps, step{kind: stepBody})
				inTag = false
			}
			if tok != tokCloseStart {
				r.steps = append(r.steps, step{kind: stepClose})
				depth--
			}
			if at++; depth == 0 && one {
				return at, nil
			}
		case tokSubstitution, tokOptional:
			if at+4 > to {
				return 0, errRunsOut
			}
			r.steps = append(r.steps, step{kind: stepValue, index: uint16(u16(r.b, at+1))})
			at += 4
		default:
			if at, err = r.text(at, to); err != nil {
				return 0, err
			}
		}
	}
	if depth > 0 {
		return 0, errStructure
	}
	return at, nil
}

// open reads the beginning of an element.
func (r *Reader) open(at, to int, dependency bool) (next int, err error) {
	// Dependency id, length of the element, name, and length of the list of
	// attributes where there is one.
	name := at + 7
	if !dependency {
		name = at + 5
	}
	if !r.named(name, to) {
		if other := at + 12 - (name - at); r.named(other, to) { // the other of the two
			name = other
		}
	}
	s, next, err := r.name(name, to)
	if err != nil {
		return 0, err
	}
	r.steps = append(r.steps, step{kind: stepOpen, known: knownName(s), text: s})
	if r.b[at]&hasAttributes != 0 {
		next += 4
	}
	return next, nil
}

// named tells whether the offset at at is that of a name, by its hash.
func (r *Reader) named(at, to int) bool {
	if at+4 > to {
		return false
	}
	name := u32(r.b, at)
	if name < 0 || name+8 > len(r.b) {
		return false
	}
	n := u16(r.b, name+6)
	if n == 0 || n > maxName || name+10+2*n > len(r.b) {
		return false
	}
	var h uint32
	for i := range n {
		h = h*65599 + uint32(u16(r.b, name+8+2*i))
	}
	return int(h&0xffff) == u16(r.b, name+4)
}

// name reads the name whose offset in the chunk is at at, and returns where what
// is at at ends: names stand where they are used first.
func (r *Reader) name(at, to int) (s string, next int, err error) {
	if at+4 > to {
		return "", 0, errRunsOut
	}
	name := u32(r.b, at)
	next = at + 4
	if name > len(r.b)-8 {
		return "", 0, errRunsOut
	}
	n := u16(r.b, name+6)
	end := name + 8 + 2*n + 2
	if n > maxName || end > len(r.b) {
		return "", 0, errRunsOut
	}
	r.tokens += n / 16
	if name == next {
		next = end
	}
	var buf [3 * maxName]byte
	return r.intern(appendUTF16(buf[:0], r.b[name+8:end-2])), next, nil
}

// text reads a token that stands for text, or for nothing that is kept.
func (r *Reader) text(at, to int) (next int, err error) {
	var s string
	switch tok := r.b[at] &^ moreData; tok {
	case tokValue: // type, length in characters, characters
		if at+4 > to {
			return 0, errRunsOut
		}
		n := 2 * u16(r.b, at+2)
		if next = at + 4 + n; next > to {
			return 0, errRunsOut
		}
		s = r.static(r.b[at+4 : next])
	case tokCDATA, tokPIData:
		if at+3 > to {
			return 0, errRunsOut
		}
		if next = at + 3 + 2*u16(r.b, at+1); next > to {
			return 0, errRunsOut
		}
		if tok == tokPIData {
			return next, nil
		}
		s = r.static(r.b[at+3 : next])
	case tokCharRef:
		if next = at + 3; next > to {
			return 0, errRunsOut
		}
		s = r.static(r.b[at+1 : next])
	case tokEntityRef:
		name, next, err := r.name(at+1, to)
		if err != nil {
			return 0, err
		}
		r.steps = append(r.steps, step{kind: stepText, text: entities[name]})
		return next, nil
	case tokPITarget:
		_, next, err := r.name(at+1, to)
		return next, err
	default:
		return 0, fmt.Errorf("token %#02x in a template", r.b[at])
	}
	r.steps = append(r.steps, step{kind: stepText, text: s})
	return next, nil
}

// static is text of a template.
func (r *Reader) static(b []byte) string {
	r.tokens += len(b) / 16
	return r.intern(appendUTF16(nil, b))
}

// entities are those of XML §4.6.
var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}
