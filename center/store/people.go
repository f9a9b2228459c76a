package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

// User is a person with an account here.
type User struct {
	Name    string // as written; names that fold to the same are the same person's
	Hash    string // of the password; the store does not look into it
	Role    string
	Created activity.Time // set by CreateFirstUser
}

type userRow struct {
	bun.BaseModel `bun:"table:person"`

	NameKey string `bun:",pk"`
	Name    string
	Hash    string
	Role    string
	Created int64
}

func (r *userRow) user() *User { return &User{r.Name, r.Hash, r.Role, nanos(r.Created)} }

// maxName caps the names that people choose, in bytes.
const maxName = 256

// secretBytes of chance are in a secret of ours: too many to be guessed, so
// that a plain hash of it is safe to keep.
const secretBytes = 20

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newSecret(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return base32Lower.EncodeToString(b)
}

func hashOf(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// NewSetupToken makes the token with which the first account is made, and
// forgets those made before. Only its hash is kept.
func (s *Store) NewSetupToken(ctx context.Context, ttl time.Duration) (string, error) {
	token := newSecret(secretBytes)
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM setup_token"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO setup_token (hash, expires) VALUES (?, ?)",
			hashOf(token), micros(s.clock().Add(ttl)))
		return err
	})
	if err != nil {
		return "", s.explain("storing the set-up token", err)
	}
	return token, nil
}

// CreateFirstUser makes the first account and uses the token up. ErrToken when
// the token is wrong, used or expired, or when there is an account already.
func (s *Store) CreateFirstUser(ctx context.Context, setupToken string, u User) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		r, err := tx.ExecContext(ctx, "DELETE FROM setup_token WHERE hash = ? AND expires > ?",
			hashOf(setupToken), micros(s.clock()))
		if err := one(r, err, ErrToken); err != nil {
			return err
		}
		n, err := tx.NewSelect().Table("person").Count(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return ErrToken
		}
		return s.insertUser(ctx, tx, u)
	})
	return s.explain("making the first account", err)
}

func (s *Store) insertUser(ctx context.Context, tx bun.Tx, u User) error {
	if strings.TrimSpace(u.Name) == "" || len(u.Name) > maxName || u.Hash == "" {
		return fmt.Errorf("an account needs a name of at most %d bytes and a password", maxName)
	}
	row := userRow{NameKey: names.Fold(text(u.Name)), Name: text(u.Name), Hash: text(u.Hash), Role: text(u.Role), Created: micros(s.clock())}
	_, err := tx.NewInsert().Model(&row).Exec(ctx)
	if duplicate(err) {
		return ErrExists
	}
	return err
}

// AddUser makes an account, after which no set-up token is good any more. by is
// who did it, for the audit log. ErrExists when the name is taken.
func (s *Store) AddUser(ctx context.Context, u User, by string) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		if err := s.insertUser(ctx, tx, u); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM setup_token"); err != nil {
			return err
		}
		return s.audit(ctx, tx, AuditEntry{User: by, Action: "addUser", Object: u.Name, Detail: u.Role, OK: true})
	})
	return s.explain("making account "+strconv.Quote(u.Name), err)
}

// SetPassword changes the hash of an account's password. by is who did it, for
// the audit log. ErrNotFound when there is no such account.
func (s *Store) SetPassword(ctx context.Context, name, hash, by string) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		r, err := tx.ExecContext(ctx, "UPDATE person SET hash = ? WHERE name_key = ?", text(hash), names.Fold(text(name)))
		if err := one(r, err, ErrNotFound); err != nil {
			return err
		}
		return s.audit(ctx, tx, AuditEntry{User: by, Action: "setPassword", Object: name, OK: true})
	})
	return s.explain("changing the password of account "+strconv.Quote(name), err)
}

