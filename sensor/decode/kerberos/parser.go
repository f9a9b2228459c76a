package kerberos

import (
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode/ber"
)

// parser reads the elements of one message, keeps going where it can, and notes
// what is odd about them. Nothing in it recurses: the depth of what is read is
// that of RFC 4120's types.
type parser struct {
	cut   bool // the message goes on beyond what was captured: elements that run over its end are no fault
	reply bool // the message is the KDC's: some types of pre-authentication data have other values then
	found anomalies
}

// element reads the next element of r, or what there is of it; whole tells
// which. ok is false at the end of r and at bytes that are no element, which
// end r.
func (p *parser) element(r *ber.Reader) (tag ber.Tag, content []byte, whole, ok bool) {
	if r.Empty() {
		return 0, nil, false, false
	}
	rest := r.Rest()
	tag, h, n, err := ber.Header(rest)
	if err != nil || h == 0 {
		*r = ber.Reader{}
		if err != nil || !p.cut {
			p.found |= badElement
		}
		return 0, nil, false, false
	}
	// X.690 §10.1: the length takes the fewest octets. h is 2 for the short
	// form, 3 for one length octet after the first, and so on.
	if h == 3 && n < 0x80 || h > 3 && n>>(8*(h-3)) == 0 {
		p.found |= longLength
	}
	whole = n <= len(rest)-h
	if !whole {
		n = len(rest) - h
		if !p.cut {
			p.found |= overrun
		}
	}
	*r = ber.New(rest[h+n:])
	return tag, rest[h : h+n], whole, true
}

// single reads content as the one element that an explicit tag holds.
func (p *parser) single(content []byte) (tag ber.Tag, inner []byte, whole, ok bool) {
	r := ber.New(content)
	tag, inner, whole, ok = p.element(&r)
	if !r.Empty() {
		p.found |= trailingBytes
	}
	if len(content) == 0 && !p.cut {
		p.found |= badElement
	}
	return tag, inner, whole, ok
}

// only is single for an element with the given tag.
func (p *parser) only(content []byte, want ber.Tag) (inner []byte, whole, ok bool) {
	tag, inner, whole, ok := p.single(content)
	if ok && tag != want {
		p.found |= wrongType
		ok = false
	}
	if !ok {
		return nil, false, false
	}
	return inner, whole, true
}

// leaf is only for a primitive element, of which a part is worth nothing.
func (p *parser) leaf(content []byte, want ber.Tag) ([]byte, bool) {
	b, whole, _ := p.only(content, want)
	if !whole {
		return nil, false
	}
	return b, true
}

// fields walks a SEQUENCE whose fields carry explicit context tags, as all of
// RFC 4120's do.
type fields struct {
	p    *parser
	r    ber.Reader
	seen uint32 // one bit per tag number
	last int
}

// sequence reads content as one SEQUENCE of tagged fields.
func (p *parser) sequence(content []byte) fields {
	inner, _, _ := p.only(content, ber.Sequence)
	return fields{p: p, r: ber.New(inner), last: -1}
}

// nextSequence reads the next member of a SEQUENCE OF SEQUENCE.
func (p *parser) nextSequence(r *ber.Reader) (f fields, ok bool) {
	for {
		tag, inner, _, ok := p.element(r)
		if !ok {
			return fields{}, false
		}
		if tag == ber.Sequence {
			return fields{p: p, r: ber.New(inner), last: -1}, true
		}
		p.found |= wrongType
	}
}

// each yields the tag number and content of every field, in their order.
func (f *fields) each(yield func(n int, content []byte) bool) {
	for tag, content, _, ok := f.p.element(&f.r); ok; tag, content, _, ok = f.p.element(&f.r) {
		if tag&0xe0 != 0xa0 {
			f.p.found |= wrongType
			continue
		}
		n := int(tag & 0x1f)
		if n <= f.last {
			f.p.found |= fieldOrder
		}
		f.last = max(f.last, n)
		f.seen |= 1 << n
		if !yield(n, content) {
			return
		}
	}
}

// unknown notes a field that the type does not define.
func (f *fields) unknown() { f.p.found |= unknownField }

