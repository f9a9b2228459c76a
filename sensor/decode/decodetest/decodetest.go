// Package decodetest runs decoders over captures for their golden tests.
package decodetest
