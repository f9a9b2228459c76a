package api_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/api"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/ingest/journal"
	"github.com/verderer/verderer/center/worker"
)

func ids(list api.AlertList) string {
	var s []string
	for _, a := range list.Alerts {
		s = append(s, strings.TrimLeft(a.ID, "0"))
	}
	return strings.Join(s, " ")
}

func TestAlertsAreFiltered(t *testing.T) {
	c := newCenter(t)
	l := c.as(api.Viewer)
	var list api.AlertList
	if a := l.want(200, "GET", "/alerts", nil, &list); !strings.Contains(string(a.body), `"alerts":[]`) || list.Total != 0 {
		t.Errorf("none: %s", a.body)
	}
	c.raise(1)
	c.raise(2, func(a *alert.Alert) { a.Severity, a.Status = detect.Low, alert.Closed })
	c.raise(3, func(a *alert.Alert) {
		a.Severity, a.Detection = detect.Medium, "account-enumeration"
		a.Summary = "100% of _names_ asked for by O'Hara"
		for i := range 5 {
			a.Accounts = append(a.Accounts, detect.Party{Name: fmt.Sprint("user", i)})
		}
	})
	at := func(n int) string { return escaped(t0.Add(time.Duration(n) * time.Minute).String()) }
	for _, x := range []struct{ query, want string }{
		{"", "3 2 1"},
		{"?status=open", "3 1"},
		{"?status=open&status=closed", "3 2 1"},
		{"?severity=low&severity=high", "2 1"},
		{"?detection=dcsync&status=open", "1"},
		{"?detection=nothing", ""},
		{"?q=WS1", "3 2 1"},
		{"?q=user4", "3"},
		{"?q=" + escaped("o'hara"), "3"},
		{"?q=" + escaped("100%"), "3"},
		{"?q=" + escaped("_names_"), "3"},
		{"?q=" + escaped("1_0"), ""},
		{"?q=" + escaped("%"), "3"},
		{"?q=" + escaped("' OR 1=1 --"), ""},
		{"?q=" + escaped("\x00"), ""},
		{"?q=" + escaped("\xff\xfe"), ""},
		{"?from=" + at(2), "3 2"},
		{"?to=" + at(2), "1"},
		{"?from=" + at(2) + "&to=" + at(3), "2"},
	} {
		list = api.AlertList{}
		l.want(200, "GET", "/alerts"+x.query, nil, &list)
		if got := ids(list); got != x.want && !(strings.Contains(x.query, "%00") || strings.Contains(x.query, "%FF")) {
			t.Errorf("%s: %q, want %q", x.query, got, x.want)
		}
		if list.Open != (api.Severities{High: 1, Medium: 1}) {
			t.Errorf("%s: open %+v", x.query, list.Open)
		}
		if !strings.Contains(x.query, "q=") && list.Total != len(list.Alerts) {
			t.Errorf("%s: total %d", x.query, list.Total)
		}
	}
	l.want(200, "GET", "/alerts?q=user4", nil, &list)
	if a := list.Alerts[0]; len(a.Accounts) != 3 || a.Accounted != 6 || len(a.Sources) != 1 || a.Sourced != 1 || a.Targeted != 0 || a.Raised == 0 {
		t.Errorf("%+v", a)
	}
	for _, query := range []string{"status=shut", "limit=0", "limit=201", "limit=x", "from=yesterday", "from=0001-01-01T00:00:01Z", "to=9999-01-01T00:00:00Z",
		"before=nonsense", "q=" + strings.Repeat("x", 300), "status=open,closed", strings.Repeat("status=open&", 5) + "status=open"} {
		if a := l.do("GET", "/alerts?"+query, nil); a.status != 422 {
			t.Errorf("%s: status %d: %s", query, a.status, a.body)
		}
	}
}

