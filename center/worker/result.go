// Package worker follows the ingest log, runs the core over it, and hands on
// what came out: alerts that changed, with the activities they rest on.
package worker

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/ingest"
)

// Result is what one entry of the log led to. It may be handed on twice, after
// a crash: the entry's position tells.
//
// One without activities, alerts and acts comes before a snapshot is written:
// the log will not bring again what came before, so it must last from then on.
type Result struct {
	Position   uint64               // of the entry in the log
	Ingest     activity.Time        // of the entry
	Activities []*activity.Activity // those the entry brought, repeats left out
	Alerts     []*alert.Alert       // those that changed, as they are now
	Acts       []ingest.Act         // what people did that took effect; on alerts not remembered, that they asked for
}
