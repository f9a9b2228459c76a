// Package ingest defines the records of the ingest log and puts their
// activities into the order in which everything downstream sees them.
//
// Findings are a pure function of this log: what is not a record cannot
// influence them.
package ingest

import (
	"bytes"
	"container/heap"
	"encoding/json"
	"fmt"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/directory"
	"github.com/verderer/verderer/counter"
)

// Record is one entry of the log. Ingest is always set, and of the rest exactly
// one field; Sensor is, for what a sensor states or what is stated of one.
type Record struct {
	Sensor string        `json:"sensor"`
	Ingest activity.Time `json:"ingest"` // when the center stored it; offline the packet time reached so far

	Activity  *activity.Activity  `json:"activity,omitempty"`
	Progress  activity.Time       `json:"progress,omitempty"`  // every activity of this sensor up to and including this time has been sent
	Attach    activity.Time       `json:"attach,omitempty"`    // the sensor takes part in the watermark from its time on
	Detach    bool                `json:"detach,omitempty"`    // the sensor no longer holds the watermark back
	Directory *directory.Snapshot `json:"directory,omitempty"` // replaces what was known of the directory
	Act       *Act                `json:"act,omitempty"`       // what a person did to an alert
	Settings  *Settings           `json:"settings,omitempty"`  // replaces the settings that findings depend on
}

// Act is what a person did to an alert. It is a record of the log because a
// finding after closing opens a new alert. The Record's Sensor is "".
type Act struct {
	Alert   string     `json:"alert"` // its id
	Do      ActionKind `json:"do"`
	By      string     `json:"by"`                // the person's user name
	Comment string     `json:"comment,omitempty"` // at most MaxComment bytes
}

// ActionKind is what can be done to an alert.
type ActionKind string

const (
	Close  ActionKind = "close"  // handled: a repeat opens a new alert, linked to this one
	Reopen ActionKind = "reopen" // closed by mistake
	Note   ActionKind = "note"   // a comment and nothing else
)

// MaxComment caps a comment, in bytes.
const MaxComment = 4096

// Settings are the ones that findings depend on. The Record's Sensor is "".
type Settings struct {
	Level      string   `json:"level"`                // detect.Level
	Exclusions []string `json:"exclusions,omitempty"` // see alert.ParseExclusion
}

const (
	// MaxAhead is how far an activity or a sensor's clock may be ahead of
	// ingest time before it is quarantined: the skew Kerberos itself tolerates.
	MaxAhead = 5 * time.Minute
	// maxHeld caps the activities held back for a slow sensor. At 10,000
	// activities a second, far above what DESIGN sizes for, it is the 10 s after
	// which a silent sensor is detached anyway.
	maxHeld = 100_000
)

// Item is an activity in its place.
type Item struct {
	Activity *activity.Activity
	Late     bool // arrived after the watermark had passed its time
}

// Order holds activities back until the watermark, the minimum over attached
// sensors of the time each has finished, and releases them sorted by (time,
// id). Late ones are released at once, marked. The same activity twice is
// released once, unless the second comes late. It belongs to one goroutine.
type Order struct {
	watermark activity.Time
	sensors   map[string]activity.Time
	held      itemHeap
	last      activity.ID // the one released last, to drop the same fact twice
	counters  *counter.Set
}

// NewOrder makes an Order with no sensor attached.
func NewOrder(counters *counter.Set) *Order {
	return &Order{sensors: make(map[string]activity.Time), counters: counters}
}

// Watermark is the time up to which everything in order has been released.
func (o *Order) Watermark() activity.Time { return o.watermark }

// Add takes the next record of the log and appends to out what it releases.
func (o *Order) Add(r *Record, out []Item) []Item {
	switch {
	case r.Activity != nil:
		return o.activity(r, out)
	case r.Attach != 0:
		from := r.Attach
		if from > r.Ingest.Add(MaxAhead) {
			// Left alone it would carry the watermark ahead of everybody, once
			// the other sensors are gone.
			o.count("attach times cut: clock ahead of ingest time", 1)
			from = r.Ingest
		}
		o.sensors[r.Sensor] = from
	case r.Detach:
		delete(o.sensors, r.Sensor)
		return o.advance(out)
	case r.Progress != 0:
		old, attached := o.sensors[r.Sensor]
		switch {
		case !attached:
			o.count("progress of a sensor not attached", 1)
		case r.Progress > r.Ingest.Add(MaxAhead):
			o.count("progress quarantined: clock ahead of ingest time", 1)
		case r.Progress > old:
			o.sensors[r.Sensor] = r.Progress
			return o.advance(out)
		}
	}
	return out
}

