package names

import (
	"strings"
	"testing"
)

func TestHostKeys(t *testing.T) {
	for _, c := range []struct{ in, key, short string }{
		{"", "", ""},
		{"DC1", "dc1", "dc1"},
		{"DC1.Lab.Example", "dc1.lab.example", "dc1"},
		{"dc1.lab.example.", "dc1.lab.example", "dc1"},
		{"dc1..", "dc1.", "dc1"},
		{"dc1．lab．", "dc1.lab", "dc1"}, // full-width dots fold
		{"10.0.0.1", "10.0.0.1", "10.0.0.1"},
		{"xn--jrg-sna.lab", "xn--jrg-sna.lab", "xn--jrg-sna"},
		{"JÖRG.lab", "jörg.lab", "jörg"},
	} {
		if got := HostKey(c.in); got != c.key {
			t.Errorf("HostKey(%q) = %q, want %q", c.in, got, c.key)
		}
		if got := ShortHost(c.in); got != c.short {
			t.Errorf("ShortHost(%q) = %q, want %q", c.in, got, c.short)
		}
	}
	if got := RealmKey("LAB.EXAMPLE."); got != "lab.example" {
		t.Errorf("RealmKey = %q", got)
	}
}

func TestIsDNSName(t *testing.T) {
	label := strings.Repeat("a", 63)
	for in, want := range map[string]bool{
		"dc1.lab.example":               true,
		"dc1.lab.example.":              true,
		"_ldap._tcp.lab.example":        true,
		"jörg.lab":                      true,
		"1.2.3.4.in-addr.arpa":          true,
		label + ".lab":                  true,
		"DC1":                           false,
		"":                              false,
		".":                             false,
		"dc1..lab":                      false,
		"10.0.0.1":                      false,
		"fe80::1":                       false,
		"a b.lab":                       false,
		"dc1.lab/x":                     false,
		label + "a.lab":                 false,
		strings.Repeat(label+".", 4):    false,
		strings.Repeat("a.", 126) + "a": true,
	} {
		if got := IsDNSName(in); got != want {
			t.Errorf("IsDNSName(%q) = %v", in, got)
		}
	}
}

func TestSameDomainLabel(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"LAB", "lab.example", true},
		{"lab.example", "LAB", true},
		{"LAB", "lab", true},
		{"lab.example", "LAB.EXAMPLE.", true},
		{"lab.example", "lab.other", false},
		{"LAB", "lab2.example", false},
		{"", "", false},
		{"LAB", "", false},
	} {
		if got := SameDomainLabel(c.a, c.b); got != c.want {
			t.Errorf("SameDomainLabel(%q, %q) = %v", c.a, c.b, got)
		}
	}
	if got := ShortDomain("LAB.example"); got != "lab" {
		t.Errorf("ShortDomain = %q", got)
	}
}
