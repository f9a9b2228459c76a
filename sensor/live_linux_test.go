package sensor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/bpf"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/capture/live"
	"github.com/verderer/verderer/sensor/capture/live/livetest"
	"github.com/verderer/verderer/sensor/decode/all"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func TestMain(m *testing.M) { livetest.Main(m) }

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// sensing is a live sensor that runs.
type sensing struct {
	stop context.CancelFunc
	done chan error

	mu         sync.Mutex
	activities []*activity.Activity
	progress   []activity.Time
	report     sensor.LiveReport
}

// start runs a live sensor until the test ends, and waits for its first word:
// it captures then.
func start(t testing.TB, cfg live.Config) *sensing {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &sensing{stop: cancel, done: make(chan error, 1)}
	go func() {
		s.done <- sensor.Live(ctx, sensor.LiveConfig{Set: all.Set, Capture: cfg, SiteKey: decodetest.SiteKey, Report: func(r sensor.LiveReport) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.report = r
		}}, s.emit)
	}()
	t.Cleanup(cancel)
	s.wait(t, "the first progress", func() bool { return len(s.progress) > 0 })
	return s
}

func (s *sensing) emit(e wire.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Activity == nil {
		s.progress = append(s.progress, e.Progress)
		return nil
	}
	if n := len(s.progress); n > 0 && e.Activity.Time <= s.progress[n-1] {
		return fmt.Errorf("an activity of %v after progress %v", e.Activity.Time, s.progress[n-1])
	}
	s.activities = append(s.activities, e.Activity)
	return nil
}

// wait waits until ok, which is called with the lock held.
func (s *sensing) wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		yes := ok()
		s.mu.Unlock()
		if yes {
			return
		}
		select {
		case err := <-s.done:
			t.Fatalf("waiting for %s: the sensor ended: %v", what, err)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s: %d activities, %+v", what, len(s.activities), s.report)
		}
	}
}

// end stops the sensor and returns once it has stated everything.
func (s *sensing) end(t testing.TB) {
	t.Helper()
	s.stop()
	if err := <-s.done; err != nil {
		t.Fatal(err)
	}
}

// facts is what of activities does not depend on when they were recorded.
func facts(list []*activity.Activity) []string {
	var out []string
	for _, a := range list {
		out = append(out, fmt.Sprintf("%s %s %s %s:%d > %s:%d %s\\%s %s %q", a.Kind, a.Protocol, a.Transport,
			a.Source.Addr, a.Source.Port, a.Target.Addr, a.Target.Port, a.Account.Domain, a.Account.Name, a.Outcome, a.Error))
	}
	slices.Sort(out)
	return out
}

// packets reads a capture.
func packets(t testing.TB, path string) (out []capture.Chunk) {
	t.Helper()
	src, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	packets := capture.Sort(src)
	for {
		var c capture.Chunk
		var d *capture.Damage
		switch err := packets.Next(&c); {
		case errors.Is(err, io.EOF):
			return out
		case errors.As(err, &d):
			continue
		case err != nil:
			t.Fatal(err)
		}
		if c.Event == nil {
			c.Data = slices.Clone(c.Data)
			out = append(out, c)
		}
	}
}

// decoded runs packets through a pipeline as a file's.
func decoded(t testing.TB, list []capture.Chunk) (out []*activity.Activity) {
	t.Helper()
	p, err := sensor.New(all.Set, decodetest.SiteKey, new(counter.Set), func(a *activity.Activity) { out = append(out, a) })
	if err != nil {
		t.Fatal(err)
	}
	var last activity.Time
	for i := range list {
		last = max(last, list[i].Time)
		p.Packet(&list[i])
	}
	p.Flush(last)
	return out
}

