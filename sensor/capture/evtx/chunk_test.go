package evtx

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// logTime is 2024-05-01T12:00:00Z as FILETIME.
const logTime = 133590384000000000

// chunk makes a chunk by hand.
type chunk struct {
	b  []byte
	id uint64
}

func newChunk() *chunk {
	c := &chunk{b: make([]byte, First)}
	copy(c.b, ChunkMagic)
	return c
}

func (c *chunk) u16(n int)      { c.b = binary.LittleEndian.AppendUint16(c.b, uint16(n)) }
func (c *chunk) u32(n int)      { c.b = binary.LittleEndian.AppendUint32(c.b, uint32(n)) }
func (c *chunk) u64(n uint64)   { c.b = binary.LittleEndian.AppendUint64(c.b, n) }
func (c *chunk) raw(b ...byte)  { c.b = append(c.b, b...) }
func (c *chunk) put(at, n int)  { binary.LittleEndian.PutUint32(c.b[at:], uint32(n)) }
func (c *chunk) text(s string)  { c.raw(utf16le(s)...) }
func (c *chunk) value(s string) { c.raw(tokValue, typeString); c.u16(len(utf16le(s)) / 2); c.text(s) }
func (c *chunk) subst(n int)    { c.raw(tokSubstitution); c.u16(n); c.raw(typeString) }
func (c *chunk) attr(s string)  { c.raw(tokAttribute); c.name(s) }
func (c *chunk) fragment()      { c.raw(tokFragment, 1, 1, 0) }
func utf16le(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func (c *chunk) name(s string) {
	c.u32(len(c.b) + 4)
	c.u32(0)
	var h uint32
	for _, u := range utf16.Encode([]rune(s)) {
		h = h*65599 + uint32(u)
	}
	c.u16(int(h & 0xffff))
	c.u16(len(s))
	c.text(s + "\x00")
}

// open begins an element, with its dependency id or without.
func (c *chunk) open(s string, dependency, attributes bool) {
	tok := byte(tokOpen)
	if attributes {
		tok |= hasAttributes
	}
	c.raw(tok)
	if dependency {
		c.u16(0xffff)
	}
	c.u32(0)
	c.name(s)
	if attributes {
		c.u32(0)
	}
}

// element writes one without attributes.
func (c *chunk) element(s string, inside func()) {
	c.open(s, true, false)
	c.raw(tokCloseStart)
	inside()
	c.raw(tokCloseElement)
}

// system writes what every event needs.
func (c *chunk) system() {
	c.element("System", func() {
		c.element("EventID", func() { c.value("7") })
		c.open("TimeCreated", true, true)
		c.attr("SystemTime")
		c.value("2024-05-01T12:00:00Z")
		c.raw(tokCloseEmpty)
	})
}

// record writes a record of what content writes, and its padding.
func (c *chunk) record(content func()) {
	c.id++
	start := len(c.b)
	c.raw([]byte(RecordMagic)...)
	c.u32(0)
	c.u64(c.id)
	c.u64(logTime)
	content()
	for len(c.b)%recordAlign != 4 {
		c.raw(0)
	}
	c.u32(len(c.b) - start + 4)
	c.put(start+4, len(c.b)-start)
}

// define writes an instance of a template that is defined there.
func (c *chunk) define(body func()) {
	c.raw(tokTemplate, 1)
	c.u32(1)
	c.u32(len(c.b) + 4)
	c.u32(0)
	c.raw(make([]byte, 16)...)
	at := len(c.b)
	c.u32(0)
	c.fragment()
	body()
	c.raw(tokEnd)
	c.put(at, len(c.b)-at-4)
}

// use writes an instance of the template at an offset.
func (c *chunk) use(at int) {
	c.raw(tokTemplate, 1)
	c.u32(1)
	c.u32(at)
}

type given struct {
	kind byte
	b    []byte
}

func (c *chunk) values(list ...given) {
	c.u32(len(list))
	for _, v := range list {
		c.u16(len(v.b))
		c.raw(v.kind, 0)
	}
	for _, v := range list {
		c.raw(v.b...)
	}
}

func (c *chunk) bytes() []byte {
	b := make([]byte, ChunkSize)
	copy(b, c.b)
	binary.LittleEndian.PutUint32(b[Free:], uint32(min(len(c.b), ChunkSize)))
	return b
}

// read reads a chunk and shows the records.
func read(t testing.TB, b []byte) (list []string, report Report) {
	t.Helper()
	report = NewReader().Chunk(b, func(r *Record) {
		if len(r.Fields) > maxFields || r.Time == 0 {
			t.Fatalf("%+v", r)
		}
		size := 0
		for _, f := range r.Fields {
			size += len(f.Value)
		}
		if size > maxText {
			t.Fatalf("%d bytes of text", size)
		}
		list = append(list, fmt.Sprintf("%d %d %v %d", r.ID, r.EventID, r.Fields, r.Cut))
	})
	return list, report
}

// TestElements has events without a template, with and without dependency ids.
func TestElements(t *testing.T) {
	c := newChunk()
	c.record(func() {
		c.fragment()
		c.element("Event", func() {
			c.system()
			c.element("EventData", func() {
				c.element("Data", func() { c.value("a") })
				c.open("Data", false, true) // as within a value
				c.attr("Name")
				c.value("n")
				c.raw(tokCloseStart)
				c.value("b & ")
				c.raw(tokEntityRef)
				c.name("lt")
				c.raw(tokCharRef)
				c.u16('c')
				c.raw(tokCDATA)
				c.u16(1)
				c.text("d")
				c.raw(tokCloseElement)
				c.open("Binary", true, false)
				c.raw(tokCloseEmpty)
			})
			c.element("RenderingInfo", func() { c.element("Message", func() { c.value("left out") }) })
		})
		c.raw(tokEnd)
	})
	list, report := read(t, c.bytes())
	if got, want := strings.Join(list, "\n"), "1 7 [{Data a} {n b & <cd} {Binary }] 0"; got != want || report.Faults != 0 {
		t.Errorf("%s, want %s; %+v", got, want, report)
	}
}

// TestValues has every type of value.
func TestValues(t *testing.T) {
	sid := []byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0}
	for _, v := range []struct {
		given
		want string
	}{
		{given{typeNull, nil}, "[{v }]"},
		{given{typeString, utf16le("ü𝄞\x00")}, "[{v ü𝄞}]"},
		{given{typeString, []byte{0, 0xd8, 'a', 0}}, "[{v \uFFFDa}]"},
		{given{typeAnsi, []byte("a\xffb\x00")}, "[{v a\uFFFDb}]"},
		{given{typeInt8, []byte{0xff}}, "[{v -1}]"},
		{given{typeUint8, []byte{0xff}}, "[{v 255}]"},
		{given{typeInt16, []byte{0xfe, 0xff}}, "[{v -2}]"},
		{given{typeUint16, []byte{1, 1}}, "[{v 257}]"},
		{given{typeInt32, []byte{0xfe, 0xff, 0xff, 0xff}}, "[{v -2}]"},
		{given{typeUint32, []byte{0xfe, 0xff, 0xff, 0xff}}, "[{v 4294967294}]"},
		{given{typeInt64, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, "[{v -2}]"},
		{given{typeUint64, []byte{1, 0, 0, 0, 1, 0, 0, 0}}, "[{v 4294967297}]"},
		{given{typeFloat, []byte{0, 0, 0x20, 0x40}}, "[{v 2.5}]"},
		{given{typeDouble, []byte{0, 0, 0, 0, 0, 0, 4, 0x40}}, "[{v 2.5}]"},
		{given{typeBool, []byte{1, 0, 0, 0}}, "[{v true}]"},
		{given{typeBool, []byte{0}}, "[{v false}]"},
		{given{typeBinary, []byte{0xab, 1}}, "[{v AB01}]"},
		{given{typeGUID, []byte{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}}, "[{v {00010203-0405-0607-0809-0a0b0c0d0e0f}}]"},
		{given{typeSize, []byte{0x10, 0, 0, 0}}, "[{v 0x10}]"},
		{given{typeSize, []byte{0x10, 0, 0, 0, 1, 0, 0, 0}}, "[{v 0x100000010}]"},
		{given{typeFileTime, binary.LittleEndian.AppendUint64(nil, logTime+1)}, "[{v 2024-05-01T12:00:00.0000001Z}]"},
		{given{typeFileTime, binary.LittleEndian.AppendUint64(nil, 0)}, "[{v 1601-01-01T00:00:00.0000000Z}]"},
		{given{typeFileTime, binary.LittleEndian.AppendUint64(nil, 1<<63)}, "[{v 9223372036854775808}]"},
		{given{typeSystemTime, []byte{0xe8, 7, 5, 0, 3, 0, 1, 0, 12, 0, 0, 0, 1, 0, 250, 0}}, "[{v 2024-05-01T12:00:01.250Z}]"},
		{given{typeSID, sid}, "[{v S-1-5-32-544}]"},
		{given{typeSID, sid[:12]}, "[{v 010200000000000520000000}]"},
		{given{typeHex32, []byte{0x18, 0, 0, 0}}, "[{v 0x18}]"},
		{given{typeHex64, []byte{0x18, 0, 0, 0, 1, 0, 0, 0}}, "[{v 0x100000018}]"},
		{given{typeUint32, []byte{1, 2}}, "[{v 0102}]"}, // not of its length
		{given{0x77, []byte{1, 2}}, "[{v 0102}]"},       // no type
		{given{typeArray | typeString, utf16le("a\x00\x00b\x00")}, "[{v a} {v } {v b}]"},
		{given{typeArray | typeUint16, []byte{1, 0, 2, 0, 3}}, "[{v 1} {v 2} {v 03}]"},
	} {
		c := newChunk()
		c.record(func() {
			c.fragment()
			c.define(func() {
				c.element("Event", func() {
					c.system()
					c.element("EventData", func() { c.element("v", func() { c.subst(0) }) })
				})
			})
			c.values(v.given)
			c.raw(tokEnd)
		})
		list, report := read(t, c.bytes())
		if want := "1 7 " + v.want + " 0"; len(list) != 1 || list[0] != want || report.Faults != 0 {
			t.Errorf("type %#x: %q, want %q; %+v", v.kind, list, want, report)
		}
	}
}

// bomb writes a record whose template uses its one value n times.
func (c *chunk) bomb(n int, v given) {
	c.record(func() {
		c.fragment()
		c.define(func() {
			c.element("Event", func() {
				c.system()
				c.element("EventData", func() {
					for range n {
						c.subst(0)
					}
				})
			})
		})
		c.values(v)
		c.raw(tokEnd)
	})
}

// TestHostile has records that ask for too much; the one after them is read.
func TestHostile(t *testing.T) {
	last := func(c *chunk) {
		c.record(func() { c.element("Event", c.system) })
	}
	nested := func(n int) []byte { // values within values
		b := []byte{tokEnd}
		for range n {
			in := &chunk{}
			in.fragment()
			in.use(First + 38)
			in.values(given{typeBinXML, b})
			b = in.b
		}
		return b
	}
	for _, k := range []struct {
		name string
		make func(c *chunk)
		want string // of the first fault
	}{
		{"templates in values in templates", func(c *chunk) { c.bomb(1, given{typeBinXML, nested(40)}) }, "nested deeper than 16"},
		{"2^n of them", func(c *chunk) { c.bomb(100, given{typeBinXML, nested(12)}) }, "more than 65536 steps"},
		{"a template within a template", func(c *chunk) {
			c.record(func() {
				c.define(func() { c.raw(tokTemplate, 1); c.u32(1); c.u32(First) })
				c.values()
			})
		}, "token 0x0c in a template"},
		{"a template in the chunk's header", func(c *chunk) { c.record(func() { c.use(8); c.values() }) }, "a template at 8"},
		{"a template beyond the chunk", func(c *chunk) { c.record(func() { c.use(1 << 30); c.values() }) }, "a template at 1073741824"},
		{"elements in elements", func(c *chunk) {
			c.record(func() {
				for range 100 {
					c.open("a", true, false)
					c.raw(tokCloseStart)
				}
			})
		}, "elements nested deeper than 64"},
		{"an element without end", func(c *chunk) { c.record(func() { c.open("a", true, false); c.raw(tokCloseStart) }) }, "elements that do not end"},
		{"an end without an element", func(c *chunk) { c.record(func() { c.define(func() { c.raw(tokCloseElement) }) }) }, "elements that do not end"},
		{"a name that is too long", func(c *chunk) { c.record(func() { c.open(strings.Repeat("a", 300), true, false) }) }, "runs out"},
		{"a value that is too long", func(c *chunk) {
			c.record(func() {
				c.define(func() {})
				c.u32(1)
				c.u16(0xffff)
				c.raw(typeString, 0)
			})
		}, "runs out"},
		{"no element", func(c *chunk) { c.record(func() { c.raw(0x55) }) }, "token 0x55"},
		{"no event", func(c *chunk) { c.record(func() { c.element("a", func() {}) }) }, "no EventID"},
		{"no record", func(c *chunk) { c.raw(make([]byte, 64)...) }, "bytes of a chunk are no record"},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newChunk()
			k.make(c)
			c.id = 100
			last(c)
			list, report := read(t, c.bytes())
			if !strings.Contains(report.Why, k.want) || report.Faults != 1 {
				t.Errorf("%+v, want %q", report, k.want)
			}
			if len(list) != 1 || list[0] != "101 7 [] 0" {
				t.Errorf("%q", list)
			}
		})
	}
}

