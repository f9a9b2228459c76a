// Package zerologon detects Netlogon authentications with an all-zero credential
// (CVE-2020-1472), and the password that is taken or emptied after one was accepted.
package zerologon

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/names"
)

//go:embed README.md
var readme string

// Definition of the detection.
var Definition = detect.Definition{
	ID:          "zerologon",
	Name:        "Suspected Netlogon privilege elevation attempt (CVE-2020-1472)",
	MDIID:       2411,
	Severity:    detect.High,
	Tactic:      "Privilege escalation",
	Techniques:  []string{"T1068", "T1210"},
	Consumes:    []activity.Kind{activity.NetlogonChannel, activity.DirectoryChange},
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeAccount, detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A computer authenticated to Netlogon with a credential of zeros, which an unpatched domain controller accepts once in 256 times without the password.",
	Needs: []string{
		"DCE/RPC binds and calls on the Netlogon interface of domain controllers, over TCP or readable SMB",
		"or Windows event 4742 of domain controllers",
	},
	BlindSpots: []string{
		"attempts over encrypted SMB, and on a connection whose bind was not captured",
		"sealed calls show neither credential nor verdict: only very many of them are told",
		"from events: attempts, where they come from, and a change that one domain controller makes to the account of another: there is no list of their accounts",
		"which accounts are domain controllers': the attack on any computer's account is told of in the same way",
	},
	Legitimate: "A vulnerability scanner testing for CVE-2020-1472. From event 4742 alone: a domain controller's own change of its password, every 30 days.",
	KeyMeans:   "account authenticated as, or the source address where calls are sealed",
	Tunables: []detect.Tunable{
		{Name: "attempts", Unit: "attempts", High: 5, Medium: 1, Low: 1, Min: 1, Max: 1000,
			Why: "no client that knows a password sends zeros; but a single refused try got nowhere, and it takes 256 on average"},
		{Name: "sealed-attempts", Unit: "sealed authentications", High: 50, Medium: 50, Low: 50, Min: 2, Max: 10_000,
			Why: "members set a channel up once and keep it, and do so before there is anything to seal with"},
		{Name: "window", Unit: "seconds", High: 60, Medium: 60, Low: 60, Min: 1, Max: 86_400,
			Why: "tools make dozens of tries in a second and use the channel at once"},
	},
	README:  readme,
	Key:     key,
	New:     newDetector,
	Summary: summary,
}

// Opnums (MS-NRPC §3.5.4.4).
const (
	serverAuthenticate      = 5
	serverPasswordSet       = 6
	serverAuthenticate2     = 15
	serverAuthenticate3     = 26
	serverPasswordSet2      = 30
	serverPasswordGet       = 31
	serverTrustPasswordsGet = 42
)

// bits of an act
const (
	tried   = 1 << iota // authenticated with a credential of zeros
	hidden              // authenticated, sealed
	used                // set or read the password through the channel
	emptied             // set it to zeros in the clear, knowing no session key
	logged              // an event tells of the domain controller's new password
	granted             // the domain controller said yes
	refused             // it said no
)

const (
	// changePassword is event 4742, a computer account was changed.
	changePassword = 4742
	// anonymous is the SID that the domain controller books changes through
	// Netlogon to (MS-DTYP §2.4.2.4): the channel has no logon of its own.
	anonymous = "S-1-5-7"

	day = activity.Time(24 * 3600 * 1e9)
)

// Names of the numbers, by which the summary knows what happened.
const (
	tries    = "authentications with an all-zero credential"
	accepted = "all-zero credentials accepted"
	taken    = "passwords set or read through the channel"
	zeroed   = "passwords sent as plain zeros"
	sealed   = "sealed Netlogon authentications"
	event    = "password changes of a domain controller's account by ANONYMOUS LOGON"
)

// detector remembers, for one account, the last day's attempts on it and uses of
// its channel, by source. Acts are added by Process and dropped by Recent after a
// day.
type detector struct {
	Recent detect.Recent
	tuning detect.Tuning
	tally  tally
	slide  *detect.Slide
}

