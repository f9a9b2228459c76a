package ship_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/verderer/verderer/sensor/ship"
	"github.com/verderer/verderer/sensor/ship/shiptest"
)

func TestEnrol(t *testing.T) {
	c := shiptest.NewCenter(t)
	dir := filepath.Join(t.TempDir(), "a", "state")
	e := ship.Enrolment{State: dir, Center: strings.TrimPrefix(c.Enrol.URL, "https://"), Key: " " + strings.ToUpper(c.Key()) + "\n", Name: "dc1", Files: true}
	id, err := ship.Enrol(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	if id.ID != shiptest.Sensor || id.Name != "dc1" || id.Address != c.Address || !id.Files {
		t.Errorf("enrolled as %+v", id.Sensor)
	}
	if runtime.GOOS != "windows" {
		for name, want := range map[string]os.FileMode{"": 0o700, "key.pem": 0o600, "sensor.json": 0o600} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
				t.Errorf("%q: %v %v, want mode %o", name, info, err, want)
			}
		}
	}
	if _, err := ship.Enrol(context.Background(), e); !errors.Is(err, ship.ErrEnrolled) {
		t.Errorf("enrolled over another identity: %v", err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, "key.pem"))
	e.Force = true
	if _, err := ship.Enrol(context.Background(), e); err != nil {
		t.Errorf("not with force either: %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "key.pem")); string(after) == string(before) || len(after) == 0 {
		t.Error("the key is the old one")
	}
}

// TestEnrolLeavesAFolderAsItIs: --state may name a folder that others use, /tmp by
// mistake. Its mode is not ours to change, and the files there are readable by
// us alone all the same.
func TestEnrolLeavesAFolderAsItIs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	c := shiptest.NewCenter(t)
	for _, x := range []struct {
		mode os.FileMode
		fine bool
	}{{0o755, true}, {0o777, false}, {0o777 | os.ModeSticky, false}} {
		dir := filepath.Join(t.TempDir(), "state")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, x.mode)); err != nil {
			t.Fatal(err)
		}
		_, err := ship.Enrol(context.Background(), ship.Enrolment{State: dir, Center: c.Enrol.URL, Key: c.Key(), Name: "dc1"})
		if x.fine && err != nil || !x.fine && (err == nil || !strings.Contains(err.Error(), "anybody may write")) {
			t.Errorf("in a folder of mode %o: %v", x.mode, err)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode()&(os.ModePerm|os.ModeSticky) != x.mode {
			t.Errorf("a folder of mode %o: %v %v", x.mode, info.Mode(), err)
		}
		info, err := os.Stat(filepath.Join(dir, "key.pem"))
		if x.fine && (err != nil || info.Mode().Perm() != 0o600) || !x.fine && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the key in a folder of mode %o: %v %v", x.mode, info, err)
		}
	}
}

func TestEnrolRefusals(t *testing.T) {
	c := shiptest.NewCenter(t)
	_, other := shiptest.CA(t)
	ours := func(secret string) string {
		parts := strings.Split(c.Key(), "-")
		parts[2] = secret
		return strings.Join(parts, "-")
	}
	port := c.Enrol.URL[strings.LastIndex(c.Enrol.URL, ":"):]
	for _, x := range []struct{ name, center, key, want string }{
		{"no key", c.Enrol.URL, "hunter2", "no access key"},
		{"cut key", c.Enrol.URL, c.Key()[:len(c.Key())-3], "no access key"},
		{"damaged key", c.Enrol.URL, c.Key()[:len(c.Key())-1] + "z", "damaged"},
		{"another center's key", c.Enrol.URL, shiptest.Key(other, shiptest.Secret), "something between you and the center"},
		{"wrong secret", c.Enrol.URL, ours("guess"), "The key expired."},
		{"no TLS", "http://127.0.0.1", c.Key(), "https"},
		{"not a URL", "https://", c.Key(), "no address"},
		{"nobody there", "https://127.0.0.1:1", c.Key(), "connecting to the center"},
		{"unknown name", "https://center.invalid", c.Key(), "finding the center"},
		{"a name that it has not", "https://localhost" + port, c.Key(), "center.example, 127.0.0.1"},
	} {
		t.Run(x.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			_, err := ship.Enrol(context.Background(), ship.Enrolment{State: dir, Center: x.center, Key: x.key, Name: "dc1"})
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %v, want something about %q", err, x.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\x1b") {
				t.Errorf("escape sequences in %q", err)
			}
			if _, err := ship.OpenIdentity(dir); !errors.Is(err, ship.ErrNotEnrolled) {
				t.Errorf("something was enrolled: %v", err)
			}
		})
	}
}

func FuzzAccessKey(f *testing.F) {
	_, ca := shiptest.CA(f)
	f.Add(shiptest.Key(ca, "secret"))
	f.Add("vk1-a-b-c")
	f.Add("vk1---")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ship.ParseAccessKey(s)
		if err != nil {
			if len(s) > 20 && strings.Contains(err.Error(), s) {
				t.Error("the error repeats the key")
			}
			return
		}
		if k.ID == "" || k.Secret == "" || strings.ContainsAny(k.ID+k.Secret, "-\n /") {
			t.Errorf("%q is read as %+v", s, k)
		}
	})
}
