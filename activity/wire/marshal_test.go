package wire

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
)

// record has what the center's own records have.
type record struct {
	Position uint64             `pb:"1"`
	Signed   int64              `pb:"2"`
	Small    int8               `pb:"3"`
	Byte     uint8              `pb:"4"`
	Wait     time.Duration      `pb:"5"`
	At       activity.Time      `pb:"6"`
	Sensor   string             `pb:"7"`
	Note     string             `pb:"8,max=10000"`
	Batch    []byte             `pb:"9"`
	Capped   []byte             `pb:"10,max=4"`
	ID       activity.ID        `pb:"11"`
	On       bool               `pb:"12"`
	Maybe    *int               `pb:"13"`
	Said     *string            `pb:"14"`
	Inner    inner              `pb:"15"`
	Far      *inner             `pb:"16"`
	List     []inner            `pb:"17,max=3"`
	Pointers []*inner           `pb:"18"`
	Texts    []string           `pb:"19"`
	Times    []activity.Time    `pb:"20"`
	Flags    []bool             `pb:"21"`
	Kinds    []activity.Kind    `pb:"2047"`
	Activity *activity.Activity `pb:"22"`
	Home     string             `pb:"-"`
	hidden   int
}

type inner struct {
	Names []string `pb:"1"`
	N     uint32   `pb:"2"`
}

func TestMarshal(t *testing.T) {
	minus, none := -1, ""
	a := goldens(t)[0]
	unsealed := *a
	unsealed.ID = activity.ID{}
	for _, want := range []*record{
		{},
		{Position: math.MaxUint64, Signed: math.MinInt64, Small: -128, Byte: 255, Wait: -time.Second, At: -1, Sensor: "s1",
			Note: strings.Repeat("n", 10000), Batch: bytes.Repeat([]byte{1}, 1<<20), Capped: []byte("abcd"), ID: activity.ID{1}, On: true,
			Maybe: &minus, Said: &none, Inner: inner{N: 1}, Far: &inner{}, List: []inner{{}, {Names: []string{"", "x"}}, {N: 7}},
			Pointers: []*inner{{}, {N: 3}}, Texts: []string{"", "a", ""}, Times: []activity.Time{0, -1, 5}, Flags: []bool{true, false},
			Kinds: []activity.Kind{activity.DNSQuery}, Activity: &unsealed},
	} {
		for _, v := range []any{want, *want} {
			b, err := Marshal([]byte("x"), v)
			if err != nil {
				t.Fatal(err)
			}
			got := &record{Sensor: "of before", Home: "of before", Texts: []string{"of before"}, hidden: 1}
			if err := Unmarshal(b[1:], got); err != nil {
				t.Fatal(err)
			}
			clear(b)
			if d := cmp.Diff(want, got, same, cmp.AllowUnexported(record{})); d != "" {
				t.Errorf("(-written +read):\n%s", d)
			}
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	type untagged struct{ A int }
	type twice struct {
		A int `pb:"1"`
		B int `pb:"1"`
	}
	type zero struct {
		A int `pb:"0"`
	}
	type far struct {
		A int `pb:"2048"`
	}
	type option struct {
		A int `pb:"1,min=3"`
	}
	type float struct {
		A float64 `pb:"1"`
	}
	type mapped struct {
		A map[string]int `pb:"1"`
	}
	type lists struct {
		A [][]byte `pb:"1"`
	}
	type deep struct {
		A *deep `pb:"1"`
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "nil"},
		{(*record)(nil), "no struct"},
		{5, "int is no struct"},
		{untagged{}, "untagged.A has no pb tag"},
		{twice{}, "twice.B has number 1, as A"},
		{zero{}, `tag "0"`},
		{far{}, `tag "2048"`},
		{option{}, "want max=N"},
		{float{}, "float64 is not provided for"},
		{mapped{}, "map[string]int is not provided for"},
		{lists{}, "[][]uint8 is not provided for"},
		{deep{}, "contains itself"},
		{record{Sensor: "\xff"}, "Sensor: text is not UTF-8"},
		{record{Sensor: strings.Repeat("x", activity.MaxText+1)}, "Sensor: longer than 4096 bytes"},
		{record{Note: strings.Repeat("x", 10001)}, "Note: longer than 10000 bytes"},
		{record{Capped: make([]byte, 5)}, "Capped: longer than 4 bytes"},
		{record{List: make([]inner, 4)}, "List: more than 3"},
		{record{Texts: make([]string, maxList+1)}, "Texts: more than 65536"},
		{record{List: []inner{{}, {Names: []string{"a", "\xff"}}}}, "List[1].Names[1]: text"},
		{record{Pointers: []*inner{nil}}, "Pointers[0]: nil"},
	} {
		if b, err := Marshal([]byte("x"), c.v); err == nil || !strings.Contains(err.Error(), c.want) || string(b) != "x" {
			t.Errorf("%T: error %v, %d bytes, want one that says %q", c.v, err, len(b), c.want)
		}
	}
	for _, v := range []any{nil, record{}, (*record)(nil), new(int), new(deep)} {
		if err := Unmarshal(nil, v); err == nil {
			t.Errorf("decoded into %T", v)
		}
	}
	if err := Unmarshal([]byte{8}, new(record)); err == nil || !strings.Contains(err.Error(), "Position: unexpected EOF") {
		t.Errorf("error %v", err)
	}
}

// TestRandomRecords goes through all that the codec provides for.
func TestRandomRecords(t *testing.T) {
	r := seeded(t)
	c, err := codecOf(reflect.TypeFor[record]())
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		want := new(record)
		randomStruct(r, c, reflect.ValueOf(want).Elem())
		b, err := Marshal(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got := new(record)
		if err := Unmarshal(b, got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, same, cmp.AllowUnexported(record{})); d != "" {
			t.Fatalf("(-written +read):\n%s", d)
		}
	}
}
