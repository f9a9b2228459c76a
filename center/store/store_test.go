package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/worker"
)

const (
	second = activity.Time(1e9)
	t0     = 1_700_000_000 * second
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func fresh(t testing.TB) *Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "center.db"))
}

// fact is the nth activity.
func fact(n int) *activity.Activity {
	a := &activity.Activity{
		Time: t0 + activity.Time(n)*second, Kind: activity.DNSQuery, Protocol: activity.ProtoDNS, Transport: activity.UDP,
		Source:  activity.Endpoint{Addr: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), Port: 40000},
		Target:  activity.Endpoint{Addr: netip.MustParseAddr("10.0.0.1"), Port: 53},
		Outcome: activity.Success,
		DNS:     &activity.DNS{Question: fmt.Sprintf("host%d.lab.example", n)},
	}
	a.Seal()
	return a
}

// alarm is the nth alert, resting on some activities.
func alarm(n int, on ...*activity.Activity) *alert.Alert {
	a := &alert.Alert{
		ID: fmt.Sprintf("%032x", n), Detection: "one", Title: "Suspected thing", Severity: detect.High, Status: alert.Open,
		Start: t0 + activity.Time(n)*second, End: t0 + activity.Time(n+1)*second,
		ATAIDs: []int{}, Techniques: []string{"T1003"}, Targets: []detect.Computer{},
		Sources:  []detect.Computer{{Address: fmt.Sprintf("10.1.%d.%d", n/256%256, n%256), Name: fmt.Sprintf("ws%d.lab.example", n)}},
		Accounts: []detect.Party{{Name: fmt.Sprintf("User%d", n), Domain: "LAB"}},
		Summary:  fmt.Sprintf("ws%d did it", n), Count: max(1, len(on)), Outcome: activity.Success,
	}
	e := alert.Evidence{Kind: alert.Activities}
	for _, v := range on {
		e.Activities = append(e.Activities, v.ID)
	}
	a.Evidence = []alert.Evidence{e}
	return a
}

