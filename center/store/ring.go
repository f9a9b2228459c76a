package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/worker"
)

// The latest activities are a ring: alerts copy from it what they name, at the
// time they are stored. An alert names activities of its detection's memory,
// which is a day at most.
const (
	ringAge = 24 * time.Hour
	// ringRows bounds the ring at about 100 activities a second for three hours.
	ringRows = 1_000_000
	// ringBytes bounds it when activities are made large on purpose; ordinary
	// ones have about 200 bytes.
	ringBytes = 1 << 30
	// trimEvery is how many rows are added before old ones are deleted, and
	// trimMost how many are deleted at once: more than were added, and few
	// enough that a writer does not wait long.
	trimEvery = 1000
	trimMost  = 4 * trimEvery
	// insertMost is how many rows one statement brings.
	insertMost = 500
	// maxEvidence is above what an alert lists.
	maxEvidence = 2000
)

type ringRow struct {
	bun.BaseModel `bun:"table:activity"`

	ID     []byte
	At     int64
	Stored int64
	Total  int64
	Body   []byte
}

// A trimmer is what the writer remembers of the ring. It is a hint: a
// transaction that is undone leaves it ahead, which delays a trim or hastens it.
type trimmer struct {
	added int   // rows since the last trim
	last  int64 // ingest time of the last trim
}

// limits of the ring; tests set smaller ones.
type limits struct {
	rows, bytes int64
	age         time.Duration
}

var ringLimits = limits{ringRows, ringBytes, ringAge}

func (s *Store) writeActivities(ctx context.Context, tx bun.Tx, r *worker.Result) error {
	if len(r.Activities) == 0 {
		return nil
	}
	var total int64
	err := tx.QueryRowContext(ctx, "SELECT total FROM activity ORDER BY seq DESC LIMIT 1").Scan(&total)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	rows := make([]ringRow, 0, min(len(r.Activities), insertMost))
	for i, a := range r.Activities {
		body := wire.AppendActivity(nil, a)
		total += int64(len(body))
		rows = append(rows, ringRow{ID: a.ID[:], At: micros(a.Time), Stored: micros(r.Ingest), Total: total, Body: body})
		if len(rows) == insertMost || i == len(r.Activities)-1 {
			if _, err := tx.NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
				return fmt.Errorf("storing activities: %w", err)
			}
			rows = rows[:0]
		}
	}
	s.trim.added += len(r.Activities)
	if s.trim.added < trimEvery && micros(r.Ingest)-s.trim.last < time.Minute.Microseconds() {
		return nil
	}
	more, err := trimRing(ctx, tx, micros(r.Ingest), ringLimits)
	if err != nil {
		return fmt.Errorf("deleting old activities: %w", err)
	}
	if !more {
		s.trim = trimmer{0, micros(r.Ingest)}
	}
	return nil
}

// trimRing deletes the oldest rows above a limit, at most trimMost; more says
// that there may be others.
func trimRing(ctx context.Context, tx bun.Tx, now int64, l limits) (more bool, err error) {
	var first, last, total int64
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MIN(seq), 0), COALESCE(MAX(seq), 0) FROM activity`).Scan(&first, &last)
	if err != nil || last == 0 {
		return false, err
	}
	if err := tx.QueryRowContext(ctx, `SELECT total FROM activity WHERE seq = ?`, last).Scan(&total); err != nil {
		return false, err
	}
	end := first + trimMost
	var upto int64
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM activity WHERE seq < ? AND (stored < ? OR total <= ? OR seq <= ?)`,
		end, now-l.age.Microseconds(), total-l.bytes, last-l.rows).Scan(&upto)
	if err != nil || upto == 0 {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM activity WHERE seq <= ?`, upto)
	return upto == end-1, err
}

// keepEvidence copies the activities that an alert names, and that are not kept
// with it yet, from the ring. Those of the same result are there already.
func keepEvidence(ctx context.Context, tx bun.Tx, a *alert.Alert) error {
	ids := evidenceOf(a)
	if len(ids) == 0 {
		return nil
	}
	var kept [][]byte
	if err := tx.NewSelect().Table("alert_activity").Column("id").Where("alert = ?", text(a.ID)).Scan(ctx, &kept); err != nil {
		return err
	}
	have := make(map[activity.ID]bool, len(kept))
	for _, b := range kept {
		have[activity.ID(b)] = true
	}
	missing := ids[:0]
	for _, id := range ids {
		if !have[id] {
			missing = append(missing, id)
		}
	}
	for part := range slices.Chunk(missing, insertMost) {
		in := make([][]byte, len(part))
		for i := range part {
			in[i] = part[i][:]
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO alert_activity (alert, id, at, body)
			SELECT ?, id, at, body FROM activity WHERE id IN (?)`, text(a.ID), bun.List(in)); err != nil {
			return fmt.Errorf("copying activities: %w", err)
		}
	}
	return nil
}

// AlertActivities lists the activities that an alert names, oldest first, and
// how many of them are not kept: named before they arrived here, or lost.
func (s *Store) AlertActivities(ctx context.Context, id string) (list []*activity.Activity, missing int, err error) {
	a, err := s.Alert(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	var bodies [][]byte
	if err := s.read.NewSelect().Table("alert_activity").Column("body").Where("alert = ?", text(id)).
		Order("at", "id").Limit(maxEvidence).Scan(ctx, &bodies); err != nil {
		return nil, 0, s.explain("reading the activities of alert "+id, err)
	}
	for _, b := range bodies {
		v, err := wire.DecodeActivity(b)
		if err != nil {
			return nil, 0, fmt.Errorf("reading an activity of alert %s: %w", id, err)
		}
		list = append(list, v)
	}
	return list, max(0, len(evidenceOf(a.Alert))-len(list)), nil
}
