package flow

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
)

// seg describes a packet from one side of a conversation.
type seg struct {
	src, dst string // "10.0.0.1:1234", "[fd00::1]:88"
	seq, ack uint32
	flags    byte
	data     string
}

func be16(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// tcpHeader is the TCP header and payload of s.
func (s seg) tcp() []byte {
	src, dst := netip.MustParseAddrPort(s.src), netip.MustParseAddrPort(s.dst)
	b := join(be16(int(src.Port())), be16(int(dst.Port())))
	b = binary.BigEndian.AppendUint32(b, s.seq)
	b = binary.BigEndian.AppendUint32(b, s.ack)
	b = append(b, 5<<4, s.flags, 0xff, 0xff, 0, 0, 0, 0)
	return append(b, s.data...)
}

func (s seg) udp() []byte {
	src, dst := netip.MustParseAddrPort(s.src), netip.MustParseAddrPort(s.dst)
	return join(be16(int(src.Port())), be16(int(dst.Port())), be16(8+len(s.data)), be16(0), []byte(s.data))
}

// ip puts an IP header of the addresses' version before payload.
func (s seg) ip(proto byte, payload []byte) []byte {
	return ipPacket(netip.MustParseAddrPort(s.src).Addr(), netip.MustParseAddrPort(s.dst).Addr(), proto, payload)
}

func ipPacket(src, dst netip.Addr, proto byte, payload []byte) []byte {
	if src.Is4() {
		return join([]byte{0x45, 0}, be16(20+len(payload)), be16(1), be16(0), []byte{64, proto}, be16(0),
			src.AsSlice(), dst.AsSlice(), payload)
	}
	return join([]byte{0x60, 0, 0, 0}, be16(len(payload)), []byte{proto, 64}, src.AsSlice(), dst.AsSlice(), payload)
}

func ether(ip []byte) []byte {
	etherType := 0x0800
	if ip[0]>>4 == 6 {
		etherType = 0x86dd
	}
	return join([]byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"), be16(etherType), ip)
}

func (s seg) frame() []byte    { return ether(s.ip(protoTCP, s.tcp())) }
func (s seg) udpFrame() []byte { return ether(s.ip(protoUDP, s.udp())) }

// testRouter follows some ports, and payloads that begin with "RPC>" or "RPC<",
// the latter being answers.
type testRouter struct {
	tcp, udp []uint16
	open     func(*Conn) Handler
}

func (r *testRouter) Port(t activity.Transport, port uint16) bool {
	ports := r.tcp
	if t == activity.UDP {
		ports = r.udp
	}
	for _, p := range ports {
		if p == port {
			return true
		}
	}
	return false
}

func (r *testRouter) Signature(b []byte) (bool, Dir) {
	switch {
	case len(b) < 4 || string(b[:3]) != "RPC":
		return false, 0
	case b[3] == '<':
		return true, ToClient
	}
	return b[3] == '>', ToServer
}

func (r *testRouter) Open(c *Conn) Handler { return r.open(c) }

// trace is a table whose calls are written down.
type trace struct {
	t        *testing.T
	table    *Table
	counters counter.Set
	now      activity.Time
	calls    []string
	router   testRouter
}

const epoch = activity.Time(1_700_000_000e9)

func newTrace(t *testing.T, cfg Config) *trace {
	tr := &trace{t: t, now: epoch}
	tr.router = testRouter{tcp: []uint16{88, 389, 445}, udp: []uint16{53, 88}}
	tr.router.open = func(c *Conn) Handler {
		call := fmt.Sprintf("open %s %s>%s", c.Transport, c.Client, c.Server)
		if c.MidStream {
			call += " mid-stream"
		}
		tr.calls = append(tr.calls, call)
		return &recorder{tr: tr, conn: c}
	}
	tr.table = New(cfg, &tr.router, &tr.counters)
	return tr
}

type recorder struct {
	tr   *trace
	conn *Conn
}

func (r *recorder) note(format string, args ...any) {
	r.tr.calls = append(r.tr.calls, fmt.Sprintf("%d ", r.conn.Client.Port())+fmt.Sprintf(format, args...))
}

func arrow(d Dir) string {
	if d == ToClient {
		return "<"
	}
	return ">"
}

func (r *recorder) Feed(d Dir, b []byte, _ activity.Time) { r.note("%s %s", arrow(d), b) }
func (r *recorder) Gap(d Dir, n int, _ activity.Time) {
	if n < 0 {
		r.tr.t.Errorf("a gap of %d", n)
	}
	r.note("%s gap %d", arrow(d), n)
}
func (r *recorder) Close(activity.Time) { r.note("close") }

func (tr *trace) wait(d time.Duration) { tr.now = tr.now.Add(d) }

// frame sends an Ethernet frame, a millisecond after the one before.
func (tr *trace) frame(b []byte) { tr.wire(b, len(b)) }

// wire sends what a snap length left of a frame.
func (tr *trace) wire(b []byte, wire int) {
	tr.wait(time.Millisecond)
	tr.table.Packet(&capture.Chunk{Time: tr.now, Link: capture.LinkEthernet, Data: b, Wire: wire})
}

func (tr *trace) send(segs ...seg) {
	for _, s := range segs {
		tr.frame(s.frame())
	}
}

// want compares the calls since the last want.
func (tr *trace) want(calls ...string) {
	tr.t.Helper()
	if fmt.Sprintf("%q", tr.calls) != fmt.Sprintf("%q", calls) {
		tr.t.Errorf("calls\n got %q\nwant %q", tr.calls, calls)
	}
	tr.calls = nil
}

func (tr *trace) count(name string, want int64) {
	tr.t.Helper()
	for _, r := range tr.counters.Rows() {
		if r.Name == name {
			if r.Count != want {
				tr.t.Errorf("%q: got %d, want %d", name, r.Count, want)
			}
			return
		}
	}
	if want != 0 {
		tr.t.Errorf("%q: got 0, want %d", name, want)
	}
}

const (
	client = "10.0.0.1:50000"
	server = "10.0.0.2:445"
)

func c2s(seq, ack uint32, flags byte, data string) seg {
	return seg{client, server, seq, ack, flags, data}
}

func s2c(seq, ack uint32, flags byte, data string) seg {
	return seg{server, client, seq, ack, flags, data}
}

// handshake opens client>server with first bytes 1001 and 5001.
func (tr *trace) handshake() {
	tr.send(c2s(1000, 0, flagSYN, ""), s2c(5000, 1001, flagSYN|flagACK, ""), c2s(1001, 5001, flagACK, ""))
}
