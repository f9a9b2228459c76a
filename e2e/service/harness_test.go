// Package service tests the running product from outside: the built center and
// sensor as processes, over real sockets and disks, killed and cut off.
package service

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/alert"
)

// bin is where TestMain's caller finds the programs, built on first use.
var bin struct {
	dir  string
	once sync.Once
	err  error
}

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		f.Value.Set("6") // unless told otherwise: most of the time these tests wait
	}
	dir, err := os.MkdirTemp("", "verderer-service")
	if err != nil {
		panic(err)
	}
	bin.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// program builds both programs as a release does, once for all tests.
func program(t testing.TB, name string) string {
	t.Helper()
	bin.once.Do(func() {
		cmd := exec.Command("go", "build", "-trimpath", "-o", bin.dir, "../../cmd/verderer", "../../cmd/verderer-sensor")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			bin.err = fmt.Errorf("building the programs: %w\n%s", err, out)
		}
	})
	if bin.err != nil {
		t.Fatal(bin.err)
	}
	return filepath.Join(bin.dir, name)
}

// within polls until ok, for a minute at most: nothing here depends on how fast
// the machine is.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a minute later still not: %s", what)
		}
	}
}

// ports holds the ports given out, so that tests that run at once get different
// ones.
var ports struct {
	sync.Mutex
	given map[string]bool
}

// port finds one that is free, below those that the system takes for outgoing
// connections: a center that is down must find it free when it comes back.
func port(t testing.TB) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		p := strconv.Itoa(10_000 + rand.IntN(20_000))
		l, err := net.Listen("tcp", "127.0.0.1:"+p)
		if err != nil || ports.given[p] {
			continue
		}
		l.Close()
		if ports.given == nil {
			ports.given = make(map[string]bool)
		}
		ports.given[p] = true
		return p
	}
	t.Fatal("no port is free")
	return ""
}

// center is a center in a folder of its own, with its process when it runs.
type center struct {
	t       testing.TB
	dir     string
	console string // URL
	sensors string // host:port that it listens on for sensors
	metrics string // URL of its figures and of /healthz without TLS
	config  string // path
	setup   string // the set-up link it printed at its first start
	client  *http.Client
	process *process
}

const password = "correct horse battery staple"

// newCenter writes a configuration; more is YAML to add to it. advertised is
// the sensor address that sensors are told, "" the one it listens on.
func newCenter(t testing.TB, advertised, more string) *center {
	t.Helper()
	c := &center{t: t, dir: t.TempDir()}
	c.console, c.sensors, c.metrics = "https://127.0.0.1:"+port(t), "127.0.0.1:"+port(t), "http://127.0.0.1:"+port(t)
	if advertised == "" {
		advertised = c.sensors
	}
	c.config = filepath.Join(c.dir, "verderer.yaml")
	text := fmt.Sprintf("data: %s\nnames: [127.0.0.1]\nconsole: {listen: %q}\nsensors: {listen: %q, address: %q}\nmetrics: {listen: %q}\ndetection: {level: low}\n%s\n",
		filepath.Join(c.dir, "data"), strings.TrimPrefix(c.console, "https://"), c.sensors, advertised, strings.TrimPrefix(c.metrics, "http://"), more)
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() && c.process != nil {
			t.Logf("the center said:\n%s", c.process.tail())
		}
	})
	return c
}

