package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
)

func read(t *testing.T) *source {
	t.Helper()
	t.Chdir("../..")
	s, err := readSource()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestKindsAreListed holds the constants of Kind against the list activity.Kinds,
// which programs go through.
func TestKindsAreListed(t *testing.T) {
	var declared, listed []string
	for _, c := range read(t).of(reflect.TypeFor[activity.Kind]()) {
		declared = append(declared, c.Value)
	}
	for _, k := range activity.Kinds {
		listed = append(listed, string(k.Kind))
	}
	if d := cmp.Diff(declared, listed); d != "" {
		t.Errorf("activity.Kinds differs from the constants (-constants +list):\n%s", d)
	}
}

// TestClosedTypes: a type of which no constant was found would get a schema
// that takes any text.
func TestClosedTypes(t *testing.T) {
	s := read(t)
	for _, d := range documents {
		for _, in := range structs(d.root) {
			for i := range in.NumField() {
				f := element(in.Field(i).Type)
				if f.Kind() == reflect.String && strings.HasPrefix(f.PkgPath(), module) && s.of(f) == nil {
					t.Errorf("%s: no constant of %v was found", d.file, f)
				}
			}
		}
	}
}

func TestDetailOf(t *testing.T) {
	for _, c := range []struct{ comment, field, err string }{
		{"DNS question (detail: DNS)", "DNS", ""},
		{"a kind without a detail", "", ""},
		{"misspelt (detail: Dns)", "", "the detail Dns"},
	} {
		f, ok, err := detailOf(constant{"query.dns", c.comment})
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want one that says %q", c.comment, err, c.err)
			}
		case err != nil || f.Name != c.field || ok != (c.field != ""):
			t.Errorf("%q: field %q, %v, %v, want %q", c.comment, f.Name, ok, err, c.field)
		}
	}
}

func TestRelink(t *testing.T) {
	defs := []*detect.Definition{{ID: "account-enum"}, {ID: "dns-recon"}}
	for in, want := range map[string]string{
		"[a](../dnsrecon/README.md) b":        "[a](dns-recon.md) b",
		"[a](../dnsrecon/README.md#response)": "[a](dns-recon.md#response)",
		"[a](../../../docs/threat-model.md)":  "[a](../threat-model.md)",
		"[a](accountenum.go)":                 "[a](../../center/detect/accountenum/accountenum.go)",
		"[a](https://example.org/x)":          "[a](https://example.org/x)",
		"[a](#response)":                      "[a](#response)",
	} {
		if got := string(relink([]byte(in), "center/detect/accountenum", defs)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestBetween(t *testing.T) {
	got, err := between([]byte("a\n<!-- x -->\nold\n<!-- /x -->\nb\n"), "x", "new\n")
	if want := "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, text := range []string{"", "<!-- x -->\nno end", "<!-- /x -->\n<!-- x -->\n"} {
		if got, err := between([]byte(text), "x", "new\n"); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}