// RemoveUser deletes an account. by is who did it, for the audit log.
// ErrNotFound when there is no such account; ErrLast when none of the role keep
// would be left.
func (s *Store) RemoveUser(ctx context.Context, name, keep, by string) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error {
		r, err := tx.ExecContext(ctx, "DELETE FROM person WHERE name_key = ?", names.Fold(text(name)))
		if err := one(r, err, ErrNotFound); err != nil {
			return err
		}
		if n, err := tx.NewSelect().Table("person").Where("role = ?", keep).Count(ctx); err != nil {
			return err
		} else if n == 0 {
			return ErrLast
		}
		return s.audit(ctx, tx, AuditEntry{User: by, Action: "removeUser", Object: name, OK: true})
	})
	return s.explain("removing account "+strconv.Quote(name), err)
}

// UserByName finds an account, however its name is capitalised. ErrNotFound
// when there is none.
func (s *Store) UserByName(ctx context.Context, name string) (*User, error) {
	var row userRow
	err := s.read.NewSelect().Model(&row).Where("name_key = ?", names.Fold(text(name))).Scan(ctx)
	if err = found(err); err != nil {
		return nil, s.explain("reading account "+strconv.Quote(name), err)
	}
	return row.user(), nil
}

// CountUsers counts the accounts.
func (s *Store) CountUsers(ctx context.Context) (int, error) {
	n, err := s.read.NewSelect().Table("person").Count(ctx)
	return int(n), s.explain("counting accounts", err)
}

// Users lists the accounts by name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	var rows []userRow
	if err := s.read.NewSelect().Model(&rows).Order("name_key").Scan(ctx); err != nil {
		return nil, s.explain("listing accounts", err)
	}
	list := make([]User, 0, len(rows))
	for i := range rows {
		list = append(list, *rows[i].user())
	}
	return list, nil
}

// Sessions keeps the sessions of an scs.SessionManager.
func (s *Store) Sessions() *Sessions { return &Sessions{s} }

// Sessions is an scs.CtxStore. Tokens are kept hashed, so that whoever reads the
// database is not logged in. A session that was changed in the seconds before
// the machine lost power may be as it was before; one that was deleted stays so.
type Sessions struct{ s *Store }

// maxSessions caps the sessions: those that would expire first give way. It is
// far above the people who use one console, with a browser each left open.
const maxSessions = 10_000

// FindCtx returns the data of a session, and whether there is one.
func (t *Sessions) FindCtx(ctx context.Context, token string) (b []byte, ok bool, err error) {
	err = t.s.read.NewSelect().Table("session").Column("data").
		Where("hash = ? AND expires > ?", hashOf(token), micros(t.s.clock())).Scan(ctx, &b)
	if err = found(err); errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	return b, err == nil, t.s.explain("reading a session", err)
}

// CommitCtx stores a session until expiry, and deletes those that have expired.
func (t *Sessions) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	err := t.s.change(ctx, unsynced, func(tx bun.Tx) error {
		if b == nil {
			b = []byte{}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO session (hash, data, expires) VALUES (?, ?, ?)
			ON CONFLICT (hash) DO UPDATE SET data = excluded.data, expires = excluded.expires`,
			hashOf(token), b, expiry.UnixMicro()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE expires <= ?", micros(t.s.clock())); err != nil {
			return err
		}
		n, err := tx.NewSelect().Table("session").Count(ctx)
		if err != nil || n <= maxSessions {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM session WHERE hash IN (SELECT hash FROM session ORDER BY expires LIMIT ?)", n-maxSessions)
		return err
	})
	return t.s.explain("storing a session", err)
}

// DeleteCtx ends a session.
func (t *Sessions) DeleteCtx(ctx context.Context, token string) error {
	err := t.s.change(ctx, synced, func(tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM session WHERE hash = ?", hashOf(token))
		return err
	})
	return t.s.explain("deleting a session", err)
}

// Find, Commit and Delete are the same without a context, as scs.Store asks for.
func (t *Sessions) Find(token string) ([]byte, bool, error) {
	return t.FindCtx(context.Background(), token)
}
func (t *Sessions) Commit(token string, b []byte, expiry time.Time) error {
	return t.CommitCtx(context.Background(), token, b, expiry)
}
func (t *Sessions) Delete(token string) error { return t.DeleteCtx(context.Background(), token) }
