package service

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// faults is how often a fault is repeated, and how long the network is cut: five
// times and seconds, or with VERDERER_FAULTS=all (make faults) fifty and a minute.
func faults() (kills int, cut time.Duration) {
	if os.Getenv("VERDERER_FAULTS") == "all" {
		return 50, time.Minute
	}
	return 5, 3 * time.Second
}

// shows waits until the center shows exactly the alerts wanted. None of these
// inputs has a late activity, so that one shows that a sensor stated something
// twice, or out of order: alerts may well be the same then.
func (c *center) shows(want []string) {
	c.t.Helper()
	var got []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if got = c.alerts(); slices.Equal(got, want) {
			if n := c.figure("verderer_counter_total", "stage=ingest", "name=activities late"); n != 0 {
				c.t.Errorf("%.0f activities came late", n)
			}
			return
		}
	}
	c.t.Errorf("alerts differ (-analyze +center):\n%.4000s", cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")))
}

// steps is where a random choice comes from; it is printed, to do it again.
func steps(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func read(inputs []string, more ...string) []string {
	args := append([]string{"run"}, more...)
	for _, in := range inputs {
		args = append(args, "--read", in)
	}
	return args
}

// A paced replay is all recordings, one after another in time, read so slowly
// that there is time for faults.
type paced struct {
	inputs []string
	speed  string
}

// begin is just after the times that stand in the bundled event logs.
var begin = time.Date(2024, 5, 1, 12, 0, 6, 0, time.UTC)

// pace copies the captures so that each begins a second after the one before,
// and chooses a speed at which reading all takes about that long.
func pace(t testing.TB, reading time.Duration) paced {
	t.Helper()
	if testing.Short() {
		t.Skip("slow by intent")
	}
	var p paced
	dir, at := t.TempDir(), begin
	for n, path := range recordings(t) {
		if filepath.Ext(path) != ".pcap" {
			p.inputs = append(p.inputs, path)
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if binary.LittleEndian.Uint32(b) != 0xa1b2c3d4 {
			t.Fatalf("%s is no pcap with microseconds", path)
		}
		var shift time.Duration
		end := at
		for i := 24; i+16 <= len(b); i += 16 + int(binary.LittleEndian.Uint32(b[i+8:])) {
			when := time.Unix(int64(binary.LittleEndian.Uint32(b[i:])), int64(binary.LittleEndian.Uint32(b[i+4:]))*1000)
			if i == 24 {
				shift = at.Sub(when)
			}
			when = when.Add(shift)
			binary.LittleEndian.PutUint32(b[i:], uint32(when.Unix()))
			binary.LittleEndian.PutUint32(b[i+4:], uint32(when.Nanosecond()/1000))
			if when.After(end) {
				end = when
			}
		}
		at = end.Add(time.Second)
		to := filepath.Join(dir, strconv.Itoa(n)+".pcap")
		if err := os.WriteFile(to, b, 0o600); err != nil {
			t.Fatal(err)
		}
		p.inputs = append(p.inputs, to)
	}
	p.speed = strconv.FormatFloat(at.Sub(begin).Seconds()/reading.Seconds(), 'f', 3, 64)
	return p
}

func (p paced) args() []string { return read(p.inputs, "--speed", p.speed) }

// slow is a center behind a link on which a batch takes about as long as the
// sensor takes to make one.
func slow(t testing.TB) (*center, *link) {
	t.Helper()
	var c *center
	k := newLink(t, 150*time.Millisecond, func() string { return c.sensors })
	c = newCenter(t, k.addr, "")
	c.start()
	c.login()
	return c, k
}

// more waits until the center has stored n batches more than it has now.
func (c *center) more(n int) {
	c.t.Helper()
	before := c.became("stored")
	within(c.t, "more batches are stored", func() bool { return c.became("stored") >= before+n })
}

// restart kills the center in the middle of something and starts it again.
func (c *center) restart() {
	c.t.Helper()
	c.kill()
	c.start()
}

// TestSameAlerts: recordings through sensor, log and center give what analyze
// gives, ids included.
func TestSameAlerts(t *testing.T) {
	t.Parallel()
	inputs := recordings(t)
	c := newCenter(t, "", "")
	c.start()
	c.login()
	s := c.enroll("--files")
	if code, out := s.run(read(inputs)...); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	c.shows(offline(t, inputs))
	within(t, "the sensor is shown as done", func() bool { return c.sensorOf(s.id()).State == "done" })
}

// TestCenterKilled kills the center at random while recordings come in.
func TestCenterKilled(t *testing.T) {
	t.Parallel()
	kills, _ := faults()
	r, p := steps(t), pace(t, time.Duration(kills)*2*time.Second)
	c, _ := slow(t)
	s := c.enroll("--files").start(p.args()...)
	for n := range kills {
		c.more(1) // since it was started
		time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond)
		if !s.running() {
			t.Fatalf("after %d kills the sensor had sent everything\n%s", n, s.tail())
		}
		t.Logf("kill %d after %d batches", n+1, c.became("stored"))
		c.restart()
	}
	if code := s.wait(); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, s.tail())
	}
	// Every kill fell while there was more to send.
	if n := c.became("stored"); n == 0 {
		t.Error("nothing was stored after the last kill")
	} else {
		t.Logf("%d batches after the last kill", n)
	}
	c.shows(offline(t, p.inputs))
}

