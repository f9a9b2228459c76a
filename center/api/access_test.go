package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/center/api"
)

// TestTheTableIsTheLaw calls every route of openapi.json as everybody, and
// expects what the table says, and no more.
func TestTheTableIsTheLaw(t *testing.T) {
	c := newCenter(t)
	people := map[api.Role]*client{"": c.client(), api.Viewer: c.as(api.Viewer), api.Analyst: c.as(api.Analyst), api.Administrator: c.as(api.Administrator)}
	rank := map[api.Role]int{"": 0, api.Viewer: 1, api.Analyst: 2, api.Administrator: 3}
	least := map[api.Access]int{api.Public: 0, api.EnrolKey: 0, api.Viewers: 1, api.Analysts: 2, api.Administrators: 3}
	denied := 0
	for _, r := range api.Routes() {
		need, ok := least[r.Access]
		if !ok {
			t.Errorf("%s %s: access %q", r.Method, r.Path, r.Access)
		}
		for role, l := range people {
			if r.ID == "logout" || r.ID == "streamEvents" && rank[role] >= need {
				continue // has tests of its own
			}
			var body any
			if r.Method == "POST" {
				body = "{}"
			}
			a := l.do(r.Method, strings.ReplaceAll(r.Path, "{id}", "none"), body)
			if a.status >= 500 {
				t.Errorf("%s as %q: status %d: %s", r.ID, role, a.status, a.body)
			}
			want := 0
			switch {
			case rank[role] >= need:
			case role == "":
				want = http.StatusUnauthorized
			default:
				want = http.StatusForbidden
			}
			refused := a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
			if want == 0 && refused && r.Access != api.Public && r.Access != api.EnrolKey || want != 0 && a.status != want {
				t.Errorf("%s as %q: status %d, want %d: %s", r.ID, role, a.status, want, a.body)
			}
			if want != 0 {
				denied++
			}
		}
	}
	// And every denial is in the audit log.
	entries, err := c.store.AuditLog(context.Background(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	logged := 0
	for _, e := range entries {
		if !e.OK && strings.Contains(e.Detail, "127.0.0.1") {
			logged++
		}
	}
	if denied == 0 || logged != denied {
		t.Errorf("%d denials in the audit log, want %d", logged, denied)
	}
}

// TestAMatrixOfRoles states the table once more, as people think of it.
func TestAMatrixOfRoles(t *testing.T) {
	by := make(map[api.Access][]string)
	for _, r := range api.Routes() {
		by[r.Access] = append(by[r.Access], r.ID)
	}
	for access, want := range map[api.Access]string{
		api.Public:         "getSession login logout setup",
		api.EnrolKey:       "enrol",
		api.Viewers:        "getAlert getAlertActivities getChecklist getDetection getHealth getSensor listAlerts listDetections listSensors streamEvents",
		api.Analysts:       "closeAlert noteAlert reopenAlert",
		api.Administrators: "createAccessKey deleteAccessKey getAudit listAccessKeys revokeSensor",
	} {
		slices.Sort(by[access])
		if got := strings.Join(by[access], " "); got != want {
			t.Errorf("%s: %s, want %s", access, got, want)
		}
		delete(by, access)
	}
	if len(by) > 0 {
		t.Errorf("routes with another access: %v", by)
	}
}

// TestOpenAPIIsComplete: what is served is what is committed, and has every
// route of the table and no other.
func TestOpenAPIIsComplete(t *testing.T) {
	c := newCenter(t)
	a := c.client().raw("GET", c.url+"/openapi.json", nil)
	committed, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if a.status != 200 || !bytes.Equal(a.body, committed) {
		t.Error("openapi.json is out of date: make generate")
	}
	var doc struct {
		Paths map[string]map[string]struct {
			ID        string         `json:"operationId"`
			Access    string         `json:"x-verderer-access"`
			Summary   string         `json:"summary"`
			Responses map[string]any `json:"responses"`
		}
	}
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatal(err)
	}
	for _, r := range api.Routes() {
		op := doc.Paths["/api/v1"+r.Path][strings.ToLower(r.Method)]
		if op.ID != r.ID || op.Access != string(r.Access) || op.Summary == "" || op.Responses["default"] == nil {
			t.Errorf("%s %s: %+v", r.Method, r.Path, op)
		}
		delete(doc.Paths["/api/v1"+r.Path], strings.ToLower(r.Method))
	}
	for path, left := range doc.Paths {
		for method := range maps.Keys(left) {
			t.Errorf("openapi.json has %s %s, which the table has not", method, path)
		}
	}
}

func TestUnknownCalls(t *testing.T) {
	c := newCenter(t)
	l := c.as(api.Administrator)
	for _, path := range []string{"/", "/nothing", "/alerts/x/y/z"} {
		if a := l.do("GET", path, nil); a.status != 404 || a.problem(t).Code != "not-found" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := l.raw("GET", c.url+"/api/", nil); a.status != 404 {
		t.Errorf("/api/: %d", a.status)
	}
	if a := l.do("PUT", "/session", "{}"); a.status != 404 && a.status != 405 {
		t.Errorf("PUT /session: %d", a.status)
	}
}