// TestPagesAreStable: while alerts arrive, nobody sees one twice or misses one.
func TestPagesAreStable(t *testing.T) {
	c := newCenter(t)
	l := c.as(api.Viewer)
	for n := range 20 {
		c.raise(n + 1)
	}
	var seen []string
	next, pages := "", 0
	for {
		var list api.AlertList
		l.want(200, "GET", "/alerts?limit=3&before="+escaped(next), nil, &list)
		for _, a := range list.Alerts {
			seen = append(seen, a.ID)
		}
		pages++
		c.raise(100 + pages) // newer than all
		if next = list.Next; next == "" {
			break
		}
	}
	if len(seen) != 20 || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != 20 || pages != 7 {
		t.Errorf("%d alerts on %d pages: %v", len(seen), pages, seen)
	}
}

func TestAlertIsHandled(t *testing.T) {
	c := newCenter(t)
	a := c.raise(1)
	c.raise(2, func(b *alert.Alert) { b.Previous = a.ID })
	l := c.as(api.Analyst)
	at := "/alerts/" + a.ID
	var d api.AlertDetail
	l.want(200, "GET", at, nil, &d)
	if d.Alert.Status != alert.Open || len(d.History) != 1 || d.History[0].Do != "raised" || d.History[0].Time == 0 || d.Guidance.Response == "" || d.Next != fmt.Sprintf("%032x", 2) {
		t.Errorf("%+v", d)
	}
	d = api.AlertDetail{}
	l.want(200, "POST", at+"/close", api.Comment{Comment: "  It was the scanner.\nAgain. "}, &d)
	if h := d.History[len(d.History)-1]; d.Alert.Status != alert.Closed || h.Do != "close" || h.By != "the-analyst" || h.Comment != "It was the scanner.\nAgain." {
		t.Errorf("closed: %+v, %+v", d.Alert, d.History)
	}
	l.refused(409, "already-closed", "POST", at+"/close", api.Comment{})
	d = api.AlertDetail{}
	l.want(200, "POST", at+"/reopen", api.Comment{}, &d)
	if d.Alert.Status != alert.Open || len(d.History) != 3 {
		t.Errorf("reopened: %+v, %+v", d.Alert, d.History)
	}
	l.refused(409, "already-open", "POST", at+"/reopen", api.Comment{})
	l.refused(422, "comment", "POST", at+"/note", api.Comment{Comment: " \n "})
	l.refused(422, "comment", "POST", at+"/note", api.Comment{Comment: "\x1b[2J"})
	l.want(200, "POST", at+"/note", api.Comment{Comment: "<script>alert(1)</script>"}, &d)
	var list api.AlertList
	if l.want(200, "GET", "/alerts", nil, &list); list.Alerts[0].Previous != a.ID {
		t.Errorf("%+v", list.Alerts[0])
	}
	for _, path := range []string{"/alerts/none", "/alerts/none/activities", "/alerts/" + escaped("' OR ''='"), "/alerts/%00", "/alerts/%ff"} {
		l.refused(404, "not-found", "GET", path, nil)
	}
	l.refused(404, "not-found", "POST", "/alerts/none/close", api.Comment{})

	var acts api.AlertActivities
	if b := l.want(200, "GET", at+"/activities", nil, &acts); !strings.Contains(string(b.body), `"activities":[]`) {
		t.Errorf("%s", b.body)
	}

	// What goes wrong inside stays there.
	c.mu.Lock()
	c.actError = errors.New("secret detail of /var/lib")
	c.mu.Unlock()
	b := l.do("POST", at+"/note", api.Comment{Comment: "x"})
	if b.status != 500 || b.problem(t).Code != "internal" || strings.Contains(string(b.body), "secret") || !strings.Contains(c.logs.String(), "secret detail") {
		t.Errorf("%d %s", b.status, b.body)
	}
	c.mu.Lock()
	c.actError = fmt.Errorf("appending: %w", journal.ErrFull)
	c.mu.Unlock()
	l.refused(503, "cannot-store", "POST", at+"/note", api.Comment{Comment: "x"})
}

