package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
)

// TestPcapngFeatures has all block types that are read and some that are not,
// in sections of both byte orders.
func TestPcapngFeatures(t *testing.T) {
	var w ngWriter
	var want []packet
	for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian, binary.LittleEndian} {
		offset := order.AppendUint64(nil, 3600)
		before := order.AppendUint64(nil, 1<<64-3600) // -3600
		w.section(order)
		w.iface(LinkEthernet, 58, option{2, []byte("eth0")})
		w.block(blockNames, payload(50, 1))
		w.iface(LinkRaw, 0, option{optTimeResol, []byte{9}})
		w.iface(LinkSLL2, 0, option{optTimeResol, []byte{0x80 | 30}})
		w.iface(LinkSLL, 0, option{optTimeResol, []byte{0}}, option{optTimeOffset, offset})
		w.iface(LinkNull, 0, option{optTimeOffset, before}, option{optTimeResol, []byte{3}})

		add := func(p packet) { want = append(want, p) }
		data := payload(61, 1)
		w.enhanced(0, micros(at), data, 61)
		add(packet{at, LinkEthernet, data, 61})
		w.block(0x0000_4242, payload(100, 2)) // no known type
		w.enhanced(1, uint64(at)+1, data[:1], 61)
		add(packet{at + 1, LinkRaw, data[:1], 61})
		w.enhanced(2, uint64(at)/1e9<<30|1<<29, data[:2], 2)
		add(packet{at.Add(time.Second / 2), LinkSLL2, data[:2], 2})
		w.enhanced(3, 1000, data[:3], 3)
		add(packet{activity.Time(4600 * time.Second), LinkSLL, data[:3], 3})
		w.block(blockStats, payload(20, 3))
		w.obsolete(4, 3600_500, data[:4], 4)
		add(packet{activity.Time(time.Second / 2), LinkNull, data[:4], 4})
		w.simple(data[:58], 100) // cut by the snap length of interface 0
		add(packet{activity.Time(time.Second / 2), LinkEthernet, data[:58], 100})
		w.simple(data[:41], 41)
		add(packet{activity.Time(time.Second / 2), LinkEthernet, data[:41], 41})
		w.block(blockCustom, payload(4, 3))
	}
	got, damage := readBytes(t, w.Bytes())
	equal(t, got, want)
	equalLines(t, damage)
}

// TestPcapngLong passes over a block that is longer than the buffer may get.
func TestPcapngLong(t *testing.T) {
	want := series(2)
	var w ngWriter
	w.section(binary.BigEndian)
	w.iface(LinkEthernet, 0)
	w.enhanced(0, micros(want[0].time), want[0].data, want[0].wire)
	start := w.Len()
	w.block(blockCustom, make([]byte, maxSkipped-blockFrame))
	end := w.Len()
	w.enhanced(0, micros(want[1].time), want[1].data, want[1].wire)
	read := func(content []byte) ([]packet, []*Damage, int) {
		win := &window{r: bytes.NewReader(content)}
		p, d := readAll(t, &source{in: &input{name: "test"}, w: win, format: &pcapng{w: win}})
		return p, d, len(win.buf)
	}
	got, damage, held := read(w.Bytes())
	equal(t, got, want)
	equalLines(t, damage)
	if held > 2*maxBlock {
		t.Errorf("the buffer grew to %d bytes", held)
	}

	got, damage, _ = read(w.Bytes()[:end-5])
	equal(t, got, want[:1])
	equalLines(t, damage, fmt.Sprintf("%d: cut off in block of type 0xbad: has %d of %d bytes", start, maxSkipped-5, maxSkipped))

	bad := bytes.Clone(w.Bytes())
	bad[end-1]++
	got, damage, _ = read(bad)
	equal(t, got, want)
	equalLines(t, damage, fmt.Sprintf("%d: block of type 0xbad is 16777216 bytes long by its beginning and 16777217 by its end; 4 bytes skipped", end-4))
}

// TestPcapngCut cuts a file at every byte.
func TestPcapngCut(t *testing.T) {
	want := series(5)
	content, starts := ngOf(want)
	for cut := 4; cut < len(content); cut++ {
		got, damage := readBytes(t, content[:cut])
		n := 0
		for n < len(want) && starts[n+1] <= cut {
			n++
		}
		equal(t, got, append([]packet(nil), want[:n]...))
		if cut < starts[0] {
			if len(damage) > 1 {
				t.Fatalf("cut at %d: %v", cut, lines(damage))
			}
			continue
		}
		size := starts[n+1] - starts[n]
		switch rest := cut - starts[n]; {
		case rest == 0:
			equalLines(t, damage)
		case rest < blockFrame:
			equalLines(t, damage, fmt.Sprintf("%d: cut off in a block: has %d of 12 bytes", starts[n], rest))
		default:
			equalLines(t, damage, fmt.Sprintf("%d: cut off in packet %d: has %d of %d bytes", starts[n], n+1, rest, size))
		}
	}
}

