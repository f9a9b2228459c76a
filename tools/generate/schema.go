package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"github.com/invopop/jsonschema"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/directory"
)

// A document is a JSON object that leaves the programs, or is read by them.
type document struct {
	file  string
	id    string // with the version: a change that breaks readers is another document
	title string
	root  reflect.Type
	// finish adds what the type does not say.
	finish func(s *source, root *jsonschema.Schema) error
}

var documents = []document{
	{"activity/schema.json", "urn:verderer:schema:activity:1", "Verderer activity",
		reflect.TypeFor[activity.Activity](), (*source).oneDetail},
	{"center/alert/schema.json", "urn:verderer:schema:alert:1", "Verderer alert",
		reflect.TypeFor[alert.Alert](), func(_ *source, root *jsonschema.Schema) error {
			root.Properties.Value("id").Pattern = hex128
			root.Properties.Value("previous").Pattern = hex128
			return nil
		}},
	{"center/directory/schema.json", "urn:verderer:schema:directory:1", "Verderer directory snapshot",
		reflect.TypeFor[directory.Snapshot](), func(_ *source, root *jsonschema.Schema) error {
			root.Properties.Value("schema").Const = directory.Schema
			return nil
		}},
}

// hex128 matches ids: 16 bytes in lower-case hex.
const hex128 = "^[0-9a-f]{32}$"

// schema makes the JSON Schema of a document. It allows what encoding/json
// writes of the type, and nothing else: unknown fields are refused.
func (s *source) schema(d document) ([]byte, error) {
	r := jsonschema.Reflector{Anonymous: true, ExpandedStruct: true, CommentMap: s.comments, Mapper: s.mapped}
	root := r.ReflectFromType(d.root)
	root.ID, root.Title = jsonschema.ID(d.id), d.title
	if err := d.finish(s, root); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// mapped gives the schema of types that marshal themselves or whose values are
// fewer than those of their kind; nil for the others.
func (s *source) mapped(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[activity.Time]():
		// An unknown time is "" where its field is always there.
		return &jsonschema.Schema{Type: "string", AnyOf: []*jsonschema.Schema{{Format: "date-time"}, {Const: ""}}}
	case reflect.TypeFor[activity.ID](), reflect.TypeFor[activity.TicketID]():
		return &jsonschema.Schema{Type: "string", Pattern: hex128}
	case reflect.TypeFor[netip.Addr]():
		// An IPv6 address may have a zone, which format ipv6 does not know.
		return &jsonschema.Schema{Type: "string", Pattern: "^[0-9A-Fa-f]*[:.][0-9A-Fa-f:.]*(%.+)?$"}
	}
	number := func(low int64, high uint64) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "integer", Minimum: json.Number(strconv.FormatInt(low, 10)), Maximum: json.Number(strconv.FormatUint(high, 10))}
	}
	switch t.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return number(0, 1<<t.Bits()-1)
	case reflect.Int32:
		return number(math.MinInt32, math.MaxInt32)
	case reflect.String:
		if values := s.of(t); values != nil {
			e := &jsonschema.Schema{Type: "string"}
			for _, c := range values {
				e.Enum = append(e.Enum, c.Value)
			}
			return e
		}
	}
	return nil
}

// detail finds in a kind's comment the field that details it.
var detail = regexp.MustCompile(`\(detail: (\w+)\)`)

// detailOf is the field of Activity that details a kind. ok is false for a kind
// that has none.
func detailOf(kind constant) (f reflect.StructField, ok bool, err error) {
	m := detail.FindStringSubmatch(kind.Comment)
	if m == nil {
		return f, false, nil
	}
	if f, ok = reflect.TypeFor[activity.Activity]().FieldByName(m[1]); !ok {
		return f, false, fmt.Errorf("kind %s: its comment names the detail %s, which Activity has not", kind.Value, m[1])
	}
	return f, true, nil
}

// oneDetail says which detail goes with which kind, and only with that.
func (s *source) oneDetail(root *jsonschema.Schema) error {
	kinds := make(map[string][]any) // JSON name of a detail → kinds
	var details []string
	for _, kind := range s.of(reflect.TypeFor[activity.Kind]()) {
		f, ok, err := detailOf(kind)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		name, _ := jsonName(f)
		if !slices.Contains(details, name) {
			details = append(details, name)
		}
		kinds[name] = append(kinds[name], kind.Value)
	}
	for _, name := range details {
		of := jsonschema.NewProperties()
		of.Set("kind", &jsonschema.Schema{Enum: kinds[name]})
		has := &jsonschema.Schema{Required: []string{name}}
		root.AllOf = append(root.AllOf, &jsonschema.Schema{
			If:   &jsonschema.Schema{Properties: of},
			Then: has,
			Else: &jsonschema.Schema{Not: has},
		})
	}
	return nil
}