func newDetector(t detect.Tuning) detect.Detector {
	d := &detector{tuning: t}
	d.slide = d.Recent.Slide(activity.Time(t.Seconds("window")), &d.tally)
	return d
}

// tally counts a window's acts by source, which is their key.
type tally struct{ tried, accepted, hidden map[string]int }

func (t *tally) Reset() {
	*t = tally{make(map[string]int), make(map[string]int), make(map[string]int)}
}

func (t *tally) Enter(a *detect.Act) { t.count(a, 1) }
func (t *tally) Leave(a *detect.Act) { t.count(a, -1) }

func (t *tally) count(a *detect.Act, n int) {
	add := func(m map[string]int, ok bool) {
		if !ok {
			return
		}
		if m[a.Key] += n; m[a.Key] == 0 {
			delete(m, a.Key)
		}
	}
	add(t.tried, a.Bits&tried != 0)
	add(t.accepted, a.Bits&(tried|granted) == tried|granted)
	add(t.hidden, a.Bits&hidden != 0)
}

func key(r *resolve.Resolved) string {
	switch bits, account := reads(r); {
	case bits == 0:
		return ""
	case bits&hidden != 0:
		source := detect.SourceAddress(r)
		if source == "" {
			return ""
		}
		return "source:" + source
	default:
		return "account:" + names.Fold(account)
	}
}

// reads tells what the activity is, 0 for nothing of interest, and the account
// that it is about.
func reads(r *resolve.Resolved) (bits uint32, account string) {
	if r.Kind == activity.DirectoryChange {
		if ownPassword(r) {
			return logged | granted, r.Change.Object
		}
		return 0, ""
	}
	n := r.Netlogon
	if n.Call == nil || !n.Call.BindSeen { // from an event, or a guessed interface
		return 0, ""
	}
	switch n.Call.Opnum {
	case serverAuthenticate, serverAuthenticate2, serverAuthenticate3:
		switch {
		case n.Call.Sealed:
			return hidden, ""
		case n.ZeroCredential:
			bits = tried
		}
	case serverPasswordSet, serverPasswordSet2, serverPasswordGet, serverTrustPasswordsGet:
		switch {
		case n.ZeroPassword:
			bits = used | emptied
		case r.Outcome == activity.Success && n.Call.Object != "":
			bits = used
		}
	}
	if bits == 0 {
		return 0, ""
	}
	switch r.Outcome {
	case activity.Success:
		bits |= granted
	case activity.Failure:
		bits |= refused
	}
	return bits, n.Call.Object
}

// ownPassword tells an event by which a domain controller says that somebody
// without a logon changed the password of its own account. For members that is
// how every change looks, as they make theirs through Netlogon.
func ownPassword(r *resolve.Resolved) bool {
	c := r.Change
	if c.Event != changePassword || r.Account.SID != anonymous ||
		!slices.ContainsFunc(c.Attributes, func(a activity.AttributeChange) bool { return a.Name == "pwdLastSet" }) {
		return false
	}
	// sAMAccountName is the NetBIOS name, of 15 characters at most, and "$".
	host, ok := strings.CutSuffix(names.Fold(c.Object), "$")
	own := names.ShortHost(r.Target.Name)
	return ok && host != "" && (host == own || len(host) == 15 && strings.HasPrefix(own, host))
}

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	bits, account := reads(r)
	act := detect.ActOf(r, detect.SourceAddress(r))
	act.Bits = bits
	act.Account = detect.Party{Name: account, Role: detect.Attacked, Key: names.Fold(account)}
	if r.Kind == activity.DirectoryChange {
		act.Account.Domain, act.Account.SID = r.Change.Domain, r.Change.SID
	}
	i := d.Recent.Add(act, day)
	if i < 0 {
		return
	}
	d.slide.To(i, func(end int) {
		if d.Recent.Acts[end].Key == act.Key {
			d.judge(r, end, emit)
		}
	})
}

