package capture

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peerSample thins what `make test` compares: python3-evtx reads 130 records a
// second. `make agree` compares all.
const peerSample = 12

// logs are the event logs of the corpus.
func logs(tb testing.TB) []string {
	dir := corpus(tb)
	paths, _ := filepath.Glob(filepath.Join(dir, "evtx", "*.evtx"))
	more, _ := filepath.Glob(filepath.Join(dir, "benign", "*.evtx"))
	return append(paths, more...)
}

// peerEvent is an event as another program wrote it, as XML.
type peerEvent struct {
	System struct {
		Provider struct {
			Name string `xml:",attr"`
		}
		EventID     string
		TimeCreated struct {
			SystemTime string `xml:",attr"`
		}
		EventRecordID string
		Channel       string
		Computer      string
		Security      struct {
			UserID string `xml:",attr"`
		}
	}
	Rest []node `xml:",any"`
}

type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []node     `xml:",any"`
}

// fields are the values below n, as the reader of EVTX takes them.
func (n *node) fields(list []Field) []Field {
	if len(n.Nodes) > 0 {
		for i := range n.Nodes {
			list = n.Nodes[i].fields(list)
		}
		return list
	}
	name := n.XMLName.Local
	for _, a := range n.Attrs {
		if a.Name.Local == "Name" {
			name = a.Value
		}
	}
	if strings.HasPrefix(n.Text, "<string>") { // python3-evtx's way to write an array
		for _, item := range strings.Split(strings.TrimSpace(n.Text), "\n") {
			list = append(list, Field{name, strings.TrimSuffix(strings.TrimPrefix(item, "<string>"), "</string>")})
		}
		return list
	}
	text := n.Text
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && (name == "Binary" || name == "Address") && !isHex(text) {
		text = fmt.Sprintf("%X", b) // python3-evtx's way to write bytes
	}
	return append(list, Field{name, text})
}

func isHex(s string) bool { return strings.Trim(s, "0123456789ABCDEFabcdef") == "" }

// peerText brings the ways to write a value to one: hex without zeros in front,
// lower case, lines that end in \n.
func peerText(s string) string {
	s = strings.ToLower(strings.TrimSpace(strings.Map(printable, s)))
	if h, ok := strings.CutPrefix(s, "0x"); ok {
		if n, err := strconv.ParseUint(h, 16, 64); err == nil {
			return strconv.FormatUint(n, 10)
		}
	}
	if t := peerTime(s); !t.IsZero() {
		return t.Truncate(100 * time.Millisecond).Format(time.RFC3339Nano)
	}
	return s
}

func peerTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, strings.ToUpper(s)); err == nil {
			return t
		}
	}
	return time.Time{}
}

// printable leaves out \r and the characters that XML has not, as peers do or
// should.
func printable(c rune) rune {
	if c < ' ' && c != '\n' && c != '\t' || c == 0xfffe || c == 0xffff {
		return -1
	}
	return c
}

// line is what is compared of an event.
func line(record, id, provider, channel, computer, user string, fields []Field) string {
	var b strings.Builder
	for i, s := range []string{record, id, provider, channel, computer, user} {
		fmt.Fprintf(&b, "%s=%s|", []string{"record", "id", "provider", "channel", "computer", "user"}[i], peerText(s))
	}
	for _, f := range fields {
		if v := peerText(f.Value); v != "" {
			fmt.Fprintf(&b, "%s=%s|", f.Name, v)
		}
	}
	return b.String()
}

// told is an event of ours: exports may hold a record number twice.
type told struct {
	at   time.Time
	line string
}

