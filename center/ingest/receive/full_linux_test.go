package receive

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
)

// TestDiskFull: while a real disk is full sensors are told to wait, and nothing
// is lost when it no longer is.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("mounting a small file system: %v (needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	c := &clock{t: time.Now()}
	j := openJournal(t, filepath.Join(dir, "journal"), c, 8<<20)
	n := newCenter(t, j, c, nil)
	a := n.sensor("a")
	a.hello(false)
	a.state(n.time())
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 58<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b := a.batch(n.time())
	for range 3 {
		ack := a.send(b)
		if !ack.Hold || !strings.HasPrefix(ack.Why, "the disk is full: ") || !strings.HasSuffix(ack.Why, " free of 8 MiB kept free") {
			t.Fatalf("%+v", ack)
		}
	}
	n.issue("disk-full", "", true)
	if s := n.States()["a"]; !s.Holding || !s.Attached || s.Clock > activity.Time(c.now().UnixNano()) {
		t.Errorf("%+v", s)
	}
	// The log cannot even say that the sensor is not waited for any longer.
	c.add(11 * second)
	time.Sleep(2 * tickEvery)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	n.ends("a batch 1", "a detach: ")
	n.issue("disk-full", "", false)
	if ack := a.send(b); ack.Sequence != 2 {
		t.Errorf("%+v", ack)
	}
	a.state(n.time())
	n.ends("a attach", "a batch 1", "a detach: ", "a attach", "a batch 2", "a batch 3")
	if s := n.States()["a"]; s.Holding || s.Batches != 3 {
		t.Errorf("%+v", s)
	}
}
