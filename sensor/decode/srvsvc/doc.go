// Package srvsvc reads calls on the server service (MS-SRVS): who is connected
// to a domain controller, and what it shares.
//
// # What is read
//
// Every call becomes an activity: NetrSessionEnum is query.smb_session, the rest
// rpc.call. A return value that is an error makes a call a failure.
//
// Of NetrSessionEnum: the client and user names it is restricted to, the level,
// and the sessions that were returned, of levels 0, 1, 2, 10 and 502 (MS-SRVS
// §3.1.4.5, §2.2.4.12 to 16). Of NetrShareEnum and NetrShareEnumSticky: level and
// share names, of levels 0, 1, 2, 501, 502 and 503 (§3.1.4.8). Of others: the
// share, the path, the names or the level they are about.
//
// # What is ignored on purpose
//
// The server name, which is the server's own, comments, paths, times, and files.
//
// # Limits
//
// decode.UsualStub bytes of a request, decode.MaxStub of a response: of a longer
// one the sessions are those whose names lie within it, some 150, and Count says
// how many were returned.
package srvsvc
