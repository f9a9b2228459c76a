package capture

import (
	"os"
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestWalk(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "day", "b.pcap", nil)
	write(t, "day", "a.pcap", nil)
	write(t, "day/10", "c.pcap", nil)
	write(t, "other", "d.pcap", nil)
	for link, to := range map[string]string{
		"day/link":      "../other/d.pcap", // to a file
		"day/again":     "a.pcap",          // to a file beside it
		"day/circle":    "../day",          // to a folder
		"day/dangling":  "nothing",
		"linked-folder": "other",
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	abs, err := filepath.Abs("day/b.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		paths []string
		want  []Input
	}{
		{"nothing", nil, nil},
		{"folder", []string{"day"}, []Input{{Path: "day/10/c.pcap"}, {Path: "day/a.pcap"}, {Path: "day/b.pcap"}, {Path: "day/link"}}},
		{"order of the paths", []string{"other", "day/10/"}, []Input{{Path: "other/d.pcap"}, {Path: "day/10/c.pcap"}}},
		{"link to a folder", []string{"linked-folder"}, []Input{{Path: "linked-folder/d.pcap"}}},
		{"named and in a folder", []string{"day/10", "day/10/../10/c.pcap"}, []Input{{Path: "day/10/c.pcap", Named: true}}},
		{"twice by different names", []string{"day/b.pcap", abs, "./day/b.pcap"}, []Input{{Path: abs, Named: true}}},
		{"standard input twice", []string{"-", "day/b.pcap", "-"}, []Input{{Path: "-", Named: true}, {Path: "day/b.pcap", Named: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := gocmp.Diff(c.want, Walk(c.paths)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	got := Walk([]string{"missing", "day/dangling"})
	if len(got) != 2 || got[0].Err == nil || got[1].Err == nil || !got[0].Named || !got[1].Named {
		t.Errorf("paths that lead nowhere: %v", got)
	}
}
