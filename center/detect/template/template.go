// Package template detects a source that sends the passwords of several
// accounts over LDAP in the clear.
package template

import (
	_ "embed"
	"fmt"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

//go:embed README.md
var readme string

// Definition of the detection.
var Definition = detect.Definition{
	ID:          "template",
	Name:        "Passwords of several accounts sent in the clear",
	Severity:    detect.Low,
	Tactic:      "Credential access",
	Techniques:  []string{"T1040"},
	Consumes:    []activity.Kind{activity.LDAPSimple},
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "One computer sent the passwords of several accounts to a domain controller without encryption.",
	Needs:       []string{"LDAP simple binds"},
	BlindSpots:  []string{"binds to a domain controller that is not watched"},
	Legitimate:  "An application that checks its users' passwords and was set up without TLS.",
	KeyMeans:    "source address",
	Tunables: []detect.Tunable{
		{Name: "accounts", Unit: "accounts", High: 5, Medium: 3, Low: 3, Min: 1, Max: 10_000,
			Why: "a service has one account, and two while it changes; more are people"},
		{Name: "window", Unit: "seconds", High: 3600, Medium: 3600, Low: 3600, Min: 60, Max: 86_400,
			Why: "an application in use binds for several people within an hour"},
	},
	README:  readme,
	Key:     key,
	New:     func(t detect.Tuning) detect.Detector { return &detector{tuning: t} },
	Summary: summary,
}

const day = activity.Time(24 * 3600 * 1e9)

// detector remembers, for one source, the last day's binds. Acts are added by
// Process, dropped by Recent after a day, and capped by it.
type detector struct {
	Recent detect.Recent
	tuning detect.Tuning
}

func key(r *resolve.Resolved) string {
	// An anonymous bind sends no password (RFC 4513 §5.1.1, §5.1.2).
	if r.LDAPBind.TLS || r.LDAPBind.Anonymous || r.Account.Zero() {
		return ""
	}
	return detect.SourceAddress(r)
}

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	act := detect.ActOf(r, r.Account.Key)
	act.Account.Role = detect.Exposed
	i := d.Recent.Add(act, day)
	if i < 0 {
		return
	}
	window := activity.Time(d.tuning.Seconds("window"))
	for _, end := range d.Recent.Ends(i, window) {
		d.judge(r, d.Recent.Window(end, window), emit)
	}
}

// judge looks at the acts of one window.
func (d *detector) judge(r *resolve.Resolved, acts []detect.Act, emit func(detect.Finding)) {
	accounts := make(map[string]bool)
	for i := range acts {
		accounts[acts[i].Key] = true
	}
	threshold := d.tuning.Int("accounts")
	if len(accounts) < threshold {
		return
	}
	f := detect.FindingOf(r)
	if !detect.Report(acts, &f, func(*detect.Act) bool { return true }) {
		return
	}
	f.Outcome = activity.Success // whatever the server answered, the password was sent
	f.Numbers = []detect.Number{
		{Name: "accounts whose password was sent in the clear", Value: len(accounts), Threshold: threshold, Window: d.tuning.Seconds("window")},
	}
	emit(f)
}

func summary(f detect.Facts) string {
	return fmt.Sprintf("%s sent the passwords of %d accounts to %s in the clear.", f.Source, f.Accounts[detect.Exposed], f.Target)
}
