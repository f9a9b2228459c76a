// Package epm reads calls on the endpoint mapper (C706 appendix O), which every
// client asks for the port of an interface before it connects to that.
//
// # What is read
//
// Every call becomes rpc.call but a look-up handle that is freed, which is
// counted: of ept_map the interface asked for, as its UUID, from the first floor
// of the tower (C706 appendix L); of ept_lookup the kind of inquiry as level. A
// return value other than zero makes a call a failure.
//
// # What is ignored on purpose
//
// Responses: connections to the ports they name are recognised by themselves.
//
// # Limits
//
// 256 bytes of a request: an object, and a tower of up to 7 floors, take less.
package epm