// TestActivitiesOfAnAlert: they come back as they went in.
func TestActivitiesOfAnAlert(t *testing.T) {
	c := newCenter(t)
	act := &activity.Activity{Time: t0, Kind: activity.DNSQuery, Protocol: activity.ProtoDNS, Outcome: activity.Success,
		DNS: &activity.DNS{Question: "example.test", Type: 252}}
	act.Seal()
	a := c.raise(1, func(a *alert.Alert) {
		a.Evidence = append(a.Evidence, alert.Evidence{Kind: alert.Activities, Text: "2 activities.", Activities: []activity.ID{act.ID, {1}}})
	})
	c.mu.Lock()
	c.position++
	r := &worker.Result{Position: c.position, Ingest: t0, Activities: []*activity.Activity{act}, Alerts: []*alert.Alert{a}}
	c.mu.Unlock()
	if err := c.store.Write(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var got api.AlertActivities
	c.as(api.Viewer).want(200, "GET", "/alerts/"+a.ID+"/activities", nil, &got)
	if len(got.Activities) != 1 || got.Activities[0].ID != act.ID || got.Activities[0].DNS.Question != "example.test" || got.Missing != 1 {
		t.Errorf("%+v", got)
	}
}

func TestDetections(t *testing.T) {
	c := newCenter(t)
	c.raise(1)
	c.raise(2, func(a *alert.Alert) { a.Status = alert.Closed })
	l := c.as(api.Viewer)
	var list api.DetectionList
	l.want(200, "GET", "/detections", nil, &list)
	for _, d := range list.Detections {
		g := d.Guidance
		for _, text := range []string{g.WhatHappened, g.HowToCheck, g.FalsePositives, g.Response} {
			if text == "" || strings.Contains(text, "\n## ") {
				t.Errorf("%s: guidance %q", d.ID, text)
			}
		}
		if d.Level != detect.LevelMedium || d.ID == "dcsync" != (d.State == "working") {
			t.Errorf("%s: %s, %s", d.ID, d.Level, d.State)
		}
		var one api.Detection
		l.want(200, "GET", "/detections/"+d.ID, nil, &one)
		if one.Name != d.Name {
			t.Errorf("%s: %+v", d.ID, one)
		}
		if d.ID == "dcsync" && (d.Open != 1 || d.Alerts != 2) {
			t.Errorf("%d open of %d", d.Open, d.Alerts)
		}
	}
	if len(list.Detections) == 0 {
		t.Error("no detections")
	}
	l.refused(404, "not-found", "GET", "/detections/none", nil)
}

func TestGuidanceNeedsItsParts(t *testing.T) {
	whole := "# title\n\n## What happened\n\na\n\n### part\n\nb\n\n## How to check\nc\n## Else\nz\n## False positives\nd\n## Response\ne\n"
	g, err := api.GuidanceOf(whole)
	if want := (api.Guidance{WhatHappened: "a\n\n### part\n\nb", HowToCheck: "c", FalsePositives: "d", Response: "e"}); err != nil || g != want {
		t.Errorf("%+v %v", g, err)
	}
	if _, err := api.GuidanceOf(strings.Replace(whole, "## Response", "## Answer", 1)); err == nil || !strings.Contains(err.Error(), `"Response"`) {
		t.Errorf("%v", err)
	}
}

// FuzzAlertQuery: no query, path or body makes the API fail or panic.
func FuzzAlertQuery(f *testing.F) {
	for _, s := range []string{"status=open&severity=high", "q=%27%20OR%201", "from=2026-03-01T00:00:00Z&limit=7", "before=1.a", "before=-9223372036854775808.", "%zz&;=&q=%00", "limit=1e9", "from=1678-01-01T00:00:00Z"} {
		f.Add(s)
	}
	c := build(f)
	c.raise(1)
	l := c.as(api.Viewer)
	home, err := url.Parse(c.url)
	if err != nil {
		f.Fatal(err)
	}
	cookie := l.http.Jar.Cookies(home)[0].String()
	f.Fuzz(func(t *testing.T, query string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "https://center.test/api/v1/alerts", nil)
		r.URL.RawQuery = query
		r.Header.Set("Cookie", cookie)
		c.server.Handler().ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 422 && w.Code != 400 {
			t.Errorf("status %d for %q: %s", w.Code, query, w.Body)
		}
	})
}
