package ber

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHeader(t *testing.T) {
	for _, c := range []struct {
		in      string
		tag     Tag
		header  int
		content int
		err     error
	}{
		{"", 0, 0, 0, nil},
		{"30", 0, 0, 0, nil},
		{"3000", Sequence, 2, 0, nil},
		{"307f", Sequence, 2, 127, nil},
		{"3080", 0, 0, 0, ErrForm}, // indefinite
		{"3081", 0, 0, 0, nil},
		{"308180", Sequence, 3, 128, nil},
		{"308105", Sequence, 3, 5, nil}, // not minimal: BER allows it (X.690 §8.1.3.5)
		{"30820100", Sequence, 4, 256, nil},
		{"3084000001", 0, 0, 0, nil},
		{"308400000102", Sequence, 6, 258, nil}, // as Windows writes LDAP
		{"30847ffffff0", Sequence, 6, 1<<31 - 16, nil},
		{"30847ffffff1", 0, 0, 0, ErrForm},
		{"308480000000", 0, 0, 0, ErrForm},
		{"3084ffffffff", 0, 0, 0, ErrForm},
		{"30850000000001", 0, 0, 0, ErrForm},
		{"30ff", 0, 0, 0, ErrForm},
		{"1f8101", 0, 0, 0, ErrForm}, // tag number above 30
		{"6103", Application(1), 2, 3, nil},
		{"a303", Context(3), 2, 3, nil},
		{"8303", ContextPrimitive(3), 2, 3, nil},
	} {
		tag, header, content, err := Header(unhex(t, c.in))
		if tag != c.tag || header != c.header || content != c.content || err != c.err {
			t.Errorf("%s: %#x, %d, %d, %v; want %#x, %d, %d, %v", c.in, tag, header, content, err, c.tag, c.header, c.content, c.err)
		}
	}
}

func TestReader(t *testing.T) {
	r := New(unhex(t, "020105"+"0402abcd"+"30060101ff020181"+"0a0100"))
	if r.Peek() != Integer {
		t.Errorf("Peek = %#x", r.Peek())
	}
	if _, ok := r.Expect(OctetString); ok || r.Peek() != Integer {
		t.Error("another tag was taken, or moved the reader")
	}
	if v, ok := r.Int(); v != 5 || !ok {
		t.Errorf("Int = %d, %v", v, ok)
	}
	if _, ok := r.Int(); ok || r.Peek() != OctetString {
		t.Error("an octet string is no integer")
	}
	if c, ok := r.Expect(OctetString); !ok || !bytes.Equal(c, []byte{0xab, 0xcd}) {
		t.Errorf("Expect = %x, %v", c, ok)
	}
	if _, ok := r.Into(Set); ok {
		t.Error("descended into a sequence as a set")
	}
	in, ok := r.Into(Sequence)
	if !ok {
		t.Fatal("no sequence")
	}
	if tag, c, err := in.Next(); tag != Boolean || !bytes.Equal(c, []byte{0xff}) || err != nil {
		t.Errorf("Next = %#x, %x, %v", tag, c, err)
	}
	if v, ok := in.Int(); v != -127 || !ok || !in.Empty() {
		t.Errorf("Int = %d, %v; empty %v", v, ok, in.Empty())
	}
	if len(r.Rest()) != 3 || r.Empty() {
		t.Errorf("Rest = %x", r.Rest())
	}
	if tag, _, err := r.Next(); tag != Enumerated || err != nil || !r.Empty() || r.Peek() != 0 {
		t.Errorf("the last: %#x, %v", tag, err)
	}
	if _, _, err := r.Next(); !errors.Is(err, ErrTruncated) {
		t.Errorf("at the end: %v", err)
	}
	if _, ok := r.Expect(0); ok {
		t.Error("the end was taken for an element of tag 0")
	}
}

func TestReaderStaysWhereItFails(t *testing.T) {
	for _, s := range []string{"0203ab", "02", "028400000010", "02ff00", "1f00", "0200", "0209000000000000000001"} {
		r := New(unhex(t, s))
		before := len(r.Rest())
		if v, ok := r.Int(); ok {
			t.Errorf("%s: Int = %d", s, v)
		}
		if len(r.Rest()) != before {
			t.Errorf("%s: the reader moved", s)
		}
	}
}

func TestPartial(t *testing.T) {
	for _, c := range []struct {
		in, content, rest string
		whole             bool
		err               error
	}{
		{"0402abcdef", "abcd", "ef", true, nil},
		{"0405abcd", "abcd", "", false, nil},
		{"0405", "", "", false, nil},
		{"04", "", "04", false, ErrTruncated},
		{"0480", "", "0480", false, ErrForm},
	} {
		r := New(unhex(t, c.in))
		tag, content, whole, err := r.Partial()
		if hex.EncodeToString(content) != c.content || whole != c.whole || err != c.err || hex.EncodeToString(r.Rest()) != c.rest {
			t.Errorf("%s: %#x %x, whole %v, %v, rest %x", c.in, tag, content, whole, err, r.Rest())
		}
	}
}

func TestInt(t *testing.T) {
	for in, want := range map[string]int64{"00": 0, "7f": 127, "80": -128, "ff": -1, "0080": 128, "7fffffffffffffff": 1<<63 - 1, "8000000000000000": -1 << 63} {
		if v, ok := Int(unhex(t, in)); v != want || !ok {
			t.Errorf("%s: %d, %v", in, v, ok)
		}
	}
	for _, in := range []string{"", "000000000000000001"} {
		if v, ok := Int(unhex(t, in)); ok {
			t.Errorf("%q: %d", in, v)
		}
	}
}

// FuzzReader walks whatever comes, as deep as it goes. Elements never reach
// beyond what holds them, and walking ends.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"", "3080", "30847fffffff", "1f", "30060101ff020181", "a0038301aa", "3084ffffffff00"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if tag, h, n, err := Header(b); err != nil && h != 0 || h > len(b) || n < 0 || h == 0 && (tag != 0 || n != 0) {
			t.Errorf("Header = %#x, %d, %d, %v", tag, h, n, err)
		}
		var walk func(r Reader, depth int) (bytes int)
		walk = func(r Reader, depth int) (total int) {
			for !r.Empty() {
				before := len(r.Rest())
				probe := r
				_, part, whole, perr := probe.Partial()
				tag, c, err := r.Next()
				if err != nil {
					if len(r.Rest()) != before || perr == nil && whole {
						t.Fatalf("Next fails with %v and Partial reads %x", err, part)
					}
					return total
				}
				if !whole || !bytes.Equal(part, c) || len(r.Rest()) >= before {
					t.Fatalf("Partial gives %x, Next %x", part, c)
				}
				total += len(c)
				Int(c)
				if tag&0x20 != 0 && depth < 50 {
					if inner := walk(New(c), depth+1); inner > 50*len(c) {
						t.Fatal("more inside than there is")
					}
				}
			}
			return total
		}
		walk(New(b), 0)
	})
}
