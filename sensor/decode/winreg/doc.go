// Package winreg reads calls on the remote registry (MS-RRP).
//
// # What is read
//
// Calls that open, create, change, save or load keys, and those that read or
// write a value, become rpc.call; those that close or enumerate are counted. A
// return value that is an error makes a call a failure.
//
// Handles are followed, so that a call names the key by its path from its root,
// such as HKLM\SYSTEM\CurrentControlSet (MS-RRP §3.1.5): what is saved to a file,
// or which value is set. A path whose beginning was not seen begins with …\.
// Names hold the value, or the file that a key is saved to or loaded from.
//
// # What is ignored on purpose
//
// Values' contents, security descriptors, and what is returned.
//
// # Limits
//
// decode.UsualStub bytes of a request, the beginning of a response, where
// handles are, and handles as of package ndr. A path is cut at maxPath.
package winreg
