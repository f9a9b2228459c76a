// Package samr reads calls on the SAM remote interface (MS-SAMR), by which
// programs ask a domain controller about accounts and groups, and change them.
//
// # What is read
//
// Every call becomes an activity but a handle that is closed, which is counted.
// Calls that read accounts or groups, or open one, are query.samr; those that
// create, delete or change one, or a password, are directory.change; the rest are
// rpc.call. A return value that is an error makes a call a failure.
//
// Handles are followed: OpenDomain says which domain a handle stands for, Open*
// and Create* which account (MS-SAMR §3.1.5.1, §3.1.5.4), so that a query on the
// handle carries SID and RID; its name too, where a look-up on the same
// connection gave it.
//
// Of requests: names and RIDs that are looked up (§3.1.5.11), the prefix of a
// display index, information levels, the name and type of a new account, members
// by RID or SID (§3.1.5.8), the account whose password is changed (§3.1.5.10),
// and the account name or control bits that are set (§3.1.5.6). Of responses:
// RIDs and names that were found, how many entries were returned, the RID of what
// was created.
//
// # What is ignored on purpose
//
// What is said of the accounts, the entries of enumerations, passwords and
// hashes, security descriptors.
//
// # What cannot be seen
//
// Sealed stubs: then the opnum alone tells the kind, and the outcome is success
// when the server answered.
//
// # Limits
//
// decode.UsualStub bytes of each stub: look-ups of more names than fit there give
// the first of them. Handles as of package ndr, maxNames names of accounts and
// maxDomains of domains on a connection.
package samr
