// Package bruteforceldap detects password guessing by LDAP simple binds.
package bruteforceldap

import (
	"fmt"
	"slices"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

// Definition of the detection.
var Definition = detect.Definition{
	ID:          "brute-force-ldap",
	Name:        "Suspected brute force attack (LDAP)",
	MDIID:       2004,
	ATAIDs:      []int{2004},
	ATAKeys:     []string{"LdapBruteForce"},
	Severity:    detect.Medium,
	Tactic:      "Credential access",
	Techniques:  []string{"T1110.001", "T1110.003"},
	Consumes:    []activity.Kind{activity.LDAPSimple},
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "One computer tried many passwords, or many accounts, with LDAP simple binds.",
	Needs:       []string{"LDAP simple binds that are readable: port 389 or 3268 without TLS"},
	BlindSpots: []string{
		"binds over TLS: the domain controller's own events or audit log show those",
		"guesses spread over many sources",
	},
	Legitimate: "An application server that binds for its users, some of whom mistype, or a device with an old password (the same one again and again).",
	KeyMeans:   "source address",
	Tunables: []detect.Tunable{
		{Name: "passwords", Unit: "distinct passwords on one account", High: 10, Medium: 10, Low: 10, Min: 3, Max: 10_000,
			Why: "nobody has ten passwords; the same wrong one repeated counts once"},
		{Name: "accounts", Unit: "accounts", High: 10, Medium: 10, Low: 10, Min: 3, Max: 10_000,
			Why: "with so few passwords among them, the accounts are being sprayed"},
		{Name: "spray-passwords", Unit: "distinct passwords in all", High: 3, Medium: 3, Low: 3, Min: 1, Max: 100,
			Why: "a spray tries a few common passwords; people who mistype each have their own"},
		{Name: "failures", Unit: "failed binds", High: 100, Medium: 100, Low: 100, Min: 10, Max: 1_000_000,
			Why: "distinct account and password pairs no application produces in an hour"},
		{Name: "window", Unit: "seconds", High: 3600, Medium: 3600, Low: 3600, Min: 60, Max: 86_400,
			Why: "long enough for guesses that keep below a lockout threshold"},
	},
	Key:     key,
	New:     func(t detect.Tuning) detect.Detector { return &detector{tuning: t} },
	Summary: summary,
}

const day = activity.Time(24 * 3600 * 1e9)

// failed marks an act as a refused password.
const failed = 1

// invalidCredentials is the LDAP result of a wrong name or password, and in AD
// of a locked or expired account too (RFC 4511 §A.2, MS-ADTS §5.1.1.1).
const invalidCredentials = 49

// detector remembers, for one source, the last day's binds: Act.Tag tells
// passwords apart. Acts are added by Process and dropped by Recent after a day.
type detector struct {
	Recent detect.Recent
	tuning detect.Tuning
}

func key(r *resolve.Resolved) string {
	b := r.LDAPBind
	if b.Anonymous || r.Account.Zero() || r.Outcome != activity.Success && b.ResultCode != invalidCredentials {
		return ""
	}
	return detect.SourceAddress(r)
}

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	act := detect.ActOf(r, r.Account.Key)
	act.Tag = r.LDAPBind.PasswordTag
	act.Account.Role = detect.Attacked
	if r.LDAPBind.ResultCode == invalidCredentials {
		act.Bits = failed
	}
	i := d.Recent.Add(act, day)
	if i < 0 || d.Recent.Marked < min(d.tuning.Int("passwords"), d.tuning.Int("accounts"), d.tuning.Int("failures")) {
		return
	}
	window := activity.Time(d.tuning.Seconds("window"))
	for _, end := range d.Recent.Ends(i, window) {
		d.judge(r, d.Recent.Window(end, window), emit)
	}
}

func (d *detector) judge(r *resolve.Resolved, acts []detect.Act, emit func(detect.Finding)) {
	type guess struct {
		account string
		tag     uint16
	}
	pairs := make(map[guess]bool)
	perAccount := make(map[string]int)
	tags := make(map[uint16]bool)
	for i := range acts {
		a := &acts[i]
		if g := (guess{a.Key, a.Tag}); a.Bits == failed && !pairs[g] {
			pairs[g] = true
			perAccount[a.Key]++
			tags[a.Tag] = true
		}
	}
	worst := 0
	for _, n := range perAccount {
		worst = max(worst, n)
	}
	var (
		window    = d.tuning.Seconds("window")
		passwords = d.tuning.Int("passwords")
		accounts  = d.tuning.Int("accounts")
		few       = d.tuning.Int("spray-passwords")
		failures  = d.tuning.Int("failures")
		numbers   []detect.Number
	)
	spray := len(perAccount) >= accounts && len(tags) <= few
	flood := len(pairs) >= failures
	if worst >= passwords {
		numbers = append(numbers, detect.Number{Name: "distinct wrong passwords on one account", Value: worst, Threshold: passwords, Window: window})
	}
	if spray {
		numbers = append(numbers,
			detect.Number{Name: "accounts with a wrong password", Value: len(perAccount), Threshold: accounts, Window: window},
			detect.Number{Name: "distinct wrong passwords in all", Value: len(tags), Window: window})
	}
	if flood {
		numbers = append(numbers, detect.Number{Name: "distinct pairs of account and wrong password", Value: len(pairs), Threshold: failures, Window: window})
	}
	if numbers == nil {
		return
	}
	f := detect.FindingOf(r)
	f.Outcome = activity.Failure
	f.Numbers = numbers
	attacked := func(a *detect.Act) bool {
		n := perAccount[a.Key]
		return n >= passwords || n > 0 && (spray || flood)
	}
	if detect.Report(acts, &f, func(a *detect.Act) bool {
		if a.Bits != failed && attacked(a) && after(acts, a) {
			a.Account.Role = detect.Guessed
			f.Outcome = activity.Success
			return true
		}
		return a.Bits == failed && attacked(a)
	}) {
		emit(f)
	}
}

// after tells whether a wrong password for the account of a came before it.
func after(acts []detect.Act, a *detect.Act) bool {
	return slices.ContainsFunc(acts, func(b detect.Act) bool {
		return b.Bits == failed && b.Key == a.Key && b.At < a.At
	})
}

func summary(f detect.Facts) string {
	tried, guessed := f.Accounts[detect.Attacked]+f.Accounts[detect.Guessed], f.Accounts[detect.Guessed]
	var s string
	if tried == 1 {
		name := f.First[detect.Attacked]
		if name == "" {
			name = f.First[detect.Guessed]
		}
		s = fmt.Sprintf("%s tried %d LDAP binds as %s at %s", f.Source, f.Count, name, f.Target)
	} else {
		s = fmt.Sprintf("%s tried LDAP binds as %d accounts at %s, %d attempts in all", f.Source, tried, f.Target, f.Count)
	}
	if guessed > 0 {
		s += fmt.Sprintf(", and found the password of %s", f.First[detect.Guessed])
		if guessed > 1 {
			s += fmt.Sprintf(" and %d more", guessed-1)
		}
	}
	return s + "."
}
