package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/notify/cef"
	"github.com/verderer/verderer/version"
)

type analyzeCommand struct {
	Files      []string `arg:"" name:"file" help:"Captures (pcap, pcapng) and Windows event logs (EVTX, JSON), also gzip or zstd, and folders of them; - is standard input. Several merge by time."`
	Format     string   `enum:",table,jsonl,cef" default:"" placeholder:"table|jsonl|cef" help:"Output format (default: table on a terminal, else jsonl)."`
	Activities bool     `help:"Print every activity as a JSON line instead of alerts."`
	Explain    bool     `help:"Tell on standard error what each stage saw and dropped, and what each detection lacked."`
	Directory  string   `placeholder:"FILE" help:"Directory snapshot to resolve with."`
	Exclude    []string `sep:"none" placeholder:"[DETECTION:]WHAT" help:"Leave out alerts about an address, subnet, computer or account. Repeatable."`
	Detections []string `placeholder:"ID" help:"Run only these detections."`
	Since      string   `placeholder:"TIME" help:"Leave out what happened before (RFC 3339, or 2006-01-02)."`
	Until      string   `placeholder:"TIME" help:"Leave out what happened from then on."`
}

func (c *analyzeCommand) Run(ctx context.Context, code *int) error {
	since, err := parseTime(c.Since)
	if err != nil {
		return &analyze.UsageError{Err: fmt.Errorf("reading --since: %w", err)}
	}
	until, err := parseTime(c.Until)
	if err != nil {
		return &analyze.UsageError{Err: fmt.Errorf("reading --until: %w", err)}
	}
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	opts := analyze.Options{
		Inputs:     c.Files,
		Stdin:      os.Stdin,
		Directory:  c.Directory,
		Exclusions: c.Exclude,
		Detections: c.Detections,
		Since:      since,
		Until:      until,
	}
	if c.Activities {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		opts.OnActivity = func(a *activity.Activity) error { return enc.Encode(a) }
	}
	progress, done := progressBar()
	opts.OnProgress = progress
	res, err := analyze.Run(ctx, opts)
	done()
	if err == nil && !c.Activities {
		err = c.print(out, res)
	}
	if flushed := out.Flush(); err == nil && flushed != nil {
		err = fmt.Errorf("writing output: %w", flushed)
	}
	if err != nil {
		return err
	}
	if n := len(res.Skipped); n > 0 && !c.Explain {
		fmt.Fprintf(os.Stderr, "verderer: skipped %d %s in which no capture or event log was recognised; --explain lists them\n", n, plural(n, "file"))
	}
	for _, d := range res.Damage {
		*code = exitDamaged
		fmt.Fprintf(os.Stderr, "verderer: %s\n", printable(d.Error()))
	}
	if c.Explain {
		printExplanation(os.Stderr, res)
	}
	return nil
}

func (c *analyzeCommand) print(w io.Writer, res *analyze.Result) error {
	switch c.format() {
	case "table":
		return printTable(w, res, terminalWidth(os.Stdout))
	case "cef":
		for _, a := range res.Alerts {
			if _, err := w.Write(append(cef.Append(nil, a, version.String(), cef.New), '\n')); err != nil {
				return fmt.Errorf("writing alerts: %w", err)
			}
		}
		return nil
	}
	return printLines(w, res.Alerts)
}

func printLines(w io.Writer, alerts []*alert.Alert) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, a := range alerts {
		if err := enc.Encode(a); err != nil {
			return fmt.Errorf("writing alerts: %w", err)
		}
	}
	return nil
}

func (c *analyzeCommand) format() string {
	switch {
	case c.Format != "":
		return c.Format
	case term.IsTerminal(int(os.Stdout.Fd())):
		return "table"
	}
	return "jsonl"
}

// parseTime reads RFC 3339 or a date, which is taken as UTC midnight.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("want 2006-01-02T15:04:05Z or 2006-01-02, got " + s)
}

// progressBar shows how far reading has come, when standard error is a
// terminal and there is a total to compare with.
func progressBar() (update func(read, total int64), done func()) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil, func() {}
	}
	var p *mpb.Progress
	var bar *mpb.Bar
	update = func(read, total int64) {
		if total == 0 {
			return
		}
		if bar == nil {
			p = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(40))
			bar = p.AddBar(total, mpb.BarRemoveOnComplete(),
				mpb.PrependDecorators(decor.Name("reading ")),
				mpb.AppendDecorators(decor.Percentage(), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
		}
		bar.SetCurrent(read)
	}
	return update, func() {
		if bar != nil {
			bar.Abort(true)
			p.Wait()
		}
	}
}
