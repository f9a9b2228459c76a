package ship_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/sensor/ship"
	"github.com/verderer/verderer/sensor/ship/shiptest"
)

// eventually waits until f is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// memoryLog is a log that tests read.
type memoryLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *memoryLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *memoryLog) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), s)
}

// sensor is an enrolled one with its spool.
type sensor struct {
	t      testing.TB
	dir    string
	center *shiptest.Center
	spool  *ship.Spool
	log    memoryLog
	keys   chan []wire.TagKey

	ackTimeout time.Duration

	stop context.CancelFunc
	done chan error
}

func enrolled(t testing.TB, c *shiptest.Center) *sensor {
	t.Helper()
	s := &sensor{t: t, dir: filepath.Join(t.TempDir(), "state"), center: c, keys: make(chan []wire.TagKey, 100)}
	if _, err := ship.Enrol(context.Background(), ship.Enrolment{State: s.dir, Center: c.Enrol.URL, Key: c.Key(), Name: "dc1"}); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(s.end)
	return s
}

func (s *sensor) start() {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(&s.log, nil))
	id, err := ship.OpenIdentity(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.spool, err = ship.OpenSpool(ship.SpoolPath(s.dir), 0, log); err != nil {
		s.t.Fatal(err)
	}
	sender := ship.Sender{Identity: id, Spool: s.spool, Log: log, Version: "test",
		Status:  func() wire.Status { return wire.Status{Packets: 7, Sources: []string{"interface test"}} },
		TagKeys: func(k []wire.TagKey) { s.keys <- k },
	}
	sender.SetAckTimeout(s.ackTimeout)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.done = cancel, make(chan error, 1)
	go func() { s.done <- sender.Run(ctx) }()
}

func (s *sensor) end() {
	s.t.Helper()
	if s.stop == nil {
		return
	}
	s.stop()
	if err := <-s.done; err != nil {
		s.t.Error(err)
	}
	if err := s.spool.Close(); err != nil {
		s.t.Error(err)
	}
	s.stop = nil
}

