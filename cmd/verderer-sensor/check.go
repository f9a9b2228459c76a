package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor"
	"github.com/verderer/verderer/sensor/capture/live"
	decoders "github.com/verderer/verderer/sensor/decode/all"
	"github.com/verderer/verderer/sensor/ship"
	"github.com/verderer/verderer/version"
)

type checkCommand struct {
	Center checkCenter `cmd:"" default:"1" help:"Try the way to the center, step by step."`
	Mirror checkMirror `cmd:"" help:"Look at interfaces: whose traffic is there, and is it there in both directions?"`
}

type checkCenter struct{}

func (checkCenter) Run(ctx context.Context, c *commands) error {
	id, err := c.identity()
	if err != nil {
		return err
	}
	return ship.CheckCenter(ctx, id, wire.Hello{Version: version.String(), Files: id.Files}, func(s string) { fmt.Println(names.Display(s)) })
}

type checkMirror struct {
	Interface []string      `required:"" env:"VERDERER_SENSOR_INTERFACE" placeholder:"NAME" help:"Network interface to look at, as in eth0. Repeatable."`
	DC        []string      `name:"dc" env:"VERDERER_SENSOR_DC" placeholder:"ADDRESS" help:"Address of a domain controller whose traffic is to be there. Repeatable; without it that of this computer."`
	Tunnels   bool          `env:"VERDERER_SENSOR_TUNNELS" help:"The mirror comes in GRE, ERSPAN or VXLAN, sent to this computer."`
	For       time.Duration `default:"15s" help:"How long to look."`
}

func (m *checkMirror) Run(ctx context.Context) error {
	servers, err := addresses(m.DC)
	if err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, m.For)
	defer cancel()
	tcp, udp := sensor.Ports(decoders.Set)
	r, err := live.Check(ctx, live.Config{Interfaces: m.Interface, TCP: tcp, UDP: udp, Servers: servers, Tunnels: m.Tunnels})
	if err != nil {
		return err
	}
	return printMirror(os.Stdout, r)
}

// printMirror prints what was seen. The error says what is missing.
func printMirror(w io.Writer, r *live.Report) error {
	fmt.Fprintf(w, "%d packets in %.0f s\n", r.Packets, r.Seconds)
	for _, i := range r.Interfaces {
		if i.Problem != "" {
			fmt.Fprintf(w, "%s: %s\n", i.Interface, names.Display(i.Problem))
		}
		if i.Dropped > 0 {
			fmt.Fprintf(w, "%s: %d packets were lost, because this computer was too busy\n", i.Interface, i.Dropped)
		}
	}
	var missing []string
	if r.Packets == 0 && len(r.Servers) == 0 {
		missing = append(missing, "there is no traffic with domain controllers")
	}
	for _, s := range r.Servers {
		fmt.Fprintf(w, "%s: %d packets to it, %d from it%s\n", s.Addr, s.To, s.From, ports(s.Ports))
		if !s.Configured {
			continue
		}
		if side, yes := s.OneSided(); yes {
			missing = append(missing, fmt.Sprintf("nothing %s %s is there: have the mirror copy both directions", side, s.Addr))
		} else if s.To+s.From == 0 {
			missing = append(missing, fmt.Sprintf("nothing of %s is there", s.Addr))
		}
	}
	if r.Ignored > 0 {
		fmt.Fprintf(w, "%d packets of still more servers\n", r.Ignored)
	}
	if len(missing) > 0 {
		return errors.New(strings.Join(missing, "; "))
	}
	return nil
}

// ports lists them as they are known: "tcp/88".
func ports(list []live.Port) string {
	if len(list) == 0 {
		return ""
	}
	var text []string
	for _, p := range list {
		if p.Port == 0 {
			text = append(text, fmt.Sprintf("%s/dynamic", p.Transport))
		} else {
			text = append(text, fmt.Sprintf("%s/%d", p.Transport, p.Port))
		}
	}
	return " (" + strings.Join(text, ", ") + ")"
}
