// Package nbns reads the NetBIOS name service over UDP port 137 (RFC 1001 §15,
// RFC 1002 §4.2).
//
// # What is read
//
// A query, registration, refresh or release, with its answer, makes one activity,
// query.netbios. Of requests the name is read, and of registrations the addresses
// claimed; of answers the addresses of NB and, of NBSTAT, the names of the host
// and its hardware address (RFC 1002 §4.2.18).
//
// Most questions go to a broadcast address. They are answered, if at all, from
// another one, which is another conversation: the question stays an attempt and
// the answer stands alone, with whoever answered as target. A request is an
// attempt when no answer came until the conversation was silent for 10 s (flow's
// patience) or too many are open. The same request sent again is one.
//
// # What is ignored on purpose
//
// Wait acknowledgements (§4.2.16) and redirects (§4.2.15), which are counted.
// Statistics of NBSTAT. Names in the resource records of answers: they repeat the
// question. NetBIOS over TCP to port 137, which RFC 1002 allows and nobody does,
// and the datagram and session services.
//
// # Limits
//
//	requests open            16   maxPending
//	addresses or names       64   maxAnswers
//	name                    255   with its scope (RFC 1002 §4.1)
package nbns
