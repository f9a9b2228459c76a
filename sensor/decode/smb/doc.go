// Package smb reads SMB1 (MS-CIFS, MS-SMB) and SMB2 and 3 (MS-SMB2) over TCP
// port 445 and over the NetBIOS session service, port 139 (RFC 1001, RFC 1002).
//
// # What is emitted
//
// A session set-up with its last answer: SMBSession, and before it what its
// tokens proved, KerberosAP or NTLMLogon, with the NTSTATUS that refused it.
// Tokens go to "gssapi"; an SMB1 set-up without extended security is NTLM too
// (MS-CIFS §2.2.4.53). A name or password that a server maps to guest is a
// refused logon in a session that succeeded. A set-up that ends without an
// answer is an attempt; one that its client leaves before it proved anything, as
// programs do that only want the server's names, is counted.
//
// A share that was asked for: SMBTree. A file or pipe from its opening to its
// closing, or its refusal: SMBFile, when it is closed or whatever it belongs to
// ends. That has the bytes that READ and WRITE carried, the beginning of the
// file where one of them held it, deletion (by SET_INFO or delete-on-close) and
// renaming; of SMB1 also what DELETE, DELETE_DIRECTORY, RENAME and
// TRANS2_SET_PATH_INFORMATION do by name. An answer other than success is a
// failure with the name of its status; of SMB1 also "ERRDOS 5" where the server
// knows no NTSTATUS.
//
// Messages that break the protocol as exploits do and that belong to none of
// these (anomaly.go) are an SMBSession of outcome attempt that carries the
// anomaly, once a connection.
//
// # What is read
//
// Of SMB2 (§2.2.3 to §2.2.14, §2.2.19 to §2.2.22, §2.2.31, §2.2.39):
// NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, CREATE with
// SMB2_CREATE_TIMEWARP_TOKEN, CLOSE, READ, WRITE, IOCTL of
// FSCTL_PIPE_TRANSCEIVE, SET_INFO of FileRenameInformation and
// FileDispositionInformation, with their Ex forms. Compounds are read command by
// command, related operations with the file of the one before (§3.2.4.1.4).
// Interim answers (§3.3.4.2) are passed over: the last one has the same
// MessageId.
//
// Of SMB1 (MS-CIFS §2.2.4): NEGOTIATE, SESSION_SETUP_ANDX, LOGOFF_ANDX,
// TREE_CONNECT_ANDX, TREE_DISCONNECT, NT_CREATE_ANDX, OPEN_ANDX, OPEN, CREATE,
// CLOSE, DELETE, DELETE_DIRECTORY, RENAME, READ_ANDX, WRITE_ANDX, READ, WRITE,
// TRANSACTION of TRANS_TRANSACT_NMPIPE with its secondaries, TRANSACTION2 of
// TRANS2_SET_FILE_INFORMATION and TRANS2_SET_PATH_INFORMATION, NT_TRANSACT of
// NT_TRANSACT_CREATE. AndX chains are read in order; a set-up and a share in one
// message belong together.
//
// What is written to and read from a named pipe is a conversation of "dcerpc",
// if its first bytes are (C706 §12.6.3.1), by WRITE and READ, transceive and
// transaction alike. So is it on a file whose opening was not seen.
//
// # What is ignored on purpose
//
// Credits, signatures, leases, oplocks, locks, notifications, directory listings,
// attributes, copies within the server, and all other commands; those of SMB1 are
// counted. A set-up that binds a session to one more connection (§3.3.5.5.2) is
// a session of that connection. Encrypted messages (§2.2.41) are counted and mark
// their session, compressed ones (§2.2.42) are counted; neither is read, so what
// they answer is given up. Transactions on mailslots and of the remote
// administration protocol, SMB over QUIC and RDMA are other protocols. What a
// WRITE carried counts although it is refused.
//
// # Limits
//
//	command with a token       64 KiB   maxToken; more of it is passed over
//	other command               4 KiB   maxCommand
//	SMB1 message               17 KiB   maxCommand1, bodies of READ and WRITE aside
//	commands of a compound        128   maxCompound
//	commands of an AndX chain       8   maxAndX
//	waiting requests              512   maxPending, and patience (2 min)
//	sessions of a connection       64   maxSessions
//	shares                        256   maxTrees
//	open files                    512   maxFiles
//	pipes followed                 32   maxPipes
//
// What exceeds one of the last five ends what was there for longest, which is
// emitted as it is. Bodies are never kept but for activity.MaxMagic bytes, and
// passed over by the length that their command says. A gap within one costs
// nothing, elsewhere the message; then a segment that begins with a message sets
// the decoder right.
package smb
