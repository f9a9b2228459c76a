// Package bruteforceauth detects password guessing over Kerberos: many
// passwords on one account, or a few passwords on many.
package bruteforceauth

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

//go:embed README.md
var readme string

// Definition of the detection.
var Definition = detect.Definition{
	ID:          "brute-force-auth",
	Name:        "Suspected brute force attack (Kerberos, NTLM)",
	MDIID:       2023,
	ATAIDs:      []int{2023},
	ATAKeys:     []string{"BruteForce"},
	Severity:    detect.Medium,
	Tactic:      "Credential access",
	Techniques:  []string{"T1110.001", "T1110.003"},
	Consumes:    []activity.Kind{activity.KerberosAS, activity.NTLMLogon},
	Learning:    7 * 24 * time.Hour,
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeAccount, detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "One computer tried many passwords on an account, or a few passwords on many accounts.",
	Needs:       []string{"Kerberos AS exchanges and NTLM logons with their answers, or Windows events 4768, 4771 and 4776 of domain controllers"},
	BlindSpots: []string{
		"guesses against a domain controller that is not watched",
		"guesses from behind a proxy or terminal server on fewer accounts than three times those that use it properly",
		"guesses spread over many sources",
		"over SMB, names that nobody has: the answer is that of a wrong password",
	},
	Legitimate: "A service with an old password (one account, regular), phones behind a proxy, people behind a shared address who mistype and then log on.",
	KeyMeans:   "source address",
	Tunables: []detect.Tunable{
		{Name: "failures", Unit: "wrong passwords on one account", High: 20, Medium: 10, Low: 10, Min: 5, Max: 10_000,
			Why: "a person stops or is locked out after about five; ten needs a program"},
		{Name: "failures-window", Unit: "seconds", High: 3600, Medium: 3600, Low: 3600, Min: 60, Max: 86_400,
			Why: "long enough for guesses that keep below a lockout threshold"},
		{Name: "accounts", Unit: "accounts", High: 15, Medium: 10, Low: 10, Min: 5, Max: 10_000,
			Why: "more people do not sit at one computer"},
		{Name: "accounts-window", Unit: "seconds", High: 1800, Medium: 1800, Low: 1800, Min: 60, Max: 86_400,
			Why: "a spray tries each account once per round; rounds are at least a lockout window, usually 30 minutes, apart"},
		{Name: "shared-accounts", Unit: "accounts", High: 3, Medium: 3, Low: 3, Min: 1, Max: 1000,
			Why: "a source that logged three accounts on without a failure serves several people"},
		{Name: "shared-factor", Unit: "times", High: 3, Medium: 3, Low: 3, Min: 1, Max: 100,
			Why: "on a shared source some people always mistype; three failing accounts for each that logs on is none of that"},
		{Name: "round-gap", Unit: "seconds", High: 1800, Medium: 1800, Low: 1800, Min: 300, Max: 43_200,
			Why: "the usual lockout observation window, which sprays wait for"},
	},
	README:  readme,
	Key:     key,
	New:     newDetector,
	Summary: summary,
}

const day = activity.Time(24 * 3600 * 1e9)

// failed marks an act as a wrong password.
const failed = 1

// detector remembers, for one source, the last day's password checks. Acts are
// added by Process and dropped by Recent after a day.
type detector struct {
	Recent   detect.Recent
	Reported activity.Time // of the latest failure reported
	tuning   detect.Tuning

	// What is counted in the window of each rule, and the slide that keeps it.
	hour, round, day tally
	one, many, slow  *detect.Slide
}

func newDetector(t detect.Tuning) detect.Detector {
	d := &detector{tuning: t}
	d.one = d.Recent.Slide(activity.Time(t.Seconds("failures-window")), &d.hour)
	d.many = d.Recent.Slide(activity.Time(t.Seconds("accounts-window")), &d.round)
	d.slow = d.Recent.Slide(day, &d.day)
	return d
}

// tally counts the failures of each account in a window, and the accounts that
// are open: their last result is a failure. Somebody who mistypes logs on next.
type tally struct {
	accounts map[string]account
	open     int
	sprayed  int // open accounts with as few failures as a round of a spray has
}

// perRound is how often a spray tries an account in one round. More is not
// counted at LevelHigh: a service with an old password goes on and on.
const perRound = 2

type account struct {
	acts, failures int
	open           bool
}

func (t *tally) Reset() { *t = tally{} }

func (t *tally) Enter(a *detect.Act) {
	if t.accounts == nil {
		t.accounts = make(map[string]account)
	}
	n := t.accounts[a.Key]
	n.acts++
	n.open = a.Bits == failed
	if a.Bits == failed {
		n.failures++
	}
	t.set(a.Key, n)
}

