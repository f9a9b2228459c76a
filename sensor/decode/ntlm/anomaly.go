package ntlm

// Anomalies of an authentication: the whole list. Each says which clause of
// MS-NLMP the message breaks, and how that comes about without malice.
const (
	// anomalyField: a field's offset and length point outside the message
	// (§2.2.1.3); it is read as empty. Occurs with carriers cut by a snap length.
	anomalyField = "ntlm-field-outside-message"
	// anomalyText: a name is not text in the negotiated character set (§2.2.1.3,
	// NEGOTIATE_UNICODE): a lone surrogate, half a character, or an OEM byte
	// above 7F, whose code page is not told. Occurs with OEM clients outside
	// English-speaking countries.
	anomalyText = "ntlm-text-unreadable"
	// anomalyResponse: an NT response of a length that neither version makes
	// (§2.2.2.6, §2.2.2.8). Occurs with home-made clients in appliances.
	anomalyResponse = "ntlm-response-length"
	// anomalyTargetInfo: target information that ends before its MsvAvEOL, or
	// has more than maxPairs pairs (§2.2.2.1). Occurs with old Samba servers.
	anomalyTargetInfo = "ntlm-target-info-malformed"
	// anomalyMIC: the target information in the response says that a MIC is
	// there (MsvAvFlags bit 0x2, §2.2.2.1), and it is not. No known client does
	// this; a message changed on its way looks so.
	anomalyMIC = "ntlm-mic-missing"
)

// Reasons for tokens that gave nothing.
const (
	reasonShort = "messages cut short"
	reasonType  = "messages of unknown type"
	reasonOther = "tokens that are not NTLMSSP"
)
