package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/capture/live/livetest"
)

func TestMain(m *testing.M) { livetest.Main(m) }

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// begin captures until the test ends.
func begin(t testing.TB, cfg Config) *Source {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// numbered is a UDP frame with a number and size bytes of payload in all.
func numbered(port uint16, n, size int) []byte {
	b := frame{src: near4, dst: dc4, proto: ipUDP, sport: 40000, dport: port}.bytes()[:etherHeader+28]
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, make([]byte, max(0, size-4))...)
	binary.BigEndian.PutUint16(b[16:], uint16(len(b)-etherHeader))
	binary.BigEndian.PutUint16(b[38:], uint16(len(b)-etherHeader-20))
	return b
}

func number(b []byte) int { return int(binary.BigEndian.Uint32(b[etherHeader+28:])) }

// expect reads packets until it has seen the numbers from 0 to n-1, in order.
func expect(t testing.TB, s *Source, n int) {
	t.Helper()
	watch := time.AfterFunc(patience, func() { s.Close() })
	defer watch.Stop()
	for want := 0; want < n; {
		var c capture.Chunk
		if err := s.Next(&c); err != nil {
			t.Fatalf("packet %d of %d: %v; %+v", want, n, err, s.State())
		}
		if c.Tick {
			continue
		}
		if got := number(c.Data); got != want {
			t.Fatalf("packet %d came when %d was due", got, want)
		}
		want++
	}
}

// rest reads what is left after Stop and counts the packets.
func rest(t testing.TB, s *Source) (n int) {
	t.Helper()
	watch := time.AfterFunc(patience, func() { s.Close() })
	defer watch.Stop()
	for {
		var c capture.Chunk
		if err := s.Next(&c); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
		if !c.Tick {
			n++
		}
	}
}

// until waits for what must become true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: ", what)
		}
	}
}

// TestWireToChunk: what is wanted comes out, whole, with the kernel's time, and
// the kernel keeps the rest to itself.
func TestWireToChunk(t *testing.T) {
	l := livetest.New(t)
	before := now()
	s := begin(t, Config{Interfaces: []string{l.Name}, UDP: []uint16{88}})
	const lots = 500
	big := 0
	for i := range lots {
		for range 3 {
			l.Send(t, numbered(89, i, 100))
		}
		size := 10
		if i%100 == 99 { // as joined by a card
			size = 64000
			big++
		}
		l.Send(t, numbered(88, i, size))
	}
	watch := time.AfterFunc(patience, func() { s.Close() })
	defer watch.Stop()
	var c capture.Chunk
	for want := 0; want < lots; {
		if err := s.Next(&c); err != nil {
			t.Fatal(err)
		}
		if c.Tick {
			continue
		}
		if got := number(c.Data); got != want {
			t.Fatalf("packet %d came when %d was due", got, want)
		}
		if len(c.Data) >= 64000 {
			big--
		}
		if c.Wire != len(c.Data) || c.Link != capture.LinkEthernet || c.File != "" || c.Time < before || c.Time > now() {
			t.Fatalf("packet %d: %d of %d bytes, link %d, file %q, time %v", want, len(c.Data), c.Wire, c.Link, c.File, c.Time)
		}
		before = c.Time
		want++
	}
	if big != 0 {
		t.Errorf("%d large packets are missing", big)
	}
	s.Stop()
	if n := rest(t, s); n != 0 {
		t.Errorf("%d packets too many", n)
	}
	if st := s.State()[0]; st.Packets != lots || st.Dropped != 0 {
		t.Errorf("the kernel handed over %d packets and dropped %d, want %d: %+v", st.Packets, st.Dropped, lots, st)
	}
}

