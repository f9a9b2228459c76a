package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor"
	decoders "github.com/verderer/verderer/sensor/decode/all"
	"github.com/verderer/verderer/sensor/ship"
	"github.com/verderer/verderer/sensor/ship/shiptest"
)

// runAsProgram makes the test binary the program.
const runAsProgram = "VERDERER_SENSOR_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runAsProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is the program, about to be started.
type program struct {
	*exec.Cmd
	out bytes.Buffer
}

func command(args ...string) *program {
	p := &program{Cmd: exec.Command(os.Args[0], args...)}
	p.Env = append(os.Environ(), runAsProgram+"=1")
	p.Stdout, p.Stderr = &p.out, &p.out
	return p
}

// run runs the program to its end.
func run(t testing.TB, want int, args ...string) string {
	t.Helper()
	p := command(args...)
	err := p.Run()
	if p.ProcessState == nil || p.ProcessState.ExitCode() != want {
		t.Fatalf("%v: %v, want exit code %d; it said: %s", args, err, want, p.out.String())
	}
	return p.out.String()
}

// recordings are the bundled captures of attacks.
func recordings(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../center/detect/*/testdata/*/capture.pcap")
	files = slices.DeleteFunc(files, func(f string) bool { return strings.Contains(f, "/template/") })
	if err != nil || len(files) < 20 {
		t.Fatalf("%d bundled captures found: %v", len(files), err)
	}
	return files
}

// statements are what a replay of files states, as the center decodes it.
func statements(t testing.TB, endAt activity.Time, files ...string) (list []wire.Entry) {
	t.Helper()
	r := sensor.Replay{Decoders: decoders.Set, Counters: new(counter.Set), Inputs: files, EndAt: endAt}
	err := r.Run(context.Background(), func(e wire.Entry) error {
		if e.Activity != nil {
			a, err := wire.DecodeActivity(wire.AppendActivity(nil, e.Activity))
			if err != nil {
				t.Error(err)
			}
			e.Activity = a
		}
		list = append(list, e)
		return nil
	})
	if err != nil || len(r.Damage) > 0 {
		t.Fatal(err, r.Damage)
	}
	return list
}

func same(t testing.TB, got, want []wire.Entry) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("statement %d is %+v (%+v), want %+v (%+v)", i+1, got[i], got[i].Activity, want[i], want[i].Activity)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the center has %d statements, want %d", len(got), len(want))
	}
}

func enrolled(t testing.TB, c *shiptest.Center) (state string) {
	t.Helper()
	state = filepath.Join(t.TempDir(), "state")
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(c.Key()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, exitDone, "--state", state, "enroll", "--center", c.Enrol.URL, "--key-file", key, "--name", "dc1", "--files")
	if !strings.Contains(out, "Enrolled as dc1") || strings.Contains(out, shiptest.Secret) {
		t.Errorf("it says %q", out)
	}
	return state
}

func read(state string, files []string, more ...string) []string {
	args := append([]string{"--state", state, "run"}, more...)
	for _, f := range files {
		args = append(args, "--read", f)
	}
	return args
}

func TestReadAndSend(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	state, files := enrolled(t, c), recordings(t)
	run(t, exitDone, read(state, files)...)
	want := statements(t, 0, files...)
	same(t, c.Entries(), want)
	if h := c.Hellos(); len(h) != 1 || !h[0].Files {
		t.Errorf("Hellos %+v", h)
	}
	st := c.Statuses()
	if len(st) == 0 || !st[len(st)-1].Done || st[len(st)-1].Packets == 0 || len(st[len(st)-1].Counters) == 0 || st[len(st)-1].Memory == 0 {
		t.Errorf("the last status is %+v", st)
	}
	// The same again is nothing new, unless it is asked for.
	out := run(t, exitDone, read(state, files)...)
	if same(t, c.Entries(), want); !strings.Contains(out, "sent before") {
		t.Errorf("it says %q", out)
	}
	run(t, exitDone, read(state, files, "--again")...)
	same(t, c.Entries(), append(want, want...))
	if out := run(t, exitDone, "--state", state, "check"); !strings.Contains(out, "welcomes this sensor") {
		t.Errorf("check says %q", out)
	}
	if v := c.Violations(); len(v) > 0 {
		t.Errorf("sent what no sensor may: %v", v)
	}
}

// TestKilled kills the program again and again while it reads and sends: the
// center gets what it would have got without, statement by statement.
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, shift := range map[string]bool{"as they are": false, "shifted to now": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killed(t, shift)
		})
	}
}

