package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/store"
)

var errNoAlert = refuse(http.StatusNotFound, "not-found", "There is no such alert.")

// maxShown caps sources, accounts and targets in a row of the timeline.
const maxShown = 3

func (s *Server) listAlerts(ctx context.Context, in *alertQuery) (*body[AlertList], error) {
	f := store.AlertFilter{Status: in.Status, Severity: in.Severity, Detection: in.Detection,
		Text: strings.TrimSpace(in.Text), Before: in.Before, Limit: in.Limit}
	var err error
	if f.From, err = instant("from", in.From); err != nil {
		return nil, err
	}
	if f.To, err = instant("to", in.To); err != nil {
		return nil, err
	}
	rows, next, total, err := s.cfg.Store.Alerts(ctx, f)
	if errors.Is(err, store.ErrCursor) {
		return nil, refuse(http.StatusUnprocessableEntity, "cursor", "before is not the next of a page.")
	}
	if err != nil {
		return nil, err
	}
	open, err := s.cfg.Store.OpenAlerts(ctx)
	if err != nil {
		return nil, err
	}
	list := AlertList{Alerts: make([]AlertSummary, 0, len(rows)), Next: next, Total: total}
	for _, r := range rows {
		list.Alerts = append(list.Alerts, summary(r))
	}
	for _, n := range open {
		list.Open.High += n[detect.High]
		list.Open.Medium += n[detect.Medium]
		list.Open.Low += n[detect.Low]
	}
	return &body[AlertList]{list}, nil
}

// instant converts a time of a query; the zero time is none.
func instant(name string, t time.Time) (activity.Time, error) {
	if t.IsZero() {
		return 0, nil
	}
	// What int64 nanoseconds hold.
	if y := t.UTC().Year(); y < 1678 || y > 2261 {
		return 0, refuse(http.StatusUnprocessableEntity, "invalid", "%s is not between the years 1678 and 2261.", name)
	}
	return activity.Time(t.UnixNano()), nil
}

func summary(r store.Alert) AlertSummary {
	a := r.Alert
	return AlertSummary{
		ID: a.ID, Detection: a.Detection, Title: a.Title, Severity: a.Severity, Status: a.Status,
		Start: a.Start, End: a.End, Raised: r.Raised, Updated: r.Updated, Summary: a.Summary,
		Sources: first(a.Sources), Accounts: first(a.Accounts), Targets: first(a.Targets),
		Sourced: len(a.Sources), Accounted: len(a.Accounts), Targeted: len(a.Targets),
		Count: a.Count, Late: a.Late, Previous: a.Previous,
	}
}

// first of a list, never nil: JSON would say null.
func first[T any](list []T) []T {
	return append([]T{}, list[:min(len(list), maxShown)]...)
}

func (s *Server) getAlert(ctx context.Context, in *withID) (*body[AlertDetail], error) {
	r, err := s.cfg.Store.Alert(ctx, in.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoAlert
	}
	if err != nil {
		return nil, err
	}
	d := AlertDetail{Alert: r.Alert, Raised: r.Raised, Updated: r.Updated, Guidance: s.guidance[r.Alert.Detection]}
	if d.Next, err = s.cfg.Store.NextOf(ctx, in.ID); err != nil {
		return nil, err
	}
	acts, err := s.cfg.Store.History(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	d.History = append(d.History, HistoryEntry{Time: r.Raised, Do: "raised"})
	for _, a := range acts {
		d.History = append(d.History, HistoryEntry{Time: a.Time, Do: a.Do, By: a.By, Comment: a.Comment})
	}
	return &body[AlertDetail]{d}, nil
}

func (s *Server) getAlertActivities(ctx context.Context, in *withID) (*body[AlertActivities], error) {
	if _, err := s.cfg.Store.Alert(ctx, in.ID); errors.Is(err, store.ErrNotFound) {
		return nil, errNoAlert
	} else if err != nil {
		return nil, err
	}
	list, missing, err := s.cfg.Store.AlertActivities(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if list == nil {
		list = []*activity.Activity{}
	}
	return &body[AlertActivities]{AlertActivities{list, missing}}, nil
}

func (s *Server) closeAlert(ctx context.Context, in *withComment) (*body[AlertDetail], error) {
	return s.act(ctx, ingest.Close, in)
}

func (s *Server) reopenAlert(ctx context.Context, in *withComment) (*body[AlertDetail], error) {
	return s.act(ctx, ingest.Reopen, in)
}

func (s *Server) noteAlert(ctx context.Context, in *withComment) (*body[AlertDetail], error) {
	return s.act(ctx, ingest.Note, in)
}

// applying is how long a person waits for an act to be applied: the log may be
// behind by what a flood brought.
const applying = 15 * time.Second

// act does to an alert what a person asks for, and answers with how it is then.
func (s *Server) act(ctx context.Context, do ingest.ActionKind, in *withComment) (*body[AlertDetail], error) {
	r, err := s.cfg.Store.Alert(ctx, in.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoAlert
	}
	if err != nil {
		return nil, err
	}
	comment := strings.TrimSpace(in.Body.Comment)
	switch {
	case len(comment) > ingest.MaxComment:
		return nil, refuse(http.StatusUnprocessableEntity, "comment", "A comment has at most %d bytes.", ingest.MaxComment)
	case strings.ContainsFunc(comment, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }):
		return nil, refuse(http.StatusUnprocessableEntity, "comment", "The comment has control characters in it.")
	case do == ingest.Note && comment == "":
		return nil, refuse(http.StatusUnprocessableEntity, "comment", "A note needs words.")
	case do == ingest.Close && r.Alert.Status == alert.Closed:
		return nil, refuse(http.StatusConflict, "already-closed", "The alert is closed already.")
	case do == ingest.Reopen && r.Alert.Status == alert.Open:
		return nil, refuse(http.StatusConflict, "already-open", "The alert is open already.")
	}
	wait, cancel := context.WithTimeout(ctx, applying)
	defer cancel()
	err = s.cfg.Act(wait, ingest.Act{Alert: in.ID, Do: do, By: callerOf(ctx).name(), Comment: comment})
	switch {
	case err != nil && wait.Err() != nil && ctx.Err() == nil:
		return nil, refuse(http.StatusServiceUnavailable, "not-applied-yet", "The center is behind. Look at the alert again in a minute: what you did may be stored already.")
	case err != nil:
		return nil, err
	}
	s.done(ctx, string(do)+"Alert", in.ID, "")
	return s.getAlert(ctx, &withID{in.ID})
}
