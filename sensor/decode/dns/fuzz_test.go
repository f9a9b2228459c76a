package dns

import (
	"encoding/binary"
	"path/filepath"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/flow"
)

// script is a conversation written down for the fuzzer: per call of Feed a byte
// whose lowest bit is the direction, two bytes of length, and the payload.
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

// recording is a Decoder that writes its conversation down.
type recording struct {
	script
	transport activity.Transport
	done      func(*recording)
}

func (r *recording) Reset(x *decode.Context) { r.script, r.transport = nil, x.Conn.Transport }
func (r *recording) Feed(dir flow.Dir, b []byte, _ activity.Time) {
	r.script = r.add(dir, b)
}
func (r *recording) Gap(flow.Dir, int, activity.Time) {}
func (r *recording) Close(activity.Time)              { r.done(r) }
func (*recording) Held() int                          { return 0 }

func FuzzFeed(f *testing.F) {
	record := Protocol
	record.New = func() decode.Decoder {
		return &recording{done: func(r *recording) {
			f.Add([]byte(r.script), r.transport == activity.TCP, false, false)
			f.Add([]byte(r.script), r.transport == activity.TCP, true, true)
		}}
	}
	captures, _ := filepath.Glob(filepath.Join("testdata", "*.pcap"))
	for _, path := range captures {
		decodetest.File(f, path, decode.Set{Protocols: []decode.Protocol{record}})
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
