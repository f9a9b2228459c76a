package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/store"
	"github.com/verderer/verderer/names"
)

// caller is who makes a request.
type caller struct {
	user    *User  // nil: nobody is logged in
	address string // as limits count it
}

type callerKey struct{}

// callerOf is set by authorize for every route.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// name of the caller, "" for nobody.
func (c caller) name() string {
	if c.user == nil {
		return ""
	}
	return c.user.Name
}

// authorize lets a request through to its route if the table says so. What the
// table does not mention is denied.
func (s *Server) authorize(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	access, _ := op.Extensions[accessKey].(Access)
	user, err := s.loggedIn(ctx.Context())
	if err != nil {
		s.cfg.Log.Error("API call went wrong", "operation", op.OperationID, "error", err)
		answer(ctx, errInternal)
		return
	}
	c := caller{user, client(ctx.RemoteAddr())}
	var role Role
	if user != nil {
		role = user.Role
	}
	if access.lets(role) {
		next(huma.WithValue(ctx, callerKey{}, c))
		return
	}
	p := errForbidden
	if user == nil {
		p = errNotLoggedIn
	}
	if user != nil || s.denials.allow("") {
		detail := "nobody is logged in, from " + c.address
		if user != nil {
			detail = fmt.Sprintf("role %s, from %s", role, c.address)
		}
		s.audit(ctx.Context(), store.AuditEntry{User: c.name(), Action: op.OperationID, Object: ctx.Param("id"), Detail: detail})
	}
	answer(ctx, p)
}

// audit writes an entry. When that fails the log has it.
func (s *Server) audit(ctx context.Context, e store.AuditEntry) {
	e.Time = s.now()
	// The request may be over before it is written.
	if err := s.cfg.Store.Audit(context.WithoutCancel(ctx), e); err != nil {
		s.cfg.Log.Error("audit entry could not be stored", "user", e.User, "action", e.Action, "object", e.Object, "ok", e.OK, "error", err)
	}
}

// stranger audits what somebody was denied who is not known, unless there were
// too many: the audit log is bounded, and strangers must not push out the rest.
func (s *Server) stranger(ctx context.Context, action, detail string) {
	if s.denials.allow("") {
		s.audit(ctx, store.AuditEntry{Action: action, Detail: detail})
	}
}

// done audits what a caller did.
func (s *Server) done(ctx context.Context, action, object, detail string) {
	s.audit(ctx, store.AuditEntry{User: callerOf(ctx).name(), Action: action, Object: object, Detail: detail, OK: true})
}

func (s *Server) now() activity.Time { return activity.Time(s.cfg.Now().UnixNano()) }

const (
	userKey = "user" // in a session: name
	markKey = "mark" // in a session: mark of the account at login
)

// mark changes when the password does, or the account is another of the same
// name: sessions of before are then over.
func mark(u *store.User) string {
	h := sha256.Sum256([]byte(u.Hash))
	return hex.EncodeToString(h[:8])
}

// loggedIn is who the session of a request belongs to, with the role of now.
// nil: nobody.
func (s *Server) loggedIn(ctx context.Context) (*User, error) {
	name := s.sessions.GetString(ctx, userKey)
	if name == "" {
		return nil, nil
	}
	u, err := s.cfg.Store.UserByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if mark(u) != s.sessions.GetString(ctx, markKey) {
		return nil, nil
	}
	return &User{u.Name, Role(u.Role)}, nil
}

// logIn begins a session for a user, under a new token: one that was planted
// before is worth nothing.
func (s *Server) logIn(ctx context.Context, u *store.User) error {
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.Put(ctx, userKey, u.Name)
	s.sessions.Put(ctx, markKey, mark(u))
	// Now, while it can still be said that it did not work.
	_, _, err := s.sessions.Commit(ctx)
	return err
}

func (s *Server) session(ctx context.Context, u *User) (*body[Session], error) {
	n, err := s.cfg.Store.CountUsers(ctx)
	if err != nil {
		return nil, err
	}
	return &body[Session]{Session{User: u, SetupNeeded: n == 0, Version: s.cfg.Version}}, nil
}