func TestPcapngResync(t *testing.T) {
	all := series(8)
	for _, c := range []struct {
		name   string
		damage func(content []byte, starts []int) []byte
		lost   []int
		want   func(starts []int) string
	}{
		{
			name: "length at the beginning of packet 3",
			damage: func(b []byte, starts []int) []byte {
				b[starts[2]+4] += 4
				return b
			},
			lost: []int{2},
			want: func(starts []int) string {
				n := starts[3] - starts[2]
				return fmt.Sprintf("%d: packet 3 is %d bytes long by its beginning and 6 by its end; %d bytes skipped", starts[2], n+4, n)
			},
		}, {
			name: "length at the end of packet 3",
			damage: func(b []byte, starts []int) []byte {
				b[starts[3]-4] ^= 1
				return b
			},
			lost: []int{2},
			want: func(starts []int) string {
				n := starts[3] - starts[2]
				return fmt.Sprintf("%d: packet 3 is %d bytes long by its beginning and %d by its end; %d bytes skipped", starts[2], n, n^1, n)
			},
		}, {
			name: "length of packet 3 beyond the end",
			damage: func(b []byte, starts []int) []byte {
				binary.LittleEndian.PutUint32(b[starts[2]+4:], 100_000)
				return b
			},
			lost: []int{2},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: packet 3 claims 100000 bytes, more than are left; %d bytes skipped", starts[2], starts[3]-starts[2])
			},
		}, {
			name: "length of packet 3 beyond any block",
			damage: func(b []byte, starts []int) []byte {
				binary.LittleEndian.PutUint32(b[starts[2]+4:], 1<<31)
				return b
			},
			lost: []int{2},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: packet 3 claims a length of 2147483648 bytes, allowed are 12 to 524288; %d bytes skipped", starts[2], starts[3]-starts[2])
			},
		}, {
			name: "zeros over packets 4 and 5",
			damage: func(b []byte, starts []int) []byte {
				clear(b[starts[3]:starts[5]])
				return b
			},
			lost: []int{3, 4},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: block of type 0x0 claims a length of 0 bytes, allowed are 12 to 16777216; %d bytes skipped", starts[3], starts[5]-starts[3])
			},
		}, {
			name: "zeros after the last packet",
			damage: func(b []byte, starts []int) []byte {
				return append(b, make([]byte, 1002)...)
			},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: block of type 0x0 claims a length of 0 bytes, allowed are 12 to 16777216; nothing readable in the 1002 bytes up to the end", starts[8])
			},
		}, {
			name: "captured length of packet 3 longer than its block",
			damage: func(b []byte, starts []int) []byte {
				b[starts[2]+21] = 1
				return b
			},
			lost: []int{2},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: packet 3 claims %d bytes, its block has %d", starts[2], len(all[2].data)+256, starts[3]-starts[2]-32)
			},
		}, {
			name: "unknown interface in packets 3 to 5",
			damage: func(b []byte, starts []int) []byte {
				for i := 2; i < 5; i++ {
					b[starts[i]+8] = 1
				}
				return b
			},
			lost: []int{2, 3, 4},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: packet 3 is of interface 1, but there are 1; damaged in 2 more places before the next packet", starts[2])
			},
		}, {
			name: "byte order of the section",
			damage: func(b []byte, starts []int) []byte {
				b[8]++
				return b
			},
			lost: []int{0, 1, 2, 3, 4, 5, 6, 7},
			want: func(starts []int) string {
				return fmt.Sprintf("0: section header with byte-order magic 0x1a2b3c4e; nothing readable in the %d bytes up to the end", starts[8])
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			content, starts := ngOf(all)
			got, damage := readBytes(t, c.damage(content, starts))
			var want []packet
			for i, p := range all {
				if len(c.lost) > 0 && c.lost[0] == i {
					c.lost = c.lost[1:]
					continue
				}
				want = append(want, p)
			}
			equal(t, got, want)
			equalLines(t, damage, c.want(starts))
		})
	}
}

// TestPcapngCutCapture cuts a packet that carries whole blocks: they are not
// taken for what follows it.
func TestPcapngCutCapture(t *testing.T) {
	inner, innerStarts := ngOf(series(30))
	outer, _ := ngOf([]packet{{at, LinkEthernet, inner, len(inner)}})
	start := len(outer) - len(inner) - 32 - 20 // its data, fields and frame, and options
	cut := start + 28 + innerStarts[29] + 4
	got, damage := readBytes(t, outer[:cut])
	equal(t, got, nil)
	if len(damage) != 1 || !strings.HasPrefix(damage[0].Reason, "cut off in packet 1: has ") {
		t.Errorf("damage %q", lines(damage))
	}
}

