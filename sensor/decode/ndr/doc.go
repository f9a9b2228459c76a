// Package ndr reads what stands in the stubs of DCE/RPC calls: the transfer
// syntaxes NDR (C706 chapter 14, with the extensions of MS-RPCE §2.2.4) and
// NDR64 (MS-RPCE §2.2.5). It belongs to no interface: each one calls the reads
// of its operation's arguments in the order of its IDL.
//
// # What is read
//
// Numbers and enumerations with their alignment, pointers, conformant and
// varying arrays, strings of both widths, and the structures that most
// interfaces share: RPC_UNICODE_STRING (MS-DTYP §2.3.10), RPC_SID (§2.4.2.3),
// GUID, context handles. What a pointer inside a structure points to follows the
// structure, in the order of the pointers (C706 §14.3.12.3); a top-level one's
// referent follows it at once. So a structure is read in two steps, Header and
// the rest, and the caller keeps the order.
//
// NDR64 differs by pointers, counts and unions of 8 bytes, enumerations of 4,
// and structures that begin at the alignment of their largest member.
//
// # What is ignored on purpose
//
// Referent ids: no interface that is read repeats one, so a pointer that is not
// null points to what comes next. Full pointers with aliases would be misread,
// and then contradict themselves.
//
// # Limits
//
// A Reader stops at the first contradiction or at the end of its bytes, and every
// read after that gives zero; loops ask OK. Nothing allocates more than it was
// given bytes, texts are cut at activity.MaxText, and nothing recurses. A table
// of Handles keeps maxHandles of a connection.
package ndr
