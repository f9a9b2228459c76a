// Package bruteforceldap detects password guessing by LDAP simple binds.
package bruteforceldap

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

//go:embed README.md
var readme string

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
		{Name: "failures", Unit: "pairs of account and wrong password", High: 100, Medium: 100, Low: 100, Min: 10, Max: 1_000_000,
			Why: "no application produces so many distinct pairs in an hour"},
		{Name: "window", Unit: "seconds", High: 3600, Medium: 3600, Low: 3600, Min: 60, Max: 86_400,
			Why: "long enough for guesses that keep below a lockout threshold"},
	},
	README:  readme,
	Key:     key,
	New:     newDetector,
	Summary: summary,
}

const day = activity.Time(24 * 3600 * 1e9)

// failed marks an act as a refused password.
const failed = 1

// invalidCredentials is the LDAP result of a wrong name or password (RFC 4511
// §A.2). AD gives it too to a right password that does not let in: expired, to
// be changed, not now, not here, disabled; Data tells which (MS-ADTS §5.1.1.1).
const invalidCredentials = 49

// detector remembers, for one source, the last day's binds: Act.Tag tells
// passwords apart. Acts are added by Process and dropped by Recent after a day.
type detector struct {
	Recent detect.Recent
	tuning detect.Tuning
	tally  tally
	slide  *detect.Slide
}

func newDetector(t detect.Tuning) detect.Detector {
	d := &detector{tuning: t, tally: tally{many: t.Int("passwords")}}
	d.slide = d.Recent.Slide(activity.Time(t.Seconds("window")), &d.tally)
	return d
}

// tally counts a window's wrong passwords: the same one on the same account
// counts once.
type tally struct {
	pairs    map[guess]int  // → failed acts
	accounts map[string]int // → distinct wrong passwords
	tags     map[uint16]int // → pairs
	over     int            // accounts with many
	many     int
}

type guess struct {
	account string
	tag     uint16
}

func (t *tally) Reset() { *t = tally{many: t.many} }

func (t *tally) Enter(a *detect.Act) {
	if a.Bits != failed {
		return
	}
	if t.pairs == nil {
		t.pairs, t.accounts, t.tags = make(map[guess]int), make(map[string]int), make(map[uint16]int)
	}
	g := guess{a.Key, a.Tag}
	if t.pairs[g]++; t.pairs[g] > 1 {
		return
	}
	t.tags[a.Tag]++
	if t.accounts[a.Key]++; t.accounts[a.Key] == t.many {
		t.over++
	}
}

func (t *tally) Leave(a *detect.Act) {
	if a.Bits != failed {
		return
	}
	g := guess{a.Key, a.Tag}
	if t.pairs[g]--; t.pairs[g] > 0 {
		return
	}
	if t.accounts[a.Key] == t.many {
		t.over--
	}
	drop(t.pairs, g, 0)
	drop(t.tags, a.Tag, 1)
	drop(t.accounts, a.Key, 1)
}

// drop takes n off a count and forgets it at zero.
func drop[K comparable](m map[K]int, k K, n int) {
	if m[k] -= n; m[k] == 0 {
		delete(m, k)
	}
}

func key(r *resolve.Resolved) string {
	b := r.LDAPBind
	if b.Anonymous || r.Account.Zero() || r.Outcome != activity.Success && !wrongPassword(b) {
		return ""
	}
	return detect.SourceAddress(r)
}

// wrongPassword tells whether a bind was refused for its name or password, or
// because guessing had already locked the account. Servers that give no Data
// are taken at the result's word.
func wrongPassword(b *activity.LDAPBind) bool {
	switch b.Data {
	case "530", "531", "532", "533", "701", "773":
		return false
	}
	return b.ResultCode == invalidCredentials
}

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	act := detect.ActOf(r, r.Account.Key)
	act.Tag = r.LDAPBind.PasswordTag
	act.Account.Role = detect.Attacked
	if wrongPassword(r.LDAPBind) {
		act.Bits = failed
	}
	if i := d.Recent.Add(act, day); i >= 0 {
		d.slide.To(i, func(end int) { d.judge(r, end, emit) })
	}
}

func (d *detector) judge(r *resolve.Resolved, end int, emit func(detect.Finding)) {
	var (
		window    = d.tuning.Seconds("window")
		passwords = d.tuning.Int("passwords")
		accounts  = d.tuning.Int("accounts")
		few       = d.tuning.Int("spray-passwords")
		failures  = d.tuning.Int("failures")
		numbers   []detect.Number
	)
	spray := len(d.tally.accounts) >= accounts && len(d.tally.tags) <= few
	flood := len(d.tally.pairs) >= failures
	if d.tally.over > 0 {
		worst := slices.Max(slices.Collect(maps.Values(d.tally.accounts)))
		numbers = append(numbers, detect.Number{Name: "distinct wrong passwords on one account", Value: worst, Threshold: passwords, Window: window})
	}
	if spray {
		numbers = append(numbers,
			detect.Number{Name: "accounts with a wrong password", Value: len(d.tally.accounts), Threshold: accounts, Window: window},
			detect.Number{Name: "distinct wrong passwords in all", Value: len(d.tally.tags), Window: window})
	}
	if flood {
		numbers = append(numbers, detect.Number{Name: "distinct pairs of account and wrong password", Value: len(d.tally.pairs), Threshold: failures, Window: window})
	}
	if numbers == nil {
		return
	}
	f := detect.FindingOf(r)
	f.Outcome = activity.Failure
	f.Numbers = numbers
	acts := d.Recent.Window(end, activity.Time(window))
	attacked := func(a *detect.Act) bool {
		n := d.tally.accounts[a.Key]
		return n >= passwords || n > 0 && (spray || flood)
	}
	// A late act is judged at each later one: mostly there is nothing to add.
	if !news(acts, attacked) {
		return
	}
	first := make(map[string]activity.Time) // wrong password by account
	for i := len(acts) - 1; i >= 0; i-- {
		if a := &acts[i]; a.Bits == failed {
			first[a.Key] = a.At
		}
	}
	if detect.Report(acts, &f, func(a *detect.Act) bool {
		if a.Bits != failed && attacked(a) && first[a.Key] < a.At {
			a.Account.Role = detect.Guessed
			f.Outcome = activity.Success
			return true
		}
		return a.Bits == failed && attacked(a)
	}) {
		emit(f)
	}
}

// news tells whether there is an act on an attacked account that no finding has
// carried.
func news(acts []detect.Act, attacked func(*detect.Act) bool) bool {
	for i := range acts {
		if a := &acts[i]; !a.Reported && attacked(a) {
			return true
		}
	}
	return false
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
