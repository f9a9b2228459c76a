package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// built is the program under test, built on first use.
var built struct {
	path string
	err  error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "verderer-e2e")
	if err != nil {
		panic(err)
	}
	built.path = filepath.Join(dir, "verderer")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// build makes the program as a release does, once for all tests.
func build(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(built.path); err == nil {
		return built.path
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", built.path, "../cmd/verderer")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return built.path
}

// execute runs the program and returns its exit code and outputs.
func execute(t testing.TB, command string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := exec.Command(command, args...)
	cmd.Stdout, cmd.Stderr = &o, &e
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// TestOddInputs names things that are no captures, together with one that is:
// they are told of, and the capture is analyzed.
func TestOddInputs(t *testing.T) {
	command := build(t)
	dir := t.TempDir()
	var attack recording
	for _, r := range recordings(t) {
		if r.scenario.Verdict == "alert" && len(r.scenario.Exclude) == 0 {
			attack = r
			break
		}
	}
	good := filepath.Join(dir, "good.pcap")
	odd := filepath.Join(dir, "odd")
	for path, content := range map[string][]byte{
		good:                             attack.content,
		filepath.Join(odd, "empty"):      {},
		filepath.Join(odd, "notes.txt"):  []byte("not a capture\n"),
		filepath.Join(odd, "cut.pcap"):   attack.content[:10],
		filepath.Join(odd, "a\x1b[31mb"): []byte("a name that is no text for a terminal"),
	} {
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(dir, "folder")
	os.Mkdir(folder, 0o755)

	cases := []struct {
		name   string
		inputs []string
		code   int
		says   string // on standard error
	}{
		{"an empty file", []string{filepath.Join(odd, "empty")}, 3, "odd/empty: offset 0: empty file"},
		{"text", []string{filepath.Join(odd, "notes.txt")}, 3, "odd/notes.txt: offset 0: "},
		{"a capture cut in its header", []string{filepath.Join(odd, "cut.pcap")}, 3, "odd/cut.pcap: offset 0: cut off"},
		{"a file that is not there", []string{filepath.Join(dir, "absent")}, 3, "absent: offset 0: opening: no such file"},
		{"an empty folder", []string{folder}, 0, ""},
		{"a folder without captures", []string{odd}, 3, "odd/cut.pcap: offset 0: cut off"},
		{"the capture twice", []string{good}, 0, ""},
	}
	if runtime.GOOS == "linux" {
		fifo := filepath.Join(folder, "fifo")
		if err := exec.Command("mkfifo", fifo).Run(); err != nil {
			t.Fatalf("making a FIFO: %v", err)
		}
		cases = append(cases, []struct {
			name   string
			inputs []string
			code   int
			says   string
		}{
			{"/dev/null", []string{"/dev/null"}, 3, "/dev/null: offset 0: empty file"},
			{"a folder with a FIFO that nobody writes to", []string{folder}, 0, ""},
		}...)
		t.Run("a capture from a FIFO", func(t *testing.T) {
			wrote := make(chan error, 1)
			go func() { wrote <- os.WriteFile(fifo, attack.content, 0o600) }()
			code, stdout, stderr := execute(t, command, "analyze", fifo)
			if code != 0 || strings.Count(stdout, "\n") != 1 || stderr != "" {
				t.Errorf("exit code %d, standard error %q, output:\n%s", code, stderr, stdout)
			}
			if err := <-wrote; err != nil {
				t.Error(err)
			}
		})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := execute(t, command, append([]string{"analyze", good}, c.inputs...)...)
			if code != c.code || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d, want %d; standard error, which should say %q:\n%s", code, c.code, c.says, stderr)
			}
			if strings.Count(stdout, "\n") != 1 {
				t.Errorf("the capture beside it gave not one alert:\n%s", stdout)
			}
			if strings.Contains(stderr, "\x1b") {
				t.Errorf("standard error steers the terminal: %q", stderr)
			}
		})
	}
	t.Run("wrong usage", func(t *testing.T) {
		for _, args := range [][]string{{"analyze"}, {"analyze", "--since", "yesterday", good}, {"analyze", "--detections", "none", good},
			{"analyze", "--directory", good, good}, {"analyze", "--exclude", "nothing:10.0.0.1", good}, {"analyse"}} {
			if code, _, stderr := execute(t, command, args...); code != 2 || stderr == "" {
				t.Errorf("%v: exit code %d, want 2; standard error %q", args, code, stderr)
			}
		}
	})
}
