package ship

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullDisk fills a real file system under the spool: what was appended
// stays, and appending works again when there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	path := filepath.Join(dir, "spool.db")
	s := openSpool(t, path, 0)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	var err error
	for ; err == nil && n < 100; n++ {
		_, err = s.Append(bulky(60 << 10))
	}
	n-- // of the last one
	if !errors.Is(err, syscall.ENOSPC) || n == 0 {
		t.Fatalf("after %d: %v", n, err)
	}
	if got := len(rest(t, s, 0)); got != n {
		t.Errorf("%d batches of %d are there", got, n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if seq := mustAppend(t, s, bulky(60<<10)); seq != uint64(n+1) {
		t.Errorf("goes on at %d after %d", seq, n)
	}
	// And a crash right then.
	again, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "spool.db")
	if err := os.WriteFile(copied, again, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openSpool(t, copied, 0)
	defer s.Close()
	if got := len(rest(t, s, 0)); got != n+1 {
		t.Errorf("%d batches of %d are there afterwards", got, n+1)
	}
}
