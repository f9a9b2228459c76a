package api

import (
	"context"
	"time"

	"github.com/verderer/verderer/center/ingest/receive"
	"github.com/verderer/verderer/center/store"

	"github.com/verderer/verderer/activity"
)

// SetSessionTimes shortens sessions, before the first request.
func (s *Server) SetSessionTimes(idle, absolute time.Duration) {
	s.sessions.IdleTimeout, s.sessions.Lifetime = idle, absolute
}

// SetHeartbeat shortens it, before the first stream.
func (s *Server) SetHeartbeat(d time.Duration) { s.beat = d }

// SetDenials allows n audit entries of nobody's denials, before the first request.
func (s *Server) SetDenials(n int) { s.denials = newLimiter(time.Hour, n, time.Now) }

// Listening counts the streams of live updates.
func (s *Server) Listening() int {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return len(s.hub.clients)
}

const (
	Heartbeat  = heartbeat
	MaxTabs    = maxTabs
	MaxBehind  = maxBehind
	MaxHashing = maxHashing
	MaxWaiting = maxWaiting
	MaxBody    = maxBody
)

// SensorOf is sensor.
func SensorOf(row *store.Sensor, state receive.State, now activity.Time) Sensor {
	return sensor(row, state, now, "center:8444")
}

// ChecklistOf is checklist.
var ChecklistOf = checklist

// NewFiles is newFiles.
var NewFiles = newFiles

// GuidanceOf is guidance.
var GuidanceOf = guidance

// Hasher is hasher.
type Hasher struct{ *hasher }

func NewHasher() (*Hasher, error) {
	h, err := newHasher()
	return &Hasher{h}, err
}

func (h *Hasher) Run(ctx context.Context, do func() error) error { return h.run(ctx, do) }
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	return h.hash(ctx, password)
}
func (h *Hasher) Matches(ctx context.Context, password, hash string) (bool, error) {
	return h.matches(ctx, password, hash)
}
