package flow

import (
	"net/netip"
	"testing"

	"github.com/verderer/verderer/sensor/capture"
)

var (
	mirror = netip.MustParseAddr("192.0.2.1") // sends what it copies
	sensor = netip.MustParseAddr("192.0.2.2") // to here
)

// gre puts payload into a GRE packet with these flags; options follow the type.
func gre(flags, kind int, options, payload []byte) []byte {
	return ether(ipPacket(mirror, sensor, protoGRE, join(be16(flags), be16(kind), options, payload)))
}

func vxlan(flags byte, dport int, payload []byte) []byte {
	b := join([]byte{flags, 0, 0, 0, 0, 0, 7, 0}, payload)
	return ether(ipPacket(mirror, sensor, protoUDP, join(be16(50000), be16(dport), be16(8+len(b)), be16(0), b)))
}

// erspan2 and erspan3 are the headers of types II and III.
func erspan2(flags byte) []byte { return []byte{0x10, 7, flags, 1, 0, 0, 0, 9} }
func erspan3(last int) []byte {
	return join([]byte{0x20, 7, 0, 1, 1, 2, 3, 4, 0, 0}, be16(last))
}

var sequence = []byte{0, 0, 0, 1}

func TestTunnels(t *testing.T) {
	s := c2s(1, 1, flagACK, "data")
	inner, ip := s.frame(), s.ip(protoTCP, s.tcp())
	s6 := seg{"[fd00::1]:50000", "[fd00::2]:445", 1, 1, flagACK, "data"}
	tagged := join(inner[:12], be16(0x8100), be16(7), inner[12:])
	open4, open6 := opened+" mid-stream", "open tcp [fd00::1]:50000>[fd00::2]:445 mid-stream"
	arp := join(make([]byte, 12), be16(0x0806), make([]byte, 46))
	v6outer := ether(join([]byte{0x60, 0, 0, 0}, be16(4+len(ip)), []byte{protoGRE, 64}, s6addr("fd00::8"), s6addr("fd00::9"), be16(0), be16(0x0800), ip))
	const (
		taken     = "packets taken out of a tunnel (GRE, ERSPAN, VXLAN)"
		nested    = "packets dropped: a tunnel in a tunnel"
		other     = "packets of other transports"
		malformed = "packets with a malformed header"
	)
	for name, test := range map[string]struct {
		frame []byte
		open  string // "" when nothing is fed
		count string // of a counter that is 1
	}{
		"GRE, IPv4":                  {gre(0, 0x0800, nil, ip), open4, taken},
		"GRE, IPv6":                  {gre(0, 0x86dd, nil, s6.ip(protoTCP, s6.tcp())), open6, taken},
		"GRE over IPv6":              {v6outer, open4, taken},
		"GRE, checksum":              {gre(0x8000, 0x0800, make([]byte, 4), ip), open4, taken},
		"GRE, key":                   {gre(0x2000, 0x0800, make([]byte, 4), ip), open4, taken},
		"GRE, all":                   {gre(0xb000, 0x6558, make([]byte, 12), inner), open4, taken},
		"GRE, Ethernet":              {gre(0, 0x6558, nil, inner), open4, taken},
		"GRE, Ethernet with tag":     {gre(0, 0x6558, nil, tagged), open4, taken},
		"GRE, ARP":                   {gre(0, 0x6558, nil, arp), "", "packets not IP"},
		"GRE, something else":        {gre(0, 0x8847, nil, ip), "", other},
		"GRE, PPTP":                  {gre(0x3001, 0x880b, make([]byte, 8), ip), "", other},
		"GRE, routing":               {gre(0x4000, 0x0800, make([]byte, 4), ip), "", other},
		"GRE, cut":                   {gre(0xb000, 0x0800, make([]byte, 3), nil), "", malformed},
		"GRE, empty":                 {ether(ipPacket(mirror, sensor, protoGRE, []byte{0, 0})), "", malformed},
		"ERSPAN I":                   {gre(0, 0x88be, nil, inner), open4, taken},
		"ERSPAN II":                  {gre(0x1000, 0x88be, sequence, join(erspan2(0), inner)), open4, taken},
		"ERSPAN II, tagged":          {gre(0x1000, 0x88be, sequence, join(erspan2(0x18), tagged)), open4, taken},
		"ERSPAN II, short":           {gre(0x1000, 0x88be, sequence, erspan2(0)[:6]), "", malformed},
		"ERSPAN, unknown version":    {gre(0x1000, 0x88be, sequence, join([]byte{0x50, 7, 0, 1, 0, 0, 0, 9}, inner)), "", malformed},
		"ERSPAN III":                 {gre(0x1000, 0x22eb, sequence, join(erspan3(0), inner)), open4, taken},
		"ERSPAN III without number":  {gre(0, 0x22eb, nil, join(erspan3(0), inner)), open4, taken},
		"ERSPAN III, subheader":      {gre(0x1000, 0x22eb, sequence, join(erspan3(1), make([]byte, 8), inner)), open4, taken},
		"ERSPAN III, IP":             {gre(0x1000, 0x22eb, sequence, join(erspan3(2<<10), ip)), open4, taken},
		"ERSPAN III, short":          {gre(0x1000, 0x22eb, sequence, erspan3(1)), "", malformed},
		"VXLAN":                      {vxlan(8, 4789, inner), open4, taken},
		"VXLAN, group policy":        {vxlan(0x88, 4789, inner), open4, taken},
		"VXLAN without identifier":   {vxlan(0, 4789, inner), "", "packets not followed"},
		"VXLAN on another port":      {vxlan(8, 4790, inner), "", "packets not followed"},
		"VXLAN, cut":                 {vxlan(8, 4789, inner[:20]), "", malformed},
		"VXLAN in VXLAN":             {vxlan(8, 4789, vxlan(8, 4789, inner)), "", nested},
		"GRE in ERSPAN":              {gre(0x1000, 0x88be, sequence, join(erspan2(0), gre(0, 0x0800, nil, ip))), "", nested},
		"IP in IP in GRE":            {gre(0, 0x0800, nil, ipPacket(mirror, sensor, protoIPv4, ip)), open4, taken},
		"IP in IP in IP in GRE":      {gre(0, 0x0800, nil, ipPacket(mirror, sensor, protoIPv4, ipPacket(mirror, sensor, protoIPv4, ip))), "", "packets dropped: too many IP headers"},
		"a client's port in reverse": {ether(ipPacket(mirror, sensor, protoUDP, join(be16(4789), be16(50000), be16(16), be16(0), []byte{8, 0, 0, 0, 0, 0, 7, 0}))), "", "packets not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrace(t, Config{})
			tr.frame(test.frame)
			if test.open == "" {
				tr.want()
			} else {
				tr.want(test.open, "50000 > data")
			}
			tr.count(test.count, 1)
			outcomes := int64(0)
			for _, c := range []string{"packets not IP", malformed, other, "packets not followed", "packets followed"} {
				outcomes += tr.counters.Of("flow", c).Value()
			}
			if outcomes != 1 {
				t.Errorf("the packet has %d outcomes", outcomes)
			}
		})
	}
}

