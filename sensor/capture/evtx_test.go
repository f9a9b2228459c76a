package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/sensor/capture/evtx"
)

// logTime is 2024-05-01T12:00:00Z as FILETIME.
const logTime = 133590384000000000

// evtxWriter makes a chunk with records of one template, as Windows does: the
// first record defines it.
type evtxWriter struct{ b []byte }

func newEVTX() *evtxWriter {
	w := &evtxWriter{b: make([]byte, evtx.First)}
	copy(w.b, evtx.ChunkMagic)
	return w
}

func (w *evtxWriter) u16(n int)    { w.b = binary.LittleEndian.AppendUint16(w.b, uint16(n)) }
func (w *evtxWriter) u32(n int)    { w.b = binary.LittleEndian.AppendUint32(w.b, uint32(n)) }
func (w *evtxWriter) u64(n uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, n) }
func (w *evtxWriter) raw(b ...byte) {
	w.b = append(w.b, b...)
}

func (w *evtxWriter) text(s string) {
	for _, c := range utf16.Encode([]rune(s)) {
		w.u16(int(c))
	}
}

func (w *evtxWriter) name(s string) {
	w.u32(len(w.b) + 4) // right here
	w.raw(0, 0, 0, 0, 0, 0)
	w.u16(len(s))
	w.text(s + "\x00")
}

// element writes an element with at most one attribute, given as name=value or
// name=#n for substitution n, and what inside writes.
func (w *evtxWriter) element(name, attr string, inside func()) {
	if attr == "" {
		w.raw(0x01, 0xff, 0xff, 0, 0, 0, 0)
		w.name(name)
	} else {
		w.raw(0x41, 0xff, 0xff, 0, 0, 0, 0)
		w.name(name)
		w.u32(0)
		key, value, _ := strings.Cut(attr, "=")
		w.raw(0x06)
		w.name(key)
		var n int
		if _, err := fmt.Sscanf(value, "#%d", &n); err == nil {
			w.substitute(n, 0x11)
		} else {
			w.raw(0x05, 0x01)
			w.u16(len(value))
			w.text(value)
		}
	}
	w.raw(0x02)
	inside()
	w.raw(0x04)
}

func (w *evtxWriter) substitute(n int, kind byte) {
	w.raw(0x0d)
	w.u16(n)
	w.raw(kind)
}

// record writes a record of template 7: event id, time, channel, computer and
// one field.
func (w *evtxWriter) record(id uint64, event int, user string) {
	start := len(w.b)
	w.raw([]byte(evtx.RecordMagic)...)
	w.u32(0)
	w.u64(id)
	w.u64(logTime)
	w.raw(0x0f, 1, 1, 0, 0x0c, 1)
	w.u32(7)
	w.u32(evtx.First + 38) // where the first record has it
	if start == evtx.First {
		w.u32(0)
		w.raw(make([]byte, 16)...)
		at := len(w.b)
		w.u32(0)
		w.raw(0x0f, 1, 1, 0)
		w.element("Event", "", func() {
			w.element("System", "", func() {
				w.element("Provider", "Name=Microsoft-Windows-Security-Auditing", func() {})
				w.element("EventID", "", func() { w.substitute(0, 6) })
				w.element("TimeCreated", "SystemTime=#1", func() {})
				w.element("Channel", "", func() { w.raw(0x05, 1); w.u16(8); w.text("Security") })
				w.element("Computer", "", func() { w.raw(0x05, 1); w.u16(3); w.text("dc1") })
			})
			w.element("EventData", "", func() {
				w.element("Data", "Name=TargetUserName", func() { w.substitute(2, 1) })
				w.element("Data", "Name=Status", func() { w.substitute(3, 0x14) })
			})
		})
		w.raw(0)
		binary.LittleEndian.PutUint32(w.b[at:], uint32(len(w.b)-at-4))
	}
	name := utf16.Encode([]rune(user))
	w.u32(4)
	for _, v := range [][2]int{{2, 6}, {8, 0x11}, {2 * len(name), 1}, {4, 0x14}} {
		w.u16(v[0])
		w.u16(v[1])
	}
	w.u16(event)
	w.u64(logTime)
	w.text(user)
	w.u32(24)
	w.raw(0)
	w.u32(len(w.b) - start + 4)
	binary.LittleEndian.PutUint32(w.b[start+4:], uint32(len(w.b)-start))
}

// file is a log of the chunks.
func evtxFile(chunks ...*evtxWriter) []byte {
	out := make([]byte, evtxHeader)
	copy(out, evtxMagic)
	for _, w := range chunks {
		b := make([]byte, evtx.ChunkSize)
		copy(b, w.b)
		binary.LittleEndian.PutUint32(b[evtx.Free:], uint32(len(w.b)))
		out = append(out, b...)
	}
	return out
}

// small is a log of two chunks with five records, the first two swapped.
func small() []byte {
	a, b := newEVTX(), newEVTX()
	for i, n := range []uint64{2, 1, 3} {
		a.record(n, 4768+i, fmt.Sprintf("user%d", n))
	}
	b.record(4, 4771, "user4")
	b.record(5, 4771, "üser5")
	return evtxFile(a, b)
}

