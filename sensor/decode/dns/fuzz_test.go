package dns

import (
	"encoding/binary"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// script is how the fuzzer and the benchmark write a conversation down: per call
// of Feed a byte whose lowest bit is the direction, two bytes of length, and
// the payload.
type script []byte

func (s script) add(dir flow.Dir, b []byte) script {
	s = append(s, byte(dir))
	s = binary.BigEndian.AppendUint16(s, uint16(len(b)))
	return append(s, b...)
}

// next takes one call off; what is left over at the end is fed as it is.
func (s script) next() (dir flow.Dir, b []byte, rest script) {
	if len(s) < 3 {
		return flow.ToServer, s, nil
	}
	n := min(int(binary.BigEndian.Uint16(s[1:])), len(s)-3)
	return flow.Dir(s[0] & 1), s[3 : 3+n], s[3+n:]
}

// recorder is a Router that writes scripts of a capture's conversations.
type recorder struct{ scripts map[*flow.Conn]script }

func (r *recorder) Port(_ activity.Transport, port uint16) bool { return port == 53 }
func (r *recorder) Signature([]byte) (bool, flow.Dir)           { return false, 0 }
func (r *recorder) Open(c *flow.Conn) flow.Handler              { return &recording{r, c} }

type recording struct {
	*recorder
	conn *flow.Conn
}

func (r *recording) Feed(dir flow.Dir, b []byte, _ activity.Time) {
	r.scripts[r.conn] = r.scripts[r.conn].add(dir, b)
}
func (r *recording) Gap(flow.Dir, int, activity.Time) {}
func (r *recording) Close(activity.Time)              {}

// scriptsOf reads the conversations of a capture in testdata.
func scriptsOf(t testing.TB, path string) map[*flow.Conn]script {
	src, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var counters counter.Set
	r := &recorder{make(map[*flow.Conn]script)}
	table := flow.New(flow.Config{}, r, &counters)
	for {
		var c capture.Chunk
		switch err := src.Next(&c); {
		case errors.Is(err, io.EOF):
			table.Flush(c.Time)
			return r.scripts
		case err != nil:
			t.Fatal(err)
		}
		table.Packet(&c)
	}
}

func FuzzFeed(f *testing.F) {
	captures, _ := filepath.Glob(filepath.Join("testdata", "*.pcap"))
	for _, path := range captures {
		for c, s := range scriptsOf(f, path) {
			f.Add([]byte(s), c.Transport == activity.TCP, false, false)
			f.Add([]byte(s), c.Transport == activity.TCP, true, true)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, overTCP, servers, midStream bool) {
		c := between(activity.UDP, 40000, 53)
		if overTCP {
			c.Transport, c.MidStream = activity.TCP, midStream
		}
		if servers {
			c.Client = c.Server
		}
		v := open(t, c)
		for s := script(b); len(s) > 0; {
			var dir flow.Dir
			var data []byte
			dir, data, s = s.next()
			if len(data) == 0 {
				v.handler.Gap(dir, 100, v.now)
				continue
			}
			v.bytes(dir, data)
			if d := v.decoder; len(d.pending) > maxPending || d.held > maxHeld && len(d.pending) > 1 {
				t.Fatalf("%d queries pending hold %d bytes", len(d.pending), d.held)
			}
		}
		if got := len(v.close()); got > len(b)/headerSize+1 {
			t.Fatalf("%d activities of %d bytes", got, len(b))
		}
		if d := v.decoder; len(d.pending) != 0 || d.held != 0 {
			t.Fatalf("closed with %d queries pending, %d bytes held", len(d.pending), d.held)
		}
		for _, a := range v.got {
			d := a.DNS
			if d.RCode < -1 || d.RCode > 15 || len(d.Records) > activity.MaxDNSRecords {
				t.Fatalf("%+v", d)
			}
			checkText(t, d.Question)
			for _, r := range d.Records {
				checkText(t, r.Name)
				checkText(t, r.Data)
			}
		}
	})
}

func checkText(t *testing.T, s string) {
	if !utf8.ValidString(s) || len(s) > activity.MaxText {
		t.Fatalf("text of %d bytes: %q", len(s), s)
	}
	for _, r := range s {
		if !unicode.IsGraphic(r) || r == ' ' {
			t.Fatalf("%q holds %U", s, r)
		}
	}
}

// BenchmarkPair is a query and its response with two SRV records.
func BenchmarkPair(b *testing.B) {
	q, r := ask(1, "_ldap._tcp.dc._msdcs.lab.example.", 33), reply(1, "_ldap._tcp.dc._msdcs.lab.example.", 33, 0,
		srv("_ldap._tcp.dc._msdcs.lab.example.", "dc1.lab.example."), srv("_ldap._tcp.dc._msdcs.lab.example.", "dc2.lab.example."))
	v := benchmarked(b, activity.UDP)
	b.SetBytes(int64(len(q) + len(r)))
	for b.Loop() {
		v.handler.Feed(flow.ToServer, q, 1)
		v.handler.Feed(flow.ToClient, r, 2)
	}
}

// BenchmarkTransfer is a zone of 3,000 hosts.
func BenchmarkTransfer(b *testing.B) {
	v := benchmarked(b, activity.TCP)
	q := v.frame(ask(99, "lab.example.", 252))
	var zone []byte
	for _, m := range transferOf("lab.example.", 3000) {
		zone = append(zone, v.frame(m)...)
	}
	b.SetBytes(int64(len(q) + len(zone)))
	for b.Loop() {
		v.handler.Feed(flow.ToServer, q, 1)
		for rest := zone; len(rest) > 0; {
			n := min(1460, len(rest))
			v.handler.Feed(flow.ToClient, rest[:n], 2)
			rest = rest[n:]
		}
	}
}

func benchmarked(b *testing.B, transport activity.Transport) *conversation {
	c := between(transport, 40000, 53)
	v := &conversation{t: b, conn: c, tcp: transport == activity.TCP}
	stage, err := decode.NewStage(decode.Set{Protocols: []decode.Protocol{Protocol}}, nil, &v.counters, func(*activity.Activity) {})
	if err != nil {
		b.Fatal(err)
	}
	v.handler = stage.Open(&v.conn)
	b.ReportAllocs()
	return v
}
