package worker

import (
	"maps"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/counter"
)

// Sensors tells of every sensor that the log told of.
func (w *Worker) Sensors() map[string]SensorState {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[string]SensorState, len(w.sensors))
	for id, s := range w.sensors {
		st := SensorState{Attached: s.Attached, Files: s.Files, Clock: s.Clock}
		if len(s.Spools) > 0 {
			st.Spool, st.Sequence = s.Spools[0].ID, s.Spools[0].Sequence
		}
		all[id] = st
	}
	return all
}

// Settings are the last that were recorded; empty when none were.
func (w *Worker) Settings() ingest.Settings {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.core.Settings()
	if s == nil {
		return ingest.Settings{}
	}
	return ingest.Settings{Level: s.Level, Exclusions: slices.Clone(s.Exclusions)}
}

// Seen counts the activities processed since the log began, by kind.
func (w *Worker) Seen() map[activity.Kind]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.core.Seen())
}

// Evaluations says of each detection, by id, whether it could work so far.
// Counters are those of the sensors, of what they could not read; nil: unknown.
func (w *Worker) Evaluations(sensors []counter.Row) []center.Evaluation {
	return center.Evaluate(w.cfg.Definitions, w.Seen(), sensors, "none seen yet")
}

// Counters lists what the stages dropped or did not understand since New.
func (w *Worker) Counters() []counter.Row {
	var all counter.Set
	w.mu.Lock()
	defer w.mu.Unlock()
	all.Merge(&w.core.Counters)
	all.Merge(&w.own)
	return all.Rows()
}

// Stats tells what was done so far.
func (w *Worker) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Position = w.at
	return s
}
