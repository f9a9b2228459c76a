package gssapi

// negState of NegTokenResp (RFC 4178 §4.2.2).
const (
	acceptCompleted = 0
	reject          = 2
)
