package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
)

// proto writes how batches travel as a description that other programs read
// them by. The numbers are in the structs' tags; see wire.Field.
func (s *source) proto() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Written by `make generate` from the pb tags and comments of activity/*.go. Do not edit.\n"+
		"//\n// A batch that a sensor sends is a Batch compressed with zstd. Which values the\n"+
		"// texts have that are not free, such as Activity.kind, docs/activities.md says.\n"+
		"// No text has more than %d bytes. Fields that a later release adds are to be\n// skipped; numbers do not change.\n"+
		"\nsyntax = \"proto3\";\n\npackage verderer.activity.v1;\n", activity.MaxText)
	list := []reflect.Type{reflect.TypeFor[wire.Batch]()}
	for i := 0; i < len(list); i++ {
		t := list[i]
		fields, err := wire.Fields(t)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\n%smessage %s {\n", comment("", s.typeComment(t)), t.Name())
		for _, f := range fields {
			sf, _ := t.FieldByName(f.Name)
			typ, label := f.Type, ""
			if f.Message != nil {
				typ = f.Message.Name()
				if !slices.Contains(list, f.Message) {
					list = append(list, f.Message)
				}
			}
			switch {
			case f.Repeated:
				label = "repeated "
			case f.Optional:
				label = "optional "
			}
			fmt.Fprintf(&b, "%s  %s%s %s = %d;\n", comment("  ", s.protoComment(t, sf, f)), label, typ, protoName(sf), f.Number)
		}
		b.WriteString("}\n")
	}
	return b.Bytes(), nil
}

// protoComment is a field's comment, and what its type in protobuf does not say.
func (s *source) protoComment(t reflect.Type, sf reflect.StructField, f wire.Field) string {
	var more []string
	if c := s.fieldComment(t, sf); c != "" {
		more = append(more, strings.TrimSuffix(c, "."))
	}
	of := element(sf.Type)
	switch {
	case of == reflect.TypeFor[activity.Time]():
		more = append(more, "nanoseconds since 1970-01-01 UTC")
	case of == reflect.TypeFor[netip.Addr]():
		more = append(more, "4 or 16 bytes, and the zone after 16")
	case of.Kind() == reflect.Array:
		more = append(more, fmt.Sprintf("%d bytes", of.Len()))
	case f.Type == "uint32" && of.Bits() < 32:
		more = append(more, fmt.Sprintf("below %d", 1<<of.Bits()))
	}
	switch {
	case f.Repeated:
		more = append(more, fmt.Sprintf("at most %d", f.Max))
	case f.Type == "bytes" && f.Max > 0:
		more = append(more, fmt.Sprintf("at most %d bytes", f.Max))
	}
	return strings.Join(more, "; ")
}

// protoName is a field's name in JSON, or else in Go, as protobuf writes names:
// its JSON by protobuf's own rules has our names again.
func protoName(f reflect.StructField) string {
	name, _ := jsonName(f)
	if name == "" {
		name = f.Name
	}
	letters := []rune(name)
	var b strings.Builder
	for i, r := range letters {
		if i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// comment breaks text into lines of a comment.
func comment(indent, text string) string {
	const width = 100
	var b strings.Builder
	line := ""
	flush := func() {
		if line != "" {
			fmt.Fprintf(&b, "%s//%s\n", indent, line)
		}
		line = ""
	}
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			flush()
		}
		line += " " + word
	}
	flush()
	return b.String()
}
