package capture

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// corpus is the folder of third-party and lab captures, which are not part of
// the repository.
func corpus(tb testing.TB) string {
	dir := os.Getenv("VERDERER_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "labels.csv")); err != nil {
		tb.Skip("the corpus of captures is not there; set VERDERER_CORPUS to its folder")
	}
	return dir
}

// strayByte are captures that end in one byte too many; tshark and tcpdump say
// so as well.
var strayByte = map[string]bool{
	"pcap/sd_covenant_dcsync_dcerpc_drsuapi_DsGetNCChanges_2020-08-05020926.cap": true,
	"pcap/sd_covenant_psremoting_command_2020-08-06115603.cap":                   true,
	"pcap/sd_covenant_sc_query_dcerpc_smb_svcctl_2020-08-05034820.cap":           true,
	"pcap/sd_covenant_sharpwmi_create_dcerpc_wmi_2020-08-06035621.cap":           true,
}

// TestCorpus compares the number of packets with what tshark counted.
func TestCorpus(t *testing.T) {
	dir := corpus(t)
	f, err := os.Open(filepath.Join(dir, "labels.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := make(map[string]int)
	for i, name := range rows[0] {
		column[name] = i
	}
	captures := 0
	for _, row := range rows[1:] {
		path := row[column["path"]]
		if row[column["kind"]] != "pcap" {
			continue
		}
		captures++
		want, err := strconv.Atoi(row[column["records_or_packets"]])
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		s, err := Open(filepath.Join(dir, path))
		if err != nil {
			t.Error(err)
			continue
		}
		packets, damage := readAll(t, s)
		got := len(packets)
		if strayByte[path] {
			reason := fmt.Sprintf("cut off in the header of packet %d: has 1 of 16 bytes", want+1)
			if len(damage) != 1 || damage[0].Reason != reason {
				t.Errorf("%s: damage %v, want: %s", path, lines(damage), reason)
			}
		} else if len(damage) > 0 {
			t.Errorf("%s: damage %v", path, lines(damage))
		}
		if got != want {
			t.Errorf("%s: %d packets, labels.csv says %d", path, got, want)
		}
	}
	t.Logf("%d captures", captures)
}
