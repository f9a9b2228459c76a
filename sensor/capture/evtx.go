package capture

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/capture/evtx"
)

// The layout of an EVTX file: a header block, then chunks that are each read
// alone.
const (
	evtxMagic  = "ElfFile\x00"
	evtxHeader = 4096
)

// evtxLog reads an EVTX file. It holds the events of one chunk at a time.
// Records come by their number within a chunk.
type evtxLog struct {
	w       *window
	reader  *evtx.Reader
	pending []evtxEvent
	damage  *Damage // of the chunk whose events are pending
	frame   int64   // records seen in earlier chunks
}

type evtxEvent struct {
	*Event
	number uint64 // in this log
	time   activity.Time
	frame  int64
}

func (l *evtxLog) next(c *Chunk) error {
	if l.reader == nil {
		l.reader = evtx.NewReader()
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
		if len(l.pending) > 0 {
			e := l.pending[0]
			l.pending = l.pending[1:]
			*c = Chunk{Time: e.time, Frame: e.frame, Event: e.Event}
			return nil
		}
		b := l.w.peek(evtx.ChunkSize)
		switch {
		case len(b) == 0:
			return l.w.end()
		case len(b) < evtx.ChunkSize && len(bytes.Trim(b, "\x00")) == 0:
			l.w.discard(math.MaxInt) // space that was set aside for a chunk
			continue
		case len(b) < evtx.ChunkSize:
			return l.w.cut("a chunk", len(b), evtx.ChunkSize)
		}
		l.damage = l.chunk(b)
		l.w.skip(evtx.ChunkSize)
	}
}

// chunk reads the events of a chunk into pending, and says what could not be
// read.
func (l *evtxLog) chunk(b []byte) *Damage {
	if !bytes.HasPrefix(b, []byte(evtx.ChunkMagic)) {
		if len(bytes.Trim(b, "\x00")) == 0 {
			return nil
		}
		return &Damage{Offset: l.w.off, Reason: fmt.Sprintf("a chunk of the event log begins with % x, not with its signature", b[:8])}
	}
	l.pending = l.pending[:0]
	var timeless evtx.Report
	report := l.reader.Chunk(b, func(r *evtx.Record) {
		ns, ok := names.FiletimeToUnixNano(r.Time)
		if !ok || ns <= 0 {
			if timeless.Faults++; timeless.Faults == 1 {
				timeless.At, timeless.Why = r.Offset, fmt.Sprintf("record %d is of a time that is none", r.ID)
			}
			return
		}
		e := &Event{
			Channel: r.Channel, Provider: r.Provider, ID: r.EventID, Record: r.ID, Computer: r.Computer,
			User: r.User, Failure: r.Keywords&auditFailure != 0, Cut: r.Cut, Fields: make([]Field, 0, min(len(r.Fields), maxFields)),
		}
		for _, f := range r.Fields {
			e.add(f.Name, f.Value)
		}
		l.pending = append(l.pending, evtxEvent{e, r.Number, activity.Time(ns), l.frame + int64(r.Index) + 1})
	})
	l.frame += int64(report.Records)
	slices.SortStableFunc(l.pending, func(a, b evtxEvent) int { return cmp.Compare(a.number, b.number) })
	if timeless.Faults > 0 && (report.Faults == 0 || timeless.At < report.At) {
		report.At, report.Why = timeless.At, timeless.Why
	}
	report.Faults += timeless.Faults
	if report.Faults == 0 {
		return nil
	}
	if report.Faults > 1 {
		report.Why += fmt.Sprintf("; %d more faults in this chunk", report.Faults-1)
	}
	return &Damage{Offset: l.w.off + int64(report.At), Reason: report.Why}
}
