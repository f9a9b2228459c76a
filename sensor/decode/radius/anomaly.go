package radius

// The closed list.
const (
	// AnomalyShort: the packet is shorter than its Length (RFC 2865 §3). Harmless:
	// cut by the snap length.
	AnomalyShort = "message-short"
	// AnomalyAttribute: an attribute whose length does not fit the packet or its
	// type (RFC 2865 §5); it is left out, and in the first case what follows.
	// Harmless: gateways that send an address as text.
	AnomalyAttribute = "attribute-length"
	// AnomalySession: no Acct-Session-Id, which every request must have (RFC 2866
	// §5.5). Harmless: minimal clients.
	AnomalySession = "no-session-id"
	// AnomalyText: text that is not UTF-8 (RFC 2865 §5). Harmless: gateways that
	// send the code page of the client.
	AnomalyText = "text-not-utf8"
)
