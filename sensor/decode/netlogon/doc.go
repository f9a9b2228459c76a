// Package netlogon reads calls on the Netlogon interface (MS-NRPC), by which
// members and domain controllers set up secure channels, and pass logons through
// them.
//
// # What is read
//
// Every call becomes an activity. Those that set a channel up, and those that use
// it to set or read passwords, are netlogon.channel: NetrServerReqChallenge,
// NetrServerAuthenticate, 2, 3 and Kerberos, NetrServerPasswordSet, 2,
// NetrServerPasswordGet and NetrServerTrustPasswordsGet (MS-NRPC §3.5.4.4). The
// rest is rpc.call. A return value that is an error makes a call a failure.
//
// Of the former: the computer, the account (as the call's object), channel type
// and flags, whether the client challenge or credential is zero or of equal
// bytes, and whether the new password of NetrServerPasswordSet2 is zero or empty.
// Of logons passed through (NetrLogonSamLogon, Ex, WithFlags, §3.5.4.5): user as
// domain\name, the workstation, and the logon level.
//
// # What is ignored on purpose
//
// Authenticators, responses but for the return value, what a logon returns, and
// the replication of NT 4.0.
//
// # What cannot be seen
//
// What is sealed, which is everything after a channel is set up; then the opnum
// tells.
//
// # Limits
//
// decode.UsualStub bytes of a request.
package netlogon
