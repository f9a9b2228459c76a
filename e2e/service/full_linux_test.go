package service

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// healthz asks one of the ports for /healthz; 0 when nothing answers.
func (c *center) healthz(base string) (status int, word string) {
	client := &http.Client{Timeout: 5 * time.Second}
	if base == c.console {
		client = c.http()
	}
	res, err := client.Get(base + "/healthz")
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, strings.TrimSpace(string(b))
}

// fill writes a file that leaves so many MiB of a file system free.
func fill(t testing.TB, path string, leave int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	// The center may have taken some of it in between: then it is full as well.
	if _, err := f.Write(make([]byte, max(0, int64(st.Bavail)*st.Bsize-leave<<20))); err != nil && leave > 0 {
		t.Fatal(err)
	}
}

// TestDiskFull: while the center's disk is full its sensors keep what they have,
// and people are told; when there is room again everything is as if nothing had
// been.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	var c *center
	k := newLink(t, 50*time.Millisecond, func() string { return c.sensors })
	c = newCenter(t, k.addr, "disk: {min_free: 16MiB}\njournal: {max_size: 64MiB}")
	data := filepath.Join(c.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=96m,mode=0700"); err != nil {
		t.Skipf("mounting a small file system: %v (needs root)", err)
	}
	t.Cleanup(func() {
		c.kill()
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	c.start()
	c.login()
	p := pace(t, 15*time.Second)
	e := c.enroll("--files", "--name", "patient")
	s := e.start(p.args()...)
	c.more(3)
	within(t, "the first alert", func() bool { return len(c.alerts()) > 0 })

	ballast := filepath.Join(data, "ballast")
	fill(t, ballast, 8)
	within(t, "the sensor says that it holds", func() bool {
		return s.says("The center cannot store what is sent. It stays in the spool.", "the disk is full: ", "free of 16 MiB kept free")
	})
	full := c.became("stored")
	i, open := c.wrong("disk-full")
	if !open || i.Severity != "high" || !strings.Contains(i.Text, "The center cannot store what sensors send: the disk is full: ") ||
		!strings.Contains(i.Text, "free of 16 MiB kept free") || !strings.Contains(i.Remedy, "Free space on the disk") {
		t.Errorf("health: %v %+v", open, i)
	}
	for _, port := range []string{c.console, c.metrics} {
		if status, word := c.healthz(port); status != http.StatusServiceUnavailable || word != "holding" {
			t.Errorf("%s/healthz: %d %s", port, status, word)
		}
	}
	var before listed
	within(t, "the sensor is shown as holding", func() bool {
		before = c.sensorOf(e.id())
		return before.State == "holding" && strings.Contains(before.StateText, "The center cannot store what it sends (the disk is full: ") && before.SpoolBatches > 0
	})
	within(t, "its spool grows", func() bool { return c.sensorOf(e.id()).SpoolBatches > before.SpoolBatches })
	if c.became("held") == 0 {
		t.Error("nothing is counted as held")
	}

	// Not a byte is left: people can still look, and are told why they cannot act.
	fill(t, ballast, 0)
	alerts := c.alerts()
	var page struct{ Alerts []struct{ ID string } }
	c.must("GET", "alerts?limit=1", nil, &page)
	if err := c.call("POST", "alerts/"+page.Alerts[0].ID+"/close", map[string]string{"comment": "x"}, nil); err == nil || !strings.Contains(err.Error(), "The center cannot store anything now: see Health.") {
		t.Errorf("closing an alert: %v", err)
	}
	if n := c.became("stored"); n != full {
		t.Errorf("%d batches were stored while the disk was full", n-full)
	}
	// Killed now, it comes back and says the same.
	c.kill()
	c.process = start(t, program(t, "verderer"), "serve", "--config", c.config)
	within(t, "it is back, and holds", func() bool {
		status, word := c.healthz(c.console)
		return status == http.StatusServiceUnavailable && word == "holding"
	})
	within(t, "the sensor is back, and holds", func() bool { return c.became("held") > 0 })
	if n := c.became("stored"); n != 0 {
		t.Errorf("%d batches were stored while the disk was full", n)
	}
	if now := c.alerts(); len(now) != len(alerts) {
		t.Errorf("%d alerts, before %d", len(now), len(alerts))
	}
	if !s.running() || !c.process.running() {
		t.Fatalf("one of them ended:\n%s\n%s", s.tail(), c.process.tail())
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	within(t, "the center is well again", func() bool {
		_, open := c.wrong("disk-full")
		status, word := c.healthz(c.console)
		return !open && status == http.StatusOK && word == "ok"
	})
	if code := s.wait(); code != 0 {
		t.Fatalf("the sensor ended with %d\n%s", code, s.tail())
	}
	if n := c.became("lost"); n != 0 {
		t.Errorf("%d batches are lost", n)
	}
	c.shows(offline(t, p.inputs))
}