// ours reads a log and maps the record numbers to events.
func ours(t *testing.T, path string) map[string][]told {
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list := make(map[string][]told)
	for {
		var c Chunk
		var d *Damage
		switch err := s.Next(&c); {
		case err == io.EOF:
			return list
		case errors.As(err, &d):
			t.Logf("%s: %s", filepath.Base(path), d.Reason)
			continue
		case err != nil:
			t.Fatal(err)
		}
		e := c.Event
		record := strconv.FormatUint(e.Record, 10)
		list[record] = append(list[record], told{c.Time.Go(), line(record, strconv.Itoa(int(e.ID)), e.Provider, e.Channel, e.Computer, e.User, e.Fields)})
	}
}

// compare counts the events and differences of a peer's output.
func compare(t *testing.T, path string, output []byte) (events, differ int) {
	mine := ours(t, path)
	for len(output) > 0 {
		from := bytes.Index(output, []byte("<Event xmlns"))
		if from < 0 {
			break
		}
		length := bytes.Index(output[from:], []byte("</Event>\n"))
		if next := bytes.Index(output[from+1:], []byte("\n<Event xmlns")); length < 0 || next >= 0 && next < length {
			length = len(output) - from - len("</Event>\n")
			if next >= 0 {
				length = next
			}
		}
		text := output[from:min(len(output), from+length+len("</Event>\n"))]
		output = output[from+len(text):]
		d := xml.NewDecoder(bytes.NewReader(bytes.Map(printable, text)))
		d.Strict = false
		var p peerEvent
		if err := d.Decode(&p); err != nil {
			t.Logf("%s: a record of the peer's is no XML: %v", filepath.Base(path), err)
			continue
		}
		var fields []Field
		for i := range p.Rest {
			if p.Rest[i].XMLName.Local != "RenderingInfo" && len(p.Rest[i].Nodes) > 0 {
				fields = p.Rest[i].fields(fields)
			}
		}
		if len(fields) > maxFields || p.System.EventID == "6013" && bytes.Contains(text, []byte("string&gt;")) {
			continue // python3-evtx loses its place in an array with empty items
		}
		events++
		s := p.System
		want, at := line(s.EventRecordID, s.EventID, s.Provider.Name, s.Channel, s.Computer, s.Security.UserID, fields), peerTime(s.TimeCreated.SystemTime)
		if !slices.ContainsFunc(mine[s.EventRecordID], func(e told) bool {
			return e.line == want && e.at.Sub(at).Abs() < 5*time.Microsecond // python3-evtx has them in floating point
		}) {
			if differ++; differ <= 3 {
				t.Logf("%s record %s:\n got %v\nwant {%v %s}", filepath.Base(path), s.EventRecordID, mine[s.EventRecordID], at, want)
			}
		}
	}
	return events, differ
}

// TestAgreesWithPeers compares every event of the corpus with what evtxexport
// reads, and a sample with python3-evtx, field by field.
func TestAgreesWithPeers(t *testing.T) {
	for _, peer := range []struct {
		name  string
		args  []string
		every int
	}{
		{"evtxexport", []string{"-f", "xml"}, 1},
		{"evtx_dump.py", nil, peerSample},
	} {
		t.Run(peer.name, func(t *testing.T) {
			paths := logs(t)
			if _, err := exec.LookPath(peer.name); err != nil {
				t.Skipf("%s is not installed: apt-get install libevtx-utils python3-evtx", peer.name)
			}
			if os.Getenv("VERDERER_AGREE") != "" {
				peer.every = 1
			}
			events, differ := 0, 0
			for i := 0; i < len(paths); i += peer.every {
				out, err := exec.Command(peer.name, append(slices.Clone(peer.args), paths[i])...).Output()
				if err != nil {
					t.Logf("%s ends with %v, after %d bytes", filepath.Base(paths[i]), err, len(out))
				}
				n, d := compare(t, paths[i], out)
				events, differ = events+n, differ+d
			}
			t.Logf("%d events compared, %d differ", events, differ)
			if events == 0 || differ*200 > events { // 99.5 %
				t.Errorf("%d of %d events differ from %s", differ, events, peer.name)
			}
		})
	}
}
