package names

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxFoldPasses bounds Fold. Folding may undo normalization and the other way
// round (Unicode §3.13, D146, folds twice for that reason); three passes reach
// the fixed point for every code point, the fourth is slack for sequences.
const maxFoldPasses = 4

// rawPrefix begins the keys of broken names. Case folding leaves no "R", "A" or
// "W", so no valid name folds to such a key.
const rawPrefix = "RAW:"

// Fold is the key of text: NFKC, then full Unicode case folding, repeated until
// nothing changes. It is idempotent and its result is valid UTF-8. Text that is
// lower-case ASCII already is returned as it is, without allocation.
//
// s should be valid text. Bytes that are not stand as U+FFFD in the result, so
// different broken names may share it: use FoldRaw for text from the wire.
func Fold(s string) string {
	lower := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return foldUnicode(s)
		}
		lower = lower && (c < 'A' || c > 'Z')
	}
	if lower {
		return s
	}
	return strings.ToLower(s)
}

func foldUnicode(s string) string {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	fold := cases.Fold() // made here: a Caser is not safe for concurrent use
	for range maxFoldPasses {
		next := norm.NFKC.String(fold.String(norm.NFKC.String(s)))
		if next == s {
			break
		}
		s = next
	}
	return s
}

// FoldRaw is the key of text read by FromUTF8 or FromUTF16LE: Fold(s) when raw
// is nil, else a key of the original bytes that no valid text has.
func FoldRaw(s string, raw []byte) string {
	if raw == nil {
		return Fold(s)
	}
	return rawPrefix + hex.EncodeToString(raw)
}
