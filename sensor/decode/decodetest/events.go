package decodetest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/decode"
)

// Logs lists the event logs of the corpus outside the repository; see Corpus.
func Logs(t testing.TB, depth int) []string {
	t.Helper()
	corpus := os.Getenv("VERDERER_CORPUS")
	if corpus == "" {
		corpus = filepath.Join(strings.Repeat("../", depth+1), "shared", "corpus")
	}
	var logs []string
	for _, pattern := range []string{"evtx/*.evtx", "events-json/*.json*", "benign/*.evtx", "benign/*.json*", "lab/samba-audit.json"} {
		found, _ := filepath.Glob(filepath.Join(corpus, pattern))
		logs = append(logs, found...)
	}
	if len(logs) == 0 {
		t.Skipf("no event logs in %s: set VERDERER_CORPUS to the corpus", corpus)
	}
	return logs
}

// Told is an event with its time and number, as capture read it.
type Told = *capture.Chunk

// EachEvent reads a log and calls told with each event, what became of it, and
// the counters so far. Damage is passed over.
func EachEvent(t testing.TB, path string, set decode.Set, told func(c Told, made []*activity.Activity, counters *counter.Set)) {
	t.Helper()
	src, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var (
		made     []*activity.Activity
		counters counter.Set
	)
	s, err := decode.NewStage(set, SiteKey, &counters, func(a *activity.Activity) { made = append(made, a) })
	if err != nil {
		t.Fatal(err)
	}
	for {
		var c capture.Chunk
		var d *capture.Damage
		switch err := src.Next(&c); {
		case err == nil:
			made = nil
			s.At(&c)
			s.Event(c.Time, c.Event)
			told(&c, made, &counters)
		case err == io.EOF:
			return
		case !errors.As(err, &d):
			t.Fatal(err)
		}
	}
}
