package smb

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// segments cuts b as TCP does.
func segments(b []byte) (s [][]byte) {
	const size = 1460
	for len(b) > size {
		s, b = append(s, b[:size]), b[size:]
	}
	return append(s, b)
}

// copying is a file open on a connection, and 1 MiB of it as one READ.
func copying(t testing.TB) (c *conversation, ask []byte, answer [][]byte) {
	c = connected(t, `\\dc1\public`, 1).
		client(netbios(in(4).create("large", 1, 0))).
		server(netbios(in(4).createAnswer(1, 1<<40, 0, id)))
	return c, netbios(in(5).read(id, 1<<20, 1<<20)), segments(netbios(in(5).readAnswer(0, strings.Repeat("x", 1<<20))))
}

// BenchmarkRead is a large file read in pieces of 1 MiB, as Windows does.
func BenchmarkRead(b *testing.B) {
	c, ask, answer := copying(b)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		c.handler.Feed(flow.ToServer, ask, c.now)
		for _, s := range answer {
			c.handler.Feed(flow.ToClient, s, c.now)
		}
	}
}

// BenchmarkWrite is the other way.
func BenchmarkWrite(b *testing.B) {
	c, _, _ := copying(b)
	ask, answer := segments(netbios(in(5).write(id, 1<<20, strings.Repeat("x", 1<<20)))), netbios(h2{command: write2, id: 5}.answer(0, make([]byte, 16)))
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range ask {
			c.handler.Feed(flow.ToServer, s, c.now)
		}
		c.handler.Feed(flow.ToClient, answer, c.now)
	}
}

// BenchmarkOpenClose is a file that is opened and closed.
func BenchmarkOpenClose(b *testing.B) {
	c, _, _ := copying(b)
	ask, opened := netbios(in(5).create(`dir\name of a file.txt`, 1, 0)), netbios(in(5).createAnswer(1, 1000, 0, fileID{7, 7}))
	end, closed := netbios(in(6).closeFile(fileID{7, 7})), netbios(in(6).closeAnswer())
	b.ReportAllocs()
	for b.Loop() {
		c.handler.Feed(flow.ToServer, ask, c.now)
		c.handler.Feed(flow.ToClient, opened, c.now)
		c.handler.Feed(flow.ToServer, end, c.now)
		c.handler.Feed(flow.ToClient, closed, c.now)
		c.got = c.got[:0]
	}
}

func TestBodiesDoNotAllocate(t *testing.T) {
	c, ask, answer := copying(t)
	write := segments(netbios(in(5).write(id, 0, strings.Repeat("x", 1<<20))))
	copy1 := segments(h1{mid: 9}.answer(readAndXed(strings.Repeat("x", 60000))))
	ask1 := h1{mid: 9}.request(readAndX(1))
	sealed := segments(netbios(append(append([]byte("\xfdSMB"), make([]byte, 48)...), make([]byte, 1<<20)...)))
	n := testing.AllocsPerRun(20, func() {
		c.handler.Feed(flow.ToServer, ask, c.now)
		for _, s := range answer {
			c.handler.Feed(flow.ToClient, s, c.now)
		}
		for _, s := range write {
			c.handler.Feed(flow.ToServer, s, c.now)
		}
		for _, s := range sealed {
			c.handler.Feed(flow.ToServer, s, c.now)
		}
		c.handler.Feed(flow.ToServer, ask1, c.now)
		for _, s := range copy1 {
			c.handler.Feed(flow.ToClient, s, c.now)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestFlood: a great many connections that log on, connect a share and open a
// file, as far as each comes, and never end are held within the budget of all
// decoders.
func TestFlood(t *testing.T) {
	n := 5_000_000
	if testing.Short() {
		n = 100_000
	}
	var counters counter.Set
	emitted := 0
	set := decode.Set{Protocols: []decode.Protocol{Protocol}, Inner: []decode.Inner{{Name: "gssapi", Read: readToken}}}
	stage, err := decode.NewStage(set, nil, &counters, func(*activity.Activity) { emitted++ })
	if err != nil {
		t.Fatal(err)
	}
	turns := append([]turn(nil), talk()[6:8]...)
	turns = append([]turn{{flow.ToServer, netbios(h2{id: 2, session: 7}.setup("user somebody"))}}, turns...)
	turns = append(turns, turn{flow.ToServer, netbios(in(5).create("a", 1, 0))})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make([]flow.Handler, 1<<16) // the table of flows keeps so many
	for i := range n {
		h := stage.Open(&flow.Conn{
			Client:    netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 50000),
			Server:    netip.MustParseAddrPort("10.0.0.10:445"),
			Transport: activity.TCP,
		})
		for _, turn := range turns[:1+i%len(turns)] {
			h.Feed(turn.dir, turn.bytes, start)
		}
		if old := kept[i%len(kept)]; old != nil {
			old.Close(start)
		}
		kept[i%len(kept)] = h
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 80<<20 {
		t.Errorf("%d MiB of memory, %d activities", used>>20, emitted)
	} else {
		t.Logf("%d connections: %d MiB of memory, %d activities", n, used>>20, emitted)
	}
	runtime.KeepAlive(kept)
}
