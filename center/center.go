// Package center is the core that turns the ingest log into alerts: order,
// resolve, detect, fold. It has no clock, no I/O and no goroutines but the
// engine's shards: the same records give the same alerts, whether they come
// from files in a second or from sensors over a day.
package center

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/counter"
)

// Config of a Core.
type Config struct {
	Definitions []*detect.Definition
	Level       detect.Level
	Shards      int // goroutines that run detections; findings do not depend on it
	Exclusions  []*alert.Exclusion

	// OnPanic is told of a panic over one activity, finding or alert, which is
	// then left out, and everything else goes on: a record that some rule cannot
	// bear must not stop a center for ever, which would meet it again in every
	// replay. It is called on the goroutine of Apply or Changed. nil: panics pass,
	// as they should wherever somebody sits in front of it.
	OnPanic func(where string, value any, stack []byte)
}

// Core applies records. It belongs to one goroutine.
type Core struct {
	Counters counter.Set

	cfg      Config
	settings *ingest.Settings // the last record of them
	acts     []ingest.Act     // that took effect or are on unknown alerts, since Changed was last asked
	order    *ingest.Order
	resolver *resolve.Resolver
	engine   *detect.Engine
	fold     *alert.Fold
	seen     map[activity.Kind]int64
	items    []ingest.Item
	batch    []*resolve.Resolved
}

// New makes an empty core.
func New(cfg Config) *Core {
	c := &Core{cfg: cfg, seen: make(map[activity.Kind]int64)}
	c.order = ingest.NewOrder(&c.Counters)
	c.resolver = resolve.New(&c.Counters)
	c.engine = c.newEngine()
	c.fold = alert.NewFold(cfg.Definitions, cfg.Exclusions)
	c.fold.OnPanic = cfg.OnPanic
	return c
}

func (c *Core) newEngine() *detect.Engine {
	e := detect.NewEngine(c.cfg.Definitions, c.cfg.Level, c.cfg.Shards, &c.Counters)
	e.OnPanic = c.cfg.OnPanic
	return e
}

// Apply takes the next record of the log.
func (c *Core) Apply(r *ingest.Record) {
	switch {
	case r.Directory != nil:
		c.resolver.SetDirectory(r.Directory)
	case r.Act != nil:
		c.act(r.Act)
	case r.Settings != nil:
		c.configure(r.Settings)
	default:
		c.items = c.order.Add(r, c.items[:0])
		c.run()
	}
}

func (c *Core) act(a *ingest.Act) {
	if !c.fold.Knows(a.Alert) {
		// Nothing here follows from it. The store may have the alert.
		c.Counters.Of("alert", "acts on alerts that the detections do not remember").Add(1)
		c.acts = append(c.acts, *a)
		return
	}
	var done bool
	switch a.Do {
	case ingest.Close:
		done = c.fold.Close(a.Alert)
	case ingest.Reopen:
		done = c.fold.Reopen(a.Alert)
	case ingest.Note:
		done = c.fold.Note(a.Alert)
	}
	if !done {
		c.Counters.Of("alert", "acts without effect: the alert was so already").Add(1)
		return
	}
	c.acts = append(c.acts, *a)
}

// configure goes on under other settings, with the state as it is.
func (c *Core) configure(s *ingest.Settings) {
	c.settings = s
	switch level := detect.Level(s.Level); level {
	case c.cfg.Level:
	case detect.LevelHigh, detect.LevelMedium, detect.LevelLow:
		c.cfg.Level = level
		c.retune()
	default:
		c.Counters.Of("settings", "level refused: unknown").Add(1)
	}
	var ids []string
	for _, d := range c.cfg.Definitions {
		ids = append(ids, d.ID)
	}
	var exclusions []*alert.Exclusion
	for _, text := range s.Exclusions {
		x, err := alert.ParseExclusion(text, ids)
		if err != nil {
			// Of a detection that has been removed since it was recorded.
			c.Counters.Of("settings", "exclusions not understood").Add(1)
			continue
		}
		exclusions = append(exclusions, x)
	}
	c.cfg.Exclusions = exclusions
	c.fold.SetExclusions(exclusions)
}

// retune gives the detections the numbers of the level. Their state does not
// hold those, and goes over as through a snapshot.
func (c *Core) retune() {
	b, err := c.engine.MarshalJSON()
	if c.engine = c.newEngine(); err == nil {
		err = c.engine.UnmarshalJSON(b)
	}
	if err != nil { // a detection breaks its contract
		c.Counters.Of("settings", "states of detections lost: level changed").Add(1)
		c.engine = c.newEngine()
	}
}