// state appends n batches that count on from a number.
func (s *sensor) state(from, n int) {
	s.t.Helper()
	for i := range n {
		if _, err := s.spool.Append([]wire.Entry{{Progress: activity.Time(from + i)}}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sensor) drained() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := s.spool.Drained(ctx); err != nil {
		s.t.Fatalf("%v: %+v are left; the log: %s", err, s.spool.Status(), s.log.b.String())
	}
}

// want compares what the center has with 1 to n, in order.
func (s *sensor) want(n int) {
	s.t.Helper()
	var want []wire.Entry
	for i := range n {
		want = append(want, wire.Entry{Progress: activity.Time(1 + i)})
	}
	if got := s.center.Entries(); !reflect.DeepEqual(got, want) {
		s.t.Errorf("the center has %d statements, want 1 to %d once each, in order: %v", len(got), n, got)
	}
	if v := s.center.Violations(); len(v) > 0 {
		s.t.Errorf("sent what no sensor may: %v", v)
	}
}

func TestSenderBringsEverything(t *testing.T) {
	c := shiptest.NewCenter(t)
	c.Set(func(c *shiptest.Center) {
		c.Welcome = func(w *wire.Welcome) {
			w.TagKeys = []wire.TagKey{{Day: "2026-01-02", Key: []byte("key")}}
			w.Now = w.Now.Add(time.Minute)
		}
	})
	s := enrolled(t, c)
	s.state(1, 50)
	s.drained()
	s.want(50)
	if c.Came() != 50 {
		t.Errorf("%d batches came for 50", c.Came())
	}
	h := c.Hellos()
	if len(h) != 1 || h[0].Protocol != wire.Version || h[0].Spool != s.spool.ID() || h[0].OS != ship.Platform() || h[0].Version != "test" {
		t.Errorf("it said %+v", h)
	}
	if k := <-s.keys; len(k) != 1 || k[0].Day != "2026-01-02" {
		t.Errorf("keys of tags: %v", k)
	}
	eventually(t, "the status came", func() bool { return len(c.Statuses()) > 0 })
	if st := c.Statuses()[0]; st.Packets != 7 || st.Now == 0 || st.Spool.Limit == 0 {
		t.Errorf("status %+v", st)
	}
	if !s.log.has("clocks") {
		t.Error("a minute between the clocks is not logged")
	}
}

// TestCopyOfASensor: of two sensors with the same state folder, as on machines
// made from one image, neither loses what the other sends under its numbers.
func TestCopyOfASensor(t *testing.T) {
	c := shiptest.NewCenter(t)
	a := enrolled(t, c)
	a.state(1, 5)
	a.drained()
	a.end()
	b := &sensor{t: t, dir: filepath.Join(t.TempDir(), "state"), center: c, keys: make(chan []wire.TagKey, 100)}
	if err := os.CopyFS(b.dir, os.DirFS(a.dir)); err != nil {
		t.Fatal(err)
	}
	a.start()
	b.start()
	t.Cleanup(b.end)
	eventually(t, "both are welcome", func() bool { return len(c.Hellos()) == 3 })
	a.state(6, 10)
	a.drained()
	b.state(16, 3) // under sequences that are in use
	b.drained()
	a.want(18)
	if a.spool.ID() == b.spool.ID() || !b.log.has("copy of its state folder") {
		t.Error("they go on under one identity")
	}
}

// TestSenderThroughTrouble: whatever the center does to batches and connections,
// it has everything in the end, once and in order.
func TestSenderThroughTrouble(t *testing.T) {
	for _, f := range []struct {
		name string
		fate shiptest.Fate
	}{{"cut after storing", shiptest.Cut}, {"cut before storing", shiptest.CutBefore}} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			c := shiptest.NewCenter(t)
			c.Set(func(c *shiptest.Center) {
				c.Batch = func(n int, _ *wire.Batch) shiptest.Fate {
					if n%4 == 2 && n < 14 {
						return f.fate
					}
					return shiptest.Store
				}
			})
			s := enrolled(t, c)
			s.state(1, 20)
			s.drained()
			s.want(20)
			if n := len(c.Hellos()); n < 3 {
				t.Errorf("%d Hellos for as many connections", n)
			}
		})
	}
	t.Run("hold", func(t *testing.T) {
		t.Parallel()
		c := shiptest.NewCenter(t)
		c.Set(func(c *shiptest.Center) {
			c.Batch = func(n int, _ *wire.Batch) shiptest.Fate {
				if n == 2 {
					return shiptest.Hold
				}
				return shiptest.Store
			}
		})
		s := enrolled(t, c)
		s.state(1, 5)
		s.drained()
		s.want(5)
		if !s.log.has("the disk is full") || c.Came() != 6 {
			t.Errorf("%d batches came; the log: %s", c.Came(), s.log.b.String())
		}
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		c := shiptest.NewCenter(t)
		c.Set(func(c *shiptest.Center) {
			c.Batch = func(n int, b *wire.Batch) shiptest.Fate {
				if b.Sequence == 3 {
					return shiptest.Refuse
				}
				return shiptest.Store
			}
		})
		s := enrolled(t, c)
		s.state(1, 5)
		s.drained()
		if got := c.Entries(); len(got) != 4 || got[2].Progress != 4 || s.spool.Refused() != 1 {
			t.Errorf("%v are there, %d refused", got, s.spool.Refused())
		}
	})
	t.Run("center down", func(t *testing.T) {
		t.Parallel()
		c := shiptest.NewCenter(t)
		s := enrolled(t, c)
		s.state(1, 5)
		s.drained()
		c.Stop()
		s.state(6, 5)
		eventually(t, "the sensor noticed", func() bool { return s.log.has("Not connected") })
		c.Start()
		s.state(11, 5)
		s.drained()
		s.want(15)
	})
	t.Run("sensor restarted", func(t *testing.T) {
		t.Parallel()
		c := shiptest.NewCenter(t)
		s := enrolled(t, c)
		for i := range 10 {
			s.state(1+10*i, 10)
			s.end()
			s.start()
		}
		s.drained()
		s.want(100)
	})
	t.Run("center restored from a backup", func(t *testing.T) {
		t.Parallel()
		c := shiptest.NewCenter(t)
		s := enrolled(t, c)
		s.state(1, 30)
		s.drained()
		c.Stop()
		c.Forget(12)
		c.Start()
		s.state(31, 1)
		eventually(t, "what it forgot was sent again", func() bool { return len(c.Entries()) == 31 })
		s.want(31)
	})
}

func TestAnswersLost(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	c.Set(func(c *shiptest.Center) {
		c.Batch = func(n int, _ *wire.Batch) shiptest.Fate {
			switch n {
			case 2:
				return shiptest.LoseAck
			case 5:
				return shiptest.Lose
			}
			return shiptest.Store
		}
	})
	s := enrolled(t, c)
	s.end()
	s.ackTimeout = 500 * time.Millisecond
	s.start()
	s.state(1, 8)
	s.drained()
	s.want(8)
	if c.Came() != 10 || len(c.Hellos()) > 2 {
		t.Errorf("%d batches came, on %d connections", c.Came(), len(c.Hellos()))
	}
}

func TestRefusedSensorGoesOnAsking(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	var mu sync.Mutex
	refused := "upgrade me"
	c.Set(func(c *shiptest.Center) {
		c.Welcome = func(w *wire.Welcome) {
			mu.Lock()
			defer mu.Unlock()
			w.Refused = refused
		}
	})
	s := enrolled(t, c)
	s.state(1, 3)
	eventually(t, "the reason is in the log", func() bool { return s.log.has("upgrade me") })
	if c.Came() > 0 {
		t.Error("a refused sensor sends")
	}
	mu.Lock()
	refused = ""
	mu.Unlock()
	s.drained()
	s.want(3)
}

func TestRevokedSensorSaysSo(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	s := enrolled(t, c)
	s.state(1, 1)
	s.drained()
	c.Revoke()
	c.Cut()
	eventually(t, "the log says what to do", func() bool { return s.log.has("enrol it again") })
}

