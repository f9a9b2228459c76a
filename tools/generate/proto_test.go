package main

import (
	"reflect"
	"testing"
)

func TestProtoName(t *testing.T) {
	for _, c := range []struct {
		field reflect.StructField
		want  string
	}{
		{reflect.StructField{Name: "X", Tag: `json:"preAuthEType,omitempty"`}, "pre_auth_e_type"},
		{reflect.StructField{Name: "X", Tag: `json:"etypes"`}, "etypes"},
		{reflect.StructField{Name: "X", Tag: `json:"serverDns"`}, "server_dns"},
		{reflect.StructField{Name: "PasswordTag", Tag: `json:"-"`}, "password_tag"},
		{reflect.StructField{Name: "LDAPBind"}, "ldap_bind"},
		{reflect.StructField{Name: "Entries"}, "entries"},
	} {
		if got := protoName(c.field); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.field.Name, c.field.Tag, got, c.want)
		}
	}
}

func TestComment(t *testing.T) {
	long := "a word and another one and so on until the line is full, which takes some hundred letters to be so"
	for in, want := range map[string]string{
		"":            "",
		"one":         "  // one\n",
		long + " end": "  // " + long + "\n  // end\n",
	} {
		if got := comment("  ", in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
