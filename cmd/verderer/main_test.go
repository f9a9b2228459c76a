package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// asProgram in the environment makes the test binary the program itself. It
// does not begin like the variables of settings, of which unknown ones are
// refused.
const asProgram = "TEST_AS_VERDERER"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// run is the program with the arguments and standard input.
func run(t *testing.T, stdin []byte, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %q: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// Recordings with one alert each, and their sources.
const (
	transfer = "../../center/detect/dnsrecon/testdata/zone-transfer/capture.pcap"
	spray    = "../../center/detect/bruteforceauth/testdata/kerberos-spray/capture.pcap"
)

func lines(s string) []string {
	if s = strings.TrimSuffix(s, "\n"); s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

func TestExitCodes(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.pcap")
	b, err := os.ReadFile(transfer)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, b[:len(b)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stdout bool     // there is something on it
		stderr []string // parts
	}{
		{"a capture", []string{"analyze", transfer}, 0, true, nil},
		{"no arguments", nil, 2, false, []string{"Try 'verderer --help'"}},
		{"nothing to analyze", []string{"analyze"}, 2, false, []string{"<file>"}},
		{"unknown command", []string{"analyse", transfer}, 2, false, []string{"analyse"}},
		{"unknown flag", []string{"analyze", "--fast", transfer}, 2, false, []string{"--fast"}},
		{"unknown format", []string{"analyze", "--format", "xml", transfer}, 2, false, []string{"--format", "table"}},
		{"unknown detection", []string{"analyze", "--detections", "dcsink", transfer}, 2, false, []string{`"dcsink"`, "account-enum, as-rep-roast", "dcsync", "dns-recon"}},
		{"exclusion for an unknown detection", []string{"analyze", "--exclude", "dcsink:ws01", transfer}, 2, false, []string{`"dcsink"`}},
		{"empty exclusion", []string{"analyze", "--exclude", "", transfer}, 2, false, []string{"names nothing"}},
		{"no time", []string{"analyze", "--since", "yesterday", transfer}, 2, false, []string{"--since", "yesterday", "2006-01-02"}},
		{"no directory snapshot", []string{"analyze", "--directory", "no-such.json", transfer}, 2, false, []string{"no-such.json"}},
		{"a missing file", []string{"analyze", "no-such.pcap"}, 3, false, []string{"no-such.pcap", "no such file"}},
		{"a missing file beside one that is there", []string{"analyze", "no-such.pcap", transfer}, 3, true, []string{"no-such.pcap"}},
		{"a file cut off", []string{"analyze", broken}, 3, true, []string{broken, "offset"}},
		{"escape sequences in what is not found", []string{"analyze", "\x1b[31m.pcap"}, 3, false, []string{`\x1b[31m.pcap`}},
		{"version", []string{"version"}, 0, true, nil},
		{"help", []string{"--help"}, 0, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := run(t, nil, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if (stdout != "") != c.stdout {
				t.Errorf("standard output: %q", stdout)
			}
			for _, part := range c.stderr {
				if !strings.Contains(stderr, part) {
					t.Errorf("standard error does not hold %q:\n%s", part, stderr)
				}
			}
			if c.stderr == nil && stderr != "" || strings.Contains(stderr, "\x1b") {
				t.Errorf("standard error: %q", stderr)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	t.Run("jsonl, not on a terminal", func(t *testing.T) {
		_, plain, _ := run(t, nil, "analyze", transfer, spray)
		_, asked, _ := run(t, nil, "analyze", "--format", "jsonl", transfer, spray)
		if plain != asked {
			t.Error("jsonl is the default where there is no terminal")
		}
		all := lines(plain)
		if len(all) != 2 {
			t.Fatalf("%d lines", len(all))
		}
		for _, l := range all {
			var a struct {
				ID, Detection, Severity, Status, Summary, Baseline string
				Start, End                                         time.Time
				Sources, Evidence, Techniques                      []any
			}
			if err := json.Unmarshal([]byte(l), &a); err != nil {
				t.Fatal(err)
			}
			if len(a.ID) != 32 || a.Detection == "" || a.Severity == "" || a.Status != "open" || a.Summary == "" || a.Baseline != "none" ||
				a.Start.IsZero() || a.End.Before(a.Start) || len(a.Sources) == 0 || len(a.Evidence) == 0 || len(a.Techniques) == 0 {
				t.Errorf("%s", l)
			}
		}
	})
	t.Run("cef", func(t *testing.T) {
		_, stdout, _ := run(t, nil, "analyze", "--format=cef", transfer, spray)
		shape := regexp.MustCompile(`^CEF:0\|Verderer\|Verderer\|[^|]+\|[a-z-]+\|[^|]+\|(3|5|10)\|start=\S+ app=\S+ .*externalId=\d+ .*cs6=[0-9a-f]{32} act=open$`)
		for _, l := range lines(stdout) {
			if !shape.MatchString(l) {
				t.Errorf("%s", l)
			}
		}
		if len(lines(stdout)) != 2 {
			t.Errorf("%d lines", len(lines(stdout)))
		}
	})
	t.Run("table", func(t *testing.T) {
		_, stdout, _ := run(t, nil, "analyze", "--format", "table", transfer, spray)
		if heads := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (HIGH  |MEDIUM|LOW   )  [a-z-]+$`).FindAllString(stdout, -1); len(heads) != 2 {
			t.Errorf("%d head lines:\n%s", len(heads), stdout)
		}
		for _, part := range []string{"\n2 alerts (2 medium) from ", " UTC.\n", "Why: ", "(threshold 10)"} {
			if !strings.Contains(stdout, part) {
				t.Errorf("no %q in\n%s", part, stdout)
			}
		}
		for _, l := range lines(stdout) {
			if len([]rune(l)) > 100 && strings.HasPrefix(l, " ") {
				t.Errorf("a line of %d characters: %s", len([]rune(l)), l)
			}
		}
		_, stdout, _ = run(t, nil, "analyze", "--format", "table", "--exclude", "0.0.0.0/0", transfer)
		if !strings.HasPrefix(stdout, "No alerts from ") {
			t.Errorf("without an alert: %s", stdout)
		}
	})
	t.Run("activities", func(t *testing.T) {
		_, stdout, stderr := run(t, nil, "analyze", "--activities", spray)
		for _, l := range lines(stdout) {
			var a struct {
				ID, Kind string
				Time     time.Time
			}
			if err := json.Unmarshal([]byte(l), &a); err != nil || len(a.ID) != 32 || a.Kind == "" || a.Time.IsZero() || strings.Contains(l, "null") {
				t.Errorf("%v: %s", err, l)
			}
		}
		if len(lines(stdout)) < 20 || stderr != "" {
			t.Errorf("%d activities; %s", len(lines(stdout)), stderr)
		}
	})
}

func TestChoosing(t *testing.T) {
	count := func(args ...string) int {
		t.Helper()
		code, stdout, stderr := run(t, nil, append([]string{"analyze", transfer, spray}, args...)...)
		if code != 0 {
			t.Fatalf("%q: exit code %d: %s", args, code, stderr)
		}
		return len(lines(stdout))
	}
	_, stdout, _ := run(t, nil, "analyze", "--activities", transfer)
	all := lines(stdout)
	var last struct{ Time time.Time }
	if err := json.Unmarshal([]byte(all[len(all)-1]), &last); err != nil {
		t.Fatal(err)
	}
	at := last.Time.Format(time.RFC3339Nano)
	after := last.Time.Add(time.Nanosecond).Format(time.RFC3339Nano)
	activities := func(args ...string) int {
		t.Helper()
		_, stdout, _ := run(t, nil, append([]string{"analyze", "--activities", transfer}, args...)...)
		return len(lines(stdout))
	}
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"everything", count(), 2},
		{"one detection", count("--detections", "dns-recon"), 1},
		{"two detections", count("--detections", "dns-recon,brute-force-auth"), 2},
		{"a detection with nothing to find", count("--detections", "dcsync"), 0},
		{"all excluded", count("--exclude", "0.0.0.0/0"), 0},
		{"excluded from one", count("--exclude", "dns-recon:0.0.0.0/0"), 1},
		{"two exclusions", count("--exclude", "dns-recon:0.0.0.0/0", "--exclude", "brute-force-auth:0.0.0.0/0"), 0},
		{"since long after", count("--since", "2100-01-01"), 0},
		{"until long before", count("--until", "2000-01-01"), 0},
		{"a wide window", count("--since", "2000-01-01", "--until", "2100-01-01"), 2},
		{"since the last activity", activities("--since", at), 1},
		{"since after it", activities("--since", after), 0},
		{"until the last activity: it is left out", activities("--until", at), len(all) - 1},
		{"until after it", activities("--until", after), len(all)},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	code, stdout, stderr := run(t, nil, "analyze", "--explain", "--exclude", "brute-force-auth:0.0.0.0/0", "--exclude", "nobody", transfer, spray)
	if code != 0 || len(lines(stdout)) != 1 {
		t.Errorf("exit code %d, alerts %q", code, stdout)
	}
	for _, want := range []string{
		`(?m)^Detections$`, `(?m)^  dns-recon +working +looked at \d+ × DNS query`, `(?m)^  dcsync +blind +needs `,
		`(?m)^Domain controllers$`, `(?m)^  10\.77\.0\.10 +answered Kerberos requests$`,
		`(?m)^Exclusions$`, `(?m)^  brute-force-auth:0\.0\.0\.0/0 +[1-9]\d* findings? left out$`, `(?m)^  nobody +0 findings left out$`,
		`(?m)^Counters$`, `(?m)^  decode +activities +\d+$`, `(?m)^  detect +findings +\d+$`,
	} {
		if !regexp.MustCompile(want).MatchString(stderr) {
			t.Errorf("no %s in\n%s", want, stderr)
		}
	}
}

func TestStandardInput(t *testing.T) {
	b, err := os.ReadFile(transfer)
	if err != nil {
		t.Fatal(err)
	}
	_, file, _ := run(t, nil, "analyze", transfer)
	code, stdin, stderr := run(t, b, "analyze", "-")
	if code != 0 || stdin != file {
		t.Errorf("exit code %d, %s; from the file\n%s\nfrom standard input\n%s", code, stderr, file, stdin)
	}
	if code, _, stderr := run(t, []byte("no capture, but text"), "analyze", "-"); code != 3 || stderr == "" {
		t.Errorf("text: exit code %d, %q", code, stderr)
	}
	if code, _, stderr := run(t, nil, "analyze", "-"); code != 3 || stderr == "" {
		t.Errorf("nothing: exit code %d, %q", code, stderr)
	}
}

// guessing is a capture of LDAP binds, each with another password, as a name of
// the attacker's choice.
func guessing(name string) []byte {
	le := binary.LittleEndian
	var file []byte
	for _, v := range []uint32{0xa1b2c3d4, 4<<16 | 2, 0, 0, 65_535, 101} {
		file = le.AppendUint32(file, v)
	}
	client, server := netip.MustParseAddrPort("10.9.0.66:50000"), netip.MustParseAddrPort("10.9.0.1:389")
	n := uint32(0)
	seq := map[netip.AddrPort]uint32{}
	packet := func(from, to netip.AddrPort, flags byte, payload []byte) {
		n++
		p := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0}
		binary.BigEndian.PutUint16(p[2:], uint16(40+len(payload)))
		p = append(append(p, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
		be := binary.BigEndian
		p = be.AppendUint16(be.AppendUint16(p, from.Port()), to.Port())
		p = be.AppendUint32(be.AppendUint32(p, seq[from]), seq[to])
		p = append(p, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0)
		p = append(p, payload...)
		seq[from] += uint32(len(payload)) + uint32(flags&2)>>1
		for _, v := range []uint32{1_700_000_000 + n, 0, uint32(len(p)), uint32(len(p))} {
			file = le.AppendUint32(file, v)
		}
		file = append(file, p...)
	}
	element := func(tag byte, content ...[]byte) []byte {
		c := bytes.Join(content, nil)
		return append([]byte{tag, 0x82, byte(len(c) >> 8), byte(len(c))}, c...)
	}
	packet(client, server, 0x02, nil)
	packet(server, client, 0x12, nil)
	packet(client, server, 0x10, nil)
	for i := range 12 {
		id := []byte{2, 1, byte(i + 1)}
		packet(client, server, 0x18, element(0x30, id, element(0x60, []byte{2, 1, 3}, element(4, []byte(name)), element(0x80, []byte("guess"+strconv.Itoa(i))))))
		packet(server, client, 0x18, element(0x30, id, element(0x61, []byte{10, 1, 49, 4, 0, 4, 0})))
	}
	return file
}

// TestNothingRawReachesTheTerminal: names come from the wire and may be terminal
// control sequences, or make a line read backwards.
func TestNothingRawReachesTheTerminal(t *testing.T) {
	name := "evil\x1b[2J\x1b]0;owned\x07\r\n\u009b31m\u202egnp.exe\x7f"
	capture := guessing(name)
	raw := regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f]|\x{9b}|\x{202e}`)
	for _, format := range []string{"table", "cef", "jsonl"} {
		code, stdout, stderr := run(t, capture, "analyze", "--explain", "--exclude", "\x1b[31mnobody", "--format", format, "-")
		if code != 0 || !strings.Contains(stdout, "evil") || !strings.Contains(stdout, "brute-force-ldap") {
			t.Fatalf("%s: exit code %d, no alert about the name: %s%s", format, code, stdout, stderr)
		}
		if format == "jsonl" { // is JSON, for programs: control characters below 0x20 are escaped by its own rules
			raw = regexp.MustCompile(`[\x00-\x08\x0b-\x1f]`)
		}
		if at := raw.FindStringIndex(stdout); at != nil {
			t.Errorf("%s: %q", format, stdout[max(0, at[0]-20):min(len(stdout), at[1]+20)])
		}
		if raw.MatchString(stderr) {
			t.Errorf("%s, standard error: %q", format, stderr)
		}
		if format == "cef" && len(lines(stdout)) != 1 {
			t.Errorf("a record of %d lines", len(lines(stdout)))
		}
	}
}

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"2024-03-01":                     "2024-03-01T00:00:00Z",
		"2024-03-01 12:30:00":            "2024-03-01T12:30:00Z",
		"2024-03-01T12:30:00":            "2024-03-01T12:30:00Z",
		"2024-03-01T12:30:00Z":           "2024-03-01T12:30:00Z",
		"2024-03-01T12:30:00.123456789Z": "2024-03-01T12:30:00.123456789Z",
		"2024-03-01T12:30:00+02:00":      "2024-03-01T10:30:00Z",
	} {
		got, err := parseTime(in)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v; want %s", in, got, err, want)
		}
	}
	if got, err := parseTime(""); err != nil || !got.IsZero() {
		t.Errorf("nothing given: %v, %v", got, err)
	}
	for _, in := range []string{"yesterday", "2024-02-30", "2024-03-01T25:00:00Z", "1709251200"} {
		if got, err := parseTime(in); err == nil || !strings.Contains(err.Error(), in) {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
}
