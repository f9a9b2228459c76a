package ldap

import (
	"bytes"
	"encoding/binary"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode/ber"
)

// netlogonAttribute is what a client of the domain controller locator asks the
// root DSE for (MS-ADTS §3.1.1.3.2.14, §6.3.3): the "LDAP ping". It is no attribute of the
// directory; its value is the answer of the Netlogon service.
const netlogonAttribute = "netlogon"

// isNetlogon compares an attribute description as directories do, without case
// (RFC 4512 §2.5).
func isNetlogon(desc []byte) bool {
	return len(desc) == len(netlogonAttribute) && bytes.EqualFold(desc, []byte(netlogonAttribute))
}

// maxPingTerms bounds the terms of a ping that are looked at: there are ten kinds.
const maxPingTerms = 32

// readPing reads what a locator asks for: the equality terms of an "and" (MS-ADTS
// §6.3.3.2). Of a term that comes twice the first counts. What else is in the
// filter stands in its text.
func readPing(r ber.Reader) *activity.LDAPPing {
	p := new(activity.LDAPPing)
	terms, ok := r.Into(filterAnd)
	if !ok {
		terms = r // one term alone
	}
	for range maxPingTerms {
		term, ok := terms.Into(filterEqualityMatch)
		if !ok {
			if _, _, err := terms.Next(); err != nil {
				break
			}
			continue
		}
		desc, _ := term.Expect(ber.OctetString)
		value, ok := term.Expect(ber.OctetString)
		if !ok {
			continue
		}
		switch {
		case isNamed(desc, "User"):
			set(&p.User, value)
		case isNamed(desc, "Host"):
			set(&p.Host, value)
		case isNamed(desc, "DnsDomain"):
			set(&p.DNSDomain, value)
		case isNamed(desc, "AAC") && len(value) == 4 && p.AAC == 0:
			p.AAC = binary.LittleEndian.Uint32(value)
		case isNamed(desc, "NtVer") && len(value) == 4 && p.NtVer == 0:
			p.NtVer = binary.LittleEndian.Uint32(value)
		}
	}
	if *p == (activity.LDAPPing{}) {
		return nil
	}
	return p
}

func set(s *string, value []byte) {
	if *s == "" {
		*s, _, _ = text(value)
	}
}

// netlogonOp reads the operation code of a locator answer from the entry that
// carries it, 0 when there is none. All of its forms, NETLOGON_SAM_LOGON_RESPONSE_NT40,
// NETLOGON_SAM_LOGON_RESPONSE and NETLOGON_SAM_LOGON_RESPONSE_EX (MS-ADTS
// §6.3.1.7 to §6.3.1.9), begin with it, 16 bits little-endian; the values are
// those of §6.3.1.3.
func netlogonOp(entry []byte) uint16 {
	var e SearchResultEntry
	if !e.parse(entry) {
		return 0
	}
	for !e.Attributes.Empty() {
		var a PartialAttribute
		if !a.parse(&e.Attributes) {
			return 0
		}
		if !isNetlogon(a.Type) {
			continue
		}
		if _, v, err := a.Vals.Next(); err == nil && len(v) >= 2 {
			return binary.LittleEndian.Uint16(v)
		}
		return 0
	}
	return 0
}