// TestMuchText has a value that stands in a record many times.
func TestMuchText(t *testing.T) {
	c := newChunk()
	c.bomb(4000, given{typeString, utf16le(strings.Repeat("x", 4000))})
	list, report := read(t, c.bytes())
	if len(list) != 1 || report.Faults != 0 {
		t.Fatalf("%d records, %+v", len(list), report)
	}
}

// TestOverlap defines templates that overlap: each offset is another one.
func TestOverlap(t *testing.T) {
	c := newChunk()
	body := make([]byte, 0, 20000)
	for range 5000 {
		body = append(body, tokSubstitution, 0, 0, 1)
	}
	c.record(func() { c.raw(body...); c.raw(tokEnd) })
	from := First + recordHeader
	for i := range 200 {
		c.record(func() { c.use(from + 4*i); c.values() })
	}
	_, report := read(t, c.bytes())
	if report.Faults < 100 {
		t.Errorf("%+v", report)
	}
}

// TestDirty has records that the chunk's header does not know of yet, and what
// was there before.
func TestDirty(t *testing.T) {
	c := newChunk()
	event := func() { c.element("Event", c.system) }
	c.record(event)
	free := len(c.b)
	c.record(event)
	c.record(event)
	c.id = 1
	c.record(event) // 2: of the chunk's earlier life
	b := c.bytes()
	binary.LittleEndian.PutUint32(b[Free:], uint32(free))
	list, report := read(t, b)
	if len(list) != 3 || report.Faults != 0 || report.Records != 3 {
		t.Errorf("%q, %+v", list, report)
	}
}

func FuzzChunk(f *testing.F) {
	c := newChunk()
	c.bomb(3, given{typeArray | typeString, utf16le("a\x00b")})
	c.record(func() { c.use(First + 38); c.values(given{typeSID, make([]byte, 12)}) })
	f.Add(c.b)
	dir := os.Getenv("VERDERER_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpus")
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "evtx", "*.evtx"))
	for i, path := range paths {
		if b, err := os.ReadFile(path); err == nil && i%8 == 0 && len(b) >= 4096+16<<10 {
			f.Add(b[4096 : 4096+16<<10]) // long inputs make slow mutations
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		b := make([]byte, ChunkSize)
		copy(b, content)
		_, report := read(t, b)
		if report.Records > ChunkSize/(recordHeader+recordTail) || (report.Faults == 0) != (report.Why == "") {
			t.Errorf("%+v", report)
		}
	})
}
