// Package kpasswd reads the Kerberos password change and set password protocols
// over UDP and TCP port 464 (RFC 3244; its §2 with the TCP framing of RFC 4120
// §7.2.2, which all implementations add).
//
// # What is read
//
// A request and its reply make one activity, directory.change: password-change
// for version 1, password-reset for version 0xff80, Microsoft's. The latter can
// name any account, but clients use it for their own as well, computers above
// all: whose password it is about is sealed. So is the new password, and in a
// KRB-PRIV reply the verdict. The ticket of the AP-REQ is read by the Kerberos
// decoder; it is the ticket that the KDC gave to whoever asks here, which is how
// the account is found.
//
// A reply with an AP-REP proves that the server took the request, and no more:
// its outcome stays an attempt with result code −1. A KRB-ERROR is a failure: its
// e-data holds the result code in the clear (§2), else its own code is the error.
//
// A request without an answer is an attempt: at the end of the conversation,
// when another replaces it (UDP), or when too many are open (TCP). A reply
// without a request is counted.
//
// # What is not read, on purpose
//
// The KRB-PRIV messages, which are encrypted. Text of errors. IPv6 scopes and
// channel bindings are none of this protocol.
//
// # Limits
//
//	message kept        64 KiB   maxMessage: a ticket of MaxTokenSize and a password
//	requests open            4   maxPending, over UDP one
package kpasswd
