package names

import (
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"":            "",
		"alice":       "alice",
		"ALICE":       "alice",
		"WS01$":       "ws01$",
		"a b_c-9.":    "a b_c-9.",
		"JÖRG":        "jörg",
		"jo\u0308rg":  "jörg", // decomposed
		"Straße":      "strasse",
		"STRASSE":     "strasse",
		"ΣΑΣ":         "σασ",
		"σας":         "σασ", // final sigma
		"ﬁn":          "fin",
		"ＡＤＭＩＮ":       "admin", // full width
		"K":           "k",     // Kelvin sign
		"İ":           "i\u0307",
		"\u2126":      "ω", // ohm sign
		"a\x00B":      "a\x00b",
		"bad\xffNAME": "bad\uFFFDname",
	} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

// Every code point, alone and after a letter it may combine with.
func TestFoldIsIdempotent(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		for _, s := range []string{string(r), "a" + string(r), "\u03B1" + string(r) + "\u0345"} {
			if once := Fold(s); Fold(once) != once {
				t.Fatalf("Fold(%q) = %q, again %q", s, once, Fold(once))
			}
		}
	}
}

func TestFoldRawKeepsBrokenNamesApart(t *testing.T) {
	keys := make(map[string]string)
	for _, in := range []string{"a\xff", "a\xfe", "a\uFFFD", "RAW:61ff", "raw:61ff", "A\xff", "\xff"} {
		s, raw := FromUTF8([]byte(in))
		k := FoldRaw(s, raw)
		if other, taken := keys[k]; taken && !(in == "raw:61ff" && other == "RAW:61ff") {
			t.Errorf("%q and %q share the key %q", in, other, k)
		}
		if !utf8.ValidString(k) {
			t.Errorf("key %q of %q is not valid UTF-8", k, in)
		}
		keys[k] = in
	}
	if FoldRaw("Alice", nil) != "alice" {
		t.Error("a valid name is not folded")
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"alice", "ALICE", "Straße", "jo\u0308rg", "ﬁ\u0345", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k := Fold(s)
		if !utf8.ValidString(k) {
			t.Fatalf("Fold(%q) = %q is not valid UTF-8", s, k)
		}
		if again := Fold(k); again != k {
			t.Fatalf("Fold(%q) = %q, again %q", s, k, again)
		}
		for _, c := range []byte(k) {
			if c >= 'A' && c <= 'Z' {
				t.Fatalf("Fold(%q) = %q has a capital, which marks raw keys", s, k)
			}
		}
	})
}

func BenchmarkFoldLower(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Fold("dc1.lab.example")
	}
}

func BenchmarkFoldUpper(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Fold("DC1.LAB.EXAMPLE")
	}
}

func BenchmarkFoldUnicode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Fold("Jörg Müller")
	}
}

func TestFoldLowerDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Fold("dc1.lab.example") }); n != 0 {
		t.Errorf("%v allocations for lower-case ASCII", n)
	}
}
