package dns

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// TestAgainstTshark compares what the decoder and tshark read from every capture
// of the corpus: id, question, type, response code and number of answers of each
// message on port 53, in any order. Messages that tshark calls malformed are left
// out, and so are those without a question: what they answer shows in the query.
func TestAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("compares with tshark over the whole corpus: not in short mode")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	files := decodetest.Corpus(t, 3)
	var total atomic.Int64
	t.Cleanup(func() { t.Logf("%d messages compared", total.Load()) })
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			want := fromTshark(t, path)
			want = slices.Compact(want) // a query repeated for want of an answer is one of ours
			activities, _, _ := decodetest.Readable(t, path, decode.Set{Protocols: []decode.Protocol{Protocol}})
			got := slices.Compact(fromActivities(activities))
			total.Add(int64(len(want)))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("messages differ (-tshark +ours):\n%s", diff)
			}
		})
	}
}

// fromActivities takes activities apart into messages.
func fromActivities(activities []*activity.Activity) (messages []string) {
	for _, a := range activities {
		d := a.DNS
		about := fmt.Sprintf("%#04x %s %d", d.TxID, d.Question, d.Type)
		if a.Requested != 0 {
			messages = append(messages, "query "+about)
		}
		if d.Messages > 0 {
			messages = append(messages, fmt.Sprintf("response %s: code %d, %d answers", about, d.RCode, d.Answers))
		}
		if slices.Contains(a.Anomalies, AnomalyDirection) {
			messages = append(messages, "wrong way "+about)
		}
	}
	slices.Sort(messages)
	return messages
}

type field struct {
	Name   string  `xml:"name,attr"`
	Show   string  `xml:"show,attr"`
	Fields []field `xml:"field"`
	Protos []field `xml:"proto"`
}

// find is the first field of that name in a tree.
func (f *field) find(name string) (string, bool) {
	for _, list := range [][]field{f.Fields, f.Protos} {
		for i := range list {
			if list[i].Name == name {
				return list[i].Show, true
			}
			if s, ok := list[i].find(name); ok {
				return s, true
			}
		}
	}
	return "", false
}

func (f *field) number(t *testing.T, name string) int64 {
	s, ok := f.find(name)
	if !ok {
		return 0
	}
	switch s {
	case "True":
		return 1
	case "False":
		return 0
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		t.Fatalf("tshark shows %s as %q", name, s)
	}
	return n
}

func fromTshark(t *testing.T, path string) (messages []string) {
	t.Helper()
	out, err := exec.Command("tshark", "-n", "-r", path, "-T", "pdml", "-Y",
		"dns && !icmp && !icmpv6 && (udp.port == 53 || tcp.port == 53)").Output()
	if err != nil && len(out) == 0 {
		t.Skipf("tshark cannot read it: %v", err)
	}
	dec := xml.NewDecoder(bytes.NewReader(out))
	for {
		token, err := dec.Token()
		if err != nil {
			break // a capture cut short ends the document early
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "packet" {
			continue
		}
		var packet field
		if err := dec.DecodeElement(&packet, &start); err != nil {
			break
		}
		from := max(packet.number(t, "udp.srcport"), packet.number(t, "tcp.srcport"))
		to := max(packet.number(t, "udp.dstport"), packet.number(t, "tcp.dstport"))
		for i := range packet.Protos {
			p := &packet.Protos[i]
			if p.Name != "dns" {
				continue
			}
			if _, malformed := p.find("_ws.malformed"); malformed {
				continue
			}
			name, asked := p.find("dns.qry.name")
			op := p.number(t, "dns.flags.opcode")
			if !asked || op != opQuery && op != opUpdate {
				continue
			}
			if name == "<Root>" {
				name = ""
			}
			about := fmt.Sprintf("%#04x %s %d", p.number(t, "dns.id"), name, p.number(t, "dns.qry.type"))
			switch response := p.number(t, "dns.flags.response") == 1; {
			case response && from != 53, !response && to != 53:
				messages = append(messages, "wrong way "+about)
			case response:
				messages = append(messages, fmt.Sprintf("response %s: code %d, %d answers", about, p.number(t, "dns.flags.rcode"), p.number(t, "dns.count.answers")))
			default:
				messages = append(messages, "query "+about)
			}
		}
	}
	slices.Sort(messages)
	return messages
}
