package activity

import "strconv"

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

// DNSRCodeName is the name of a response code, "RCODE12" for one without.
func DNSRCodeName(code int) string {
	if s, ok := rcodes[code]; ok {
		return s
	}
	return "RCODE" + strconv.Itoa(code)
}