func (t *tally) Leave(a *detect.Act) {
	n := t.accounts[a.Key]
	n.acts--
	if a.Bits == failed {
		n.failures--
	}
	t.set(a.Key, n)
}

func (t *tally) set(key string, n account) {
	if was := t.accounts[key]; was.open {
		t.open--
		if was.failures <= perRound {
			t.sprayed--
		}
	}
	if n.acts == 0 {
		delete(t.accounts, key)
		return
	}
	if n.open {
		t.open++
		if n.failures <= perRound {
			t.sprayed++
		}
	}
	t.accounts[key] = n
}

func key(r *resolve.Resolved) string {
	if _, ok := verdict(r); !ok {
		return ""
	}
	return detect.SourceAddress(r)
}

// verdict tells whether a password was checked, and with what result. An
// expired password or a disabled account is refused without telling whether
// the password was right: no guess succeeded or failed.
func verdict(r *resolve.Resolved) (bits uint32, ok bool) {
	if r.Kind == activity.NTLMLogon {
		return ntlmVerdict(r)
	}
	k := r.Kerberos
	if !k.RequestSeen || r.Account.Zero() {
		return 0, false
	}
	switch {
	case r.Outcome == activity.Success:
		return 0, k.PreAuthenticated() // without, the ticket was had for the asking
	case k.ErrorCode == activity.KRBPreAuthFailed:
		return failed, true
	case k.ErrorCode == activity.KRBClientRevoked && k.HasPA(activity.PAEncTimestamp):
		return failed, true // locked meanwhile: the guessing went on
	}
	return 0, false
}

// ntlmVerdict is verdict of an NTLM logon, by the name that its carrier or event
// has for the refusal. SMB has the first for wrong names too.
func ntlmVerdict(r *resolve.Resolved) (bits uint32, ok bool) {
	if r.Account.Zero() || r.Auth.NTLM == nil || r.Auth.NTLM.Anonymous {
		return 0, false
	}
	switch r.Error {
	case "":
		return 0, r.Outcome == activity.Success
	case "STATUS_LOGON_FAILURE", "STATUS_WRONG_PASSWORD", "STATUS_ACCOUNT_LOCKED_OUT", "invalidCredentials":
		return failed, true
	}
	return 0, false
}

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	bits, _ := verdict(r)
	act := detect.ActOf(r, r.Account.Key)
	act.Bits = bits
	act.Account.Role = detect.Attacked
	i := d.Recent.Add(act, day)
	if i < 0 {
		return
	}
	if bits == failed { // a logon makes no verdict worse
		d.oneAccount(r, i, emit)
		d.manyAccounts(r, i, emit)
		d.rounds(r, i, emit)
	}
	d.guesses(r, i, emit)
}

// oneAccount looks for many wrong passwords on the account of the act.
func (d *detector) oneAccount(r *resolve.Resolved, i int, emit func(detect.Finding)) {
	window := d.tuning.Seconds("failures-window")
	threshold := d.tuning.Int("failures")
	account := d.Recent.Acts[i].Key
	d.one.To(i, func(end int) {
		if n := d.hour.accounts[account].failures; n >= threshold {
			d.report(r, d.Recent.Window(end, activity.Time(window)), func(a *detect.Act) bool { return a.Key == account }, emit,
				detect.Number{Name: "wrong passwords on one account", Value: n, Threshold: threshold, Window: window})
		}
	})
}

// manyAccounts looks for many accounts that fail and do not succeed after.
func (d *detector) manyAccounts(r *resolve.Resolved, i int, emit func(detect.Finding)) {
	window := d.tuning.Seconds("accounts-window")
	threshold := d.tuning.Int("accounts")
	d.many.To(i, func(end int) {
		open := d.round.open
		if d.tuning.Level == detect.LevelHigh {
			open = d.round.sprayed
		}
		// The second question spares a late act, which is judged at each later
		// one, the work of counting all day's accounts each time.
		if open < threshold || !unreported(d.Recent.Window(end, activity.Time(window))) {
			return
		}
		clean := clean(d.Recent.Window(end, day))
		numbers := []detect.Number{{Name: "accounts with a wrong password and no logon after it", Value: open, Threshold: threshold, Window: window}}
		if clean >= d.tuning.Int("shared-accounts") {
			if open <= clean*d.tuning.Int("shared-factor") {
				return
			}
			numbers = append(numbers, detect.Number{Name: "accounts that use this source properly", Value: clean, Window: 24 * time.Hour})
		}
		d.report(r, d.Recent.Window(end, activity.Time(window)), func(*detect.Act) bool { return true }, emit, numbers...)
	})
}

