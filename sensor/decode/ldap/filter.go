package ldap

import (
	"unicode/utf8"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode/ber"
)

// maxFilterDepth bounds the nesting that is read. Filters that people and
// programs write have five levels, generated ones about ten; each level costs
// one call of ours.
const maxFilterDepth = 64

// Choices of a Filter (RFC 4511 §4.5.1.7).
const (
	filterAnd             = ber.Tag(0xa0)
	filterOr              = ber.Tag(0xa1)
	filterNot             = ber.Tag(0xa2)
	filterEqualityMatch   = ber.Tag(0xa3)
	filterSubstrings      = ber.Tag(0xa4)
	filterGreaterOrEqual  = ber.Tag(0xa5)
	filterLessOrEqual     = ber.Tag(0xa6)
	filterPresent         = ber.Tag(0x87)
	filterApproxMatch     = ber.Tag(0xa8)
	filterExtensibleMatch = ber.Tag(0xa9)
)

// filterText writes a filter as text (RFC 4515). What could not be read stands
// as "…" in its place, so that the text never seems to be the whole filter when
// it is not.
//
// A value that is text stands as it is, with NUL ( ) * \ escaped (§3). One that
// is not (invalid UTF-8, or with control characters: SIDs, GUIDs, the NtVer of
// a locator ping) has every byte escaped, which the RFC allows, so that equal
// octets are equal text whatever letters they happen to contain.
type filterText struct {
	buf    []byte
	cut    bool // reached activity.MaxText
	deep   bool // reached maxFilterDepth
	broken bool // met something that is no Filter
}

const ellipsis = "…"

// read returns the text of the filter r stands before, at most activity.MaxText
// bytes.
func (w *filterText) read(r ber.Reader) string {
	*w = filterText{buf: w.buf[:0]}
	w.filter(&r, 1)
	w.full()
	return activity.Cut(string(w.buf))
}

// full tells that no more text is wanted. buf may grow past the limit by an
// escape and the closing parentheses.
func (w *filterText) full() bool {
	if len(w.buf) > activity.MaxText {
		w.cut = true
	}
	return w.cut
}

// unread marks a place of which nothing is known.
func (w *filterText) unread() {
	w.broken = true
	w.buf = append(w.buf, ellipsis...)
}

// filter writes the next element of r.
func (w *filterText) filter(r *ber.Reader, depth int) {
	if w.full() {
		return
	}
	// An element that goes on beyond what was captured is read as far as it is there.
	tag, content, whole, err := r.Partial()
	if err != nil {
		*r = ber.Reader{}
		w.unread()
		return
	}
	if depth > maxFilterDepth {
		w.deep = true
		w.buf = append(w.buf, ellipsis...)
		return
	}
	if !whole {
		w.broken = true
	}
	w.buf = append(w.buf, '(')
	in := ber.New(content)
	switch tag {
	case filterAnd, filterOr:
		// An empty set is legal: absolute true and false (RFC 4526).
		w.buf = append(w.buf, "&|"[tag-filterAnd])
		for !in.Empty() && !w.cut {
			w.filter(&in, depth+1)
		}
	case filterNot:
		w.buf = append(w.buf, '!')
		w.filter(&in, depth+1)
		w.broken = w.broken || !in.Empty() && !w.cut
	case filterEqualityMatch:
		w.assertion(in, "=")
	case filterGreaterOrEqual:
		w.assertion(in, ">=")
	case filterLessOrEqual:
		w.assertion(in, "<=")
	case filterApproxMatch:
		w.assertion(in, "~=")
	case filterPresent:
		w.description(content)
		w.buf = append(w.buf, "=*"...)
	case filterSubstrings:
		w.substrings(in)
	case filterExtensibleMatch:
		w.extensible(in)
	default:
		w.unread()
	}
	w.buf = append(w.buf, ')')
}

// assertion writes an AttributeValueAssertion.
func (w *filterText) assertion(r ber.Reader, op string) {
	desc, ok := r.Expect(ber.OctetString)
	if !ok {
		w.unread()
		return
	}
	w.description(desc)
	w.buf = append(w.buf, op...)
	tag, value, whole, err := r.Partial()
	if err != nil || tag != ber.OctetString {
		w.unread()
		return
	}
	w.value(value)
	if !whole || !r.Empty() {
		w.unread()
	}
}

// substrings writes a SubstringFilter: at most one initial, then any, then at
// most one final, none of them empty (RFC 4517 §3.3.30).
func (w *filterText) substrings(r ber.Reader) {
	const (
		initial = ber.Tag(0x80)
		any     = ber.Tag(0x81)
		final   = ber.Tag(0x82)
	)
	desc, ok := r.Expect(ber.OctetString)
	if !ok {
		w.unread()
		return
	}
	w.description(desc)
	w.buf = append(w.buf, '=')
	parts, ok := r.Into(ber.Sequence)
	if !ok || parts.Empty() {
		w.unread()
		return
	}
	for last := ber.Tag(0); !w.full(); {
		if parts.Empty() {
			if last != final {
				w.buf = append(w.buf, '*')
			}
			if !r.Empty() {
				w.unread()
			}
			return
		}
		tag, value, err := parts.Next()
		if err != nil || tag < initial || tag > final || last == final || tag == initial && last != 0 || len(value) == 0 {
			w.unread()
			return
		}
		if tag != initial {
			w.buf = append(w.buf, '*')
		}
		w.value(value)
		last = tag
	}
}

// extensible writes a MatchingRuleAssertion. AD's rules for bits and chains
// (MS-ADTS §3.1.1.3.4.4) come this way.
func (w *filterText) extensible(r ber.Reader) {
	rule, hasRule := r.Expect(ber.ContextPrimitive(1))
	if desc, ok := r.Expect(ber.ContextPrimitive(2)); ok {
		w.description(desc)
	}
	value, ok := r.Expect(ber.ContextPrimitive(3))
	if dn, ok := r.Expect(ber.ContextPrimitive(4)); ok && (len(dn) != 1 || dn[0] != 0) {
		w.buf = append(w.buf, ":dn"...)
	}
	if hasRule {
		w.buf = append(w.buf, ':')
		w.description(rule)
	}
	w.buf = append(w.buf, ":="...)
	if ok {
		w.value(value)
	}
	if !ok || !r.Empty() {
		w.unread()
	}
}

// description writes an AttributeDescription or a matching rule's name: letters,
// digits, hyphens, dots and options (RFC 4512 §2.5). Anything else has no place
// in one; it is escaped like a value, lest it look like a part of the filter.
func (w *filterText) description(b []byte) {
	for _, c := range b {
		if w.full() {
			return
		}
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '.', c == ';', c == '_': // "_" by custom of some products
			w.buf = append(w.buf, c)
		default:
			w.escape(c)
		}
	}
}

// value writes an AssertionValue.
func (w *filterText) value(b []byte) {
	binary := !isText(b)
	for _, c := range b {
		if w.full() {
			return
		}
		if binary || c == '(' || c == ')' || c == '*' || c == '\\' {
			w.escape(c)
		} else {
			w.buf = append(w.buf, c)
		}
	}
}

func (w *filterText) escape(c byte) {
	const hex = "0123456789abcdef"
	w.buf = append(w.buf, '\\', hex[c>>4], hex[c&15])
}

// isText tells a value that people read from one of octets.
func isText(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}
