// Package winevent reads records of Windows event logs into activities: what
// domain controllers, AD FS, certification authorities and Entra Connect servers
// audited. It is the source where no packets are, and says less than they do:
// see activity.ViaEvent. A capture and a log of the same domain controller both
// state a fact, as two activities.
//
// catalogue.go lists what is read, by provider, channel and id. Fields go by the
// names that Windows documents for the security log ("Security auditing", one
// page an event) and that the manifests of the other providers define:
//
//   - Kerberos 4768 to 4771, NTLM 4776 and 8004, logons 4624 and 4625, the
//     Netlogon channel 5805 and 5827 to 5831, AD FS 1200 to 1203;
//   - changes of accounts, groups and trusts, of objects 5136 to 5141; access to
//     objects 4662; replicas 4928 and 4929; searches 1644; answers of the DNS
//     server 257 and 258;
//   - services 7045 and 4697, tasks 4698 and 4702, shares 5140 and 5145,
//     PowerShell 4103 and 4104, WMI 5857 to 5861;
//   - certificates 4870 and 4886 to 4888, settings of a certification authority
//     4882, 4885, 4890, 4892, 4896, 4899 and 4900, and of AD FS 307 and 510.
//
// Numbers are decimal or hexadecimal. %%1842 and the like are the numbers of
// messages (msobjs.dll) and read as such; text that Windows shows in its own
// language is not relied upon, with two exceptions in which there is nothing
// else: "CommandInvocation" of 4103, and what a service is in 7045, which is
// English everywhere. Where a source states values without names, they are taken
// by their place in the event's template, unless there are more than are known.
//
// Ignored on purpose: 256, since the answer repeats the question; times within
// events, which are of a language; values that are bytes or secret; the privileges
// and processes that events name.
//
// Limits: texts as activity.Cut has them, XML within a field to 32 levels and
// 4,096 tokens, lists as the details say.
package winevent
