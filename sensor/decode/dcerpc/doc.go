// Package dcerpc reads connection-oriented DCE/RPC over TCP and over named pipes
// (C706 chapters 12 and 13 with the extensions of MS-RPCE). It knows PDUs,
// presentation contexts, authentication and calls; what a call means is its
// interface's business, a package of its own registered as decode.Interface.
//
// # What is read
//
// bind and alter_context with their answers give the interface behind each
// presentation context id (C706 §12.6.3, MS-RPCE §2.2.2.4). The authentication
// verifier of bind, alter_context, auth3 and their answers (C706 §13.2.6,
// MS-RPCE §2.2.2.11) goes to "gssapi". Requests, responses and faults are joined
// to calls by call id: an interface's reader gets each call once, with opnum,
// object, sizes, outcome, and the beginnings of both stubs where the protection
// leaves them readable. Both byte orders are read, fragments in any number.
//
// A named pipe is a connection like any other: its carrier feeds what is written
// and read. A call in it that has no authentication of its own is made as who
// the carrier says the pipe was opened by (decode.Carrier).
//
// # What is emitted
//
// One activity per security context, when it is known what became of it:
// logon.kerberos.ap or logon.ntlm. It is a success when the server proves itself
// (AP-REP), says so (SPNEGO accept-completed), accepts the alter_context that
// carried the AUTHENTICATE, answers a call, or signs a fault; a failure after
// bind_nak, KRB-ERROR, SPNEGO reject, a fault in answer to alter_context, or an
// unsigned fault that says that the caller was not authenticated. A connection
// that ends before that leaves an attempt.
//
// # What is ignored on purpose
//
// Calls without a bind on their connection: an opnum alone names nothing, opnum
// 3 of the endpoint mapper is no replication. They are counted. So are calls on
// context ids that were never offered or were rejected, and calls on interfaces
// that nobody registered, by name for the well-known ones (interfaces.go); of
// these nothing but the header is kept or copied. Bind-time feature negotiation
// (MS-RPCE §2.2.2.14) is no context. Signatures, association groups, fragment
// sizes, and the verification trailer (§2.2.2.13) at the end of a stub are not
// looked at. Connectionless PDUs and RPC over HTTP are other protocols.
//
// An auth level of connect (2) protects no PDU, so requests carry no verifier;
// such a request, and any other without one, is taken to be made in the
// connection's only security context, or in the first of that level.
//
// # Limits
//
// Per connection: maxContexts presentation contexts, maxSecurity security
// contexts, maxCalls unanswered calls (the oldest is given up for the newest),
// answerWait for an answer, as many bytes of each stub as its interface asks for
// (at most decode.MaxStub) and maxKept of all together, above which the oldest
// call is given up. A PDU is kept whole, up to 64 KiB, only if it belongs to a
// registered interface or to an authentication. What readers remember of the
// connection they cap. After a gap, reading goes on at the next segment that begins
// with a PDU.
package dcerpc
