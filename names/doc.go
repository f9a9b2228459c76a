// Package names is the one place where identities are canonical. What a
// protocol calls someone (sAMAccountName, UPN, NetBIOS\name, DN, SID, SPN,
// realm, DNS name, address) is parsed here, and every form has a key: two
// spellings of one name have the same key, two names have different keys.
//
// The rules, once:
//
//   - Keys are folded: NFKC, then full case folding (Fold). The directory
//     compares more loosely still, it ignores diacritics for instance; what it
//     treats as one name is for the directory to say, not for a key.
//   - Text that was not valid UTF-8 or UTF-16 stands with U+FFFD for reading,
//     beside its original bytes. Its key is made of those bytes (FoldRaw), so
//     that two broken names never meet and a broken name never meets a good one.
//   - A trailing "$" belongs to an account's key: WS01$ is a computer, ws01 may
//     be a user. Only Account.HostKey takes it off, to find the computer.
//   - One trailing dot of a DNS name or a realm is not part of its key.
//   - The NetBIOS name LAB and the DNS name lab.example are different keys. That
//     they are one domain is for the directory to say; SameDomainLabel guesses.
//   - IPv4 is never written as ::ffff:a.b.c.d, and an address has no zone. See
//     Addr and AddrZone for link-local addresses.
//
// Keys are for comparing and indexing. They are never folded again and never
// shown: show the text, through Display where a terminal or a log reads it.
//
// No function of this package panics, whatever the input, and all take time
// linear in it. None cuts what it is given: callers cap what comes from the wire.
// The package imports nothing of ours.
package names
