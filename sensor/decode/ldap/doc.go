// Package ldap reads LDAP (RFC 4511) over TCP and the connectionless LDAP of
// the domain controller locator over UDP (MS-ADTS §6.3.3, §7.7).
//
// # What becomes an activity
//
// A simple bind and its response (RFC 4511 §4.2, RFC 4513 §5.1): LDAPSimple.
// The name is kept as sent, the password only as a tag that tells two guesses
// apart (decode.Context.PasswordTag). A bind without a name or without a
// password proves nothing and is marked anonymous (RFC 4513 §5.1.1, §5.1.2).
//
// A SASL or Sicily exchange and its last response (RFC 4513 §5.2, MS-ADTS
// §5.1.1.1.2, §5.1.1.1.3). Its tokens go to the decoders of GSS-API and NTLM;
// by what they found it is KerberosAP or NTLMLogon, else LDAPSASL with the
// mechanism's name. Requested is the time of the exchange's first request.
//
// A search, with the entries counted before its result (RFC 4511 §4.5):
// LDAPQuery. The filter is given as text (RFC 4515), see filterText. Its
// account is the one the connection is bound as where the wire shows it: not
// for Kerberos, whose client name is sealed in the ticket. Of an answer to a
// locator ping the operation code is read, which says whether the user asked
// for exists (MS-ADTS §6.3.1.3); the terms of the ping stand beside its filter
// (§6.3.3.2). OIDs of controls are listed, of the request and of the result.
//
// A change and its answer: DirectoryChange. Add, delete and modify DN (RFC 4511
// §4.7 to §4.9), and modify (§4.6) with what is done to each attribute. A modify
// that sets a password (MS-ADTS §3.1.1.3.1.5) is a password-change when it gives
// the old one too, else a password-reset, as is the extended operation of RFC
// 3062; one that undeletes (§3.1.1.5.3.7.2) is a restore. Values are given where
// they are text and no secret (see secret.go, where every doubt makes one), SIDs
// in their text form, and of msDS-AllowedToActOnBehalfOfOtherIdentity the SIDs
// that it allows; all are counted.
//
// Searches and changes on a connection that is bound by SASL show how (Auth). The
// answer to "Who am I?" (RFC 4532) names the account from there on.
//
// An answer other than success is a failure with the result code's name as its
// error; also referral and sizeLimitExceeded, though entries may have come
// before them. A request is an attempt when no answer was seen: at the end of
// the conversation, when it is abandoned (RFC 4511 §4.11), after patience, or
// when too many are pending.
//
// # What is around the messages
//
// Message lengths may have any number of octets; AD always uses four. After a
// SASL bind messages may be in the buffers of a security layer (RFC 4422 §3.7,
// RFC 4752 §3.3, MS-ADTS §5.1.2.1). Buffers that are signed only are read: the
// Kerberos tokens of RFC 4121 §4.2.6.2 and RFC 4757 §7.3, and NTLM signatures
// (MS-NLMP §2.2.2.9). Sealed ones are counted, those of other mechanisms too.
// Which it is, each buffer tells by itself, so that a connection picked up in
// the middle is read as well. TLS, after StartTLS (RFC 4511 §4.14) or on ports
// 636 and 3269, is counted by conversation, record and byte.
//
// # What is ignored on purpose
//
// Attribute values other than Netlogon, references, intermediate responses and
// unsolicited notifications. Limits, aliases and typesOnly of a search; values
// of controls. Compare and other extended operations are counted. Signatures are not checked: that needs keys. The CLDAP of
// RFC 1798, with a user before the operation, is not spoken by AD and counts as
// malformed. LDAPBind.TLS stays false: a bind in TLS is not readable.
//
// # Limits
//
//	message believed           16 MiB   maxMessage; longer: not LDAP
//	buffer of a layer          16 MiB   maxBuffer
//	request kept               72 KiB   maxRequest; the rest is skipped by length
//	response kept               8 KiB   maxResponse; the same
//	filter depth                   64   maxFilterDepth
//	text of a filter, DN, name   4096   activity.MaxText, bytes
//	attributes listed             256   maxAttributes
//	controls listed                16   maxControls
//	searches pending              128   maxPending, and 256 KiB of text (maxHeld)
//	changes pending                64   maxChanges, and 256 KiB of text (maxChangeText)
//	attributes of a change        256   activity.MaxChanges, with 64 values each (MaxValues)
//	exchanges under way             1   a client may not begin another
//	waiting for an answer       5 min   patience
//
// A gap costs the message it falls into, unless it falls into bytes that would
// be skipped; what had come of that message is still read. Then a segment, or
// a buffer of the layer, that begins with a message sets the decoder right.
package ldap
