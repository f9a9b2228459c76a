// Package winevent reads records of the Windows security log into activities:
// what a domain controller audited of Kerberos (4768, 4771) and of directory
// access (4662). It is the source where no packets are, and says less than
// they do: see activity.ViaEvent. A capture and a log of the same domain
// controller both state a fact, as two activities.
package winevent
