package smb

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// TestCommandsAgainstTshark compares the commands that we and tshark see, of
// SMB1 and SMB2, by connection and direction.
func TestCommandsAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("starts tshark once per capture of the corpus: not in short mode")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	agreed, theirs, files := 0, 0, 0
	for _, path := range decodetest.Corpus(t, 3) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want := commandsOfTshark(t, path)
			got := commands(t, path)
			if len(want) > 0 {
				files++
			}
			theirs += len(want)
			agreed += compare(t, filepath.Base(path), want, got)
		})
	}
	t.Logf("agreed on %d of %d commands in %d captures", agreed, theirs, files)
}

// differs lists what tshark and we rightly see differently, by capture: lines
// that only one side has.
var differs = map[string]struct{ theirs, ours []string }{
	// Made up: the server's messages say that they are requests.
	"ak_ntlm_synthetic.pcap": {theirs: []string{"port 50002 SMB1 command 0x73 answer", "port 50003 SMB1 command 0x73 answer"}},
	// tshark takes the only copy of a request for a repetition, since the
	// acknowledgement was captured before it.
	"sv_smb1_osx.pcap": {ours: []string{"port 49216 SMB1 command 0x72 request"}},
	// The header of an answer to READ is there, some of the body is not.
	"sv_smb2-peter-minus-p191.pcap":      {ours: []string{"port 56746 SMB2 command 0x08 answer"}},
	"sv_smb2-peter-minus-p191-p192.pcap": {ours: []string{"port 56746 SMB2 command 0x08 answer"}},
	// Made up: a message that ends before its WordCount is counted as too short.
	"zk_netbios-split-session-msg.pcap": {theirs: []string{"port 54321 SMB1 command 0x41 request"}},
}

// compare reports the lines that only one side has, and returns how many both
// have.
func compare(t *testing.T, name string, want, got []string) (agreed int) {
	known := differs[name]
	expected := func(list []string, line string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return s == line || s == "*" })
	}
	slices.Sort(want)
	slices.Sort(got)
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			if !expected(known.theirs, want[0]) {
				t.Errorf("only tshark has %s", want[0])
			}
			want = want[1:]
		case len(want) == 0 || got[0] < want[0]:
			if !expected(known.ours, got[0]) {
				t.Errorf("only the decoder has %s", got[0])
			}
			got = got[1:]
		default:
			agreed++
			want, got = want[1:], got[1:]
		}
	}
	return agreed
}

func line(port string, version byte, command uint64, answer bool) string {
	what := "request"
	if answer {
		what = "answer"
	}
	return fmt.Sprintf("port %s SMB%d command %#02x %s", port, version, command, what)
}

func commands(t *testing.T, path string) (lines []string) {
	p := Protocol
	p.New = func() decode.Decoder {
		d := newDecoder()
		d.trace = func(version byte, command uint16, answer bool) {
			port := strconv.Itoa(int(d.x.Conn.Client.Port()))
			lines = append(lines, line(port, version, uint64(command), answer))
		}
		return d
	}
	decodetest.Readable(t, path, decode.Set{Protocols: []decode.Protocol{p}})
	return lines
}

func commandsOfTshark(t *testing.T, path string) (lines []string) {
	t.Helper()
	out, _ := exec.Command("tshark", "-r", path, "-Y", "(smb || smb2) && (tcp.port == 445 || tcp.port == 139) && !icmp",
		"-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,",
		"-e", "tcp.srcport", "-e", "tcp.dstport", "-e", "smb2.cmd", "-e", "smb2.flags.response", "-e", "smb.cmd").Output()
	for row := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(row, "\n"), "\t")
		if len(f) != 5 {
			t.Fatalf("tshark printed %q", row)
		}
		port, answer := f[0], false
		if f[0] == "445" || f[0] == "139" {
			port, answer = f[1], true
		}
		for i, c := range list(f[2]) {
			n, _ := strconv.ParseUint(c, 0, 16)
			lines = append(lines, line(port, 2, n, list(f[3])[i] == "1" || list(f[3])[i] == "True"))
		}
		for _, c := range list(f[4]) {
			if n, _ := strconv.ParseUint(c, 0, 16); n != noAndX {
				lines = append(lines, line(port, 1, n, answer))
			}
		}
	}
	return lines
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