// TestPcapngBlocks has blocks that are framed well but of no use.
func TestPcapngBlocks(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(w *ngWriter)
		want  string // of the damage, without its offset
	}{
		{"packet before any interface", func(w *ngWriter) { w.enhanced(0, 0, nil, 0) }, "packet 1 is of interface 0, but there are 0"},
		{"simple packet before any interface", func(w *ngWriter) { w.simple(payload(8, 1), 8) }, "packet 1 is of interface 0, but there are 0"},
		{"short interface", func(w *ngWriter) { w.block(blockInterface, payload(4, 1)) }, "interface description of 4 bytes, needs 8"},
		{"short packet", func(w *ngWriter) { w.block(blockEnhanced, payload(16, 1)) }, "packet 1 has a block of 16 bytes, needs 20"},
		{"short obsolete packet", func(w *ngWriter) { w.block(blockPacket, payload(16, 1)) }, "packet 1 has a block of 16 bytes, needs 20"},
		{"short simple packet", func(w *ngWriter) { w.block(blockSimple, nil) }, "packet 1 has a block of 0 bytes, needs 4"},
		{"short section", func(w *ngWriter) { w.block(blockSection, w.order.AppendUint32(nil, byteOrderMagic)) }, "section header of 4 bytes, needs 16"},
		{"long packet", func(w *ngWriter) {
			w.iface(LinkEthernet, 0)
			w.enhanced(0, 0, make([]byte, MaxPacket+1), MaxPacket+1)
		}, "packet 1 claims 262145 bytes, more than the 262144 of any capture"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w ngWriter
			w.section(binary.BigEndian)
			at := w.Len()
			if c.name == "long packet" {
				at += 20 // after its interface
			}
			c.write(&w)
			got, damage := readBytes(t, w.Bytes())
			equal(t, got, nil)
			equalLines(t, damage, fmt.Sprintf("%d: %s", at, c.want))
		})
	}
}

// TestPcapngOptions has option lists that are broken: the interface stays of
// use, with what was read of them.
func TestPcapngOptions(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []byte
		want    activity.Time // of tick 1
	}{
		{"none", nil, 1000},
		{"end only", []byte{0, 0, 0, 0}, 1000},
		{"beyond the block", []byte{0, optTimeResol, 0, 200, 9, 0, 0, 0}, 1000},
		{"after the end", []byte{0, 0, 0, 0, 0, optTimeResol, 0, 1, 9, 0, 0, 0}, 1000},
		{"empty resolution", []byte{0, optTimeResol, 0, 0, 0, 0, 0, 0}, 1000},
		{"short offset", []byte{0, optTimeOffset, 0, 4, 0, 0, 0, 1}, 1000},
		{"no end", []byte{0, optTimeResol, 0, 1, 9, 0, 0, 0}, 1},
		{"half an option", []byte{0, optTimeResol, 0, 1, 9, 0, 0, 0, 0, 0}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w ngWriter
			w.section(binary.BigEndian)
			w.block(blockInterface, append([]byte{0, 1, 0, 0, 0, 0, 0, 0}, c.options...))
			w.enhanced(0, 1, nil, 60)
			got, damage := readBytes(t, w.Bytes())
			equal(t, got, []packet{{c.want, LinkEthernet, []byte{}, 60}})
			equalLines(t, damage)
		})
	}
}

func TestClock(t *testing.T) {
	const ns = uint64(at)
	for _, c := range []struct {
		resol  byte
		offset int64
		ticks  uint64
		want   activity.Time
	}{
		{6, 0, ns / 1000, at},
		{0, 0, ns / 1e9, at},
		{9, 0, ns, at},
		{9, 0, math.MaxInt64, math.MaxInt64},
		{9, 0, math.MaxInt64 + 1, math.MaxInt64},
		{6, 0, math.MaxUint64, math.MaxInt64},
		{12, 0, 1_000_999, 1000},
		{12, 0, math.MaxUint64, math.MaxUint64 / 1000},
		{28, 0, math.MaxUint64, 1},
		{29, 0, math.MaxUint64, 0},
		{127, 0, math.MaxUint64, 0},
		{0x80, 0, 2, 2e9},
		{0x80 | 10, 0, 1<<10 | 1<<9, 1.5e9},
		{0x80 | 63, 0, 1 << 63, 1e9},
		{0x80 | 64, 0, 1 << 63, 5e8},
		{0x80 | 93, 0, math.MaxUint64, 1},
		{0x80 | 127, 0, math.MaxUint64, 0},
		{9, 1, 5, 1e9 + 5},
		{9, -1, 5, -1e9 + 5},
		{9, -1, 2e9, 1e9},
		{0, -1_000_000, 1_000_000, 0},
		{9, 9_223_372_036, 854_775_807, math.MaxInt64},
		{9, 9_223_372_036, 854_775_808, math.MaxInt64},
		{9, math.MaxInt64, 0, math.MaxInt64},
		{0, math.MaxInt64, math.MaxUint64, math.MaxInt64},
		{9, -9_223_372_037, 145_224_192, math.MinInt64},
		{9, -9_223_372_037, 145_224_191, math.MinInt64},
		{9, math.MinInt64, 0, math.MinInt64},
		{0, math.MinInt64, math.MaxUint64, math.MaxInt64},
	} {
		k := newClock(c.resol, c.offset)
		if got := k.time(c.ticks); got != c.want {
			t.Errorf("resolution %#x, offset %d, ticks %d: %d, want %d", c.resol, c.offset, c.ticks, got, c.want)
		}
	}
}
