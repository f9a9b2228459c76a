package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/worker"
	"github.com/verderer/verderer/names"
)

// maxWords caps what of an alert can be searched for, in bytes. A thousand
// accounts and two thousand computers, the most that an alert lists, have less
// unless their names are made long on purpose; what is beyond is not found.
const maxWords = 256 << 10

type alertRow struct {
	bun.BaseModel `bun:"table:alert,alias:a"`

	ID        string `bun:",pk"`
	Detection string
	Severity  string
	Status    string
	StartAt   int64
	EndAt     int64
	Raised    int64
	Updated   int64
	Previous  string
	Position  int64
	Words     string
}

type alertBody struct {
	bun.BaseModel `bun:"table:alert_body"`

	Alert string `bun:",pk"`
	Body  []byte
}

type actRow struct {
	bun.BaseModel `bun:"table:alert_act"`

	Position int64
	Alert    string
	N        int
	At       int64
	Act      string
	Person   string
	Comment  string
}

// workerReader is the reader whose progress Write keeps, syncReader a row that
// counts how often it was asked to sync.
const (
	workerReader = "worker"
	syncReader   = "sync"
)

// Write stores what an entry of the log led to, in one transaction. Repeating
// it changes nothing, and nor does an older result than what is stored: an
// alert is as the newest result says. Results are on disk, with all that came
// before, when it returns; but those with activities alone may be lost with the
// power, and Position then says so. A Result of a position alone
// is to make what came before last.
func (s *Store) Write(ctx context.Context, r *worker.Result) error {
	h := synced
	if len(r.Activities) > 0 && len(r.Alerts)+len(r.Acts) == 0 {
		h = unsynced
	}
	err := s.change(ctx, h, func(tx bun.Tx) error { return s.writeResult(ctx, tx, r) })
	return s.explain(fmt.Sprintf("storing the result of entry %d", r.Position), err)
}

func (s *Store) writeResult(ctx context.Context, tx bun.Tx, r *worker.Result) error {
	position := int64(r.Position)
	known, err := position0(ctx, tx)
	if err != nil {
		return err
	}
	// A repeat would bring activities back that the ring has let go.
	if position > known {
		if err := s.writeActivities(ctx, tx, r); err != nil {
			return err
		}
	}
	for _, a := range r.Alerts {
		if err := writeAlert(ctx, tx, r, a); err != nil {
			return fmt.Errorf("alert %s: %w", a.ID, err)
		}
	}
	if err := writeActs(ctx, tx, r); err != nil {
		return err
	}
	if position > known {
		if _, err = tx.ExecContext(ctx, `INSERT INTO progress (reader, position) VALUES (?, ?)
			ON CONFLICT (reader) DO UPDATE SET position = excluded.position`, workerReader, position); err != nil {
			return err
		}
	}
	if len(r.Activities)+len(r.Alerts)+len(r.Acts) == 0 {
		// A transaction that changes nothing would not wait for the disk.
		_, err = tx.ExecContext(ctx, `INSERT INTO progress (reader, position) VALUES (?, 1)
			ON CONFLICT (reader) DO UPDATE SET position = progress.position + 1`, syncReader)
	}
	return err
}

func writeActs(ctx context.Context, tx bun.Tx, r *worker.Result) error {
	told := make(map[string]bool)
	for _, a := range r.Alerts {
		told[a.ID] = true
	}
	nth := make(map[string]int)
	for _, act := range r.Acts {
		row := actRow{Position: int64(r.Position), Alert: text(act.Alert), N: nth[act.Alert], At: micros(r.Ingest),
			Act: text(string(act.Do)), Person: text(act.By), Comment: text(act.Comment)}
		nth[act.Alert]++
		done, err := told[act.Alert], error(nil)
		if !done {
			done, err = turn(ctx, tx, r, &act)
		}
		if err == nil && done {
			_, err = tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
		}
		if err != nil {
			return fmt.Errorf("act on alert %s: %w", act.Alert, err)
		}
	}
	return nil
}

