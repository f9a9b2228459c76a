package directory_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/verderer/verderer/center/directory"
)

// schema compiles schema.json, which `make generate` writes.
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

func validate(s *jsonschema.Schema, b []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// TestSchemaAndReaderAgree: what the schema allows is read, and what it refuses
// in these is refused by the reader too. The first is a snapshot with every
// field, which must stay readable for ever.
func TestSchemaAndReaderAgree(t *testing.T) {
	s := schema(t)
	whole, err := os.ReadFile("testdata/v1.json")
	if err != nil {
		t.Fatal(err)
	}
	good := string(whole)
	for _, c := range []struct {
		name, old, new string
		refused        bool
	}{
		{"every field", "", "", false},
		{"nothing but the schema line", good, `{"schema": "verderer/directory/1"}`, false},
		{"unknown time", `"taken": "2026-11-23T19:00:00Z"`, `"taken": ""`, false},
		{"misspelt field", "dnsServers", "dnsServer", true},
		{"misspelt field of an account", "removed", "deleted", true},
		{"another version", "directory/1", "directory/2", true},
		{"no version", `"schema": "verderer/directory/1",`, "", true},
		{"name as address", `"10.77.0.53"`, `"ns1.lab.example"`, true},
		{"time without zone", "2026-11-23T19:00:00Z", "2026-11-23 19:00:00", true},
		{"object instead of a list", `["10.77.0.53"]`, `{"10.77.0.53": true}`, true},
	} {
		doc := strings.Replace(good, c.old, c.new, 1)
		if c.old != "" && doc == good {
			t.Errorf("%s: %q is not in the whole one", c.name, c.old)
		}
		if err := validate(s, []byte(doc)); (err != nil) != c.refused {
			t.Errorf("%s: the schema says %v, refused should be %v", c.name, err, c.refused)
		}
		if _, err := directory.Read(strings.NewReader(doc)); (err != nil) != c.refused {
			t.Errorf("%s: the reader says %v, refused should be %v", c.name, err, c.refused)
		}
	}
}

// TestScenariosPassTheSchema: the snapshots that the detections' scenarios hold
// are what the schema documents.
func TestScenariosPassTheSchema(t *testing.T) {
	s := schema(t)
	files, _ := filepath.Glob("../detect/*/testdata/*/scenario.yaml")
	some := false
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var scenario struct{ Directory map[string]any }
		if err := yaml.Unmarshal(b, &scenario); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if len(scenario.Directory) == 0 {
			continue
		}
		some = true
		scenario.Directory["schema"] = directory.Schema
		doc, err := json.Marshal(scenario.Directory)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(s, doc); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	if !some {
		t.Error("no scenario has a directory snapshot")
	}
}
