package capture

import (
	"encoding/csv"
	"io"
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
		var c Chunk
		got := 0
		for {
			err := s.Next(&c)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Errorf("after packet %d: %v", got, err)
				continue
			}
			got++
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got != want {
			t.Errorf("%s: %d packets, labels.csv says %d", path, got, want)
		}
	}
	t.Logf("%d captures", captures)
}
