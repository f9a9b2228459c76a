package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/worker"
	"github.com/verderer/verderer/names"
)

// Alert is an alert as stored.
type Alert struct {
	Alert   *alert.Alert
	Raised  activity.Time // ingest time of the entry that raised it
	Updated activity.Time // and of the one that last changed it
}

// AlertFilter says which alerts are asked for. What is zero lets everything through.
type AlertFilter struct {
	Status    []string
	Severity  []string
	Detection string
	Text      string        // words, each of which must stand somewhere in the alert's texts, names or addresses
	From, To  activity.Time // of its start: from From on, before To
	Before    string        // cursor: what comes after the page that returned it
	Limit     int           // 50 when 0, at most 500
}

const (
	defaultLimit = 50
	maxLimit     = 500
	// maxSearch caps the words of a search: each is looked for in every alert.
	maxSearch = 8
)

// Alerts lists alerts, those that started last first, with the cursor of the
// next page, "" on the last, and the number that the filter lets through on all
// pages. ErrCursor when Before is no cursor.
func (s *Store) Alerts(ctx context.Context, f AlertFilter) (list []Alert, next string, total int, err error) {
	start, id, err := parseCursor(f.Before)
	if err != nil {
		return nil, "", 0, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	fail := func(err error) ([]Alert, string, int, error) {
		return nil, "", 0, s.explain("listing alerts", err)
	}
	n, err := f.where(s.read.NewSelect().Table("alert")).Count(ctx)
	if err != nil {
		return fail(err)
	}
	if n == 0 {
		return nil, "", 0, nil // a search that finds nothing has looked at every alert already
	}
	page := f.where(s.read.NewSelect().Table("alert")).Column("id").OrderExpr("start_at DESC, id DESC").Limit(int64(limit) + 1)
	if f.Before != "" {
		page.Where("(start_at, id) < (?, ?)", start, id)
	}
	var rows []struct {
		ID      string
		StartAt int64
		Raised  int64
		Updated int64
		Body    []byte
	}
	// The page is found by an index alone; what it shows is read for its rows only.
	err = s.read.NewSelect().TableExpr("alert AS a").Join("JOIN alert_body AS b ON b.alert = a.id").
		ColumnExpr("a.id, a.start_at, a.raised, a.updated, b.body").
		Where("a.id IN (?)", page).OrderExpr("a.start_at DESC, a.id DESC").Scan(ctx, &rows)
	if err != nil {
		return fail(err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1]
		next = strconv.FormatInt(last.StartAt, 10) + "." + last.ID
	}
	for _, r := range rows {
		a, err := decodeAlert(r.ID, r.Body, r.Raised, r.Updated)
		if err != nil {
			return fail(err)
		}
		list = append(list, *a)
	}
	return list, next, int(n), nil
}

func (f *AlertFilter) where(q *bun.SelectQuery) *bun.SelectQuery {
	in := func(column string, values []string) {
		if len(values) == 0 {
			return
		}
		clean := make([]string, len(values))
		for i, v := range values {
			clean[i] = text(v)
		}
		q.Where("? IN (?)", bun.Ident(column), bun.List(clean))
	}
	in("status", f.Status)
	in("severity", f.Severity)
	if f.Detection != "" {
		in("detection", []string{f.Detection})
	}
	if f.From != 0 {
		q.Where("start_at >= ?", micros(f.From))
	}
	if f.To != 0 {
		q.Where("start_at < ?", micros(f.To))
	}
	terms := strings.Fields(names.Fold(text(f.Text)))
	for _, w := range terms[:min(len(terms), maxSearch)] {
		q.Where(contains("words"), w)
	}
	return q
}

// parseCursor reads what Alerts made: start and id of the last alert shown.
func parseCursor(s string) (start int64, id string, err error) {
	if s == "" {
		return 0, "", nil
	}
	at, id, ok := strings.Cut(s, ".")
	start, err = strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return 0, "", ErrCursor
	}
	return start, text(id), nil
}

func decodeAlert(id string, body []byte, raised, updated int64) (*Alert, error) {
	a := &Alert{Alert: new(alert.Alert), Raised: nanos(raised), Updated: nanos(updated)}
	if err := json.Unmarshal(body, a.Alert); err != nil {
		return nil, fmt.Errorf("decoding alert %s: %w", id, err)
	}
	return a, nil
}

