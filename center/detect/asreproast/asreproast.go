// Package asreproast detects tickets handed out without pre-authentication,
// whose encrypted part can be attacked offline for the account's password.
package asreproast

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

//go:embed README.md
var readme string

// Definition of the detection.
var Definition = detect.Definition{
	ID:          "as-rep-roast",
	Name:        "Suspected AS-REP roasting attack",
	MDIID:       2412,
	Severity:    detect.High,
	Tactic:      "Credential access",
	Techniques:  []string{"T1558.004"},
	Consumes:    []activity.Kind{activity.KerberosAS, activity.LDAPQuery},
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeAccount, detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A computer obtained tickets for accounts that do not require pre-authentication, in a form that allows guessing their passwords offline.",
	Needs:       []string{"Kerberos AS exchanges with request and answer, or Windows event 4768 of domain controllers"},
	BlindSpots: []string{
		"a single account asked for with AES, without a search for such accounts before: nothing tells it from its owner",
		"the search that finds such accounts, when LDAP is sealed or only events are read",
		"from events: a request that left out AES and was answered with it all the same",
	},
	Legitimate: "A Unix service or appliance whose account never used pre-authentication, asking from its own host.",
	KeyMeans:   "source address",
	Tunables: []detect.Tunable{
		{Name: "accounts", Unit: "accounts", High: 2, Medium: 2, Low: 2, Min: 1, Max: 1000,
			Why: "one host has one such account at most; a roaster asks for all it found"},
		{Name: "window", Unit: "seconds", High: 600, Medium: 600, Low: 600, Min: 60, Max: 86_400,
			Why: "tools ask for all accounts in one go"},
		{Name: "search-window", Unit: "seconds", High: 86_400, Medium: 86_400, Low: 86_400, Min: 600, Max: 86_400,
			Why: "the search for such accounts may come from an earlier collection of the same day"},
	},
	README:  readme,
	Key:     key,
	New:     func(t detect.Tuning) detect.Detector { return &detector{tuning: t} },
	Summary: summary,
}

// bits of an act
const (
	weak   = 1 // the exchange left out AES
	search = 2 // an LDAP search for accounts without pre-authentication
)

// noPreAuthBit is the value of DONT_REQ_PREAUTH (MS-ADTS §2.2.16) as a filter
// names it in a bitwise match.
const noPreAuthBit = ":=4194304"

// detector remembers, for one source, the last day's unauthenticated exchanges
// and searches. Acts are added by Process and dropped by Recent after a day.
type detector struct {
	Recent detect.Recent
	tuning detect.Tuning
}

func key(r *resolve.Resolved) string {
	if _, ok := reads(r); !ok {
		return ""
	}
	return detect.SourceAddress(r)
}

// reads tells whether the activity is of interest, and its bits.
func reads(r *resolve.Resolved) (bits uint32, ok bool) {
	if r.Kind == activity.LDAPQuery {
		f := strings.ToLower(r.LDAPSearch.Filter)
		return search, strings.Contains(f, "useraccountcontrol:") && strings.Contains(f, noPreAuthBit)
	}
	k := r.Kerberos
	if !k.RequestSeen || r.Outcome != activity.Success || r.Account.Zero() || k.PreAuthenticated() {
		return 0, false
	}
	switch {
	case r.Via == activity.ViaEvent: // it does not tell what was asked for
		if k.ReplyEType != 0 && !aes(k.ReplyEType) {
			bits = weak
		}
	case !slices.ContainsFunc(k.ETypes, aes) || !aes(k.ReplyEType):
		bits = weak
	}
	return bits, true
}

// aes tells whether an encryption type is one of the AES ones (RFC 3962, RFC 8009).
func aes(etype int32) bool { return etype >= 17 && etype <= 20 }

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	bits, _ := reads(r)
	act := detect.ActOf(r, r.Account.Key)
	act.Bits = bits
	act.Account.Role = detect.Exposed
	i := d.Recent.Add(act, activity.Time(d.tuning.Seconds("search-window")))
	if i < 0 || bits&search != 0 {
		return
	}
	window := activity.Time(d.tuning.Seconds("window"))
	for _, end := range d.Recent.Ends(i, window) {
		d.judge(r, end, window, emit)
	}
}

func (d *detector) judge(r *resolve.Resolved, end int, window activity.Time, emit func(detect.Finding)) {
	acts := d.Recent.Window(end, window)
	accounts := make(map[string]bool)
	weakOnes := 0
	for i := range acts {
		if acts[i].Bits&search != 0 {
			continue
		}
		accounts[acts[i].Key] = true
		weakOnes += int(acts[i].Bits & weak)
	}
	searched := slices.ContainsFunc(d.Recent.Window(end, activity.Time(d.tuning.Seconds("search-window"))),
		func(a detect.Act) bool { return a.Bits&search != 0 })
	threshold := d.tuning.Int("accounts")
	if len(accounts) < threshold && weakOnes == 0 && !searched {
		return
	}
	f := detect.FindingOf(r)
	if !detect.Report(acts, &f, func(a *detect.Act) bool { return a.Bits&search == 0 }) {
		return
	}
	f.Outcome = activity.Success
	f.Numbers = []detect.Number{
		{Name: "accounts asked for without pre-authentication", Value: len(accounts), Threshold: threshold, Window: time.Duration(window)},
		{Name: "of these exchanges without AES", Value: weakOnes, Threshold: 1, Window: time.Duration(window)},
	}
	if searched {
		f.Notes = append(f.Notes, "The same source searched LDAP for accounts that need no pre-authentication within the day before.")
	}
	emit(f)
}

func summary(f detect.Facts) string {
	if n := f.Accounts[detect.Exposed]; n != 1 {
		return fmt.Sprintf("%s obtained material to guess the passwords of %d accounts that need no pre-authentication from %s.", f.Source, n, f.Target)
	}
	return fmt.Sprintf("%s obtained material to guess the password of %s, which needs no pre-authentication, from %s.", f.Source, f.First[detect.Exposed], f.Target)
}
