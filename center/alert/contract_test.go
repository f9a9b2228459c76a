package alert_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/verderer/verderer/center/alert"
)

// schema compiles schema.json, which `make generate` writes. That the alerts of
// the bundled recordings pass it is a test of package analyze.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s *jsonschema.Schema, line []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// frozen reads alerts as they were written when version 1 was current. The
// lines never change: new ones are added for what is new.
func frozen(t *testing.T) [][]byte {
	t.Helper()
	b, err := os.ReadFile("testdata/v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

// TestFrozenSample: what scripts and webhooks were given passes today's schema
// and loses nothing when it is read and written.
func TestFrozenSample(t *testing.T) {
	s := schema(t)
	for i, line := range frozen(t) {
		if err := validate(s, line); err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		var a alert.Alert
		if err := d.Decode(&a); err != nil {
			t.Errorf("line %d: %v", i+1, err)
			continue
		}
		again, err := json.Marshal(&a)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(object(t, line), object(t, again)); d != "" {
			t.Errorf("line %d changes when it is read and written (-stored +written):\n%s", i+1, d)
		}
	}
}

func object(t *testing.T, b []byte) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSchemaRefuses changes one thing of a good alert at a time.
func TestSchemaRefuses(t *testing.T) {
	s, good := schema(t), string(frozen(t)[0])
	for _, c := range []struct{ name, old, new string }{
		{"unknown field", `"title":`, `"score":9,"title":`},
		{"unknown field of an account", `"role":`, `"password":"x","role":`},
		{"unknown severity", `"severity":"high"`, `"severity":"critical"`},
		{"unknown status", `"open"`, `"reopened"`},
		{"unknown role", `"exposed"`, `"victim"`},
		{"unknown evidence", `"kind":"activities"`, `"kind":"events"`},
		{"unknown certainty", `"certainty":"high"`, `"certainty":"medium"`},
		{"list that is null", `"ataIds":[]`, `"ataIds":null`},
		{"no summary", `"summary":`, `"sentence":`},
		{"short id", `"id":"05`, `"id":"`},
		{"a previous that is no id", `"baseline":`, `"previous":"none","baseline":`},
		{"no time", `"start":"2026-11-23T19:55:44.818174Z"`, `"start":"yesterday"`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Errorf("%s: %q is not in the good one", c.name, c.old)
		}
		if err := validate(s, []byte(bad)); err == nil {
			t.Errorf("%s: passes", c.name)
		}
	}
}
