package radius

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// TestAgainstTshark compares every request to begin, go on with or end a session
// with what tshark reads. Where a tunnel's endpoint is told it is the station, in
// these captures.
func TestAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("compares with tshark over the whole corpus: not in short mode")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed: nothing to compare with")
	}
	total := 0
	for _, path := range append(decodetest.Corpus(t, 3), "testdata/sessions.pcap") {
		want := fromTshark(t, path)
		activities, _, _ := decodetest.Readable(t, path, set)
		var got []string
		for _, a := range activities {
			v := a.VPN
			status := map[string]int{"start": statusStart, "stop": statusStop, "interim": statusInterim}[v.Act]
			got = append(got, fmt.Sprintf("%d %d %s %s %s %s", a.Source.Port, status, a.Account.Name, v.Session, v.Assigned, v.Client))
		}
		slices.Sort(want)
		slices.Sort(got)
		total += len(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-tshark +ours):\n%s", filepath.Base(path), d)
		}
	}
	t.Logf("%d requests compared", total)
}

func fromTshark(t *testing.T, path string) (lines []string) {
	t.Helper()
	args := []string{"-r", path, "-Y", "radius.code == 4 && udp.dstport in {1813, 1646}", "-T", "fields"}
	for _, f := range []string{"udp.srcport", "radius.Acct_Status_Type", "radius.User_Name", "radius.Acct_Session_Id", "radius.Framed-IP-Address", "radius.Calling_Station_Id"} {
		args = append(args, "-e", f)
	}
	out, _ := exec.Command("tshark", args...).Output() // a capture that is cut short is an error of its own
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 6 {
			t.Fatalf("tshark says %q", line)
		}
		if f[1] != "1" && f[1] != "2" && f[1] != "3" {
			continue
		}
		lines = append(lines, strings.Join(f, " "))
	}
	return lines
}
