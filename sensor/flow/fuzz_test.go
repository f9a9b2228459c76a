package flow

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
)

// witness is a Router whose Handlers check what Handler promises whatever the
// packets are.
type witness struct {
	t    *testing.T
	open int
}

func (w *witness) Port(_ activity.Transport, port uint16) bool { return port == 445 || port == 53 }
func (w *witness) Signature(b []byte) (bool, Dir)              { return len(b) > 0 && b[0] > 200, Dir(len(b) & 1) }
func (w *witness) Open(c *Conn) Handler {
	if !c.Client.IsValid() || !c.Server.IsValid() || c.Client.Addr().Is4In6() || c.Server.Addr().Is4In6() {
		w.t.Errorf("opened %v", c)
	}
	if c.Client.Port()%16 == 7 {
		return nil
	}
	w.open++
	return &witnessed{w: w, udp: c.Transport == activity.UDP}
}

type witnessed struct {
	w           *witness
	udp, closed bool
}

func (h *witnessed) check(d Dir) {
	if h.closed || d > ToClient {
		h.w.t.Error("called after Close, or with no direction")
	}
}

func (h *witnessed) Feed(d Dir, b []byte, _ activity.Time) {
	h.check(d)
	if len(b) == 0 || len(b) > 65535 {
		h.w.t.Errorf("%d bytes fed", len(b))
	}
}

func (h *witnessed) Gap(d Dir, n int, _ activity.Time) {
	h.check(d)
	if n < 0 || n > maxAhead || h.udp {
		h.w.t.Errorf("a gap of %d", n)
	}
}

func (h *witnessed) Close(activity.Time) {
	h.check(0)
	h.closed = true
	h.w.open--
}

// small makes caps easy to reach.
var small = Config{MaxTCP: 4, MaxUDP: 2, MaxHeld: 8 * pageSize, MaxFragments: 4 * pageSize}

// newSmall makes a table without asking for every port again, which would take
// longer than everything else a run does.
func newSmall(w *witness) *Table {
	var counters counter.Set
	if smallTable == nil {
		smallTable = New(small, w, &counters)
	}
	t := *smallTable
	t.router, t.n, t.frags.m = w, newCounts(&counters), make(map[fragKey]*datagram)
	t.tcpConns, t.udpConns = newIndex(small.MaxTCP), newIndex(small.MaxUDP)
	return &t
}

var smallTable *Table // never used itself

func fuzzTable(t *testing.T, packets func(func(c *capture.Chunk))) {
	w := &witness{t: t}
	table := newSmall(w)
	now := epoch
	packets(func(c *capture.Chunk) {
		c.Time += now
		now = c.Time
		table.Packet(c)
		if n := table.tcpConns.n; n > small.MaxTCP || n != table.fresh.n+table.settled.n+table.closing.n {
			t.Fatalf("%d connections, on lists %d, %d, %d", n, table.fresh.n, table.settled.n, table.closing.n)
		}
	})
	table.Flush(now)
	checkEmpty(t, table)
	if w.open != 0 {
		t.Errorf("%d handlers not closed", w.open)
	}
}

