package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/api"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/receive"
	"github.com/verderer/verderer/center/pki"
	"github.com/verderer/verderer/center/store"
	"github.com/verderer/verderer/center/worker"
)

// A center is the API over a real store and authority, on a real TLS port. What
// the worker does to alerts is done here at once. Tests that have one run beside
// each other.
type center struct {
	t      testing.TB
	server *api.Server
	store  *store.Store
	pki    *pki.Authority
	path   string // of the database
	url    string
	logs   *bytes.Buffer
	health *health.Registry

	mu           sync.Mutex
	states       map[string]receive.State
	disconnected []string
	position     uint64
	actError     error
	ready        string
}

// readTime is for a request, less than it is at work.
const readTime = 2 * time.Second

var t0 = activity.Time(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())

func newCenter(t *testing.T, change ...func(*api.Config)) *center {
	t.Helper()
	t.Parallel()
	return build(t, change...)
}

func build(t testing.TB, change ...func(*api.Config)) *center {
	t.Helper()
	dir := t.TempDir()
	c := &center{t: t, path: filepath.Join(dir, "center.db"), logs: new(bytes.Buffer), states: make(map[string]receive.State)}
	var err error
	if c.store, err = store.Open(c.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.store.Close() })
	if c.pki, err = pki.Open(filepath.Join(dir, "pki"), []string{"localhost"}); err != nil {
		t.Fatal(err)
	}
	c.health = health.NewRegistry(nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.url = "https://" + l.Addr().String()
	cfg := api.Config{
		Store: c.store, Health: c.health, Act: c.act, Definitions: all.Definitions,
		Sensors: func() map[string]receive.State {
			c.mu.Lock()
			defer c.mu.Unlock()
			m := make(map[string]receive.State)
			for id, s := range c.states {
				m[id] = s
			}
			return m
		},
		Disconnect: func(id string) { c.mu.Lock(); c.disconnected = append(c.disconnected, id); c.mu.Unlock() },
		SignSensor: c.pki.SignSensor,
		Evaluations: func() map[string]api.Evaluation {
			return map[string]api.Evaluation{"dcsync": {Working: true, Text: "looked at 3 × x"}}
		},
		Ready: func() string { c.mu.Lock(); defer c.mu.Unlock(); return c.ready },
		Level: func() detect.Level { return detect.LevelMedium },
		CA:    c.pki.CADER(), Fingerprint: c.pki.Fingerprint(), SensorAddress: "center.example:8444", ConsoleURL: c.url,
		Console: fstest.MapFS{
			"index.html":           {Data: []byte("<!doctype html><title>Verderer</title>")},
			"assets/main-1a2b3.js": {Data: []byte(strings.Repeat("console.log('it is long enough to be compressed');\n", 100))},
			"favicon.svg":          {Data: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>")},
		},
		Version: "test", Log: slog.New(slog.NewTextHandler(&lockedWriter{w: c.logs}, nil)), Now: time.Now,
	}
	for _, f := range change {
		f(&cfg)
	}
	if c.server, err = api.New(cfg); err != nil {
		t.Fatal(err)
	}
	h := c.server.HTTP(c.pki.ServerTLS())
	h.ReadTimeout = readTime
	go h.ServeTLS(l, "", "")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("the server did not stop: %v", err)
		}
	})
	return c
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// write stores alerts as the worker hands them on.
func (c *center) write(acts []ingest.Act, alerts ...*alert.Alert) error {
	c.mu.Lock()
	c.position++
	p := c.position
	c.mu.Unlock()
	return c.store.Write(context.Background(), &worker.Result{Position: p, Ingest: t0.Add(time.Hour + time.Duration(p)*time.Second), Alerts: alerts, Acts: acts})
}

func (c *center) act(ctx context.Context, a ingest.Act) error {
	c.mu.Lock()
	err := c.actError
	c.mu.Unlock()
	if err != nil {
		return err
	}
	r, err := c.store.Alert(ctx, a.Alert)
	if err != nil {
		return err
	}
	switch a.Do {
	case ingest.Close:
		r.Alert.Status = alert.Closed
	case ingest.Reopen:
		r.Alert.Status = alert.Open
	}
	return c.write([]ingest.Act{a}, r.Alert)
}

// raise stores the n-th alert of a test.
func (c *center) raise(n int, change ...func(*alert.Alert)) *alert.Alert {
	c.t.Helper()
	a := &alert.Alert{
		ID: fmt.Sprintf("%032x", n), Detection: "dcsync", MDIID: 2006, ATAIDs: []int{2006}, Title: "Suspected DCSync attack",
		Severity: detect.High, Status: alert.Open, Start: t0.Add(time.Duration(n) * time.Minute), End: t0.Add(time.Duration(n)*time.Minute + time.Second),
		Sources: []detect.Computer{{Address: "10.0.0.1", Name: "WS1"}}, Accounts: []detect.Party{{Name: "mallory", Role: detect.Actor}},
		Targets: []detect.Computer{}, Outcome: activity.Success, Count: 1, Techniques: []string{"T1003.006"},
		Summary: fmt.Sprintf("Alert %d.", n), Evidence: []alert.Evidence{{Kind: alert.Statement, Text: "It was."}}, Certainty: "high", Baseline: detect.BaselineUnneeded,
	}
	for _, f := range change {
		f(a)
	}
	if err := c.write(nil, a); err != nil {
		c.t.Fatal(err)
	}
	return a
}

