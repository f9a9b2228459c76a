package names

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// FromUTF8 reads text from the wire. Every byte that is not part of valid UTF-8
// stands as U+FFFD in s, and raw is a copy of b; raw is nil when b is valid.
// Control characters stay in s: see Display.
func FromUTF8(b []byte) (s string, raw []byte) {
	if utf8.Valid(b) {
		return string(b), nil
	}
	return string([]rune(string(b))), bytes.Clone(b)
}

// FromUTF16LE reads little-endian UTF-16 from the wire, as all Microsoft
// protocols send it. NULs at the end are taken off: they are padding or a
// terminator. A lone surrogate stands as U+FFFD in s, and so does a last odd
// byte; then raw is a copy of b, NULs included, else nil.
func FromUTF16LE(b []byte) (s string, raw []byte) {
	units, odd := b[:len(b)&^1], len(b)&1 == 1
	if !odd {
		for n := len(units); n > 0 && units[n-1] == 0 && units[n-2] == 0; n = len(units) {
			units = units[:n-2]
		}
	}
	broken := odd
	text := make([]byte, 0, len(units)/2+utf8.UTFMax)
	for i := 0; i < len(units); i += 2 {
		r := rune(units[i]) | rune(units[i+1])<<8
		if utf16.IsSurrogate(r) {
			pair := utf8.RuneError
			if i+4 <= len(units) {
				pair = utf16.DecodeRune(r, rune(units[i+2])|rune(units[i+3])<<8)
			}
			if r = pair; r == utf8.RuneError { // no pair decodes to U+FFFD
				broken = true
			} else {
				i += 2
			}
		}
		text = utf8.AppendRune(text, r)
	}
	if odd {
		text = utf8.AppendRune(text, utf8.RuneError)
	}
	if broken {
		return string(text), bytes.Clone(b)
	}
	return string(text), nil
}

// Display makes s safe to print on a terminal or in a log: every character that
// is not graphic is written as an escape. Those are the C0 and C1 controls
// (terminal escape sequences begin with them), line and paragraph separators,
// and format characters such as the bidirectional overrides U+202A–U+202E and
// U+2066–U+2069, which make a name read as another. Bytes that are not UTF-8
// are escaped too.
//
// Backslashes stay as they are, so that DOMAIN\name stays readable: the result
// is for eyes and cannot be reversed. Characters special to HTML stay as well;
// a page escapes them like any other text.
func Display(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}
