package flow

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
)

func port(n int) string { return fmt.Sprintf("10.0.0.1:%d", n) }

func TestEviction(t *testing.T) {
	data := func(n int, seq uint32) seg { return seg{port(n), server, seq, 1, flagACK, "x"} }
	answer := func(n int) seg { return seg{server, port(n), 1, 2, flagACK, "y"} }
	settle := func(tr *trace, ports ...int) {
		for _, p := range ports {
			tr.send(data(p, 1), answer(p))
		}
		tr.calls = nil
	}
	t.Run("least recently used", func(t *testing.T) {
		tr := newTrace(t, Config{MaxTCP: 3})
		settle(tr, 5001, 5002, 5003)
		tr.send(data(5001, 2), data(5004, 1))
		tr.want("5001 > x", "5002 close", "open tcp 10.0.0.1:5004>10.0.0.2:445 mid-stream", "5004 > x")
		tr.count("TCP connections evicted", 1)
	})
	t.Run("the finished first", func(t *testing.T) {
		tr := newTrace(t, Config{MaxTCP: 3})
		settle(tr, 5001, 5002, 5003)
		tr.send(seg{port(5003), server, 2, 2, flagRST, ""}, data(5004, 1))
		tr.want("5003 close", "open tcp 10.0.0.1:5004>10.0.0.2:445 mid-stream", "5004 > x")
		tr.count("TCP connections evicted", 0)
	})
	t.Run("a flood of SYNs evicts its own", func(t *testing.T) {
		tr := newTrace(t, Config{MaxTCP: 16})
		settle(tr, 5001, 5002, 5003)
		for i := range 100 {
			tr.send(seg{port(6000 + i), server, 1, 0, flagSYN, ""})
		}
		tr.want()
		settle(tr, 7001)
		tr.send(data(5001, 2), data(7001, 2))
		tr.want("5001 > x", "7001 > x")
		tr.count("TCP connections evicted", 88)
	})
	t.Run("a full table takes new connections", func(t *testing.T) {
		tr := newTrace(t, Config{MaxTCP: 16})
		for i := range 32 {
			settle(tr, 5000+i)
		}
		tr.send(data(5031, 2), data(5016, 2))
		tr.want("5031 > x", "5016 > x")
	})
	t.Run("UDP", func(t *testing.T) {
		tr := newTrace(t, Config{MaxUDP: 2})
		for i := range 3 {
			tr.frame(seg{src: port(5001 + i), dst: "10.0.0.2:53", data: "x"}.udpFrame())
		}
		tr.want("open udp 10.0.0.1:5001>10.0.0.2:53", "5001 > x", "open udp 10.0.0.1:5002>10.0.0.2:53", "5002 > x",
			"5001 close", "open udp 10.0.0.1:5003>10.0.0.2:53", "5003 > x")
		tr.count("UDP conversations evicted", 1)
	})
}

// The clock of a capture may jump; conversations live on, and expiry goes on.
func TestTimeJumps(t *testing.T) {
	tr := newTrace(t, Config{})
	tr.handshake()
	tr.send(c2s(1001, 5001, flagACK, "one"))
	tr.wait(-time.Hour)
	tr.send(c2s(1004, 5001, flagACK, "two"), c2s(1010, 5001, flagACK, "four"))
	tr.want(opened, "50000 > one", "50000 > two")
	tr.wait(3 * time.Second)
	tr.send(s2c(5001, 1, 0, ""))
	tr.want("50000 > gap 3", "50000 > four")
	tr.wait(idleSettled + tickEvery)
	tr.frame(seg{src: "10.0.0.1:1", dst: "10.0.0.2:2"}.udpFrame())
	tr.want("50000 close")
	tr.count("jumps back in time", 1)
}

func TestSlightDisorderInTime(t *testing.T) {
	tr := newTrace(t, Config{})
	tr.send(c2s(1, 1, flagACK, "x"))
	tr.calls = nil
	for range 2000 { // 100 s if every step forward were counted
		tr.wait(-50 * time.Millisecond)
		tr.frame(seg{src: "10.0.0.1:1", dst: "10.0.0.2:2"}.udpFrame())
		tr.wait(48 * time.Millisecond)
		tr.frame(seg{src: "10.0.0.1:1", dst: "10.0.0.2:2"}.udpFrame())
	}
	tr.want()
	tr.count("jumps back in time", 0)
}

func TestAnyTime(t *testing.T) {
	tr := newTrace(t, Config{})
	for _, now := range []activity.Time{0, 5, -1 << 63, 1<<63 - 1, -1, 0, 1<<63 - 1, epoch, -1 << 62, 1 << 62, 1<<63 - 1} {
		tr.now = now
		tr.send(c2s(1, 1, flagACK, "x"), c2s(9, 1, flagACK, "y"))
		tr.frame(seg{src: port(5001), dst: "10.0.0.2:53", data: "x"}.udpFrame())
		tr.frame(ether(fragmentOf(1, 8, true, "12345678")))
	}
	tr.table.Flush(tr.now)
	checkEmpty(t, tr.table)
}

func TestSameCallsForSamePackets(t *testing.T) {
	run := func() []string {
		tr := newTrace(t, Config{MaxTCP: 20, MaxUDP: 5})
		for i := range uint32(3000) {
			p := port(int(2000 + i*i%97))
			tr.send(seg{p, server, 1 + i%7*4, 1, flagACK, "data"}, seg{server, p, i % 3, 9, flagACK | byte(i%2), "re"})
			tr.frame(seg{src: p, dst: "10.0.0.2:53", data: "q"}.udpFrame())
			tr.wait(time.Duration(i%50) * 10 * time.Millisecond)
		}
		tr.table.Flush(tr.now)
		return tr.calls
	}
	if a, b := run(), run(); !slices.Equal(a, b) || len(a) < 3000 {
		t.Errorf("two runs differ, of %d and %d calls", len(a), len(b))
	}
}

// Uninteresting packets and in-order payload must not allocate, however often.
func TestAllocations(t *testing.T) {
	for _, l := range loops {
		t.Run(l.name, func(t *testing.T) {
			if l.grows {
				t.Skip("makes new entries until the cap is reached")
			}
			_, packet := packetLoop(l.frame, l.step)
			for range 10 {
				packet() // entries and pages are made once
			}
			if n := testing.AllocsPerRun(1000, packet); n != 0 {
				t.Errorf("%v allocations per packet", n)
			}
		})
	}
}
