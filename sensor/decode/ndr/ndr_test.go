package ndr

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// sample has one of everything.
func sample(e decodetest.Encoding) *decodetest.Stub {
	s := e.Stub()
	s.Bytes(7).U16(0x1234).U32(0x12345678).Enum(5)
	s.Handle(9)
	s.String("Schöngärten").Unique("u").Null(1)
	s.Narrow("abc")
	s.Unicode("first", "", "third")
	s.SID("S-1-5-21-1-2-3-1104")
	s.GUID("e3514235-4b06-11d1-ab04-00c04fc2dcd2")
	s.Union(10).Pointers(1)
	s.Bytes(1).UnionEnum(7).U32(99)
	s.Struct().U32(2).Pointers(1).Size(2).Pointers(2).SID("S-1-5-32-544").SID("S-1-1-0") // an array of SIDs
	s.Size(3).U32(500, 501, 502)
	s.Size(4).Bytes(1, 2, 3, 4)
	return s
}

// read reads what sample holds.
func read(r *Reader) (got []any) {
	add := func(v ...any) { got = append(got, v...) }
	add(r.Uint8(), r.Uint16(), r.Uint32(), r.Enum())
	add(r.Handle())
	add(r.String(), r.UniqueString(), r.UniqueString())
	add(r.Narrow())
	r.Texts(3, func(s string) { add(s) })
	add(r.SID().String())
	add(r.GUID().String())
	add(r.Union(), r.Pointer())
	r.Uint8()
	add(r.UnionEnum(), r.Uint32())
	r.SIDs(func(s names.SID) { add(s.String()) })
	add(r.Numbers(3))
	add(r.Blob())
	return got
}

func handleOf(b byte) (h Handle) {
	for i := range h {
		h[i] = b
	}
	return h
}

func TestRead(t *testing.T) {
	want := []any{
		uint8(7), uint16(0x1234), uint32(0x12345678), uint32(5), handleOf(9), "Schöngärten", "u", "", "abc",
		"first", "", "third", "S-1-5-21-1-2-3-1104", "e3514235-4b06-11d1-ab04-00c04fc2dcd2", uint32(10), true,
		uint32(7), uint32(99), "S-1-5-32-544", "S-1-1-0", []uint32{500, 501, 502}, []byte{1, 2, 3, 4},
	}
	for _, e := range decodetest.Encodings {
		s := sample(e)
		c := e.Call(0, s, s)
		for _, r := range []*Reader{Request(&c), Response(&c)} {
			if diff := cmp.Diff(want, read(r)); diff != "" || !r.OK() || len(r.Rest()) != 0 {
				t.Errorf("%v: ok %v, %d left, -want +got:\n%s", e, r.OK(), len(r.Rest()), diff)
			}
		}
		for n := range s.B {
			c.Request = s.B[:n]
			r := Request(&c)
			if read(r); r.OK() || r.Malformed() {
				t.Errorf("%v, captured up to byte %d of %d: ok %v, malformed %v", e, n, len(s.B), r.OK(), r.Malformed())
			}
			c.RequestSize = n
			if r = Request(&c); n > 0 {
				if read(r); !r.Malformed() {
					t.Errorf("%v, ended at byte %d: not malformed", e, n)
				}
			}
			c.RequestSize = len(s.B)
		}
	}
}

func TestContradictions(t *testing.T) {
	e := decodetest.Encoding{}
	for _, tt := range []struct {
		what string
		stub *decodetest.Stub
		read func(r *Reader)
	}{
		{"a string longer than its array", e.Stub().Size(3, 0, 4).U16(1, 2, 3, 4), func(r *Reader) { _ = r.String() }},
		{"a string that begins in the middle", e.Stub().Size(4, 1, 2).U16(1, 2, 3, 4), func(r *Reader) { _ = r.String() }},
		{"a count beyond any stub", e.Stub().U32(0xffffffff), func(r *Reader) { r.Blob() }},
		{"a counted string without text", e.Stub().U16(4, 4).Null(1), func(r *Reader) { r.Unicode() }},
		{"a counted string of half a character", e.Stub().U16(3, 4).Pointers(1).Size(2, 0, 2).U16(1, 2), func(r *Reader) { r.Unicode() }},
		{"a counted string longer than its array", e.Stub().U16(6, 6).Pointers(1).Size(2, 0, 2).U16(1, 2), func(r *Reader) { r.Unicode() }},
		{"a SID with another count", e.Stub().Size(2).Bytes(1, 1, 0, 0, 0, 0, 0, 5).U32(32, 544), func(r *Reader) { r.SID() }},
		{"a SID of another revision", e.Stub().Size(1).Bytes(2, 1, 0, 0, 0, 0, 0, 5).U32(32), func(r *Reader) { r.SID() }},
		{"a SID with too many parts", e.Stub().Size(200).Bytes(1, 200, 0, 0, 0, 0, 0, 5).Zeros(800), func(r *Reader) { r.SID() }},
		{"an array with another count", e.Stub().Size(3).U32(1, 2), func(r *Reader) { r.Numbers(2) }},
		{"a null reference", e.Stub().Null(1), func(r *Reader) { r.Ref() }},
	} {
		c := e.Call(0, tt.stub, nil)
		c.RequestSize++ // a stub that is cut is no contradiction
		r := Request(&c)
		if tt.read(r); !r.Malformed() {
			t.Errorf("%s: not malformed", tt.what)
		}
		var a activity.Activity
		r.Note(&a)
		r.Note(&a)
		if !slices.Equal(a.Anomalies, []string{AnomalyStub}) {
			t.Errorf("%s: anomalies %v", tt.what, a.Anomalies)
		}
		if r.Uint32() != 0 || r.Bytes(1) != nil || r.Rest() != nil {
			t.Errorf("%s: reading goes on", tt.what)
		}
	}
}

