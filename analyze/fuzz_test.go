package analyze_test

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/verderer/verderer/analyze"
)

// maxSeed keeps the seeds small: the fuzzer is after the seams between the
// stages, and finds them sooner in a few packets.
const maxSeed = 10_000

// FuzzAnalyze gives any bytes to the whole product: it must come back, and say
// of what it could not read where and why.
func FuzzAnalyze(f *testing.F) {
	seeds := 0
	for _, file := range recordings(f) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) <= maxSeed {
			f.Add(b)
			seeds++
		}
	}
	if seeds == 0 {
		f.Fatalf("no recording of at most %d bytes to start from", maxSeed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		res, err := analyze.Run(context.Background(), analyze.Options{Inputs: []string{"-"}, Stdin: bytes.NewReader(b)})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range res.Damage {
			if d.File != "-" || d.Offset < 0 || d.Reason == "" {
				t.Errorf("damage that does not say what or where: %+v", d)
			}
		}
	})
}