// start runs the center until it is ready.
func (c *center) start() {
	c.t.Helper()
	c.process = start(c.t, program(c.t, "verderer"), "serve", "--config", c.config)
	within(c.t, "the center is ready", func() bool {
		if !c.process.running() {
			c.t.Fatalf("the center ended:\n%s", c.process.tail())
		}
		res, err := c.http().Get(c.console + "/healthz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	for _, line := range strings.Split(c.process.tail(), "\n") {
		if i := strings.Index(line, "https://"); i >= 0 && strings.Contains(line, "/setup#") {
			c.setup = strings.TrimSpace(line[i:])
		}
	}
}

// http is a client that trusts the center's own authority alone.
func (c *center) http() *http.Client {
	if c.client != nil {
		return c.client
	}
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(c.dir, "data", "pki", "ca.crt"))
	if err != nil || !pool.AppendCertsFromPEM(ca) {
		return &http.Client{Timeout: time.Second} // not there yet: it fails, and is asked again
	}
	if b, _ := pem.Decode(ca); b == nil {
		c.t.Fatal("the center's authority is not PEM")
	}
	jar, _ := cookiejar.New(nil)
	c.client = &http.Client{Jar: jar, Timeout: 30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	return c.client
}

// kill ends the center as a power cut would.
func (c *center) kill() {
	if c.process != nil {
		c.process.signal(syscall.SIGKILL)
	}
}

// call sends a request to the API and decodes the answer into out.
func (c *center) call(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, c.console+"/api/v1/"+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := c.http().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

func (c *center) must(method, path string, in, out any) {
	c.t.Helper()
	if err := c.call(method, path, in, out); err != nil {
		c.t.Fatal(err)
	}
}

// login makes the first account with the set-up link, and logs in.
func (c *center) login() {
	c.t.Helper()
	_, token, ok := strings.Cut(c.setup, "#")
	if !ok {
		c.t.Fatalf("the center printed no set-up link:\n%s", c.process.tail())
	}
	c.must("POST", "setup", map[string]string{"token": token, "name": "admin", "password": password}, nil)
	c.again()
}

// again logs in to the account that login made.
func (c *center) again() {
	c.t.Helper()
	c.must("POST", "session", map[string]string{"name": "admin", "password": password}, nil)
}

// alerts asks for every alert, whole, and returns them as analyze prints them.
func (c *center) alerts() []string {
	c.t.Helper()
	var ids []string
	for cursor := ""; ; {
		var page struct {
			Alerts []struct{ ID string }
			Next   string
		}
		c.must("GET", "alerts?limit=200&before="+cursor, nil, &page)
		for _, a := range page.Alerts {
			ids = append(ids, a.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	var all []string
	for _, id := range ids {
		var detail struct{ Alert json.RawMessage }
		c.must("GET", "alerts/"+id, nil, &detail)
		all = append(all, line(c.t, detail.Alert))
	}
	slices.Sort(all)
	return all
}

// line is an alert in one spelling, for comparing.
func line(t testing.TB, raw []byte) string {
	t.Helper()
	var a alert.Alert
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("reading alert %s: %v", raw, err)
	}
	b, err := json.Marshal(&a)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// offline is what analyze makes of the inputs.
func offline(t testing.TB, inputs []string) []string {
	t.Helper()
	res, err := analyze.Run(context.Background(), analyze.Options{Inputs: inputs})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range res.Alerts {
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line(t, b))
	}
	slices.Sort(all)
	if len(all) == 0 {
		t.Fatal("analyze finds nothing in these inputs, so this test could not fail")
	}
	return all
}

// recordings are the bundled captures and event logs, attacks and quiet twins.
func recordings(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"capture.pcap", "events.json"} {
		found, err := filepath.Glob("../../center/detect/*/testdata/*/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return strings.Contains(s, "/template/") })
	if len(all) < 30 {
		t.Fatalf("only %d recordings found", len(all))
	}
	slices.Sort(all)
	return all
}

// sensor is an enrolled sensor in a folder of its own.
type sensor struct {
	t     testing.TB
	state string
}

// accessKey makes one with the center's own command.
func (c *center) accessKey(args ...string) string {
	c.t.Helper()
	cmd := exec.Command(program(c.t, "verderer"), append([]string{"access-key", "new", "--config", c.config}, args...)...)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("making an access key: %v\n%s", err, out)
	}
	for _, f := range strings.Fields(string(out)) {
		if strings.HasPrefix(f, "vk1-") {
			return f
		}
	}
	c.t.Fatalf("no access key in: %s", out)
	return ""
}

// enroll makes a sensor known to the center.
func (c *center) enroll(args ...string) *sensor {
	c.t.Helper()
	s := &sensor{t: c.t, state: c.t.TempDir()}
	if code, out := s.run(append([]string{"enroll", "--center", c.console, "--key", c.accessKey()}, args...)...); code != 0 {
		c.t.Fatalf("enrolling: exit code %d\n%s", code, out)
	}
	return s
}

// run runs the sensor program to its end.
func (s *sensor) run(args ...string) (code int, output string) {
	s.t.Helper()
	p := s.start(args...)
	return p.wait(), p.tail()
}

func (s *sensor) start(args ...string) *process {
	s.t.Helper()
	return start(s.t, program(s.t, "verderer-sensor"), append([]string{args[0], "--state", s.state}, args[1:]...)...)
}

// environment is ours without what directs these tests: the programs read
// settings from variables of such names, and refuse those they do not know.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "VERDERER_") })
}

// process is a program under test with what it said.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	mu   sync.Mutex
	said []string
}

// start starts a program and kills it when the test ends.
func start(t testing.TB, path string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Env = environment()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(r); s.Scan(); {
			p.mu.Lock()
			if p.said = append(p.said, s.Text()); len(p.said) > 400 {
				p.said = slices.Delete(p.said, 200, 300) // keep how it began and how it ended
			}
			p.mu.Unlock()
		}
	}()
	go func() {
		p.cmd.Wait()
		<-read
		close(p.done)
	}()
	t.Cleanup(func() { p.signal(syscall.SIGKILL) })
	return p
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends a signal; after SIGKILL it waits for the end.
func (p *process) signal(s syscall.Signal) {
	p.cmd.Process.Signal(s)
	if s == syscall.SIGKILL {
		<-p.done
	}
}

// wait waits for the end and returns the exit code; -1 when a signal ended it, or
// when it still runs after five minutes.
func (p *process) wait() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(5 * time.Minute):
		return -1
	}
}

// says tells whether its output has all the parts so far.
func (p *process) says(parts ...string) bool {
	out := p.tail()
	return !slices.ContainsFunc(parts, func(s string) bool { return !strings.Contains(out, s) })
}

func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.said, "\n")
}
