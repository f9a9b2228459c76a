package wire

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
)

// FuzzDecode feeds bytes to the decoder as a batch, and as what is within one:
// few changes to compressed bytes get past zstd. What is taken must be what
// Append writes again.
func FuzzDecode(f *testing.F) {
	sample, err := os.ReadFile("testdata/v1.batch")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	plain, err := decompressor().DecodeAll(sample, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	for _, a := range goldens(f) {
		f.Add(join(field(1, 1), field(2, 2), field(3, field(1, AppendActivity(nil, a)))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		Decode(b)
		got, err := decodePlain(b)
		if err != nil {
			return
		}
		for i, e := range got.Entries {
			if e.Activity != nil && (!e.Activity.HasDetail() || e.Activity.ID == activity.ID{}) {
				t.Fatalf("entry %d: %+v", i, e.Activity)
			}
		}
		sent, err := got.Append(nil)
		if err != nil {
			if len(b) < MaxBatch/2 {
				t.Fatalf("taken, but not to be sent: %v", err)
			}
			return
		}
		again, err := Decode(sent)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, again, same); d != "" {
			t.Fatalf("changed (-received +again):\n%s", d)
		}
		if len(got.Entries) == 1 && got.Entries[0].Activity != nil {
			one := AppendActivity(nil, got.Entries[0].Activity)
			a, err := DecodeActivity(one)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(one, AppendActivity(nil, a)) {
				t.Fatalf("written anew, %x is %x", one, AppendActivity(nil, a))
			}
		}
	})
}
