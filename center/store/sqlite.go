package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// applicationID marks our files: "VRDR". Another program's database is not
	// taken for an empty one.
	applicationID = 0x56524452
	// readers is how many queries run at once. Each keeps a cache of 8 MiB; more
	// than a console with several people open asks for would only queue at the CPU.
	readers = 4
	// busyTimeout, in ms, is how long a writer waits for another process, which
	// is a backup or an administrator's command.
	busyTimeout = "10000"
)

// pragmas of every connection. Those of the writer keep what was written in
// memory until it is moved from the log to the file, about every 16 MiB.
var (
	readPragmas  = []string{"query_only(1)", "cache_size(-8192)"}
	writePragmas = []string{"journal_mode(WAL)", "synchronous(FULL)", "cache_size(-65536)", "wal_autocheckpoint(4096)", "journal_size_limit(67108864)"}
)

func (s *Store) open() error {
	// SQLite gives the files beside it the mode of this one.
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = f.Chmod(0o600)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	if s.write, err = s.connect(1, "immediate", writePragmas); err != nil {
		return err
	}
	if err = s.prepare(); err == nil {
		s.read, err = s.connect(readers, "deferred", readPragmas)
	}
	if err != nil {
		if s.read != nil {
			s.read.Close()
		}
		s.write.Close()
	}
	return err
}

func (s *Store) connect(connections int, lock string, pragmas []string) (*bun.DB, error) {
	path, err := filepath.Abs(s.path)
	if err != nil {
		return nil, err
	}
	q := url.Values{"_txlock": {lock}}
	for _, p := range append([]string{"busy_timeout(" + busyTimeout + ")", "foreign_keys(1)", "trusted_schema(0)"}, pragmas...) {
		q.Add("_pragma", p)
	}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return bun.NewDB(db, sqlitedialect.New()), nil
}

// prepare checks whose database it is and brings its tables up to date.
func (s *Store) prepare() error {
	ctx := context.Background()
	var id, tables int
	if err := s.write.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if err := s.write.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	switch {
	case id == applicationID:
	case id == 0 && tables == 0:
		if _, err := s.write.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s is the database of another program", s.path)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	// The store reports what it does by its errors; goose is not to write to
	// standard output beside it.
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write.DB, files, goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	is, known, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the database's version: %w", err)
	}
	if is > known {
		return fmt.Errorf("%s: %w: its version is %d, this program's %d. Run the newer program, or restore a backup made before the update",
			s.path, ErrNewer, is, known)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bringing the tables up to date: %w", err)
	}
	return nil
}

// durability says for the transactions to come on conn whether they wait for
// the disk. The log is written in order, so what is synced brings everything
// before it along.
func durability(ctx context.Context, conn bun.Conn, h how) error {
	level := "FULL"
	if h == unsynced {
		level = "NORMAL"
	}
	_, err := conn.ExecContext(ctx, "PRAGMA synchronous = "+level)
	return err
}

// cause is the sentinel for what SQLite reports, nil if it is nothing that an
// operator must act on.
func cause(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code() & 0xFF { // the low byte is the kind, the rest details it
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrDamaged
	}
	return nil
}

// duplicate tells whether a row was refused because its key is taken.
func duplicate(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

// contains is the condition that a column holds a text, whatever characters it
// is made of: unlike with LIKE none of them is special.
func contains(column string) string { return "instr(" + column + ", ?) > 0" }
