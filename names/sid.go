package names

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// MaxSubAuthorities is the most sub-authorities a SID may have (MS-DTYP §2.4.2.2).
const MaxSubAuthorities = 15

// SID is a security identifier (MS-DTYP §2.4.2). SIDs compare with == and may be
// map keys. The zero value is no SID.
type SID struct {
	authority uint64 // 48 bits
	revision  uint8  // 1; 0 only in the zero value
	count     uint8
	sub       [MaxSubAuthorities]uint32
}

// ReadSID reads the packet representation (MS-DTYP §2.4.2.2, sub-authorities
// little-endian, as directory and RPC protocols have it) at the start of b and
// returns what follows it.
func ReadSID(b []byte) (SID, []byte, error) {
	if len(b) < 8 {
		return SID{}, nil, fmt.Errorf("reading SID: %d bytes, want at least 8", len(b))
	}
	if b[0] != 1 {
		return SID{}, nil, fmt.Errorf("reading SID: revision %d, want 1", b[0])
	}
	n := int(b[1])
	if n > MaxSubAuthorities {
		return SID{}, nil, fmt.Errorf("reading SID: %d sub-authorities, at most %d allowed", n, MaxSubAuthorities)
	}
	if len(b) < 8+4*n {
		return SID{}, nil, fmt.Errorf("reading SID: %d bytes for %d sub-authorities, want %d", len(b), n, 8+4*n)
	}
	s := SID{revision: 1, count: uint8(n)}
	s.authority = uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:]))
	for i := range n {
		s.sub[i] = binary.LittleEndian.Uint32(b[8+4*i:])
	}
	return s, b[8+4*n:], nil
}

// ParseSID reads the string form (MS-DTYP §2.4.2.1): S-1-5-21-…, the authority
// decimal or, as 0x and hex digits, hexadecimal.
func ParseSID(text string) (SID, error) {
	bad := func(why string) (SID, error) { return SID{}, fmt.Errorf("parsing SID %q: %s", text, why) }
	if len(text) < 4 || !strings.EqualFold(text[:4], "S-1-") {
		return bad(`want "S-1-" first`)
	}
	part, rest, more := strings.Cut(text[4:], "-")
	s, err := SID{revision: 1}, error(nil)
	if len(part) > 2 && part[0] == '0' && part[1]|0x20 == 'x' {
		s.authority, err = strconv.ParseUint(part[2:], 16, 48)
	} else {
		s.authority, err = strconv.ParseUint(part, 10, 48)
	}
	if err != nil {
		return bad("the authority is no number of 48 bits")
	}
	for more {
		part, rest, more = strings.Cut(rest, "-")
		if s.count == MaxSubAuthorities {
			return bad("more than 15 sub-authorities")
		}
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return bad("a sub-authority is no number of 32 bits")
		}
		s.sub[s.count] = uint32(n)
		s.count++
	}
	return s, nil
}

// mustSID is ParseSID for the constants of this package.
func mustSID(text string) SID {
	s, err := ParseSID(text)
	if err != nil {
		panic(err)
	}
	return s
}

// IsZero tells that s is no SID.
func (s SID) IsZero() bool { return s.revision == 0 }

// String is the string form, "" for the zero value. An authority of 2^32 or more
// is written as 0x and twelve hex digits.
func (s SID) String() string {
	if s.IsZero() {
		return ""
	}
	b := make([]byte, 0, 48)
	b = append(b, "S-1-"...)
	if s.authority < 1<<32 {
		b = strconv.AppendUint(b, s.authority, 10)
	} else {
		b = fmt.Appendf(b, "0x%012X", s.authority)
	}
	for _, n := range s.sub[:s.count] {
		b = append(b, '-')
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return string(b)
}

// AppendBinary appends the packet representation; nothing for the zero value.
func (s SID) AppendBinary(b []byte) ([]byte, error) {
	if s.IsZero() {
		return b, nil
	}
	b = append(b, s.revision, s.count)
	b = binary.BigEndian.AppendUint16(b, uint16(s.authority>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(s.authority))
	for _, n := range s.sub[:s.count] {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b, nil
}

// MarshalText is the string form.
func (s SID) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the string form; empty text is the zero value.
func (s *SID) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*s = SID{}
		return nil
	}
	*s, err = ParseSID(string(b))
	return err
}

// RID is the last sub-authority, which names an account within its domain; false
// without one. Alone it proves nothing: S-1-5-32-544 ends as an account of a
// domain could. See DomainRID.
func (s SID) RID() (uint32, bool) {
	if s.count == 0 {
		return 0, false
	}
	return s.sub[s.count-1], true
}

// isAccount tells that s is S-1-5-21-x-y-z-rid.
func (s SID) isAccount() bool { return s.authority == 5 && s.count == 5 && s.sub[0] == 21 }

// Domain is S-1-5-21-x-y-z of the account or group S-1-5-21-x-y-z-rid: the
// domain, or the machine for a local account, that made it. False for every
// other SID, that of a domain itself included.
func (s SID) Domain() (SID, bool) {
	if !s.isAccount() {
		return SID{}, false
	}
	s.count--
	s.sub[s.count] = 0
	return s, true
}

// DomainRID tells whether s is the account or group of any domain with this
// relative identifier: sid.DomainRID(RIDDomainAdmins).
func (s SID) DomainRID(rid uint32) bool { return s.isAccount() && s.sub[4] == rid }

// WithRID is the account rid of the domain s; the zero SID when s has no room.
func (s SID) WithRID(rid uint32) SID {
	if s.IsZero() || s.count == MaxSubAuthorities {
		return SID{}
	}
	s.sub[s.count] = rid
	s.count++
	return s
}
