package flow

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

var (
	addr1, addr2   = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	addr61, addr62 = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
)

// fragmentOf is an IPv4 fragment of a UDP datagram from 10.0.0.1 to 10.0.0.2.
func fragmentOf(id, offset int, more bool, data string) []byte {
	b := ipPacket(addr1, addr2, protoUDP, []byte(data))
	copy(b[4:], be16(id))
	field := offset / 8
	if more {
		field |= 0x2000
	}
	copy(b[6:], be16(field))
	return b
}

func fragment6Of(id, offset int, more bool, data string) []byte {
	header := []byte{protoUDP, 0, byte(offset >> 8), byte(offset &^ 7), 0, 0, 0, byte(id)}
	if more {
		header[3] |= 1
	}
	return ipPacket(addr61, addr62, protoFragment, join(header, []byte(data)))
}

// cutUp makes fragments of a UDP datagram.
func cutUp(whole string, size int, of func(id, offset int, more bool, data string) []byte) (frames [][]byte) {
	for at := 0; at < len(whole); at += size {
		end := min(at+size, len(whole))
		frames = append(frames, ether(of(7, at, end < len(whole), whole[at:end])))
	}
	return frames
}

func TestFragments(t *testing.T) {
	payload := strings.Repeat("0123456789", 300)
	whole := string(seg{src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: payload}.udp())
	for _, v := range []struct {
		name string
		of   func(id, offset int, more bool, data string) []byte
		open string
	}{
		{"IPv4", fragmentOf, "open udp 10.0.0.1:50000>10.0.0.2:53"},
		{"IPv6", fragment6Of, "open udp [fd00::1]:50000>[fd00::2]:53"},
	} {
		want := []string{v.open, "50000 > " + payload}
		for _, size := range []int{8, 48, 1480, 2400} {
			t.Run(fmt.Sprint(v.name, " in any order ", size), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(size)))
				for range 20 {
					tr := newTrace(t, Config{})
					frames := cutUp(whole, size, v.of)
					r.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
					for _, f := range frames {
						tr.frame(f)
					}
					tr.want(want...)
					tr.count("fragments", int64(len(frames)))
					tr.count("datagrams reassembled", 1)
					if size < tinyFragment {
						tr.count("fragments: tiny", int64(len(frames)-1))
					} else {
						tr.count("fragments: tiny", 0)
					}
					tr.table.Flush(tr.now)
					checkEmpty(t, tr.table)
				}
			})
		}
		t.Run(v.name+" overlapping", func(t *testing.T) {
			tr := newTrace(t, Config{})
			other := strings.Repeat("X", 800)
			tr.frame(ether(v.of(7, 800, true, whole[800:1600])))
			tr.frame(ether(v.of(7, 0, true, whole[:808])))
			tr.count("fragments: overlapping", 1)
			tr.count("fragments: overlapping with other content", 0)
			tr.frame(ether(v.of(7, 1200, true, other))) // the first 400 are known
			tr.frame(ether(v.of(7, 1600, false, whole[1600:])))
			got := payload[:1592] + other[:400] + payload[1992:]
			tr.want(v.open, "50000 > "+got)
			tr.count("fragments: overlapping", 3)
			tr.count("fragments: overlapping with other content", 2)
		})
		t.Run(v.name+" too late", func(t *testing.T) {
			tr := newTrace(t, Config{})
			frames := cutUp(whole, 1480, v.of)
			tr.frame(frames[0])
			tr.frame(frames[1])
			tr.wait(fragmentTimeout)
			tr.frame(frames[2])
			tr.want()
			tr.count("datagrams dropped: fragments missing", 1)
		})
		t.Run(v.name+" impossible", func(t *testing.T) {
			tr := newTrace(t, Config{})
			tr.frame(ether(v.of(7, 0, true, whole[:1001])))            // not a multiple of 8
			tr.frame(ether(v.of(7, 65528, false, whole[:16])))         // beyond any length
			tr.frame(ether(v.of(7, 2400, false, whole[2400:])))        // the end
			tr.frame(ether(v.of(7, 2400, false, whole[2400:]+"more"))) // another end
			tr.frame(ether(v.of(7, 3200, true, whole[:80])))           // beyond the end
			tr.frame(ether(v.of(7, 0, true, whole[:2400])))
			tr.want(want...)
			tr.count("fragments dropped: impossible offset or length", 4)
			tr.frame(ether(v.of(8, 3200, true, whole[:80])))
			tr.frame(ether(v.of(8, 2400, false, whole[2400:]))) // an end before what came
			tr.count("fragments dropped: impossible offset or length", 5)
			tr.table.Flush(tr.now)
			checkEmpty(t, tr.table)
		})
	}
}

