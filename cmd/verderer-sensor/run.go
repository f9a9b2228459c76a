package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/capture/live"
	decoders "github.com/verderer/verderer/sensor/decode/all"
	"github.com/verderer/verderer/sensor/ship"
	"github.com/verderer/verderer/version"
)

// lastSend is how long a sensor that is told to stop goes on sending. What it
// does not get through stays in the spool.
const lastSend = 5 * time.Second

type runCommand struct {
	Interface []string `env:"VERDERER_SENSOR_INTERFACE" placeholder:"NAME" help:"Network interface to capture on, as in eth0. Repeatable."`
	DC        []string `name:"dc" env:"VERDERER_SENSOR_DC" placeholder:"ADDRESS" help:"Address of a domain controller beyond a mirror port. Repeatable; without it this computer is the domain controller."`
	Tunnels   bool     `env:"VERDERER_SENSOR_TUNNELS" help:"The mirror comes in GRE, ERSPAN or VXLAN, sent to this computer."`

	Read       []string `sep:"none" placeholder:"PATH" help:"Send what captures and event logs hold, and folders of them, instead of capturing. Repeatable; - is standard input."`
	ShiftToNow bool     `help:"With --read: one file after another as they are listed, shifted in time so that the last packet is at the start of this run."`
	Speed      float64  `placeholder:"N" help:"With --read: seconds of packet time a second (default: as fast as possible)."`
	Again      bool     `help:"With --read: send files again that were sent before."`
	Stay       bool     `help:"With --read: stay connected when all is sent."`

	SpoolLimit int64 `default:"1024" env:"VERDERER_SENSOR_SPOOL_LIMIT" placeholder:"MIB" help:"How much the spool may hold for a center that cannot be reached (default: 1024 MiB)."`
}

// sensing is a run of the sensor.
type sensing struct {
	*runCommand
	log   *slog.Logger
	id    *ship.Identity
	spool *ship.Spool
	keys  tagKeys
	now   meter
}

func (r *runCommand) check() error {
	switch {
	case len(r.Interface) == 0 && len(r.Read) == 0:
		return errors.New("say what to capture, --interface eth0, or what to read, --read FILE")
	case len(r.Interface) > 0 && len(r.Read) > 0:
		return errors.New("a sensor captures or reads files, not both: run another one with its own --state")
	case len(r.Read) == 0 && (r.ShiftToNow || r.Speed != 0 || r.Stay || r.Again):
		return errors.New("--shift-to-now, --speed, --again and --stay go with --read")
	case len(r.Read) > 0 && r.Tunnels:
		return errors.New("--tunnels goes with --interface: what files hold is taken out of tunnels always")
	case r.Speed < 0:
		return errors.New("--speed must not be negative")
	case r.SpoolLimit < 1 || r.SpoolLimit > 1<<20:
		return errors.New("--spool-limit must be from 1 to 1048576 MiB")
	}
	return nil
}

// Run captures or reads, and sends, until it is done or told to stop.
func (r *runCommand) Run(ctx context.Context, c *commands) (err error) {
	if err := r.check(); err != nil {
		return usageError{err}
	}
	servers, err := addresses(r.DC)
	if err != nil {
		return usageError{err}
	}
	s := &sensing{runCommand: r, log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if s.id, err = c.identity(); err != nil {
		return err
	}
	if s.spool, err = ship.OpenSpool(ship.SpoolPath(c.State), r.SpoolLimit<<20, s.log); err != nil {
		return err
	}
	defer func() {
		if closed := s.spool.Close(); err == nil {
			err = closed
		}
	}()
	s.now.status = wire.Status{Started: wallTime(), Sources: r.sources()}
	sender := ship.Sender{Identity: s.id, Spool: s.spool, Log: s.log, Version: version.String(),
		Files: len(r.Read) > 0, Status: s.status, TagKeys: s.keys.set}

	// The sender goes on while the rest is told to stop, and ends last. Its
	// trouble with the spool's file ends the rest.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	broken := make(chan error, 1)
	go func() {
		err := sender.Run(sending)
		broken <- err
		if err != nil {
			stop()
		}
	}()
	s.log.Info("The sensor runs.", "version", version.String(), "sensor", s.id.ID, "name", s.id.Name, "sources", s.now.status.Sources, "unsent", s.spool.Status().Batches)
	if len(r.Read) > 0 {
		err = s.replay(ctx)
	} else {
		err = s.capture(ctx, servers)
	}
	if ctx.Err() != nil && len(broken) == 0 {
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSend)
		if s.spool.Drained(rest) != nil {
			s.log.Info("Stopped before everything was sent. It stays in the spool.", "unsent", s.spool.Status().Batches)
		}
		cancel()
	}
	stopSending()
	if failed := <-broken; failed != nil {
		return failed
	}
	return err
}

// capture states what interfaces show, until ctx ends.
func (s *sensing) capture(ctx context.Context, servers []netip.Addr) error {
	// Statements that come while the disk is full are dropped; when the sensor is
	// told to stop, what it has is written as long as that takes no time.
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	w := ship.NewWriter(writing, s.spool, false, s.log)
	// Until the center gives the keys of password tags, and it gave some on a day
	// before, they are keyed with chance: they count distinct passwords, no more.
	key := make([]byte, 32)
	rand.Read(key) // never fails
	err := sensor.Live(ctx, sensor.LiveConfig{
		Set:     decoders.Set,
		Capture: live.Config{Interfaces: s.Interface, Servers: servers, Tunnels: s.Tunnels, Log: s.log},
		TagKey:  s.keys.of,
		SiteKey: key,
		Report: func(r sensor.LiveReport) {
			s.now.set(func(st *wire.Status) {
				st.Clock, st.Packets, st.Dropped, st.Activities = r.Clock, r.Packets, r.Dropped, r.Activities
				st.Counters = append(r.Counters, shipped(w, s.spool)...)
				st.Sources = st.Sources[:0:0]
				for _, i := range r.Interfaces {
					text := "interface " + i.Interface
					if i.Problem != "" {
						text += ": " + i.Problem
					}
					st.Sources = append(st.Sources, text)
				}
			})
		},
	}, w.Emit)
	time.AfterFunc(lastSend, stopWriting)
	if closed := w.Close(); err == nil && !errors.Is(closed, context.Canceled) {
		err = closed
	}
	return err
}

// shipped are the counters of what was not sent.
func shipped(w *ship.Writer, spool *ship.Spool) (rows []counter.Row) {
	entries, unfit := w.Dropped()
	for _, r := range []counter.Row{
		{Stage: "ship", Name: "activities dropped: too large for a batch", Count: unfit},
		{Stage: "ship", Name: "batches refused by the center", Count: spool.Refused()},
		{Stage: "ship", Name: "statements dropped: the disk was too slow or full", Count: entries},
	} {
		if r.Count > 0 {
			rows = append(rows, r)
		}
	}
	return rows
}

// sources says what is captured or read, for people.
func (r *runCommand) sources() (list []string) {
	for _, name := range r.Interface {
		list = append(list, "interface "+name)
	}
	switch n := len(capture.Walk(r.Read)); {
	case n == 1:
		list = append(list, "1 file")
	case n > 1:
		list = append(list, fmt.Sprintf("%d files", n))
	}
	return list
}

func addresses(list []string) (out []netip.Addr, err error) {
	for _, s := range list {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("reading --dc: %q is no address", s)
		}
		out = append(out, a)
	}
	return out, nil
}

func wallTime() activity.Time { return activity.Time(time.Now().UnixNano()) }
