package nbns

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// TestAgainstTshark compares id, opcode, name, addresses and response code of
// every message on port 137 of the corpus with what tshark reads.
func TestAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("compares with tshark over the whole corpus: not in short mode")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed: nothing to compare with")
	}
	total := 0
	for _, path := range append(decodetest.Corpus(t, 3), "testdata/registration.pcap") {
		want := fromTshark(t, path)
		activities, _, _ := decodetest.Readable(t, path, set)
		var got []string
		for _, a := range activities {
			n := a.NetBIOS
			about := fmt.Sprintf("%#04x %d %s<%02x>", n.ID, n.Opcode, printable(n.Name), n.Suffix)
			if a.Requested != 0 {
				got = append(got, about+" "+strings.Join(n.Claimed, ","))
			}
			if n.Type == typeNBSTAT {
				n.Answers = nil // which tshark shows in a way of its own
			}
			if n.RCode >= 0 {
				got = append(got, fmt.Sprintf("%s answered %d %s", about, n.RCode, strings.Join(n.Answers, ",")))
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		want, got = slices.Compact(want), slices.Compact(got) // repeated requests are one of ours
		total += len(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-tshark +ours):\n%s", filepath.Base(path), d)
		}
	}
	t.Logf("%d messages compared", total)
}

// printable is a name as tshark shows it: other characters by number.
func printable(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			fmt.Fprintf(&b, "<%02x>", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func fromTshark(t *testing.T, path string) (lines []string) {
	t.Helper()
	args := []string{"-r", path, "-Y", "nbns && udp.port == 137", "-T", "fields"}
	for _, f := range []string{"nbns.id", "nbns.flags.opcode", "nbns.flags.response", "nbns.name", "nbns.addr", "nbns.flags.rcode"} {
		args = append(args, "-e", f)
	}
	out, _ := exec.Command("tshark", args...).Output() // a capture that is cut short is an error of its own
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 6 {
			t.Fatalf("tshark says %q", line)
		}
		id, _ := strconv.ParseUint(f[0], 0, 16)
		name, _, _ := strings.Cut(f[3], " (")
		name, _, _ = strings.Cut(name, ",")
		if strings.HasPrefix(name, "*<00>") {
			name = "*<00>" // its padding is shown too
		}
		about := fmt.Sprintf("%#04x %s %s", id, f[1], name)
		if f[2] == "1" || f[2] == "True" {
			rcode, _ := strconv.ParseUint(f[5], 0, 8)
			lines = append(lines, fmt.Sprintf("%s answered %d %s", about, rcode, f[4]))
		} else {
			lines = append(lines, about+" "+f[4])
		}
	}
	return lines
}
