package ntlm

// NegotiateFlags that matter here (MS-NLMP §2.2.2.5).
const (
	flagUnicode   = 1 << 0
	flagSign      = 1 << 4
	flagSeal      = 1 << 5
	flagAnonymous = 1 << 11
)

// AvId of target information (MS-NLMP §2.2.2.1).
const (
	avEOL             = 0
	avNbComputerName  = 1
	avNbDomainName    = 2
	avDNSComputer     = 3
	avDNSDomain       = 4
	avFlags           = 6
	avTargetName      = 9
	avChannelBindings = 10

	avFlagMIC = 2 // MsvAvFlags: a MIC is in the AUTHENTICATE message
)

// MessageType of NTLMSSP messages (MS-NLMP §2.2.1).
const (
	typeNegotiate    = 1
	typeChallenge    = 2
	typeAuthenticate = 3
)
