package wire

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/verderer/verderer/activity"
)

// An encoder appends to b.
type encoder struct {
	b []byte
	// mend makes what a reader would refuse into what it takes: text that is not
	// UTF-8 gets U+FFFD, what is too long is cut. Decoders see to both, but a slip
	// of one must not cost the batch in which its activity travels. Without mend
	// err is set.
	mend bool
	err  error
}

// message appends the fields of v that are not zero, in the struct's order.
func (e *encoder) message(c *codec, v reflect.Value) {
	for i := range c.fields {
		f := &c.fields[i]
		f.put(e, f, v.Field(f.index))
		if e.err != nil {
			e.err = below(f.Name, e.err)
			return
		}
	}
}

// nested appends a message with its key and length. Most are shorter than 128
// bytes and their length takes the one byte left for it; others are moved.
func (e *encoder) nested(f *Field, v reflect.Value) (size int) {
	e.b = append(e.b, f.key...)
	e.b = append(e.b, 0)
	start := len(e.b)
	e.message(f.inner, v)
	size = len(e.b) - start
	if more := protowire.SizeVarint(uint64(size)) - 1; more > 0 {
		var room [8]byte
		e.b = append(e.b, room[:more]...)
		copy(e.b[start+more:], e.b[start:start+size])
	}
	protowire.AppendVarint(e.b[:start-1], uint64(size))
	return size
}

func putScalar(e *encoder, f *Field, v reflect.Value) {
	if !v.IsZero() {
		e.b = append(e.b, f.key...)
		f.scalar.put(e, f.Max, v)
	}
}

func putOptional(e *encoder, f *Field, v reflect.Value) {
	if !v.IsNil() {
		e.b = append(e.b, f.key...)
		f.scalar.put(e, f.Max, v.Elem())
	}
}

func putTexts(e *encoder, f *Field, v reflect.Value) {
	for i := range e.length(f, v) {
		e.b = append(e.b, f.key...)
		if f.scalar.put(e, activity.MaxText, v.Index(i)); e.err != nil {
			e.err = below(fmt.Sprintf("[%d]", i), e.err)
			return
		}
	}
}

func putPacked(e *encoder, f *Field, v reflect.Value) {
	n := e.length(f, v)
	if n == 0 {
		return
	}
	start := len(e.b)
	for i := range n {
		f.scalar.put(e, 0, v.Index(i))
	}
	size := len(e.b) - start
	var head [16]byte
	h := protowire.AppendVarint(append(head[:0], f.key...), uint64(size))
	e.b = append(e.b, h...)
	copy(e.b[start+len(h):], e.b[start:start+size])
	copy(e.b[start:], h)
}

func putPointer(e *encoder, f *Field, v reflect.Value) {
	if !v.IsNil() {
		e.nested(f, v.Elem())
	}
}

func putStruct(e *encoder, f *Field, v reflect.Value) {
	if start := len(e.b); e.nested(f, v) == 0 {
		e.b = e.b[:start]
	}
}

func putMessages(e *encoder, f *Field, v reflect.Value) {
	for i := range e.length(f, v) {
		at := v.Index(i)
		if at.Kind() == reflect.Pointer {
			if at.IsNil() {
				e.err = &fieldError{fmt.Sprintf("[%d]", i), errNil}
				return
			}
			at = at.Elem()
		}
		if e.nested(f, at); e.err != nil {
			e.err = below(fmt.Sprintf("[%d]", i), e.err)
			return
		}
	}
}

// length is how many elements of a list are written.
func (e *encoder) length(f *Field, v reflect.Value) int {
	n := v.Len()
	if n <= f.Max {
		return n
	}
	if !e.mend {
		e.err = tooMany(f.Max)
		return 0
	}
	return f.Max
}

func encodeBool(e *encoder, _ int, v reflect.Value) {
	e.b = protowire.AppendVarint(e.b, protowire.EncodeBool(v.Bool()))
}

func encodeSigned(e *encoder, _ int, v reflect.Value) {
	e.b = protowire.AppendVarint(e.b, protowire.EncodeZigZag(v.Int()))
}

func encodeUnsigned(e *encoder, _ int, v reflect.Value) {
	e.b = protowire.AppendVarint(e.b, v.Uint())
}

func encodeFixed(e *encoder, _ int, v reflect.Value) {
	e.b = protowire.AppendFixed64(e.b, uint64(v.Int()))
}

func encodeText(e *encoder, max int, v reflect.Value) {
	e.b = protowire.AppendString(e.b, e.text(v.String(), max))
}

func (e *encoder) text(s string, max int) string {
	switch {
	case len(s) <= max && utf8.ValidString(s):
		return s
	case !e.mend && len(s) > max:
		e.err = tooLong(max)
		return ""
	case !e.mend:
		e.err = errUTF8
		return ""
	}
	if s = strings.ToValidUTF8(s, "\uFFFD"); len(s) > max {
		s = strings.ToValidUTF8(s[:max-min(max, len("…"))], "") + "…"
	}
	return s
}

func encodeBytes(e *encoder, max int, v reflect.Value) {
	b := v.Bytes()
	if max > 0 && len(b) > max {
		if !e.mend {
			e.err = tooLong(max)
		}
		b = b[:max]
	}
	e.b = protowire.AppendBytes(e.b, b)
}

func encodeArray(e *encoder, _ int, v reflect.Value) {
	e.b = protowire.AppendVarint(e.b, uint64(v.Len()))
	e.b = append(e.b, v.Bytes()...)
}

// encodeAddr writes 4 or 16 bytes, and after 16 the zone.
func encodeAddr(e *encoder, _ int, v reflect.Value) {
	a := *v.Addr().Interface().(*netip.Addr)
	if a.Is4() {
		b := a.As4()
		e.b = protowire.AppendBytes(e.b, b[:])
		return
	}
	b, zone := a.As16(), e.text(a.Zone(), activity.MaxText)
	e.b = protowire.AppendVarint(e.b, uint64(len(b)+len(zone)))
	e.b = append(e.b, b[:]...)
	e.b = append(e.b, zone...)
}
