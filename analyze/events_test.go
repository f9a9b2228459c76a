package analyze_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/verderer/verderer/analyze"
)

// TestEventLogs runs the event logs of the corpus that show attacks the
// detections know, and some that are close to them.
func TestEventLogs(t *testing.T) {
	corpus := os.Getenv("VERDERER_CORPUS")
	if corpus == "" {
		corpus = filepath.Join("..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(corpus, "labels.csv")); err != nil {
		t.Skip("the corpus of captures and logs is not there; set VERDERER_CORPUS to its folder")
	}
	for _, c := range []struct {
		pattern string
		want    []string // detections, sorted
	}{
		{"events-json/sd_covenant_dcsync_*.json", []string{"dcsync"}},
		{"evtx/ea_CA_DCSync_4662.evtx", []string{"dcsync"}},
		{"evtx/em_ID4768-4771-Kerberos_user_enumeration_Kerbrute_.evtx", []string{"as-rep-roast", "brute-force-auth"}},
		{"evtx/em_ID4768-Kerberos_AS-REP_Roasting.evtx", []string{"as-rep-roast"}},
		{"evtx/em_ID4771-Kerberos_brutforce_with_valid_user.evtx", []string{"brute-force-auth"}},
		{"evtx/ea_DACL_DCSync_Right_Powerview_Add-DomainObjectAcl.evtx", nil},
		{"evtx/em_ID5136-4662_sensitive_GPO_edited.evtx", nil},
		{"events-json/sd_empire_shell_rubeus_asktgt_ptt_*.json.gz", nil},
	} {
		files, _ := filepath.Glob(filepath.Join(corpus, filepath.FromSlash(c.pattern)))
		if len(files) != 1 {
			t.Errorf("%s: %d files, want 1", c.pattern, len(files))
			continue
		}
		res, err := analyze.Run(context.Background(), analyze.Options{Inputs: files})
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		var got []string
		for _, a := range res.Alerts {
			got = append(got, a.Detection)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) || res.Events == 0 || res.Packets != 0 {
			t.Errorf("%s: %d events, alerts %v, want %v", c.pattern, res.Events, got, c.want)
		}
	}
}
