// Package decodetest runs decoders over captures for their golden tests.
package decodetest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/decode"
)

// SiteKey keys the password tags of tests.
var SiteKey = []byte("decodetest")

// File decodes a capture and returns its activities in order and the counters.
// Damage of the file fails the test.
func File(t testing.TB, path string, set decode.Set) ([]*activity.Activity, *counter.Set) {
	t.Helper()
	activities, counters, damage := Readable(t, path, set)
	if damage != nil {
		t.Fatal(damage)
	}
	return activities, counters
}

// Readable is File for a capture that may be damaged: it decodes what can be
// read and returns the first damage.
func Readable(t testing.TB, path string, set decode.Set) (out []*activity.Activity, counters *counter.Set, damage *capture.Damage) {
	t.Helper()
	src, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var last activity.Time
	counters = &counter.Set{}
	p, err := sensor.New(set, SiteKey, counters, func(a *activity.Activity) { out = append(out, a) })
	if err != nil {
		t.Fatal(err)
	}
	for {
		var (
			c capture.Chunk
			d *capture.Damage
		)
		switch err := src.Next(&c); {
		case err == nil:
			c.File = filepath.Base(path)
			last = max(last, c.Time)
			p.Packet(&c)
		case errors.Is(err, io.EOF):
			p.Flush(last)
			return out, counters, damage
		case errors.As(err, &d):
			damage = cmp.Or(damage, d)
		default:
			t.Fatal(err)
		}
	}
}

// Corpus lists the captures of the corpus outside the repository, at
// $VERDERER_CORPUS or ../shared/corpus from the root; depth is how many folders
// below the root the test is. Without one it skips the test.
func Corpus(t testing.TB, depth int) []string {
	t.Helper()
	corpus := os.Getenv("VERDERER_CORPUS")
	if corpus == "" {
		corpus = filepath.Join(strings.Repeat("../", depth+1), "shared", "corpus")
	}
	var captures []string
	for _, folder := range []string{"pcap", "benign", "lab"} {
		found, _ := filepath.Glob(filepath.Join(corpus, folder, "*cap*"))
		captures = append(captures, found...)
	}
	if len(captures) == 0 {
		t.Skipf("no captures in %s: set VERDERER_CORPUS to the corpus", corpus)
	}
	if os.Getenv("VERDERER_AGREE") != "" {
		return captures
	}
	var sample []string
	for i := 0; i < len(captures); i += sampleEvery {
		sample = append(sample, captures[i])
	}
	t.Logf("%d of %d captures compared; make agree compares all", len(sample), len(captures))
	return sample
}

// sampleEvery thins the corpus for `make test`: another program reads every
// capture beside us, which takes minutes for all of them.
const sampleEvery = 12

// Lines is the activities as JSON, one a line.
func Lines(t testing.TB, activities []*activity.Activity) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, a := range activities {
		if err := enc.Encode(a); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// Golden decodes every capture (*.pcap*) and event log (*.events.json) in dir and compares its activities, as whole
// lines, with NAME.golden.jsonl beside it. A capture without a golden fails and
// shows what it would hold, and so does a golden without a capture. Only
// `make golden ONE=./FOLDER` writes.
func Golden(t *testing.T, dir string, set decode.Set) {
	captures, _ := filepath.Glob(filepath.Join(dir, "*.pcap*"))
	logs, _ := filepath.Glob(filepath.Join(dir, "*.events.json"))
	captures = append(captures, logs...)
	captures = slices.DeleteFunc(captures, func(path string) bool { return filepath.Ext(path) == ".py" }) // writes the capture
	if len(captures) == 0 {
		t.Fatalf("no captures in %s", dir)
	}
	wanted := make(map[string]bool)
	for _, path := range captures {
		base := strings.TrimSuffix(path, filepath.Ext(path))
		wanted[base+".golden.jsonl"] = true
		t.Run(filepath.Base(base), func(t *testing.T) {
			activities, _ := File(t, path, set)
			golden(t, base+".golden.jsonl", Lines(t, activities))
		})
	}
	goldens, _ := filepath.Glob(filepath.Join(dir, "*.golden.jsonl"))
	for _, g := range goldens {
		if !wanted[g] {
			t.Errorf("%s has no capture", g)
		}
	}
}

// golden compares lines with those of a file, or writes them there.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if os.Getenv("VERDERER_GOLDEN") == "write" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil || len(want) == 0 {
		t.Fatalf("no golden %s; it would hold:\n%s", path, got)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", path, diff(want, got))
	}
}

// diff lists the lines that only one side has, in order.
func diff(want, got []byte) string {
	count := make(map[string]int)
	for l := range strings.Lines(string(want)) {
		count[l]++
	}
	var b strings.Builder
	for l := range strings.Lines(string(got)) {
		if count[l] > 0 {
			count[l]--
		} else {
			b.WriteString("+ " + l)
		}
	}
	for l := range strings.Lines(string(want)) {
		if count[l] > 0 {
			count[l]--
			b.WriteString("- " + l)
		}
	}
	if b.Len() == 0 {
		return "the same lines in another order"
	}
	return b.String()
}
