// Package dns decodes DNS over UDP and TCP port 53: queries with their answers,
// zone transfers and dynamic updates (RFC 1035, 1995, 2136, 5936, 6891).
//
// # What becomes an activity
//
//   - A query and its response, paired by transaction id and question: one
//     query.dns. A query without a response is an Attempt when the conversation
//     closes; a response without its query has no Requested. Every query and
//     every response read is in exactly one activity, so a query sent twice and
//     answered once gives a success and an attempt.
//   - A zone transfer (AXFR, IXFR over TCP) with all its messages: one query.dns.
//     It ends at the SOA record that closes it (RFC 5936 §2.2, RFC 1995 §4), at
//     an error code, or with the conversation. A gap does not end it: what
//     follows the gap belongs to it still, and Answers counts what was seen.
//   - A dynamic update (opcode 5) and its response: one dns.update. The question
//     is the zone; Records are what the update adds.
//   - A message that goes the wrong way, a response to the server's port or a
//     query from it: an Attempt of its sender, with an anomaly and no records.
//
// Rcode 0 is a Success; any other is a Failure whose Error is the code's name
// ("NXDOMAIN", "REFUSED"), extended codes of EDNS included. The asker is the
// source whatever its port is: between two servers that both use port 53 each
// side may ask.
//
// # What is kept of a message
//
// The first question, the number of answers, and of answers the first
// activity.MaxDNSRecords A, AAAA, NS, CNAME, SOA, PTR and SRV records; beside NS
// and SRV records also the addresses of the additional section. Names are
// written without the final dot. A byte that is not part of a printable
// character is written \DDD as in a master file (RFC 1035 §5.1), and "\" is
// written "\\".
//
// # What is ignored on purpose
//
// Opcodes other than QUERY and UPDATE (NOTIFY, STATUS, DSO); counted. Questions
// after the first. Records of other types, and the contents of TSIG, SIG(0),
// TKEY and OPT: a signed message is read like any other and its signature not
// checked. mDNS and LLMNR, which have other ports.
//
// # Limits
//
//   - maxPending queries of a conversation wait for their responses, and
//     maxHeld bytes of names and records with them; then the oldest are given
//     up on.
//   - A message over TCP has at most 64 KiB by its own length field.
//   - Names are read by x/net/dns/dnsmessage: at most 10 compression pointers and
//     254 bytes, and no dot within a label. What it refuses is an anomaly, and
//     the rest of the message is read on.
package dns