// events reads all events and damages of content.
func events(tb testing.TB, content []byte) (list []Chunk, damage []*Damage) {
	tb.Helper()
	s, err := Reader("test", bytes.NewReader(content))
	if err != nil {
		var d *Damage
		var u *Unknown
		if !errors.As(err, &d) && !errors.As(err, &u) {
			tb.Fatal(err)
		}
		return nil, nil
	}
	defer s.Close()
	last := int64(-1)
	for {
		var c Chunk
		var d *Damage
		switch err := s.Next(&c); {
		case err == io.EOF:
			if s.Next(&c) != io.EOF {
				tb.Fatal("more after the end")
			}
			return list, damage
		case errors.As(err, &d):
			if d.File != "test" || d.Reason == "" || d.Offset < 0 || d.Offset > int64(len(content)) {
				tb.Fatalf("damage %#v", d)
			}
			damage = append(damage, d)
		case err != nil:
			tb.Fatal(err)
		default:
			if c.Event == nil || c.Data != nil || c.Time == 0 || c.Frame < 1 || len(c.Event.Fields) > maxFields {
				tb.Fatalf("event %#v", c)
			}
			list = append(list, c)
		}
		if n := int64(len(list) + len(damage)); n <= last {
			tb.Fatal("no progress")
		} else {
			last = n
		}
	}
}

func TestEVTX(t *testing.T) {
	list, damage := events(t, small())
	equalLines(t, damage)
	want := Event{
		Channel: "Security", Provider: "Microsoft-Windows-Security-Auditing", ID: 4769, Record: 1, Computer: "dc1",
		Fields: []Field{{"TargetUserName", "user1"}, {"Status", "0x18"}},
	}
	if diff := gocmp.Diff(&want, list[0].Event); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var got []string
	for _, c := range list {
		got = append(got, fmt.Sprintf("%d %d %s", c.Frame, c.Event.Record, c.Event.Get("TargetUserName")))
		if want := "2024-05-01T12:00:00Z"; c.Time.String() != want {
			t.Errorf("time %s, want %s", c.Time, want)
		}
	}
	if diff := gocmp.Diff([]string{"2 1 user1", "1 2 user2", "3 3 user3", "4 4 user4", "5 5 üser5"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, content := range map[string][]byte{"gzip": gzipped(t, small()), "zstd": zstded(t, small())} {
		if packed, _ := events(t, content); len(packed) != 5 {
			t.Errorf("%s: %d events, want 5", name, len(packed))
		}
	}
}

// TestEVTXDamaged breaks one thing at a time.
func TestEVTXDamaged(t *testing.T) {
	second := evtxHeader + evtx.ChunkSize
	third := bytes.LastIndex(small()[:second], []byte(evtx.RecordMagic)) // the last record of the first chunk
	put := func(at int, n uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], n); return b }
	}
	for _, c := range []struct {
		name   string
		edit   func(b []byte) []byte
		events int
		damage string // start of the one line; "" none
	}{
		{"nothing", func(b []byte) []byte { return b }, 5, ""},
		{"chunk signature", put(evtxHeader, 1), 2, "4096: a chunk of the event log begins with "},
		{"empty chunk", func(b []byte) []byte { clear(b[evtxHeader:second]); return b }, 2, ""},
		{"record signature", put(third, 7), 4, fmt.Sprintf("%d: ", third)},
		{"record of no size", put(third+4, 0), 4, fmt.Sprintf("%d: a record claims 0 of ", third)},
		{"record that is too long", put(third+4, 1<<31), 4, fmt.Sprintf("%d: a record claims 2147483648 of ", third)},
		{"2^32 values", put(third+38, 1<<32-1), 4, fmt.Sprintf("%d: left out a record: 4294967295 values in a template", third)},
		{"values beyond the chunk", put(third+38, 16000), 4, fmt.Sprintf("%d: left out a record: 16000 values in a template", third)},
		{"no time", func(b []byte) []byte { clear(b[third+60 : third+68]); return b }, 4, fmt.Sprintf("%d: record 3 is no event", third)},
		{"header cut", func(b []byte) []byte { return b[:100] }, 0, "0: cut off in the header: has 100 of 4096 bytes"},
		{"chunk cut", func(b []byte) []byte { return b[:second+600] }, 3, fmt.Sprintf("%d: cut off in a chunk: has 600 of 65536 bytes", second)},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, damage := events(t, c.edit(small()))
			if len(list) != c.events {
				t.Errorf("%d events, want %d", len(list), c.events)
			}
			if got := strings.Join(lines(damage), "\n"); !strings.HasPrefix(got, c.damage) || c.damage == "" && got != "" {
				t.Errorf("damage %q, want %q", got, c.damage)
			}
		})
	}
}

// TestEVTXTruncated cuts a log, and a chunk's content, at many places.
func TestEVTXTruncated(t *testing.T) {
	content := small()
	for n := 1; n < len(content); n += 997 {
		events(t, content[:n])
		cut := bytes.Clone(content)
		clear(cut[n:min(n+997, len(cut))])
		events(t, cut)
	}
}

// FuzzEVTX also seeds with the smallest logs of the corpus, where there is one.
func FuzzEVTX(f *testing.F) {
	f.Add(small())
	dir := os.Getenv("VERDERER_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "evtx", "*.evtx"))
	added := 0
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.Size() > evtxHeader+evtx.ChunkSize || added == 8 {
			continue // long inputs make slow mutations
		}
		if b, err := os.ReadFile(path); err == nil {
			f.Add(b)
			added++
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if sniff(content) == EVTX {
			events(t, content)
		}
	})
}
