package analyze_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/ingest"
)

// recordings lists the bundled captures, those of the template aside: they are
// cut from others, and no packet should be there twice.
func recordings(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../center/detect/*/testdata/*/capture.pcap")
	files = slices.DeleteFunc(files, func(f string) bool { return strings.Contains(f, "/template/") })
	if err != nil || len(files) < 20 {
		t.Fatalf("%d bundled captures found: %v", len(files), err)
	}
	return files
}

// log reads the captures into the records of one ingest log.
func log(t testing.TB, files []string) []ingest.Record {
	t.Helper()
	var records []ingest.Record
	res, err := analyze.Log(context.Background(), analyze.Options{Inputs: files}, func(r *ingest.Record) { records = append(records, *r) })
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range res.Damage {
		t.Error(d)
	}
	return records
}

func core(shards int) *center.Core {
	return center.New(center.Config{Definitions: all.Definitions, Level: detect.LevelLow, Shards: shards})
}

// outcome is the alerts as one text, ids included.
func outcome(t testing.TB, alerts []*alert.Alert) []string {
	t.Helper()
	var lines []string
	for _, a := range alerts {
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	return lines
}

// TestFindingsAreAFunctionOfTheLog runs one log of all recordings in the ways
// that must not matter: any number of shards, stopped and restored anywhere,
// captures named in any order.
func TestFindingsAreAFunctionOfTheLog(t *testing.T) {
	files := recordings(t)
	records := log(t, files)
	straight := core(1)
	for i := range records {
		straight.Apply(&records[i])
	}
	straight.Drain()
	want := outcome(t, straight.Alerts())
	if len(want) < len(all.Definitions) {
		t.Fatalf("only %d alerts: the comparison would prove little", len(want))
	}
	t.Logf("%d records, %d alerts", len(records), len(want))

	t.Run("8 shards", func(t *testing.T) {
		c := core(8)
		for i := range records {
			c.Apply(&records[i])
		}
		c.Drain()
		equal(t, want, outcome(t, c.Alerts()))
	})
	t.Run("8 shards, all in one batch", func(t *testing.T) {
		c := core(8) // batches of live progress are too small to start the shards for
		for i := range records {
			if records[i].Progress == 0 {
				c.Apply(&records[i])
			}
		}
		c.Drain()
		equal(t, want, outcome(t, c.Alerts()))
	})
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		stops := []int{rnd.IntN(len(records)), rnd.IntN(len(records))}
		slices.Sort(stops)
		t.Run(fmt.Sprintf("restored at %d and %d", stops[0], stops[1]), func(t *testing.T) {
			shards := []int{1, 8}[i%2]
			c := core(shards)
			for j := range records {
				if slices.Contains(stops, j) {
					b, err := c.Snapshot()
					if err != nil {
						t.Fatal(err)
					}
					shards = 9 - shards
					c = core(shards)
					if err := c.Restore(b); err != nil {
						t.Fatal(err)
					}
				}
				c.Apply(&records[j])
			}
			c.Drain()
			equal(t, want, outcome(t, c.Alerts()))
		})
	}
	t.Run("files in any order", func(t *testing.T) {
		for range 3 {
			shuffled := slices.Clone(files)
			rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			res, err := analyze.Run(context.Background(), analyze.Options{Inputs: shuffled})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, want, outcome(t, res.Alerts))
		}
	})
	t.Run("the same log twice gives the same snapshot", func(t *testing.T) {
		var snaps [2][]byte
		for i := range snaps {
			c := core(1 + 7*i)
			for j := range records[:len(records)/2] {
				c.Apply(&records[j])
			}
			var err error
			if snaps[i], err = c.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(snaps[0], snaps[1]) {
			t.Error("snapshots differ between 1 and 8 shards")
		}
	})
}

func equal(t *testing.T, want, got []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("alerts differ (-want +got):\n%.4000s", d)
	}
}
