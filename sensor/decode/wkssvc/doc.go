// Package wkssvc reads calls on the workstation service (MS-WKST): who is
// logged on to a computer, and joining it to a domain.
//
// # What is read
//
// Every call becomes rpc.call; a return value that is an error makes it a
// failure. Of NetrWkstaGetInfo and NetrWkstaUserEnum the level, and of what the
// latter returns (levels 0 and 1, MS-WKST §2.2.5.13 and 14) the users, as
// domain\name.
//
// # What is ignored on purpose
//
// Everything else: programs of administrators ask this of members, and a domain
// controller answers without harm.
//
// # Limits
//
// maxRequest bytes of a request, where the level is, and decode.UsualStub of a response.
package wkssvc
