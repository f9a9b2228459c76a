// Package sambaaudit reads records of the JSON audit logs of a Samba domain
// controller (smb.conf: log level, classes auth_json_audit,
// dsdb_json_audit, dsdb_group_json_audit, dsdb_password_json_audit and
// dsdb_transaction_json_audit), as Samba 4.9 and later write them: types and
// fields are those of lib/audit_logging, auth/auth_log.c and
// source4/dsdb/samdb/ldb_modules there.
//
//   - Authentication: a Kerberos AS exchange, an NTLM logon, an LDAP simple bind,
//     a Netlogon secure channel, or the old password of a change over SAMR that
//     was refused. Errors go by the
//     names that the protocol has for them, as in a capture.
//   - Authorization: the use of a Kerberos ticket. Other authorizations follow an
//     Authentication that told it all, and are counted.
//   - dsdbChange: a change of the directory with who made it, sealed ones
//     included. What the domain controller notes of logons on its own is counted.
//   - groupChange, passwordChange: as their names say. They come beside a
//     dsdbChange of the same transaction, and say it in the words of Windows.
//   - dsdbTransaction: counted. Transactions of changes are their Correlation.
//
// The log does not tell TGS exchanges, searches, RPC calls and shares. A record
// does not name the computer that wrote it: the target is the address that was
// asked, where the record has one. Values that Samba left out as secret, cut or
// wrote in base64 are counted only. At most activity.MaxChanges attributes and
// activity.MaxValues of each are kept; capture keeps 256 values of a record.
package sambaaudit
