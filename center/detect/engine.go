package detect

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/counter"
)

const (
	// Partitions is the fixed number of parts the keys are hashed into. Shards
	// (goroutines, later machines) own whole partitions; every bound holds per
	// partition, so that findings do not depend on the number of shards.
	Partitions = 64
	// maxKeys caps the keys of one detection in one partition: 64,000 sources
	// in all. Beyond it the key idle for longest is forgotten, and counted.
	maxKeys = 1000
	// maxSize caps the acts that one partition remembers over all keys and
	// detections: a million in all, at about 400 bytes each.
	maxSize = 16_384
	// sweepEvery is how often, in event time, keys past their Retain are dropped.
	sweepEvery = activity.Time(10 * 60 * 1e9)
)

// Engine runs detections. Process must be called from one goroutine.
type Engine struct {
	defs     []*Definition
	tuning   []Tuning
	byKind   map[activity.Kind][]int
	parts    [Partitions]partition
	shards   int
	counters *counter.Set
}

// partition is the state of the keys that hash to it, per detection.
type partition struct {
	keys     []map[string]*keyState // by index of the definition
	swept    activity.Time
	size     int
	work     []work
	findings []Finding
	late     int
	evicted  int
}

type keyState struct {
	Last     activity.Time
	Detector Detector
}

type work struct {
	def int
	key string
	r   *resolve.Resolved
}

// NewEngine makes an engine for the definitions at one level, working with the
// given number of goroutines.
func NewEngine(defs []*Definition, level Level, shards int, counters *counter.Set) *Engine {
	e := &Engine{
		defs:     defs,
		byKind:   make(map[activity.Kind][]int),
		shards:   max(1, min(shards, Partitions)),
		counters: counters,
	}
	for i, d := range defs {
		e.tuning = append(e.tuning, d.Tune(level))
		for _, k := range d.Consumes {
			e.byKind[k] = append(e.byKind[k], i)
		}
	}
	for i := range e.parts {
		e.parts[i].keys = make([]map[string]*keyState, len(defs))
		for j := range defs {
			e.parts[i].keys[j] = make(map[string]*keyState)
		}
	}
	return e
}

// parallelFrom is the number of activities in a batch from which starting the
// shards pays.
const parallelFrom = 256

// Process runs the activities, in order, and returns their findings in an order
// that depends on nothing but the activities.
func (e *Engine) Process(batch []*resolve.Resolved) []Finding {
	for _, r := range batch {
		for _, i := range e.byKind[r.Kind] {
			if key := e.defs[i].Key(r); key != "" {
				p := &e.parts[partOf(e.defs[i].ID, key)]
				p.work = append(p.work, work{i, key, r})
			}
		}
	}
	if e.shards == 1 || len(batch) < parallelFrom {
		for i := range e.parts {
			e.run(&e.parts[i])
		}
	} else {
		var wg sync.WaitGroup
		for s := range e.shards {
			wg.Go(func() {
				for i := s; i < Partitions; i += e.shards {
					e.run(&e.parts[i])
				}
			})
		}
		wg.Wait()
	}
	var all []Finding
	for i := range e.parts {
		p := &e.parts[i]
		all = append(all, p.findings...)
		e.count("activities too late for the state kept", &p.late)
		e.count("keys forgotten: more than fit", &p.evicted)
		p.findings = p.findings[:0]
	}
	// Those of one key come from one partition, in the order they were made,
	// and stay in it.
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Detection, b.Detection), cmp.Compare(a.Key, b.Key))
	})
	e.counters.Of("detect", "findings").Add(len(all))
	return all
}

func (e *Engine) count(name string, n *int) {
	if *n > 0 {
		e.counters.Of("detect", name).Add(*n)
		*n = 0
	}
}

func partOf(id, key string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return int(h.Sum32() % Partitions)
}

func (e *Engine) run(p *partition) {
	for _, w := range p.work {
		p.sweep(e.defs, w.r.Time)
		e.one(p, w)
	}
	clear(p.work)
	p.work = p.work[:0]
}

func (e *Engine) one(p *partition, w work) {
	d := e.defs[w.def]
	keys := p.keys[w.def]
	s := keys[w.key]
	switch {
	case s != nil && w.r.Time < s.Last-activity.Time(d.Retain):
		p.late++
		return
	case s == nil || w.r.Time-s.Last > activity.Time(d.Retain):
		// The state is past its time whether or not a sweep has taken it: a
		// result must not depend on when sweeps run.
		s = &keyState{Detector: d.New(e.tuning[w.def])}
		if old := keys[w.key]; old != nil {
			p.size -= old.Detector.Size()
		}
		keys[w.key] = s
		if len(keys) > maxKeys {
			p.evict(keys, s)
		}
	}
	s.Last = max(s.Last, w.r.Time)
	n, before := 0, s.Detector.Size()
	s.Detector.Process(w.r, func(f Finding) {
		f.Detection, f.Key = d.ID, w.key
		f.Time = w.r.Time
		f.Late = w.r.Late
		switch {
		case d.Learning == 0:
			f.Baseline = BaselineUnneeded
		case f.Baseline == "":
			f.Baseline = BaselineNone
		}
		f.ID = findingID(d.ID, w.key, w.r.ID, n)
		n++
		p.findings = append(p.findings, f)
	})
	if p.size += s.Detector.Size() - before; p.size > maxSize {
		for p.size > maxSize*7/8 && p.evict(p.idlest(s), s) {
		}
	}
}

