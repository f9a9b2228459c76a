package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	// cookieName has the prefix that binds a cookie to this host, port aside,
	// over HTTPS: no neighbour in the domain can set it.
	cookieName = "__Host-verderer"

	idle     = time.Hour      // a session without a request ends
	absolute = 12 * time.Hour // and so does every one: a shift
)

func newSessions(store scs.CtxStore, log *slog.Logger) *scs.SessionManager {
	m := scs.New()
	m.IdleTimeout, m.Lifetime = idle, absolute
	m.Cookie = scs.SessionCookie{Name: cookieName, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode}
	m.Store = &sessionStore{CtxStore: store, log: log, idle: func() time.Duration { return m.IdleTimeout },
		prolonged: make(map[string]time.Time), ended: make(map[string]time.Time)}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		log.Error("reading or writing a session went wrong", "error", err)
		writeProblem(w, errInternal)
	}
	return m
}

// sessionStore is the store of sessions with what scs leaves open: a request
// that was under way when its session ended does not bring it back, not every
// request costs a write, and a full disk does not end the sessions of those who
// come to see why.
type sessionStore struct {
	scs.CtxStore
	log  *slog.Logger
	idle func() time.Duration

	mu        sync.Mutex
	prolonged map[string]time.Time // when a session was last written; swept when large
	ended     map[string]time.Time // when a session was ended; forgotten after remember
}

const (
	// maxSessions caps what is remembered of sessions. Beyond it sessions are
	// written at every request.
	maxSessions = 10_000
	// remember is how long an ended session is: no request lasts longer. Streams
	// of live updates commit when they start.
	remember = 10 * time.Minute
)

// CommitCtx is called at every request with a session. What a session holds
// never changes after login, so that all it does then is prolong it.
func (s *sessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	now := time.Now()
	s.mu.Lock()
	_, ended := s.ended[token]
	last, known := s.prolonged[token]
	s.mu.Unlock()
	// A hundredth of the idle time is what a session may end early by.
	if ended || known && now.Sub(last) < s.idle()/100 {
		return nil
	}
	if err := s.CtxStore.CommitCtx(ctx, token, b, expiry); err != nil {
		if _, found, _ := s.FindCtx(ctx, token); !found {
			return err // a login that would not last
		}
		s.log.Warn("session could not be prolonged", "error", err)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.prolonged) >= maxSessions {
		clear(s.prolonged)
	}
	s.prolonged[token] = now
	if _, ended := s.ended[token]; ended { // meanwhile
		return s.CtxStore.DeleteCtx(ctx, token)
	}
	return nil
}

// DeleteCtx ends a session.
func (s *sessionStore) DeleteCtx(ctx context.Context, token string) error {
	now := time.Now()
	s.mu.Lock()
	for t, at := range s.ended {
		if now.Sub(at) > remember {
			delete(s.ended, t)
		}
	}
	if len(s.ended) < maxSessions {
		s.ended[token] = now
	}
	delete(s.prolonged, token)
	s.mu.Unlock()
	return s.CtxStore.DeleteCtx(ctx, token)
}
