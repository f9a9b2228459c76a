package dns

import (
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
