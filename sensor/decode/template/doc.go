// Package template reads a made-up protocol that looks up names, the smallest
// that shows what a decoder owes: copy it with `make new-decoder`.
//
// A message over TCP (in a real decoder: the specification and its section):
//
//	Length  2 octets  of what follows, high octet first; at least 2
//	ID      1 octet   of a request, repeated in its reply
//	Type    1 octet   1 request, 2 answer, 3 refusal
//	Text    the rest  the name asked for, or the address answered; UTF-8
//
// One request with its reply, or without one, is one activity. Its kind is
// query.dns here; a protocol of its own has a kind of its own in package
// activity.
//
// Ignored on purpose: nothing. Limits: 512 bytes are kept of a message, and 16
// requests of a conversation wait for their replies.
package template
