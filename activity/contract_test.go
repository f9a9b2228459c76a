package activity_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/verderer/verderer/activity"
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

func validate(s *jsonschema.Schema, line []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// lines reads a file of JSON lines.
func lines(t *testing.T, path string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

// TestGoldensPassTheSchema: what decoders emit is what the schema documents.
func TestGoldensPassTheSchema(t *testing.T) {
	s := schema(t)
	goldens, _ := filepath.Glob("../sensor/decode/*/testdata/*.golden.jsonl")
	if len(goldens) == 0 {
		t.Fatal("no decoder has a golden")
	}
	for _, g := range goldens {
		for i, line := range lines(t, g) {
			if err := validate(s, line); err != nil {
				t.Errorf("%s, line %d: %v", g, i+1, err)
			}
		}
	}
}

// frozen is a sample of activities as they were written when the version was
// current. Its lines never change: new ones are added for what is new.
const frozen = "testdata/v1.jsonl"

// TestFrozenSample: activities stored long ago are read, pass today's schema,
// lose nothing and have the id they were stored with. When it fails, a change
// has broken what is stored: a list of canonical fields that changes needs a
// new version (see canonical.go), a field that goes needs its name kept.
func TestFrozenSample(t *testing.T) {
	s := schema(t)
	seen := make(map[activity.Kind]bool)
	for i, line := range lines(t, frozen) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		var a activity.Activity
		if err := d.Decode(&a); err != nil {
			t.Errorf("line %d: %v", i+1, err)
			continue
		}
		seen[a.Kind] = true
		if err := validate(s, line); err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
		stored := a.ID
		if a.Seal(); a.ID != stored {
			t.Errorf("line %d (%s): sealed anew its id is %v, stored was %v", i+1, a.Kind, a.ID, stored)
		}
		again, err := json.Marshal(&a)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(object(t, line), object(t, again)); d != "" {
			t.Errorf("line %d changes when it is read and written (-stored +written):\n%s", i+1, d)
		}
	}
	for _, k := range activity.Kinds {
		if !seen[k.Kind] {
			t.Errorf("%s has no line of kind %s: add one before it is released", frozen, k.Kind)
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

// TestIDLeavesOut holds what Seal says is not part of the id.
func TestIDLeavesOut(t *testing.T) {
	for i, line := range lines(t, frozen) {
		var a activity.Activity
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		stored := a.ID
		a.Origin = &activity.Origin{File: "elsewhere.pcap", Frame: 1 << 40}
		a.Anomalies = append(a.Anomalies, "seen-by-another-sensor")
		if a.LDAPBind != nil {
			a.LDAPBind.PasswordTag++
		}
		if a.Seal(); a.ID != stored {
			t.Errorf("line %d: the id depends on what differs between two sensors", i+1)
		}
		a.Time++
		if a.Seal(); a.ID == stored {
			t.Errorf("line %d: a nanosecond later is the same activity", i+1)
		}
	}
}

// TestSchemaRefuses changes one thing of a good activity at a time.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	const good = `{"id":"000102030405060708090a0b0c0d0e0f","time":"2026-11-23T19:56:33.1Z","kind":"logon.ldap.simple",` +
		`"protocol":"LDAP","source":{"addr":"10.0.0.1"},"target":{"addr":"fe80::1%eth0","port":389},"outcome":"failure",` +
		`"ldapBind":{"messageId":1,"resultCode":49}}`
	if err := validate(s, []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new string }{
		{"unknown field", `"outcome":`, `"verdict":"bad","outcome":`},
		{"unknown field of an endpoint", `"port":389`, `"port":389,"name":"dc1"`},
		{"unknown field of a detail", `"resultCode":49`, `"resultCode":49,"password":"x"`},
		{"unknown kind", "logon.ldap.simple", "logon.ldap"},
		{"unknown outcome", "failure", "suspicious"},
		{"unknown protocol", `"LDAP"`, `"ldap"`},
		{"id too short", "0e0f", "0e"},
		{"id in capitals", "0e0f", "0E0F"},
		{"time without zone", "33.1Z", "33.1"},
		{"no time", `"time":"2026-11-23T19:56:33.1Z",`, ``},
		{"port out of range", "389", "65536"},
		{"port as text", "389", `"389"`},
		{"name as address", "10.0.0.1", "dc1"},
		{"no detail", `,"ldapBind":{"messageId":1,"resultCode":49}`, ``},
		{"detail of another kind", "logon.ldap.simple", "query.dns"},
		{"two details", `"ldapBind":`, `"dns":{"id":1,"type":1,"class":1,"rcode":0,"answers":0},"ldapBind":`},
		{"list that is null", `"outcome":`, `"anomalies":null,"outcome":`},
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