func (d *detector) judge(r *resolve.Resolved, end int, emit func(detect.Finding)) {
	var (
		window  = d.tuning.Seconds("window")
		last    = &d.Recent.Acts[end]
		channel = d.tally.accepted[last.Key] // accepted so far
		numbers []detect.Number
		notes   []string
	)
	if n, threshold := d.tally.tried[last.Key], d.tuning.Int("attempts"); n >= threshold {
		numbers = append(numbers, detect.Number{Name: tries, Value: n, Threshold: threshold, Window: window})
	}
	if channel > 0 {
		numbers = append(numbers, detect.Number{Name: accepted, Value: channel, Threshold: 1, Window: window})
	}
	if n, threshold := d.tally.hidden[last.Key], d.tuning.Int("sealed-attempts"); n >= threshold {
		numbers = append(numbers, detect.Number{Name: sealed, Value: n, Threshold: threshold, Window: window})
	}
	use := last.Bits&emptied != 0 || last.Bits&used != 0 && channel > 0
	if use {
		if last.Bits&emptied != 0 {
			numbers = append(numbers, detect.Number{Name: zeroed, Value: 1, Threshold: 1})
		}
		if last.Bits&granted != 0 {
			numbers = append(numbers, detect.Number{Name: taken, Value: 1, Threshold: 1})
		}
	}
	if last.Bits&logged != 0 {
		numbers = append(numbers, detect.Number{Name: event, Value: 1, Threshold: 1})
		notes = append(notes, fmt.Sprintf("%s logged event 4742: ANONYMOUS LOGON changed the password of %s.", last.Target.ID(), last.Account.Name))
	}
	if numbers == nil {
		return
	}
	f := detect.FindingOf(r)
	if !detect.Report(d.Recent.Window(end, activity.Time(window)), &f, func(a *detect.Act) bool {
		if a.Key != last.Key || a.Bits&used != 0 && (a != last || !use) {
			return false
		}
		switch {
		case a.Bits&granted != 0:
			f.Outcome = activity.Success
		case a.Bits&refused != 0 && f.Outcome == activity.Attempt:
			f.Outcome = activity.Failure
		}
		return true
	}) {
		return
	}
	if last.Bits&logged != 0 && !slices.ContainsFunc(d.Recent.Acts, func(a detect.Act) bool { return a.Bits&tried != 0 }) {
		f.Certainty = resolve.Low
		notes = append(notes, "No attempt was seen on the wire: this rests on the event alone.")
	}
	f.Numbers, f.Notes = numbers, notes
	emit(f)
}

func summary(f detect.Facts) string {
	saw := func(name string) bool {
		return slices.ContainsFunc(f.Numbers, func(n detect.Number) bool { return n.Name == name })
	}
	account := f.First[detect.Attacked]
	if account == "" {
		account = "an account that is not readable"
	}
	channel := fmt.Sprintf("a Netlogon channel with %s as %s", f.Target, account)
	switch {
	case saw(taken):
		return fmt.Sprintf("%s set up %s without its password, by a credential of zeros, and set or read the password: the account is taken over.", f.Source, channel)
	case saw(event) && (saw(tries) || saw(accepted)):
		return fmt.Sprintf("%s tried to set up %s by a credential of zeros, and the password was changed: the account is taken over.", f.Source, channel)
	case saw(event):
		return fmt.Sprintf("ANONYMOUS LOGON changed the password of %s, the account of the domain controller %s.", account, f.Target)
	case saw(accepted):
		return fmt.Sprintf("%s set up %s without its password: a credential of zeros was accepted.", f.Source, channel)
	case saw(tries):
		s := fmt.Sprintf("%s tried to set up %s by a credential of zeros", f.Source, channel)
		if f.Outcome == activity.Failure {
			s += " and was refused"
		}
		return s + "."
	case saw(zeroed):
		return fmt.Sprintf("%s sent %s a password of plain zeros for %s.", f.Source, f.Target, account)
	default:
		return fmt.Sprintf("%s made %d sealed Netlogon authentications with %s within moments, as attacks on CVE-2020-1472 do.", f.Source, f.Count, f.Target)
	}
}