// servers are the addresses that activities say were asked over TCP, as an
// administrator would know them, and the ports below the dynamic ones on which
// RPC was found there, which he would have to list.
func servers(list []*activity.Activity) (addrs []netip.Addr, fixed []uint16) {
	for _, a := range list {
		if a.Transport != activity.TCP {
			continue
		}
		addrs = append(addrs, a.Target.Addr)
		if p := a.Target.Port; p >= 1024 && p < 49152 {
			fixed = append(fixed, p)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	slices.Sort(fixed)
	return slices.Compact(addrs), slices.Compact(fixed)
}

// TestLiveAsFromFile sends recordings of attacks over a wire: the live sensor
// states the facts that reading the files gives.
func TestLiveAsFromFile(t *testing.T) {
	for _, path := range []string{
		"../center/detect/dcsync/testdata/kerberos-dcsync/capture.pcap",
		"decode/all/testdata/*.pcap",
		"decode/ldap/testdata/*.pcap",
	} {
		files, _ := filepath.Glob(path)
		if len(files) == 0 {
			t.Errorf("no recording %s", path)
		}
		for _, file := range files {
			t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
				list := packets(t, file)
				if list[0].Link != capture.LinkEthernet {
					t.Skip("not of an Ethernet")
				}
				expected := decoded(t, list)
				dcs, _ := servers(expected)
				l := livetest.New(t)
				s := start(t, live.Config{Interfaces: []string{l.Name}, Servers: dcs})
				for i := range list {
					l.Send(t, list[i].Data)
				}
				s.end(t)
				want, got := facts(expected), facts(s.activities)
				if !slices.Equal(want, got) {
					t.Errorf("live:\n%s\nfrom the file:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				if len(want) == 0 {
					t.Error("nothing to compare")
				}
				t.Logf("%d packets, %d read, %d activities", len(list), s.report.Packets, len(got))
			})
		}
	}
}

// TestLiveConversations asks a name server over UDP and TCP, for real.
func TestLiveConversations(t *testing.T) {
	l := livetest.New(t)
	s := start(t, live.Config{Interfaces: []string{l.Name}})
	udp, err := net.ListenPacket("udp", l.Here.String()+":53")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.Listen("tcp", l.Here.String()+":53")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	answer := func(q []byte) []byte { // NXDOMAIN
		a := slices.Clone(q)
		a[2], a[3] = 0x84, 3
		return a
	}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			udp.WriteTo(answer(b[:n]), from)
		}
	}()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 1500)
			if n, err := c.Read(b); err == nil {
				c.Write(append(b[:2:2], answer(b[2:n])...))
			}
			c.Close()
		}
	}()
	question := append([]byte{0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3}, "dc1\x07example\x00\x00\x01\x00\x01"...)
	for _, network := range []string{"udp", "tcp"} {
		c := l.Dial(t, network, l.Here.String()+":53")
		q := question
		if network == "tcp" {
			q = append([]byte{0, byte(len(q))}, q...)
		}
		if _, err := c.Write(q); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1500)); n == 0 {
			t.Fatal(err)
		}
		c.Close()
	}
	// They come while the wire is silent: nothing pushes them out but ticks.
	s.wait(t, "two activities", func() bool { return len(s.activities) == 2 })
	s.wait(t, "progress past them", func() bool { return s.progress[len(s.progress)-1] > s.activities[1].Time })
	s.end(t)
	for i, transport := range []activity.Transport{activity.UDP, activity.TCP} {
		a := s.activities[i]
		if a.Kind != activity.DNSQuery || a.Transport != transport || a.Outcome != activity.Failure || a.DNS.Question != "dc1.example" ||
			a.Source.Addr != l.Far || a.Target.Addr != l.Here || a.Target.Port != 53 || a.Origin != nil {
			t.Errorf("activity %d: %+v", i, a)
		}
	}
}

