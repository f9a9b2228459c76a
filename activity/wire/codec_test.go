package wire

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
)

// same compares addresses by their value: they have no exported fields.
var same = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// goldens reads every activity that is written down in the tree.
func goldens(t testing.TB) []*activity.Activity {
	t.Helper()
	files, err := filepath.Glob("../../sensor/decode/*/testdata/*.golden.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no decoder has a golden: %v", err)
	}
	var list []*activity.Activity
	for _, file := range append(files, "../testdata/v1.jsonl") {
		list = append(list, lines(t, file)...)
	}
	return list
}

func lines(t testing.TB, file string) []*activity.Activity {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []*activity.Activity
	for line := range bytes.Lines(b) {
		a := new(activity.Activity)
		if err := json.Unmarshal(line, a); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, a)
	}
	return list
}

// random fills what travels of v: every kind of value at its limits and between,
// nil and empty told apart where they are on the wire.
func random(r *rand.Rand, f *Field, v reflect.Value) {
	switch {
	case r.IntN(4) == 0:
	case f.Repeated:
		n := 1 + r.IntN(min(f.Max, 5))
		if r.IntN(8) == 0 {
			n = min(f.Max, 300)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			randomValue(r, f, v.Index(i))
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		randomValue(r, f, v.Elem())
	default:
		randomValue(r, f, v)
	}
}

func randomStruct(r *rand.Rand, c *codec, v reflect.Value) {
	for i := range c.fields {
		random(r, &c.fields[i], v.Field(c.fields[i].index))
	}
}

var someTexts = []string{"", "a", "krbtgt/LAB.EXAMPLE", "jos\uFFFD", "日本語", "\x00\x1b", strings.Repeat("x", maxShared), strings.Repeat("y", maxShared+1), strings.Repeat("ü", activity.MaxText/2)}

func randomValue(r *rand.Rand, f *Field, v reflect.Value) {
	if f.Message != nil {
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(f.Message))
			v = v.Elem()
		}
		randomStruct(r, f.inner, v)
		return
	}
	if v.Type() == reflect.TypeFor[netip.Addr]() {
		addrs := []string{"0.0.0.0", "10.1.2.3", "::", "::ffff:10.1.2.3", "fe80::1%eth0", "2001:db8::1"}
		v.Set(reflect.ValueOf(netip.MustParseAddr(addrs[r.IntN(len(addrs))])))
		return
	}
	number := r.Uint64() >> r.IntN(64)
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(number&1 == 1)
	case reflect.String:
		v.SetString(someTexts[r.IntN(len(someTexts))])
	case reflect.Slice:
		n := r.IntN(20)
		if f.Max > 0 && (n > f.Max || r.IntN(8) == 0) {
			n = f.Max
		}
		if n > 0 {
			v.SetBytes(bytes.Repeat([]byte{byte(number)}, n))
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(r.Uint64() & 0xFF)
		}
	default:
		shift := 64 - v.Type().Bits()
		if v.CanInt() {
			v.SetInt(int64(number<<r.IntN(2)*^uint64(0)) << shift >> shift)
		} else {
			v.SetUint(number << shift >> shift)
		}
	}
}

func seeded(t testing.TB) *rand.Rand {
	a, b := rand.Uint64(), rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d, %d", a, b)
		}
	})
	return rand.New(rand.NewPCG(a, b))
}

// some makes an activity of a kind that exists, with random content.
func some(r *rand.Rand) *activity.Activity {
	a := new(activity.Activity)
	c := activityCodec()
	randomStruct(r, c, reflect.ValueOf(a).Elem())
	a.Kind = activity.Kinds[r.IntN(len(activity.Kinds))].Kind
	// Keep the one detail that belongs to the kind.
	v := reflect.ValueOf(a).Elem()
	for i := range c.fields {
		f := &c.fields[i]
		at := v.Field(f.index)
		if f.Message == nil || at.Kind() != reflect.Pointer || f.Name == "Origin" {
			continue
		}
		at.SetZero()
		if !a.HasDetail() {
			at.Set(reflect.New(f.Message))
			if a.HasDetail() {
				randomStruct(r, f.inner, at.Elem())
			} else {
				at.SetZero()
			}
		}
	}
	a.Seal()
	return a
}

func TestActivities(t *testing.T) {
	list := goldens(t)
	r := seeded(t)
	for range 2000 {
		list = append(list, some(r))
	}
	for _, want := range list {
		got, err := DecodeActivity(AppendActivity(nil, want))
		if err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		if d := cmp.Diff(want, got, same); d != "" || got.ID != want.ID {
			t.Fatalf("changed on its way (-sent +received):\n%s", d)
		}
	}
}

func TestBatch(t *testing.T) {
	r := seeded(t)
	want := &Batch{Spool: r.Uint64(), Sequence: r.Uint64()}
	for _, a := range goldens(t) {
		want.Entries = append(want.Entries, Entry{Activity: a}, Entry{Progress: a.Time})
	}
	b, err := want.Append([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	b, ok := bytes.CutPrefix(b, []byte("before"))
	if !ok {
		t.Fatal("Append changed what was there")
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, same); d != "" {
		t.Errorf("changed on its way (-sent +received):\n%s", d)
	}
}

// TestAtOnce: any number of goroutines may encode and decode.
func TestAtOnce(t *testing.T) {
	batch := &Batch{}
	for _, a := range goldens(t) {
		batch.Entries = append(batch.Entries, Entry{Activity: a})
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				b, err := batch.Append(nil)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := Decode(b)
				if err != nil {
					t.Error(err)
					return
				}
				for i, e := range got.Entries {
					if e.Activity.ID != batch.Entries[i].Activity.ID {
						t.Errorf("entry %d has the id %v", i, e.Activity.ID)
					}
				}
			}
		})
	}
	group.Wait()
}
