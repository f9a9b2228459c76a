package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/uptrace/bun"

	"github.com/verderer/verderer/activity"
)

// AuditEntry is something that somebody did here, or was denied.
type AuditEntry struct {
	Time   activity.Time // set by Audit when 0
	User   string        // "" when nobody was logged in
	Action string        // login, alert.close, sensor.enrol …
	Object string        // what it was done to: an id
	Detail string
	OK     bool // false: denied, or did not work
}

type auditRow struct {
	bun.BaseModel `bun:"table:audit"`

	Seq    int64 `bun:",pk"`
	At     int64
	Person string
	Action string
	Object string
	Detail string
	OK     bool `bun:"ok"`
	Prev   []byte
	Hash   []byte
}

// The log is bounded, since strangers write into it: each refused login is a
// row. Beyond auditRows the oldest auditDrop are deleted.
var auditRows, auditDrop int64 = 1_000_000, 10_000

// maxAuditLog caps what AuditLog returns at once.
const maxAuditLog = 10_000

// ErrAudit: the audit log was changed by something else than Audit.
var ErrAudit = errors.New("the audit log was tampered with")

// Audit appends to the audit log. Each row's hash covers the row before, so a
// row that is changed, added or removed later breaks the chain: see VerifyAudit.
// Texts are cut at activity.MaxText bytes.
func (s *Store) Audit(ctx context.Context, e AuditEntry) error {
	err := s.change(ctx, synced, func(tx bun.Tx) error { return s.audit(ctx, tx, e) })
	return s.explain("writing the audit log", err)
}

// audit is Audit in a transaction that also does what is told of.
func (s *Store) audit(ctx context.Context, tx bun.Tx, e AuditEntry) error {
	if e.Time == 0 {
		e.Time = s.clock()
	}
	var last auditRow
	err := found(tx.NewSelect().Model(&last).OrderExpr("seq DESC").Limit(1).Scan(ctx))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	prev := last.Hash
	if prev == nil {
		prev = make([]byte, sha256.Size)
	}
	row := auditRow{Seq: last.Seq + 1, At: micros(e.Time), Person: cut(e.User, activity.MaxText), Action: cut(e.Action, activity.MaxText),
		Object: cut(e.Object, activity.MaxText), Detail: cut(e.Detail, activity.MaxText), OK: e.OK, Prev: prev}
	row.Hash = row.sum()
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return err
	}
	if row.Seq%auditDrop == 0 && row.Seq > auditRows {
		_, err = tx.ExecContext(ctx, "DELETE FROM audit WHERE seq <= ?", row.Seq-auditRows)
		return err
	}
	return nil
}

// sum is the hash of a row. Each text is preceded by its length, so that no two
// rows are the same bytes.
func (r *auditRow) sum() []byte {
	h := sha256.New()
	h.Write([]byte("verderer/audit/1\x00"))
	h.Write(r.Prev)
	number(h, r.Seq)
	number(h, r.At)
	for _, s := range []string{r.Person, r.Action, r.Object, r.Detail} {
		number(h, int64(len(s)))
		h.Write([]byte(s))
	}
	ok := int64(0)
	if r.OK {
		ok = 1
	}
	number(h, ok)
	return h.Sum(nil)
}

func number(h hash.Hash, n int64) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// AuditLog lists the newest limit entries, at most 10,000, newest first.
func (s *Store) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	var rows []auditRow
	if err := s.read.NewSelect().Model(&rows).OrderExpr("seq DESC").Limit(int64(min(max(limit, 1), maxAuditLog))).Scan(ctx); err != nil {
		return nil, s.explain("reading the audit log", err)
	}
	list := make([]AuditEntry, 0, len(rows))
	for _, r := range rows {
		list = append(list, AuditEntry{nanos(r.At), r.Person, r.Action, r.Object, r.Detail, r.OK})
	}
	return list, nil
}

// VerifyAudit goes through the whole audit log and returns how many entries are
// in order. ErrAudit, with the number of the entry, where the chain breaks.
//
// It does not notice that the newest entries were cut off, nor that somebody
// who can write to the database made the whole chain anew: for that the log has
// to be kept elsewhere too.
func (s *Store) VerifyAudit(ctx context.Context) (n int, err error) {
	const page = 1000
	var last auditRow
	for {
		var rows []auditRow
		if err := s.read.NewSelect().Model(&rows).Where("seq > ?", last.Seq).Order("seq").Limit(page).Scan(ctx); err != nil {
			return n, s.explain("reading the audit log", err)
		}
		for _, r := range rows {
			follows := string(r.Prev) == string(last.Hash)
			if last.Hash == nil { // the first that is kept
				follows = r.Seq > 1 || string(r.Prev) == string(make([]byte, sha256.Size))
			}
			if !follows || string(r.Hash) != string(r.sum()) {
				return n, fmt.Errorf("checking the audit log at entry %d: %w", r.Seq, ErrAudit)
			}
			last = r
			n++
		}
		if len(rows) < page {
			return n, nil
		}
	}
}