func TestCertificateIsRenewed(t *testing.T) {
	c := shiptest.NewCenter(t)
	c.Set(func(c *shiptest.Center) { c.Life = 30 * time.Minute })
	var once sync.Once
	c.Set(func(c *shiptest.Center) { c.Welcome = func(w *wire.Welcome) { once.Do(func() { w.Renew = true }) } })
	s := enrolled(t, c)
	eventually(t, "the new certificate was shown", func() bool { n := c.Serials(); return len(n) > 1 && n[len(n)-1] != n[0] })
	s.state(1, 5)
	s.drained()
	s.want(5)
	s.end()
	for _, name := range []string{"key-new.pem", "cert-new.pem"} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	serials := c.Serials()
	s.start()
	s.state(6, 1)
	s.drained()
	if got := c.Serials(); got[len(got)-1] != serials[len(serials)-1] {
		t.Error("after a restart the old certificate is shown")
	}
}

func TestNewCertificateDoesNotWork(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	c.Set(func(c *shiptest.Center) { c.RenewInVain = true })
	var once sync.Once
	c.Set(func(c *shiptest.Center) { c.Welcome = func(w *wire.Welcome) { once.Do(func() { w.Renew = true }) } })
	s := enrolled(t, c)
	eventually(t, "the new one was shown", func() bool { n := c.Serials(); return len(n) > 1 && n[len(n)-1] != n[0] })
	s.state(1, 2)
	s.drained()
	s.want(2)
	s.end()
	s.start()
	s.state(3, 1)
	s.drained()
	if n := c.Serials(); n[len(n)-1] != n[0] {
		t.Error("after a restart another certificate than the one that works is shown")
	}
}

// TestForeignCertificateSaysSo: the certificate is of another center, such as
// the one that was here before.
func TestForeignCertificateSaysSo(t *testing.T) {
	t.Parallel()
	c, before := shiptest.NewCenter(t), enrolled(t, shiptest.NewCenter(t))
	before.end()
	s := enrolled(t, c)
	s.end()
	for _, name := range []string{"key.pem", "cert.pem"} {
		b, err := os.ReadFile(filepath.Join(before.dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	id, err := ship.OpenIdentity(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	// Several times: how the connection ends is a matter of chance.
	for range 10 {
		err := ship.CheckCenter(context.Background(), id, wire.Hello{}, func(string) {})
		if err == nil || !strings.Contains(err.Error(), "the center hung up when it saw this sensor's certificate") || !strings.Contains(err.Error(), "--force") {
			t.Errorf("it says %v", err)
		}
	}
}

func TestExpiredCertificateSaysSo(t *testing.T) {
	t.Parallel()
	c := shiptest.NewCenter(t)
	c.Set(func(c *shiptest.Center) { c.Life = 2 * time.Second })
	s := enrolled(t, c)
	time.Sleep(3 * time.Second)
	s.end()
	s.start()
	eventually(t, "the log says what to do", func() bool { return s.log.has("expired on") && s.log.has("--force") })
}

// TestManyTroublesAtOnce mixes them by chance, while statements come.
func TestManyTroublesAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	t.Parallel()
	c := shiptest.NewCenter(t)
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(3, 4))
	c.Set(func(c *shiptest.Center) {
		c.Batch = func(n int, _ *wire.Batch) shiptest.Fate {
			mu.Lock()
			defer mu.Unlock()
			if n < 60 && chance.IntN(6) == 0 {
				return []shiptest.Fate{shiptest.Cut, shiptest.CutBefore}[chance.IntN(2)]
			}
			return shiptest.Store
		}
	})
	s := enrolled(t, c)
	log := slog.New(slog.DiscardHandler)
	const n = 200
	w := ship.NewWriter(context.Background(), s.spool, true, log)
	for i := range n {
		if err := w.Emit(wire.Entry{Progress: activity.Time(1 + i)}); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
		if i == n/2 {
			c.Stop()
			c.Start()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.drained()
	s.want(n)
}

func TestCheckCenter(t *testing.T) {
	c := shiptest.NewCenter(t)
	s := enrolled(t, c)
	s.end()
	id, err := ship.OpenIdentity(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	err = ship.CheckCenter(context.Background(), id, wire.Hello{}, func(s string) { said = append(said, s) })
	if err != nil || !strings.Contains(fmt.Sprint(said), "welcomes") || !strings.Contains(fmt.Sprint(said), "TLS 1.3") {
		t.Errorf("%v: %q", err, said)
	}
	c.Set(func(c *shiptest.Center) { c.Welcome = func(w *wire.Welcome) { w.Refused = "not today\x1b[2J" } })
	if err = ship.CheckCenter(context.Background(), id, wire.Hello{}, func(string) {}); err == nil || !strings.Contains(err.Error(), "not today") || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("a refusal is told as %v", err)
	}
	c.Stop()
	if err = ship.CheckCenter(context.Background(), id, wire.Hello{}, func(string) {}); err == nil || !strings.Contains(err.Error(), "connecting to the center") {
		t.Errorf("a center that is down is told as %v", err)
	}
}
