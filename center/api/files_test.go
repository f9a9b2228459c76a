package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verderer/verderer/center/api"
)

func TestConsole(t *testing.T) {
	c := newCenter(t)
	l := c.client()
	for _, x := range []struct {
		method, path, cache string
		status              int
		has                 string
	}{
		{"GET", "/", "no-cache", 200, "<title>Verderer</title>"},
		{"GET", "/index.html", "no-cache", 200, "<title>Verderer</title>"},
		{"GET", "/alerts/0123?x=1", "no-cache", 200, "<title>Verderer</title>"},
		{"GET", "/setup", "no-cache", 200, "<title>Verderer</title>"},
		{"HEAD", "/setup", "no-cache", 200, ""},
		{"GET", "/favicon.svg", "no-cache", 200, "<svg"},
		{"GET", "/assets/main-1a2b3.js", "public, max-age=31536000, immutable", 200, "console.log"},
		{"GET", "/assets/main-old.js", "", 404, "not-found"},
		{"GET", "/assets", "no-cache", 200, "<title>Verderer</title>"}, // a folder is not listed
		{"GET", "/..%2f..%2fetc/passwd", "no-cache", 200, "<title>Verderer</title>"},
		{"GET", "/%00", "no-cache", 200, "<title>Verderer</title>"},
		{"POST", "/alerts", "", 405, "method-not-allowed"},
	} {
		a := l.raw(x.method, c.url+x.path, nil)
		if a.status != x.status || !strings.Contains(string(a.body), x.has) || a.header.Get("Cache-Control") != x.cache {
			t.Errorf("%s %s: %d %q: %.80s", x.method, x.path, a.status, a.header.Get("Cache-Control"), a.body)
		}
		csp := a.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) || strings.Contains(csp, "script-src") || strings.Contains(csp, "unsafe-eval") {
				t.Errorf("%s: policy %q", x.path, csp)
			}
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Strict-Transport-Security": "max-age=31536000"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", x.path, name, got)
			}
		}
		if a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s sets a cookie", x.path)
		}
	}
	first := l.raw("GET", c.url+"/", nil)
	l.headers = http.Header{"If-None-Match": {first.header.Get("ETag")}}
	if a := l.raw("GET", c.url+"/", nil); a.status != 304 {
		t.Errorf("again: %d", a.status)
	}
	for _, encoding := range []string{"gzip", "zstd"} {
		l.headers = http.Header{"Accept-Encoding": {encoding}}
		for _, path := range []string{"/assets/main-1a2b3.js", "/openapi.json"} {
			a := l.raw("GET", c.url+path, nil)
			if a.header.Get("Content-Encoding") != encoding || !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept-Encoding") || len(a.body) > 20_000 {
				t.Errorf("%s: %s, %d bytes", path, a.header.Get("Content-Encoding"), len(a.body))
			}
		}
	}
	if a := c.as(api.Viewer).do("GET", "/alerts", nil); a.header.Get("Cache-Control") == "" || !strings.Contains(strings.Join(a.header.Values("Cache-Control"), ","), "no-store") {
		t.Errorf("an answer of the API may be cached: %v", a.header)
	}
}

func TestMetrics(t *testing.T) {
	c := newCenter(t)
	reg := prometheus.NewRegistry()
	c.server.Metrics(reg)
	c.client().do("GET", "/alerts", nil)
	c.as(api.Viewer).want(200, "GET", "/alerts", nil, nil)
	got := make(map[string]float64)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			key := f.GetName()
			for _, l := range m.Label {
				key += " " + l.GetValue()
			}
			got[key] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for key, want := range map[string]float64{"verderer_api_requests_total listAlerts 200": 1, "verderer_api_requests_total listAlerts 401": 1, "verderer_api_seconds listAlerts": 2} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v: %v", key, got[key], want, got)
		}
	}
}
