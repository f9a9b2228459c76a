package gssapi

// Anomalies of an authentication: the whole list. Each says which clause the
// token breaks, and how that comes about without malice.
const (
	// anomalyFraming: the initial token's length is not that of the token
	// (RFC 2743 §3.1). Occurs with carriers cut by a snap length, and with
	// clients that leave the length of the token before padding.
	anomalyFraming = "gss-length"
	// anomalySPNEGO: a NegTokenInit or NegTokenResp differs from its ASN.1
	// (RFC 4178 §4.2); what stands before that place was kept. Occurs with
	// carriers cut by a snap length.
	anomalySPNEGO = "spnego-malformed"
)

// Reasons for tokens that gave nothing.
const (
	reasonMechanism = "tokens of other mechanisms"
	reasonFraming   = "tokens with unreadable framing"
	reasonDepth     = "tokens nested too deep"
)