// Settings are those of the last record of them, nil when there was none.
func (c *Core) Settings() *ingest.Settings { return c.settings }

// Changed returns the alerts that changed since it was last asked, as they are
// now, and the acts that took effect; with them those on alerts that are not
// remembered here, of which the store decides. It costs what changed, not what there is.
func (c *Core) Changed() ([]*alert.Alert, []ingest.Act) {
	acts := c.acts
	c.acts = nil
	return c.fold.Changed(), acts
}

// Drain processes what is held back for slow sensors: the log will not grow.
func (c *Core) Drain() {
	c.items = c.order.Drain(c.items[:0])
	c.run()
}

func (c *Core) run() {
	if len(c.items) == 0 {
		return
	}
	c.batch = c.batch[:0]
	for _, it := range c.items {
		c.seen[it.Activity.Kind]++
		if r := c.resolve(it); r != nil {
			c.batch = append(c.batch, r)
		}
	}
	for _, f := range c.engine.Process(c.batch) {
		c.add(&f)
	}
	clear(c.items)
	clear(c.batch)
}

func (c *Core) resolve(it ingest.Item) *resolve.Resolved {
	defer c.recovered("resolving activity", &it.Activity.ID)
	return c.resolver.Resolve(it)
}

func (c *Core) add(f *detect.Finding) {
	defer c.recovered("folding a finding of", f.Detection)
	c.fold.Add(f)
}

// recovered is to be deferred.
func (c *Core) recovered(doing string, to any) {
	if c.cfg.OnPanic == nil {
		return
	}
	if v := recover(); v != nil {
		c.cfg.OnPanic(fmt.Sprintf("%s %s", doing, to), v, debug.Stack())
	}
}

// Alerts returns the alerts so far.
func (c *Core) Alerts() []*alert.Alert { return c.fold.Alerts() }

// Seen counts the activities processed, by kind.
func (c *Core) Seen() map[activity.Kind]int64 { return c.seen }

// DomainControllers lists the addresses known as domain controllers, with the
// reason.
func (c *Core) DomainControllers() map[netip.Addr]string {
	return c.resolver.DomainControllers(c.order.Watermark())
}

// snapshotVersion names the layout of a snapshot. A core refuses others: the
// state is then rebuilt from the log.
const snapshotVersion = "verderer/snapshot/1"

type snapshot struct {
	Version  string                  `json:"version"`
	Settings *ingest.Settings        `json:"settings,omitempty"`
	Acts     []ingest.Act            `json:"acts,omitempty"` // that Changed has yet to return
	Order    json.RawMessage         `json:"order"`
	Resolve  json.RawMessage         `json:"resolve"`
	Detect   json.RawMessage         `json:"detect"`
	Alerts   json.RawMessage         `json:"alerts"`
	Activity map[activity.Kind]int64 `json:"activity"`
}

// Snapshot gives the state as of the last record applied. The caller keeps the
// log position with it.
func (c *Core) Snapshot() ([]byte, error) {
	s := snapshot{Version: snapshotVersion, Settings: c.settings, Acts: c.acts, Activity: c.seen}
	for _, p := range []struct {
		to   *json.RawMessage
		from json.Marshaler
	}{{&s.Order, c.order}, {&s.Resolve, c.resolver}, {&s.Detect, c.engine}, {&s.Alerts, c.fold}} {
		b, err := p.from.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("writing snapshot: %w", err)
		}
		*p.to = b
	}
	return json.Marshal(s)
}

// Restore puts a snapshot into a core that has applied nothing yet, made with
// the same configuration but for Shards; settings that were applied come with
// the snapshot. After an error the core is unusable.
func (c *Core) Restore(b []byte) error {
	var s snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading snapshot: %w", err)
	}
	if s.Version != snapshotVersion {
		return fmt.Errorf("reading snapshot: version %q, want %q", s.Version, snapshotVersion)
	}
	if s.Settings != nil {
		c.configure(s.Settings)
	}
	c.acts = s.Acts
	for _, p := range []struct {
		from json.RawMessage
		to   json.Unmarshaler
	}{{s.Order, c.order}, {s.Resolve, c.resolver}, {s.Detect, c.engine}, {s.Alerts, c.fold}} {
		if len(p.from) == 0 || string(p.from) == "null" {
			return errors.New("reading snapshot: a part is missing")
		}
		if err := p.to.UnmarshalJSON(p.from); err != nil {
			return fmt.Errorf("reading snapshot: %w", err)
		}
	}
	if s.Activity != nil {
		c.seen = s.Activity
	}
	return nil
}
