package api

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/verderer/verderer/center/store"
)

func TestLimiter(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := newLimiter(10*time.Second, 3, func() time.Time { return now })
	for n := range 5 {
		if got := l.allow("a"); got != (n < 3) {
			t.Errorf("try %d: %v", n, got)
		}
	}
	now = now.Add(10*time.Second - 1)
	if l.allow("a") {
		t.Error("one more came too early")
	}
	now = now.Add(1)
	if !l.allow("a") || l.allow("a") {
		t.Error("one more comes after 10 s, and no two")
	}
	if !l.allow("b") {
		t.Error("another key is not counted by itself")
	}

	// Full: further keys share what one may do.
	now = now.Add(time.Hour)
	for n := range maxKeys {
		l.allow(fmt.Sprint(n))
	}
	allowed := 0
	for n := range 1000 {
		if l.allow(fmt.Sprint("more", n)) {
			allowed++
		}
	}
	if len(l.keys) > maxKeys || allowed > 10 {
		t.Errorf("%d keys, %d newcomers allowed", len(l.keys), allowed)
	}
	// And are counted by themselves again when there is room.
	now = now.Add(time.Hour)
	if !l.allow("x") || len(l.keys) != 1 {
		t.Errorf("%d keys are kept", len(l.keys))
	}
}

func TestClient(t *testing.T) {
	for remote, want := range map[string]string{
		"10.0.0.1:1234":             "10.0.0.1",
		"[::ffff:10.0.0.1]:1":       "10.0.0.1",
		"[2001:db8:1:2:3:4:5:6]:1":  "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1":          "fe80::/64",
		"[2001:db8:1:2:ffff::6]:99": "2001:db8:1:2::/64",
		"pipe":                      "pipe",
	} {
		if got := client(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

// TestEndedSessionsStayEnded: a request that was under way when somebody logged
// out prolongs the session, and must not bring it back.
func TestEndedSessionsStayEnded(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "center.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sessions := newSessions(s.Sessions(), slog.New(slog.DiscardHandler))
	ctx := func(token string) context.Context {
		c, err := sessions.Load(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	login := ctx("")
	sessions.Put(login, userKey, "ada")
	token, _, err := sessions.Commit(login)
	if err != nil {
		t.Fatal(err)
	}
	underWay, logout := ctx(token), ctx(token)
	if sessions.GetString(underWay, userKey) != "ada" {
		t.Fatal("no session")
	}
	if err := sessions.Destroy(logout); err != nil {
		t.Fatal(err)
	}
	if _, _, err := sessions.Commit(underWay); err != nil {
		t.Fatal(err)
	}
	if got := sessions.GetString(ctx(token), userKey); got != "" {
		t.Errorf("%q is logged in again", got)
	}
}