func s6addr(s string) []byte { return netip.MustParseAddr(s).AsSlice() }

// TestTunnelledConversation: a mirror's two directions in two kinds of tunnel,
// and retransmitted bare, are one conversation.
func TestTunnelledConversation(t *testing.T) {
	tr := newTrace(t, Config{})
	tr.frame(vxlan(8, 4789, c2s(1000, 0, flagSYN, "").frame()))
	tr.frame(gre(0x1000, 0x88be, sequence, join(erspan2(0), s2c(5000, 1001, flagSYN|flagACK, "").frame())))
	tr.frame(vxlan(8, 4789, c2s(1001, 5001, flagACK, "question").frame()))
	tr.frame(c2s(1001, 5001, flagACK, "question").frame())
	tr.frame(gre(0x1000, 0x88be, sequence, join(erspan2(0), s2c(5001, 1009, flagACK, "answer").frame())))
	tr.want(opened, "50000 > question", "50000 < answer")
}

// TestMirrorCuts: the bytes that a mirror left out are a gap, told by its T bit
// or by the snap length.
func TestMirrorCuts(t *testing.T) {
	whole := c2s(1, 1, flagACK, "abcdefgh").frame()
	next := c2s(9, 1, flagACK, "next").frame()
	for name, send := range map[string]func(tr *trace){
		"mirror": func(tr *trace) {
			tr.frame(gre(0x1000, 0x88be, sequence, join(erspan2(4), whole[:len(whole)-4])))
		},
		"snap length": func(tr *trace) {
			b := gre(0x1000, 0x88be, sequence, join(erspan2(0), whole))
			tr.wire(b[:len(b)-4], len(b))
		},
	} {
		tr := newTrace(t, Config{})
		send(tr)
		tr.frame(gre(0x1000, 0x88be, sequence, join(erspan2(0), next)))
		if len(tr.calls) < 3 || tr.calls[2] != "50000 > gap 4" {
			t.Errorf("%s: %q", name, tr.calls)
		}
	}
}

