package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
)

const (
	// streamID is the operation of live updates.
	streamID = "streamEvents"

	// heartbeat is how often a stream says that it lives, and looks whether its
	// session does.
	heartbeat = 15 * time.Second

	// maxStreams caps the clients of live updates, and maxTabs those of one
	// person, of which each costs a connection and maxBehind events.
	maxStreams = 500
	maxTabs    = 20
	// maxBehind is how many events a client may be behind. One that is slower is
	// cut off, connects again and asks for everything anew, which costs the
	// center less than to keep events for it.
	maxBehind = 64
)

func init() {
	// A write may take this long. It is above heartbeat because HTTP/2 ends a
	// stream when the deadline of the last write passes, even with nothing to
	// write.
	sse.WriteTimeout = 2 * heartbeat
}

// hub hands events to the streams of live updates. The zero value is ready.
type hub struct {
	mu      sync.Mutex
	clients map[*subscriber]bool
	closed  bool
}

type subscriber struct {
	name   string
	events chan any // closed when the client is cut off
}

// join adds a client, unless there are too many.
func (h *hub) join(name string) (*subscriber, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tabs := 0
	for c := range h.clients {
		if c.name == name {
			tabs++
		}
	}
	if h.closed || len(h.clients) >= maxStreams || tabs >= maxTabs {
		return nil, false
	}
	c := &subscriber{name, make(chan any, maxBehind)}
	if h.clients == nil {
		h.clients = make(map[*subscriber]bool)
	}
	h.clients[c] = true
	return c, true
}

func (h *hub) leave(c *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
}

// publish waits for nobody.
func (h *hub) publish(event any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		select {
		case c.events <- event:
		default:
			delete(h.clients, c)
			close(c.events)
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for c := range h.clients {
		delete(h.clients, c)
		close(c.events)
	}
}

// Publish hands an AlertEvent, SensorEvent, HealthEvent or ChecklistEvent to
// everybody who listens. It never waits.
func (s *Server) Publish(event any) { s.hub.publish(event) }

// NotifySensors tells that the list of sensors changed, and with it perhaps the
// checklist.
func (s *Server) NotifySensors() {
	s.Publish(SensorEvent{})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := s.checklist(ctx)
	if err != nil {
		s.cfg.Log.Error("checklist could not be made", "error", err)
		return
	}
	s.Publish(ChecklistEvent{Done: c.Done})
}

type subscriberKey struct{}

// join makes room for a stream before it begins.
func (s *Server) join(ctx huma.Context, next func(huma.Context)) {
	c, ok := s.hub.join(callerOf(ctx.Context()).name())
	if !ok {
		answer(ctx, refuse(http.StatusServiceUnavailable, "too-many-streams", "Too many pages listen for live updates. Close some."))
		return
	}
	defer s.hub.leave(c)
	// The request has been read; the server's limit on that would end the stream.
	if err := ctx.SetReadDeadline(time.Time{}); err != nil {
		s.cfg.Log.Warn("stream of live updates will be cut off", "error", err)
	}
	next(huma.WithValue(ctx, subscriberKey{}, c))
}

// stream sends events until the client leaves, is cut off, or its session ends.
func (s *Server) stream(ctx context.Context, send sse.Sender) {
	c := ctx.Value(subscriberKey{}).(*subscriber)
	beat := time.NewTicker(s.beat)
	defer beat.Stop()
	// At once: the client knows that it is connected.
	if send.Data(HeartbeatEvent{s.now()}) != nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-c.events:
			if !ok || send.Data(e) != nil {
				return
			}
		case <-beat.C:
			if !s.sessionLives(ctx) || send.Data(HeartbeatEvent{s.now()}) != nil {
				return
			}
		}
	}
}

// sessionLives looks whether the session that a stream began with still is one.
func (s *Server) sessionLives(ctx context.Context) bool {
	_, found, err := s.sessions.Store.(*sessionStore).FindCtx(ctx, s.sessions.Token(ctx))
	if err != nil || !found {
		return false
	}
	u, err := s.loggedIn(ctx)
	return err == nil && u != nil
}