func TestFragmentsOfOthersDoNotMix(t *testing.T) {
	tr := newTrace(t, Config{})
	a := string(seg{src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: strings.Repeat("a", 100)}.udp())
	b := string(seg{src: "10.0.0.1:50001", dst: "10.0.0.2:53", data: strings.Repeat("b", 100)}.udp())
	tr.frame(ether(fragmentOf(1, 0, true, a[:48])))
	tr.frame(ether(fragmentOf(2, 0, true, b[:48])))
	tcp := fragmentOf(1, 48, false, b[48:])
	tcp[9] = protoTCP // the same identification of another protocol
	tr.frame(ether(tcp))
	tr.frame(ether(fragmentOf(2, 48, false, b[48:])))
	tr.frame(ether(fragmentOf(1, 48, false, a[48:])))
	tr.want("open udp 10.0.0.1:50001>10.0.0.2:53", "50001 > "+b[8:], "open udp 10.0.0.1:50000>10.0.0.2:53", "50000 > "+a[8:])
}

func TestFragmentedTCP(t *testing.T) {
	tr := newTrace(t, Config{})
	whole := string(c2s(1, 1, flagACK, strings.Repeat("x", 2000)).tcp())
	for _, f := range cutUp(whole, 800, func(id, offset int, more bool, data string) []byte {
		b := fragmentOf(id, offset, more, data)
		b[9] = protoTCP
		return b
	}) {
		tr.frame(f)
	}
	tr.want(opened+" mid-stream", "50000 > "+whole[20:])
}

func TestFragmentCutBySnapLength(t *testing.T) {
	tr := newTrace(t, Config{})
	f := ether(fragmentOf(1, 8, true, long(80)))
	tr.wire(f[:len(f)-1], len(f))
	tr.count("fragments dropped: cut by the snap length", 1)
	checkEmpty(t, tr.table)
}

// Floods push out the oldest datagrams; a single one cannot outgrow the budget.
func TestTooManyFragments(t *testing.T) {
	t.Run("datagrams", func(t *testing.T) {
		tr := newTrace(t, Config{})
		for id := range maxDatagrams + 10 {
			tr.frame(ether(fragmentOf(id, 8, true, long(80))))
		}
		tr.count("datagrams dropped: too many fragments waiting", 10)
		if n := len(tr.table.frags.m); n != maxDatagrams {
			t.Errorf("%d datagrams wait", n)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		tr := newTrace(t, Config{MaxFragments: 10 * pageSize})
		for id := range 20 {
			tr.frame(ether(fragmentOf(id, 8, true, long(1400))))
		}
		if used := tr.table.frags.budget.used; used > 11 {
			t.Errorf("%d pages", used)
		}
		tr.count("datagrams dropped: too many fragments waiting", 9)
	})
	t.Run("of one", func(t *testing.T) {
		tr := newTrace(t, Config{MaxFragments: 10 * pageSize})
		for i := range 20 {
			tr.frame(ether(fragmentOf(1, 8+16*i, true, "tiny ...")))
		}
		tr.count("datagrams dropped: too many fragments waiting", 1)
		tr.table.Flush(tr.now)
		checkEmpty(t, tr.table)
	})
}

func TestAtomicFragment(t *testing.T) { // RFC 6946
	tr := newTrace(t, Config{})
	tr.frame(ether(fragment6Of(7, 0, false, string(seg{src: "[fd00::1]:50000", dst: "[fd00::2]:53", data: "whole"}.udp()))))
	tr.want("open udp [fd00::1]:50000>[fd00::2]:53", "50000 > whole")
	tr.count("fragments", 0)
}

func BenchmarkFragments(b *testing.B) {
	table, _ := sinkTable(Config{})
	whole := string(seg{src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: long(4000)}.udp())
	frames := cutUp(whole, 1480, fragmentOf)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		for _, f := range frames {
			binary.BigEndian.PutUint16(f[14+4:], uint16(i))
			table.Packet(chunk(f, epoch))
		}
	}
}
