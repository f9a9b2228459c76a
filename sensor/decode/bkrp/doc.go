// Package bkrp reads calls on the BackupKey interface (MS-BKRP), by which
// computers have a domain controller keep or give back keys of DPAPI.
//
// # What is read
//
// Every call becomes rpc.call with the action asked for as its object, by the
// name it has in MS-BKRP §3.1.4.1 (BACKUPKEY_RETRIEVE_BACKUP_KEY_GUID, …) or as a
// GUID. All of it is ordinary life of a domain: what is retrieved is a public
// key. A return value that is an error makes a call a failure.
//
// # What is ignored on purpose
//
// The keys, and the response.
//
// # Limits
//
// The 16 bytes of a request that name the action. Windows seals this interface.
package bkrp