// TestCut: of a text that is not all there, or too long, the beginning counts.
func TestCut(t *testing.T) {
	e := decodetest.Encoding{}
	long := strings.Repeat("ab", activity.MaxText)
	c := e.Call(0, e.Stub().String(long), nil)
	if got := Request(&c).String(); got != activity.Cut(long) {
		t.Errorf("a long text has %d bytes", len(got))
	}
	if got := Request(&c).Long(); got != long {
		t.Errorf("Long gives %d bytes", len(got))
	}
	c.Request = c.Request[:12+2*5+1]
	if r := Request(&c); r.String() != "ababa" || r.OK() || r.Malformed() {
		t.Error("the beginning of a text was not read")
	}
	if r := Request(&c); !r.OK() || r.Empty() {
		t.Error("a stub that is there is empty")
	}
	c.Request = nil
	if r := Request(&c); !r.Empty() || r.Malformed() {
		t.Error("a sealed stub is not empty")
	}
}

func TestHandles(t *testing.T) {
	var h Handles[string]
	h.Put(Handle{}, "none", 4)
	if h.Of(Handle{}) != "" {
		t.Error("the null handle stands for something")
	}
	h.Put(handleOf(1), "a", 1)
	h.Put(handleOf(2), "b", 1)
	h.Put(handleOf(1), "c", 1)
	if h.Of(handleOf(1)) != "c" || h.Of(handleOf(2)) != "b" || h.Of(handleOf(3)) != "" {
		t.Errorf("%+v", h)
	}
	h.Close(handleOf(2))
	h.Close(handleOf(9))
	if h.Of(handleOf(2)) != "" || len(h.list) != 1 {
		t.Errorf("%+v", h)
	}
	for i := range 3 * maxHandles {
		h.Put(handleOf(byte(i+1)), "x", 1)
	}
	if len(h.list) != maxHandles || h.Of(handleOf(byte(2*maxHandles))) != "" || h.Of(handleOf(byte(2*maxHandles+1))) != "x" {
		t.Errorf("%d handles are kept", len(h.list))
	}
	if n := h.Held(); n < maxHandles*(20+16) || n > 64<<10 {
		t.Errorf("Held is %d", n)
	}
}

func FuzzRead(f *testing.F) {
	for i, e := range decodetest.Encodings {
		f.Add(sample(e).B, byte(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, how byte) {
		e := decodetest.Encodings[int(how)%len(decodetest.Encodings)]
		c := e.Call(0, &decodetest.Stub{B: b}, nil)
		before := bytes.Clone(b)
		r := Request(&c)
		for _, v := range read(r) {
			switch v := v.(type) {
			case string:
				if len(v) > activity.MaxText {
					t.Errorf("a text of %d bytes", len(v))
				}
			case []uint32:
				if len(v) > 3 {
					t.Errorf("%d numbers", len(v))
				}
			}
		}
		if !bytes.Equal(b, before) {
			t.Error("the stub was changed")
		}
	})
}

// BenchmarkUnicode reads a handle and a name, what most requests are.
func BenchmarkUnicode(b *testing.B) {
	e := decodetest.Encoding{}
	c := e.Call(0, e.Stub().Handle(1).Unicode("adm-carla"), nil)
	b.ReportAllocs()
	for b.Loop() {
		r := Request(&c)
		r.Handle()
		_ = r.Unicode()
	}
}
