package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestUsers: accounts that a command makes, changes and removes.
func TestUsers(t *testing.T) {
	s, ctx := fresh(t), context.Background()
	token, err := s.NewSetupToken(ctx, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddUser(ctx, User{Name: "Ada", Hash: "h1", Role: "administrator"}, "root"); err != nil {
		t.Fatal(err)
	}
	if err := s.AddUser(ctx, User{Name: "ADA", Hash: "h2", Role: "viewer"}, "root"); !errors.Is(err, ErrExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := s.AddUser(ctx, User{Name: "Bea", Role: "viewer"}, "root"); err == nil {
		t.Error("an account without a password")
	}
	if err := s.CreateFirstUser(ctx, token, User{Name: "Eve", Hash: "h", Role: "administrator"}); !errors.Is(err, ErrToken) {
		t.Errorf("the set-up token is still good: %v", err)
	}
	if n, err := s.read.NewSelect().Table("setup_token").Count(ctx); n != 0 || err != nil {
		t.Errorf("%d set-up tokens are kept: %v", n, err)
	}
	if err := s.AddUser(ctx, User{Name: "Bea", Hash: "h2", Role: "viewer"}, "root"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPassword(ctx, "ada", "h3", "root"); err != nil {
		t.Fatal(err)
	}
	if u, err := s.UserByName(ctx, "Ada"); err != nil || u.Hash != "h3" || u.Role != "administrator" {
		t.Errorf("%+v %v", u, err)
	}
	if u, err := s.UserByName(ctx, "Bea"); err != nil || u.Hash != "h2" {
		t.Errorf("another's password: %+v %v", u, err)
	}
	if err := s.SetPassword(ctx, "eve", "h", "root"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if err := s.RemoveUser(ctx, "eve", "administrator", "root"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if err := s.RemoveUser(ctx, "ada", "administrator", "root"); !errors.Is(err, ErrLast) {
		t.Errorf("the last administrator: %v", err)
	}
	if _, err := s.UserByName(ctx, "Ada"); err != nil {
		t.Errorf("is gone all the same: %v", err)
	}
	if err := s.RemoveUser(ctx, "BEA", "administrator", "root"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UserByName(ctx, "bea"); !errors.Is(err, ErrNotFound) {
		t.Errorf("is there still: %v", err)
	}
	log, err := s.AuditLog(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range log {
		log[i].Time = 0
	}
	// What did not happen is not told of.
	want := []AuditEntry{
		{User: "root", Action: "removeUser", Object: "BEA", OK: true},
		{User: "root", Action: "setPassword", Object: "ada", OK: true},
		{User: "root", Action: "addUser", Object: "Bea", Detail: "viewer", OK: true},
		{User: "root", Action: "addUser", Object: "Ada", Detail: "administrator", OK: true},
	}
	if d := cmp.Diff(want, log); d != "" {
		t.Errorf("audit log (-want +got):\n%s", d)
	}
	if n, err := s.VerifyAudit(ctx); n != 4 || err != nil {
		t.Errorf("%d entries in order, %v", n, err)
	}
}
