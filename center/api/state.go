package api

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/center/ingest/receive"
	"github.com/verderer/verderer/center/store"
	"github.com/verderer/verderer/counter"
)

// silentAfter is how long a sensor may say nothing: three of its statuses.
const silentAfter = 3 * wire.StatusEvery

// sensor tells how a sensor is, of what is stored of it and of how it is right
// now: the zero State when the center has not heard of it since it started.
// center is the address that it should reach.
func sensor(row *store.Sensor, state receive.State, now activity.Time, center string) Sensor {
	status := state.Status
	if status.Now == 0 && len(row.Status) > 0 {
		// What it was like when it was last heard of; unreadable is as good as none.
		_ = json.Unmarshal(row.Status, &status)
	}
	t := Sensor{
		ID: row.ID, Name: row.Name, Host: row.Host, OS: row.OS, Version: row.Version,
		Enrolled: row.Enrolled, CertExpires: row.CertExpires,
		LastSeen:    max(row.LastSeen, state.LastSeen),
		FirstPacket: earliest(row.FirstPacket, state.FirstPacket), FirstActivity: earliest(row.FirstActivity, state.FirstActivity),
		Sources: slices.Clone(status.Sources), SkewSeconds: state.Skew.Seconds(),
		Packets: status.Packets, Events: status.Events, Activities: status.Activities, Dropped: status.Dropped,
		SpoolBatches: status.Spool.Batches, SpoolBytes: status.Spool.Bytes, SpoolLimit: status.Spool.Limit, SpoolLost: status.Spool.Lost,
		Memory: status.Memory, Counters: slices.Clone(status.Counters),
	}
	if t.Sources == nil {
		t.Sources = []string{}
	}
	if t.Counters == nil {
		t.Counters = []counter.Row{}
	}
	if h := state.Hello; h.Host != "" {
		t.Host, t.OS, t.Version = h.Host, h.OS, h.Version
	}
	files := row.Files || state.Files
	clock := max(state.Clock, status.Clock)
	if !files && clock != 0 {
		t.LagSeconds = max(0, now.Sub(clock).Seconds())
	}
	t.State = sensorState(&t, state, files, status.Done, now)
	t.StateText = stateText(&t, state, clock, now, center)
	return t
}

func earliest(a, b activity.Time) activity.Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// sensorState is the first of SensorState's list that holds. A sensor that has
// read its files has every reason to be silent.
func sensorState(t *Sensor, state receive.State, files, done bool, now activity.Time) SensorState {
	switch {
	case t.LastSeen == 0:
		return SensorNever
	case files && done && t.SpoolBatches == 0:
		return SensorDone
	case now.Sub(t.LastSeen) >= silentAfter:
		return SensorSilent
	case state.Ahead:
		return SensorAhead
	case state.Behind:
		return SensorBehind
	case state.Holding:
		return SensorHolding
	case files:
		return SensorFiles
	}
	return SensorWorking
}

// stateText says what is the matter, and what to do.
func stateText(t *Sensor, state receive.State, clock, now activity.Time, center string) string {
	switch t.State {
	case SensorNever:
		return fmt.Sprintf("It is enrolled and has not connected yet. Start it on %s (systemctl start verderer-sensor), and see that it reaches %s.", t.Host, center)
	case SensorSilent:
		return fmt.Sprintf("Nothing is heard of it for %s: what happens there is not seen now. See that it runs on %s (systemctl status verderer-sensor) and reaches %s; what it reads meanwhile it keeps, and sends later.",
			span(now.Sub(t.LastSeen)), t.Host, center)
	case SensorAhead:
		return fmt.Sprintf("Its clock is %s ahead of the center's: what it states is set aside and alerts on nothing. Set the clock of %s.", span(state.Skew), t.Host)
	case SensorBehind:
		if state.Skew <= -silentAfter {
			return fmt.Sprintf("Its clock is %s behind the center's: its activities count as late. Set the clock of %s.", span(-state.Skew), t.Host)
		}
		return fmt.Sprintf("It is %s behind, with %s to send: its activities count as late until it has caught up. It needs nothing but time; if this grows, look at the network between %s and %s.",
			span(now.Sub(clock)), number(t.SpoolBatches, "batch", "batches"), t.Host, center)
	case SensorHolding:
		why := ""
		if state.HoldWhy != "" {
			why = " (" + state.HoldWhy + ")"
		}
		return fmt.Sprintf("The center cannot store what it sends%s, so it keeps %s, %s of its spool. Nothing is lost while there is room. Health says what is wrong with the center.",
			why, number(t.SpoolBatches, "batch", "batches"), share(t.SpoolBytes, t.SpoolLimit))
	case SensorFiles:
		return fmt.Sprintf("It reads %s.", strings.Join(t.Sources, ", ")) + losses(t, state)
	case SensorDone:
		return fmt.Sprintf("It has read its files: %s, %s.", number(t.Packets, "packet", "packets"), number(t.Events, "event", "events")) + losses(t, state)
	}
	if t.Packets == 0 && t.Events == 0 {
		return fmt.Sprintf("It is connected and has seen no packet. See that %s is where the traffic of domain controllers passes.", strings.Join(t.Sources, ", "))
	}
	return "It works." + losses(t, state)
}

// losses says what a sensor that otherwise works has lost.
func losses(t *Sensor, state receive.State) string {
	var s string
	if t.Dropped > 0 {
		s += fmt.Sprintf(" The kernel dropped %s since it started: the host had no time for them.", number(t.Dropped, "packet", "packets"))
	}
	if t.SpoolLost > 0 {
		s += fmt.Sprintf(" %s went because the spool was full: give it more room, or find out why the center was away.", number(t.SpoolLost, "batch", "batches"))
	}
	if state.Refused > 0 {
		s += fmt.Sprintf(" %s will not be taken: %s.", number(state.Refused, "batch", "batches"), state.RefusedWhy)
	}
	return s
}

func number(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func share(part, whole int64) string {
	if whole <= 0 {
		return "an unknown part"
	}
	return fmt.Sprintf("%.0f%%", math.Ceil(100*float64(part)/float64(whole)))
}

// span is a duration in the words of somebody who looks at a clock.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return span(-d)
	case d < 2*time.Minute:
		return number(int64(d/time.Second), "second", "seconds")
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
