// Package lsarpc reads calls on the LSA interface (MS-LSAD and MS-LSAT, which
// share it), by which secrets of a domain controller are read, rights given, and
// names and SIDs translated.
//
// # What is read
//
// Every call becomes an activity but a handle that is closed, which is counted.
// LsarOpenSecret, LsarQuerySecret and LsarRetrievePrivateData, and their second
// forms, are query.private_data with the secret's name (MS-LSAD §3.1.4.6); the
// rest are rpc.call. A return value that is an error makes a call a failure.
//
// A secret's handle is followed, so that a query on it names the secret, and so
// is that of an account or trusted domain, for its SID.
//
// Of requests: names and SIDs that are translated (MS-LSAT §3.1.4), the account
// whose rights are read or changed with the rights (MS-LSAD §3.1.4.5), the
// trusted domain by name or SID, the information level, and the name of a
// secret that is created or stored.
//
// # What is ignored on purpose
//
// Responses, but for the handle they give: values of secrets are never looked
// at, and what names were translated to can be asked of the directory.
//
// # Limits
//
// decode.UsualStub bytes of a request, so that look-ups of more names than fit
// there give the first of them. Handles as of package ndr.
package lsarpc
