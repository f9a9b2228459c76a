package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/ingest"
)

func open(t testing.TB, cfg Config) *Journal {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.MinFree == 0 {
		cfg.MinFree = 1
	}
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	j, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func batch(s string) Item { return Item{Sensor: "s1", Batch: []byte(s)} }

func add(t testing.TB, j *Journal, items ...Item) uint64 {
	t.Helper()
	at, err := j.Append(t.Context(), items...)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// read returns the entries from a position to the end of the log as of now.
func read(t testing.TB, j *Journal, from uint64) []*Entry {
	t.Helper()
	var got []*Entry
	done := errors.New("done")
	if from > j.Last() {
		return nil
	}
	err := j.Read(t.Context(), from, func(e *Entry) error {
		got = append(got, e)
		if e.Position == j.Last() {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatal(err)
	}
	return got
}

func TestWhatIsAppendedIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1000, 0)
	cfg := Config{Dir: dir, Now: func() time.Time { return now }}
	j := open(t, cfg)
	if j.First() != 1 || j.Last() != 0 {
		t.Errorf("a new log has first %d, last %d", j.First(), j.Last())
	}
	want := []*Entry{
		{Position: 1, Ingest: activity.Time(1000e9), Items: []Item{{Sensor: "s1", Attach: 77, Files: true}, batch("one")}},
		{Position: 2, Ingest: activity.Time(1001e9), Items: []Item{{Sensor: "s2", Detach: "silent"}}},
		{Position: 3, Ingest: activity.Time(1001e9), Items: []Item{{Directory: []byte(`{"a":1}`)}}},
		{Position: 4, Ingest: activity.Time(1001e9), Items: []Item{{Act: &ingest.Act{Alert: "a", Do: ingest.Close, By: "eve", Comment: "x"}}}},
		{Position: 5, Ingest: activity.Time(1001e9), Items: []Item{{Settings: &ingest.Settings{Level: "low", Exclusions: []string{"y"}}}}},
	}
	for n, e := range want {
		switch n {
		case 1:
			now = now.Add(time.Second)
		case 2:
			now = now.Add(-time.Hour) // the log's clock stands still
		case 3: // and does so across a restart
			j.Close()
			j = open(t, cfg)
		}
		if at := add(t, j, e.Items...); at != e.Position {
			t.Errorf("appended at %d, want %d", at, e.Position)
		}
	}
	if diff := cmp.Diff(want, read(t, j, 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[3:], read(t, j, 4)); diff != "" {
		t.Error(diff)
	}
	if s := j.Stats(); s.Entries != 2 || s.Items != 2 || s.First != 1 || s.Last != 5 || s.Stored == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestItemsAreChecked(t *testing.T) {
	j := open(t, Config{})
	for _, items := range [][]Item{
		nil,
		{{Sensor: "s1"}},
		{{Sensor: "s1", Batch: []byte("b"), Attach: 1}},
		{{Batch: []byte("b")}},
		{{Sensor: "s1", Act: &ingest.Act{}}},
		{{Sensor: "s1", Batch: []byte("b"), Files: true}},
		{batch(strings.Repeat("x", MaxEntry))},
	} {
		if _, err := j.Append(t.Context(), items...); err == nil {
			t.Errorf("%.60v was taken", items)
		}
	}
	if j.Last() != 0 {
		t.Errorf("%d entries stored", j.Last())
	}
	if at := add(t, j, batch(strings.Repeat("x", MaxEntry-1024))); at != 1 {
		t.Errorf("the largest entry is stored at %d", at)
	}
	if got := read(t, j, 1); len(got[0].Items[0].Batch) != MaxEntry-1024 {
		t.Error("the largest entry is not read as it was stored")
	}
}

func TestReadFollows(t *testing.T) {
	j := open(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan uint64)
	end := make(chan error, 1)
	go func() {
		end <- j.Read(ctx, 1, func(e *Entry) error { got <- e.Position; return nil })
	}()
	for want := uint64(1); want <= 20; want++ {
		add(t, j, batch("x"))
		if at := <-got; at != want {
			t.Fatalf("read %d, want %d", at, want)
		}
		if want == 10 { // the server is replaced under the reader
			j.append.Lock()
			if err := j.restart(); err != nil {
				t.Fatal(err)
			}
			j.append.Unlock()
		}
	}
	cancel()
	if err := <-end; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	go func() { end <- j.Read(t.Context(), 21, func(*Entry) error { return nil }) }()
	j.Close()
	if err := <-end; !errors.Is(err, ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	if _, err := j.Append(t.Context(), batch("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("appended to a closed journal: %v", err)
	}
}

func TestForget(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1000, 0)
	cfg := Config{Dir: dir, Now: func() time.Time { return now }}
	j := open(t, cfg)
	for n := range 100 {
		add(t, j, batch(fmt.Sprint(n)))
	}
	if err := j.Forget(51); err != nil {
		t.Fatal(err)
	}
	if j.First() != 51 || j.Last() != 100 {
		t.Errorf("kept %d to %d", j.First(), j.Last())
	}
	if got := read(t, j, 51); len(got) != 50 || string(got[0].Items[0].Batch) != "50" {
		t.Errorf("%d entries, the first %+v", len(got), got[0])
	}
	if err := j.Read(t.Context(), 50, func(*Entry) error { return nil }); err == nil || !strings.Contains(err.Error(), "at 50") {
		t.Errorf("reading what is forgotten: %v", err)
	}
	if err := j.Read(t.Context(), 102, func(*Entry) error { return nil }); err == nil || !strings.Contains(err.Error(), "at 102") {
		t.Errorf("reading behind the end: %v", err)
	}
	// The newest entry stays, and with it the clock and the position.
	if err := j.Forget(1000); err != nil {
		t.Fatal(err)
	}
	if j.First() != 100 {
		t.Errorf("kept from %d", j.First())
	}
	j.Close()
	now = now.Add(-time.Hour)
	j = open(t, cfg)
	if at := add(t, j, batch("new")); at != 101 {
		t.Errorf("appended at %d", at)
	}
	if got := read(t, j, 100); got[1].Ingest != got[0].Ingest {
		t.Errorf("the clock went from %v to %v", got[0].Ingest, got[1].Ingest)
	}
}

func TestFullLog(t *testing.T) {
	j := open(t, Config{MaxBytes: 1 << 20})
	var err error
	for err == nil {
		_, err = j.Append(t.Context(), batch(strings.Repeat("x", 64<<10)))
	}
	if !errors.Is(err, ErrFull) || err.Error() != "the log is full: it may hold 1 MiB" {
		t.Fatal(err)
	}
	last := j.Last()
	if n := j.Stats().Restarts; last < 10 || n != 0 {
		t.Errorf("%d entries, %d restarts", last, n)
	}
	if err := j.Forget(last / 2); err != nil {
		t.Fatal(err)
	}
	if at := add(t, j, batch("fits")); at != last+1 {
		t.Errorf("appended at %d, want %d", at, last+1)
	}
	if got := read(t, j, j.First()); uint64(len(got)) != last+2-last/2 {
		t.Errorf("%d entries", len(got))
	}
}

func TestMinFree(t *testing.T) {
	dir := t.TempDir()
	have, err := free(dir)
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, Config{Dir: dir, MinFree: have + 1<<30})
	if _, err := j.Append(t.Context(), batch("x")); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "the disk is full: ") {
		t.Error(err)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1 << 10, 64 << 10} {
		b.Run(size1(n), func(b *testing.B) {
			j := open(b, Config{})
			item := batch(strings.Repeat("x", n))
			b.SetBytes(int64(n))
			for b.Loop() {
				if _, err := j.Append(b.Context(), item); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1 << 10, 64 << 10} {
		b.Run(size1(n), func(b *testing.B) {
			j := open(b, Config{})
			item := batch(strings.Repeat("x", n))
			for range 1000 {
				add(b, j, item)
			}
			b.SetBytes(int64(n))
			done := errors.New("done")
			b.ResetTimer()
			for left := b.N; left > 0; {
				if err := j.Read(b.Context(), 1, func(e *Entry) error {
					if left--; left == 0 || e.Position == 1000 {
						return done
					}
					return nil
				}); !errors.Is(err, done) {
					b.Fatal(err)
				}
			}
		})
	}
}

func size1(n int) string { return fmt.Sprintf("%dKiB", n>>10) }
