package worker

import (
	"bytes"
	"fmt"
	"runtime/debug"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/directory"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/journal"
)

const (
	// keptSpools of a sensor, the last used first: that of its present run, and
	// those of copies of it that somebody runs by mistake.
	keptSpools = 4
	// maxSensors caps the sensors that are remembered, at some 200 bytes each:
	// ten times what a center is made for. Beyond it the one that was not heard
	// of for longest is forgotten.
	maxSensors = 10_000
)

// SensorState is what the log says of a sensor.
type SensorState struct {
	Attached bool
	Files    bool          // it reads files, as of when it was last attached
	Spool    uint64        // of its last batch
	Sequence uint64        // of that batch
	Clock    activity.Time // its last progress
}

type sensor struct {
	Attached bool          `json:"attached,omitempty"`
	Files    bool          `json:"files,omitempty"`
	Spools   []spool       `json:"spools,omitempty"` // the last used first
	Clock    activity.Time `json:"clock"`
	Heard    activity.Time `json:"heard"` // ingest time
}

type spool struct {
	ID       uint64 `json:"id,string"`
	Sequence uint64 `json:"sequence,string"`
}

// apply takes the items of an entry. mu is held.
func (w *Worker) apply(e *journal.Entry) *Result {
	res := &Result{Position: e.Position, Ingest: e.Ingest}
	for i := range e.Items {
		w.item(e, &e.Items[i], res)
	}
	res.Alerts, res.Acts = w.core.Changed()
	return res
}

// item takes one. What panics over an activity is dealt with where it does
// (center.Config.OnPanic); what is left of an item over which anything else
// panics is left out. It is the same in every replay.
func (w *Worker) item(e *journal.Entry, it *journal.Item, res *Result) {
	defer func() {
		if v := recover(); v != nil {
			w.at = e.Position - 1
			w.failed("applying the log", v, debug.Stack())
		}
	}()
	switch {
	case it.Batch != nil:
		w.batch(e, it, res)
	case it.Attach != 0:
		s := w.sensor(it.Sensor, e.Ingest)
		s.Attached, s.Files = true, it.Files
		r := ingest.Record{Sensor: it.Sensor, Ingest: e.Ingest, Attach: it.Attach}
		if it.Files {
			// Its first batch states more than one time; each counts, as when
			// the files are read here. It holds back nobody but its like.
			r.Attach = 1
		} else {
			w.live = true
		}
		w.core.Apply(&r)
	case it.Detach != "":
		w.sensor(it.Sensor, e.Ingest).Attached = false
		w.core.Apply(&ingest.Record{Sensor: it.Sensor, Ingest: e.Ingest, Detach: true})
	case it.Directory != nil:
		snap, err := directory.Read(bytes.NewReader(it.Directory))
		if err != nil {
			w.own.Of("worker", "directory snapshots not understood").Add(1)
			w.cfg.Log.Error("a directory snapshot in the log is not understood", "position", e.Position, "error", err)
			return
		}
		w.core.Apply(&ingest.Record{Ingest: e.Ingest, Directory: snap})
	case it.Act != nil:
		w.core.Apply(&ingest.Record{Ingest: e.Ingest, Act: it.Act})
	case it.Settings != nil:
		w.core.Apply(&ingest.Record{Ingest: e.Ingest, Settings: it.Settings})
	}
}

func (w *Worker) batch(e *journal.Entry, it *journal.Item, res *Result) {
	b, err := wire.Decode(it.Batch)
	if err != nil {
		// It was decoded before it was stored: by another release, or the disk
		// has changed it.
		w.own.Of("worker", "batches not understood").Add(1)
		w.cfg.Log.Error("a batch in the log is not understood", "position", e.Position, "sensor", it.Sensor, "error", err)
		return
	}
	s := w.sensor(it.Sensor, e.Ingest)
	if !s.next(b.Spool, b.Sequence) {
		w.own.Of("worker", "batches stored twice").Add(1)
		return
	}
	for i := range b.Entries {
		a, progress := b.Entries[i].Activity, b.Entries[i].Progress
		w.record = ingest.Record{Sensor: it.Sensor, Ingest: e.Ingest, Activity: a, Progress: progress}
		// Who reads files has the time of the files, whatever it is now. But
		// what takes part in the present does not go ahead of it.
		if s.Files && !w.live {
			w.record.Ingest = progress
			if a != nil {
				w.record.Ingest = max(s.Clock, a.Time)
			}
		}
		if a != nil {
			res.Activities = append(res.Activities, a)
		} else {
			s.Clock = progress
		}
		w.core.Apply(&w.record)
	}
}

// next notes a batch, and tells whether it is none that was there before.
func (s *sensor) next(id, sequence uint64) bool {
	at := len(s.Spools)
	for i := range s.Spools {
		if s.Spools[i].ID == id {
			if at = i; sequence <= s.Spools[i].Sequence {
				return false
			}
		}
	}
	if at == len(s.Spools) && at < keptSpools {
		s.Spools = append(s.Spools, spool{})
	}
	at = min(at, keptSpools-1)
	copy(s.Spools[1:at+1], s.Spools[:at])
	s.Spools[0] = spool{id, sequence}
	return true
}

// sensor finds or makes one.
func (w *Worker) sensor(id string, now activity.Time) *sensor {
	s := w.sensors[id]
	if s == nil {
		if len(w.sensors) >= maxSensors {
			w.forgetSensor()
		}
		s = new(sensor)
		w.sensors[id] = s
	}
	s.Heard = now
	return s
}

func (w *Worker) forgetSensor() {
	oldest := ""
	for id, s := range w.sensors {
		if o := w.sensors[oldest]; !s.Attached && (o == nil || s.Heard < o.Heard || s.Heard == o.Heard && id < oldest) {
			oldest = id
		}
	}
	if oldest != "" {
		delete(w.sensors, oldest)
		w.own.Of("worker", "sensors forgotten: more than fit").Add(1)
	}
}

// failed is told of what panicked. mu is held.
func (w *Worker) failed(where string, value any, stack []byte) {
	w.stats.Failures++
	position := w.at + 1
	w.cfg.Log.Error("something panicked over a record, which was left out", "position", position, "where", where, "value", value, "stack", string(stack))
	w.issue("record-left-out", detect.High,
		fmt.Sprintf("The center failed over %s, last at position %d of its log (%s: %v), and went on without. An attack may be hidden by it.", records(w.stats.Failures), position, where, value),
		"Report it with the lines of the center's log that name the position. It is left out again after every restart, until a release that can bear it.")
}

func records(n int64) string {
	if n == 1 {
		return "a record"
	}
	return fmt.Sprintf("%d records", n)
}
