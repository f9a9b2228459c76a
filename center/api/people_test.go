package api_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verderer/verderer/center/api"
	"github.com/verderer/verderer/center/store"
)

func TestSetup(t *testing.T) {
	c := newCenter(t)
	l := c.client()
	var s api.Session
	if l.want(200, "GET", "/session", nil, &s); s.User != nil || !s.SetupNeeded || s.Version != "test" {
		t.Errorf("before: %+v", s)
	}
	replaced, err := c.store.NewSetupToken(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	expired, err := c.store.NewSetupToken(context.Background(), -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l.refused(403, "setup-token", "POST", "/setup", api.Setup{Token: "guessed", Name: "Ada", Password: password})
	l.refused(403, "setup-token", "POST", "/setup", api.Setup{Token: replaced, Name: "Ada", Password: password})
	l.refused(403, "setup-token", "POST", "/setup", api.Setup{Token: expired, Name: "Ada", Password: password})

	token, err := c.store.NewSetupToken(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	l.refused(422, "password", "POST", "/setup", api.Setup{Token: token, Name: "Administrators", Password: "administratorS"})
	l.refused(422, "name", "POST", "/setup", api.Setup{Token: token, Name: "Ada\x00", Password: password})
	l.refused(422, "invalid", "POST", "/setup", api.Setup{Token: token, Name: "Ada", Password: "elevenchars"})
	if l.want(200, "POST", "/setup", api.Setup{Token: token, Name: "Ada", Password: password}, &s); s.User == nil || s.User.Name != "Ada" || s.User.Role != api.Administrator || s.SetupNeeded {
		t.Errorf("after: %+v", s)
	}
	// And is logged in.
	l.want(200, "GET", "/audit", nil, nil)

	other := c.client()
	other.refused(409, "already-set-up", "POST", "/setup", api.Setup{Token: token, Name: "Eve", Password: password})
	if n, err := c.store.CountUsers(context.Background()); n != 1 || err != nil {
		t.Errorf("%d accounts, %v", n, err)
	}
	if strings.Contains(c.logs.String(), token) || strings.Contains(c.logs.String(), password) {
		t.Error("a secret is in the log")
	}
}

// TestSetupOnce: of many who have the token, one gets the account.
func TestSetupOnce(t *testing.T) {
	c := newCenter(t)
	token, err := c.store.NewSetupToken(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := make(map[int]int)
	for range 5 {
		l := c.client()
		wg.Go(func() {
			a := l.do("POST", "/setup", api.Setup{Token: token, Name: "Ada", Password: password})
			mu.Lock()
			statuses[a.status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if n, err := c.store.CountUsers(context.Background()); n != 1 || err != nil || statuses[200] != 1 {
		t.Errorf("%d accounts, %v, %v", n, err, statuses)
	}
}

func TestLogin(t *testing.T) {
	c := newCenter(t)
	c.account("ada", api.Analyst)
	l := c.client()
	wrong := l.want(401, "POST", "/session", api.Login{Name: "ada", Password: "wrong password"}, nil)
	unknown := l.want(401, "POST", "/session", api.Login{Name: "eve", Password: "wrong password"}, nil)
	if string(wrong.body) != string(unknown.body) || wrong.problem(t).Code != "wrong-login" {
		t.Errorf("a wrong password is told from an unknown name: %s, %s", wrong.body, unknown.body)
	}
	var s api.Session
	a := l.want(200, "POST", "/session", api.Login{Name: "ADA", Password: password}, &s)
	if s.User == nil || *s.User != (api.User{Name: "ada", Role: api.Analyst}) {
		t.Errorf("%+v", s.User)
	}
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-verderer=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict"} {
		if !strings.Contains(cookie, want) || strings.Contains(cookie, "Domain") || strings.Contains(cookie, "Expires") {
			t.Errorf("cookie %q is without %q", cookie, want)
		}
	}
	if l.want(200, "GET", "/session", nil, &s); s.User == nil || s.User.Name != "ada" {
		t.Errorf("%+v", s.User)
	}

	// The token of before a login is worth nothing after it.
	u, _ := url.Parse(c.url)
	old := l.http.Jar.Cookies(u)
	l.want(200, "POST", "/session", api.Login{Name: "ada", Password: password}, nil)
	thief := c.client()
	thief.http.Jar.SetCookies(u, old)
	thief.refused(401, "not-logged-in", "GET", "/alerts", nil)

	// Nor is one after a logout.
	last := l.http.Jar.Cookies(u)
	l.want(204, "DELETE", "/session", nil, nil)
	l.refused(401, "not-logged-in", "GET", "/alerts", nil)
	thief.http.Jar.SetCookies(u, last)
	thief.refused(401, "not-logged-in", "GET", "/alerts", nil)

	entries, err := c.store.AuditLog(context.Background(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		ok := map[bool]string{true: "ok", false: "denied"}[e.OK]
		got = append([]string{e.Action + " " + e.User + " " + ok}, got...)
		if strings.Contains(e.Detail+e.User, "eve") {
			t.Errorf("an unknown name was kept: it may be a password: %+v", e)
		}
	}
	want := "login ada denied, login  denied, login ada ok, login ada ok, listAlerts  denied, logout ada ok, listAlerts  denied, listAlerts  denied"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("audit log: %s", s)
	}
}

func TestSessionsEnd(t *testing.T) {
	c := newCenter(t)
	c.account("ada", api.Viewer)
	gone := func(l *client) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for l.do("GET", "/session", nil); ; time.Sleep(1500 * time.Millisecond) {
			var s api.Session
			l.want(200, "GET", "/session", nil, &s)
			if s.User == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the session did not end")
			}
		}
	}
	// Asked less often than the idle time: over.
	c.server.SetSessionTimes(time.Second, time.Hour)
	l := c.client()
	l.want(200, "POST", "/session", api.Login{Name: "ada", Password: password}, nil)
	gone(l)

	// Asked more often: still over after the absolute time.
	c.server.SetSessionTimes(time.Hour, 3*time.Second)
	l.want(200, "POST", "/session", api.Login{Name: "ada", Password: password}, nil)
	gone(l)
}

// TestUseProlongsASession: a session lives for as long as it is used.
func TestUseProlongsASession(t *testing.T) {
	c := newCenter(t)
	c.account("ada", api.Viewer)
	c.server.SetSessionTimes(4*time.Second, time.Hour)
	l := c.client()
	l.want(200, "POST", "/session", api.Login{Name: "ada", Password: password}, nil)
	for start := time.Now(); time.Since(start) < 6*time.Second; time.Sleep(200 * time.Millisecond) {
		l.want(200, "GET", "/health", nil, nil)
	}
}

func TestCrossOrigin(t *testing.T) {
	c := newCenter(t)
	a := c.raise(1)
	l := c.as(api.Analyst)
	for _, x := range []struct {
		name, value string
		refused     bool
	}{
		{"Sec-Fetch-Site", "cross-site", true},
		{"Sec-Fetch-Site", "same-site", true}, // another port or a neighbour in the domain
		{"Origin", "https://evil.example", true},
		{"Origin", strings.Replace(c.url, "https:", "http:", 1), false}, // an old browser: the host is what can be compared
		{"Origin", "null", true},
		{"Origin", c.url, false},
		{"Sec-Fetch-Site", "same-origin", false},
		{"Accept", "application/json", false}, // a script
	} {
		l.headers = http.Header{x.name: {x.value}}
		if x.refused {
			l.refused(403, "cross-origin", "POST", "/alerts/"+a.ID+"/note", api.Comment{Comment: "x"})
		} else {
			l.want(200, "POST", "/alerts/"+a.ID+"/note", api.Comment{Comment: "x"}, nil)
		}
	}
	// Reading is refused by nobody but the browser, which keeps the answer back.
	l.headers = http.Header{"Origin": {"https://evil.example"}}
	if got := l.want(200, "GET", "/alerts", nil, nil); got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("another site may read")
	}
	// A form cannot send JSON.
	l.headers = http.Header{"Content-Type": {"text/plain"}}
	l.refused(415, "unsupported-media-type", "POST", "/alerts/"+a.ID+"/note", `{"comment":"x"}`)
}

func TestGuessingIsSlowedDown(t *testing.T) {
	c := newCenter(t)
	c.account("ada", api.Viewer)
	l := c.client()
	wrong := 0
	for range 30 {
		a := l.do("POST", "/session", api.Login{Name: "ada", Password: "guess"})
		if a.status == 429 {
			if a.header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			break
		}
		wrong++
	}
	if wrong < 5 || wrong > 12 {
		t.Errorf("%d guesses were taken", wrong)
	}
	// The right password does not help now, and whoever is logged in notices nothing.
	l.refused(429, "too-many", "POST", "/session", api.Login{Name: "ada", Password: password})
	l.want(200, "GET", "/session", nil, nil)
}

// TestFewPasswordsAtOnce: a flood of logins costs a bounded amount of memory.
func TestFewPasswordsAtOnce(t *testing.T) {
	h, err := api.NewHasher()
	if err != nil {
		t.Fatal(err)
	}
	const many = 4 * (api.MaxHashing + api.MaxWaiting)
	hold := make(chan struct{})
	results := make(chan error, many)
	for range many {
		go func() { results <- h.Run(context.Background(), func() error { <-hold; return nil }) }()
	}
	for range many - api.MaxHashing - api.MaxWaiting {
		if err := <-results; err == nil {
			t.Error("one got in too many")
		}
	}
	close(hold)
	for range api.MaxHashing + api.MaxWaiting {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if ok, err := h.Matches(context.Background(), password, ""); ok || err != nil {
		t.Errorf("nobody's password matches: %v %v", ok, err)
	}
	hash, err := h.Hash(context.Background(), password)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Matches(context.Background(), password, hash); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestRequestLimits(t *testing.T) {
	c := newCenter(t)
	a := c.raise(1)
	l := c.as(api.Analyst)
	// Before anybody is known, many at once: a body is kept until all of it came.
	c.client().refused(413, "too-large", "POST", "/session", `{"name":"ada","password":"`+strings.Repeat("x", 100<<10)+`"}`)
	big := `{"comment":"` + strings.Repeat("x", api.MaxBody) + `"}`
	l.refused(413, "too-large", "POST", "/alerts/"+a.ID+"/note", big)
	l.refused(422, "invalid", "POST", "/alerts/"+a.ID+"/note", `{"comment":"`+strings.Repeat("x", 5000)+`"}`)
	l.refused(422, "comment", "POST", "/alerts/"+a.ID+"/note", `{"comment":"`+strings.Repeat("€", 4000)+`"}`)
	l.refused(400, "bad-request", "POST", "/alerts/"+a.ID+"/note", `{"comment":`)
	l.refused(422, "invalid", "POST", "/alerts/"+a.ID+"/note", `{"comment":"x","more":1}`)
	l.refused(422, "invalid", "GET", "/alerts?statuss=open", nil)
	l = c.client().http1() // the other's client would refuse by itself
	l.headers = http.Header{"X-Long": {strings.Repeat("x", 64<<10)}}
	if a := l.raw("GET", c.url+"/healthz", nil); a.status != 431 {
		t.Errorf("64 KiB of headers: %d", a.status)
	}
}

// loginFrom logs in from an address, and returns the status.
func (c *center) loginFrom(address, name, password string) int {
	r := httptest.NewRequest("POST", "https://center.test/api/v1/session", strings.NewReader(`{"name":"`+name+`","password":"`+password+`"}`))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = address + ":1234"
	w := httptest.NewRecorder()
	c.server.Handler().ServeHTTP(w, r)
	return w.Code
}

// TestOneGuesserLocksNobodyOut: who guesses at a name from one address is held up
// there, and its owner logs in from anywhere: after a restart nobody is known.
func TestOneGuesserLocksNobodyOut(t *testing.T) {
	c := newCenter(t)
	c.account("ada", api.Administrator)
	taken := 0
	for range 100 {
		if c.loginFrom("10.1.0.1", "ada", "guess") == 401 {
			taken++
		}
	}
	if taken == 0 || taken > 12 {
		t.Errorf("%d guesses were taken", taken)
	}
	if got := c.loginFrom("10.2.0.1", "ada", password); got != 200 {
		t.Errorf("the owner, from elsewhere: %d", got)
	}
}

// TestGuessersLockNobodyOut: guesses at one name from many addresses are held
// up, and whoever has that name logs in from where they did before.
func TestGuessersLockNobodyOut(t *testing.T) {
	c := newCenter(t)
	c.account("ada", api.Viewer)
	from := func(address, password string) int { return c.loginFrom(address, "ada", password) }
	if got := from("10.0.0.1", password); got != 200 {
		t.Fatalf("login: %d", got)
	}
	held := 0
	for n := range 100 {
		if from(fmt.Sprintf("10.1.%d.1", n), "guess") == 429 {
			held++
		}
	}
	if held < 65 {
		t.Errorf("%d of 100 guesses from as many addresses were held up", held)
	}
	if got := from("10.2.0.1", password); got != 429 {
		t.Errorf("from elsewhere: %d", got)
	}
	for range 20 { // logins that are right are not counted
		if got := from("10.0.0.1", password); got != 200 {
			t.Fatalf("from where it was before: %d", got)
		}
	}
}

// TestOneLoginDoesNotPayForGuessesAtAnother: on a computer that several people
// share, whoever has an account does not get more guesses at another's by
// logging in between them.
func TestOneLoginDoesNotPayForGuessesAtAnother(t *testing.T) {
	c := newCenter(t)
	c.account("ada", api.Administrator)
	c.account("eve", api.Viewer)
	login := func(name, password string) int {
		return c.client().do("POST", "/session", api.Login{Name: name, Password: password}).status
	}
	if got := login("ada", password); got != 200 {
		t.Fatalf("login: %d", got)
	}
	taken := 0
	for range 10 {
		for range 8 {
			if login("ada", "guess") == 401 {
				taken++
			}
		}
		if got := login("eve", password); got != 200 {
			break
		}
	}
	if taken > 12 {
		t.Errorf("%d guesses were taken", taken)
	}
}

// TestStrangersDoNotFlushTheAuditLog: it is bounded, so what those without an
// account write into it is too, however many addresses they have.
func TestStrangersDoNotFlushTheAuditLog(t *testing.T) {
	c := newCenter(t)
	token, err := c.store.NewSetupToken(context.Background(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c.server.SetDenials(5)
	for n := range 6 {
		for path, body := range map[string]string{
			"session": `{"name":"nobody","password":"guess"}`,
			"setup":   `{"token":"guess","name":"Eve","password":"` + password + `"}`,
		} {
			if path == "session" {
				body = strings.Replace(body, "nobody", fmt.Sprint("nobody", n), 1)
			}
			r := httptest.NewRequest("POST", "https://center.test/api/v1/"+path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.RemoteAddr = fmt.Sprintf("10.1.%d.1:1234", n)
			w := httptest.NewRecorder()
			c.server.Handler().ServeHTTP(w, r)
			if w.Code != 401 && w.Code != 403 {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	}
	log, err := c.store.AuditLog(context.Background(), 1000)
	if err != nil || len(log) != 5 {
		t.Errorf("%d entries of 12 denials, want the 5 allowed: %v", len(log), err)
	}
	if err := c.store.CreateFirstUser(context.Background(), token, store.User{Name: "ada", Hash: "x", Role: "administrator"}); err != nil {
		t.Error(err)
	}
}

// TestStrangersDoNotWrite: whoever has no session ends none, and does not queue
// with those who store what sensors found. Somebody else is writing here.
func TestStrangersDoNotWrite(t *testing.T) {
	c := newCenter(t)
	db, err := sql.Open("sqlite", "file:"+c.path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	u, _ := url.Parse(c.url)
	l := c.client()
	l.want(204, "DELETE", "/session", nil, nil)
	l.http.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-verderer", Value: "planted", Path: "/", Secure: true}})
	l.want(204, "DELETE", "/session", nil, nil)
}

// TestSessionsFollowTheirAccount: a role counts as it is now, and a session does
// not outlive the password that it was begun with.
func TestSessionsFollowTheirAccount(t *testing.T) {
	c := newCenter(t)
	l := c.as(api.Administrator)
	l.want(200, "GET", "/audit", nil, nil)
	c.sql("UPDATE person SET role = 'viewer'")
	l.refused(403, "forbidden", "GET", "/audit", nil)
	l.want(200, "GET", "/alerts", nil, nil)
	c.sql("UPDATE person SET role = 'something'")
	l.refused(403, "forbidden", "GET", "/alerts", nil)
	c.sql("UPDATE person SET role = 'viewer', hash = hash || 'x'")
	l.refused(401, "not-logged-in", "GET", "/alerts", nil)
	c.sql("DELETE FROM person")
	l.refused(401, "not-logged-in", "GET", "/alerts", nil)
}