func killed(t *testing.T, shift bool) {
	c := shiptest.NewCenter(t)
	state, files := enrolled(t, c), recordings(t)
	before := activity.Time(time.Now().UnixNano())
	var end activity.Time
	if shift {
		end = before
	}
	// So slow that reading takes some seconds, and is killed at any place.
	seconds, more := 8.0, []string(nil) // mostly gaps between the recordings
	if shift {
		seconds, more = 3, []string{"--shift-to-now"}
	}
	more = append(more, "--speed", strconv.FormatFloat(span(statements(t, end, files...)).Seconds()/seconds, 'f', 6, 64))
	c.Set(func(c *shiptest.Center) {
		c.Batch = func(n int, _ *wire.Batch) shiptest.Fate {
			if n%3 == 0 {
				return shiptest.Cut
			}
			return shiptest.Store
		}
	})
	chance := rand.New(rand.NewPCG(1, 2))
	kills := 0
	for range 10 {
		p := command(read(state, files, more...)...)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(50+chance.IntN(600))*time.Millisecond, func() { p.Process.Kill() })
		if p.Wait() == nil {
			break // it was done before
		}
		kills++
	}
	run(t, exitDone, read(state, files, more...)...)
	if got := c.Entries(); shift {
		end = got[len(got)-1].Progress
		if end < before || end > activity.Time(time.Now().UnixNano()) {
			t.Errorf("the last packet is at %v, want the start of the first run", end)
		}
	}
	want := statements(t, end, files...)
	same(t, c.Entries(), want)
	t.Logf("killed %d times, %d statements in %d batches, %d came", kills, len(want), len(c.Stored()), c.Came())
	if kills < 3 {
		t.Errorf("killed %d times: it is too fast for this test", kills)
	}
}

