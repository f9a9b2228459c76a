package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/api"
)

func now() activity.Time { return activity.Time(time.Now().UnixNano()) }

type event struct{ name, data string }

// listen opens a stream and waits for its first heartbeat. The channel closes
// with the stream.
func (l *client) listen(ctx context.Context) <-chan event {
	l.c.t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", l.c.url+"/api/v1/events", nil)
	if err != nil {
		l.c.t.Fatal(err)
	}
	resp, err := l.http.Do(r)
	if err != nil {
		l.c.t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") == "" || resp.Header.Get("Content-Encoding") != "" {
		l.c.t.Fatalf("status %d, %v", resp.StatusCode, resp.Header)
	}
	events := make(chan event, 1000)
	go func() {
		defer close(events)
		defer resp.Body.Close()
		var e event
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			switch name, value, _ := strings.Cut(s.Text(), ": "); name {
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				events <- e
				e = event{}
			}
		}
	}()
	if e := next(l.c.t, events); e.name != "heartbeat" {
		l.c.t.Fatalf("first event %+v", e)
	}
	return events
}

func next(t testing.TB, events <-chan event) event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(30 * time.Second):
		t.Fatal("no event")
		panic("unreachable")
	}
}

func TestLiveUpdates(t *testing.T) {
	c := newCenter(t)
	two := c.as(api.Viewer)
	one := c.as(api.Viewer)
	one.http.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	c.client().refused(401, "not-logged-in", "GET", "/events", nil)
	for name, l := range map[string]*client{"HTTP/1.1": one, "HTTP/2": two} {
		ctx, cancel := context.WithCancel(t.Context())
		events := l.listen(ctx)
		for _, x := range []struct {
			publish any
			name    string
		}{
			{api.AlertEvent{ID: "a\n\ndata: x", Status: "open", New: true}, "alert"},
			{api.SensorEvent{ID: "s1"}, "sensor"},
			{api.HealthEvent{Open: 2}, "health"},
			{api.ChecklistEvent{Done: true}, "checklist"},
		} {
			c.server.Publish(x.publish)
			want, err := json.Marshal(x.publish)
			if err != nil {
				t.Fatal(err)
			}
			if e := next(t, events); e.name != x.name || e.data != string(want) {
				t.Errorf("%s: %+v, want %s %s", name, e, x.name, want)
			}
		}
		c.server.NotifySensors()
		if a, b := next(t, events), next(t, events); a.name != "sensor" || b.name != "checklist" || b.data != `{"done":false}` {
			t.Errorf("%s: %+v, %+v", name, a, b)
		}
		cancel()
		for range events {
		}
	}
	quiet(t, c)
}

// quiet waits until nobody listens: what a stream held is given back.
func quiet(t *testing.T, c *center) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); c.server.Listening() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d still listen", c.server.Listening())
		}
	}
}

// TestSlowListeners: one that does not read is cut off, and holds up nobody.
func TestSlowListeners(t *testing.T) {
	c := newCenter(t)
	l := c.as(api.Viewer)
	r, err := http.NewRequest("GET", c.url+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := l.http.Do(r) // and never reads
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	large := api.SensorEvent{ID: strings.Repeat("x", 100_000)}
	for n := 0; c.server.Listening() > 0; n++ {
		if n > 100*api.MaxBehind {
			t.Fatal("it is kept, whatever it costs")
		}
		c.server.Publish(large)
		time.Sleep(time.Millisecond)
	}
	fast := l.listen(t.Context())
	c.server.Publish(api.SensorEvent{ID: "s1"})
	if e := next(t, fast); e.data != `{"id":"s1"}` {
		t.Errorf("%+v", e)
	}
}

func TestTooManyListeners(t *testing.T) {
	c := newCenter(t)
	l := c.as(api.Viewer)
	ctx, cancel := context.WithCancel(t.Context())
	for range api.MaxTabs {
		l.listen(ctx)
	}
	l.refused(503, "too-many-streams", "GET", "/events", nil)
	c.as(api.Analyst).listen(ctx) // somebody else still can
	cancel()
	quiet(t, c)
	l.listen(t.Context())
}

// TestShutdownEndsStreams: newCenter waits for it.
func TestShutdownEndsStreams(t *testing.T) {
	c := newCenter(t)
	events := c.as(api.Viewer).listen(context.Background())
	c.server.Close()
	for range events {
	}
}

// TestStreamsOutliveTheirRequest: what limits other requests does not end them,
// and a session's end does.
func TestStreamsOutliveTheirRequest(t *testing.T) {
	if sse.WriteTimeout <= api.Heartbeat {
		t.Error("HTTP/2 ends a stream before its next heartbeat")
	}
	c := newCenter(t)
	c.server.SetHeartbeat(readTime / 2)
	two, one := c.as(api.Viewer), c.as(api.Viewer)
	one.http.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	a, b := two.listen(t.Context()), one.listen(t.Context())
	for range 4 { // beyond readTime
		for name, events := range map[string]<-chan event{"HTTP/2": a, "HTTP/1.1": b} {
			if e := next(t, events); e.name != "heartbeat" {
				t.Fatalf("%s: %+v", name, e)
			}
		}
	}
	two.want(204, "DELETE", "/session", nil, nil)
	for range a {
	}
	if e := next(t, b); e.name != "heartbeat" {
		t.Errorf("another session of the same person: %+v", e)
	}
}
