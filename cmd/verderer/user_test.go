package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/center/pki"
	"github.com/verderer/verderer/center/store"
)

// data is the folder of a center that was started before, with its settings.
func data(t *testing.T) (folder, config string) {
	t.Helper()
	folder, config = filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "verderer.yaml")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("data: "+folder+"\nnames: [center.example]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(filepath.Join(folder, "verderer.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return folder, config
}

func TestUserCommands(t *testing.T) {
	folder, config := data(t)
	user := func(stdin string, args ...string) (int, string) {
		t.Helper()
		code, stdout, stderr := run(t, []byte(stdin), append(append([]string{"user"}, args...), "--config", config)...)
		for _, secret := range []string{"correct horse", "another good"} {
			if strings.Contains(stdout+stderr, secret) {
				t.Errorf("%q repeats the password: %s%s", args, stdout, stderr)
			}
		}
		return code, stdout + stderr
	}
	for _, x := range []struct {
		stdin string
		args  []string
		code  int
		says  string
	}{
		{"", []string{"list"}, 0, "There is no account yet"},
		{"correct horse battery\n", []string{"add", "Ada"}, 2, "--role"},
		{"correct horse battery\n", []string{"add", "Ada", "--role", "god"}, 2, "--role"},
		{"short\n", []string{"add", "Ada", "--role", "administrator"}, 2, "12 to 256 characters"},
		{"", []string{"add", "Ada", "--role", "administrator"}, 2, "12 to 256 characters"},
		{"administrator\n", []string{"add", "ADMINISTRATOR", "--role", "viewer"}, 2, "The password is the name"},
		{"correct horse battery\ncorrect horse battery\n", []string{"add", "Ada", "--role", "viewer"}, 2, "want one line"},
		{"correct horse \xff battery", []string{"add", "Ada", "--role", "viewer"}, 2, "want one line"},
		{strings.Repeat("x", 100_000), []string{"add", "Ada", "--role", "viewer"}, 2, "12 to 256 characters"},
		{"correct horse battery", []string{"add", " Ada", "--role", "viewer"}, 2, "no space at its ends"},
		{"correct horse battery", []string{"add", "Ada\n", "--role", "viewer"}, 2, "no space at its ends"},
		{"correct horse battery", []string{"add", "Command Line", "--role", "viewer"}, 2, "Take another name"},
		{"correct horse battery\r\n", []string{"add", "Ada", "--role", "administrator"}, 0, "There is an account Ada now, with the role administrator."},
		{"correct horse battery", []string{"add", "ada", "--role", "viewer"}, 1, "there is an account Ada already"},
		{"correct horse battery", []string{"add", "Bea", "--role", "analyst"}, 0, "There is an account Bea"},
		{"", []string{"list"}, 0, "Bea\tanalyst\tsince 2"},
		{"too short", []string{"password", "ada"}, 2, "12 to 256 characters"},
		{"another good password", []string{"password", "ada"}, 0, "The password of Ada is changed."},
		{"another good password", []string{"password", "eve"}, 1, "there is no account eve"},
		{"", []string{"remove", "eve"}, 1, "there is no account eve"},
		{"", []string{"remove", "Ada"}, 1, "Ada is the last administrator"},
		{"", []string{"remove", "bea"}, 0, "The account Bea is removed."},
	} {
		if code, out := user(x.stdin, x.args...); code != x.code || !strings.Contains(out, x.says) {
			t.Errorf("%q: exit code %d, want %d with %q: %s", x.args, code, x.code, x.says, out)
		}
	}
	st, err := store.Open(filepath.Join(folder, "verderer.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	log, err := st.AuditLog(context.Background(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, e := range slices.Backward(log) {
		did = append(did, e.User+" "+e.Action+" "+e.Object)
	}
	if s := strings.Join(did, ", "); s != "command line addUser Ada, command line addUser Bea, command line setPassword Ada, command line removeUser Bea" {
		t.Errorf("audit log: %s", s)
	}
}

// TestAccessKeyWritesNoKeys: root may ask for an access key. What it would write
// beside the center's keys the center could not read.
func TestAccessKeyWritesNoKeys(t *testing.T) {
	folder, config := data(t)
	dir := filepath.Join(folder, "pki")
	// For other names than the host has by now: a new address is enough.
	authority, err := pki.Open(dir, []string{"old.example"})
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	code, stdout, stderr := run(t, nil, "access-key", "new", "--config", config)
	if code != 0 || !strings.Contains(stdout, "-"+authority.Fingerprint()+"\n") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	if after := contents(t, dir); after != before {
		t.Error("the folder of keys changed")
	}
}

func contents(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(f.Name() + "\n" + string(text))
	}
	return b.String()
}
