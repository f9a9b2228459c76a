package detect

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"runtime/debug"
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
	// in all. Beyond it the quarter idle for longest is forgotten, and counted:
	// a quarter at once, so that a flood of new keys costs each of them little.
	maxKeys = 1000
	// maxSize caps the acts that one partition remembers over all keys and
	// detections: a million in all, at about 400 bytes each. Beyond it keys are
	// forgotten as above until an eighth is free.
	maxSize = 16_384
	// sweepEvery is how often, in event time, keys past their Retain are dropped.
	sweepEvery = activity.Time(10 * 60 * 1e9)
)

// Engine runs detections. Process must be called from one goroutine.
type Engine struct {
	// OnPanic is told of a detection that panics over an activity: it forgets
	// the key, leaves that activity out, and goes on. It is called on the
	// goroutine of Process. nil: panics pass.
	OnPanic func(where string, value any, stack []byte)

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
	now      activity.Time          // the latest time seen
	swept    activity.Time
	size     int
	work     []work
	findings []Finding
	late     int
	evicted  int
	cut      int
	panics   []panicked
}

type panicked struct {
	where string
	value any
	stack []byte
}

type keyState struct {
	Last     activity.Time `json:"last"` // its latest activity
	Used     activity.Time `json:"used"` // the partition's time when it was used; later than Last when only late ones came
	Detector Detector      `json:"state"`
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
			if key := e.key(i, r); key != "" {
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
		e.count("keys whose oldest acts were forgotten: more than fit", &p.cut)
		p.findings = p.findings[:0]
		for _, x := range p.panics {
			e.OnPanic(x.where, x.value, x.stack)
		}
		p.panics = nil
	}
	// Those of one key come from one partition, in the order they were made,
	// and stay in it.
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Detection, b.Detection), cmp.Compare(a.Key, b.Key))
	})
	e.counters.Of("detect", "findings").Add(len(all))
	return all
}

func (e *Engine) key(def int, r *resolve.Resolved) string {
	if e.OnPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				e.OnPanic(fmt.Sprintf("finding the key of activity %s for %s", r.ID, e.defs[def].ID), v, debug.Stack())
			}
		}()
	}
	return e.defs[def].Key(r)
}

// recovered is to be deferred.
func (e *Engine) recovered(p *partition, w work) {
	if e.OnPanic == nil {
		return
	}
	v := recover()
	if v == nil {
		return
	}
	p.panics = append(p.panics, panicked{fmt.Sprintf("running %s over activity %s", e.defs[w.def].ID, w.r.ID), v, debug.Stack()})
	// The state may be half changed.
	delete(p.keys[w.def], w.key)
	p.size = 0
	for _, keys := range p.keys {
		for _, s := range keys {
			p.size += s.Detector.Size()
		}
	}
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
		if p.now = max(p.now, w.r.Time); p.now >= p.swept+sweepEvery {
			p.sweep(e.defs)
		}
		e.one(p, w)
	}
	clear(p.work)
	p.work = p.work[:0]
}

func (e *Engine) one(p *partition, w work) {
	defer e.recovered(p, w)
	d := e.defs[w.def]
	keys := p.keys[w.def]
	s := keys[w.key]
	// State past its time is gone whether or not a sweep has taken it: a result
	// must not depend on when sweeps run.
	if s != nil && (p.expired(s, d) || w.r.Time-s.Last > activity.Time(d.Retain)) {
		p.drop(keys, w.key)
		s = nil
	}
	switch {
	case s == nil:
		s = &keyState{Last: w.r.Time, Detector: d.New(e.tuning[w.def])}
		keys[w.key] = s
	case w.r.Time < s.Last-activity.Time(d.Retain):
		p.late++
		return
	}
	s.Last, s.Used = max(s.Last, w.r.Time), p.now
	if len(keys) > maxKeys {
		p.makeRoom(e.defs, w.def, s)
	}
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
	after := s.Detector.Size()
	if before >= maxActs && after < before {
		p.cut++
	}
	if p.size += after - before; p.size > maxSize {
		p.shrink(e.defs, s)
	}
}

