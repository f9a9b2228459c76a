package flow

import (
	"testing"
	"time"
)

func TestUDP(t *testing.T) {
	for name, test := range map[string]struct {
		segs []seg
		want []string
	}{
		"question and answer": {
			[]seg{{src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: "q"}, {src: "10.0.0.2:53", dst: "10.0.0.1:50000", data: "a"}},
			[]string{"open udp 10.0.0.1:50000>10.0.0.2:53", "50000 > q", "50000 < a"},
		},
		"answer first": {
			[]seg{{src: "10.0.0.2:53", dst: "10.0.0.1:50000", data: "a"}, {src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: "q"}},
			[]string{"open udp 10.0.0.1:50000>10.0.0.2:53", "50000 < a", "50000 > q"},
		},
		"between equal ports": {
			[]seg{{src: "10.0.0.2:53", dst: "10.0.0.1:53", data: "q"}, {src: "10.0.0.1:53", dst: "10.0.0.2:53", data: "a"}},
			[]string{"open udp 10.0.0.2:53>10.0.0.1:53", "53 > q", "53 < a"},
		},
		"between followed ports": {
			[]seg{{src: "10.0.0.2:53", dst: "10.0.0.1:88", data: "a"}, {src: "10.0.0.1:88", dst: "10.0.0.2:53", data: "q"}},
			[]string{"open udp 10.0.0.1:88>10.0.0.2:53", "88 < a", "88 > q"},
		},
		"empty datagram":   {[]seg{{src: "10.0.0.1:50000", dst: "10.0.0.2:53"}}, nil},
		"port of TCP":      {[]seg{{src: "10.0.0.1:50000", dst: "10.0.0.2:445", data: "x"}}, nil},
		"signature of TCP": {[]seg{{src: "10.0.0.1:50000", dst: "10.0.0.2:49152", data: "RPC>"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrace(t, Config{})
			for _, s := range test.segs {
				tr.frame(s.udpFrame())
			}
			tr.want(test.want...)
			tr.wait(idleUDP - tickEvery)
			tr.frame(seg{src: "10.0.0.1:1", dst: "10.0.0.2:2"}.udpFrame())
			tr.want()
			tr.wait(2 * time.Second)
			tr.frame(seg{src: "10.0.0.1:1", dst: "10.0.0.2:2"}.udpFrame())
			if tr.table.udpConns.n != 0 {
				t.Error("not closed")
			}
		})
	}
}

func TestUDPLength(t *testing.T) {
	whole := seg{src: "10.0.0.1:50000", dst: "10.0.0.2:53", data: "data"}.udpFrame()
	for name, test := range map[string]struct {
		length int
		want   []string
	}{
		"shorter than the packet": {8 + 3, []string{"open udp 10.0.0.1:50000>10.0.0.2:53", "50000 > dat"}},
		"longer than the packet":  {8 + 99, []string{"open udp 10.0.0.1:50000>10.0.0.2:53", "50000 > data"}},
		"left to the card":        {0, []string{"open udp 10.0.0.1:50000>10.0.0.2:53", "50000 > data"}},
		"shorter than the header": {7, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrace(t, Config{})
			copy(whole[14+20+4:], be16(test.length))
			tr.frame(whole)
			tr.want(test.want...)
			checkBooks(t, tr.table)
		})
	}
}