// turn does what a person asked for to an alert that the detections do not
// remember: their state was lost, or they forgot it. It tells whether that had an effect.
func turn(ctx context.Context, tx bun.Tx, r *worker.Result, act *ingest.Act) (done bool, err error) {
	var row alertRow
	if err := found(tx.NewSelect().Model(&row).Where("id = ?", text(act.Alert)).Scan(ctx)); errors.Is(err, ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	var to alert.Status
	switch {
	case act.Do == ingest.Note:
		return true, nil
	case row.Position >= int64(r.Position): // a repeat
		return false, nil
	case act.Do == ingest.Close && row.Status == string(alert.Open):
		to = alert.Closed
	case act.Do == ingest.Reopen && row.Status == string(alert.Closed):
		to = alert.Open
	default:
		return false, nil
	}
	var body alertBody
	if err := tx.NewSelect().Model(&body).Where("alert = ?", row.ID).Scan(ctx); err != nil {
		return false, err
	}
	a, err := decodeAlert(row.ID, body.Body, row.Raised, row.Updated)
	if err != nil {
		return false, err
	}
	a.Alert.Status = to
	return true, writeAlert(ctx, tx, r, a.Alert)
}

// Position is that of the newest result stored, 0 without any. Results at older
// positions count as repeats.
func (s *Store) Position(ctx context.Context) (uint64, error) {
	p, err := position0(ctx, s.read)
	return uint64(p), s.explain("reading the position", err)
}

func position0(ctx context.Context, db bun.IDB) (p int64, err error) {
	err = db.NewSelect().Table("progress").ColumnExpr("COALESCE(MAX(position), 0)").
		Where("reader = ?", workerReader).Scan(ctx, &p)
	return p, err
}

func writeAlert(ctx context.Context, tx bun.Tx, r *worker.Result, a *alert.Alert) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encoding it: %w", err)
	}
	row := alertRow{
		ID: text(a.ID), Detection: text(a.Detection), Severity: string(a.Severity), Status: string(a.Status),
		StartAt: micros(a.Start), EndAt: micros(a.End), Raised: micros(r.Ingest), Updated: micros(r.Ingest),
		Previous: text(a.Previous), Position: int64(r.Position), Words: words(a),
	}
	changed, err := tx.NewInsert().Model(&row).
		On("CONFLICT (id) DO UPDATE").
		Set("severity = excluded.severity, status = excluded.status, start_at = excluded.start_at, end_at = excluded.end_at").
		Set("updated = excluded.updated, previous = excluded.previous, position = excluded.position, words = excluded.words").
		Where("a.position < excluded.position").Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := changed.RowsAffected(); err != nil || n == 0 {
		return err // what is stored is as new or newer
	}
	if _, err := tx.NewInsert().Model(&alertBody{Alert: row.ID, Body: body}).
		On("CONFLICT (alert) DO UPDATE").Set("body = excluded.body").Exec(ctx); err != nil {
		return err
	}
	return keepEvidence(ctx, tx, a)
}

// words is what a search for an alert looks at: its texts and every name and
// address in it, folded, one a line.
func words(a *alert.Alert) string {
	var b strings.Builder
	add := func(list ...string) {
		for _, s := range list {
			if s != "" {
				b.WriteString(s)
				b.WriteByte('\n')
			}
		}
	}
	add(a.Title, a.Summary, a.Detection, a.ID)
	for _, list := range [][]detect.Computer{a.Sources, a.Targets} {
		for _, c := range list {
			add(c.Name, c.Address)
		}
	}
	for _, p := range a.Accounts {
		add(p.Name, p.SID)
		if p.Domain != "" {
			add(p.Domain+`\`+p.Name, p.Name+"@"+p.Domain)
		}
	}
	add(a.Techniques...)
	return cut(names.Fold(b.String()), maxWords)
}

// evidenceOf lists the activities that an alert names, each once.
func evidenceOf(a *alert.Alert) []activity.ID {
	var ids []activity.ID
	seen := make(map[activity.ID]bool)
	for _, e := range a.Evidence {
		for _, id := range e.Activities {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}
