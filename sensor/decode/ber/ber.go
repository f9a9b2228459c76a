// Package ber reads the Basic Encoding Rules (X.690) as LDAP, Kerberos and
// SPNEGO use them: definite lengths, in place, without allocating. It is a
// cursor over bytes that may be hostile: every read is bounded by the element
// around it.
package ber

import "errors"

var (
	// ErrTruncated says that an element is longer than what is there.
	ErrTruncated = errors.New("element longer than its container")
	// ErrForm says that the encoding is not one these protocols use: an
	// indefinite length, one of more than 4 bytes or 2 GiB, a tag number above 30.
	ErrForm = errors.New("unsupported BER form")
)

// Tag is an identifier octet: class, constructed bit and number below 31.
type Tag byte

const (
	Boolean         Tag = 0x01
	Integer         Tag = 0x02
	BitString       Tag = 0x03
	OctetString     Tag = 0x04
	OID             Tag = 0x06
	Enumerated      Tag = 0x0a
	UTF8String      Tag = 0x0c
	GeneralString   Tag = 0x1b
	GeneralizedTime Tag = 0x18
	Sequence        Tag = 0x30
	Set             Tag = 0x31
)

// Application is the constructed application tag n, as of Kerberos messages.
func Application(n byte) Tag { return 0x60 | Tag(n) }

// Context is the constructed context tag n, the explicit tagging of Kerberos.
func Context(n byte) Tag { return 0xa0 | Tag(n) }

// ContextPrimitive is the primitive context tag n, as LDAP's implicit tagging gives.
func ContextPrimitive(n byte) Tag { return 0x80 | Tag(n) }

// maxContent keeps header and content together within an int of 32 bits.
const maxContent = 1<<31 - 16

// Header reads an identifier and length at the start of b: the tag, the number
// of header bytes and the number of content bytes. The content may be longer
// than b. header is 0 and err nil when b is too short to tell.
func Header(b []byte) (tag Tag, header, content int, err error) {
	if len(b) < 2 {
		return 0, 0, 0, nil
	}
	tag = Tag(b[0])
	if tag&0x1f == 0x1f {
		return 0, 0, 0, ErrForm
	}
	if b[1] < 0x80 {
		return tag, 2, int(b[1]), nil
	}
	n := int(b[1] & 0x7f)
	if n == 0 || n > 4 {
		return 0, 0, 0, ErrForm
	}
	if len(b) < 2+n {
		return 0, 0, 0, nil
	}
	var length uint32
	for _, x := range b[2 : 2+n] {
		length = length<<8 | uint32(x)
	}
	if length > maxContent {
		return 0, 0, 0, ErrForm
	}
	return tag, 2 + n, int(length), nil
}

// Reader walks the elements in b. The zero value is at its end. Methods that
// fail leave the reader where it was.
type Reader struct{ b []byte }

// New reads the elements of b.
func New(b []byte) Reader { return Reader{b} }

// Empty tells that nothing is left.
func (r *Reader) Empty() bool { return len(r.b) == 0 }

// Rest is what is left, unread.
func (r *Reader) Rest() []byte { return r.b }

// Peek returns the tag of the next element, 0 at the end.
func (r *Reader) Peek() Tag {
	if len(r.b) == 0 {
		return 0
	}
	return Tag(r.b[0])
}

// Next returns the tag and content of the next element.
func (r *Reader) Next() (Tag, []byte, error) {
	tag, h, n, err := Header(r.b)
	if err != nil {
		return 0, nil, err
	}
	if h == 0 || n > len(r.b)-h {
		return 0, nil, ErrTruncated
	}
	content := r.b[h : h+n]
	r.b = r.b[h+n:]
	return tag, content, nil
}

// Partial is Next for an element that may be cut off by the end of what was
// captured: it returns what there is of the content, and whether it is whole.
func (r *Reader) Partial() (tag Tag, content []byte, whole bool, err error) {
	tag, h, n, err := Header(r.b)
	if err != nil {
		return 0, nil, false, err
	}
	if h == 0 {
		return 0, nil, false, ErrTruncated
	}
	whole = n <= len(r.b)-h
	n = min(n, len(r.b)-h)
	content = r.b[h : h+n]
	r.b = r.b[h+n:]
	return tag, content, whole, nil
}

// Expect returns the content of the next element if it has the tag. ok is false
// at the end, for another tag and for a broken element.
func (r *Reader) Expect(t Tag) (content []byte, ok bool) {
	if r.Peek() != t || len(r.b) == 0 {
		return nil, false
	}
	_, content, err := r.Next()
	return content, err == nil
}

// Into descends into the next element if it has the tag.
func (r *Reader) Into(t Tag) (Reader, bool) {
	c, ok := r.Expect(t)
	return Reader{c}, ok
}

// Int reads the content of an INTEGER or ENUMERATED of at most 8 bytes.
func Int(content []byte) (int64, bool) {
	if len(content) == 0 || len(content) > 8 {
		return 0, false
	}
	v := int64(int8(content[0]))
	for _, x := range content[1:] {
		v = v<<8 | int64(x)
	}
	return v, true
}

// Int reads the next element as INTEGER.
func (r *Reader) Int() (int64, bool) {
	save := *r
	c, ok := r.Expect(Integer)
	if !ok {
		return 0, false
	}
	v, ok := Int(c)
	if !ok {
		*r = save
	}
	return v, ok
}
