package ldap

import (
	"bytes"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode/ber"
)

// textOf is the filter's text as an activity shows it.
func textOf(b []byte) (string, filterText) {
	var w filterText
	return w.read(ber.New(b)), w
}

func TestFilterText(t *testing.T) {
	user := equality("objectClass", "user")
	tests := []struct {
		name   string
		filter []byte
		want   string
		broken bool
	}{
		{"present", present("objectClass"), "(objectClass=*)", false},
		{"equality", user, "(objectClass=user)", false},
		{"greater or equal", tlv(0xa5, octets("uSNChanged"), octets("5")), "(uSNChanged>=5)", false},
		{"less or equal", tlv(0xa6, octets("uSNChanged"), octets("5")), "(uSNChanged<=5)", false},
		{"approximate", tlv(0xa8, octets("cn"), octets("ann")), "(cn~=ann)", false},
		{"and", tlv(0xa0, user, present("servicePrincipalName")), "(&(objectClass=user)(servicePrincipalName=*))", false},
		{"or of one", tlv(0xa1, user), "(|(objectClass=user))", false},
		{"not", tlv(0xa2, user), "(!(objectClass=user))", false},
		{"absolute true", tlv(0xa0), "(&)", false},
		{"long lengths", encode(0xa0, true, encode(0xa3, true, octets("a"), octets("b"))), "(&(a=b))", false},

		{"initial", tlv(0xa4, octets("cn"), seq(tlv(0x80, []byte("adm")))), "(cn=adm*)", false},
		{"any", tlv(0xa4, octets("cn"), seq(tlv(0x81, []byte("adm")))), "(cn=*adm*)", false},
		{"final", tlv(0xa4, octets("cn"), seq(tlv(0x82, []byte("adm")))), "(cn=*adm)", false},
		{"all of them", tlv(0xa4, octets("cn"), seq(tlv(0x80, []byte("a")), tlv(0x81, []byte("b")), tlv(0x81, []byte("c")), tlv(0x82, []byte("d")))), "(cn=a*b*c*d)", false},
		{"no substring", tlv(0xa4, octets("cn"), seq()), "(cn=…)", true},
		{"initial twice", tlv(0xa4, octets("cn"), seq(tlv(0x80, []byte("a")), tlv(0x80, []byte("b")))), "(cn=a…)", true},
		{"after the final", tlv(0xa4, octets("cn"), seq(tlv(0x82, []byte("a")), tlv(0x81, []byte("b")))), "(cn=*a…)", true},

		{"extensible, AD's bits", tlv(0xa9, tlv(0x81, []byte("1.2.840.113556.1.4.803")), tlv(0x82, []byte("userAccountControl")), tlv(0x83, []byte("4194304"))),
			"(userAccountControl:1.2.840.113556.1.4.803:=4194304)", false},
		{"extensible with dn", tlv(0xa9, tlv(0x81, []byte("2.4.6.8.10")), tlv(0x82, []byte("sn")), tlv(0x83, []byte("x")), tlv(0x84, []byte{0xff})),
			"(sn:dn:2.4.6.8.10:=x)", false},
		{"extensible with dn false", tlv(0xa9, tlv(0x82, []byte("cn")), tlv(0x83, []byte("x")), tlv(0x84, []byte{0})), "(cn:=x)", false},
		{"extensible without attribute", tlv(0xa9, tlv(0x81, []byte("2.4.6.8.10")), tlv(0x83, []byte("x"))), "(:2.4.6.8.10:=x)", false},
		{"extensible without value", tlv(0xa9, tlv(0x82, []byte("cn"))), "(cn:=…)", true},

		{"special characters", equality("cn", `Parens R Us (for all) * \ `+"ö"), `(cn=Parens R Us \28for all\29 \2a \5c ö)`, false},
		{"octets", equality("NtVer", "\x06\x00\x00\x20"), `(NtVer=\06\00\00\20)`, false},
		{"a control character", equality("cn", "a\x7f"), `(cn=\61\7f)`, false},
		{"invalid UTF-8", equality("cn", "Z\xfcrich"), `(cn=\5a\fc\72\69\63\68)`, false},
		{"empty value", equality("cn", ""), "(cn=)", false},
		{"attribute with an option", present("userCertificate;binary"), "(userCertificate;binary=*)", false},
		{"attribute that is none", present("a)(b"), `(a\29\28b=*)`, false},

		{"unknown choice", tlv(0xaa, []byte("x")), "(…)", true},
		{"one of several broken", tlv(0xa0, user, tlv(0xbe, []byte("x")), user), "(&(objectClass=user)(…)(objectClass=user))", true},
		{"end missing", user[:len(user)-2], "(objectClass=us…)", true},
		{"end missing inside", tlv(0xa0, user)[:12], "(&(…))", true},
		{"not of nothing", tlv(0xa2), "(!…)", true},
		{"not of two", tlv(0xa2, user, user), "(!(objectClass=user))", true},
		{"nothing", nil, "…", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, w := textOf(tt.filter)
			if got != tt.want || w.broken != tt.broken || w.deep || w.cut {
				t.Errorf("got %q broken %v deep %v cut %v, want %q broken %v", got, w.broken, w.deep, w.cut, tt.want, tt.broken)
			}
		})
	}
}

