// Package e2e treats the whole of analyze as its users and its enemies would:
// recordings in other clothes, damaged, shuffled, cut, and drowned in a flood.
package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/sensor/capture"
)

// recording is a scenario of a detection with its capture.
type recording struct {
	name     string // "dcsync/kerberos-dcsync"
	scenario detecttest.Scenario
	content  []byte // of the capture file
	packets  []packet
}

// packet is one record of a capture. All bundled recordings are Ethernet, with
// time in microseconds, and whole packets.
type packet struct {
	at   activity.Time
	data []byte
}

// recordings reads the scenarios of all detections.
func recordings(t testing.TB) []recording {
	t.Helper()
	folders, _ := filepath.Glob("../center/detect/*/testdata")
	var all []recording
	for _, f := range folders {
		dir := filepath.Dir(f)
		if filepath.Base(dir) == "template" {
			continue // no program runs it
		}
		for _, s := range detecttest.Scenarios(t, dir) {
			if !slices.Equal(s.Inputs, []string{"capture.pcap"}) {
				continue // these tests rewrite packets
			}
			r := recording{name: filepath.Base(dir) + "/" + s.Name(), scenario: s}
			r.content = readFile(t, filepath.Join(s.Dir, s.Inputs[0]))
			for _, rec := range walk(r.content) {
				b := r.content[rec.at : rec.at+rec.size]
				if n := binary.LittleEndian.Uint32(b[12:]); int(n) != len(b)-recordHeader {
					t.Fatalf("%s: packets cut by a snap length cannot be rewritten", r.name)
				}
				at := activity.Time(binary.LittleEndian.Uint32(b))*1e9 + activity.Time(binary.LittleEndian.Uint32(b[4:]))*1e3
				r.packets = append(r.packets, packet{at, b[recordHeader:]})
			}
			all = append(all, r)
		}
	}
	if len(all) < 30 {
		t.Fatalf("only %d recordings found", len(all))
	}
	return all
}

// The classic capture file: draft-ietf-opsawg-pcap.
const (
	fileHeader   = 24
	recordHeader = 16
)

// record is the place of a packet with its header in a capture file.
type record struct{ at, size int }

// walk lists the records of a capture file whose integers are little-endian. It
// knows nothing of damage and stops where a record is not whole. It is written
// apart from the product's reader, to check that one.
func walk(content []byte) []record {
	var all []record
	for at := fileHeader; at+recordHeader <= len(content); {
		size := recordHeader + int(binary.LittleEndian.Uint32(content[at+8:]))
		if at+size > len(content) {
			break
		}
		all = append(all, record{at, size})
		at += size
	}
	return all
}

// pcap writes a capture file.
func pcap(packets []packet) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, capture.MaxPacket)
	b = le.AppendUint32(b, uint32(capture.LinkEthernet))
	for _, p := range packets {
		b = le.AppendUint32(b, uint32(p.at/1e9))
		b = le.AppendUint32(b, uint32(p.at%1e9/1e3))
		b = le.AppendUint32(b, uint32(len(p.data)))
		b = le.AppendUint32(b, uint32(len(p.data)))
		b = append(b, p.data...)
	}
	return b
}

// analyzed runs the whole product over inputs or, without any, over content as
// its standard input. Damage fails the test.
func analyzed(t testing.TB, o analyze.Options, content []byte, inputs ...string) []*alert.Alert {
	t.Helper()
	if o.Inputs = inputs; inputs == nil {
		o.Inputs, o.Stdin = []string{capture.Stdin}, bytes.NewReader(content)
	}
	res, err := analyze.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range res.Damage {
		t.Error(d)
	}
	return res.Alerts
}

// lines is every alert in full, ids included.
func lines(t testing.TB, alerts []*alert.Alert) []string {
	t.Helper()
	var all []string
	for _, a := range alerts {
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return all
}

func equal(t testing.TB, want, got []string) {
	t.Helper()
	if d := cmp.Diff(indented(want), indented(got)); d != "" {
		t.Errorf("alerts differ (-want +got):\n%.4000s", d)
	}
}

// indented is for differences that people can read.
func indented(alerts []string) string {
	var b bytes.Buffer
	for _, a := range alerts {
		json.Indent(&b, []byte(a), "", " ")
		b.WriteByte('\n')
	}
	return strings.TrimSpace(b.String())
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
