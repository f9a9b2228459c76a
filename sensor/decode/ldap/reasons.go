package ldap

// What is counted besides activities. Operations the decoder does not follow
// are counted by name, so that a report can say how many there were.
const (
	modifyRequests        = "modify requests, not followed"
	addRequests           = "add requests, not followed"
	delRequests           = "delete requests, not followed"
	modifyDNRequests      = "modify DN requests, not followed"
	compareRequests       = "compare requests, not followed"
	extendedRequests      = "extended requests"
	abandonRequests       = "abandon requests"
	unbindRequests        = "unbind requests"
	unsolicited           = "unsolicited notifications"
	unasked               = "answers to requests not seen"
	repeated              = "datagrams sent again"
	pendingFull           = "searches given up early, too many pending"
	exchangesLeft         = "SASL exchanges left before a proof"
	authenticationUnknown = "binds with an unknown authentication choice"
	malformed             = "messages malformed"
	wrongWay              = "messages of the other direction"
	cut                   = "messages read in part"
	sealed                = "messages sealed"
	sealedBytes           = "bytes sealed"
	layerUnknown          = "messages in a security layer not known"
	layerUnknownBytes     = "bytes in a security layer not known"
	tlsConversations      = "conversations in TLS"
	tlsRecords            = "TLS records"
	tlsBytes              = "bytes in TLS"
	skippedBytes          = "bytes skipped in search of a message"
	unreadable            = "conversations not readable"
)

var reasons = []string{
	modifyRequests, addRequests, delRequests, modifyDNRequests, compareRequests, extendedRequests,
	abandonRequests, unbindRequests, unsolicited, unasked, repeated, pendingFull, exchangesLeft,
	authenticationUnknown, malformed, wrongWay, cut, sealed, sealedBytes, layerUnknown,
	layerUnknownBytes, tlsConversations, tlsRecords, tlsBytes, skippedBytes, unreadable,
}
