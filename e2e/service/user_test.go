package service

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestForgottenPassword: an administrator of the machine gives out a new password
// while the center runs, and it holds at once.
func TestForgottenPassword(t *testing.T) {
	c := newCenter(t, "", "")
	c.start()
	c.login()
	user := func(stdin string, args ...string) {
		t.Helper()
		cmd := exec.Command(program(t, "verderer"), append(append([]string{"user"}, args...), "--config", c.config)...)
		cmd.Env, cmd.Stdin = environment(), strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	const other = "another good password"
	user(other+"\n", "password", "admin")
	refused := func(what, code string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	}
	refused("the session of before", "not-logged-in", c.call("GET", "alerts", nil, nil))
	refused("the old password", "wrong-login", c.call("POST", "session", map[string]string{"name": "admin", "password": password}, nil))
	c.must("POST", "session", map[string]string{"name": "admin", "password": other}, nil)

	user(other, "add", "Ada", "--role", "viewer")
	c.must("POST", "session", map[string]string{"name": "ada", "password": other}, nil)
	c.must("GET", "alerts", nil, nil)
	refused("a viewer", "forbidden", c.call("GET", "audit", nil, nil))
	user("", "remove", "ada")
	refused("a removed account's session", "not-logged-in", c.call("GET", "alerts", nil, nil))
	refused("a removed account", "wrong-login", c.call("POST", "session", map[string]string{"name": "ada", "password": other}, nil))

	c.must("POST", "session", map[string]string{"name": "admin", "password": other}, nil)
	var log struct {
		Entries []struct{ User, Action, Object string }
	}
	c.must("GET", "audit", nil, &log)
	var did []string
	for _, e := range slices.Backward(log.Entries) {
		if e.User == "command line" {
			did = append(did, e.Action+" "+e.Object)
		}
	}
	if s := strings.Join(did, ", "); s != "setPassword admin, addUser Ada, removeUser Ada" {
		t.Errorf("audit log: %s", s)
	}
}
