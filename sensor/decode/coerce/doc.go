// Package coerce reads calls on the interfaces that have a domain controller
// open a path on another computer, named by the caller, and so authenticate to
// it: encrypted files (MS-EFSR, both of its UUIDs, as efsr), printing (MS-RPRN as
// rprn, MS-PAR as par) and DFS administration (MS-DFSNM, as dfsnm). What is of
// interest in all of them is one path.
//
// # What is read
//
// Calls become rpc.call, with the path or the name of another computer as their
// object, whether it is a UNC path or not; further ones are in names. A return
// value that is an error makes a call a failure: the error says whether the
// server tried, such as ERROR_BAD_NETPATH.
//
//   - efsr: FileName of every method that has one (MS-EFSR §3.1.4.2).
//   - rprn: pszLocalMachine of RpcRemoteFindFirstPrinterChangeNotification and Ex
//     (MS-RPRN §3.1.4.10.3, §3.1.4.10.4), the printer of RpcOpenPrinter and Ex, and
//     of RpcAddPrinterDriver and Ex (§3.1.4.4.1, §3.1.4.4.8) the paths of driver,
//     data and configuration file with the flags of Ex; the object is the first of
//     them that is a UNC path, else the driver's.
//   - par: the same of RpcAsyncAddPrinterDriver and RpcAsyncOpenPrinter (MS-PAR
//     §3.1.4.2.2, §3.1.4.1.1), and the path of a driver package (§3.1.4.2.10, 11).
//   - dfsnm: the server, or the path of an entry, and the names after it (MS-DFSNM
//     §3.1.4).
//
// # What is ignored on purpose
//
// Printing itself: of rprn and par the calls listed in printing.go are activities,
// the rest is counted. Certificates, metadata and file contents of efsr.
// Responses, but for the return value.
//
// # Limits
//
// decode.UsualStub bytes of a request, maxDriver of one that adds a printer
// driver; of a longer one the flags, which come last, are not read.
package coerce
