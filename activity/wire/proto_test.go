package wire

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/verderer/verderer/activity"
)

// described compiles activity.proto as anybody else would.
func described(t *testing.T, message protoreflect.Name) protoreflect.MessageDescriptor {
	t.Helper()
	c := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := c.Compile(t.Context(), "activity.proto")
	if err != nil {
		t.Fatal(err)
	}
	d := files[0].Messages().ByName(message)
	if d == nil {
		t.Fatalf("activity.proto has no message %s", message)
	}
	return d
}

// TestOthersReadBatches reads what we write with protobuf's own library, by
// activity.proto, and what that library writes with ours.
func TestOthersReadBatches(t *testing.T) {
	r := seeded(t)
	batch := &Batch{Spool: r.Uint64(), Sequence: 7, Entries: []Entry{{Progress: 12}, {Progress: -12}}}
	for _, a := range goldens(t) {
		batch.Entries = append(batch.Entries, Entry{Activity: a})
	}
	for range 150 { // some 8 KiB each: a batch has at most 8 MiB
		batch.Entries = append(batch.Entries, Entry{Activity: some(r)})
	}
	sent, err := batch.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := decompressor().DecodeAll(sent, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(described(t, "Batch"))
	if err := proto.Unmarshal(plain, m); err != nil {
		t.Fatal(err)
	}
	agree(t, "Batch", m, batchCodec(), reflect.ValueOf(batch).Elem())

	theirs, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodePlain(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(batch, got, same); d != "" {
		t.Errorf("through protobuf's library (-ours +theirs):\n%s", d)
	}
}

// agree compares a message, field by field, with the struct it came from.
func agree(t *testing.T, at string, m protoreflect.Message, c *codec, v reflect.Value) {
	t.Helper()
	if len(m.GetUnknown()) > 0 {
		t.Errorf("%s: fields that activity.proto has not: %x", at, m.GetUnknown())
	}
	fields := m.Descriptor().Fields()
	if fields.Len() != len(c.fields) {
		t.Errorf("%s: %d fields in activity.proto, %d in Go", at, fields.Len(), len(c.fields))
	}
	for i := range c.fields {
		f := &c.fields[i]
		sf, mine := v.Type().Field(f.index), v.Field(f.index)
		d := fields.ByNumber(f.Number)
		if d == nil {
			t.Fatalf("%s.%s: not in activity.proto", at, f.Name)
		}
		if name, _, _ := strings.Cut(sf.Tag.Get("json"), ","); name != "-" && name != "" && d.JSONName() != name {
			t.Errorf("%s.%s: %q in the JSON of activity.proto, %q in ours", at, f.Name, d.JSONName(), name)
		}
		if mine.Kind() == reflect.Pointer {
			if m.Has(d) == mine.IsNil() {
				t.Errorf("%s.%s: there in one, absent in the other", at, f.Name)
			}
			if mine.IsNil() {
				continue
			}
			mine = mine.Elem()
		}
		theirs := m.Get(d)
		if !f.Repeated {
			agreeValue(t, at+"."+f.Name, f, theirs, mine)
			continue
		}
		if theirs.List().Len() != mine.Len() {
			t.Errorf("%s.%s: %d elements, sent %d", at, f.Name, theirs.List().Len(), mine.Len())
			continue
		}
		for j := range mine.Len() {
			agreeValue(t, at+"."+f.Name, f, theirs.List().Get(j), mine.Index(j))
		}
	}
}

func agreeValue(t *testing.T, at string, f *Field, theirs protoreflect.Value, mine reflect.Value) {
	t.Helper()
	if f.Message != nil {
		agree(t, at, theirs.Message(), f.inner, mine)
		return
	}
	var want any
	switch x := mine.Interface().(type) {
	case netip.Addr:
		b, _ := x.MarshalBinary()
		want = string(b)
	case activity.TicketID:
		want = string(x[:])
		if x == (activity.TicketID{}) { // what is all zero is left out
			want = ""
		}
	case []byte:
		want = string(x)
	default:
		switch {
		case mine.CanInt():
			want = mine.Int()
		case mine.CanUint():
			want = mine.Uint()
		case mine.Kind() == reflect.Bool:
			want = mine.Bool()
		default:
			want = mine.String()
		}
	}
	got := theirs.Interface()
	switch x := got.(type) {
	case []byte:
		got = string(x)
	case int32:
		got = int64(x)
	case uint32:
		got = uint64(x)
	}
	if got != want {
		t.Errorf("%s: %#v, sent %#v", at, got, want)
	}
}

// TestLaterFields: a sensor of a later release may say more than we know.
func TestLaterFields(t *testing.T) {
	a := goldens(t)[0]
	b := AppendActivity(nil, a)
	for i, typ := range []protowire.Type{protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type, protowire.BytesType} {
		b = protowire.AppendTag(b, protowire.Number(1000000+i), typ)
		switch typ {
		case protowire.VarintType:
			b = protowire.AppendVarint(b, 1<<60)
		case protowire.Fixed32Type:
			b = protowire.AppendFixed32(b, 5)
		case protowire.Fixed64Type:
			b = protowire.AppendFixed64(b, 5)
		case protowire.BytesType:
			b = protowire.AppendString(b, "\xff later")
		}
	}
	got, err := DecodeActivity(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, got, same); d != "" {
		t.Errorf("changed (-sent +received):\n%s", d)
	}
}
