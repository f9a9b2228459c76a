package ldap

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/verderer/verderer/sensor/decode/ber"
)

// compile is the other way round: the BER of a filter's text (RFC 4515), with
// the shortest lengths. It knows nothing of filterText and takes only what the
// RFC's grammar allows, so that a text it accepts is one that other tools take.
func compile(text string) ([]byte, error) {
	b, rest, err := compileFilter(text)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q behind the filter", rest)
	}
	return b, err
}

func compileFilter(s string) (b []byte, rest string, err error) {
	if len(s) < 2 || s[0] != '(' {
		return nil, s, fmt.Errorf("%q is no filter", s)
	}
	s = s[1:]
	switch s[0] {
	case '&', '|', '!':
		op := s[0]
		s = s[1:]
		n := 0
		for strings.HasPrefix(s, "(") {
			var one []byte
			if one, s, err = compileFilter(s); err != nil {
				return nil, s, err
			}
			b = append(b, one...)
			n++
		}
		if !strings.HasPrefix(s, ")") || op == '!' && n != 1 {
			return nil, s, fmt.Errorf("%c of %d, then %q", op, n, s)
		}
		return tlv(map[byte]byte{'&': 0xa0, '|': 0xa1, '!': 0xa2}[op], b), s[1:], nil
	}
	item, rest, ok := strings.Cut(s, ")")
	if !ok || strings.Contains(item, "(") {
		return nil, s, fmt.Errorf("item %q does not end", s)
	}
	b, err = compileItem(item)
	return b, rest, err
}

func compileItem(item string) ([]byte, error) {
	attr, value, ok := strings.Cut(item, "=")
	if !ok {
		return nil, fmt.Errorf("item %q without =", item)
	}
	choice := byte(0xa3)
	if n := len(attr) - 1; n >= 0 {
		switch attr[n] {
		case ':':
			return compileExtensible(attr[:n], value)
		case '>':
			attr, choice = attr[:n], 0xa5
		case '<':
			attr, choice = attr[:n], 0xa6
		case '~':
			attr, choice = attr[:n], 0xa8
		}
	}
	name, err := unescape(attr)
	if err != nil {
		return nil, err
	}
	if choice == 0xa3 && value == "*" {
		return tlv(0x87, name), nil
	}
	parts := strings.Split(value, "*")
	if choice == 0xa3 && len(parts) > 1 {
		var list []byte
		for i, p := range parts {
			v, err := unescape(p)
			if err != nil {
				return nil, err
			}
			switch {
			case i == 0 && p != "":
				list = append(list, tlv(0x80, v)...)
			case i == len(parts)-1 && p != "":
				list = append(list, tlv(0x82, v)...)
			case i > 0 && i < len(parts)-1:
				list = append(list, tlv(0x81, v)...)
			}
		}
		return tlv(0xa4, tlv(0x04, name), tlv(0x30, list)), nil
	}
	v, err := unescape(value)
	return tlv(choice, tlv(0x04, name), tlv(0x04, v)), err
}

func compileExtensible(left, value string) ([]byte, error) {
	parts := strings.Split(left, ":")
	dn := false
	if len(parts) > 1 && parts[1] == "dn" {
		dn = true
		parts = append(parts[:1:1], parts[2:]...)
	}
	var b []byte
	if len(parts) > 2 {
		return nil, fmt.Errorf("%q has too many parts", left)
	}
	attr, err := unescape(parts[0])
	if err != nil {
		return nil, err
	}
	if len(parts) == 2 {
		rule, err := unescape(parts[1])
		if err != nil {
			return nil, err
		}
		b = tlv(0x81, rule)
	}
	if len(attr) > 0 {
		b = append(b, tlv(0x82, attr)...)
	}
	v, err := unescape(value)
	b = append(b, tlv(0x83, v)...)
	if dn {
		b = append(b, tlv(0x84, []byte{0xff})...)
	}
	return tlv(0xa9, b), err
}

func unescape(s string) ([]byte, error) {
	var b []byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' {
			if i+2 >= len(s) {
				return nil, fmt.Errorf("%q ends in an escape", s)
			}
			v, err := hex.DecodeString(s[i+1 : i+3])
			if err != nil {
				return nil, err
			}
			c = v[0]
			i += 2
		} else if c == 0 || c == '*' || c == '(' || c == ')' {
			return nil, fmt.Errorf("%q is not escaped", s)
		}
		b = append(b, c)
	}
	return b, nil
}

// shortest encodes a filter anew, with the shortest lengths and without what
// its text does not tell apart: dnAttributes that are false, or true by another
// octet than 0xff, and a matching rule or attribute that is there but empty.
func shortest(b []byte) []byte {
	var out []byte
	for r := ber.New(b); !r.Empty(); {
		tag, content, err := r.Next()
		if err != nil {
			return nil
		}
		if tag&0x20 != 0 {
			content = shortest(content)
		}
		if tag == 0xa9 {
			content = shortestExtensible(content)
		}
		out = append(out, tlv(byte(tag), content)...)
	}
	return out
}

func shortestExtensible(b []byte) (out []byte) {
	for r := ber.New(b); !r.Empty(); {
		tag, content, _ := r.Next()
		switch {
		case tag == 0x84 && bytes.Equal(content, []byte{0}), tag == 0x82 && len(content) == 0:
			continue
		case tag == 0x84:
			content = []byte{0xff}
		}
		out = append(out, tlv(byte(tag), content)...)
	}
	return out
}
