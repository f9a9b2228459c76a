package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
)

// reachable lists Batch and the structs within it, each once.
func reachable(t *testing.T) []reflect.Type {
	t.Helper()
	list := []reflect.Type{reflect.TypeFor[Batch]()}
	for i := 0; i < len(list); i++ {
		fields, err := Fields(list[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fields {
			if f.Message != nil && !slices.Contains(list, f.Message) {
				list = append(list, f.Message)
			}
		}
	}
	return list
}

// TestEveryFieldHasItsNumber: what has none would be lost on the way and nobody
// would notice. Lists and bytes have a cap of their own.
func TestEveryFieldHasItsNumber(t *testing.T) {
	for _, in := range reachable(t) {
		numbers := make(map[string]string)
		for i := range in.NumField() {
			f := in.Field(i)
			if !f.IsExported() {
				t.Errorf("%v.%s does not travel: it is not exported", in, f.Name)
				continue
			}
			number, options, _ := strings.Cut(f.Tag.Get("pb"), ",")
			switch {
			case number == "-":
				continue
			case number == "":
				t.Errorf("%v.%s has no pb tag", in, f.Name)
			case numbers[number] != "":
				t.Errorf("%v.%s has number %s, as %s", in, f.Name, number, numbers[number])
			case f.Type.Kind() == reflect.Slice && options == "":
				t.Errorf("%v.%s has no cap", in, f.Name)
			}
			numbers[number] = f.Name
		}
	}
}

// TestCapsAreTheDecoders: a list that a decoder makes fits.
func TestCapsAreTheDecoders(t *testing.T) {
	for _, c := range []struct {
		in   reflect.Type
		name string
		want int
	}{
		{reflect.TypeFor[Batch](), "Entries", MaxEntries},
		{reflect.TypeFor[activity.Access](), "Properties", activity.MaxProperties},
		{reflect.TypeFor[activity.DNS](), "Records", activity.MaxDNSRecords},
		{reflect.TypeFor[activity.Account](), "Raw", activity.MaxText},
		{reflect.TypeFor[activity.NTLM](), "Raw", activity.MaxText},
		{reflect.TypeFor[activity.Account](), "Name", activity.MaxText},
	} {
		fields, err := Fields(c.in)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == c.name })
		if i < 0 || fields[i].Max != c.want {
			t.Errorf("%v.%s: want the cap %d, have %+v", c.in, c.name, c.want, fields)
		}
	}
}

// listing has a line for each field that travels.
func listing(t *testing.T) (list []string) {
	t.Helper()
	for _, in := range reachable(t) {
		fields, err := Fields(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fields {
			typ := f.Type
			if f.Message != nil {
				typ = f.Message.Name()
			}
			if f.Repeated {
				typ = "list of " + typ
			}
			list = append(list, fmt.Sprintf("%s.%s %d %s", in.Name(), f.Name, f.Number, typ))
		}
	}
	return list
}

// TestNumbersStay: testdata/v1.fields lists every field that was ever sent. A
// line never changes; what is new is added at the end. When a field goes, its
// line stays, and so does its number in the struct, as a field of the same name.
func TestNumbersStay(t *testing.T) {
	const file = "testdata/v1.fields"
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	frozen, now := strings.Split(strings.TrimSpace(string(b)), "\n"), listing(t)
	for _, line := range frozen {
		if !slices.Contains(now, line) {
			t.Errorf("%s has %q, which is no longer so: batches of other releases would be misread", file, line)
		}
	}
	for _, line := range now {
		if !slices.Contains(frozen, line) {
			t.Errorf("%s: add the line\n%s", file, line)
		}
	}
}

// TestFrozenBatches: testdata/*.batch were sent by sensors of earlier releases,
// and hold every field that travels. They never change: for a new field there is
// a further sample. Of an activity in testdata/v1.jsonl the batch has all that the
// line has; each password tag is 0xBEEF.
func TestFrozenBatches(t *testing.T) {
	want := make(map[activity.ID]*activity.Activity)
	first := &Batch{Spool: 1<<63 + 5, Sequence: 3, Entries: []Entry{{Progress: 1700000000e9}}}
	for _, a := range lines(t, "../testdata/v1.jsonl") {
		if a.LDAPBind != nil {
			a.LDAPBind.PasswordTag = 0xBEEF
		}
		want[a.ID] = a
		first.Entries = append(first.Entries, Entry{Activity: a})
	}
	files, _ := filepath.Glob("testdata/*.batch")
	said := make(map[string]bool)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if batch.Spool != first.Spool || batch.Sequence != first.Sequence || batch.Entries[0] != first.Entries[0] {
			t.Errorf("%s: spool %d, sequence %d, first entry %+v", file, batch.Spool, batch.Sequence, batch.Entries[0])
		}
		for i, e := range batch.Entries[1:] {
			if want[e.Activity.ID] == nil {
				t.Errorf("%s: entry %d: no line of v1.jsonl has its id %v", file, i+1, e.Activity.ID)
			} else if d := cmp.Diff(want[e.Activity.ID], e.Activity, same); d != "" {
				t.Errorf("%s: entry %d (-written +read):\n%s", file, i+1, d)
			}
		}
		mark(said, batchCodec(), reflect.ValueOf(batch).Elem())
	}
	var silent bytes.Buffer
	for _, line := range listing(t) {
		if name, _, _ := strings.Cut(line, " "); !said[name] {
			fmt.Fprintf(&silent, " %s", name)
		}
	}
	if silent.Len() == 0 {
		return
	}
	t.Errorf("no sample has%s: add a line to v1.jsonl that has, then a sample: make golden ONE=./activity/wire", &silent)
	if os.Getenv("VERDERER_GOLDEN") == "write" {
		b, err := first.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("testdata/v%d.batch", len(files)+1), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// mark notes the fields of v that are not zero.
func mark(said map[string]bool, c *codec, v reflect.Value) {
	for i := range c.fields {
		f := &c.fields[i]
		at := v.Field(f.index)
		if at.IsZero() {
			continue
		}
		said[c.of.Name()+"."+f.Name] = true
		switch {
		case f.Message == nil:
		case f.Repeated:
			for j := range at.Len() {
				mark(said, f.inner, at.Index(j))
			}
		case at.Kind() == reflect.Pointer:
			mark(said, f.inner, at.Elem())
		default:
			mark(said, f.inner, at)
		}
	}
}