// TestTags: however the kernel hands over VLAN tags, there is an IP packet for flow.
func TestTags(t *testing.T) {
	l := livetest.New(t)
	s := begin(t, Config{Interfaces: []string{l.Name}, UDP: []uint16{88}})
	plain := numbered(88, 0, 4)
	for n, tags := range [][]uint16{{etherVLAN}, {etherSVLAN, etherVLAN}, {etherQinQ, etherVLAN}} {
		b := append([]byte{}, plain[:12]...)
		for _, tag := range tags {
			b = append(binary.BigEndian.AppendUint16(b, tag), 0, byte(n+1))
		}
		l.Send(t, append(b, plain[12:]...))
	}
	watch := time.AfterFunc(patience, func() { s.Close() })
	defer watch.Stop()
	for n := 0; n < 3; {
		var c capture.Chunk
		if err := s.Next(&c); err != nil {
			t.Fatal(err)
		}
		if c.Tick {
			continue
		}
		_, src, dst, ok := ends(c.Data, false)
		if !ok || src.Addr() != near4 || dst != netip.AddrPortFrom(dc4, 88) {
			t.Errorf("packet %d: % x", n, c.Data)
		}
		n++
	}
}

// TestLoopback: real conversations over loopback are seen once.
func TestLoopback(t *testing.T) {
	livetest.Need(t)
	livetest.Run(t, "ip", "link", "set", "lo", "up")
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	port := uint16(server.LocalAddr().(*net.UDPAddr).Port)
	s := begin(t, Config{Interfaces: []string{"lo"}, UDP: []uint16{port}})
	client, err := net.Dial("udp", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for n := range 10 {
		if _, err := client.Write(binary.BigEndian.AppendUint32(nil, uint32(n))); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, s, 10)
	s.Stop()
	if n := rest(t, s); n != 0 {
		t.Errorf("%d packets were seen twice", n)
	}
}

// TestDynamicPorts: TCP between high ports passes for the addresses of this host
// alone, or for those that are configured.
func TestDynamicPorts(t *testing.T) {
	l := livetest.New(t)
	send := func(dst netip.Addr) {
		l.Send(t, frame{src: l.Far, dst: dst, proto: ipTCP, sport: 40000, dport: 50000}.bytes())
	}
	for _, c := range []struct {
		servers []netip.Addr
		want    netip.Addr
	}{{nil, l.Here}, {[]netip.Addr{dc4}, dc4}} {
		s := begin(t, Config{Interfaces: []string{l.Name}, TCP: []uint16{88}, Servers: c.servers})
		send(near4)
		send(l.Here)
		send(dc4)
		watch := time.AfterFunc(patience, func() { s.Close() })
		for {
			var p capture.Chunk
			if err := s.Next(&p); err != nil {
				t.Fatal(err)
			}
			if p.Tick {
				continue
			}
			if _, _, dst, ok := ends(p.Data, false); !ok || dst.Addr() != c.want {
				t.Errorf("servers %v: a packet to %v", c.servers, dst)
			}
			break
		}
		s.Stop()
		if n := rest(t, s); n != 0 {
			t.Errorf("servers %v: %d packets too many", c.servers, n)
		}
		watch.Stop()
	}
}

// TestLonePacketAndSilence: ticks come without any packet, never decrease, are
// not ahead of the clock, and a lone packet is not before a tick.
func TestLonePacketAndSilence(t *testing.T) {
	l := livetest.New(t)
	s := begin(t, Config{Interfaces: []string{l.Name}, UDP: []uint16{88}})
	watch := time.AfterFunc(patience, func() { s.Close() })
	defer watch.Stop()
	var last activity.Time
	seen := false
	for ticks := 0; ticks < 10 || !seen; {
		var c capture.Chunk
		if err := s.Next(&c); err != nil {
			t.Fatal(err)
		}
		if c.Time < last || c.Time > now() {
			t.Fatalf("%+v after %v at %v", c, last, now())
		}
		last = c.Time
		if !c.Tick {
			seen = true
		} else if ticks++; ticks == 5 {
			l.Send(t, numbered(88, 0, 4))
		}
	}
}

// TestDrain: what was in the ring at Stop comes out, and nothing after it.
func TestDrain(t *testing.T) {
	l := livetest.New(t)
	for range 5 {
		s := begin(t, Config{Interfaces: []string{l.Name}, UDP: []uint16{88}})
		const lots = 20000 // more than all batches hold
		for i := range lots {
			l.Send(t, numbered(88, i, 4))
		}
		s.Stop()
		if n := rest(t, s); n != lots {
			t.Fatalf("%d of %d packets came", n, lots)
		}
		st := s.State()[0]
		if st.Packets != lots || st.Dropped != 0 {
			t.Fatalf("read %+v", st)
		}
		s.Close()
	}
}

// TestStalledReader: what does not fit is counted, and the capture recovers.
func TestStalledReader(t *testing.T) {
	l := livetest.New(t)
	s := begin(t, Config{Interfaces: []string{l.Name}, UDP: []uint16{88}, Ring: 4 * blockSize})
	const lots = 2000
	for i := range lots { // 2 MB for 1.5 MiB of ring and batches
		l.Send(t, numbered(88, i, 1000))
	}
	s.Stop()
	n := rest(t, s)
	st := s.State()[0]
	if st.Dropped == 0 || st.Freezes == 0 || int64(n) != st.Packets || st.Packets+st.Dropped != lots {
		t.Errorf("%d packets came of %d sent: %+v", n, lots, st)
	}
}

// reading reads packets on another goroutine until the Source ends.
func reading(s *Source) (numbers chan int, ticks chan activity.Time) {
	numbers, ticks = make(chan int, 10000), make(chan activity.Time, 1)
	go func() {
		defer close(numbers)
		for {
			var c capture.Chunk
			if err := s.Next(&c); err != nil {
				return
			}
			if c.Tick {
				select {
				case ticks <- c.Time:
				default:
				}
				continue
			}
			numbers <- number(c.Data)
		}
	}()
	return numbers, ticks
}

// TestSeveralInterfaces are merged by time, also when one is silent.
func TestSeveralInterfaces(t *testing.T) {
	a, b, silent := livetest.New(t), livetest.New(t), livetest.New(t)
	s := begin(t, Config{Interfaces: []string{a.Name, b.Name, silent.Name}, UDP: []uint16{88}})
	packets, _ := reading(s)
	const lots = 3000
	for i := range lots {
		l := a
		if i%7 < 3 {
			l = b
		}
		l.Send(t, numbered(88, i, 100))
		if i%10 == 0 {
			time.Sleep(time.Millisecond) // so that blocks are handed over meanwhile
		}
	}
	s.Stop()
	want := 0
	for got := range packets {
		if got != want {
			t.Fatalf("packet %d came when %d was due", got, want)
		}
		want++
	}
	if want != lots {
		t.Errorf("%d of %d packets came", want, lots)
	}
	for i, st := range s.State() {
		if (st.Packets == 0) != (i == 2) {
			t.Errorf("%+v", st)
		}
	}
}

// TestOpeningAmidTraffic: what came before the filter was attached is not handed out.
func TestOpeningAmidTraffic(t *testing.T) {
	l := livetest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	sent := make(chan bool)
	go func() {
		defer close(sent)
		for ctx.Err() == nil {
			l.Send(t, numbered(89, 0, 4))
		}
	}()
	defer func() { cancel(); <-sent }()
	for range 10 {
		s := begin(t, Config{Interfaces: []string{l.Name}, UDP: []uint16{88}})
		s.Stop()
		if n := rest(t, s); n != 0 {
			t.Errorf("%d packets nobody asked for", n)
		}
		s.Close()
	}
}

// TestInterfaceGoesAndComes: down, up, deleted and made anew; the other
// interface is captured all the time, and time goes on.
func TestInterfaceGoesAndComes(t *testing.T) {
	l, other := livetest.New(t), livetest.New(t)
	s := begin(t, Config{Interfaces: []string{l.Name, other.Name}, UDP: []uint16{88}})
	packets, ticks := reading(s)
	arrives := func(want int) {
		t.Helper()
		select {
		case got := <-packets:
			if got != want {
				t.Fatalf("packet %d came when %d was due", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("packet %d did not come: %+v", want, s.State())
		}
	}
	problem := func() string { return s.State()[0].Problem }

	l.Send(t, numbered(88, 1, 4))
	livetest.Run(t, "ip", "link", "set", l.Name, "down") // with the packet in a block that is open
	arrives(1)
	until(t, "a problem", func() bool { return strings.Contains(problem(), l.Name) })
	other.Send(t, numbered(88, 2, 4))
	arrives(2)
	<-ticks // from before
	if at, then := <-ticks, now(); at > then {
		t.Errorf("a tick of the future")
	}

	livetest.Run(t, "ip", "link", "set", l.Name, "up")
	until(t, "the interface to be captured again", func() bool { return problem() == "" })
	l.Send(t, numbered(88, 3, 4))
	arrives(3)

	livetest.Run(t, "ip", "link", "del", l.Name)
	until(t, "a problem", func() bool { return problem() != "" })
	until(t, "its reason", func() bool { return strings.Contains(problem(), "no interface") })
	livetest.Run(t, "ip", "link", "add", l.Name, "type", "veth", "peer", "name", "again")
	livetest.Run(t, "ip", "link", "set", l.Name, "addrgenmode", "none", "up")
	livetest.Run(t, "ip", "link", "set", "again", "addrgenmode", "none", "up")
	until(t, "the interface to be captured again", func() bool { return problem() == "" })
	again, err := net.InterfaceByName("again")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Sendto(fd, numbered(88, 4, 4), 0, &syscall.SockaddrLinklayer{Ifindex: again.Index}); err != nil {
		t.Fatal(err)
	}
	arrives(4)
	if st := s.State()[0]; st.Reopened != 2 {
		t.Errorf("reopened %d times, want 2", st.Reopened)
	}
	s.Stop()
	if n, ok := <-packets; ok {
		t.Errorf("packet %d too many", n)
	}
}

// TestOpenSaysWhatIsMissing: errors name what to change.
func TestOpenSaysWhatIsMissing(t *testing.T) {
	l := livetest.New(t)
	type missing struct {
		names []string
		want  string
	}
	cases := []missing{
		{nil, "no interface named"},
		{[]string{l.Name, l.Name}, "twice"},
		{[]string{"eht0"}, `no interface "eht0"; there are: `},
		{strings.Fields(strings.Repeat("x ", MaxInterfaces+1)), "at most 8"},
	}
	if out, err := exec.Command("ip", "tuntap", "add", "mode", "tun", "tunnel0").CombinedOutput(); err != nil {
		t.Logf("without a tunnel: %v: %s", err, out)
	} else {
		defer exec.Command("ip", "link", "del", "tunnel0").Run()
		cases = append(cases, missing{[]string{l.Name, "tunnel0"}, "tunnel0 is neither Ethernet nor loopback"})
	}
	for _, c := range cases {
		s, err := Open(Config{Interfaces: c.names, UDP: []uint16{88}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want one that says %q", c.names, err, c.want)
		}
		if err == nil {
			s.Close()
		}
	}

	// One that is down is waited for.
	livetest.Run(t, "ip", "link", "set", l.Name, "down")
	s := begin(t, Config{Interfaces: []string{l.Name}, UDP: []uint16{88}})
	until(t, "a problem", func() bool { return s.State()[0].Problem != "" })
	livetest.Run(t, "ip", "link", "set", l.Name, "up")
	until(t, "the interface", func() bool { return s.State()[0].Problem == "" })
	l.Send(t, numbered(88, 0, 4))
	expect(t, s, 1)
}

// noRight names, in the environment, the interface that TestNoRight tries to
// open in a process without the capability.
const noRight = "VERDERER_NO_RIGHT"

// TestNoRight: without CAP_NET_RAW the error says what to do.
func TestNoRight(t *testing.T) {
	if name := os.Getenv(noRight); name != "" {
		_, err := Open(Config{Interfaces: []string{name}, UDP: []uint16{88}})
		fmt.Println("error:", err)
		return
	}
	l := livetest.New(t)
	if _, err := exec.LookPath("capsh"); err != nil {
		t.Skip("the program capsh (libcap2-bin) is not installed")
	}
	cmd := exec.Command("capsh", "--drop=cap_net_raw", "--", "-c", os.Args[0]+" -test.run=^TestNoRight$")
	cmd.Env = append(os.Environ(), noRight+"="+l.Name)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"CAP_NET_RAW", "setcap cap_net_raw+ep /", "AmbientCapabilities", l.Name} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the error lacks %q: %s", want, out)
		}
	}
}
