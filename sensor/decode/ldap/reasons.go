package ldap

// What is counted besides activities. Operations the decoder does not follow
// are counted by name, so that a report can say how many there were.
const (
	unnamed               = "changes of an object that could not be read"
	changesFull           = "changes given up early, too many pending"
	secretValues          = "values of secret attributes left out"
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
	unnamed, changesFull, secretValues, compareRequests, extendedRequests,
	abandonRequests, unbindRequests, unsolicited, unasked, repeated, pendingFull, exchangesLeft,
	authenticationUnknown, malformed, wrongWay, cut, sealed, sealedBytes, layerUnknown,
	layerUnknownBytes, tlsConversations, tlsRecords, tlsBytes, skippedBytes, unreadable,
}