func write(t testing.TB, s *Store, r *worker.Result) {
	t.Helper()
	if err := s.Write(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func result(position int, alerts ...*alert.Alert) *worker.Result {
	return &worker.Result{Position: uint64(position), Ingest: t0 + activity.Time(position)*60*second, Alerts: alerts}
}

func TestRaisedBy(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "center.db"))
	write(t, s, result(1, alarm(1)))
	second := result(2, alarm(1), alarm(2))
	write(t, s, second)
	got, err := s.RaisedBy(t.Context(), second)
	if want := map[string]bool{alarm(2).ID: true}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestFiles(t *testing.T) {
	// Characters that mean something in a URI.
	dir := filepath.Join(t.TempDir(), "a b?c=d#e%41&f")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "center.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	write(t, s, result(1, alarm(1)))
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 3 {
		t.Fatalf("%v, %v: want the database, its log and its index", list, err)
	}
	for _, f := range list {
		if st, err := f.Info(); err != nil || runtime.GOOS != "windows" && st.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), st.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	if a, err := again.Alert(t.Context(), alarm(1).ID); err != nil || a.Alert.Summary != "ws1 did it" {
		t.Errorf("after closing and opening: %+v, %v", a, err)
	}
}

// TestWaitsForTheDisk: what must not be lost is synced, and a connection that
// wrote without waiting waits again for the next one.
func TestWaitsForTheDisk(t *testing.T) {
	s := fresh(t)
	level := func() (n int, journal string) {
		if err := errors.Join(s.write.QueryRow("PRAGMA synchronous").Scan(&n), s.write.QueryRow("PRAGMA journal_mode").Scan(&journal)); err != nil {
			t.Fatal(err)
		}
		return n, journal
	}
	const normal, full = 1, 2
	write(t, s, &worker.Result{Position: 1, Activities: []*activity.Activity{fact(1)}})
	if n, _ := level(); n != normal {
		t.Errorf("activities alone: level %d", n)
	}
	write(t, s, result(2, alarm(1)))
	if n, j := level(); n != full || j != "wal" {
		t.Errorf("an alert: level %d, journal %s", n, j)
	}
	write(t, s, &worker.Result{Position: 3, Activities: []*activity.Activity{fact(1)}})
	write(t, s, &worker.Result{Position: 4, Acts: []ingest.Act{{Alert: "x", Do: ingest.Note}}})
	if n, _ := level(); n != full {
		t.Errorf("an act: level %d", n)
	}
	write(t, s, &worker.Result{Position: 5, Activities: []*activity.Activity{fact(1)}})
	write(t, s, &worker.Result{Position: 9})
	wal, _ := os.ReadFile(s.path + "-wal")
	write(t, s, &worker.Result{Position: 9})
	if now, _ := os.ReadFile(s.path + "-wal"); bytes.Equal(wal, now) {
		t.Error("nothing was written, so nothing was synced")
	}
	if n, _ := level(); n != full {
		t.Errorf("before a snapshot: level %d", n)
	}
	if p, err := s.Position(t.Context()); p != 9 || err != nil {
		t.Errorf("before a snapshot: position %d, %v", p, err)
	}
	if err := s.SawSensors(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Audit(t.Context(), AuditEntry{Action: "x"}); err != nil {
		t.Fatal(err)
	}
	if n, _ := level(); n != full {
		t.Errorf("the audit log: level %d", n)
	}
	if _, err := s.read.Exec("DELETE FROM audit"); err == nil {
		t.Error("a reader can write")
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	s := open(t, good)
	write(t, s, result(1, alarm(1)))
	s.Close()
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	changed := func(name string, statements ...string) string {
		p := file(name, whole)
		db, err := sql.Open("sqlite", p)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, q := range statements {
			if _, err := db.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	foreign := file("foreign.db", nil)
	db, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE theirs (x)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	scribbled := bytes.Clone(whole)
	copy(scribbled[100:], bytes.Repeat([]byte{0xA5}, 4000))
	for _, c := range []struct {
		name, path string
		is         error
		says       string
	}{
		{"not a database", file("text.db", []byte(strings.Repeat("hello, world\n", 1000))), ErrDamaged, "text.db"},
		{"its first page overwritten", file("scribbled.db", scribbled), ErrDamaged, "scribbled.db"},
		{"cut short", file("short.db", whole[:len(whole)/2]), ErrDamaged, "short.db"},
		{"another program's", foreign, nil, "foreign.db is the database of another program"},
		{"of a newer version", changed("newer.db", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"), ErrNewer,
			"newer.db: the database was written by a newer version: its version is 99, this program's 1"},
		{"in a folder that is not there", filepath.Join(dir, "none", "center.db"), fs.ErrNotExist, "none"},
		{"a folder", dir, nil, dir},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(c.path)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %v that says %q", err, c.is, c.says)
			}
		})
	}
	if s, err := Open(good); err != nil {
		t.Error(err)
	} else {
		s.Close()
	}
}

// TestDamageWithin: pages that are damaged are noticed when they are read, and
// the error names the file.
func TestDamageWithin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "center.db")
	s := open(t, path)
	for i := range 200 {
		write(t, s, result(i+1, alarm(i, fact(i))))
	}
	s.Close()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	st, _ := f.Stat()
	const page = 4096
	for at := int64(40 * page); at < st.Size(); at += page {
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xFF}, 100), at); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	s, err = Open(path)
	if err == nil {
		_, _, _, err = s.Alerts(t.Context(), AlertFilter{Limit: 500, Text: "did"})
		s.Close()
	}
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v; want one that names %s", err, path)
	}
}

// TestReadersWhileWriting: nobody waits for a writer, and nobody sees half of
// what one wrote.
func TestReadersWhileWriting(t *testing.T) {
	s := fresh(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			seen := 0
			for {
				select {
				case <-done:
					return
				default:
				}
				list, _, total, err := s.Alerts(t.Context(), AlertFilter{Limit: 500})
				if err != nil {
					t.Error(err)
					return
				}
				// Each result brings two alerts. The total is counted before the list is read.
				if total%2 != 0 || len(list) < total || total < seen {
					t.Errorf("%d of %d alerts, %d before", len(list), total, seen)
					return
				}
				seen = total
				for _, a := range list {
					if _, missing, err := s.AlertActivities(t.Context(), a.Alert.ID); err != nil || missing != 0 {
						t.Errorf("%d activities missing: %v", missing, err)
						return
					}
				}
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := range 30 {
				// Positions of one reader of the log only grow; the others write what
				// is not of the log.
				if w > 0 {
					if err := s.Audit(t.Context(), AuditEntry{User: "ann", Action: "look"}); err != nil {
						t.Error(err)
					}
					continue
				}
				r := result(i+1, alarm(2*i, fact(2*i)), alarm(2*i+1, fact(2*i+1)))
				r.Activities = []*activity.Activity{fact(2 * i), fact(2*i + 1)}
				if err := s.Write(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	wg.Wait()
	if n, err := s.VerifyAudit(t.Context()); n != 60 || err != nil {
		t.Errorf("%d audit entries in order: %v", n, err)
	}
}
