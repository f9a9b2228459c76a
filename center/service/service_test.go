package service

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/verderer/verderer/center/health"
)

// TestGate: before the center is ready everybody is told so, and /healthz
// speaks for itself.
func TestGate(t *testing.T) {
	s := new(service)
	h := s.gate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	status := func(path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code
	}
	for _, c := range []struct {
		path  string
		ready bool
		want  int
	}{
		{"/", false, http.StatusServiceUnavailable},
		{"/api/v1/alerts", false, http.StatusServiceUnavailable},
		{"/healthz", false, http.StatusTeapot},
		{"/api/v1/alerts", true, http.StatusTeapot},
	} {
		s.ready.Store(c.ready)
		if got := status(c.path); got != c.want {
			t.Errorf("%s, ready %v: %d, want %d", c.path, c.ready, got, c.want)
		}
	}
}

// TestHealthz: a center that stores nothing is not well.
func TestHealthz(t *testing.T) {
	s := &service{health: health.NewRegistry(nil)}
	for _, c := range []struct {
		ready bool
		issue string
		want  string
	}{
		{false, "", "starting"},
		{true, "", ""},
		{true, "sensor-silent", ""},
		{true, "disk-full", "holding"},
		{true, "log-failed", "holding"},
	} {
		s.ready.Store(c.ready)
		if c.issue != "" {
			s.health.Set(health.Issue{Kind: c.issue})
		}
		if got := s.state(); got != c.want {
			t.Errorf("ready %v, issue %q: %q, want %q", c.ready, c.issue, got, c.want)
		}
		s.health.Clear(c.issue, "")
	}
}
