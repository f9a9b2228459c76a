package names

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestFromUTF8(t *testing.T) {
	for _, c := range []struct {
		in, want string
		broken   bool
	}{
		{"", "", false},
		{"alice", "alice", false},
		{"Jörg", "Jörg", false},
		{"\uFFFD is valid", "\uFFFD is valid", false},
		{"a\xffb", "a\uFFFDb", true},
		{"\xc0\x80", "\uFFFD\uFFFD", true},              // overlong NUL
		{"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", true},    // surrogate
		{"caf\xe9", "caf\uFFFD", true},                  // Latin-1
		{"\x1b[2Jalice\x00", "\x1b[2Jalice\x00", false}, // controls are kept
	} {
		s, raw := FromUTF8([]byte(c.in))
		if s != c.want {
			t.Errorf("FromUTF8(%q) = %q, want %q", c.in, s, c.want)
		}
		if c.broken != (raw != nil) || c.broken && string(raw) != c.in {
			t.Errorf("FromUTF8(%q): raw %q", c.in, raw)
		}
	}
}

func TestFromUTF8CopiesRaw(t *testing.T) {
	b := []byte("a\xff")
	_, raw := FromUTF8(b)
	b[0] = 'z'
	if raw[0] != 'a' {
		t.Error("raw shares memory with the caller's buffer")
	}
}

func TestFromUTF16LE(t *testing.T) {
	for _, c := range []struct {
		name   string
		in     []byte
		want   string
		broken bool
	}{
		{"empty", nil, "", false},
		{"ASCII", []byte("L\x00A\x00B\x00"), "LAB", false},
		{"terminated", []byte("L\x00\x00\x00\x00\x00"), "L", false},
		{"NULs only", []byte{0, 0, 0, 0}, "", false},
		{"NUL inside", []byte("a\x00\x00\x00b\x00"), "a\x00b", false},
		{"pair", []byte{0x3D, 0xD8, 0x00, 0xDE}, "😀", false},
		{"high alone at the end", []byte{'a', 0, 0x3D, 0xD8}, "a\uFFFD", true},
		{"high before a letter", []byte{0x3D, 0xD8, 'a', 0}, "\uFFFDa", true},
		{"low alone", []byte{0x00, 0xDE, 'a', 0}, "\uFFFDa", true},
		{"two highs, one low", []byte{0x3D, 0xD8, 0x3D, 0xD8, 0x00, 0xDE}, "\uFFFD😀", true},
		{"odd", []byte{'a', 0, 'b'}, "a\uFFFD", true},
		{"odd after NULs", []byte{'a', 0, 0, 0, 'b'}, "a\x00\uFFFD", true},
		{"odd NUL", []byte{'a', 0, 0}, "a\uFFFD", true},
		{"U+FFFD itself", []byte{0xFD, 0xFF}, "\uFFFD", false},
	} {
		s, raw := FromUTF16LE(c.in)
		if s != c.want || c.broken != (raw != nil) || c.broken && !bytes.Equal(raw, c.in) {
			t.Errorf("%s: %q, raw %x; want %q, broken %v", c.name, s, raw, c.want, c.broken)
		}
	}
}

func FuzzFromUTF16LE(f *testing.F) {
	f.Add([]byte("L\x00A\x00B\x00\x00\x00"))
	f.Add([]byte{0x3D, 0xD8, 0x00, 0xDE, 0x3D})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, raw := FromUTF16LE(b)
		if !utf8.ValidString(s) {
			t.Fatalf("not valid UTF-8: %q", s)
		}
		if raw != nil {
			if !bytes.Equal(raw, b) || !strings.Contains(s, "\uFFFD") {
				t.Fatalf("broken input %x gave %q, raw %x", b, s, raw)
			}
			return
		}
		var back []byte
		for _, u := range utf16.Encode([]rune(s)) {
			back = binary.LittleEndian.AppendUint16(back, u)
		}
		if !bytes.HasPrefix(b, back) || len(bytes.Trim(b[len(back):], "\x00")) > 0 {
			t.Fatalf("valid input %x does not come back: %x", b, back)
		}
	})
}

func TestDisplay(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		`LAB\alice`:              `LAB\alice`,
		"Jörg Ünal 株式":           "Jörg Ünal 株式",
		"<b>":                    "<b>",
		"\x1b[31mred":            `\x1b[31mred`,
		"a\x00b\r\nc\td":         `a\x00b\x0d\x0ac\x09d`,
		"\x7f":                   `\x7f`,
		"\u009b2J":               `\u009b2J`, // C1 CSI
		"admin\u202Eexe.\u2066":  `admin\u202eexe.\u2066`,
		"a\u200Bb\uFEFF":         `a\u200bb\ufeff`,
		"line\u2028end":          `line\u2028end`,
		"tag\U000E0041":          `tag\U000e0041`,
		"bad\xff":                `bad\xff`,
		"broken name \uFFFD":     "broken name \uFFFD",
		"cut \xe2\x82 and valid": `cut \xe2\x82 and valid`,
	} {
		if got := Display(in); got != want {
			t.Errorf("Display(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDisplayHidesEveryControl(t *testing.T) {
	for r := rune(0); r < 0x2100; r++ {
		control := r < 0x20 || r >= 0x7F && r < 0xA0 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
		if control && strings.ContainsRune(Display("a"+string(r)), r) {
			t.Errorf("Display leaves %U", r)
		}
	}
}
