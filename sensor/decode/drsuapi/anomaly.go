package drsuapi

// Anomalies of a call: the whole list. Each says which clause the message
// breaks, and how that comes about without malice.
const (
	// anomalyName: the lengths in and around a request's DSNAME contradict each
	// other (MS-DRSR §5.50), or the stub ends inside it. Occurs with programs
	// that fill the structure by hand.
	anomalyName = "drsuapi-name-malformed"
)

// Reasons for a request whose naming context was not looked for.
const (
	reasonVersion = "requests of an unread version"
	reasonNDR64   = "requests in NDR64"
)
