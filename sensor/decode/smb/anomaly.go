package smb

// Anomalies an activity of this package may carry: the whole list. Each says
// which clause the message breaks, and how that comes about without malice.
const (
	// anomalyText: a path or share is not UTF-16 (MS-SMB2 §2.2.9, §2.2.13): a lone
	// surrogate or half a character. Occurs with files named by programs that
	// count bytes, on Unix servers above all.
	anomalyText = "smb-text-unreadable"
	// anomalyCut: a path is longer than what is kept of a command, or ends outside
	// of it (§2.2.13). Occurs where a capture was cut by a snap length.
	anomalyCut = "smb-path-cut"
	// anomalyPlain: an SMB1 client sent a password in the clear since the server
	// asked for that (MS-CIFS §2.2.4.52.2). Occurs with scanners and copiers that
	// are older than 2000, and servers set up for them.
	anomalyPlain = "smb1-password-in-the-clear"
	// anomalyTrans2Setup: a TRANS2_SESSION_SETUP, which is reserved and no
	// implementation serves (MS-CIFS §2.2.6.15). No known program but an implant's
	// client sends it.
	anomalyTrans2Setup = "smb1-trans2-session-setup"
	// anomalyMultiplex: the answer to a TRANS2_SESSION_SETUP has another
	// multiplex id than the request (MS-CIFS §2.2.3.1, MID). No known server
	// does that; an implant answers so.
	anomalyMultiplex = "smb1-answer-with-another-mid"
	// anomalySecondary: a TRANSACTION2_SECONDARY goes on with an NT_TRANSACT
	// (MS-CIFS §2.2.4.47, which has it follow TRANSACTION2). No known client does.
	anomalySecondary = "smb1-secondary-of-another-transaction"
	// anomalyCompressionUnasked: a compressed message without compression having
	// been negotiated (MS-SMB2 §3.2.5.1.10). Occurs where the answer to NEGOTIATE
	// was damaged.
	anomalyCompressionUnasked = "smb-compression-not-negotiated"
	// anomalyCompressionWraps: size and offset of a compressed message add up to
	// more than 32 bits (§2.2.42). No known program sends it.
	anomalyCompressionWraps = "smb-compression-size-wraps"
	// anomalyCompressionOffset: the compressed part would begin behind the message
	// (§2.2.42). No known program sends it.
	anomalyCompressionOffset = "smb-compression-offset-outside"
	// anomalyCompressionSize: the message would be larger than maxDecompressed.
	// The specification leaves the limit to the server's MaxTransactSize; none
	// that is known allows a quarter of it.
	anomalyCompressionSize = "smb-compression-size"
)

// Reasons for what gave no activity, or less than it could have.
const (
	reasonSkipped   = "bytes without a message start"
	reasonGap       = "gaps"
	reasonNoSession = "NetBIOS sessions refused"
	reasonDirection = "messages against their direction"
	reasonShort     = "commands too short"
	reasonChain     = "chains that lead out of their message"
	reasonCompounds = "compounds"
	reasonCompound  = "compounds above the cap, read in part"
	reasonBody      = "bodies outside their message"
	reasonInterim   = "interim answers"
	reasonUnasked   = "answers to requests not seen"

	reasonEncrypted         = "messages encrypted"
	reasonEncryptedBytes    = "bytes encrypted"
	reasonEncryptedSessions = "sessions encrypted"
	reasonCompressed        = "messages compressed, not read"

	reasonToken       = "tokens outside their message"
	reasonTokenUnread = "tokens not understood"
	reasonLeft        = "session set-ups left before a proof"

	reasonSessions = "sessions given up for newer ones"
	reasonTrees    = "shares given up for newer ones"
	reasonFiles    = "files given up for newer ones"
	reasonPending  = "requests given up for newer ones"
	reasonPipes    = "pipes given up for newer ones"

	reasonPipeOther = "pipes that carry no DCE/RPC"
	reasonRAP       = "transactions on other things than pipes, not followed"
	reasonOther1    = "SMB1 commands not followed"
	reasonAndX      = "AndX chains that lead nowhere"
)

var reasons = []string{
	reasonSkipped, reasonGap, reasonNoSession, reasonDirection, reasonShort, reasonChain, reasonCompounds,
	reasonCompound, reasonBody, reasonInterim, reasonUnasked,
	reasonEncrypted, reasonEncryptedBytes, reasonEncryptedSessions, reasonCompressed,
	reasonToken, reasonTokenUnread, reasonLeft,
	reasonSessions, reasonTrees, reasonFiles, reasonPending, reasonPipes,
	reasonPipeOther, reasonRAP, reasonOther1, reasonAndX,
}
