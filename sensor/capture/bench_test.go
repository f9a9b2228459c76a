package capture

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// endless is a reader that repeats the packets of a capture after its header.
type endless struct {
	head, body []byte
	at         int
}

func (e *endless) Read(b []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(b, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	n := copy(b, e.body[e.at:])
	e.at = (e.at + n) % len(e.body)
	return n, nil
}

// benchmark reads b.N packets. Each must cost no allocation.
func benchmark(b *testing.B, content []byte, starts []int) {
	e := &endless{head: content[:starts[0]], body: content[starts[0]:]}
	s, err := Reader("bench", e)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(e.body) / (len(starts) - 1)))
	b.ReportAllocs()
	var c Chunk
	for b.Loop() {
		if err := s.Next(&c); err != nil {
			b.Fatal(err)
		}
	}
}

// thousand are packets of the mean length of traffic on AD ports.
func thousand() []packet {
	list := series(1000)
	for i := range list {
		list[i].data = payload(40+i*1013%1460, i)
		list[i].wire = len(list[i].data)
	}
	return list
}

func BenchmarkPcap(b *testing.B) {
	content, starts := pcapOf(thousand())
	benchmark(b, content, starts)
}

func BenchmarkPcapng(b *testing.B) {
	content, starts := ngOf(thousand())
	benchmark(b, content, starts)
}

// BenchmarkResync passes over content that holds no record, per byte.
func BenchmarkResync(b *testing.B) {
	content, _ := pcapOf(series(1))
	noise := payload(1<<20, 1)
	for range 8 {
		content = append(content, noise...)
	}
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		s, err := Reader("bench", bytes.NewReader(content))
		if err != nil {
			b.Fatal(err)
		}
		readAll(b, s)
	}
}

// BenchmarkMerge reads 16 captures that overlap wholly, per packet.
func BenchmarkMerge(b *testing.B) {
	dir := b.TempDir()
	list := thousand()
	var paths []string
	for i := range 16 {
		list[0].data[0] = byte(i)
		content, _ := pcapOf(list)
		paths = append(paths, write(b, dir, string(rune('a'+i)), content))
	}
	inputs := Walk(paths)
	m := Merge(inputs, nil)
	b.ReportAllocs()
	var c Chunk
	for b.Loop() {
		err := m.Next(&c)
		if err == io.EOF {
			b.StopTimer()
			m.Close()
			m = Merge(inputs, nil)
			b.StartTimer()
			err = m.Next(&c)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// TestNoAllocations makes sure that reading a packet costs none.
func TestNoAllocations(t *testing.T) {
	list := thousand()
	classic, _ := pcapOf(list)
	ng, _ := ngOf(list)
	for name, content := range map[string][]byte{"pcap": classic, "pcapng": ng} {
		path := write(t, t.TempDir(), name, content)
		m := Merge(Walk([]string{path}), nil)
		var c Chunk
		for range 400 { // until the buffer has grown
			if err := m.Next(&c); err != nil {
				t.Fatal(err)
			}
		}
		n := testing.AllocsPerRun(500, func() {
			if err := m.Next(&c); err != nil {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("%s: %v allocations a packet", name, n)
		}
	}
}

// BenchmarkEVTX reads a security log of the corpus, as a whole.
func BenchmarkEVTX(b *testing.B) {
	content, err := os.ReadFile(filepath.Join(corpus(b), "evtx", "oe_security.evtx"))
	if err != nil {
		b.Skip(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	events := 0
	for b.Loop() {
		s, err := Reader("bench", bytes.NewReader(content))
		if err != nil {
			b.Fatal(err)
		}
		var c Chunk
		for events = 0; ; events++ {
			if err := s.Next(&c); err != nil {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
}
