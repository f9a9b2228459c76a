package service

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soonEnough is within what service managers wait before they kill.
const soonEnough = 15 * time.Second

// stop ends a program as a service manager does.
func (p *process) stop(t testing.TB) (code int) {
	t.Helper()
	began := time.Now()
	p.signal(syscall.SIGTERM)
	code = p.wait()
	if d := time.Since(began); d > soonEnough {
		t.Errorf("it took %s to stop", d)
	}
	return code
}

// TestConfigCheck: what a person sees whose settings are good, and whose are not.
func TestConfigCheck(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "", "")
	check := func() (int, string) {
		p := start(t, program(t, "verderer"), "config", "check", "--config", c.config)
		return p.wait(), p.tail()
	}
	code, out := check()
	if code != 0 || !strings.Contains(out, "The configuration is good.") || !strings.Contains(out, c.console) || !strings.Contains(out, c.sensors) {
		t.Errorf("exit code %d\n%s", code, out)
	}
	good, err := os.ReadFile(c.config)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Count(string(good), "\n") + 1
	for _, k := range []struct{ add, says string }{
		{"detektion: {level: low}\n", fmt.Sprintf("%s:%d: there is no setting detektion.level; did you mean detection.level?", c.config, line)},
		{"log: {level: loud}\n", fmt.Sprintf("%s:%d: log.level is \"loud\": not one of them; allowed: debug, info, warn, error", c.config, line)},
		{"disk: {min_free: much}\n", fmt.Sprintf("%s:%d: disk.min_free is \"much\": not a size, such as 512MiB or 8GiB; allowed: a size from 0 to 16TiB", c.config, line)},
		{"log: [\n", "verderer: reading settings " + c.config},
	} {
		if err := os.WriteFile(c.config, append(slices.Clone(good), k.add...), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out := check(); code != 2 || !strings.Contains(out, k.says) {
			t.Errorf("%q: exit code %d\n%s\nwant 2 and: %s", k.add, code, out, k.says)
		}
		// With such settings it does not start, for the same reason.
		p := start(t, program(t, "verderer"), "serve", "--config", c.config)
		if code := p.wait(); code != 2 || !p.says(k.says) {
			t.Errorf("%q: serve: exit code %d\n%s", k.add, code, p.tail())
		}
	}
	if left, err := os.ReadDir(filepath.Join(c.dir, "data")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("checking made a data folder: %v %v", left, err)
	}
}

