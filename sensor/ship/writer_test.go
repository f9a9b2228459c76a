package ship

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
)

func TestWriterClosesBatches(t *testing.T) {
	s := openSpool(t, filepath.Join(t.TempDir(), "spool.db"), 0)
	defer s.Close()
	w := NewWriter(context.Background(), s, false, quiet())
	next := func(after uint64) *wire.Batch {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, b, err := s.Next(ctx, after)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := wire.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		return batch
	}
	w.Emit(bulky(100)[0])
	if b := next(0); len(b.Entries) != 1 { // for its age: nothing follows
		t.Errorf("the first batch has %d entries", len(b.Entries))
	}
	size := 0
	for _, e := range bulky(200 << 10) {
		size += len(wire.AppendActivity(nil, e.Activity))
		w.Emit(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Status().Batches, int64(size/batchSize)+2; got != want {
		t.Errorf("%d bytes are in %d batches, want %d", size, got, want)
	}
	if entries, unfit := w.Dropped(); entries+unfit != 0 {
		t.Errorf("%d and %d dropped", entries, unfit)
	}
}

func TestProgressClosesBatch(t *testing.T) {
	for _, wait := range []bool{false, true} {
		w := &Writer{wait: wait, ctx: context.Background(), wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
		taken := func() int {
			b, _, _ := w.take()
			if b == nil {
				return 0
			}
			return len(b.list)
		}
		for _, e := range bulky(1000) {
			w.Emit(e)
		}
		if n := taken(); n != 0 {
			t.Errorf("activities alone make a batch of %d at once", n)
		}
		w.Emit(progress(1, 1)[0])
		if n := taken(); (n == 0) != wait {
			t.Errorf("with wait %t a progress makes a batch of %d", wait, n)
		}
	}
}

func TestWriterSkipsWhatTheSpoolHas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	for n := 10; n <= 50; n += 20 {
		s := openSpool(t, path, 0)
		w := NewWriter(context.Background(), s, true, quiet())
		for _, e := range progress(1, n) {
			if err := w.Emit(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var got []wire.Entry
		for _, b := range rest(t, s, 0) {
			got = append(got, b.Entries...)
		}
		if len(got) != n || got[n-1].Progress != activity.Time(n) {
			t.Errorf("%d statements after %d were stated", len(got), n)
		}
		s.Close()
	}
}

// fill lets the disk under a spool be full, or no longer.
func fill(s *Spool, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db.MaxSize = 0
	if full {
		s.db.MaxSize = 1 // bbolt refuses to let the file grow, as the disk would
	}
}

func TestFullDiskLive(t *testing.T) {
	t.Parallel()
	s := openSpool(t, filepath.Join(t.TempDir(), "spool.db"), 0)
	defer s.Close()
	w := NewWriter(context.Background(), s, false, quiet())
	fill(s, true)
	emitted := int64(0)
	emit := func() {
		t.Helper()
		for _, e := range bulky(100 << 10) {
			if err := w.Emit(e); err != nil {
				t.Fatal(err)
			}
			emitted++
		}
	}
	for range 200 { // 20 MB, without waiting for anything
		emit()
	}
	dropped, _ := w.Dropped()
	w.mu.Lock()
	waiting := w.waiting
	w.mu.Unlock()
	if dropped == 0 || waiting > maxWaiting {
		t.Errorf("%d dropped, %d bytes wait", dropped, waiting)
	}
	fill(s, false)
	for end := time.Now().Add(20 * time.Second); s.Stated() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not go on")
		}
	}
	emit()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dropped, unfit := w.Dropped()
	if got := int64(s.Stated()); got+dropped != emitted || unfit != 0 {
		t.Errorf("%d stated and %d dropped of %d", got, dropped, emitted)
	}
}

func TestFullDiskFiles(t *testing.T) {
	t.Parallel()
	s := openSpool(t, filepath.Join(t.TempDir(), "spool.db"), DefaultLimit)
	defer s.Close()
	w := NewWriter(context.Background(), s, true, quiet())
	fill(s, true)
	list := bulky(20 << 20)
	done := make(chan error, 1)
	go func() {
		for _, e := range list {
			if err := w.Emit(e); err != nil {
				done <- err
				return
			}
		}
		done <- w.Close()
	}()
	select {
	case err := <-done:
		t.Fatalf("20 MB went somewhere: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	fill(s, false)
	select {
	case err := <-done:
		if err != nil || s.Stated() != uint64(len(list)) {
			t.Errorf("%d of %d stated: %v", s.Stated(), len(list), err)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not go on: %d of %d, %+v", s.Stated(), len(list), s.Status())
	}
	// Told to stop, it does not wait for the disk.
	ctx, cancel := context.WithCancel(context.Background())
	fill(s, true)
	w = NewWriter(ctx, s, true, quiet())
	w.skip = 0
	for _, e := range bulky(1 << 20) {
		w.Emit(e)
	}
	time.AfterFunc(100*time.Millisecond, cancel)
	if err := w.Close(); !errors.Is(err, context.Canceled) {
		t.Errorf("closing with a full disk: %v", err)
	}
	fill(s, false)
}

// TestDamageEndsWriter: a sensor whose spool is beyond use ends, and the next
// start has a new one.
func TestDamageEndsWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	s := openSpool(t, path, 0)
	mustAppend(t, s, progress(1, 1))
	if err := s.guarded(func() error { panic("page 3: oops") }); !errors.Is(err, errDamaged) {
		t.Fatal(err)
	}
	s.db.Close() // what is there no longer works
	s.db = nil
	w := NewWriter(context.Background(), s, false, quiet())
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err := w.Emit(progress(1, 1)[0]); errors.Is(err, errDamaged) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the writer goes on")
		}
	}
	if err := w.Close(); !errors.Is(err, errDamaged) {
		t.Errorf("closed with %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = openSpool(t, path, 0)
	defer s.Close()
	if s.Status().Batches != 0 || !exists(filepath.Dir(path), "spool.db.damaged") {
		t.Error("the damaged spool is still there")
	}
}

// TestUnfitActivity: what no batch can hold does not stop the rest, nor the
// counting.
func TestUnfitActivity(t *testing.T) {
	s := openSpool(t, filepath.Join(t.TempDir(), "spool.db"), 0)
	defer s.Close()
	list := append(progress(1, 2), wire.Entry{Activity: &activity.Activity{Kind: activity.DNSQuery}})
	list = append(list, progress(3, 2)...)
	for i, wait := range []bool{true, false} {
		w := NewWriter(context.Background(), s, wait, quiet())
		w.skip = 0
		before := s.Stated()
		for _, e := range list {
			w.Emit(e)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, unfit := w.Dropped(); unfit != 1 {
			t.Errorf("%d unfit", unfit)
		}
		if got := s.Stated() - before; got != []uint64{5, 4}[i] {
			t.Errorf("waiting %t: %d stated", wait, got)
		}
	}
}
