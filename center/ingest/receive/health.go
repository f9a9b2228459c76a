package receive

import (
	"errors"
	"fmt"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/health"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/center/ingest/journal"
)

const (
	// returnWithin is what sensors get to come back after the center was
	// started: they try again every half a minute at the latest.
	returnWithin = time.Minute
	// sayFor is how long an issue about something that happened stays open.
	sayFor = 15 * time.Minute
	// skewed is the difference between clocks that is worth a word.
	skewed = 5 * time.Second
)

// kinds of issues that have a sensor as their subject.
var kinds = []string{"sensor-silent", "sensor-behind", "clock-ahead", "clock-skew", "sensor-refused-batches", "spool-full", "kernel-drops"}

// clear closes all issues of a sensor.
func (r *Receiver) clear(id string) {
	for _, k := range kinds {
		r.cfg.Health.Clear(k, id)
	}
}

// watch opens and closes issues.
func (r *Receiver) watch() {
	now, wall := r.cfg.Journal.Now(), r.cfg.Now()
	var set []health.Issue
	var cleared [][2]string
	r.mu.Lock()
	for _, s := range r.sensors {
		if s.gone {
			continue
		}
		open := r.issues(s, now, wall)
		for _, k := range kinds {
			switch i, ok := open[k]; {
			case ok && s.said[k] != i.Text:
				i.Kind, i.Subject, i.Since = k, s.id, activity.Time(wall.UnixNano())
				set = append(set, i)
				s.said[k] = i.Text
			case !ok && s.said[k] != "":
				cleared = append(cleared, [2]string{k, s.id})
				delete(s.said, k)
			}
		}
	}
	stuck := r.full || r.failed
	r.mu.Unlock()
	// Without the lock: who is told of a change asks for our States.
	for _, i := range set {
		r.cfg.Health.Set(i)
	}
	for _, k := range cleared {
		r.cfg.Health.Clear(k[0], k[1])
	}
	if stuck && r.cfg.Journal.Room() == nil {
		r.outcome(nil)
	}
	r.back(now.Sub(activity.Time(wall.UnixNano())))
}

// back opens or closes the issue of the center's own clock.
func (r *Receiver) back(by time.Duration) {
	r.mu.Lock()
	was := r.wentBack
	r.wentBack = by > skewed
	is := r.wentBack
	r.mu.Unlock()
	switch {
	case is && !was:
		r.cfg.Health.Set(health.Issue{Kind: "center-clock", Severity: detect.Medium, Since: r.now(),
			Text:   fmt.Sprintf("The center's clock went back by %s. Until it has caught up what is stored carries the time at which it did, and sensors may seem to be ahead.", by.Round(time.Second)),
			Remedy: "Check where the center's machine takes its time from."})
	case was && !is:
		r.cfg.Health.Clear("center-clock", "")
	}
}

// issues lists what is wrong with a sensor, by kind. It also writes s.Ahead and
// s.Behind. mu is held.
func (r *Receiver) issues(s *sensor, now activity.Time, wall time.Time) map[string]health.Issue {
	open := make(map[string]health.Issue)
	name := s.name
	set := func(kind string, severity detect.Severity, text, remedy string) {
		open[kind] = health.Issue{Severity: severity, Text: text, Remedy: remedy}
	}
	done := s.files && s.Status.Done
	silent := wall.Sub(s.heard) > detachAfter
	if s.heard.IsZero() {
		silent = s.known && s.clock != 0 && wall.Sub(r.started) > returnWithin
	}
	s.Ahead = !silent && s.clock != 0 && s.ahead(now)
	// The edges are those of attaching: whom others do not wait for is behind.
	s.Behind = !silent && !s.files && !s.Ahead && s.clock != 0 &&
		(s.lag(now) > detachAfter || s.Behind && s.lag(now) > attachWithin)

	if silent && !done {
		set("sensor-silent", detect.High,
			fmt.Sprintf("Nothing is heard of sensor %s: what happens at its domain controllers is not seen now. It keeps what it reads, and sends it when it is back, unless it is down.", name),
			"Check that the machine is up, that the service verderer-sensor runs (its log names the reason), and that it reaches the center's sensor port.")
	}
	if s.Behind {
		set("sensor-behind", detect.Medium,
			fmt.Sprintf("What sensor %s states is older than 10 seconds: it works off a backlog, or its clock is behind. If there are others, they do not wait for it: its activities are evaluated late, and rules that compare several sensors may miss them.", name),
			"If it does not go away in some minutes, compare the clock of the sensor's machine with the center's, and look whether the sensor lacks CPU or bandwidth.")
	}
	if s.Ahead {
		set("clock-ahead", detect.High,
			fmt.Sprintf("The clock of sensor %s is more than 5 minutes ahead of the center's: what it states is set aside and not evaluated.", name),
			"Correct the clock of the sensor's machine, or the center's. Kerberos itself fails at such a difference.")
	} else if skew := s.Skew.Abs(); s.Status.Now != 0 && !silent && !s.files && skew > skewed && skew <= ingest.MaxAhead {
		set("clock-skew", detect.Low,
			fmt.Sprintf("The clock of sensor %s differs from the center's by more than 5 seconds. Times of its activities are wrong by that.", name),
			"Have both machines take their time from the same source, the domain's for instance.")
	}
	if recent(s.refusedAt, wall, sayFor) {
		set("sensor-refused-batches", detect.Medium,
			fmt.Sprintf("Batches of sensor %s were refused and are not evaluated. The last: %s.", name, s.RefusedWhy),
			"Upgrade the sensor and the center to the same release. If that does not help, the sensor's machine may be tampered with, or its disk damaged.")
	}
	if recent(s.lostAt, wall, sayFor) {
		set("spool-full", detect.High,
			fmt.Sprintf("The spool of sensor %s is full: activities are lost before they are sent.", name),
			"Restore the connection to the center, or its disk space, and give the spool of the sensor a higher limit.")
	}
	if recent(s.droppedAt, wall, time.Minute) {
		set("kernel-drops", detect.Medium,
			fmt.Sprintf("The kernel drops packets before sensor %s has read them: some activities are not seen.", name),
			"Give the sensor's machine more CPU, or have it listen to fewer domain controllers.")
	}
	return open
}

func recent(t, now time.Time, within time.Duration) bool {
	return !t.IsZero() && now.Sub(t) <= within
}

// storing opens or closes the issues of the journal.
func (r *Receiver) storing(err error) {
	h := r.cfg.Health
	full := errors.Is(err, journal.ErrFull)
	if full {
		h.Set(health.Issue{Kind: "disk-full", Severity: detect.High, Since: r.now(),
			Text:   fmt.Sprintf("The center cannot store what sensors send: %s. They keep it until their spools are full; nothing new is evaluated.", err),
			Remedy: "Free space on the disk of the center's data folder, or give it a larger one. It goes on by itself."})
	} else {
		h.Clear("disk-full", "")
	}
	if err != nil && !full {
		h.Set(health.Issue{Kind: "log-failed", Severity: detect.High, Since: r.now(),
			Text:   fmt.Sprintf("The center cannot store what sensors send: %s. They keep it until their spools are full; nothing new is evaluated.", err),
			Remedy: "Check the disk of the center's data folder. The center tries again by itself; its log has the details."})
	} else {
		h.Clear("log-failed", "")
	}
}
