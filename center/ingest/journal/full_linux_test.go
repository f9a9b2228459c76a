package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// disk mounts a file system of 64 MiB.
func disk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("mounting a small file system: %v (needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file that leaves so many bytes free.
func fill(t *testing.T, dir string, leave int64) (file string) {
	t.Helper()
	file = filepath.Join(dir, "ballast")
	have, err := free(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, make([]byte, max(0, have-leave)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func numbers(t *testing.T, j *Journal) (got []string) {
	for _, e := range read(t, j, 1) {
		text, _, _ := strings.Cut(string(e.Items[0].Batch), " ")
		got = append(got, text)
	}
	return got
}

func inOrder(t *testing.T, got []string, n int) {
	t.Helper()
	if len(got) != n {
		t.Errorf("%d entries, want %d", len(got), n)
	}
	for i, s := range got {
		if s != fmt.Sprint(i) {
			t.Fatalf("entry %d is %s", i, s)
		}
	}
}

func TestDiskFull(t *testing.T) {
	dir := disk(t)
	j := open(t, Config{Dir: filepath.Join(dir, "journal"), MinFree: 8 << 20})
	n := 0
	next := func() error {
		_, err := j.Append(t.Context(), batch(fmt.Sprint(n)+strings.Repeat(" ", 100<<10)))
		if err == nil {
			n++
		}
		return err
	}
	for range 10 {
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}
	ballast := fill(t, dir, 8<<20+250<<10)
	var err error
	for err == nil && n < 100 {
		err = next()
	}
	if !errors.Is(err, ErrFull) || err.Error() != "the disk is full: 8 MiB free of 8 MiB kept free" {
		t.Fatalf("after %d: %v", n, err)
	}
	if err := j.Room(); !errors.Is(err, ErrFull) && err != nil {
		t.Error(err)
	}
	inOrder(t, numbers(t, j), n) // reading goes on
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}
	inOrder(t, numbers(t, j), n)
	if s := j.Stats(); s.Restarts != 0 || s.Full == 0 {
		t.Errorf("%+v", s)
	}
}

// TestDiskFullUnderTheServer: somebody else uses up what was kept free, and
// JetStream meets the end of the disk itself.
func TestDiskFullUnderTheServer(t *testing.T) {
	dir := disk(t)
	j := open(t, Config{Dir: filepath.Join(dir, "journal"), MinFree: 1})
	n := 0
	next := func() error {
		_, err := j.Append(t.Context(), batch(fmt.Sprint(n)+strings.Repeat(" ", 100<<10)))
		if err == nil {
			n++
		}
		return err
	}
	for range 10 {
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}
	ballast := fill(t, dir, 150<<10)
	failed := 0
	for failed < 5 && n < 100 {
		// room sees that it does not fit: what is to be tested is behind it.
		j.append.Lock()
		e, err := j.running()
		if err == nil {
			b, _ := encode(&Entry{Ingest: j.Now(), Items: []Item{batch(fmt.Sprint(n) + strings.Repeat(" ", 100<<10))}})
			last := j.Last()
			if err = e.publish(b, last); err != nil {
				t.Logf("JetStream says: %v", err)
				if err = j.settle(b, last, err); err == nil {
					n++
				}
			} else {
				n++
				j.mu.Lock()
				j.last++
				j.mu.Unlock()
			}
		}
		j.append.Unlock()
		if err != nil {
			failed++
			t.Logf("settled as: %v", err)
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
		}
	}
	if failed == 0 {
		t.Fatalf("%d entries fit on a full disk", n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := next()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	for range 10 {
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}
	inOrder(t, numbers(t, j), n)
	if j.Stats().Restarts == 0 {
		t.Error("the server was not started again")
	}
}
