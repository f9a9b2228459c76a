// Package analyze runs captures and event logs through the whole product in one
// process: files in, alerts out, every stage explained. It is the one library
// package that sees both the sensor's and the center's half.
package analyze

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/all"
	"github.com/verderer/verderer/center/directory"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor"
	"github.com/verderer/verderer/sensor/capture"
	decoders "github.com/verderer/verderer/sensor/decode/all"
)

// Options say what to analyze and how. The zero value of a field is the default.
type Options struct {
	Inputs     []string     // files and folders; "-" is Stdin
	Stdin      io.Reader    //
	Directory  string       // snapshot file; "" none
	Exclusions []string     // see alert.ParseExclusion
	Detections []string     // ids to run; nil all
	Since      time.Time    // activities before it are left out
	Until      time.Time    // activities from it on are left out
	Level      detect.Level // "" is low
	Shards     int          // goroutines for detection; 0 one

	// Definitions are the detections there are; nil: those of detect/all.
	Definitions []*detect.Definition

	OnActivity func(*activity.Activity) error // gets each activity within Since and Until, nil: nobody
	OnProgress func(read, total int64)        // bytes of the input files, now and then; nil: nobody
}

// Result is what came out.
type Result struct {
	Alerts     []*alert.Alert
	Damage     []*capture.Damage  // what could not be read, by input
	Skipped    []*capture.Unknown // files found in folders that are no captures or event logs
	Packets    int64
	Events     int64 // records of event logs
	Activities int64
	From, To   activity.Time // of the first and last packet or event
	Explained  Explanation
}

// UsageError is an error of the caller's, not of the input's: exit code 2.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// sensorName is the one sensor of an offline log.
const sensorName = "file"

// Run analyzes. Damaged input is reported in the Result; an error is returned
// for wrong options (*UsageError), when ctx ends or when OnActivity fails.
func Run(ctx context.Context, o Options) (*Result, error) {
	cfg, err := o.config()
	if err != nil {
		return nil, &UsageError{err}
	}
	core := center.New(cfg)
	if o.Directory != "" {
		snap, err := readDirectory(o.Directory)
		if err != nil {
			return nil, &UsageError{err}
		}
		core.Apply(&ingest.Record{Sensor: sensorName, Directory: snap})
	}
	var counters counter.Set
	res, err := read(ctx, o, &counters, core.Apply)
	if err != nil {
		return nil, err
	}
	core.Drain()
	counters.Merge(&core.Counters)
	res.Alerts = core.Alerts()
	res.Explained = explain(core, cfg, &counters)
	return res, nil
}

// Log runs the sensor's half alone: apply gets the records of the ingest log
// that Run would work through, the directory snapshot aside. The Result has no
// alerts.
func Log(ctx context.Context, o Options, apply func(*ingest.Record)) (*Result, error) {
	return read(ctx, o, new(counter.Set), apply)
}

// read runs the sensor's half and hands the records of the log to apply.
func read(ctx context.Context, o Options, counters *counter.Set, apply func(*ingest.Record)) (*Result, error) {
	res := new(Result)
	since, until := bounds(o)
	r := sensor.Replay{Decoders: decoders.Set, Counters: counters, Inputs: o.Inputs, Stdin: o.Stdin, OnProgress: o.OnProgress}
	attached := false
	var failed error
	err := r.Run(ctx, func(e wire.Entry) error {
		if !attached {
			attached = true
			apply(&ingest.Record{Sensor: sensorName, Ingest: r.Began, Attach: r.Began - sensor.Disorder})
		}
		a := e.Activity
		if a == nil {
			apply(&ingest.Record{Sensor: sensorName, Ingest: max(r.Clock, e.Progress), Progress: e.Progress})
			return nil
		}
		if a.Time < since || a.Time >= until {
			return nil
		}
		res.Activities++
		if o.OnActivity != nil {
			failed = o.OnActivity(a)
		}
		apply(&ingest.Record{Sensor: sensorName, Ingest: max(r.Clock, a.Time), Activity: a})
		return failed
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, fmt.Errorf("analyzing: %w", err)
	}
	res.Packets, res.Events, res.From, res.To = r.Packets, r.Events, r.From, r.Clock
	res.Damage, res.Skipped = r.Damage, r.Skipped
	return res, nil
}

func bounds(o Options) (since, until activity.Time) {
	since, until = -1<<63, 1<<63-1
	if !o.Since.IsZero() {
		since = activity.Time(o.Since.UnixNano())
	}
	if !o.Until.IsZero() {
		until = activity.Time(o.Until.UnixNano())
	}
	return since, until
}

func (o *Options) config() (center.Config, error) {
	defs := o.Definitions
	if defs == nil {
		defs = all.Definitions
	}
	var ids []string
	for _, d := range defs {
		ids = append(ids, d.ID)
	}
	cfg := center.Config{Level: o.Level, Shards: o.Shards}
	if cfg.Level == "" {
		cfg.Level = detect.LevelLow
	}
	if len(o.Inputs) == 0 {
		return cfg, errors.New("no input: name captures, event logs or folders, or - for standard input")
	}
	for _, s := range o.Exclusions {
		x, err := alert.ParseExclusion(s, ids)
		if err != nil {
			return cfg, err
		}
		cfg.Exclusions = append(cfg.Exclusions, x)
	}
	for _, id := range o.Detections {
		if !slices.Contains(ids, id) {
			return cfg, fmt.Errorf("choosing detections: no detection %q; there are: %s", id, strings.Join(ids, ", "))
		}
	}
	for _, d := range defs {
		if o.Detections == nil || slices.Contains(o.Detections, d.ID) {
			cfg.Definitions = append(cfg.Definitions, d)
		}
	}
	return cfg, nil
}

func readDirectory(path string) (*directory.Snapshot, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening directory snapshot: %w", err)
	}
	defer f.Close()
	snap, err := directory.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return snap, nil
}
