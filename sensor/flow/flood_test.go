package flow

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/verderer/verderer/sensor/capture"
)

// heap is what lives on the heap after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A table's memory is bounded whatever comes: here by floods of distinct flows
// faster than anything expires, that make it keep as much as it can of each.
func TestFloodMemory(t *testing.T) {
	flows := 5_000_000
	if testing.Short() {
		flows = 300_000
	}
	const bound = 42 << 20 // Config promises 40 MiB without Handlers
	kinds := []struct {
		name  string
		flows int
		each  [][]byte // packets of one flow; the source address is made unique
	}{
		{"SYN", flows, [][]byte{seg{client, server, 1, 0, flagSYN, ""}.frame()}},
		{"data out of order", flows, [][]byte{
			seg{client, server, 1, 0, flagACK, "x"}.frame(),
			seg{client, server, 9, 0, flagACK, long(1400)}.frame(),
		}},
		{"signature", flows / 4, [][]byte{seg{client, "10.0.0.2:49152", 1, 0, flagACK, "RPC>"}.frame()}},
		{"UDP", flows / 4, [][]byte{seg{src: client, dst: "10.0.0.2:53", data: "x"}.udpFrame()}},
		{"fragments", flows / 4, [][]byte{ether(fragmentOf(1, 8, true, long(1400)))}},
	}
	table, counters := sinkTable(Config{})
	before := heap()
	c := capture.Chunk{Time: epoch, Link: capture.LinkEthernet}
	for _, k := range kinds {
		for i := range k.flows {
			c.Time += 100 // ten million packets a second
			for _, b := range k.each {
				binary.BigEndian.PutUint32(b[offSrc:], uint32(i))
				c.Data, c.Wire = b, len(b)
				table.Packet(&c)
			}
		}
		used := int64(heap()) - int64(before)
		t.Logf("%s: %d flows, %.1f MiB", k.name, k.flows, float64(used)/(1<<20))
		if used > bound {
			t.Errorf("after %s: %d bytes on the heap, want at most %d", k.name, used, bound)
		}
	}
	if n := table.tcpConns.n; n != table.cfg.MaxTCP {
		t.Errorf("%d connections kept, want the cap", n)
	}
	table.Flush(c.Time)
	checkEmpty(t, table)
	if counters.Of("flow", "TCP connections").Value() < int64(flows) {
		t.Error("not every flow was tracked")
	}
}