func (o *Order) activity(r *Record, out []Item) []Item {
	a := r.Activity
	switch {
	case !a.HasDetail():
		o.count("activities refused: without the detail of their kind", 1)
	case a.Time > r.Ingest.Add(MaxAhead):
		o.count("activities quarantined: clock ahead of ingest time", 1)
	case a.Time <= o.watermark:
		o.count("activities late", 1)
		out = append(out, Item{a, true})
	default:
		heap.Push(&o.held, a)
		if len(o.held) > maxHeld {
			o.count("activities released early: too many held back", 1)
			o.watermark = max(o.watermark, o.held[0].Time)
			out = o.release(out)
		}
	}
	return out
}

func (o *Order) advance(out []Item) []Item {
	if len(o.sensors) == 0 {
		return out
	}
	low := activity.Time(1<<63 - 1)
	for _, t := range o.sensors {
		low = min(low, t)
	}
	if low <= o.watermark {
		return out
	}
	o.watermark = low
	return o.release(out)
}

// Drain releases everything that is held: the end of a log that will not grow.
func (o *Order) Drain(out []Item) []Item {
	for _, a := range o.held {
		o.watermark = max(o.watermark, a.Time)
	}
	return o.release(out)
}

func (o *Order) release(out []Item) []Item {
	for len(o.held) > 0 && o.held[0].Time <= o.watermark {
		a := heap.Pop(&o.held).(*activity.Activity)
		if a.ID == o.last {
			o.count("activities seen twice", 1)
			continue
		}
		o.last = a.ID
		out = append(out, Item{a, false})
	}
	return out
}

func (o *Order) count(name string, n int) { o.counters.Of("ingest", name).Add(n) }

type itemHeap []*activity.Activity

func compare(a, b *activity.Activity) int {
	if a.Time != b.Time {
		if a.Time < b.Time {
			return -1
		}
		return 1
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

func (h itemHeap) Len() int           { return len(h) }
func (h itemHeap) Less(i, j int) bool { return compare(h[i], h[j]) < 0 }
func (h itemHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *itemHeap) Push(x any)        { *h = append(*h, x.(*activity.Activity)) }
func (h *itemHeap) Pop() any {
	old := *h
	n := len(old) - 1
	x := old[n]
	old[n] = nil
	*h = old[:n]
	return x
}

type orderState struct {
	Watermark activity.Time            `json:"watermark"`
	Sensors   map[string]activity.Time `json:"sensors"`
	Held      []*activity.Activity     `json:"held"`
	Tags      []uint16                 `json:"tags"` // LDAPBind.PasswordTag, which JSON leaves out
	Last      activity.ID              `json:"last"`
}

// MarshalJSON gives the state as of the last record added.
func (o *Order) MarshalJSON() ([]byte, error) {
	// In the heap's own order: of two that compare equal, the same is released
	// before and after a restart.
	tags := make([]uint16, len(o.held))
	for i, a := range o.held {
		if a.LDAPBind != nil {
			tags[i] = a.LDAPBind.PasswordTag
		}
	}
	return json.Marshal(orderState{o.watermark, o.sensors, o.held, tags, o.last})
}

// UnmarshalJSON restores what MarshalJSON gave.
func (o *Order) UnmarshalJSON(b []byte) error {
	var s orderState
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading order snapshot: %w", err)
	}
	if len(s.Tags) != len(s.Held) {
		return fmt.Errorf("reading order snapshot: %d tags for %d activities", len(s.Tags), len(s.Held))
	}
	o.watermark, o.sensors, o.last = s.Watermark, s.Sensors, s.Last
	if o.sensors == nil {
		o.sensors = make(map[string]activity.Time)
	}
	o.held = s.Held
	for i, a := range o.held {
		if a == nil || !a.HasDetail() {
			return fmt.Errorf("reading order snapshot: activity %d of %d is empty or lacks the detail of its kind", i+1, len(s.Held))
		}
		if a.LDAPBind != nil {
			a.LDAPBind.PasswordTag = s.Tags[i]
		}
	}
	heap.Init(&o.held)
	return nil
}
