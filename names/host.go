package names

import (
	"net/netip"
	"strings"
)

// HostKey is the key of a host name, NetBIOS or DNS: folded, without one
// trailing dot. Names are compared as the directory holds them: no IDNA, a
// punycode label and its Unicode spelling are two names. The limits of DNS (63
// bytes a label, 255 a name) are not enforced, since names come from protocols
// that do not know them.
func HostKey(s string) string { return strings.TrimSuffix(Fold(s), ".") }

// RealmKey is the key of a Kerberos realm, a DNS domain or a NetBIOS domain. AD
// treats realms as case-insensitive (MS-KILE §3.1.5.7 leaves RFC 4120 §6.1
// there).
func RealmKey(s string) string { return HostKey(s) }

// ShortHost is the key of the first label: "dc1" of DC1.lab.example. An address
// has no labels and is returned as HostKey gives it.
func ShortHost(s string) string {
	k := HostKey(s)
	label, _, dotted := strings.Cut(k, ".")
	if dotted {
		if _, err := netip.ParseAddr(k); err == nil {
			return k
		}
	}
	return label
}

// IsDNSName tells a fully qualified DNS host or domain name from a NetBIOS
// name, an address or other text: at least two labels of letters, digits, "-"
// and "_" (or of any letter beyond ASCII, which Microsoft DNS allows), at most
// 63 bytes each and 253 together (RFC 1035 §2.3.4 in text), the last of them not
// a number.
func IsDNSName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return false
	}
	labels := 0
	for more := true; more; {
		var label string
		label, s, more = strings.Cut(s, ".")
		if label == "" || len(label) > 63 {
			return false
		}
		digits := true
		for i := 0; i < len(label); i++ {
			switch c := label[i]; {
			case c >= '0' && c <= '9':
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_', c >= 0x80:
				digits = false
			default:
				return false
			}
		}
		if labels++; !more && digits {
			return false
		}
	}
	return labels > 1
}

// SameDomainLabel guesses whether two domain names, NetBIOS or DNS, mean one
// domain: both DNS names must be equal, and a NetBIOS name must equal the first
// label of the DNS name. That is the default when a domain is made and may be
// changed by the administrator, so this is only for where no directory is known.
func SameDomainLabel(a, b string) bool {
	ka, kb := RealmKey(a), RealmKey(b)
	if ka == "" || kb == "" {
		return false
	}
	if strings.Contains(ka, ".") && strings.Contains(kb, ".") {
		return ka == kb
	}
	la, _, _ := strings.Cut(ka, ".")
	lb, _, _ := strings.Cut(kb, ".")
	return la == lb
}

// ShortDomain is the key of a domain's first label, by default its NetBIOS name.
func ShortDomain(s string) string {
	label, _, _ := strings.Cut(RealmKey(s), ".")
	return label
}