// nested wraps a filter in n "not".
func nested(n int, inner []byte) []byte {
	// Built from the inside with room for the headers, since appending at the
	// front would be quadratic.
	room := make([]byte, 6*n+len(inner))
	at := len(room) - len(inner)
	copy(room[at:], inner)
	for range n {
		size := len(room) - at
		at -= 6
		copy(room[at:], []byte{0xa2, 0x84, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)})
	}
	return room[at:]
}

func TestFilterDepth(t *testing.T) {
	got, w := textOf(nested(maxFilterDepth-1, present("a")))
	if want := strings.Repeat("(!", maxFilterDepth-1) + "(a=*)" + strings.Repeat(")", maxFilterDepth-1); got != want || w.deep {
		t.Errorf("at the limit: %q, deep %v", got, w.deep)
	}
	for _, n := range []int{maxFilterDepth, 200_000} {
		got, w = textOf(nested(n, present("a")))
		if want := strings.Repeat("(!", maxFilterDepth) + "…" + strings.Repeat(")", maxFilterDepth); got != want || !w.deep {
			t.Errorf("%d deep: %q, deep %v", n, got, w.deep)
		}
	}
}

func TestFilterLength(t *testing.T) {
	one := equality("cn", "a")
	tests := []struct {
		name   string
		filter []byte
	}{
		{"many short", tlv(0xa1, bytes.Repeat(one, 5000))},
		{"one long value", equality("cn", strings.Repeat("x", 50_000))},
		{"octets, which grow", equality("objectSid", strings.Repeat("\x01", 1500))},
		{"runes across the limit", equality("cn", strings.Repeat("€", 2000))},
		{"long attribute", present(strings.Repeat("a", 10_000))},
		{"many substrings", tlv(0xa4, octets("cn"), seq(bytes.Repeat(tlv(0x81, []byte("a")), 10_000)))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, w := textOf(tt.filter)
			if !w.cut || len(got) > activity.MaxText || !strings.HasSuffix(got, "…") || len(w.buf) > activity.MaxText+100 {
				t.Errorf("cut %v, %d bytes, buffer %d, ends in %q", w.cut, len(got), len(w.buf), got[len(got)-5:])
			}
		})
	}
	value := strings.Repeat("x", activity.MaxText-len("(cn=)"))
	if got, w := textOf(equality("cn", value)); w.cut || len(got) != activity.MaxText {
		t.Errorf("at the limit: cut %v, %d bytes", w.cut, len(got))
	}
	if got, w := textOf(equality("cn", value+"x")); !w.cut || len(got) != activity.MaxText || !strings.HasSuffix(got, "…") {
		t.Errorf("one byte above: cut %v, %d bytes", w.cut, len(got))
	}
}
