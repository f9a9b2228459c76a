// Package accountenum detects a source that asks for many account names to
// learn which exist.
package accountenum

import (
	"fmt"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

// Definition of the detection.
var Definition = detect.Definition{
	ID:          "account-enum",
	Name:        "Account enumeration reconnaissance",
	MDIID:       2003,
	ATAIDs:      []int{2003},
	ATAKeys:     []string{"AccountEnumeration"},
	Severity:    detect.Medium,
	Tactic:      "Discovery",
	Techniques:  []string{"T1087.002"},
	Consumes:    []activity.Kind{activity.KerberosAS},
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "One computer asked the domain for many account names, most of which do not exist.",
	Needs:       []string{"Kerberos AS exchanges with their answers, or Windows events 4768 and 4771 of domain controllers"},
	BlindSpots: []string{
		"names tried against a domain controller that is not watched",
		"a list spread over many sources, each below the threshold",
		"a list of mostly right names: nothing tells it from logons",
	},
	Legitimate: "A connector, proxy or leaver check that asks for accounts deleted since: its names repeat, and most of what it asks for exists.",
	KeyMeans:   "source address",
	Tunables: []detect.Tunable{
		{Name: "names", Unit: "unknown account names", High: 20, Medium: 20, Low: 10, Min: 3, Max: 10_000,
			Why: "a person mistypes two or three names, a word list starts with dozens"},
		{Name: "window", Unit: "seconds", High: 600, Medium: 600, Low: 600, Min: 60, Max: 86_400,
			Why: "public tools try a list at once; ten minutes also hold a list throttled to two names a minute"},
		{Name: "names-per-day", Unit: "unknown account names", High: 100, Medium: 100, Low: 100, Min: 20, Max: 100_000,
			Why: "a slower list still ends within a working day or two"},
		{Name: "unknown-share", Unit: "percent", High: 50, Medium: 50, Low: 50, Min: 1, Max: 100,
			Why: "a connector that asks for leavers asks for more accounts that exist"},
	},
	Key:     key,
	New:     func(t detect.Tuning) detect.Detector { return &detector{tuning: t} },
	Summary: summary,
}

const day = activity.Time(24 * 3600 * 1e9)

// bits of an act
const unknown = 1

// detector remembers, for one source, the last day's names and whether they
// exist. Acts are added by Process and dropped by Recent after a day.
type detector struct {
	Recent detect.Recent
	tuning detect.Tuning
}

func key(r *resolve.Resolved) string {
	if _, ok := verdict(r); !ok {
		return ""
	}
	return detect.SourceAddress(r)
}

// verdict reads from the answer whether the name exists. ok is false for
// answers that do not tell: a wrong realm, a reply too big for UDP, no answer.
func verdict(r *resolve.Resolved) (bits uint32, ok bool) {
	k := r.Kerberos
	if !k.RequestSeen || r.Account.Zero() {
		return 0, false
	}
	if r.Outcome == activity.Success {
		return 0, true
	}
	switch k.ErrorCode {
	case activity.KRBPrincipalUnknown:
		// A name that was removed lately is asked for by what has not heard of it.
		return unknown, !r.Account.Former
	case activity.KRBClientRevoked, activity.KRBKeyExpired, activity.KRBPreAuthFailed, activity.KRBPreAuthRequired:
		return 0, true
	}
	return 0, false
}

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	bits, _ := verdict(r)
	act := detect.ActOf(r, r.Account.Key)
	act.Bits = bits
	act.Account.Role = detect.Exists
	if bits == unknown {
		act.Account.Role = detect.Unknown
	}
	i := d.Recent.Add(act, day)
	if i < 0 || d.Recent.Marked < min(d.tuning.Int("names"), d.tuning.Int("names-per-day")) {
		return
	}
	window := activity.Time(d.tuning.Seconds("window"))
	for _, end := range d.Recent.Ends(i, window) {
		d.judge(r, d.Recent.Window(end, window), time.Duration(window), d.tuning.Int("names"), emit)
	}
	if d.Recent.Marked >= d.tuning.Int("names-per-day") {
		d.judge(r, d.Recent.Window(len(d.Recent.Acts)-1, day), 24*time.Hour, d.tuning.Int("names-per-day"), emit)
	}
}

func (d *detector) judge(r *resolve.Resolved, acts []detect.Act, window time.Duration, threshold int, emit func(detect.Finding)) {
	latest := make(map[string]uint32) // name → what was last said of it
	for i := range acts {
		latest[acts[i].Key] = acts[i].Bits
	}
	missing := 0
	for _, b := range latest {
		if b == unknown {
			missing++
		}
	}
	share := 100 * missing / len(latest)
	if missing < threshold || share < d.tuning.Int("unknown-share") {
		return
	}
	f := detect.FindingOf(r)
	if !detect.Report(acts, &f, func(*detect.Act) bool { return true }) {
		return
	}
	f.Outcome = activity.Failure
	if missing < len(latest) {
		f.Outcome = activity.Success // some names were confirmed
	}
	f.Numbers = []detect.Number{
		{Name: "distinct account names that do not exist", Value: missing, Threshold: threshold, Window: window},
		{Name: "share of unknown names in percent", Value: share, Threshold: d.tuning.Int("unknown-share"), Window: window},
		{Name: "distinct account names that exist", Value: len(latest) - missing, Window: window},
	}
	emit(f)
}

func summary(f detect.Facts) string {
	s := fmt.Sprintf("%s asked %s for %d account names; %d of them do not exist", f.Source, f.Target,
		f.Accounts[detect.Unknown]+f.Accounts[detect.Exists], f.Accounts[detect.Unknown])
	if n := f.Accounts[detect.Exists]; n > 0 {
		s += fmt.Sprintf(", %d were confirmed", n)
	}
	return s + "."
}
