package capture

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Velocidex/ordereddict"
	"www.velocidex.com/golang/evtx"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

// The layout of an EVTX file: a header block, then chunks of 64 KiB that are
// each read alone, with their own strings and templates.
const (
	evtxMagic      = "ElfFile\x00"
	evtxHeader     = 4096
	evtxChunkMagic = "ElfChnk\x00"
	evtxChunk      = 64 << 10
	evtxFirst      = 512 // offset of the first record in a chunk
	evtxFree       = 48  // offset of the u32 that says where its free space begins

	// A record: magic, u32 size, u64 id, u64 time (FILETIME), binary XML, size again.
	evtxRecordMagic  = "\x2a\x2a\x00\x00"
	evtxRecordHeader = 24
	evtxRecordTail   = 4
)

// evtxLog reads an EVTX file. It holds one chunk and the records in it at a
// time. Records come by their id within a chunk.
type evtxLog struct {
	w       *window
	begun   bool
	pending []evtxRecord
	damage  *Damage // of the chunk whose records are pending
	frame   int64   // records seen in earlier chunks
}

type evtxRecord struct {
	*evtx.EventRecord
	frame  int64
	offset int64 // of the record in the file
}

func (l *evtxLog) next(c *Chunk) error {
	if !l.begun {
		l.begun = true
		if b := l.w.peek(evtxHeader); len(b) < evtxHeader {
			return l.w.cut("the header", len(b), evtxHeader)
		}
		l.w.skip(evtxHeader)
	}
	for {
		if l.damage != nil {
			d := l.damage
			l.damage = nil
			return d
		}
		for len(l.pending) > 0 {
			r := l.pending[0]
			l.pending = l.pending[1:]
			event, at, ok := evtxEvent(r.EventRecord)
			if !ok {
				return &Damage{Offset: r.offset, Reason: fmt.Sprintf("record %d is no event that can be read", r.Header.RecordID)}
			}
			*c = Chunk{Time: at, Frame: r.frame, Event: event}
			return nil
		}
		b := l.w.peek(evtxChunk)
		switch {
		case len(b) == 0:
			return l.w.end()
		case len(b) < evtxChunk && len(bytes.Trim(b, "\x00")) == 0:
			l.w.discard(math.MaxInt) // space that was set aside for a chunk
			continue
		case len(b) < evtxChunk:
			return l.w.cut("a chunk", len(b), evtxChunk)
		}
		if err := l.chunk(slices.Clone(b)); err != nil {
			l.damage = err
		}
		l.w.skip(evtxChunk)
	}
}

// chunk reads the records of a chunk into pending. b is changed.
func (l *evtxLog) chunk(b []byte) *Damage {
	if !bytes.HasPrefix(b, []byte(evtxChunkMagic)) {
		if len(bytes.Trim(b, "\x00")) == 0 {
			return nil
		}
		return &Damage{Offset: l.w.off, Reason: fmt.Sprintf("a chunk of the event log begins with % x, not with its signature", b[:8])}
	}
	v := vet(b)
	l.frame += int64(v.records)
	found, err := parseChunk(b, v.records)
	if err != nil {
		return &Damage{Offset: l.w.off, Reason: fmt.Sprintf("reading the %d records of a chunk: %v", v.records, err)}
	}
	for i, r := range found {
		if !v.refused[i] {
			l.pending = append(l.pending, evtxRecord{r, l.frame - int64(v.records) + int64(i) + 1, l.w.off + int64(v.offsets[i])})
		}
	}
	slices.SortStableFunc(l.pending, func(a, b evtxRecord) int { return cmp.Compare(a.Header.RecordID, b.Header.RecordID) })
	if v.why != "" {
		return &Damage{Offset: l.w.off + int64(v.at), Reason: v.why}
	}
	return nil
}

