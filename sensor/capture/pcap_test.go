package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"
)

func TestPcapVariants(t *testing.T) {
	for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, magic := range []uint32{magicMicro, magicNano, magicModified} {
			t.Run(fmt.Sprintf("%v %#x", order, magic), func(t *testing.T) {
				want := series(5)
				want[1].wire += 1000 // cut by a snap length
				want[2].data, want[2].wire = []byte{}, 60
				if magic == magicNano {
					want[3].time += 7
				}
				w := newPcapWriter(order, magic, LinkEthernet)
				for _, p := range want {
					w.record(p)
				}
				got, damage := readBytes(t, w.Bytes())
				equal(t, got, want)
				equalLines(t, damage)
			})
		}
	}
}

func TestPcapLink(t *testing.T) {
	for _, c := range []struct {
		field uint32
		want  LinkType
	}{
		{1, LinkEthernet},
		{276, LinkSLL2},
		{12, LinkRaw},
		{14, LinkRaw},
		{0x44000001, LinkEthernet}, // with 4 bytes of frame check sequence
	} {
		w := newPcapWriter(binary.LittleEndian, magicMicro, 0)
		binary.LittleEndian.PutUint32(w.Bytes()[20:], c.field)
		p := series(1)[0]
		w.record(p)
		p.link = c.want
		got, _ := readBytes(t, w.Bytes())
		equal(t, got, []packet{p})
	}
}

// TestPcapExtremes has records at the limits of their fields that are right.
func TestPcapExtremes(t *testing.T) {
	want := []packet{
		{0, LinkEthernet, []byte{1}, 1}, // time 0, but not all zeros
		{math.MaxUint32 * 1e9, LinkEthernet, payload(MaxPacket, 1), MaxPacket},
		{at, LinkEthernet, payload(60, 2), math.MaxUint32}, // the length on the wire is not judged
	}
	w := newPcapWriter(binary.LittleEndian, magicMicro, LinkEthernet)
	for _, p := range want {
		w.record(p)
	}
	p := packet{at, LinkEthernet, payload(60, 3), 20} // fewer on the wire than captured
	w.record(p)
	p.wire = 60
	got, damage := readBytes(t, w.Bytes())
	equal(t, got, append(want, p))
	equalLines(t, damage)
}

func TestPcapHeaderOnly(t *testing.T) {
	content, _ := pcapOf(nil)
	got, damage := readBytes(t, content)
	equal(t, got, nil)
	equalLines(t, damage)
}

// TestPcapCut cuts a capture at every byte.
func TestPcapCut(t *testing.T) {
	want := series(6)
	content, starts := pcapOf(want)
	for cut := 4; cut < len(content); cut++ {
		got, damage := readBytes(t, content[:cut])
		if cut < pcapHeader {
			equal(t, got, nil)
			equalLines(t, damage, fmt.Sprintf("0: cut off in the file header: has %d of 24 bytes", cut))
			continue
		}
		n := 0 // packets before the cut
		for n < len(want) && starts[n+1] <= cut {
			n++
		}
		equal(t, got, append([]packet(nil), want[:n]...))
		switch rest := cut - starts[n]; {
		case rest == 0:
			equalLines(t, damage)
		case rest < pcapRecord:
			equalLines(t, damage, fmt.Sprintf("%d: cut off in the header of packet %d: has %d of 16 bytes", starts[n], n+1, rest))
		default:
			equalLines(t, damage, fmt.Sprintf("%d: cut off in packet %d: has %d of %d bytes", starts[n], n+1, rest-pcapRecord, len(want[n].data)))
		}
	}
}