// findingID is the first 16 bytes of a SHA-256 in hex.
func findingID(id, key string, a activity.ID, n int) string {
	h := sha256.New()
	fmt.Fprintf(h, "verderer/finding/1\x00%s\x00%s\x00%s\x00%d", id, key, a, n)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// expired tells that nothing has used the state for as long as it is kept. A
// spool drained after a long outage is older than that, and its state yet in
// use: so the partition's time counts, not the activity's.
func (p *partition) expired(s *keyState, d *Definition) bool {
	return p.now-s.Used > activity.Time(d.Retain)
}

func (p *partition) drop(keys map[string]*keyState, key string) {
	p.size -= keys[key].Detector.Size()
	delete(keys, key)
}

// sweep drops the keys past their time.
func (p *partition) sweep(defs []*Definition) {
	p.swept = p.now
	for i, keys := range p.keys {
		for k, s := range keys {
			if p.expired(s, defs[i]) {
				p.drop(keys, k)
			}
		}
	}
}

// makeRoom forgets the idlest quarter of a detection's keys, but not keep.
func (p *partition) makeRoom(defs []*Definition, def int, keep *keyState) {
	p.sweep(defs)
	if len(p.keys[def]) <= maxKeys {
		return
	}
	for _, x := range p.idlest(keep, def, def+1)[:maxKeys/4] {
		p.drop(p.keys[def], x.key)
		p.evicted++
	}
}

// shrink forgets the idlest keys of all detections, but not keep, until the
// acts they remember are well below the cap.
func (p *partition) shrink(defs []*Definition, keep *keyState) {
	p.sweep(defs)
	if p.size <= maxSize {
		return
	}
	for _, x := range p.idlest(keep, 0, len(p.keys)) {
		if p.size <= maxSize*7/8 {
			return
		}
		if x.Detector.Size() > 0 {
			p.drop(p.keys[x.def], x.key)
			p.evicted++
		}
	}
}

type idle struct {
	*keyState
	def int
	key string
}

// idlest lists the keys of the detections from to to, without keep, that idle
// for longest first.
func (p *partition) idlest(keep *keyState, from, to int) []idle {
	var all []idle
	for i := from; i < to; i++ {
		for k, s := range p.keys[i] {
			if s != keep {
				all = append(all, idle{s, i, k})
			}
		}
	}
	slices.SortFunc(all, func(a, b idle) int {
		return cmp.Or(cmp.Compare(a.Used, b.Used), cmp.Compare(a.Last, b.Last), cmp.Compare(a.key, b.key), cmp.Compare(a.def, b.def))
	})
	return all
}

// engineState is a snapshot: detection id → key → state. It does not mention
// shards, so that it can be restored into any number of them.
type engineState[T any] struct {
	Now   [Partitions]activity.Time `json:"now"`
	Swept [Partitions]activity.Time `json:"swept"`
	Keys  map[string]map[string]T   `json:"keys"`
}

// MarshalJSON gives the state as of the last batch.
func (e *Engine) MarshalJSON() ([]byte, error) {
	s := engineState[*keyState]{Keys: make(map[string]map[string]*keyState)}
	for i, d := range e.defs {
		all := make(map[string]*keyState)
		for pi := range e.parts {
			maps.Copy(all, e.parts[pi].keys[i])
		}
		s.Keys[d.ID] = all
	}
	for pi := range e.parts {
		s.Now[pi], s.Swept[pi] = e.parts[pi].now, e.parts[pi].swept
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("writing engine snapshot: %w", err)
	}
	return b, nil
}

// UnmarshalJSON restores what MarshalJSON gave into a new engine. States of
// detections that this engine does not run are left out, and counted.
func (e *Engine) UnmarshalJSON(b []byte) error {
	var s engineState[struct {
		Last  activity.Time   `json:"last"`
		Used  activity.Time   `json:"used"`
		State json.RawMessage `json:"state"`
	}]
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading engine snapshot: %w", err)
	}
	if s.Keys == nil {
		return errors.New("reading engine snapshot: it holds no keys")
	}
	for i := range e.parts {
		e.parts[i].now, e.parts[i].swept = s.Now[i], s.Swept[i]
	}
	for id, keys := range s.Keys {
		i := slices.IndexFunc(e.defs, func(d *Definition) bool { return d.ID == id })
		if i < 0 {
			e.counters.Of("detect", "states in the snapshot of detections not run").Add(len(keys))
			continue
		}
		for k, ks := range keys {
			st := &keyState{ks.Last, ks.Used, e.defs[i].New(e.tuning[i])}
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
