package service

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shows waits until the center shows exactly the alerts wanted.
func (c *center) shows(want []string) {
	c.t.Helper()
	var got []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if got = c.alerts(); slices.Equal(got, want) {
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

func read(inputs []string) []string {
	args := []string{"run"}
	for _, in := range inputs {
		args = append(args, "--read", in)
	}
	return args
}

// TestSameAlerts: recordings through sensor, log and center give what analyze
// gives, ids included.
func TestSameAlerts(t *testing.T) {
	inputs := recordings(t)
	c := newCenter(t, "", "")
	c.start()
	c.login()
	s := c.enroll("--files")
	if code, out := s.run(read(inputs)...); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	c.shows(offline(t, inputs))
}

// TestCenterKilled kills the center five times while recordings come in.
func TestCenterKilled(t *testing.T) {
	inputs, r := recordings(t), steps(t)
	var c *center
	slow := newLink(t, 20*time.Millisecond, func() string { return c.sensors })
	c = newCenter(t, slow.addr, "")
	c.start()
	c.login()
	s := c.enroll("--files").start(read(inputs)...)
	for range 5 {
		time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
		c.kill()
		c.start()
	}
	if code := s.wait(); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, s.tail())
	}
	c.shows(offline(t, inputs))
}

// TestSensorKilled kills the sensor five times, some of them while it still
// reads, some while it sends.
func TestSensorKilled(t *testing.T) {
	inputs, r := recordings(t), steps(t)
	var c *center
	slow := newLink(t, 20*time.Millisecond, func() string { return c.sensors })
	c = newCenter(t, slow.addr, "")
	c.start()
	c.login()
	s := c.enroll("--files")
	for i := range 5 {
		p := s.start(read(inputs)...)
		time.Sleep(time.Duration(r.IntN(200*(i+1))) * time.Millisecond)
		p.signal(syscall.SIGKILL)
	}
	if code, out := s.run(read(inputs)...); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	c.shows(offline(t, inputs))
}

// TestNetworkCut cuts the network in the middle: for two seconds, or for a
// minute where VERDERER_FAULTS=all (make faults).
func TestNetworkCut(t *testing.T) {
	cut := 2 * time.Second
	if os.Getenv("VERDERER_FAULTS") == "all" {
		cut = time.Minute
	}
	inputs := recordings(t)
	var c *center
	slow := newLink(t, 20*time.Millisecond, func() string { return c.sensors })
	c = newCenter(t, slow.addr, "")
	c.start()
	c.login()
	s := c.enroll("--files").start(read(inputs)...)
	within(t, "the first activities have arrived", func() bool {
		var list struct {
			Steps []struct {
				ID   string
				Done bool
			}
		}
		c.must("GET", "checklist", nil, &list)
		return slices.ContainsFunc(list.Steps, func(s struct {
			ID   string
			Done bool
		}) bool {
			return s.ID == "activity" && s.Done
		})
	})
	slow.set(true)
	time.Sleep(cut)
	if !s.running() {
		t.Fatalf("the sensor did not outlive the cut:\n%s", s.tail())
	}
	slow.set(false)
	if code := s.wait(); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, s.tail())
	}
	c.shows(offline(t, inputs))
}
