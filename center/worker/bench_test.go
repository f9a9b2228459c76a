package worker

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/journal"
)

// BenchmarkEntries applies entries of one batch each of about 64 KiB, as sensors
// send them under load: decoding, order, resolving, all detections, alerts. The
// recordings stand for the traffic, again and again, later each time, each time
// from other addresses.
func BenchmarkEntries(b *testing.B) {
	files, err := filepath.Glob("../detect/*/testdata/*/capture.pcap")
	if err != nil || len(files) < 20 {
		b.Fatalf("%d captures: %v", len(files), err)
	}
	var recorded []*activity.Activity
	if _, err := analyze.Log(b.Context(), analyze.Options{Inputs: files}, func(r *ingest.Record) {
		if r.Activity != nil {
			recorded = append(recorded, r.Activity)
		}
	}); err != nil {
		b.Fatal(err)
	}
	const entries = 64
	var log []*journal.Entry
	bytes, activities, next := 0, 0, 0
	clock := activity.Time(0)
	for seq := range uint64(entries) {
		batch := wire.Batch{Spool: 1, Sequence: seq + 1}
		data, told := []byte(nil), clock
		for len(data) < 60<<10 {
			for range 200 {
				a := *recorded[next%len(recorded)]
				round := next / len(recorded)
				next++
				clock += activity.Time(time.Millisecond)
				a.Time, a.Requested = clock, 0
				if a.Source.Addr.Is4() {
					ip := a.Source.Addr.As4()
					ip[1] = byte(round)
					a.Source.Port = uint16(round)
				}
				a.Seal()
				batch.Entries = append(batch.Entries, wire.Entry{Activity: &a})
				if clock >= told+activity.Time(wire.ProgressEvery) {
					told = clock
					batch.Entries = append(batch.Entries, wire.Entry{Progress: clock})
				}
			}
			if data, err = batch.Append(nil); err != nil {
				b.Fatal(err)
			}
		}
		bytes += len(data)
		activities += len(batch.Entries)
		log = append(log, &journal.Entry{Position: seq + 2, Ingest: clock, Items: []journal.Item{{Sensor: "s", Batch: data}}})
	}
	attach := &journal.Entry{Position: 1, Ingest: 1, Items: []journal.Item{{Sensor: "s", Attach: 1}}}
	for _, shards := range []int{1, 2} {
		b.Run(fmt.Sprint(shards, " shards"), func(b *testing.B) {
			w := &Worker{cfg: Config{Definitions: all.Definitions, Shards: shards, Health: health.NewRegistry(nil), Log: slog.New(slog.DiscardHandler),
				Emit: func(context.Context, *Result) error { return nil }}}
			b.SetBytes(int64(bytes / entries))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%entries == 0 {
					w.reset()
					w.apply(attach)
				}
				res := w.apply(log[i%entries])
				if len(res.Activities) == 0 {
					b.Fatal("an entry without activities")
				}
			}
			b.ReportMetric(float64(activities/entries), "activities/entry")
			b.ReportMetric(float64(activities/entries)*float64(b.N)/b.Elapsed().Seconds(), "activities/s")
		})
	}
}
