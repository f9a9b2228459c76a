package names

import "strings"

// dnTypes are the attribute types that begin a DN in a directory (RFC 4514 §3;
// UID as other directories' binds have it). Only with one of them first is a
// string taken for a DN: other names may contain "=" too.
var dnTypes = [...]string{"CN", "OU", "DC", "UID", "O", "L", "C"}

// parseDN reads a DN (RFC 4514): the value of its first RDN is the name, its DC
// values joined by dots the domain. False when s is no DN.
func parseDN(s string) (Account, bool) {
	kind, _, ok := strings.Cut(s, "=")
	if !ok || !isDNType(kind) {
		return Account{}, false
	}
	a := Account{Form: FormDN}
	var domain []string
	for first := true; s != ""; first = false {
		var kind, value string
		kind, value, s, ok = cutRDN(s)
		if !ok {
			return Account{}, false
		}
		if first {
			a.Name, a.Raw = FromUTF8([]byte(value)) // escapes may spell any byte
		}
		if strings.EqualFold(kind, "DC") {
			domain = append(domain, value)
		}
	}
	a.Domain = strings.ToValidUTF8(strings.Join(domain, "."), "\uFFFD")
	return a, true
}

func isDNType(s string) bool {
	s = strings.Trim(s, " ")
	for _, t := range dnTypes {
		if strings.EqualFold(s, t) {
			return true
		}
	}
	return false
}

// cutRDN splits the first type=value off a DN, at an unescaped comma, semicolon
// (RFC 2253 §4 still accepts it) or the plus of a multi-valued RDN.
func cutRDN(s string) (kind, value, rest string, ok bool) {
	kind, s, ok = strings.Cut(s, "=")
	if kind = strings.Trim(kind, " "); !ok || kind == "" || strings.ContainsAny(kind, ",;+\\") {
		return "", "", "", false
	}
	s = strings.TrimLeft(s, " ")
	if quoted, rest, ok := cutQuoted(s); ok {
		return kind, quoted, rest, true
	}
	v := make([]byte, 0, len(s))
	keep := 0 // spaces at the end are dropped unless escaped
	i := 0
	for ; i < len(s) && s[i] != ',' && s[i] != ';' && s[i] != '+'; i++ {
		c, n := unescapeDN(s[i:])
		v = append(v, c)
		if c != ' ' || n > 1 {
			keep = len(v)
		}
		i += n - 1
	}
	if i < len(s) {
		rest = s[i+1:]
	}
	return kind, string(v[:keep]), rest, true
}

// cutQuoted reads a value in quotation marks (RFC 2253 §4).
func cutQuoted(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	v := make([]byte, 0, len(s))
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			rest = strings.TrimLeft(s[i+1:], " ")
			if rest != "" && rest[0] != ',' && rest[0] != ';' && rest[0] != '+' {
				return "", "", false
			}
			return string(v), rest[min(1, len(rest)):], true
		}
		c, n := unescapeDN(s[i:])
		v = append(v, c)
		i += n - 1
	}
	return "", "", false
}

// unescapeDN reads one byte of a value and tells how many bytes it took: itself,
// "\" and the byte it escapes, or "\" and two hex digits (RFC 4514 §2.4).
func unescapeDN(s string) (byte, int) {
	if s[0] != '\\' || len(s) == 1 {
		return s[0], 1
	}
	if len(s) > 2 {
		hi, ok1 := hexDigit(s[1])
		lo, ok2 := hexDigit(s[2])
		if ok1 && ok2 {
			return hi<<4 | lo, 3
		}
	}
	return s[1], 2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
