// Package sensor joins the stages of a sensor: packets and records of event logs
// in, activities out.
package sensor

import (
	"fmt"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Pipeline takes packets and events in the order of capture and emits the activities they
// complete. It belongs to one goroutine.
type Pipeline struct {
	stage *decode.Stage
	table *flow.Table
}

// New makes a pipeline with the given decoders. emit gets each activity,
// sealed; siteKey keys the password tags, see decode.NewStage.
func New(set decode.Set, siteKey []byte, counters *counter.Set, emit func(*activity.Activity)) (*Pipeline, error) {
	stage, err := decode.NewStage(set, siteKey, counters, emit)
	if err != nil {
		return nil, fmt.Errorf("setting up decoders: %w", err)
	}
	return &Pipeline{stage, flow.New(flow.Config{}, stage, counters)}, nil
}

// TagKeys sets the keys of password tags by day; see decode.Stage.TagKeys.
func (p *Pipeline) TagKeys(of func(day string) []byte) { p.stage.TagKeys(of) }

// Packet takes the next packet, event or tick.
func (p *Pipeline) Packet(c *capture.Chunk) {
	p.stage.At(c)
	switch {
	case c.Event != nil:
		p.stage.Event(c.Time, c.Event)
	case c.Tick:
		p.table.Tick(c.Time)
	default:
		p.table.Packet(c)
	}
}

// Flush closes all conversations: the input has ended.
func (p *Pipeline) Flush(now activity.Time) { p.table.Flush(now) }