const password = "correct horse battery"

// a hash for accounts that tests insert, of password.
var hashed = sync.OnceValue(func() string {
	h, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		panic(err)
	}
	return h
})

// account inserts one beside the API.
func (c *center) account(name string, role api.Role) {
	c.t.Helper()
	db, err := sql.Open("sqlite", c.path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec("PRAGMA busy_timeout = 5000; INSERT INTO person (name_key, name, hash, role, created) VALUES (?, ?, ?, ?, ?)", name, name, hashed(), string(role), 1)
	if err != nil {
		c.t.Fatal(err)
	}
}

// A client is a browser or a script with its cookies.
type client struct {
	c       *center
	http    *http.Client
	headers http.Header
}

func (c *center) client() *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	h := &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: c.pki.CAPool()}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.t.Cleanup(h.CloseIdleConnections) // for which the server would wait
	return &client{c, h, make(http.Header)}
}

// as is a client that is logged in with a role.
func (c *center) as(role api.Role) *client {
	c.t.Helper()
	name := "the-" + string(role)
	if _, err := c.store.UserByName(context.Background(), name); errors.Is(err, store.ErrNotFound) {
		c.account(name, role)
	}
	l := c.client()
	l.want(200, "POST", "/session", api.Login{Name: name, Password: password}, nil)
	return l
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) problem(t testing.TB) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(a.body, &p); err != nil || p.Code == "" || p.Detail == "" || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d with %s is no problem: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return p
}

// do calls a route below /api/v1, and holds the answer against openapi.json.
func (l *client) do(method, path string, in any) answer {
	l.c.t.Helper()
	var body io.Reader
	switch v := in.(type) {
	case nil:
	case string:
		body = strings.NewReader(v)
	default:
		b, err := json.Marshal(in)
		if err != nil {
			l.c.t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	a := l.raw(method, l.c.url+"/api/v1"+path, body)
	conforms(l.c.t, method, path, a)
	return a
}

func (l *client) raw(method, url string, body io.Reader) answer {
	l.c.t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		l.c.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range l.headers {
		r.Header[k] = v
	}
	resp, err := l.http.Do(r)
	if err != nil {
		l.c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		l.c.t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// want calls a route, and fails the test on another status. out is filled.
func (l *client) want(status int, method, path string, in, out any) answer {
	l.c.t.Helper()
	a := l.do(method, path, in)
	if a.status != status {
		l.c.t.Fatalf("%s %s: status %d, want %d: %s\nlog: %s", method, path, a.status, status, a.body, l.c.logs)
	}
	if out != nil {
		if err := json.Unmarshal(a.body, out); err != nil {
			l.c.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
	return a
}

// refused calls a route that refuses with a code.
func (l *client) refused(status int, code, method, path string, in any) {
	l.c.t.Helper()
	a := l.do(method, path, in)
	if p := a.problem(l.c.t); a.status != status || p.Code != code {
		l.c.t.Errorf("%s %s: %d %s, want %d %s: %s", method, path, a.status, p.Code, status, code, a.body)
	}
}

var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	b, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://verderer.test/openapi.json", doc); err != nil {
		return nil, err
	}
	all := make(map[string]*jsonschema.Schema)
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for path, methods := range doc.(map[string]any)["paths"].(map[string]any) {
		for method, op := range methods.(map[string]any) {
			for status, response := range op.(map[string]any)["responses"].(map[string]any) {
				content, _ := response.(map[string]any)["content"].(map[string]any)
				for media := range content {
					at := "https://verderer.test/openapi.json#/paths/" + escape.Replace(path) + "/" + method +
						"/responses/" + status + "/content/" + escape.Replace(media) + "/schema"
					s, err := c.Compile(at)
					if err != nil {
						return nil, err
					}
					all[strings.Join([]string{strings.ToUpper(method), path, status, media}, " ")] = s
				}
			}
		}
	}
	return all, nil
})

// conforms fails the test when an answer is not what openapi.json promises.
func conforms(t testing.TB, method, path string, a answer) {
	t.Helper()
	known, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	var template string
	for _, r := range api.Routes() {
		if r.Method == method && match(r.Path, path) {
			template = "/api/v1" + r.Path
		}
	}
	if template == "" || a.status == http.StatusNoContent {
		return
	}
	media := a.header.Get("Content-Type")
	status := fmt.Sprint(a.status)
	if a.status >= 400 {
		status = "default"
	}
	s := known[strings.Join([]string{method, template, status, media}, " ")]
	if s == nil {
		t.Errorf("%s %s: openapi.json knows no %s with %s", method, path, status, media)
		return
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.body))
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s %s: %v\nin %s", method, path, err, a.body)
	}
}

func match(template, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}

func escaped(s string) string { return url.QueryEscape(s) }
