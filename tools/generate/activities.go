package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
)

// activities makes the reference of every kind of activity and its fields.
func (s *source) activities() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(header("the comments of activity/*.go") + `# Activities

An activity is one fact seen on the wire or in an event log. ` + "`verderer analyze --activities`" + ` prints one JSON object a line, by
[schema.json](../activity/schema.json). Fields that are not marked *always* are left out when they are zero,
false, empty or unknown.

From a sensor to the center they travel in batches, as [activity.proto](../activity/wire/activity.proto) says;
[How it works](architecture.md#on-the-wire) has the rules.

## Kinds

| Kind | What | Detail |
| --- | --- | --- |
`)
	root := reflect.TypeFor[activity.Activity]()
	for _, kind := range s.of(reflect.TypeFor[activity.Kind]()) {
		f, ok, err := detailOf(kind)
		if err != nil {
			return nil, err
		}
		what, link := detail.ReplaceAllString(kind.Comment, ""), ""
		if ok {
			name, _ := jsonName(f)
			link = fmt.Sprintf("[`%s`](#%s)", name, anchor(f.Type.Elem().Name()))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", kind.Value, cell(what), link)
	}
	for _, t := range structs(root) {
		s.fields(&b, t)
	}
	return b.Bytes(), nil
}

// structs lists t and the structs of ours that its JSON holds, each before
// those within it.
func structs(t reflect.Type) []reflect.Type {
	list := []reflect.Type{t}
	for i := 0; i < len(list); i++ {
		for j := range list[i].NumField() {
			f := list[i].Field(j)
			if name, _ := jsonName(f); name == "" {
				continue
			}
			in := element(f.Type)
			if in.Kind() == reflect.Struct && strings.HasPrefix(in.PkgPath(), module) && !slices.Contains(list, in) {
				list = append(list, in)
			}
		}
	}
	return list
}

// element takes pointers and lists off a type.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// fields writes the section of one struct.
func (s *source) fields(b *bytes.Buffer, t reflect.Type) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| Field | Value | |\n| --- | --- | --- |\n", t.Name(), s.typeComment(t))
	for i := range t.NumField() {
		f := t.Field(i)
		name, optional := jsonName(f)
		if name == "" {
			continue
		}
		value := s.value(f.Type)
		if !optional {
			value += ", *always*"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, value, cell(s.fieldComment(t, f)))
	}
	for i := range t.NumField() {
		f := t.Field(i)
		values := s.of(f.Type)
		if name, _ := jsonName(f); name == "" || values == nil || f.Type == reflect.TypeFor[activity.Kind]() {
			continue
		} else {
			fmt.Fprintf(b, "\nValues of `%s`:\n\n", name)
		}
		for _, c := range values {
			fmt.Fprintf(b, "- `%s`", c.Value)
			if c.Comment != "" {
				fmt.Fprintf(b, ": %s", c.Comment)
			}
			b.WriteString("\n")
		}
	}
}

// value says in words what a field's JSON is.
func (s *source) value(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[activity.Time]():
		return "time"
	case reflect.TypeFor[activity.ID](), reflect.TypeFor[activity.TicketID]():
		return "32 hex digits"
	case reflect.TypeFor[netip.Addr]():
		return "address"
	case reflect.TypeFor[[]byte]():
		return "base64"
	case reflect.TypeFor[activity.Kind]():
		return "[kind](#kinds)"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.value(t.Elem())
	case reflect.Slice:
		return "list of " + s.value(t.Elem())
	case reflect.Struct:
		return fmt.Sprintf("[%s](#%s)", t.Name(), anchor(t.Name()))
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	}
	return "number"
}