// TestSensorKilled kills the sensor at random: while it reads, and when it has
// read everything and still sends.
func TestSensorKilled(t *testing.T) {
	t.Parallel()
	kills, _ := faults()
	r, p := steps(t), pace(t, time.Duration(kills)*1500*time.Millisecond)
	c, k := slow(t)
	k.slow(400 * time.Millisecond) // sending takes longer than reading
	s := c.enroll("--files")
	const all = "Everything was read"
	reading, sending := 0, 0
	for n := range kills {
		o := s.start(p.args()...)
		// The last third when all is read.
		if n >= kills-kills/3-1 {
			within(t, "everything is read", func() bool { return o.says(all) || o.says("These files were sent before") })
		}
		c.more(1)
		time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond)
		if !o.running() {
			t.Fatalf("after %d kills everything was sent\n%s", n, o.tail())
		}
		if o.signal(syscall.SIGKILL); o.says(all) || o.says("These files were sent before") {
			sending++
		} else {
			reading++
		}
	}
	t.Logf("%d kills while it read, %d while it sent the rest", reading, sending)
	if reading < kills/3 || sending < kills/4 {
		t.Error("the kills did not hit both")
	}
	before := c.became("stored")
	k.slow(0)
	code, out := s.run(p.args()...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if n := c.became("stored") - before; n == 0 {
		t.Error("nothing was stored after the last kill")
	} else {
		t.Logf("%d batches after the last kill", n)
	}
	c.shows(offline(t, p.inputs))
}

// TestBothKilled kills one or the other at random.
func TestBothKilled(t *testing.T) {
	t.Parallel()
	kills, _ := faults()
	r, p := steps(t), pace(t, time.Duration(kills)*2500*time.Millisecond)
	c, _ := slow(t)
	e := c.enroll("--files")
	s := e.start(p.args()...)
	centers := 0
	for n := range kills {
		c.more(1)
		time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond)
		if !s.running() {
			t.Fatalf("after %d kills everything was sent\n%s", n, s.tail())
		}
		// Both kinds come in every run, and now and then both at once.
		kind := r.IntN(3)
		if n < 2 {
			kind = n
		}
		if kind != 0 {
			s.signal(syscall.SIGKILL)
		}
		if kind != 1 {
			c.restart()
			centers++
		}
		if kind != 0 {
			s = e.start(p.args()...)
		}
	}
	before := c.became("stored")
	if code := s.wait(); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, s.tail())
	}
	t.Logf("the center was killed %d times of %d", centers, kills)
	if c.became("stored") == before {
		t.Error("nothing was stored after the last kill")
	}
	c.shows(offline(t, p.inputs))
}

// TestNetworkCut cuts the network in the middle.
func TestNetworkCut(t *testing.T) {
	t.Parallel()
	_, cut := faults()
	p := pace(t, 5*time.Second)
	c, k := slow(t)
	e := c.enroll("--files")
	s := e.start(p.args()...)
	c.more(3)
	k.set(true)
	before := c.became("stored")
	time.Sleep(cut / 2)
	if cut > 20*time.Second { // silence is told of after 10 s
		if i, open := c.wrong("sensor-silent"); !open || i.Severity != "high" || i.Remedy == "" {
			t.Errorf("health does not say that the sensor is silent: %+v", i)
		}
	}
	time.Sleep(cut / 2)
	if !s.running() {
		t.Fatalf("the sensor did not outlive the cut:\n%s", s.tail())
	}
	if n := c.became("stored"); n > before+1 { // one may have been on its way
		t.Errorf("%d batches came through the cut", n-before)
	}
	if !s.says("Not connected to the center.") {
		t.Errorf("the sensor does not say that it is cut off:\n%s", s.tail())
	}
	before = c.became("stored")
	k.set(false)
	if code := s.wait(); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, s.tail())
	}
	if n := c.became("stored") - before; n < 3 {
		t.Errorf("%d batches after the cut", n)
	}
	if _, open := c.wrong("sensor-silent"); open {
		t.Error("health still says that the sensor is silent")
	}
	c.shows(offline(t, p.inputs))
}

// TestCenterSetBack runs the center on data of some time ago, as after a backup
// was restored: the sensor sends again what was acknowledged since.
func TestCenterSetBack(t *testing.T) {
	t.Parallel()
	p := pace(t, 6*time.Second)
	c, _ := slow(t)
	s := c.enroll("--files").start(p.args()...)
	c.more(2)
	c.process.signal(syscall.SIGTERM)
	if code := c.process.wait(); code != 0 {
		t.Fatalf("the center ended with %d", code)
	}
	data, backup := filepath.Join(c.dir, "data"), filepath.Join(c.dir, "backup")
	if out, err := exec.Command("cp", "-a", data, backup).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.start()
	c.more(4)
	if !s.running() {
		t.Fatal("the sensor had sent everything")
	}
	c.kill()
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(backup, data); err != nil {
		t.Fatal(err)
	}
	c.start()
	if code := s.wait(); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, s.tail())
	}
	if n := c.became("lost"); n != 0 {
		t.Errorf("%d batches were lost", n)
	}
	c.shows(offline(t, p.inputs))
}
