package decode

import "testing"

func TestFramerBegun(t *testing.T) {
	f := Framer{Max: 4, Header: func(b []byte) int { return int(b[0]) }}
	f.Reset(false)
	none := func([]byte, bool) { t.Error("a message came out of half of one") }
	if b := f.Begun(); b != nil {
		t.Errorf("before any byte: Begun() = %q, want nil", b)
	}
	f.Feed([]byte("\x09abcdef"), none)
	if got := string(f.Begun()); got != "\x09abc" {
		t.Errorf("inside a message: Begun() = %q, want its first Max bytes", got)
	}
	f.Gap(1)
	if f.Lost() {
		t.Error("a gap beyond Max lost the place")
	}
	f.Gap(0)
	if b := f.Begun(); b != nil {
		t.Errorf("after a gap: Begun() = %q, want nil", b)
	}
}
