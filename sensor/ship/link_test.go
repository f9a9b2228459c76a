package ship

import (
	"encoding/json"
	"testing"

	"github.com/verderer/verderer/activity/wire"
)

// FuzzAnswer feeds what a center might answer into what reads it: nothing
// crashes, and what was read can be read again.
func FuzzAnswer(f *testing.F) {
	for _, v := range []any{wire.Welcome{Sequence: 1 << 63, Now: 5, TagKeys: []wire.TagKey{{Day: "2026-01-02", Key: []byte{1}}}},
		wire.Ack{Sequence: 7, Hold: true, Why: "full"}, wire.Renewed{Certificate: []byte{1, 2}, CA: []byte{3}}} {
		b, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"sequence":"-1"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var w, again wire.Welcome
		var a wire.Ack
		var r wire.Renewed
		_ = readAnswer(b, &a)
		_ = readAnswer(b, &r)
		if readAnswer(b, &w) != nil {
			return
		}
		out, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if err := readAnswer(out, &again); err != nil {
			t.Errorf("%q is read, and %q is not: %v", b, out, err)
		}
	})
}