func (s *Server) getSession(ctx context.Context, _ *none) (*body[Session], error) {
	return s.session(ctx, callerOf(ctx).user)
}

func (s *Server) setup(ctx context.Context, in *body[Setup]) (*body[Session], error) {
	c := callerOf(ctx)
	if !s.addresses.allow(c.address) {
		return nil, errTooMany
	}
	name, password := in.Body.Name, in.Body.Password
	if n, err := s.cfg.Store.CountUsers(ctx); err != nil {
		return nil, err
	} else if n > 0 {
		return nil, refuse(http.StatusConflict, "already-set-up", "There is an account already. Log in.")
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := checkPassword(name, password); err != nil {
		return nil, err
	}
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	u := store.User{Name: name, Hash: hash, Role: string(Administrator), Created: s.now()}
	if err := s.cfg.Store.CreateFirstUser(ctx, in.Body.Token, u); errors.Is(err, store.ErrToken) {
		s.stranger(ctx, "setup", "wrong, used or expired token, from "+c.address)
		return nil, refuse(http.StatusForbidden, "setup-token",
			"This set-up link is wrong, used or expired. While there is no account, a center prints a new one each time it starts.")
	} else if err != nil {
		return nil, err
	}
	s.audit(ctx, store.AuditEntry{User: name, Action: "setup", Detail: "from " + c.address, OK: true})
	if err := s.logIn(ctx, &u); err != nil {
		return nil, err
	}
	s.NotifySensors() // the checklist has a step more
	return s.session(ctx, &User{u.Name, Role(u.Role)})
}

func (s *Server) login(ctx context.Context, in *body[Login]) (*body[Session], error) {
	c := callerOf(ctx)
	name := in.Body.Name
	folded := names.Fold(name)
	// Whoever floods a name with guesses must not lock its owner out: one address
	// has a small part of the tries at a name, and where that name has logged in
	// from before, those of others do not count.
	pair := c.address + " " + folded
	if !s.addresses.allow(c.address) || !s.pairs.allow(pair) || !s.known.has(folded, c.address) && !s.logins.allow(folded) {
		return nil, errTooMany
	}
	u, err := s.cfg.Store.UserByName(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	var hash string
	if err == nil {
		hash = u.Hash
	}
	ok, err := s.passwords.matches(ctx, in.Body.Password, hash)
	if err != nil {
		return nil, err
	}
	if !ok {
		if hash != "" {
			s.audit(ctx, store.AuditEntry{User: u.Name, Action: "login", Detail: "wrong password, from " + c.address})
		} else {
			// Which name is not kept: people type passwords into the wrong field.
			s.stranger(ctx, "login", "unknown name, from "+c.address)
		}
		return nil, refuse(http.StatusUnauthorized, "wrong-login", "Name or password is wrong.")
	}
	// Whoever has an account may mistype it again, but guesses at another's name
	// are still counted by that name.
	s.addresses.forget(c.address)
	s.pairs.forget(pair)
	s.known.add(folded, c.address)
	if err := s.logIn(ctx, u); err != nil {
		return nil, err
	}
	s.audit(ctx, store.AuditEntry{User: u.Name, Action: "login", Detail: "from " + c.address, OK: true})
	return s.session(ctx, &User{u.Name, Role(u.Role)})
}

func (s *Server) logout(ctx context.Context, _ *none) (*none, error) {
	c := callerOf(ctx)
	if s.sessions.Token(ctx) == "" {
		return nil, nil // there is none: nothing to write
	}
	if err := s.sessions.Destroy(ctx); err != nil {
		return nil, err
	}
	if c.user != nil {
		s.done(ctx, "logout", "", "from "+c.address)
	}
	return nil, nil
}

// places remembers from where names have logged in.
type places struct {
	mu sync.Mutex
	at map[[2]string]bool
}

// maxPlaces caps them, far above the people of a center and their computers.
const maxPlaces = 10_000

func (p *places) has(name, address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at[[2]string{name, address}]
}

func (p *places) add(name, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil || len(p.at) >= maxPlaces {
		p.at = make(map[[2]string]bool)
	}
	p.at[[2]string{name, address}] = true
}
