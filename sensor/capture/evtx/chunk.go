package evtx

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The layout of a chunk and of the records in it.
const (
	ChunkMagic = "ElfChnk\x00"
	ChunkSize  = 64 << 10
	First      = 512 // offset of the first record
	Free       = 48  // offset of the u32 that says where free space begins

	// A record: magic, u32 size, u64 id, u64 time (FILETIME), binary XML, size again.
	RecordMagic  = "\x2a\x2a\x00\x00"
	recordHeader = 24
	recordTail   = 4
	recordAlign  = 8 // records begin at a multiple of it
)

// What a chunk may ask for.
const (
	// maxSteps caps the steps of all records of a chunk: about 1,000 of the
	// shortest records fit into one, with some 100 steps each.
	maxSteps = 8 * ChunkSize
	// maxRecordSteps caps those of one record, so that it leaves some to the
	// others. The widest events have some 300.
	maxRecordSteps = ChunkSize
	// maxTokens caps the tokens of templates compiled in a chunk, each of at
	// least one byte: honest templates do not overlap.
	maxTokens = 2 * ChunkSize
	// maxNest caps templates within values within templates; UserData and
	// forwarded events have three.
	maxNest = 16
	// maxDepth caps elements within elements.
	maxDepth = 64
	// maxText caps the text of a record. What is in a record was at most 64 KiB
	// in UTF-16 ([MS-EVEN6] §2.2.13), which is 96 KiB in UTF-8; a template may
	// use a value more than once.
	maxText = 4 * ChunkSize
	// maxFields caps the values of a record. Its reader takes fewer.
	maxFields = 1024
	// maxName is the length of an element's name: manifests have shorter ones.
	maxName = 256
	// maxStrings caps the strings kept over chunks. A log has some hundred.
	maxStrings = 4096
)

// Record is one record. It is valid during the call that it is handed to, its
// strings stay so.
type Record struct {
	Index  int    // in the chunk, from 0; records that were left out are counted too
	Offset int    // in the chunk
	Number uint64 // in this log
	ID     uint64 // EventRecordID: in the log that it was written to first
	Time   uint64 // TimeCreated as FILETIME

	Provider, Channel, Computer, User string
	EventID                           uint32
	Version                           uint8
	Keywords                          uint64
	Fields                            []Field // at most maxFields
	Cut                               int     // fields that were left out or shortened
}

// Field is one value by its name; "Data" for one without.
type Field struct{ Name, Value string }

// Report says what became of a chunk.
type Report struct {
	Records int    // found, those left out among them
	Faults  int    // records left out, and places where no record was
	At      int    // offset of the first fault
	Why     string // the first fault, "" without one
}

func (r *Report) fault(at int, format string, args ...any) {
	if r.Faults++; r.Faults == 1 {
		r.At, r.Why = at, fmt.Sprintf(format, args...)
	}
}

// Reader reads chunks, one after another, and reuses what it needs for that.
type Reader struct {
	b         []byte // the chunk
	steps     []step // of all templates of the chunk
	templates map[uint32]template
	tokens    int               // compiled in this chunk
	ran       int               // steps in this chunk
	limit     int               // of ran, for the record at hand
	strings   map[string]string // names, computers: what comes again and again
	values    []value           // of the templates being run, innermost last
	nest      int
	out       writer
}

// NewReader returns a Reader without a chunk.
func NewReader() *Reader {
	return &Reader{templates: make(map[uint32]template), strings: make(map[string]string)}
}

// Chunk hands each record of chunk b, ChunkSize bytes, to emit, in the order in
// which they are stored. b is not changed and not kept.
func (r *Reader) Chunk(b []byte, emit func(*Record)) (report Report) {
	r.b, r.steps, r.tokens, r.ran = b, r.steps[:0], 0, 0
	clear(r.templates)
	defer func() { r.b = nil }()
	end := u32(b, Free)
	if end < First || end > ChunkSize {
		end = ChunkSize
	}
	var last uint64
	at := First
	for at+recordHeader+recordTail <= end {
		size, why := record(b, at, end)
		if why != "" {
			report.fault(at, "%s", why)
			next := r.resync(at+recordAlign-at%recordAlign, end, last)
			if next < 0 {
				return report
			}
			at = next
			continue
		}
		last = u64(b, at+8)
		r.emit(&report, at, size, emit)
		at += size
	}
	for at+recordHeader+recordTail <= ChunkSize && report.Records > 0 {
		size, why := record(b, at, ChunkSize)
		if why != "" || u32(b, at+size-4) != size || u64(b, at+8) != last+1 {
			break
		}
		last++
		r.emit(&report, at, size, emit)
		at += size
	}
	return report
}

// record is the size of the record at an offset, or why there is none.
func record(b []byte, at, end int) (size int, why string) {
	if string(b[at:at+4]) != RecordMagic {
		return 0, fmt.Sprintf("%d bytes of a chunk are no record: they begin with % x", end-at, b[at:at+4])
	}
	if size = u32(b, at+4); size < recordHeader+recordTail || size > end-at {
		return 0, fmt.Sprintf("a record claims %d of %d bytes", size, end-at)
	}
	return size, ""
}

// resync finds the next record from at on, -1 without one. Content may look like
// a record, so its size must stand at both of its ends and its id be a later one.
func (r *Reader) resync(at, end int, last uint64) int {
	for ; at+recordHeader+recordTail <= end; at += recordAlign {
		if size, why := record(r.b, at, end); why == "" && u32(r.b, at+size-4) == size && u64(r.b, at+8) > last {
			return at
		}
	}
	return -1
}

// emit reads the record at an offset and hands it on.
func (r *Reader) emit(report *Report, at, size int, emit func(*Record)) {
	rec := &r.out.rec
	*rec = Record{Index: report.Records, Offset: at, Number: u64(r.b, at+8), ID: u64(r.b, at+8), Fields: rec.Fields[:0]}
	report.Records++
	r.out.begin()
	r.nest, r.values, r.limit = 0, r.values[:0], min(r.ran+maxRecordSteps, maxSteps)
	if err := r.fragment(at+recordHeader, at+size-recordTail, true); err != nil {
		report.fault(at, "left out a record: %v", err)
		return
	}
	if why := r.out.finish(r); why != "" {
		report.fault(at, "record %d is no event that can be read: %s", rec.ID, why)
		return
	}
	emit(rec)
}

var (
	errRunsOut = errors.New("its content runs out of the record")
	errNest    = fmt.Errorf("templates nested deeper than %d", maxNest)
	errDepth   = fmt.Errorf("elements nested deeper than %d", maxDepth)
	errSteps   = fmt.Errorf("more than %d steps, or %d with the records before", maxRecordSteps, maxSteps)
	errTokens  = fmt.Errorf("a chunk with more than %d tokens of templates", maxTokens)
)

// intern is b, UTF-8, as a string; one that was seen before costs nothing.
func (r *Reader) intern(b []byte) string {
	if s, ok := r.strings[string(b)]; ok {
		return s
	}
	if len(r.strings) >= maxStrings {
		clear(r.strings)
	}
	s := string(b)
	r.strings[s] = s
	return s
}

func u16(b []byte, at int) int    { return int(binary.LittleEndian.Uint16(b[at:])) }
func u32(b []byte, at int) int    { return int(binary.LittleEndian.Uint32(b[at:])) }
func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
