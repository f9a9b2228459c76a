package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/journal"
	"github.com/verderer/verderer/center/worker"
)

// childDir names the environment variable by which the test binary is told to
// be a center in that folder.
const childDir = "VERDERER_WORKER_TEST_DIR"

// childLimit names that by which it is told after how many results to wait to be
// killed.
const childLimit = "VERDERER_WORKER_TEST_LIMIT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// line is what the child keeps of a result: a file of lines, one for each
// position, stands for a store that is idempotent by position.
type line struct {
	Position   uint64
	Activities []activity.ID
	Alerts     []*alert.Alert
	Acts       []ingest.Act
}

func child(dir string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "log"), MinFree: 1, Log: log})
	if err != nil {
		return err
	}
	defer j.Close()
	stored, whole, err := readLines(filepath.Join(dir, "results"))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "results"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Truncate(whole); err != nil { // a line half written
		return err
	}
	if _, err := f.Seek(whole, 0); err != nil {
		return err
	}
	last := uint64(0)
	if len(stored) > 0 {
		last = stored[len(stored)-1].Position
	}
	limit, _ := strconv.Atoi(os.Getenv(childLimit)) // 0: none
	written := 0
	w, err := worker.New(worker.Config{Journal: j, Dir: filepath.Join(dir, "snapshots"), Definitions: all.Definitions, Shards: 2,
		Health: health.NewRegistry(nil), Log: log, SnapshotEvery: time.Millisecond,
		Emit: func(_ context.Context, r *worker.Result) error {
			if r.Position <= last || len(r.Activities)+len(r.Alerts)+len(r.Acts) == 0 {
				return nil
			}
			last = r.Position
			l := line{Position: r.Position, Alerts: r.Alerts, Acts: r.Acts}
			for _, a := range r.Activities {
				l.Activities = append(l.Activities, a.ID)
			}
			b, err := json.Marshal(l)
			if err != nil {
				return err
			}
			if _, err = f.Write(append(b, '\n')); err != nil {
				return err
			}
			for written++; written == limit; { // be killed here at the latest
				time.Sleep(time.Hour)
			}
			return nil
		}})
	if err != nil {
		return err
	}
	err = w.CatchUp(context.Background())
	fmt.Fprintf(os.Stderr, "applied %d entries\n", w.Stats().Entries)
	return err
}

// readLines returns the lines that are whole, and how many bytes they are.
func readLines(name string) (lines []line, whole int64, err error) {
	b, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return nil, 0, err
	}
	for {
		text, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return lines, whole, nil
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, 0, err
		}
		lines, whole, b = append(lines, l), whole+int64(len(text))+1, rest
	}
}

// again is what was recorded, a while later: other activities, of the same kinds.
func again(stated []wire.Entry, later time.Duration) []wire.Entry {
	var all []wire.Entry
	for _, e := range stated {
		if e.Activity != nil {
			a := *e.Activity
			a.Time = a.Time.Add(later)
			if a.Requested != 0 {
				a.Requested = a.Requested.Add(later)
			}
			a.Seal()
			e.Activity = &a
		} else {
			e.Progress = e.Progress.Add(later)
		}
		all = append(all, e)
	}
	return all
}

// TestKilled kills a center five times while it works through a log with
// attacks, people's acts, changed settings, and the attacks again. What it has
// stored in the end is what one has that nobody disturbed, to the byte.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	j := openJournal(t, filepath.Join(dir, "log"))
	_, stated := recorded(t)
	add(t, j, settings("low"))
	file(t, j, "files", stated, 3)
	first := newSink()
	w := newWorker(t, j, t.TempDir(), first)
	catchUp(t, w)
	stop(t, w)
	for id := range first.alerts {
		add(t, j, act(id, ingest.Close), act(id, ingest.Note))
	}
	add(t, j, settings("low", "10.77.0.66"))
	add(t, j, settings("low"))
	more := again(stated, 2*time.Hour)
	for seq := uint64(1e6); len(more) > 0; seq++ {
		n := min(3, len(more))
		add(t, j, batch(t, "files", wire.Batch{Spool: 7, Sequence: seq, Entries: more[:n]}))
		more = more[n:]
	}
	end := j.Last()

	want := newSink()
	catchUp(t, newWorker(t, j, t.TempDir(), want))
	j.Close()
	linked := 0
	for _, r := range want.results {
		for _, a := range r.Alerts {
			if a.Previous != "" {
				linked++
			}
		}
	}
	if linked == 0 || len(want.acts) == 0 {
		t.Fatalf("%d linked alerts, %d acts: too little to prove anything", linked, len(want.acts))
	}

	rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	results := filepath.Join(dir, "results")
	size := func() int64 {
		if i, err := os.Stat(results); err == nil {
			return i.Size()
		}
		return 0
	}
	for kills := 0; ; {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		if kills < 5 { // a busy machine may leave us no time to kill it
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", childLimit, len(want.results)/6))
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		// After some results, and then anywhere.
		enough := size() + rnd.Int64N(30_000)
		for killed := kills >= 5; ; {
			if !killed && size() > enough {
				time.Sleep(time.Duration(rnd.IntN(5000)) * time.Microsecond)
				cmd.Process.Kill()
				killed = true
			}
			select {
			case err := <-done:
				if killed && kills < 5 && err != nil {
					kills++
					break
				}
				if err != nil {
					t.Fatalf("%v\n%s", err, stderr.Bytes())
				}
				stored, _, err := readLines(results)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d kills, %d entries, %d results", kills, end, len(stored))
				if kills < 5 {
					t.Error("it was done before it was killed five times")
				}
				if bytes.Contains(stderr.Bytes(), fmt.Appendf(nil, "applied %d entries", end)) {
					t.Error("the last one did not start from a snapshot")
				}
				compareLines(t, want, stored)
				return
			case <-time.After(200 * time.Microsecond):
				continue
			}
			break
		}
	}
}

func compareLines(t *testing.T, want *sink, stored []line) {
	t.Helper()
	var wanted []line
	for _, r := range want.results {
		l := line{Position: r.Position, Alerts: r.Alerts, Acts: r.Acts}
		for _, a := range r.Activities {
			l.Activities = append(l.Activities, a.ID)
		}
		wanted = append(wanted, l)
	}
	text := func(all []line) (out []string) {
		for _, l := range all {
			b, err := json.Marshal(l)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, strings.Split(string(b), `,"`)...)
		}
		return out
	}
	if d := cmp.Diff(text(wanted), text(stored)); d != "" {
		t.Errorf("results differ (-undisturbed +killed):\n%.4000s", d)
	}
}

func act(id string, do ingest.ActionKind) journal.Item {
	return journal.Item{Act: &ingest.Act{Alert: id, Do: do, By: "ann"}}
}