// TestSecondCenter: two centers in one folder, or on one port, do each other no
// harm.
func TestSecondCenter(t *testing.T) {
	t.Parallel()
	c, other := newCenter(t, "", ""), newCenter(t, "", "")
	c.start()
	p := start(t, program(t, "verderer"), "serve", "--config", c.config)
	if code := p.wait(); code != 1 || !p.says("verderer: locking the data folder "+filepath.Join(c.dir, "data")+": another center uses it") {
		t.Errorf("in the same folder: exit code %d\n%s", code, p.tail())
	}
	text, err := os.ReadFile(other.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct{ what, mine, taken, says string }{
		{"console", other.console, c.console, "verderer: listening for the console: listen tcp "},
		{"sensors", other.sensors, c.sensors, "verderer: listening for sensors on "},
		{"metrics", other.metrics, c.metrics, "verderer: listening for metrics: listen tcp "},
	} {
		mine, taken := k.mine[strings.LastIndex(k.mine, ":"):], k.taken[strings.LastIndex(k.taken, ":"):]
		if err := os.WriteFile(other.config, []byte(strings.ReplaceAll(string(text), mine, taken)), 0o600); err != nil {
			t.Fatal(err)
		}
		p := start(t, program(t, "verderer"), "serve", "--config", other.config)
		if code := p.wait(); code != 1 || !p.says(k.says, "127.0.0.1"+taken, "address already in use") {
			t.Errorf("the port of %s: exit code %d\n%s", k.what, code, p.tail())
		}
	}
	if status, word := c.healthz(c.console); status != http.StatusOK {
		t.Errorf("the first one: %d %s", status, word)
	}
	// And what was begun in the other folder is no obstacle.
	if err := os.WriteFile(other.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	other.start()
}

// TestHealthzFromTheStart asks all the time while a center starts and stops: it
// is not said to be well before it is, nor after.
func TestHealthzFromTheStart(t *testing.T) {
	t.Parallel()
	c := newCenter(t, "", "")
	c.start() // so that there is a certificate to trust
	c.http()
	if code := c.process.stop(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	c.process = start(t, program(t, "verderer"), "serve", "--config", c.config)
	for _, port := range []string{c.console, c.metrics} {
		within(t, port+" says ok", func() bool {
			switch status, word := c.healthz(port); {
			case status == 0, status == http.StatusServiceUnavailable && word == "starting":
				return false
			case status != http.StatusOK || word != "ok":
				t.Fatalf("while it starts: %d %s", status, word)
			}
			return true
		})
	}
	if !c.process.says("msg=ready") {
		t.Error("it says ok before it is ready")
	}
	if code := c.process.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, c.process.tail())
	}
	for _, port := range []string{c.console, c.metrics} {
		if status, word := c.healthz(port); status != 0 {
			t.Errorf("%s when it has ended: %d %s", port, status, word)
		}
	}
}

// TestStoppedAndStarted stops a center that works, with somebody looking and a
// sensor sending, and starts it on what it kept.
func TestStoppedAndStarted(t *testing.T) {
	t.Parallel()
	p := pace(t, 8*time.Second)
	c, _ := slow(t)
	e := c.enroll("--files", "--name", "steady")
	s := e.start(p.args()...)
	within(t, "the first alert", func() bool { return len(c.alerts()) > 0 })
	var page struct{ Alerts []struct{ ID string } }
	c.must("GET", "alerts?limit=1", nil, &page)
	closed := page.Alerts[0].ID
	c.must("POST", "alerts/"+closed+"/close", map[string]string{"comment": "looked at"}, nil)
	stream, err := c.http().Get(c.console + "/api/v1/events")
	if err != nil || stream.StatusCode != http.StatusOK {
		t.Fatal(err, stream)
	}
	defer stream.Body.Close()

	if code := c.process.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, c.process.tail())
	}
	for r := bufio.NewReader(stream.Body); ; {
		if _, err := r.ReadString('\n'); err != nil {
			break // the stream has ended with the center
		}
	}
	snapshots, err := filepath.Glob(filepath.Join(c.dir, "data", "snapshots", "*"))
	if err != nil || len(snapshots) == 0 {
		t.Errorf("no snapshot was left: %v", err)
	}
	if !s.running() {
		t.Fatal("the sensor had sent everything")
	}
	first := c.setup
	c.setup = ""
	c.start()
	if c.setup != "" {
		t.Errorf("it offers a set-up link again: %s, first %s", c.setup, first)
	}
	if code := s.wait(); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, s.tail())
	}
	within(t, "the sensor's last word", func() bool { return c.sensorOf(e.id()).State == "done" })
	// Still logged in; and a closed alert stays closed.
	var detail struct {
		Alert   struct{ Status string }
		History []struct{ Comment string }
	}
	c.must("GET", "alerts/"+closed, nil, &detail)
	if detail.Alert.Status != "closed" {
		t.Errorf("the alert that was closed: %+v", detail)
	}
	c.must("POST", "alerts/"+closed+"/reopen", map[string]string{"comment": "after all"}, nil)
	want := offline(t, p.inputs)
	within(t, "as many alerts as analyze finds", func() bool { return len(c.alerts()) >= len(want) })
	// Once more on the same folder, with nothing to do: the same.
	all := c.alerts()
	if code := c.process.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	c.start()
	c.shows(all)
	if l := c.sensorOf(e.id()); l.Name != "steady" || l.State != "done" {
		t.Errorf("the sensor is shown as %+v", l)
	}
}

// TestSensorStopped stops a sensor in the middle of its files: the next run goes
// on where it stopped.
func TestSensorStopped(t *testing.T) {
	t.Parallel()
	p := pace(t, 6*time.Second)
	c, _ := slow(t)
	e := c.enroll("--files")
	s := e.start(p.args()...)
	c.more(3)
	if code := s.stop(t); code != 1 || !s.says("verderer-sensor: told to stop before everything was read and sent; run it again to go on") {
		t.Errorf("exit code %d\n%s", code, s.tail())
	}
	if s.says("Everything was read") {
		t.Fatal("it was stopped too late for this test")
	}
	code, out := e.run(p.args()...)
	if code != 0 || !strings.Contains(out, "An interrupted replay goes on.") {
		t.Errorf("the second run: exit code %d\n%s", code, out)
	}
	if n := c.became("repeated"); n > 1 { // the one whose answer it did not wait for
		t.Errorf("%d batches were sent again", n)
	}
	c.shows(offline(t, p.inputs))
}
