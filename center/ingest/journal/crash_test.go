package journal

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
)

// childDir in the environment makes the test binary a program that appends
// until it is killed.
const childDir = "VERDERER_JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		appendForever(dir)
	}
	os.Exit(m.Run())
}

// appendForever appends 1, 2, 3 …, going on behind what it finds, and prints
// each with its position when it is acknowledged.
func appendForever(dir string) {
	check := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	j, err := Open(Config{Dir: dir, MinFree: 1, Log: slog.New(slog.DiscardHandler)})
	check(err)
	n := 0
	if j.Last() > 0 {
		e, err := j.server().entry(context.Background(), j.Last())
		check(err)
		n = number(e)
	}
	for {
		n++
		pad := strings.Repeat("x", rand.IntN(200<<10))
		at, err := j.Append(context.Background(), batch(fmt.Sprintf("%d %s", n, pad)))
		check(err)
		fmt.Println(at, n)
	}
}

func number(e *Entry) int {
	text, _, _ := strings.Cut(string(e.Items[0].Batch), " ")
	n, _ := strconv.Atoi(text)
	return n
}

// TestKill: what was acknowledged is there after kill -9, in order, once.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := make(map[uint64]int) // position → number
	for round := range 5 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		stopAt := rand.IntN(400) + 1
		for n := 0; lines.Scan(); n++ {
			var at uint64
			var number int
			if _, err := fmt.Sscan(lines.Text(), &at, &number); err != nil {
				t.Fatalf("round %d: %s", round, lines.Text())
			}
			acknowledged[at] = number
			if n == stopAt { // in the middle of the next ones
				go func() {
					time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
					_ = child.Process.Kill()
				}()
			}
		}
		if err := child.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("round %d: the child ended with %v", round, err)
		}
	}
	j := open(t, Config{Dir: dir})
	got := read(t, j, 1)
	for n, e := range got {
		if e.Position != uint64(n)+1 || number(e) != n+1 {
			t.Fatalf("at %d is the entry with number %d", e.Position, number(e))
		}
		if n > 0 && e.Ingest < got[n-1].Ingest {
			t.Errorf("the clock went back at %d", e.Position)
		}
	}
	for at, n := range acknowledged {
		if at > uint64(len(got)) || number(got[at-1]) != n {
			t.Errorf("acknowledged %d at %d: not there; the log ends at %d", n, at, len(got))
		}
	}
	t.Logf("%d acknowledged, %d in the log", len(acknowledged), len(got))
}

// TestLogIsGone: a log that cannot be found must not start again at 1.
func TestLogIsGone(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	add(t, j, batch("x"))
	j.Close()
	if err := os.RemoveAll(dir + "/jetstream"); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "the log is gone") {
		t.Errorf("opened: %v", err)
	}
}

// TestRaise: a log that others are ahead of goes on above them, also after a
// restart and however much it held.
func TestRaise(t *testing.T) {
	for _, held := range []int{0, 3} {
		dir := t.TempDir()
		now := time.Unix(1000, 0)
		cfg := Config{Dir: dir, Now: func() time.Time { return now }}
		j := open(t, cfg)
		for range held {
			add(t, j, batch("old"))
		}
		if err := j.Raise(100, activity.Time(2000e9)); err != nil {
			t.Fatal(err)
		}
		if err := j.Raise(99, 0); err != nil { // nothing to do
			t.Fatal(err)
		}
		if j.First() != 101 || j.Last() != 100 || j.Now() != activity.Time(2000e9) {
			t.Errorf("from %d entries: first %d, last %d, now %d", held, j.First(), j.Last(), j.Now())
		}
		j.Close()
		j = open(t, cfg)
		if j.First() != 101 || j.Last() != 100 {
			t.Errorf("from %d entries, opened again: first %d, last %d", held, j.First(), j.Last())
		}
		if at := add(t, j, batch("new")); at != 101 {
			t.Errorf("from %d entries: appended at %d", held, at)
		}
		j.Close()
		j = open(t, cfg)
		if got := read(t, j, j.First()); len(got) != 1 || got[0].Position != 101 || string(got[0].Items[0].Batch) != "new" {
			t.Errorf("from %d entries: %+v", held, got)
		}
	}
}

// TestDamage: an entry that cannot be read is an error with its position.
func TestDamage(t *testing.T) {
	j := open(t, Config{})
	for range 3 {
		add(t, j, batch("x"))
	}
	e := j.server()
	if err := e.stream.DeleteMsg(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	end := j.Read(t.Context(), 1, func(*Entry) error { return nil })
	if end == nil || !strings.Contains(end.Error(), "reading the journal at 2:") {
		t.Errorf("a gap: %v", end)
	}
	// What no release of ours wrote.
	if err := e.publish([]byte("\xff\xff"), 3); err != nil {
		t.Fatal(err)
	}
	j.append.Lock()
	if err := j.restart(); err != nil {
		t.Fatal(err)
	}
	j.append.Unlock()
	end = j.Read(t.Context(), 3, func(*Entry) error { return nil })
	if end == nil || !strings.Contains(end.Error(), "reading the journal at 4:") {
		t.Errorf("garbage: %v", end)
	}
	if at := add(t, j, batch("x")); at != 5 {
		t.Errorf("behind garbage: %d", at)
	}
}

// TestFailedAppendIsSettled: when it is open whether an entry is stored, the
// disk is asked.
func TestFailedAppendIsSettled(t *testing.T) {
	j := open(t, Config{})
	add(t, j, batch("one"))
	// The server is gone before it can store.
	j.server().server.Shutdown()
	if at, err := j.Append(t.Context(), batch("two")); err == nil || j.Last() != 1 {
		t.Fatalf("appended at %d: %v", at, err)
	}
	// It stored, and the answer was lost.
	b, err := encode(&Entry{Ingest: j.Now(), Items: []Item{batch("two")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.server().publish(b, 1); err != nil {
		t.Fatal(err)
	}
	j.append.Lock()
	err = j.settle(b, 1, os.ErrDeadlineExceeded)
	j.append.Unlock()
	if err != nil || j.Last() != 2 {
		t.Errorf("settled as %v, the log ends at %d", err, j.Last())
	}
	add(t, j, batch("three"))
	if got := read(t, j, 1); len(got) != 3 || j.Stats().Restarts != 2 {
		t.Errorf("%d entries, %d restarts", len(got), j.Stats().Restarts)
	}
}
