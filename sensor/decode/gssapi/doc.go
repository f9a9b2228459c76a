// Package gssapi takes the framing off GSS-API tokens inside other protocols
// and hands what they hold to the decoders of the mechanisms.
//
// # What is read
//
// The initial token's framing (RFC 2743 §3.1); SPNEGO's NegTokenInit and
// NegTokenResp (RFC 4178 §4.2), with the hints of MS-SPNG §2.2.1 passed over;
// the framing of Kerberos tokens (RFC 4121 §4.1); and tokens that come without
// any framing: NTLMSSP, and Kerberos as DCE style sends it (MS-KILE §3.4.5.1).
// AP-REQ, AP-REP and KRB-ERROR go to "kerberos", NTLMSSP to "ntlm". The server's
// negState becomes activity.Auth's Verdict and Refusal.
//
// # What is ignored on purpose
//
// mechTypes and supportedMech: what was offered is no fact about who logged on,
// the token itself is. mechListMIC, reqFlags and the hints. Tokens of other
// mechanisms (NegoEx, user-to-user's TGT-REQ and TGT-REP, PKU2U) are counted.
// The OID of the framing decides nothing: both Kerberos OIDs and the
// user-to-user one hold the same AP-REQ, and a token says itself what it is.
//
// # Limits
//
// Tokens nest at most maxDepth deep. Everything is read in place.
package gssapi