// FuzzTable reads the input as packets: link type, milliseconds since the one
// before, length of what was captured, bytes the snap length cut.
func FuzzTable(f *testing.F) {
	packet := func(link capture.LinkType, b []byte) []byte {
		return join(be16(int(link)), be16(1), be16(len(b)), []byte{0}, b)
	}
	whole := string(seg{src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: long(100)}.udp())
	f.Add(join(packet(capture.LinkEthernet, c2s(1000, 0, flagSYN, "").frame()), packet(capture.LinkEthernet, c2s(1003, 5001, flagACK, "two").frame()),
		packet(capture.LinkEthernet, c2s(1001, 5001, flagACK, "one").frame()), packet(capture.LinkEthernet, s2c(5000, 1004, flagACK|flagFIN, "answer").frame())))
	f.Add(join(packet(capture.LinkEthernet, ether(fragmentOf(1, 0, true, whole[:56]))), packet(capture.LinkEthernet, ether(fragmentOf(1, 56, false, whole[56:])))))
	f.Add(join(packet(capture.LinkRaw, fragment6Of(1, 56, false, whole[56:])), packet(capture.LinkRaw, fragment6Of(1, 0, true, whole[:56]))))
	f.Add(packet(capture.LinkSLL, join(make([]byte, 14), be16(0x8100), be16(7), be16(0x0800), c2s(1, 1, flagACK, "data").frame()[14:])))
	f.Fuzz(func(t *testing.T, in []byte) {
		fuzzTable(t, func(packet func(*capture.Chunk)) {
			for len(in) >= 7 {
				n := min(int(binary.BigEndian.Uint16(in[4:])), len(in)-7)
				packet(&capture.Chunk{
					Link: capture.LinkType(binary.BigEndian.Uint16(in)),
					Time: activity.Time(int16(binary.BigEndian.Uint16(in[2:]))) * activity.Time(time.Millisecond),
					Data: in[7 : 7+n],
					Wire: n + int(in[6]),
				})
				in = in[7+n:]
			}
		})
	})
}

// FuzzSegments reads the input as segments of two connections, eight bytes
// each, so that the fuzzer spends its time on sequence numbers and flags.
func FuzzSegments(f *testing.F) {
	segment := func(flags, conn byte, seq, ack int8, size, cut, wait byte) []byte {
		return []byte{flags, conn, byte(seq), byte(ack), size, cut, wait, 0}
	}
	f.Add(join(segment(flagSYN, 0, 0, 0, 0, 0, 1), segment(flagSYN|flagACK, 1, 0, 1, 0, 0, 1), segment(flagACK, 0, 3, 1, 5, 0, 1),
		segment(flagACK|flagFIN, 0, 8, 1, 0, 0, 1), segment(flagACK, 0, 1, 1, 2, 0, 1), segment(flagACK|flagFIN, 1, 1, 9, 20, 0, 1)))
	f.Add(join(segment(flagACK, 2, 0, 0, 10, 0, 1), segment(flagACK, 2, 20, 0, 10, 4, 30), segment(flagACK, 3, 0, 30, 10, 0, 1), segment(flagRST, 2, 30, 0, 0, 0, 255)))
	f.Add(join(segment(flagACK, 0, 0, 0, 10, 0, 1), segment(flagACK|0x80, 0, 100, 0, 10, 0, 1), segment(flagACK|0x40, 0, 100, 0, 255, 0, 1)))
	f.Fuzz(func(t *testing.T, in []byte) {
		base := [2]uint32{1000, 0xffffff00} // the second wraps around
		fuzzTable(t, func(packet func(*capture.Chunk)) {
			for len(in) >= 8 {
				s := c2s(base[0], base[1], in[0]&0x1f, long(int(in[4])))
				from := in[1] & 1
				if from == 1 {
					s.src, s.dst = s.dst, s.src
					s.seq, s.ack = s.ack, s.seq
				}
				s.seq += uint32(int8(in[2]))
				s.ack += uint32(int8(in[3]))
				switch in[0] >> 6 {
				case 1: // long segments
					s.data = long(int(in[4]) * 100)
					s.seq += uint32(int8(in[2])) * 100
				case 2: // far away
					s.seq += uint32(int8(in[2])) << 23
				case 3: // the stream goes on
					base[from] += uint32(in[4])
				}
				b := s.frame()
				if in[1]&2 != 0 {
					b[offSport+1]++ // another connection
				}
				cut := min(int(in[5]), len(s.data))
				packet(&capture.Chunk{Link: capture.LinkEthernet, Time: activity.Time(in[6]) * activity.Time(20*time.Millisecond), Data: b[:len(b)-cut], Wire: len(b)})
				in = in[8:]
			}
		})
	})
}