// parseChunk reads the first n records of a chunk that was vetted. Each call
// into the reader that may meet hostile bytes is in here.
func parseChunk(b []byte, n int) (found []*evtx.EventRecord, err error) {
	if n == 0 {
		return nil, nil
	}
	defer func() {
		if p := recover(); p != nil {
			found, err = nil, fmt.Errorf("the reader gave up: %v", p)
		}
	}()
	chunk := &evtx.Chunk{Fd: bytes.NewReader(b)}
	chunk.Header.FirstEventRecNumber, chunk.Header.LastEventRecNumber = 1, uint64(n)
	found, err = chunk.Parse(math.MinInt)
	if err == nil && len(found) != n {
		err = fmt.Errorf("it holds %d of them", len(found))
	}
	return found, err
}

// evtxEvent takes an event and its time out of what the reader made of a record.
func evtxEvent(r *evtx.EventRecord) (*Event, activity.Time, bool) {
	event := dict(r.Event, "Event")
	system := dict(event, "System")
	if system == nil {
		return nil, 0, false
	}
	e := &Event{
		Record:   r.Header.RecordID,
		Channel:  str(get(system, "Channel")),
		Computer: str(get(system, "Computer")),
		Provider: str(get(get(system, "Provider"), "Name")),
	}
	id := get(system, "EventID")
	if v := get(id, "Value"); v != nil { // with Qualifiers
		id = v
	}
	n, err := strconv.ParseUint(str(id), 10, 32)
	if err != nil {
		return nil, 0, false
	}
	e.ID = uint32(n)
	seconds, ok := get(get(system, "TimeCreated"), "SystemTime").(float64)
	at := evtxTime(seconds, r.Header.FileTime)
	if !ok || at == 0 {
		return nil, 0, false
	}
	for _, part := range []string{"EventData", "UserData"} {
		e.flatten(dict(event, part))
	}
	return e, at, true
}

// evtxTime is when an event was made: its TimeCreated, which the reader gives
// as seconds in a float64, and so to about 0.2 µs. The record's own time is the
// same instant exactly, unless the event was forwarded, or the log exported: the
// last record then has none. 0 is no time.
func evtxTime(seconds float64, written uint64) activity.Time {
	if !(seconds > 0 && seconds < math.MaxInt64/1e9) {
		return 0
	}
	at := activity.Time(math.Round(seconds*1e6)) * activity.Time(time.Microsecond)
	if ns, ok := names.FiletimeToUnixNano(written); ok && activity.Time(ns).Sub(at).Abs() <= 2*time.Microsecond {
		return activity.Time(ns)
	}
	return at
}

// flatten adds what is in EventData or UserData: plain values by their key,
// <Data Name="…"> elements by that name, and the plain values of the one element
// that UserData holds.
func (e *Event) flatten(d *ordereddict.Dict) {
	if d == nil {
		return
	}
	for _, k := range d.Keys() {
		switch v := get(d, k).(type) {
		case []any:
			for _, item := range v {
				e.named(item)
			}
		case *ordereddict.Dict:
			if e.named(v) {
				continue
			}
			for _, k := range v.Keys() {
				if s, ok := plain(get(v, k)); ok {
					e.add(k, s)
				}
			}
		default:
			if s, ok := plain(v); ok {
				e.add(k, s)
			}
		}
	}
}

// named adds a <Data Name="…"> element and tells whether v is one.
func (e *Event) named(v any) bool {
	name, ok := get(v, "Name").(string)
	if ok {
		e.add(name, str(get(v, "Value")))
	}
	return ok
}

func get(v any, key string) any {
	d, ok := v.(*ordereddict.Dict)
	if !ok || d == nil {
		return nil
	}
	v, _ = d.Get(key)
	return v
}

func dict(v any, key string) *ordereddict.Dict {
	d, _ := get(v, key).(*ordereddict.Dict)
	return d
}

func str(v any) string {
	s, _ := plain(v)
	return s
}

// plain is the text of a value, false for a nested one.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return strings.ToValidUTF8(v, "\uFFFD"), true
	case []byte:
		return fmt.Sprintf("%X", v[:min(len(v), maxValue/2)]), true
	case uint8, uint16, uint32, uint64, bool, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

func u16(b []byte, at int) int { return int(binary.LittleEndian.Uint16(b[at:])) }
func u32(b []byte, at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
