// Package store keeps the center's state in one database: alerts with what
// people did to them and the activities they rest on, people and their
// sessions, sensors and the keys they enrol with, and the audit log.
//
// Today the database is a SQLite file. Statements are written so that they run
// on PostgreSQL too: times are microseconds in integers, nothing looks into
// JSON, and names have an index of their own. What only SQLite knows is in
// sqlite.go.
//
// A method that changes something has done so on disk when it returns; the few
// that do not wait for the disk say so.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/verderer/verderer/activity"
)

var (
	// ErrNotFound: nothing has that id.
	ErrNotFound = errors.New("not found")
	// ErrExists: something has that id or name already.
	ErrExists = errors.New("exists already")
	// ErrLast: the last of its kind, which must stay.
	ErrLast = errors.New("the last one")
	// ErrCursor: not a cursor that Alerts returned.
	ErrCursor = errors.New("unknown cursor")
	// ErrToken: a set-up token that is wrong, used, expired or no longer needed.
	ErrToken = errors.New("wrong, used or expired set-up token")
	// ErrAccessKey: an access key that is wrong, expired or used up.
	ErrAccessKey = errors.New("wrong, expired or used-up access key")
	// ErrFull: the disk is full. It works again when there is room.
	ErrFull = errors.New("the disk is full")
	// ErrDamaged: the database cannot be read.
	ErrDamaged = errors.New("the database is damaged")
	// ErrNewer: the database was written by a newer version of the program.
	ErrNewer = errors.New("the database was written by a newer version")
)

// Store is an open database. Its methods may be called from any goroutine.
type Store struct {
	path  string
	write *bun.DB // one connection: writers queue here instead of failing
	read  *bun.DB // some connections that cannot write
	now   func() time.Time

	trim trimmer // of the ring; used within a transaction that writes activities
}

// Open opens the database at path, makes it when it is not there, and brings
// its tables up to date. The caller closes it.
func Open(path string) (*Store, error) {
	s := &Store{path: path, now: time.Now}
	if err := s.open(); err != nil {
		return nil, s.explain("opening the database", err)
	}
	return s, nil
}

// Close waits for what is under way. The store is of no use afterwards.
func (s *Store) Close() error {
	return s.explain("closing the database", errors.Join(s.read.Close(), s.write.Close()))
}

// how a change is made to last.
type how bool

const (
	synced   how = true  // on disk when the call returns
	unsynced how = false // may be lost when the machine loses power, never when the program dies, and never without all that was written later
)

// change runs do in a transaction of the one writer. What do returns as error
// undoes it.
func (s *Store) change(ctx context.Context, h how, do func(tx bun.Tx) error) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := durability(ctx, conn, h); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing, after Commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// explain says what was done, and names the file when it is the database's own
// trouble. Errors that callers branch on pass through it.
func (s *Store) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	why, ours := cause(err)
	switch {
	case why != nil:
		return fmt.Errorf("%s (%s): %w: %w", doing, s.path, why, err)
	case ours:
		return fmt.Errorf("%s (%s): %w", doing, s.path, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// micros is a time as it is stored, nanos one as it was.
func micros(t activity.Time) int64 { return int64(t) / 1000 }
func nanos(us int64) activity.Time { return activity.Time(us * 1000) }

func (s *Store) clock() activity.Time { return activity.Time(s.now().UnixNano()) }

// text makes s fit for a column of text, which holds neither NUL nor broken
// UTF-8. Whoever names a computer chooses such bytes freely.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// cut is text of at most n bytes.
func cut(s string, n int) string {
	if s = text(s); len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}

// found turns the database's word for an empty answer into ErrNotFound.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// one is nil when a statement changed a row, else otherwise.
func one(r sql.Result, err error, otherwise error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		return otherwise
	}
	return err
}
