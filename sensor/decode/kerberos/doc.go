// Package kerberos decodes Kerberos V5 exchanges with a KDC, over UDP and TCP
// port 88 (RFC 4120), and AP-REQ tokens that ride in other protocols.
//
// # What is read
//
// AS-REQ, TGS-REQ, AS-REP, TGS-REP (RFC 4120 §5.4) and KRB-ERROR (§5.9), framed
// as §7.2.1 and §7.2.2 say. Each request makes one activity with its answer,
// logon.kerberos.as or logon.kerberos.tgs:
//
//   - over TCP answers come in the order of the requests; a reply ends the
//     oldest request of its kind, a KRB-ERROR the oldest of any. The nonce that
//     would tell is encrypted in replies and missing in errors;
//   - over UDP one request is open at a time: the next one ends it unanswered,
//     unless it is the same sent again;
//   - a request without an answer is emitted as an attempt when it is known that
//     none will be seen: at the end of the conversation, when another replaces
//     it, after a gap on the KDC's side, or when too many are open;
//   - an answer without a request is emitted alone, with RequestSeen false.
//
// Every KRB-ERROR is a failure with its code, also those that only ask for more,
// KDC_ERR_PREAUTH_REQUIRED and KRB_ERR_RESPONSE_TOO_BIG.
//
// Of pre-authentication data all types are listed, and these are opened: the
// AP-REQ of PA-TGS-REQ for its ticket (§5.2.7.1), PA-ENC-TIMESTAMP for its
// etype (§5.2.7.2), PA-ETYPE-INFO and PA-ETYPE-INFO2 (§5.2.7.4, §5.2.7.5),
// PA-PAC-REQUEST (MS-KILE §2.2.3), PA-PAC-OPTIONS (§2.2.10), PA-FOR-USER and
// PA-S4U-X509-USER for whom the ticket is to name (MS-SFU §2.2.1, §2.2.2),
// PA-FX-FAST for the armor and its ticket (RFC 6113 §5.4), and PA-PK-AS-REQ for
// the certificate that signed (RFC 4556 §3.2.1, RFC 5652 §5.1, RFC 5280) and the
// length of the Diffie-Hellman prime. The signature is not checked. Of errors the
// NTSTATUS that Windows adds is read (KERB-EXT-ERROR, MS-KILE §2.2.1, §2.2.2).
// Of addresses the NetBIOS name is. A ticket is identified by the hash of its
// cipher; nothing is decrypted and no cipher is kept.
//
// The first of additional-tickets is shown as a ticket: the evidence of
// S4U2proxy (MS-SFU §3.2.5.2), or the TGT of user-to-user. A TGT of another
// realm, given or named by KDC_ERR_WRONG_REALM, is a referral (RFC 6806 §7, §8).
//
// The account of an AS exchange is the cname of the request, as it was asked
// for (an AS-REP may show another spelling), in the crealm of the reply; that of
// a TGS exchange is in the TGS-REP only.
//
// The inner decoder "kerberos" takes the ticket from an AP-REQ token (RFC 4121
// §4.1, RFC 4120 §5.5.1), with or without the two-byte token id, and the
// server's verdict from AP-REP and KRB-ERROR tokens.
//
// # What is not read, on purpose
//
// What is sealed with keys, so what FAST protects; PKINIT's replies; from,
// further additional-tickets and other addresses; times and text of KRB-ERROR;
// TYPED-DATA. Other messages on port 88 are
// counted. Password changes (RFC 3244) have a port of their own. TLS over TCP
// (RFC 5021) and KDC proxies (MS-KKDCP) are not followed.
//
// Anything that is BER is read, though DER is asked for (RFC 4120 §5.1); the
// difference is an anomaly. anomaly.go has the list.
//
// # Limits
//
//   - 64 KiB of one message are kept; what follows is skipped (maxMessage);
//   - a message over TCP is at most 1 MiB long and begins with an application
//     tag 10 to 30; anything else is a lost place (maxLength);
//   - 8 requests are open at a time, over UDP one (maxPending);
//   - 32 etypes, types of pre-authentication data and offered etypes are kept
//     (maxList), and 4 KiB of each text (activity.MaxText);
//   - of a PKINIT request's certificates the signer's is looked for among 16
//     (maxCertificates), and 64 of its names and 32 of its usages are kept.
package kerberos
