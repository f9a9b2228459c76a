package ship

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
)

// quiet is a logger for tests that do not read the log.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openSpool(t testing.TB, path string, limit int64) *Spool {
	t.Helper()
	s, err := OpenSpool(path, limit, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// progress makes entries that count on from a number.
func progress(from, n int) (list []wire.Entry) {
	for i := range n {
		list = append(list, wire.Entry{Progress: activity.Time(from + i)})
	}
	return list
}

// bulky makes an entry of about n bytes that do not compress.
func bulky(n int) []wire.Entry {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = letters[rand.IntN(len(letters))]
		}
		return string(b)
	}
	a := &activity.Activity{Kind: activity.DNSQuery, Time: 1, DNS: &activity.DNS{}}
	var list []wire.Entry
	for n > 0 {
		b := *a
		b.DNS = &activity.DNS{Question: text(200)}
		n -= 150 // four letters are three bytes
		list = append(list, wire.Entry{Activity: &b})
	}
	return list
}

func mustAppend(t testing.TB, s *Spool, entries []wire.Entry) uint64 {
	t.Helper()
	seq, err := s.Append(entries)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// rest reads the batches after a sequence.
func rest(t testing.TB, s *Spool, after uint64) (list []*wire.Batch) {
	t.Helper()
	for {
		seq, b, err := s.after(after)
		if err != nil {
			t.Fatal(err)
		}
		if seq == 0 {
			return list
		}
		batch, err := wire.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if batch.Sequence != seq || batch.Spool != s.ID() {
			t.Errorf("batch %d of spool %d is kept as %d of %d", batch.Sequence, batch.Spool, seq, s.ID())
		}
		list = append(list, batch)
		after = seq
	}
}

func TestSpoolKeepsWhatIsAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openSpool(t, path, 0)
	id := s.ID()
	if id == 0 {
		t.Error("the spool has no identity")
	}
	for i := range 5 {
		if seq := mustAppend(t, s, progress(1+10*i, 10)); seq != uint64(i+1) {
			t.Errorf("batch %d has sequence %d", i+1, seq)
		}
	}
	if err := s.MarkAcked(2); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"as it was appended", "after closing"} {
		if st := s.Status(); st.Batches != 3 || st.Bytes <= 0 || st.Lost != 0 || s.Stated() != 50 || s.ID() != id || s.Acked() != 2 {
			t.Errorf("%s: status %+v, %d stated, %d acknowledged", want, st, s.Stated(), s.Acked())
		}
		var got []wire.Entry
		for _, b := range rest(t, s, s.Acked()) {
			got = append(got, b.Entries...)
		}
		if !reflect.DeepEqual(got, progress(21, 30)) {
			t.Errorf("%s: unsent is %v", want, got)
		}
		if n := len(rest(t, s, 0)); n != 5 {
			t.Errorf("%s: %d batches kept, want those acknowledged just now too", want, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openSpool(t, path, 0)
	}
	s.Close()
}

func TestSpoolResumes(t *testing.T) {
	s := openSpool(t, filepath.Join(t.TempDir(), "spool.db"), 0)
	defer s.Close()
	for i := range 6 {
		mustAppend(t, s, progress(1+i, 1))
	}
	s.MarkAcked(4)
	bytes := s.Status().Bytes
	// The center was restored from a backup.
	if err := s.Resume(1); err != nil || s.Acked() != 1 || s.Status().Batches != 5 {
		t.Errorf("%v: unsent after going back %+v", err, s.Status())
	}
	// Its answers were lost before.
	if err := s.Resume(4); err != nil || s.Acked() != 4 || s.Status().Batches != 2 || s.Status().Bytes != bytes {
		t.Errorf("%v: unsent after going on %+v, want %d bytes", err, s.Status(), bytes)
	}
	// The sensor's disk was restored: the center knows sequences that the spool
	// has not come to. What is unsent must not pass for repeats of them.
	id, stated := s.ID(), s.Stated()
	if err := s.Resume(9); err != nil {
		t.Fatal(err)
	}
	got := rest(t, s, s.Acked())
	if s.ID() == id || s.Acked() != 0 || s.Stated() != stated || s.Status().Batches != 2 || len(got) != 2 || len(rest(t, s, 0)) != 2 {
		t.Fatalf("spool %d → %d, %d acknowledged, %+v", id, s.ID(), s.Acked(), s.Status())
	}
	if !reflect.DeepEqual(append(got[0].Entries, got[1].Entries...), progress(5, 2)) || got[0].Sequence != 1 || got[1].Sequence != 2 {
		t.Errorf("renumbered to %v, %v", got[0], got[1])
	}
	if seq := mustAppend(t, s, progress(7, 1)); seq != 3 {
		t.Errorf("the next batch has sequence %d", seq)
	}
}

func TestSpoolForgetsWhatWasStoredLongAgo(t *testing.T) {
	s := openSpool(t, filepath.Join(t.TempDir(), "spool.db"), 0)
	defer s.Close()
	for i := range 4 {
		mustAppend(t, s, progress(1+i, 1))
	}
	s.MarkAcked(3)
	now := time.Now()
	s.aged(now.Add(markEvery))
	if seq := s.aged(now.Add(wire.KeepSent - time.Second)); seq != 0 {
		t.Errorf("up to %d forgotten before its time", seq)
	}
	if seq := s.aged(now.Add(wire.KeepSent + markEvery + time.Second)); seq != 3 {
		t.Errorf("up to %d forgotten after its time, want 3", seq)
	}
	s.marks = []mark{{3, now.Add(-wire.KeepSent - time.Second)}}
	mustAppend(t, s, progress(5, 1))
	if got := rest(t, s, 0); len(got) != 2 || got[0].Sequence != 4 || s.kept != 0 {
		t.Errorf("%d batches left and %d bytes of sent ones", len(got), s.kept)
	}
	// A clock that is acknowledged all the time is forgotten all the same.
	for i := range 100 {
		s.state.Acked = uint64(i)
		s.mark(now.Add(time.Duration(i) * time.Second))
	}
	if n := len(s.marks); n < 9 || n > 12 {
		t.Errorf("%d marks for 100 s, want one in %s", n, markEvery)
	}
}

func TestFullSpoolDropsTheOldest(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openSpool(t, path, MinLimit)
	defer s.Close()
	for range 10 {
		mustAppend(t, s, bulky(60<<10))
	}
	s.MarkAcked(10)
	kept := s.kept
	for range 28 {
		mustAppend(t, s, bulky(60<<10))
	}
	if st := s.Status(); st.Lost != 0 || st.Batches != 28 || s.kept >= kept {
		t.Fatalf("%+v and %d bytes of sent ones: sent ones go first", st, s.kept)
	}
	for range 40 {
		mustAppend(t, s, bulky(60<<10))
	}
	st := s.Status()
	if st.Lost == 0 || st.Lost+st.Batches != 68 || st.Bytes > MinLimit || s.kept != 0 {
		t.Errorf("after 68 unsent: %+v, %d bytes of sent ones", st, s.kept)
	}
	list := rest(t, s, s.Acked())
	if len(list) != int(st.Batches) || list[0].Sequence != 10+uint64(st.Lost)+1 || list[len(list)-1].Sequence != 78 {
		t.Errorf("%d batches from %d to %d, want the newest", len(list), list[0].Sequence, list[len(list)-1].Sequence)
	}
	for range 150 {
		mustAppend(t, s, bulky(60<<10))
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 4*MinLimit {
		t.Errorf("the file has %d bytes with a limit of %d", info.Size(), MinLimit)
	}
	t.Logf("limit %d, file %d", MinLimit, info.Size())
}

func TestSpoolShrinks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openSpool(t, path, DefaultLimit)
	defer func() { s.Close() }()
	for range 100 {
		mustAppend(t, s, bulky(300<<10))
	}
	large, _ := os.Stat(path)
	s.MarkAcked(98)
	s.marks = []mark{{97, time.Now().Add(-wire.KeepSent - time.Second)}}
	want := []uint64{98, 99, 100, 101, 102}
	mustAppend(t, s, progress(1, 1))
	mustAppend(t, s, progress(2, 1))
	for range 2 {
		var got []uint64
		for _, b := range rest(t, s, 0) {
			got = append(got, b.Sequence)
		}
		if !reflect.DeepEqual(got, want) || s.Status().Batches != 4 || s.Acked() != 98 {
			t.Errorf("left are %v, %+v", got, s.Status())
		}
		s.Close()
		s = openSpool(t, path, DefaultLimit)
	}
	if small, _ := os.Stat(path); small.Size() > large.Size()/8 || large.Size() < leastShrunk {
		t.Errorf("from %d to %d bytes", large.Size(), small.Size())
	}
	if exists(filepath.Dir(path), "spool.db.small") {
		t.Error("the copy is left")
	}
}

func TestFilesWaitForRoom(t *testing.T) {
	t.Parallel()
	s := openSpool(t, filepath.Join(t.TempDir(), "spool.db"), MinLimit)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	appended := make(chan error)
	go func() {
		for range 60 {
			_, err := s.AppendWait(ctx, bulky(60<<10))
			appended <- err
		}
		close(appended)
	}()
	n := 0
	count := func() bool {
		select {
		case err, ok := <-appended:
			if err != nil {
				t.Fatal(err)
			}
			n++
			return ok
		case <-time.After(300 * time.Millisecond):
			return false
		}
	}
	for count() {
	}
	if n == 0 || n >= 60 {
		t.Fatalf("%d appended without any acknowledged", n)
	}
	for seq := uint64(1); seq <= 60; seq++ {
		got, _, err := s.Next(ctx, s.Acked())
		if err != nil || got != seq {
			t.Fatalf("batch %d, want %d: %v", got, seq, err)
		}
		s.MarkAcked(seq)
		for count() && n < 60 && int64(n) < int64(seq)+30 {
		}
	}
	if st := s.Status(); st.Lost != 0 || st.Batches != 0 || s.Stated() == 0 {
		t.Errorf("%+v", st)
	}
	// Waiting ends with its context.
	for {
		short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		_, err := s.AppendWait(short, bulky(200<<10))
		stop()
		if errors.Is(err, context.DeadlineExceeded) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpoolIsOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openSpool(t, path, 0)
	defer s.Close()
	mustAppend(t, s, progress(1, 1))
	if _, err := OpenSpool(path, 0, quiet()); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opened twice: %v", err)
	}
	if len(rest(t, s, 0)) != 1 {
		t.Error("the one that was there is disturbed")
	}
}

// TestDamagedSpool: whatever became of the file, the sensor goes on.
func TestDamagedSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	s := openSpool(t, good, 0)
	for i := range 300 {
		if i%10 == 0 {
			mustAppend(t, s, bulky(40<<10))
		} else {
			mustAppend(t, s, progress(1+i, 1))
		}
	}
	s.Close()
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]func([]byte) []byte{
		"no spool":    func([]byte) []byte { return []byte(strings.Repeat("this is a letter to my mother\n", 1000)) },
		"a few bytes": func([]byte) []byte { return []byte("oops") },
		"zeros":       func(b []byte) []byte { return make([]byte, len(b)) },
		"cut":         func(b []byte) []byte { return b[:len(b)/3] },
		"cut short":   func(b []byte) []byte { return b[:8192] },
	}
	for name, f := range damage {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "spool.db")
			if err := os.WriteFile(path, f(bytes.Clone(data)), 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s, err := OpenSpool(path, 0, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if !strings.Contains(log.String(), "set aside") || !exists(filepath.Dir(path), "spool.db.damaged") {
				t.Errorf("not set aside: %q", log.String())
			}
			if s.Stated() != 0 || s.Status().Batches != 0 {
				t.Errorf("a new spool holds %+v", s.Status())
			}
			mustAppend(t, s, progress(1, 1))
		})
	}
	// Bytes turned anywhere: whether that is found when it is opened or when it
	// is read, nobody crashes, and what is sent is what was stated.
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		b := bytes.Clone(data)
		for range 1 + random.IntN(20) {
			b[random.IntN(len(b))] ^= byte(1 + random.IntN(255))
		}
		if i%3 == 0 { // the structure, which random places seldom hit
			for page := range len(b) / 4096 {
				if random.IntN(20) == 0 {
					b[page*4096+random.IntN(64)] ^= byte(1 + random.IntN(255))
				}
			}
		}
		path := filepath.Join(dir, "turned.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSpool(path, 0, quiet())
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		after := uint64(0)
		for {
			seq, batch, err := s.after(after)
			if err != nil {
				t.Logf("%d: reading: %v", i, err)
				break
			}
			if seq == 0 {
				break
			}
			if _, err := wire.Decode(batch); err != nil {
				t.Errorf("%d: a damaged batch was handed out: %v", i, err)
			}
			after = seq
		}
		_, err = s.Append(progress(1, 1))
		if err != nil {
			t.Logf("%d: appending: %v", i, err)
		}
		s.Close()
		if err != nil { // then the next start works
			s = openSpool(t, path, 0)
			mustAppend(t, s, progress(1, 1))
			s.Close()
		}
	}
}

func TestDamagedBatchIsDroppedAndCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openSpool(t, path, 0)
	for i := range 3 {
		mustAppend(t, s, bulky(10<<10*(1+i)))
	}
	_, second, err := s.after(1)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; ; { // every copy that is left on free pages too
		i := bytes.Index(data[at:], second)
		if i < 0 {
			break
		}
		at += i + len(second)/2
		data[at] ^= 1
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, path, 0)
	defer s.Close()
	seq, _, err := s.Next(context.Background(), 1)
	if err != nil || seq != 3 || s.Status().Lost != 1 || s.Status().Batches != 2 {
		t.Errorf("after 1 comes %d, %+v: %v", seq, s.Status(), err)
	}
}

func TestReplayIsTakenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openSpool(t, path, 0)
	begin := func(r Replay, again bool) Replay {
		t.Helper()
		got, err := s.BeginReplay(r, again)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := Replay{Inputs: "a", Version: "1", Started: 100}
	if got := begin(first, false); got != first {
		t.Errorf("a new replay is %+v", got)
	}
	mustAppend(t, s, progress(1, 7))
	s.Close()
	s = openSpool(t, path, 0)
	defer func() { s.Close() }()
	if got := begin(Replay{Inputs: "a", Version: "1", Started: 200}, false); got != first || s.Stated() != 7 {
		t.Errorf("taken up as %+v with %d stated", got, s.Stated())
	}
	// Another version may state other things of the same files.
	if got := begin(Replay{Inputs: "a", Version: "2", Started: 300}, false); got.Started != 300 || s.Stated() != 0 {
		t.Errorf("another version takes up %+v with %d stated", got, s.Stated())
	}
	mustAppend(t, s, progress(1, 3))
	if err := s.EndReplay(); err != nil {
		t.Fatal(err)
	}
	if got := begin(Replay{Inputs: "a", Version: "3", Started: 400}, false); !got.Done || s.Stated() != 3 {
		t.Errorf("what is done is %+v", got)
	}
	if got := begin(Replay{Inputs: "a", Version: "3", Started: 500}, true); got.Done || s.Stated() != 0 {
		t.Errorf("again is %+v", got)
	}
	mustAppend(t, s, progress(1, 3))
	if got := begin(Replay{Inputs: "b", Version: "3", Started: 600}, false); got.Inputs != "b" || s.Stated() != 0 {
		t.Errorf("other files are %+v with %d stated", got, s.Stated())
	}
	if s.Status().Batches != 3 {
		t.Errorf("what was not sent went away: %+v", s.Status())
	}
}
