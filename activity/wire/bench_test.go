package wire

import (
	"testing"

	"github.com/verderer/verderer/activity"
)

// The figures are per activity, over all goldens: DNS lookups and Kerberos
// exchanges mostly, as on a network.

func BenchmarkAppendActivity(b *testing.B) {
	list := goldens(b)
	var buf []byte
	size := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buf = AppendActivity(buf[:0], list[i%len(list)])
		size += len(buf)
	}
	b.ReportMetric(float64(size)/float64(b.N), "bytes/activity")
}

func BenchmarkDecodeActivity(b *testing.B) {
	var list [][]byte
	for _, a := range goldens(b) {
		list = append(list, AppendActivity(nil, a))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := DecodeActivity(list[i%len(list)]); err != nil {
			b.Fatal(err)
		}
	}
}

// full is a large batch of a busy sensor. Times and what protocols draw at
// random differ from activity to activity; texts repeat more than in life, so
// its compressed size says little.
func full(b *testing.B) *Batch {
	list, r := goldens(b), seeded(b)
	batch := &Batch{Spool: 1, Sequence: 1}
	for i := range 1000 {
		a := *list[i%len(list)]
		a.Time, a.Requested = a.Time+activity.Time(r.Int64N(1e12)), a.Requested+activity.Time(r.Int64N(1e12))
		a.Source.Port = uint16(r.Uint32())
		if a.Kerberos != nil {
			k := *a.Kerberos
			k.Nonce = r.Uint32()
			a.Kerberos = &k
		}
		a.Seal()
		batch.Entries = append(batch.Entries, Entry{Activity: &a})
	}
	return batch
}

func BenchmarkAppend(b *testing.B) {
	batch := full(b)
	n := len(batch.Entries)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = batch.Append(buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/activity")
	b.ReportMetric(float64(len(buf))/float64(n), "bytes/activity")
}

func BenchmarkDecode(b *testing.B) {
	batch := full(b)
	buf, err := batch.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch.Entries)), "ns/activity")
}