// Alert reads one alert. ErrNotFound when there is none of that id.
func (s *Store) Alert(ctx context.Context, id string) (*Alert, error) {
	var row struct {
		Raised  int64
		Updated int64
		Body    []byte
	}
	err := s.read.NewSelect().TableExpr("alert AS a").Join("JOIN alert_body AS b ON b.alert = a.id").
		ColumnExpr("a.raised, a.updated, b.body").Where("a.id = ?", text(id)).Scan(ctx, &row)
	if err = found(err); err != nil {
		return nil, s.explain("reading alert "+strconv.Quote(id), err)
	}
	return decodeAlert(id, row.Body, row.Raised, row.Updated)
}

// RaisedBy tells which alerts of a result that was written it raised; the rest
// were there before.
func (s *Store) RaisedBy(ctx context.Context, r *worker.Result) (map[string]bool, error) {
	ids := make([]string, len(r.Alerts))
	for i, a := range r.Alerts {
		ids[i] = text(a.ID)
	}
	raised := make(map[string]bool)
	for chunk := range slices.Chunk(ids, 500) { // SQLite binds 32,766 values at most
		var rows []string
		err := s.read.NewSelect().Table("alert").Column("id").
			Where("id IN ?", bun.Tuple(chunk)).Where("raised = ?", micros(r.Ingest)).Scan(ctx, &rows)
		if err != nil {
			return nil, s.explain("asking which alerts are new", err)
		}
		for _, id := range rows {
			raised[id] = true
		}
	}
	return raised, nil
}

// OpenAlerts counts the open alerts by detection and severity.
func (s *Store) OpenAlerts(ctx context.Context) (map[string]map[detect.Severity]int, error) {
	var rows []struct {
		Detection string
		Severity  detect.Severity
		N         int
	}
	err := s.read.NewSelect().Table("alert").ColumnExpr("detection, severity, COUNT(*) AS n").
		Where("status = ?", alert.Open).GroupExpr("detection, severity").Scan(ctx, &rows)
	if err != nil {
		return nil, s.explain("counting open alerts", err)
	}
	open := make(map[string]map[detect.Severity]int)
	for _, r := range rows {
		if open[r.Detection] == nil {
			open[r.Detection] = make(map[detect.Severity]int)
		}
		open[r.Detection][r.Severity] = r.N
	}
	return open, nil
}

// AlertCounts counts all alerts by detection.
func (s *Store) AlertCounts(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Detection string
		N         int
	}
	err := s.read.NewSelect().Table("alert").ColumnExpr("detection, COUNT(*) AS n").GroupExpr("detection").Scan(ctx, &rows)
	if err != nil {
		return nil, s.explain("counting alerts", err)
	}
	all := make(map[string]int)
	for _, r := range rows {
		all[r.Detection] = r.N
	}
	return all, nil
}

// Act is what a person did to an alert.
type Act struct {
	Time    activity.Time // ingest time of the entry that holds it
	Do      string        // ingest.ActionKind
	By      string
	Comment string
}

// maxHistory caps the acts of one alert that are read. People do not write more.
const maxHistory = 10_000

// History lists what people did to an alert, oldest first. It is empty for an
// alert that is not there.
func (s *Store) History(ctx context.Context, id string) ([]Act, error) {
	var rows []actRow
	err := s.read.NewSelect().Model(&rows).Where("alert = ?", text(id)).
		Order("position", "n").Limit(maxHistory).Scan(ctx)
	if err != nil {
		return nil, s.explain("reading the history of alert "+strconv.Quote(id), err)
	}
	list := make([]Act, 0, len(rows))
	for _, r := range rows {
		list = append(list, Act{nanos(r.At), r.Act, r.Person, r.Comment})
	}
	return list, nil
}

// NextOf is the alert that repeats the one of that id after it was closed, ""
// when none does.
func (s *Store) NextOf(ctx context.Context, id string) (string, error) {
	var next string
	if id == "" {
		return "", nil // first alerts have no Previous
	}
	err := s.read.NewSelect().Table("alert").Column("id").Where("previous = ?", text(id)).
		Order("start_at", "id").Limit(1).Scan(ctx, &next)
	if err = found(err); errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return next, s.explain("looking for what repeats alert "+strconv.Quote(id), err)
}
