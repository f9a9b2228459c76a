package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/worker"
)

// writerPath makes the test binary a writer to be killed: see TestKilled.
const writerPath = "STORE_TEST_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerPath); path != "" {
		fmt.Fprintln(os.Stderr, "writer:", writeForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// entry is what the entry of the log at a position leads to: every alert is
// changed by ten entries in a row, with an act and an activity of each.
func entry(position int) *worker.Result {
	n := position / 10
	a := alarm(n)
	a.Count = position%10 + 1
	for p := n * 10; p <= position; p++ {
		a.Evidence[0].Activities = append(a.Evidence[0].Activities, fact(p).ID)
	}
	return &worker.Result{Position: uint64(position), Ingest: t0 + activity.Time(position)*second, Alerts: []*alert.Alert{a},
		Activities: []*activity.Activity{fact(position)},
		Acts:       []ingest.Act{{Alert: a.ID, Do: ingest.Note, By: "ann", Comment: strconv.Itoa(position)}}}
}

// writeForever goes on where the store is, repeating a few entries as a worker
// does after a crash, and says on standard output what was acknowledged.
func writeForever(path string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	at, err := s.Position(ctx)
	if err != nil {
		return err
	}
	for p := max(1, int(at)-5); ; p++ {
		if err := s.Write(ctx, entry(p)); err != nil {
			return err
		}
		fmt.Println("stored", p)
		if err := s.Audit(ctx, AuditEntry{Action: "write", Object: strconv.Itoa(p), OK: true}); err != nil {
			return err
		}
		fmt.Println("audited", p)
	}
}

// TestKilled: whatever the writer said it had stored is there after kill -9,
// once.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "center.db")
	audited, last := 0, 0
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), writerPath+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stored := last
		// The kill comes at any point of what follows the last line that is waited for.
		lines, wait := 0, 10+rand.IntN(120)
		for sc := bufio.NewScanner(out); sc.Scan(); lines++ {
			word, number, _ := strings.Cut(sc.Text(), " ")
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("line %q", sc.Text())
			}
			if word == "stored" {
				stored = max(stored, n)
			} else {
				audited++
			}
			if lines == wait {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || lines < wait {
			t.Fatalf("round %d: the writer ended by itself after %d lines: %v", round, lines, err)
		}
		last = checkEntries(t, path, stored, audited)
	}
	t.Logf("%d entries, %d audited", last, audited)
}

// checkEntries looks at what entries 1 to the last left behind: that is at
// least those up to stored. It returns the last.
func checkEntries(t *testing.T, path string, stored, audited int) int {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	at, err := s.Position(ctx)
	if err != nil || int(at) < stored {
		t.Fatalf("the store is at %d, %d was acknowledged: %v", at, stored, err)
	}
	last := int(at)
	for n := 0; n <= last/10; n++ {
		id := alarm(n).ID
		want := min(10, last-n*10+1)
		if n == 0 {
			want-- // positions begin at 1
		}
		a, err := s.Alert(ctx, id)
		if err != nil || a.Alert.Count != min(10, last-n*10+1) {
			t.Fatalf("alert %d of %d: %+v, %v", n, last/10, a, err)
		}
		acts, err := s.History(ctx, id)
		if err != nil || len(acts) != want {
			t.Fatalf("alert %d: %d acts, want %d: %v", n, len(acts), want, err)
		}
		list, _, err := s.AlertActivities(ctx, id)
		if err != nil || len(list) != want {
			t.Fatalf("alert %d: %d activities, want %d: %v", n, len(list), want, err)
		}
	}
	if n, err := s.VerifyAudit(ctx); err != nil || n < audited {
		t.Fatalf("%d audit entries in order, %d acknowledged: %v", n, audited, err)
	}
	return last
}

// TestDiskFull: what does not fit is refused with the reason, what is there can
// be read, and when there is room again it works again.
func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs Linux and root, to mount a small disk")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("needs to mount a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 22<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(disk, "center.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() // before the disk is unmounted
	p := 0
	for err == nil && p < 10_000 {
		p++
		err = s.Write(t.Context(), entry(p))
	}
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), path) {
		t.Fatalf("after %d entries: %v", p, err)
	}
	t.Logf("full at entry %d: %v", p, err)
	for range 20 {
		if err := s.Audit(t.Context(), AuditEntry{Detail: strings.Repeat("x", 4000)}); err != nil && !errors.Is(err, ErrFull) {
			t.Fatalf("while it is full: %v", err)
		}
	}
	if list, _, total, err := s.Alerts(t.Context(), AlertFilter{}); err != nil || total < (p-1)/10 || len(list) == 0 {
		t.Fatalf("reading while it is full: %d of %d alerts, %v", len(list), total, err)
	}
	if again, err := Open(path); err == nil {
		again.Close()
	} else if !errors.Is(err, ErrFull) {
		t.Errorf("opening while it is full: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		if err := s.Write(t.Context(), entry(p+n)); err != nil {
			t.Fatalf("with room again: %v", err)
		}
	}
	if got := checkEntries(t, path, p+49, 0); got != p+49 {
		t.Errorf("%d entries, want %d", got, p+49)
	}
}