func TestPcapResync(t *testing.T) {
	all := series(8)
	long := packet{at, LinkEthernet, payload(5000, 1), 5000}
	for _, c := range []struct {
		name    string
		packets []packet
		damage  func(content []byte, starts []int) []byte
		lost    []int // of the packets
		want    func(starts []int) string
	}{
		{
			name: "length of packet 3 beyond any capture",
			damage: func(b []byte, starts []int) []byte {
				binary.LittleEndian.PutUint32(b[starts[2]+8:], math.MaxUint32)
				return b
			},
			lost: []int{2},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: packet 3 claims 4294967295 bytes, more than the 262144 of any capture; %d bytes skipped", starts[2], starts[3]-starts[2])
			},
		}, {
			name: "first packet",
			damage: func(b []byte, starts []int) []byte {
				binary.LittleEndian.PutUint32(b[starts[0]+8:], MaxPacket+1)
				return b
			},
			lost: []int{0},
			want: func(starts []int) string {
				return fmt.Sprintf("24: packet 1 claims 262145 bytes, more than the 262144 of any capture; %d bytes skipped", starts[1]-starts[0])
			},
		}, {
			name: "last packet",
			damage: func(b []byte, starts []int) []byte {
				binary.LittleEndian.PutUint32(b[starts[7]+8:], MaxPacket+1)
				return b
			},
			lost: []int{7},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: packet 8 claims 262145 bytes, more than the 262144 of any capture; nothing readable in the %d bytes up to the end", starts[7], starts[8]-starts[7])
			},
		}, {
			name: "length of packet 3 beyond the end",
			damage: func(b []byte, starts []int) []byte {
				binary.LittleEndian.PutUint32(b[starts[2]+8:], 100_000)
				return b
			},
			lost: []int{2},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: packet 3 claims 100000 bytes, more than are left; %d bytes skipped", starts[2], starts[3]-starts[2])
			},
		}, {
			name: "zeros over packets 4 and 5",
			damage: func(b []byte, starts []int) []byte {
				clear(b[starts[3]:starts[5]])
				return b
			},
			lost: []int{3, 4},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: zeros in place of the header of packet 4; %d bytes skipped", starts[3], starts[5]-starts[3])
			},
		}, {
			name: "zeros after the last packet",
			damage: func(b []byte, starts []int) []byte {
				return append(b, make([]byte, 4096)...)
			},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: zeros in place of the header of packet 9; nothing readable in the 4096 bytes up to the end", starts[8])
			},
		}, {
			name: "bytes inserted",
			damage: func(b []byte, starts []int) []byte {
				return bytes.Join([][]byte{b[:starts[4]], payload(1001, 3), b[starts[4]:]}, nil)
			},
			want: func(starts []int) string {
				return fmt.Sprintf("%d: packet 5 claims %d bytes, more than the 262144 of any capture; 1001 bytes skipped", starts[4], binary.LittleEndian.Uint32(payload(1001, 3)[8:]))
			},
		}, {
			name:    "the cut packet carries a capture",
			packets: []packet{long},
			damage: func(b []byte, starts []int) []byte {
				inner, _ := pcapOf(series(30))
				copy(b[starts[0]+pcapRecord+10:], inner)
				return b[:starts[0]+pcapRecord+len(inner)-20]
			},
			lost: []int{0},
			want: func(starts []int) string {
				inner, _ := pcapOf(series(30))
				return fmt.Sprintf("24: cut off in packet 1: has %d of 5000 bytes", len(inner)-20)
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			packets := c.packets
			if packets == nil {
				packets = all
			}
			content, starts := pcapOf(packets)
			got, damage := readBytes(t, c.damage(content, starts))
			var want []packet
			for i, p := range packets {
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

// TestPcapResyncFar has what looks like two records of another year where
// damage is: they are passed over.
func TestPcapResyncFar(t *testing.T) {
	packets := series(4)
	w := newPcapWriter(binary.LittleEndian, magicMicro, LinkEthernet)
	w.record(packets[0])
	w.record(packets[1])
	start := w.Len()
	w.Write(bytes.Repeat([]byte{0xff}, 16))
	for range 2 {
		w.record(packet{at.Add(-resyncReach - time.Second), LinkEthernet, payload(20, 1), 20})
	}
	far := w.Len()
	w.record(packets[2])
	w.record(packets[3])
	got, damage := readBytes(t, w.Bytes())
	equal(t, got, packets)
	equalLines(t, damage, fmt.Sprintf("%d: packet 3 claims 4294967295 bytes, more than the 262144 of any capture; %d bytes skipped", start, far-start))
}
