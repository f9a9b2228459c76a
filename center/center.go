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
}

// Core applies records. It belongs to one goroutine.
type Core struct {
	Counters counter.Set

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
	c := &Core{seen: make(map[activity.Kind]int64)}
	c.order = ingest.NewOrder(&c.Counters)
	c.resolver = resolve.New(&c.Counters)
	c.engine = detect.NewEngine(cfg.Definitions, cfg.Level, cfg.Shards, &c.Counters)
	c.fold = alert.NewFold(cfg.Definitions, cfg.Exclusions)
	return c
}

// Apply takes the next record of the log.
func (c *Core) Apply(r *ingest.Record) {
	if r.Directory != nil {
		c.resolver.SetDirectory(r.Directory)
		return
	}
	c.items = c.order.Add(r, c.items[:0])
	c.run()
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
		c.batch = append(c.batch, c.resolver.Resolve(it))
	}
	for _, f := range c.engine.Process(c.batch) {
		c.fold.Add(&f)
	}
	clear(c.items)
	clear(c.batch)
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
	Order    json.RawMessage         `json:"order"`
	Resolve  json.RawMessage         `json:"resolve"`
	Detect   json.RawMessage         `json:"detect"`
	Alerts   json.RawMessage         `json:"alerts"`
	Activity map[activity.Kind]int64 `json:"activity"`
}

// Snapshot gives the state as of the last record applied. The caller keeps the
// log position with it.
func (c *Core) Snapshot() ([]byte, error) {
	s := snapshot{Version: snapshotVersion, Activity: c.seen}
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
// the same configuration but for Shards. After an error the core is unusable.
func (c *Core) Restore(b []byte) error {
	var s snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading snapshot: %w", err)
	}
	if s.Version != snapshotVersion {
		return fmt.Errorf("reading snapshot: version %q, want %q", s.Version, snapshotVersion)
	}
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
