package names

import (
	"bytes"
	"strings"
	"testing"
)

func TestSIDForms(t *testing.T) {
	for _, c := range []struct {
		text   string
		binary string
	}{
		{"S-1-5-18", "\x01\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00"},
		{"S-1-5-32-544", "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x20\x02\x00\x00"},
		{"S-1-5-21-1-2-4294967295-512", "\x01\x05\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff\x00\x02\x00\x00"},
		{"S-1-4294967295-0", "\x01\x01\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00"},
		{"S-1-0x000100000000-7", "\x01\x01\x00\x01\x00\x00\x00\x00\x07\x00\x00\x00"},
		{"S-1-0x206C277C6666-21", "\x01\x01\x20\x6c\x27\x7c\x66\x66\x15\x00\x00\x00"},
		{"S-1-5", "\x01\x00\x00\x00\x00\x00\x00\x05"},
		{"S-1-5" + strings.Repeat("-9", 15), "\x01\x0f\x00\x00\x00\x00\x00\x05" + strings.Repeat("\x09\x00\x00\x00", 15)},
	} {
		fromText, err := ParseSID(c.text)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		fromBytes, rest, err := ReadSID([]byte(c.binary + "rest"))
		if err != nil || string(rest) != "rest" {
			t.Errorf("%s: reading: %v, rest %q", c.text, err, rest)
		}
		if fromText != fromBytes {
			t.Errorf("%s: text and bytes differ", c.text)
		}
		if fromBytes.String() != c.text {
			t.Errorf("String() = %s, want %s", fromBytes, c.text)
		}
		if b, _ := fromText.AppendBinary(nil); string(b) != c.binary {
			t.Errorf("%s: binary %x", c.text, b)
		}
	}
}

func TestParseSIDOtherSpellings(t *testing.T) {
	for in, want := range map[string]string{
		"s-1-5-18":            "S-1-5-18",
		"S-1-0x5-18":          "S-1-5-18",
		"S-1-0X5-18":          "S-1-5-18",
		"S-1-5-018":           "S-1-5-18",
		"S-1-1099511627776-1": "S-1-0x010000000000-1",
	} {
		if s, err := ParseSID(in); err != nil || s.String() != want {
			t.Errorf("ParseSID(%q) = %s, %v; want %s", in, s, err, want)
		}
	}
}

func TestParseSIDRefuses(t *testing.T) {
	for in, why := range map[string]string{
		"":                                 `want "S-1-" first`,
		"S-1-":                             "authority",
		"S-2-5-18":                         `want "S-1-" first`,
		"S-1-5-":                           "sub-authority",
		"S-1-5--1":                         "sub-authority",
		"S-1-5-4294967296":                 "sub-authority",
		"S-1-5-+1":                         "sub-authority",
		"S-1-5-1_0":                        "sub-authority",
		"S-1-0x1000000000000-1":            "authority",
		"S-1-281474976710656":              "authority",
		"S-1-5" + strings.Repeat("-1", 16): "more than 15",
		"S-1-5-18 ":                        "sub-authority",
	} {
		if s, err := ParseSID(in); err == nil || !strings.Contains(err.Error(), why) || !s.IsZero() {
			t.Errorf("ParseSID(%q) = %s, %v; want %q", in, s, err, why)
		}
	}
}

func TestReadSIDRefuses(t *testing.T) {
	for in, why := range map[string]string{
		"":                                 "want at least 8",
		"\x01\x01\x00\x00\x00\x00\x00":     "want at least 8",
		"\x02\x00\x00\x00\x00\x00\x00\x05": "revision 2",
		"\x01\x10\x00\x00\x00\x00\x00\x05" + strings.Repeat("\x00", 64): "16 sub-authorities",
		"\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x20\x02\x00":  "want 16",
	} {
		if _, _, err := ReadSID([]byte(in)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("ReadSID(%x): %v, want %q", in, err, why)
		}
	}
}

func TestSIDParts(t *testing.T) {
	admins := mustSID("S-1-5-21-1-2-3-512")
	domain, ok := admins.Domain()
	if !ok || domain != mustSID("S-1-5-21-1-2-3") {
		t.Errorf("Domain() = %s, %v", domain, ok)
	}
	if domain.WithRID(512) != admins {
		t.Errorf("WithRID(512) = %s", domain.WithRID(512))
	}
	if !admins.DomainRID(RIDDomainAdmins) || admins.DomainRID(RIDAdministrator) {
		t.Error("DomainRID does not tell Domain Admins")
	}
	for _, text := range []string{"S-1-5-21-1-2-3", "S-1-5-32-544", "S-1-5-18", "S-1-5-22-1-2-3-512", "S-1-5-21-1-2-3-512-512", "S-1-6-21-1-2-3-512"} {
		s := mustSID(text)
		if _, ok := s.Domain(); ok || s.DomainRID(512) || s.DomainRID(3) {
			t.Errorf("%s passes for an account of a domain", text)
		}
	}
	if rid, ok := SIDAdministrators.RID(); rid != 544 || !ok {
		t.Errorf("RID() = %d, %v", rid, ok)
	}
	if _, ok := mustSID("S-1-5").RID(); ok {
		t.Error("S-1-5 has a RID")
	}
	full := mustSID("S-1-5" + strings.Repeat("-9", 15))
	if !full.WithRID(1).IsZero() || !(SID{}).WithRID(1).IsZero() {
		t.Error("WithRID invents SIDs")
	}
}

func TestSIDWellKnown(t *testing.T) {
	for text, want := range map[string]string{
		"S-1-5-21-1-2-3-512":  "Domain Admins",
		"S-1-5-21-1-2-3-516":  "Domain Controllers",
		"S-1-5-21-1-2-3-519":  "Enterprise Admins",
		"S-1-5-21-1-2-3-521":  "Read-only Domain Controllers",
		"S-1-5-21-1-2-3-500":  "Administrator",
		"S-1-5-21-1-2-3-502":  "krbtgt",
		"S-1-5-21-1-2-3-1105": "",
		"S-1-5-18":            "Local System",
		"S-1-5-9":             "Enterprise Domain Controllers",
		"S-1-5-32-544":        "Administrators",
		"S-1-5-32-512":        "",
	} {
		if got := mustSID(text).WellKnown(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestSIDZero(t *testing.T) {
	var s SID
	if b, _ := s.AppendBinary(nil); s.String() != "" || b != nil || s.WellKnown() != "" || !s.IsZero() {
		t.Error("the zero SID is something")
	}
	if err := s.UnmarshalText(nil); err != nil || !s.IsZero() {
		t.Errorf("empty text: %s, %v", s, err)
	}
	if err := s.UnmarshalText([]byte("S-1-5-9")); err != nil || s != SIDEnterpriseDCs {
		t.Errorf("text: %s, %v", s, err)
	}
}

func FuzzSID(f *testing.F) {
	f.Add([]byte("\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x20\x02\x00\x00"))
	f.Add([]byte("S-1-0x206C277C6666-21"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, rest, err := ReadSID(b); err == nil {
			if back, _ := s.AppendBinary(nil); !bytes.Equal(append(back, rest...), b) {
				t.Fatalf("%x comes back as %x", b, back)
			}
			if again, err := ParseSID(s.String()); err != nil || again != s {
				t.Fatalf("%s reads as %s, %v", s, again, err)
			}
		}
		if s, err := ParseSID(string(b)); err == nil {
			if again, err := ParseSID(s.String()); err != nil || again != s {
				t.Fatalf("%q: %s reads as %s, %v", b, s, again, err)
			}
		}
	})
}
