package dns

import (
	"strconv"

	"golang.org/x/net/dns/dnsmessage"
)

// Opcodes that are followed (RFC 1035 §4.1.1, RFC 2136 §1.3).
const (
	opQuery  = 0
	opUpdate = 5
)

// Types that dnsmessage does not name.
const (
	typeSIG  dnsmessage.Type = 24  // RFC 2535 §4.1
	typeIXFR dnsmessage.Type = 251 // RFC 1995
)

// rcodes are the names of response codes as servers and tools print them (IANA
// DNS RCODEs; RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6891 §9, RFC 7873 §8).
var rcodes = map[int]string{
	0:  "NOERROR",
	1:  "FORMERR",
	2:  "SERVFAIL",
	3:  "NXDOMAIN",
	4:  "NOTIMP",
	5:  "REFUSED",
	6:  "YXDOMAIN",
	7:  "YXRRSET",
	8:  "NXRRSET",
	9:  "NOTAUTH",
	10: "NOTZONE",
	11: "DSOTYPENI",
	16: "BADVERS",
	23: "BADCOOKIE",
}

// rcodeName is the name of a response code, "RCODE12" for one without.
func rcodeName(code int) string {
	if s, ok := rcodes[code]; ok {
		return s
	}
	return "RCODE" + strconv.Itoa(code)
}