// need notes when a mandatory field is missing; mandatory is made by bits.
func (f *fields) need(mandatory uint32) {
	if !f.p.cut && f.seen&mandatory != mandatory {
		f.p.found |= missingField
	}
}

func bits(numbers ...int) (b uint32) {
	for _, n := range numbers {
		b |= 1 << n
	}
	return b
}

// integer reads the content of an INTEGER between lo and hi.
func (p *parser) integer(b []byte, lo, hi int64) (int64, bool) {
	v, ok := ber.Int(b)
	if !ok || v < lo || v > hi {
		p.found |= integerRange
		return 0, false
	}
	// X.690 §8.3.2: the first nine bits are not all equal.
	if len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		p.found |= longInteger
	}
	return v, true
}

// int32 reads an Int32 (RFC 4120 §5.2.4).
func (p *parser) int32(content []byte) (int32, bool) {
	b, ok := p.leaf(content, ber.Integer)
	if !ok {
		return 0, false
	}
	v, ok := p.integer(b, -1<<31, 1<<31-1)
	return int32(v), ok
}

// uint32 reads a UInt32 (RFC 4120 §5.2.4). Senders that count in signed
// numbers, as RFC 1510 did for nonces and Windows does for the key versions of
// read-only domain controllers, are taken at their 32 bits.
func (p *parser) uint32(content []byte) uint32 {
	b, ok := p.leaf(content, ber.Integer)
	if !ok {
		return 0
	}
	v, _ := p.integer(b, -1<<31, 1<<32-1)
	return uint32(v)
}

// version checks pvno or tkt-vno, always 5.
func (p *parser) version(content []byte) {
	if v, ok := p.int32(content); ok && v != 5 {
		p.found |= wrongVersion
	}
}

// msgType checks msg-type against the application tag that was read.
func (p *parser) msgType(content []byte, want int32) {
	if v, ok := p.int32(content); ok && v != want {
		p.found |= msgTypeMismatch
	}
}

// kerberosString reads a KerberosString (RFC 4120 §5.2.1).
func (p *parser) kerberosString(content []byte) []byte {
	tag, b, whole, ok := p.single(content)
	if !ok || !whole || !p.isString(tag) {
		return nil
	}
	return b
}

// isString tells whether tag is that of a character string, and notes any
// other than GeneralString.
func (p *parser) isString(tag ber.Tag) bool {
	if tag == ber.GeneralString {
		return true
	}
	p.found |= wrongType
	switch tag {
	case ber.UTF8String, 0x13, 0x16, 0x1a: // PrintableString, IA5String, VisibleString
		return true
	}
	return false
}

// time reads a KerberosTime. It is 0, which requests use for "no limit"
// (19700101000000Z), also for times that int64 nanoseconds cannot hold.
func (p *parser) time(content []byte) activity.Time {
	b, ok := p.leaf(content, ber.GeneralizedTime)
	if !ok {
		return 0
	}
	t, ok := kerberosTime(b)
	if !ok {
		p.found |= badTime
	}
	return t
}

// kerberosTime parses YYYYMMDDHHMMSSZ, the one form of RFC 4120 §5.2.3.
func kerberosTime(b []byte) (activity.Time, bool) {
	if len(b) != len("YYYYMMDDHHMMSSZ") || b[14] != 'Z' {
		return 0, false
	}
	for _, c := range b[:14] {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	year, month, day := two(0)*100+two(2), time.Month(two(4)), two(6)
	hour, minute, second := two(8), two(10), two(12)
	t := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	if t.Month() != month || t.Day() != day || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	const limit = (1<<63 - 1) / int64(time.Second)
	if s := t.Unix(); s >= limit || s <= -limit {
		return 0, true
	}
	return activity.Time(t.UnixNano()), true
}

// flags reads KerberosFlags (RFC 4120 §5.2.8), bit 0 the highest. Bits beyond
// the 32 defined ones are left out.
func (p *parser) flags(content []byte) (v uint32) {
	b, ok := p.leaf(content, ber.BitString)
	if !ok {
		return 0
	}
	if len(b) < 5 || b[0] != 0 { // b[0] counts the unused bits at the end
		p.found |= shortFlags
	}
	for i := 1; i < 5; i++ {
		v <<= 8
		if i < len(b) {
			v |= uint32(b[i])
		}
	}
	return v
}
