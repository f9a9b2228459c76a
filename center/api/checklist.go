package api

import (
	"context"
	"fmt"

	"github.com/verderer/verderer/activity"
)

func (s *Server) getChecklist(ctx context.Context, _ *none) (*body[Checklist], error) {
	c, err := s.checklist(ctx)
	return &body[Checklist]{c}, err
}

func (s *Server) checklist(ctx context.Context) (Checklist, error) {
	users, err := s.cfg.Store.Users(ctx)
	if err != nil {
		return Checklist{}, err
	}
	var account activity.Time
	for _, u := range users {
		account = earliest(account, u.Created)
	}
	sensors, err := s.sensors(ctx)
	if err != nil {
		return Checklist{}, err
	}
	return checklist(account, sensors), nil
}

// checklist says how far the center has come, with a hint at each step that is
// not done: what to do next. account is when the first was made, 0: none.
func checklist(account activity.Time, sensors []Sensor) Checklist {
	var heard, packet, act activity.Time
	var waiting, deaf *Sensor // enrolled and never heard of; connected, without a packet
	for i := range sensors {
		t := &sensors[i]
		if t.LastSeen != 0 {
			heard = earliest(heard, t.Enrolled)
		} else if waiting == nil {
			waiting = t
		}
		packet = earliest(packet, t.FirstPacket)
		act = earliest(act, t.FirstActivity)
		if t.State == SensorWorking && t.FirstPacket == 0 && deaf == nil {
			deaf = t
		}
	}
	c := Checklist{Steps: []Step{
		{ID: "account", Title: "Make the first account", At: account,
			Hint: "Open the set-up link that the center printed when it started."},
		{ID: "sensor", Title: "Add a sensor", At: heard,
			Hint: "It reads the traffic of a domain controller, on it or beside a mirrored port."},
		{ID: "packet", Title: "See the first packet", At: packet,
			Hint: "It comes by itself within seconds of the sensor's start: domain controllers are never quiet."},
		{ID: "activity", Title: "Read the first activity", At: act,
			Hint: "It comes with the first logon, directory query or name lookup that a sensor sees. Log on to a computer of the domain to make one."},
	}}
	if waiting != nil {
		c.Steps[1].Hint = fmt.Sprintf("%s: %s", waiting.Name, waiting.StateText)
	}
	if deaf != nil {
		c.Steps[2].Hint = fmt.Sprintf("%s: %s", deaf.Name, deaf.StateText)
	}
	c.Done = true
	for i := range c.Steps {
		c.Steps[i].Done = c.Steps[i].At != 0
		c.Done = c.Done && c.Steps[i].Done
	}
	return c
}

func (s *Server) getHealth(context.Context, *none) (*body[HealthReport], error) {
	r := HealthReport{Issues: []HealthIssue{}}
	for _, i := range s.cfg.Health.Issues() {
		r.Issues = append(r.Issues, HealthIssue(i))
	}
	return &body[HealthReport]{r}, nil
}

func (s *Server) getAudit(ctx context.Context, in *auditQuery) (*body[AuditLog], error) {
	rows, err := s.cfg.Store.AuditLog(ctx, in.Limit)
	if err != nil {
		return nil, err
	}
	log := AuditLog{Entries: make([]AuditEntry, 0, len(rows))}
	for _, r := range rows {
		log.Entries = append(log.Entries, AuditEntry(r))
	}
	return &body[AuditLog]{log}, nil
}
