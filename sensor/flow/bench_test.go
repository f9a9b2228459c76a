package flow

import (
	"encoding/binary"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
)

// sink is a Handler that does nothing.
type sink struct{ bytes int }

func (s *sink) Feed(_ Dir, b []byte, _ activity.Time) { s.bytes += len(b) }
func (s *sink) Gap(Dir, int, activity.Time)           {}
func (s *sink) Close(activity.Time)                   {}

func sinkTable(cfg Config) (*Table, *counter.Set) {
	var counters counter.Set
	var s sink
	r := &testRouter{tcp: []uint16{88, 389, 445}, udp: []uint16{53, 88}, open: func(*Conn) Handler { return &s }}
	return New(cfg, r, &counters), &counters
}

// Offsets in an Ethernet frame with IPv4 and TCP headers without options.
const (
	offSrc   = 14 + 12
	offSport = 14 + 20
	offSeq   = offSport + 4
)

// packetLoop gives the table one frame again and again, changed by step.
func packetLoop(frame []byte, step func(i int, frame []byte)) (*Table, func()) {
	t, _ := sinkTable(Config{})
	i := 0
	c := capture.Chunk{Time: epoch, Link: capture.LinkEthernet, Data: frame, Wire: len(frame)}
	return t, func() {
		if step != nil {
			step(i, frame)
		}
		i++
		c.Time += 1000
		t.Packet(&c)
	}
}

func long(n int) string { return string(make([]byte, n)) }

var loops = []struct {
	name  string
	frame []byte
	step  func(i int, frame []byte)
	grows bool // until the caps are reached
}{
	{"HTTPS", seg{"10.0.0.1:50000", "10.0.0.2:443", 1, 1, flagACK, long(1400)}.frame(), nil, false},
	{"HighPorts", seg{"10.0.0.1:50000", "10.0.0.2:49152", 1, 1, flagACK, long(1400)}.frame(), nil, false},
	{"UDPOther", seg{src: "10.0.0.1:50000", dst: "10.0.0.2:443", data: long(1200)}.udpFrame(), nil, false},
	{"IPv6Other", seg{"[fd00::1]:50000", "[fd00::2]:443", 1, 1, flagACK, long(1400)}.frame(), nil, false},
	{"ARP", join(make([]byte, 12), be16(0x0806), make([]byte, 46)), nil, false},
	{"InOrder", seg{"10.0.0.1:50000", "10.0.0.2:445", 1, 1, flagACK, long(1400)}.frame(), func(i int, b []byte) {
		binary.BigEndian.PutUint32(b[offSeq:], uint32(i*1400))
	}, false},
	{"UDPDatagram", seg{src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: long(60)}.udpFrame(), nil, false},
	{"UDPNewConversation", seg{src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: long(60)}.udpFrame(), func(i int, b []byte) {
		binary.BigEndian.PutUint32(b[offSrc:], uint32(i))
	}, true},
	{"SYNFlood", seg{"10.0.0.1:50000", "10.0.0.2:445", 1, 1, flagSYN, ""}.frame(), func(i int, b []byte) {
		binary.BigEndian.PutUint32(b[offSrc:], uint32(i))
	}, true},
	{"Swapped", seg{"10.0.0.1:50000", "10.0.0.2:445", 1, 1, flagACK, long(1400)}.frame(), func(i int, b []byte) {
		binary.BigEndian.PutUint32(b[offSeq:], uint32((i^1)*1400))
	}, false},
}

func BenchmarkPacket(b *testing.B) {
	for _, l := range loops {
		b.Run(l.name, func(b *testing.B) {
			_, packet := packetLoop(l.frame, l.step)
			b.ReportAllocs()
			for b.Loop() {
				packet()
			}
		})
	}
}
