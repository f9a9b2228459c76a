package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/verderer/verderer/center/api"
)

// BenchmarkAlerts is a page of 50 out of 2,000, without the network, beside a
// handler that does nothing but encode the same page.
func BenchmarkAlerts(b *testing.B) {
	c := build(b)
	for n := range 2000 {
		c.raise(n + 1)
	}
	l := c.as(api.Viewer)
	home, err := url.Parse(c.url)
	if err != nil {
		b.Fatal(err)
	}
	var list api.AlertList
	l.want(200, "GET", "/alerts", nil, &list)
	trivial := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { json.NewEncoder(w).Encode(list) })
	for name, h := range map[string]http.Handler{"list": c.server.Handler(), "detail": c.server.Handler(), "trivial": trivial} {
		b.Run(name, func(b *testing.B) {
			path := "/api/v1/alerts"
			if name == "detail" {
				path += "/" + list.Alerts[0].ID
			}
			for b.Loop() {
				r := httptest.NewRequest("GET", "https://center.test"+path, nil)
				r.AddCookie(l.http.Jar.Cookies(home)[0])
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