// TestLiveCheck: a mirror that copies one direction only is found out.
func TestLiveCheck(t *testing.T) {
	list := packets(t, "../center/detect/dcsync/testdata/kerberos-dcsync/capture.pcap")
	dcs, _ := servers(decoded(t, list))
	absent := netip.MustParseAddr("192.0.2.99")
	tcp, udp := sensor.Ports(all.Set)
	for _, both := range []bool{true, false} {
		l := livetest.New(t)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		reports, failed := make(chan *live.Report, 1), make(chan error, 1)
		go func() {
			r, err := live.Check(ctx, live.Config{Interfaces: []string{l.Name}, TCP: tcp, UDP: udp, Servers: append(dcs, absent)})
			failed <- err
			reports <- r
		}()
		// It cannot be seen when it captures: send until it has heard enough.
		time.AfterFunc(time.Second, cancel)
		for ctx.Err() == nil {
			for _, c := range list {
				from := netip.AddrFrom4([4]byte(c.Data[26:]))
				if both || !slices.Contains(dcs, from) {
					l.Send(t, c.Data)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		r := <-reports
		found := 0
		for _, s := range r.Servers {
			missing, oneSided := s.OneSided()
			t.Logf("both %v: %+v %v %v", both, s, missing, oneSided)
			if s.Addr == absent {
				if s.To+s.From != 0 || !s.Configured {
					t.Errorf("%+v", s)
				}
				continue
			}
			found++
			if oneSided == both || oneSided && missing != "from" || len(s.Ports) < 2 {
				t.Errorf("both directions %v: %+v", both, s)
			}
		}
		if found != len(dcs) || r.Packets == 0 || r.Seconds == 0 {
			t.Errorf("%d of %d servers found: %+v", found, len(dcs), r)
		}
	}
}

// TestFilterChangesNothing: what the kernel would drop of real captures changes
// no activity, given who the domain controllers are.
func TestFilterChangesNothing(t *testing.T) {
	tcp, udp := sensor.Ports(all.Set)
	for _, path := range decodetest.Corpus(t, 1) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			list := packets(t, path)
			activities := decoded(t, list)
			dcs, fixed := servers(activities)
			f := live.Filter{TCP: append(fixed, tcp...), UDP: udp, Servers: dcs}
			ins, err := f.Compile(false)
			if err != nil {
				t.Fatal(err)
			}
			vm, err := bpf.NewVM(ins)
			if err != nil {
				t.Fatal(err)
			}
			want := decodetest.Lines(t, activities)
			dropped := 0
			for i := range list {
				if list[i].Link != capture.LinkEthernet {
					continue
				}
				if n, err := vm.Run(list[i].Data); err != nil {
					t.Fatal(err)
				} else if n == 0 {
					dropped++
					list[i] = capture.Chunk{Time: list[i].Time, Tick: true} // time goes on
				}
			}
			if got := decodetest.Lines(t, decoded(t, list)); string(got) != string(want) {
				t.Errorf("without %d of %d packets, servers %v:\n%s\nwith them:\n%s", dropped, len(list), dcs, got, want)
			}
			t.Logf("%d of %d packets dropped, %d bytes of activities", dropped, len(list), len(want))
		})
	}
}

// BenchmarkLive is packets a second from a wire to activities. Both ends work on
// this machine: what sending costs alone is the first figure, to be subtracted.
func BenchmarkLive(b *testing.B) {
	list := packets(b, "../center/detect/dcsync/testdata/kerberos-dcsync/capture.pcap")
	dcs, _ := servers(decoded(b, list))
	b.Run("nobody-listens", func(b *testing.B) {
		l := livetest.New(b)
		for i := range b.N {
			l.Send(b, list[i%len(list)].Data)
		}
	})
	b.Run("attack", func(b *testing.B) { benchmark(b, dcs, list) })
	web := list[0]
	web.Data = slices.Clone(web.Data)
	web.Data[36], web.Data[37] = 443>>8, 443&0xff
	b.Run("kernel-drops", func(b *testing.B) { benchmark(b, dcs, []capture.Chunk{web}) })
}

func benchmark(b *testing.B, dcs []netip.Addr, list []capture.Chunk) {
	l := livetest.New(b)
	s := start(b, live.Config{Interfaces: []string{l.Name}, Servers: dcs})
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		l.Send(b, list[i%len(list)].Data)
	}
	s.end(b)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sent/s")
	b.ReportMetric(float64(s.report.Packets)/float64(b.N), "read/sent")
	b.ReportMetric(float64(s.report.Dropped), "dropped")
	b.ReportMetric(float64(len(s.activities)), "activities")
}
