package dns

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/dns/dnsmessage"
)

// appendName appends the presentation of a name, without the final dot; nothing
// for the root. The result holds printable characters only. UTF-8 stands as it
// is, since Microsoft DNS servers allow it in names.
func appendName(b []byte, n *dnsmessage.Name) []byte {
	data := n.Data[:n.Length]
	if len(data) > 0 {
		data = data[:len(data)-1]
	}
	for i := 0; i < len(data); {
		c := data[i]
		switch {
		case c == '\\':
			b = append(b, '\\', '\\')
		case c > ' ' && c < 0x7F:
			b = append(b, c)
		default:
			if r, size := utf8.DecodeRune(data[i:]); size > 1 && unicode.IsGraphic(r) {
				b = append(b, data[i:i+size]...)
				i += size
				continue
			}
			b = append(b, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		}
		i++
	}
	return b
}

// equalName compares presentations as DNS does: ASCII letters without case (RFC
// 4343 §3).
func equalName(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if d := b[i]; c != d && lower(c) != lower(d) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}