// findingID is the first 16 bytes of a SHA-256 in hex.
func findingID(id, key string, a activity.ID, n int) string {
	h := sha256.New()
	fmt.Fprintf(h, "verderer/finding/1\x00%s\x00%s\x00%s\x00%d", id, key, a, n)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// evict forgets the key of keys that has been idle for longest, but not keep.
func (p *partition) evict(keys map[string]*keyState, keep *keyState) bool {
	key, s := idlest(keys, keep)
	if s == nil {
		return false
	}
	p.size -= s.Detector.Size()
	delete(keys, key)
	p.evicted++
	return true
}

// idlest is the detection's keys that hold the one idle for longest.
func (p *partition) idlest(keep *keyState) map[string]*keyState {
	var in map[string]*keyState
	var oldest *keyState
	for _, keys := range p.keys {
		if _, s := idlest(keys, keep); s != nil && (oldest == nil || s.Last < oldest.Last) {
			in, oldest = keys, s
		}
	}
	return in
}

func idlest(keys map[string]*keyState, keep *keyState) (key string, oldest *keyState) {
	for k, s := range keys {
		if s != keep && (oldest == nil || s.Last < oldest.Last || s.Last == oldest.Last && k < key) {
			key, oldest = k, s
		}
	}
	return key, oldest
}

// sweep drops keys past their time, when event time has moved on enough.
func (p *partition) sweep(defs []*Definition, now activity.Time) {
	if now < p.swept+sweepEvery {
		return
	}
	p.swept = now
	for i, keys := range p.keys {
		for k, s := range keys {
			if now-s.Last > activity.Time(defs[i].Retain) {
				p.size -= s.Detector.Size()
				delete(keys, k)
			}
		}
	}
}

// snapshot of the engine: detection id → key → state. It does not mention
// partitions or shards, so that it can be restored into any number of them.
type engineState struct {
	Swept [Partitions]activity.Time             `json:"swept"`
	Keys  map[string]map[string]json.RawMessage `json:"keys"`
}

type keySnapshot struct {
	Last  activity.Time   `json:"last"`
	State json.RawMessage `json:"state"`
}

// MarshalJSON gives the state as of the last batch.
func (e *Engine) MarshalJSON() ([]byte, error) {
	s := engineState{Keys: make(map[string]map[string]json.RawMessage)}
	for pi := range e.parts {
		s.Swept[pi] = e.parts[pi].swept
		for i, keys := range e.parts[pi].keys {
			for k, st := range keys {
				state, err := json.Marshal(st.Detector)
				if err != nil {
					return nil, fmt.Errorf("writing state of %s for %s: %w", e.defs[i].ID, k, err)
				}
				b, err := json.Marshal(keySnapshot{st.Last, state})
				if err != nil {
					return nil, fmt.Errorf("writing state of %s for %s: %w", e.defs[i].ID, k, err)
				}
				if s.Keys[e.defs[i].ID] == nil {
					s.Keys[e.defs[i].ID] = make(map[string]json.RawMessage)
				}
				s.Keys[e.defs[i].ID][k] = b
			}
		}
	}
	return json.Marshal(s)
}

// UnmarshalJSON restores what MarshalJSON gave into a new engine. States of
// detections that this engine does not run are left out, and counted.
func (e *Engine) UnmarshalJSON(b []byte) error {
	var s engineState
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading engine snapshot: %w", err)
	}
	for i := range e.parts {
		e.parts[i].swept = s.Swept[i]
	}
	for id, keys := range s.Keys {
		i := slices.IndexFunc(e.defs, func(d *Definition) bool { return d.ID == id })
		if i < 0 {
			e.counters.Of("detect", "states in the snapshot of detections not run").Add(len(keys))
			continue
		}
		for k, raw := range keys {
			var ks keySnapshot
			if err := json.Unmarshal(raw, &ks); err != nil {
				return fmt.Errorf("reading state of %s for %s: %w", id, k, err)
			}
			st := &keyState{Last: ks.Last, Detector: e.defs[i].New(e.tuning[i])}
			if err := json.Unmarshal(ks.State, st.Detector); err != nil {
				return fmt.Errorf("reading state of %s for %s: %w", id, k, err)
			}
			p := &e.parts[partOf(id, k)]
			p.keys[i][k] = st
			p.size += st.Detector.Size()
		}
	}
	return nil
}
