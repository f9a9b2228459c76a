package service

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// TestBrowser drives the console of a real center with a real browser:
// console/e2e/console.mjs says what is done and looked at. It runs where Node,
// chromium and the built pages are, and skips where one is missing, unless
// VERDERER_BROWSER=need (make console-test). It takes pictures of every page, and
// leaves those that docs/console.md shows in VERDERER_SCREENSHOTS (make screenshots).
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes half a minute")
	}
	chromium := browser(t)
	shots := t.TempDir()
	c := newCenter(t, "", "")
	// Pictures of the console show the address that a site would have.
	config, err := os.ReadFile(c.config)
	if err != nil {
		t.Fatal(err)
	}
	named := strings.Replace(string(config), "console: {", "console: {url: \"https://verderer.corp.example:8443\", ", 1)
	if err := os.WriteFile(c.config, []byte(named), 0o600); err != nil {
		t.Fatal(err)
	}
	c.start()
	_, token, ok := strings.Cut(c.setup, "#")
	if !ok {
		t.Fatalf("the center printed no set-up link:\n%s", c.process.tail())
	}

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // of the ten that all tests have
	defer cancel()
	script := exec.CommandContext(ctx, "node", "e2e/console.mjs", "--url", c.console, "--setup", c.console+"/setup#"+token,
		"--out", shots, "--chromium", chromium, "--patience", "60", "--asks")
	script.Dir = "../../console"
	script.WaitDelay = time.Second
	said, err := script.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := script.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	script.Stderr = &errs
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	b := &browserAsks{t: t, center: c}
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if ask, ok := strings.CutPrefix(lines.Text(), "@"); ok {
			b.answer(ask)
			io.WriteString(answers, "done\n")
			continue
		}
		t.Log(lines.Text())
	}
	if err := script.Wait(); err != nil {
		t.Fatalf("the console is not as it should be (%v):\n%s", err, errs.String())
	}
	keep(t, shots, os.Getenv("VERDERER_SCREENSHOTS"))
}

// keep copies the pictures that docs/console.md shows, which must all have been
// taken; to "" it only looks for them.
func keep(t *testing.T, from, to string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`console/([a-z-]+\.png)`).FindAllStringSubmatch(string(page), -1)
	if len(names) == 0 {
		t.Error("docs/console.md shows no picture")
	}
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(from, n[1]))
		if err != nil {
			t.Errorf("docs/console.md shows a picture that is not taken: %v", err)
			continue
		}
		if to != "" {
			if err := os.WriteFile(filepath.Join(to, n[1]), b, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}

// browser finds what is needed to run one, or skips the test.
func browser(t *testing.T) (chromium string) {
	t.Helper()
	need := os.Getenv("VERDERER_BROWSER") == "need"
	missing := func(what string) {
		t.Helper()
		if need {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	if _, err := os.Stat("../../console/dist/index.html"); err != nil {
		missing("the console is not built: make console-test builds and tests it")
	}
	if _, err := os.Stat("../../console/node_modules/playwright-core"); err != nil {
		missing("the console's development packages are absent: make console-test fetches them")
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing("no Node to drive a browser with")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil && need && os.Geteuid() == 0 {
		if out, err := exec.Command("sh", "-c", "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium").CombinedOutput(); err != nil {
			t.Fatalf("installing chromium: %v\n%s", err, out)
		}
		chromium, err = exec.LookPath("chromium")
	}
	if err != nil {
		missing("no chromium to look at the console with")
	}
	return chromium
}

// browserAsks does to the installation what the script asks for in between.
type browserAsks struct {
	t      *testing.T
	center *center
	sensor *sensor
}

func (b *browserAsks) answer(ask string) {
	b.t.Helper()
	switch ask {
	case "enroll":
		b.sensor = b.center.enroll("--files", "--name", "dc1")
	case "replay":
		b.sensor.start(append(read(attacks(b.t)), "--shift-to-now", "--stay")...)
	case "kill":
		b.center.kill()
	case "start":
		b.center.start()
	case "viewer": // there is no other way to make one yet
		b.sql("INSERT INTO person (name_key, name, hash, role, created) SELECT 'vera', 'vera', hash, 'viewer', created FROM person")
	case "expire": // an hour without a request, at once
		b.sql("UPDATE session SET expires = 1")
	default:
		b.t.Fatalf("the script asks for %q", ask)
	}
}

// sql changes the database of the center, which goes on running.
func (b *browserAsks) sql(statement string) {
	b.t.Helper()
	db, err := sql.Open("sqlite", fmt.Sprintf("file:%s?_pragma=busy_timeout(10000)", filepath.Join(b.center.dir, "data", "verderer.db")))
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		b.t.Fatal(err)
	}
}

// attacks are the bundled recordings in which something must be found at level
// low, which the center of these tests runs at.
func attacks(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, r := range recordings(t) {
		says, err := os.ReadFile(filepath.Join(filepath.Dir(r), "scenario.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if text := "\n" + string(says); strings.Contains(text, "\nverdict: alert") && strings.Contains(text, "\nlevel: low") {
			all = append(all, r)
		}
	}
	if len(all) < 6 {
		t.Fatalf("only %d recordings of attacks found", len(all))
	}
	return all
}
