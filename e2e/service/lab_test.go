package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/center/detect/all"
)

// soon is how long after its last packet an attack's alert may take. It is a
// promise of the product, so that it is asserted, in a target of its own.
const soon = 5 * time.Second

// TestLab runs the sensor on a real domain controller and plays each scenario
// that a detection exists for, and every benign one (make lab-test).
func TestLab(t *testing.T) {
	program := os.Getenv("VERDERER_LAB")
	if program == "" {
		t.Skip("no lab: make lab-test sets VERDERER_LAB to its program")
	}
	if os.Geteuid() != 0 {
		t.Skip("the lab needs root, for network namespaces")
	}
	l := &lab{t: t, program: program, dir: filepath.Join(t.TempDir(), "lab")}
	l.up()
	c := l.center()
	l.sensor(c)
	for _, s := range l.scenarios() {
		if pattern := os.Getenv("VERDERER_LAB_ONLY"); pattern != "" && !regexp.MustCompile(pattern).MatchString(s) {
			continue
		}
		t.Run(s, func(t *testing.T) { l.play(t, c, s) })
	}
}

type lab struct {
	t       *testing.T
	program string
	dir     string
	prefix  string // of its network namespaces
}

func (l *lab) command(args ...string) string {
	l.t.Helper()
	out, err := exec.Command(l.program, args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("lab %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The management network between this machine and the domain controller: what
// the sensor sends is not on the interface that it watches.
const (
	manager = "10.99.77.1"
	managed = "10.99.77.2"
)

func (l *lab) up() {
	l.t.Helper()
	os.Setenv("LAB_ID", fmt.Sprint("v", os.Getpid()%1000))
	l.command("up", l.dir)
	l.t.Cleanup(func() { exec.Command(l.program, "down", l.dir, "--purge").Run() })
	env, err := os.ReadFile(filepath.Join(l.dir, "lab.env"))
	if err != nil {
		l.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)LAB_PREFIX=['"]?([^'"\s]+)`).FindSubmatch(env)
	if m == nil {
		l.t.Fatalf("no LAB_PREFIX in lab.env:\n%s", env)
	}
	l.prefix = string(m[1])
	for _, c := range []string{
		"link add verd-lab type veth peer name mgmt netns " + l.prefix + "dc1",
		"addr add " + manager + "/30 dev verd-lab",
		"link set verd-lab up",
		"-n " + l.prefix + "dc1 addr add " + managed + "/30 dev mgmt",
		"-n " + l.prefix + "dc1 link set mgmt up",
	} {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			l.t.Fatalf("ip %s: %v\n%s", c, err, out)
		}
	}
	l.t.Cleanup(func() { exec.Command("ip", "link", "del", "verd-lab").Run() })
}

// center starts one on the management network.
func (l *lab) center() *center {
	l.t.Helper()
	c := newCenter(l.t, "", "")
	text, err := os.ReadFile(c.config)
	if err != nil {
		l.t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("127.0.0.1"), []byte(manager))
	if err := os.WriteFile(c.config, text, 0o600); err != nil {
		l.t.Fatal(err)
	}
	c.console = strings.Replace(c.console, "127.0.0.1", manager, 1)
	c.start()
	c.login()
	return c
}

// sensor enrolls and runs one in the domain controller's namespace.
func (l *lab) sensor(c *center) {
	l.t.Helper()
	state := l.t.TempDir()
	inside := func(args ...string) []string {
		return append([]string{"netns", "exec", l.prefix + "dc1", program(l.t, "verderer-sensor")}, args...)
	}
	e := start(l.t, "ip", inside("enroll", "--state", state, "--center", c.console, "--key", c.accessKey(), "--name", "dc1")...)
	if e.wait() != 0 {
		l.t.Fatalf("enrolling:\n%s", e.tail())
	}
	p := start(l.t, "ip", inside("run", "--state", state, "--interface", "eth0")...)
	within(l.t, "the sensor works", func() bool {
		if !p.running() {
			l.t.Fatalf("the sensor ended:\n%s", p.tail())
		}
		var list struct{ Sensors []struct{ State string } }
		c.must("GET", "sensors", nil, &list)
		return len(list.Sensors) == 1 && list.Sensors[0].State == "working"
	})
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.t.Logf("the sensor said:\n%s", p.tail())
		}
	})
}

// scenarios lists the benign ones, and the attacks that a detection exists for.
func (l *lab) scenarios() []string {
	l.t.Helper()
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(l.command("list")), "\n") {
		name := strings.Fields(line)[0]
		script, err := os.ReadFile(filepath.Join(filepath.Dir(l.program), "scenarios", name+".sh"))
		if err != nil {
			l.t.Fatal(err)
		}
		expected := regexp.MustCompile(`(?m)^#: *detect: *(.*)$`).FindSubmatch(script)
		attack := strings.HasPrefix(name, "attack-")
		switch {
		case !attack, expected != nil && len(known(strings.FieldsFunc(string(expected[1]), func(r rune) bool { return r == ',' || r == ' ' }))) > 0:
			names = append(names, name)
		}
	}
	if len(names) < 10 {
		l.t.Fatalf("only %d scenarios in the lab", len(names))
	}
	return names
}

// known picks the detections that exist.
func known(ids []string) []string {
	var have []string
	for _, d := range all.Definitions {
		if slices.Contains(ids, d.ID) {
			have = append(have, d.ID)
		}
	}
	return have
}

type raised struct {
	ID, Detection, Summary string
	End, Raised            time.Time
}

func (c *center) open(t testing.TB) []raised {
	t.Helper()
	var page struct{ Alerts []raised }
	if err := c.call("GET", "alerts?status=open&limit=200", nil, &page); err != nil {
		t.Fatal(err)
	}
	return page.Alerts
}

// play runs one scenario. Alerts are closed afterwards, so that the next one
// must open its own.
func (l *lab) play(t *testing.T, c *center, scenario string) {
	out := filepath.Join(t.TempDir(), scenario+".pcap")
	log, err := exec.Command(l.program, "run", scenario, l.dir, out).CombinedOutput()
	if err != nil {
		t.Logf("the scenario ended with %v:\n%s", err, log)
	}
	b, err := os.ReadFile(strings.TrimSuffix(out, ".pcap") + ".labels.json")
	if err != nil {
		t.Fatal(err)
	}
	var labels struct {
		Kind     string
		Expected []string `json:"expected_detections"`
	}
	if err := json.Unmarshal(b, &labels); err != nil {
		t.Fatal(err)
	}
	time.Sleep(soon)
	alerts := c.open(t)
	for _, want := range known(labels.Expected) {
		i := slices.IndexFunc(alerts, func(a raised) bool { return a.Detection == want })
		if i < 0 {
			t.Errorf("no alert of %s %s after the last packet", want, soon)
			continue
		}
		a := alerts[i]
		late := a.Raised.Sub(a.End)
		t.Logf("%s, stored %.1f s after its last act as of now: %s", want, late.Seconds(), a.Summary)
		if late > soon {
			t.Errorf("%s came %s after its last act", want, late)
		}
	}
	for _, a := range alerts {
		if labels.Kind == "benign" {
			t.Errorf("an alert for what is benign: %s: %s", a.Detection, a.Summary)
		}
		if err := c.call("POST", "alerts/"+a.ID+"/close", map[string]string{"comment": "played by " + scenario}, nil); err != nil {
			t.Error(err)
		}
	}
}
