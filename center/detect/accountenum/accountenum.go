// Package accountenum detects a source that asks for many account names to
// learn which exist.
package accountenum

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
	README:  readme,
	Key:     key,
	New:     newDetector,
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
	rules  [2]rule // quick, then slow
}

// rule is one pair of threshold and window, with the count so far.
type rule struct {
	tally
	window    activity.Time
	slide     *detect.Slide
	threshold int
}

func newDetector(t detect.Tuning) detect.Detector {
	d := &detector{tuning: t}
	d.rules[0].window, d.rules[0].threshold = activity.Time(t.Seconds("window")), t.Int("names")
	d.rules[1].window, d.rules[1].threshold = day, t.Int("names-per-day")
	for i := range d.rules {
		d.rules[i].slide = d.Recent.Slide(d.rules[i].window, &d.rules[i].tally)
	}
	return d
}

// tally counts the names of a window and how many of them do not exist, by what
// was last said of each.
type tally struct {
	names   map[string]name
	missing int
}

type name struct {
	acts    int
	unknown bool
}

func (t *tally) Reset() { *t = tally{} }

func (t *tally) Enter(a *detect.Act) {
	if t.names == nil {
		t.names = make(map[string]name)
	}
	t.set(a.Key, name{t.names[a.Key].acts + 1, a.Bits == unknown})
}

func (t *tally) Leave(a *detect.Act) {
	n := t.names[a.Key]
	t.set(a.Key, name{n.acts - 1, n.unknown})
}

func (t *tally) set(key string, n name) {
	if t.names[key].unknown {
		t.missing--
	}
	if n.acts == 0 {
		delete(t.names, key)
		return
	}
	if n.unknown {
		t.missing++
	}
	t.names[key] = n
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
	if i < 0 {
		return
	}
	for j := range d.rules {
		rule := &d.rules[j]
		rule.slide.To(i, func(end int) { d.judge(r, rule, end, emit) })
	}
}

func (d *detector) judge(r *resolve.Resolved, rule *rule, end int, emit func(detect.Finding)) {
	asked := len(rule.names)
	share := 100 * rule.missing / asked
	if rule.missing < rule.threshold || share < d.tuning.Int("unknown-share") {
		return
	}
	f := detect.FindingOf(r)
	if !detect.Report(d.Recent.Window(end, rule.window), &f, func(*detect.Act) bool { return true }) {
		return
	}
	f.Outcome = activity.Failure
	if rule.missing < asked {
		f.Outcome = activity.Success // some names were confirmed
	}
	window := time.Duration(rule.window)
	f.Numbers = []detect.Number{
		{Name: "distinct account names that do not exist", Value: rule.missing, Threshold: rule.threshold, Window: window},
		{Name: "share of unknown names in percent", Value: share, Threshold: d.tuning.Int("unknown-share"), Window: window},
		{Name: "distinct account names that exist", Value: asked - rule.missing, Window: window},
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