// rounds looks for a slow spray: accounts that failed in at least two rounds.
func (d *detector) rounds(r *resolve.Resolved, i int, emit func(detect.Finding)) {
	threshold := d.tuning.Int("accounts")
	d.slow.To(i, func(int) {})
	if d.day.open < threshold || d.day.accounts[d.Recent.Acts[i].Key].failures < 2 {
		return
	}
	acts := d.Recent.Window(len(d.Recent.Acts)-1, day)
	gap := activity.Time(d.tuning.Seconds("round-gap"))
	first := make(map[string]activity.Time)
	again := make(map[string]bool)
	for i := range acts {
		a := &acts[i]
		if a.Bits != failed || !d.day.accounts[a.Key].open {
			continue
		}
		if t, ok := first[a.Key]; !ok {
			first[a.Key] = a.At
		} else if a.At-t >= gap {
			again[a.Key] = true
		}
	}
	if len(again) < threshold {
		return
	}
	if c := clean(acts); c >= d.tuning.Int("shared-accounts") && len(again) <= c*d.tuning.Int("shared-factor") {
		return
	}
	d.report(r, acts, func(a *detect.Act) bool { return again[a.Key] }, emit,
		detect.Number{Name: "accounts with wrong passwords in rounds at least half an hour apart", Value: len(again), Threshold: threshold, Window: 24 * time.Hour})
}

// unreported tells whether there is a failure that no finding has carried.
func unreported(acts []detect.Act) bool {
	for i := range acts {
		if a := &acts[i]; a.Bits == failed && !a.Reported {
			return true
		}
	}
	return false
}

// clean counts the accounts whose first result is a success: they belong here.
func clean(acts []detect.Act) int {
	seen := make(map[string]bool)
	n := 0
	for i := range acts {
		if a := &acts[i]; !seen[a.Key] {
			seen[a.Key] = true
			if a.Bits != failed {
				n++
			}
		}
	}
	return n
}

// report tells of the failures picked.
func (d *detector) report(r *resolve.Resolved, acts []detect.Act, pick func(*detect.Act) bool, emit func(detect.Finding), numbers ...detect.Number) {
	f := detect.FindingOf(r)
	f.Outcome = activity.Failure
	f.Numbers = numbers
	if detect.Report(acts, &f, func(a *detect.Act) bool { return a.Bits == failed && pick(a) }) {
		d.Reported = max(d.Reported, f.End)
		emit(f)
	}
}

// guesses tells of logons that followed reported failures within the time a
// guess is tried in: of the same account, or of any account where few others
// used the source before the guessing began.
func (d *detector) guesses(r *resolve.Resolved, i int, emit func(detect.Finding)) {
	const soon = 10 * time.Minute
	window := activity.Time(d.tuning.Seconds("failures-window"))
	if d.Reported == 0 || d.Reported < r.Time-window {
		return
	}
	alone := sync.OnceValue(func() bool { return d.alone(i) })
	var last activity.Time // last reported failure
	lastOf := make(map[string]activity.Time)
	f := detect.FindingOf(r)
	f.Outcome = activity.Success
	acts := d.Recent.Window(i, window)
	for j := range acts {
		a := &acts[j]
		if a.Reported && a.Bits == failed {
			last, lastOf[a.Key] = a.At, a.At
		}
		if a.Reported || a.Bits == failed {
			continue
		}
		own, tried := lastOf[a.Key]
		if tried && a.At.Sub(own) <= soon || last != 0 && a.At.Sub(last) <= soon && alone() {
			detect.Report(acts[j:j+1], &f, func(a *detect.Act) bool {
				a.Account.Role = detect.Guessed
				return true
			})
		}
	}
	if f.Count > 0 {
		emit(f)
	}
}

// alone tells that few used the source in the day before the act at i and
// before the guessing began.
func (d *detector) alone(i int) bool {
	before := d.Recent.Window(i, day)
	if first := slices.IndexFunc(before, func(a detect.Act) bool { return a.Reported }); first >= 0 {
		before = before[:first]
	}
	return clean(before) < d.tuning.Int("shared-accounts")
}

func summary(f detect.Facts) string {
	tried, guessed := f.Accounts[detect.Attacked]+f.Accounts[detect.Guessed], f.Accounts[detect.Guessed]
	var s string
	if tried == 1 {
		name := f.First[detect.Attacked]
		if name == "" {
			name = f.First[detect.Guessed]
		}
		s = fmt.Sprintf("%s tried %d passwords on %s at %s", f.Source, f.Count, name, f.Target)
	} else {
		s = fmt.Sprintf("%s tried passwords on %d accounts at %s, %d attempts in all", f.Source, tried, f.Target, f.Count)
	}
	switch {
	case guessed == 1:
		s += fmt.Sprintf(", and logged on as %s", f.First[detect.Guessed])
	case guessed > 1:
		s += fmt.Sprintf(", and logged on to %d of them", guessed)
	}
	return s + "."
}