// TestShiftedFilesFollowEachOther: every file as if it were read alone, a second
// after the one before.
func TestShiftedFilesFollowEachOther(t *testing.T) {
	files := recordings(t)[:4]
	const end = activity.Time(1_900_000_000_000_000_000)
	got := statements(t, end, files...)
	if last := got[len(got)-1]; last.Progress != end {
		t.Errorf("ends at %v, want %v", last.Progress, end)
	}
	shift, at := end, len(got)
	for i := len(files) - 1; i >= 0; i-- {
		alone := statements(t, 0, files[i])
		r := sensor.Replay{Decoders: decoders.Set, Counters: new(counter.Set), Inputs: files[i : i+1]}
		if err := r.Run(context.Background(), func(wire.Entry) error { return nil }); err != nil {
			t.Fatal(err)
		}
		by := shift - r.Clock
		shift -= r.Clock - r.From + activity.Time(time.Second)
		// From the end: activities as alone, but for their time and so their id.
		var want, have []*activity.Activity
		for _, e := range alone {
			if a := e.Activity; a != nil {
				moved := *a
				moved.Time += by
				if moved.Requested != 0 {
					moved.Requested += by
				}
				moved.Seal()
				want = append(want, &moved)
			}
		}
		for len(have) < len(want) && at > 0 {
			at--
			if a := got[at].Activity; a != nil {
				have = append([]*activity.Activity{a}, have...)
			}
		}
		if diff := gocmp.Diff(want, have, gocmp.AllowUnexported(activity.Activity{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: activities are not those of the file read alone: %s", files[i], diff)
		}
	}
	if err := (&sensor.Replay{Decoders: decoders.Set, Counters: new(counter.Set), Inputs: []string{"-"}, EndAt: 1}).Run(context.Background(), nil); err == nil {
		t.Error("standard input is shifted without being read before")
	}
}

// span is the packet time from the first progress to the last.
func span(list []wire.Entry) time.Duration {
	var first, last activity.Time
	for _, e := range list {
		if e.Progress != 0 {
			first, last = cmp.Or(first, e.Progress), e.Progress
		}
	}
	return last.Sub(first)
}

func TestSpeed(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	state := enrolled(t, c)
	file := recordings(t)[0]
	list := statements(t, 0, file)
	// As slow as takes a second.
	speed := span(list).Seconds()
	begun := time.Now()
	run(t, exitDone, read(state, []string{file}, "--speed", strconv.FormatFloat(speed, 'f', 6, 64))...)
	if d := time.Since(begun); d < 900*time.Millisecond {
		t.Errorf("%.1f s of packets at speed %.1f took %v", speed, speed, d)
	}
	same(t, c.Entries(), list)
}

// TestStopped stops the program as a service manager does.
func TestStopped(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	state := enrolled(t, c)
	file := recordings(t)[0]
	p := command(read(state, []string{file}, "--stay")...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	want := statements(t, 0, file)
	for end := time.Now().Add(20 * time.Second); len(c.Entries()) < len(want) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.out.String())
	}
	same(t, c.Entries(), want)
	// And while the center is away: what was not sent is sent next time.
	c.Stop()
	other := recordings(t)[1]
	p = command(read(state, []string{other})...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	p.Process.Signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitError || !strings.Contains(p.out.String(), "run it again") {
		t.Errorf("%v: %s", err, p.out.String())
	}
	c.Start()
	run(t, exitDone, read(state, []string{other})...)
	same(t, c.Entries(), append(want, statements(t, 0, other)...))
}

func TestUsage(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	config := filepath.Join(t.TempDir(), "config.yaml")
	os.WriteFile(config, []byte("interfaces: [eth0]\n"), 0o600)
	good := filepath.Join(t.TempDir(), "good.yaml")
	os.WriteFile(good, []byte("state: "+state+"\nread: [a.pcap]\n"), 0o600)
	for _, x := range []struct {
		code int
		want string
		args []string
	}{
		{exitDone, "verderer-sensor", []string{"version"}},
		{exitUsage, "--interface eth0", []string{"run"}},
		{exitUsage, "not both", []string{"run", "--interface", "eth0", "--read", "x"}},
		{exitUsage, "go with --read", []string{"run", "--interface", "eth0", "--stay"}},
		{exitUsage, "no address", []string{"run", "--interface", "eth0", "--dc", "dc1"}},
		{exitUsage, "Try", []string{"run", "--speed", "fast"}},
		{exitUsage, `no option "interfaces"`, []string{"--config", config, "run"}},
		{exitError, "enroll --center", []string{"--config", good, "run"}},
		{exitError, "enroll --center", []string{"--state", state, "run", "--interface", "eth0"}},
		{exitError, "enroll --center", []string{"--state", state, "check"}},
		{exitUsage, "--key", []string{"--state", state, "enroll", "--center", "https://x"}},
		{exitError, "no access key", []string{"--state", state, "enroll", "--center", "https://x", "--key", "k"}},
	} {
		if out := run(t, x.code, x.args...); !strings.Contains(out, x.want) {
			t.Errorf("%v says %q, want something about %q", x.args, out, x.want)
		}
	}
}

func TestDamagedInput(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	state := enrolled(t, c)
	file := recordings(t)[0]
	out := run(t, exitError, read(state, []string{file, filepath.Join(t.TempDir(), "missing.pcap")})...)
	if !strings.Contains(out, "missing.pcap") {
		t.Errorf("it says %q", out)
	}
	same(t, c.Entries(), statements(t, 0, file))
}

func TestNobodyElseHasTheSpool(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	state := enrolled(t, c)
	s, err := ship.OpenSpool(ship.SpoolPath(state), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if out := run(t, exitError, read(state, recordings(t)[:1])...); !strings.Contains(out, "another process") {
		t.Errorf("it says %q", out)
	}
}

// TestCapture captures on the loopback interface, and is stopped.
func TestCapture(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("capturing needs root, or CAP_NET_RAW")
	}
	c := shiptest.NewCenter(t)
	state := enrolled(t, c)
	p := command("--state", state, "run", "--interface", "lo")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Process.Kill()
	query := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09_verderer\x04test\x00\x00\xfc\x00\x01")
	seen := func() bool {
		for _, e := range c.Entries() {
			if e.Activity != nil && e.Activity.DNS != nil && strings.HasPrefix(e.Activity.DNS.Question, "_verderer") {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(40 * time.Second); !seen(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			p.Process.Kill()
			p.Wait()
			t.Fatalf("the query is not stated among %d statements: %s", len(c.Entries()), p.out.String())
		}
		conn, err := net.Dial("udp", "127.0.0.1:53")
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(query)
		conn.Close()
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.out.String())
	}
	list := c.Entries()
	if last := list[len(list)-1]; time.Since(last.Progress.Go()) > 20*time.Second {
		t.Errorf("the last statement is %+v", last)
	}
	if st := c.Statuses(); st[len(st)-1].Packets == 0 || !slices.Equal(st[len(st)-1].Sources, []string{"interface lo"}) {
		t.Errorf("the last status is %+v", st[len(st)-1])
	}
	if h := c.Hellos(); h[0].Files {
		t.Error("it says that it reads files")
	}
}