// TestFragmentsWithinFragments: a datagram in fragments within a tunnel that is
// in fragments keeps its own addresses.
func TestFragmentsWithinFragments(t *testing.T) {
	tr := newTrace(t, Config{})
	datagram := seg{src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: long(100)}.udp()
	outer := func(id int, payload []byte) {
		for at := 0; at < len(payload); at += 64 {
			end := min(at+64, len(payload))
			b := ipPacket(mirror, sensor, protoGRE, payload[at:end])
			copy(b[4:], be16(id))
			flags := at / 8
			if end < len(payload) {
				flags |= 0x2000
			}
			copy(b[6:], be16(flags))
			tr.frame(ether(b))
		}
	}
	tunnelled := func(inner []byte) []byte { return join(be16(0), be16(0x0800), inner) }
	outer(7, tunnelled(fragmentOf(1, 0, true, string(datagram[:56]))))
	outer(8, tunnelled(fragmentOf(1, 56, false, string(datagram[56:]))))
	if len(tr.calls) != 2 || tr.calls[0] != "open udp 10.0.0.1:50000>10.0.0.2:53" {
		t.Errorf("got %q", tr.calls)
	}
	tr.count("datagrams reassembled", 3)
}

// TestTunnelDoesNotAllocate: a mirror's uninteresting packets cost no memory.
func TestTunnelDoesNotAllocate(t *testing.T) {
	web := seg{"10.0.0.1:50000", "10.0.0.2:443", 1, 1, flagACK, long(1200)}.frame()
	for name, frame := range map[string][]byte{
		"VXLAN": vxlan(8, 4789, web), "ERSPAN": gre(0x1000, 0x88be, sequence, join(erspan2(0), web)), "GRE": gre(0, 0x6558, nil, web),
	} {
		_, step := packetLoop(frame, nil)
		if n := testing.AllocsPerRun(1000, step); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkTunnel(b *testing.B) {
	web := seg{"10.0.0.1:50000", "10.0.0.2:443", 1, 1, flagACK, long(1200)}.frame()
	_, step := packetLoop(vxlan(8, 4789, web), nil)
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

func FuzzTunnel(f *testing.F) {
	inner := c2s(1, 1, flagACK, "data").frame()
	f.Add(uint8(0), join(be16(0xb000), be16(0x6558), make([]byte, 12), inner))
	f.Add(uint8(0), join(be16(0x1000), be16(0x88be), sequence, erspan2(4), inner))
	f.Add(uint8(0), join(be16(0x1000), be16(0x22eb), sequence, erspan3(1), make([]byte, 8), inner))
	f.Add(uint8(1), join([]byte{8, 0, 0, 0, 0, 0, 7, 0}, inner))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		b = b[:min(len(b), 4000)]
		frame := ether(ipPacket(mirror, sensor, protoGRE, b))
		if kind&1 != 0 {
			frame = ether(ipPacket(mirror, sensor, protoUDP, join(be16(50000), be16(4789), be16(8+len(b)), be16(0), b)))
		}
		fuzzTable(t, func(packet func(*capture.Chunk)) {
			for range 3 {
				packet(&capture.Chunk{Time: 1e6, Link: capture.LinkEthernet, Data: frame, Wire: len(frame) + int(kind>>4)})
			}
		})
	})
}
