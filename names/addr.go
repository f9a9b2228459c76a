package names

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Addr is the canonical form of an address: IPv4 unmapped from ::ffff:a.b.c.d,
// no zone.
//
// A zone is a machine's own name for one of its links and says nothing
// elsewhere, so it is no part of an identity. Without it a link-local address
// (fe80::/10, 169.254.0.0/16) tells hosts of one link apart and no more: a
// reader that sees several links must keep which sensor saw it.
func Addr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// AddrZone is Addr for a log of one machine: the zone of a link-local address
// is kept, since there it does tell links apart.
func AddrZone(a netip.Addr) netip.Addr {
	if a = a.Unmap(); !a.IsLinkLocalUnicast() && !a.IsLinkLocalMulticast() {
		return a.WithZone("")
	}
	return a
}

// ParseAddr reads an address as logs write it, with or without a port (0 when
// none): 10.0.0.1, 10.0.0.1:389, ::1, [::1], [::1]:389, ::ffff:10.0.0.1,
// fe80::1%eth0, and Samba's ipv4:10.0.0.1:389 and ipv6:fe80::1:389, where what
// follows the last colon is the port if the rest is an address. The result is
// as AddrZone gives it.
func ParseAddr(s string) (netip.Addr, uint16, error) {
	text, samba := s, false
	if len(s) > 5 && (strings.EqualFold(s[:5], "ipv4:") || strings.EqualFold(s[:5], "ipv6:")) {
		text, samba = s[5:], true
	}
	if host, port, ok := cutPort(text); ok && (samba || strings.Count(text, ":") == 1 || host[0] == '[') {
		if a, err := netip.ParseAddr(unbracket(host)); err == nil {
			return AddrZone(a), port, nil
		}
	}
	a, err := netip.ParseAddr(unbracket(text))
	if err != nil {
		return netip.Addr{}, 0, fmt.Errorf("parsing address %q: neither IPv4 nor IPv6, with or without a port", s)
	}
	return AddrZone(a), 0, nil
}

// cutPort splits host:port at the last colon. It does not look at host, but
// host is never empty.
func cutPort(s string) (host string, port uint16, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return "", 0, false
	}
	n, ok := parsePort(s[i+1:])
	return s[:i], n, ok
}

// parsePort reads a port of digits only.
func parsePort(s string) (uint16, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' { // ParseUint itself takes no sign, "_" or base for base 10
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil
}

// unbracket takes the brackets off [::1]; anything else is returned as it is.
func unbracket(s string) string {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' && strings.IndexByte(s, ':') > 0 {
		return s[1 : len(s)-1]
	}
	return s
}

// PTRAddr is the address that a reverse name asks for: 4.3.2.1.in-addr.arpa
// (RFC 1035 §3.5) and 32 nibbles under ip6.arpa (RFC 3596 §2.5), in any case,
// with or without the final dot. It is false for any other name, and for a
// partial one (a reverse zone, RFC 2317 names).
func PTRAddr(qname string) (netip.Addr, bool) {
	name := strings.TrimSuffix(qname, ".")
	if rest, ok := cutSuffixFold(name, ".in-addr.arpa"); ok {
		return ptr4(rest)
	}
	if rest, ok := cutSuffixFold(name, ".ip6.arpa"); ok {
		return ptr6(rest)
	}
	return netip.Addr{}, false
}

func ptr4(labels string) (netip.Addr, bool) {
	var b [4]byte
	for i := 3; i >= 0; i-- {
		label, rest, more := strings.Cut(labels, ".")
		n, err := strconv.ParseUint(label, 10, 8)
		if err != nil || len(label) > 1 && label[0] == '0' || more != (i > 0) {
			return netip.Addr{}, false
		}
		b[i], labels = byte(n), rest
	}
	return netip.AddrFrom4(b), true
}

func ptr6(labels string) (netip.Addr, bool) {
	if len(labels) != 63 { // 32 nibbles and the dots between them
		return netip.Addr{}, false
	}
	var b [16]byte
	for i := range 32 {
		if i > 0 && labels[2*i-1] != '.' {
			return netip.Addr{}, false
		}
		n, err := strconv.ParseUint(labels[2*i:2*i+1], 16, 8)
		if err != nil {
			return netip.Addr{}, false
		}
		b[15-i/2] |= byte(n) << (4 * (i % 2))
	}
	return Addr(netip.AddrFrom16(b)), true
}

func cutSuffixFold(s, suffix string) (string, bool) {
	n := len(s) - len(suffix)
	if n < 0 || !strings.EqualFold(s[n:], suffix) {
		return "", false
	}
	return s[:n], true
}
