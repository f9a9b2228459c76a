// Package samrrecon detects users and groups being listed, and privileged ones
// being looked up, over SAMR.
package samrrecon

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
	ID:          "samr-recon",
	Name:        "User and group membership reconnaissance (SAMR)",
	MDIID:       2021,
	ATAIDs:      []int{2021},
	ATAKeys:     []string{"SamrReconnaissance"},
	Severity:    detect.Medium,
	Tactic:      "Discovery",
	Techniques:  []string{"T1087.002", "T1069.002"},
	Consumes:    []activity.Kind{activity.SAMRQuery},
	Learning:    28 * 24 * time.Hour,
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeComputer, detect.ExcludeAddress, detect.ExcludeAccount},
	Description: "A computer listed the users or groups of the domain over SAMR, or looked up its privileged ones.",
	Needs:       []string{"SAMR calls with their binds, over SMB that is not encrypted or over TCP"},
	BlindSpots: []string{
		"SMB 3 encryption, which hides the calls",
		"sealed calls: that something was listed is seen, which account or group was looked up is not",
		"without a learned baseline: scanners and consoles that do this every day are not told from newcomers, and at the high level a single list or look-up is let pass",
		"groups and accounts that only this domain holds to be privileged: those with well-known ids count",
		"names looked up one by one, however many, when none of them is privileged",
		"Windows events: none tells of these calls",
	},
	Legitimate: "An inventory or vulnerability scanner, a file server that maps users, or a help desk's `net group /domain`.",
	KeyMeans:   "source address",
	Tunables: []detect.Tunable{
		{Name: "lists", Unit: "kinds of lists", High: 2, Medium: 1, Low: 1, Min: 1, Max: 8,
			Why: "programs of Windows ask for an account they know; a tool takes users and groups and aliases"},
		{Name: "sensitive", Unit: "privileged accounts and groups", High: 3, Medium: 1, Low: 1, Min: 1, Max: 100,
			Why: "who looks at the members of one group may work on it; who looks at three takes stock"},
		{Name: "window", Unit: "seconds", High: 3600, Medium: 3600, Low: 3600, Min: 60, Max: 86_400,
			Why: "a person at a prompt needs minutes between questions, a tool none"},
	},
	README:  readme,
	Key:     key,
	New:     newDetector,
	Summary: summary,
}

const day = activity.Time(24 * 3600 * 1e9)

// listed marks an act as a list, rather than a look-up; the other two say what
// became of it.
const (
	listed = 1 << iota
	granted
	refused
)

// lists names what the enumerating calls list, by opnum (MS-SAMR §3.1.5.2,
// §3.1.5.3). Calls 48 and 51 are younger forms of 40.
var lists = map[uint16]string{
	11: "groups", 13: "users", 15: "aliases", 40: "accounts with details", 48: "accounts with details", 51: "accounts with details",
}

// lookups are the calls about an account or group that is named: LookupNames,
// GetMembersInGroup, GetMembersInAlias, QueryInformationUser and its second
// form, GetGroupsForUser.
var lookups = map[uint16]bool{17: true, 25: true, 33: true, 36: true, 39: true, 47: true}

const lookupNames = 17

// privileged are the accounts and groups of a domain, by RID, and those of
// Builtin, which give or lead to its control.
var (
	privileged = map[uint32]bool{
		names.RIDAdministrator: true, names.RIDKrbtgt: true, names.RIDDomainAdmins: true, names.RIDDomainControllers: true,
		names.RIDSchemaAdmins: true, names.RIDEnterpriseAdmins: true, names.RIDGroupPolicyCreators: true,
		names.RIDKeyAdmins: true, names.RIDEnterpriseKeyAdmins: true, names.RIDReadOnlyDCs: true, names.RIDEnterpriseReadOnlyDCs: true,
	}
	privilegedBuiltin = map[names.SID]bool{
		names.SIDAdministrators: true, names.SIDAccountOperators: true, names.SIDServerOperators: true,
		names.SIDPrintOperators: true, names.SIDBackupOperators: true, names.SIDReplicator: true,
		names.SIDNetworkConfigOps: true, names.SIDTrustBuilders: true,
	}
)

const builtin = "S-1-5-32" // the domain of the aliases that every computer has

// detector remembers, for one source, the last day's lists and look-ups. Acts
// are added by Process and dropped by Recent after a day.
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

// tally counts a window's kinds of lists, and the privileged ones looked up.
type tally struct{ lists, sensitive map[string]int }

func (t *tally) Reset()              { *t = tally{make(map[string]int), make(map[string]int)} }
func (t *tally) Enter(a *detect.Act) { t.count(a, 1) }
func (t *tally) Leave(a *detect.Act) { t.count(a, -1) }

func (t *tally) count(a *detect.Act, n int) {
	m := t.sensitive
	if a.Bits&listed != 0 {
		m = t.lists
	}
	if m[a.Key] += n; m[a.Key] == 0 {
		delete(m, a.Key)
	}
}

func key(r *resolve.Resolved) string {
	if r.Source.DC != "" || r.Source.Promoted || lists[r.RPC.Opnum] == "" && sensitive(r.RPC) == "" || !known(r.RPC) {
		return ""
	}
	return detect.SourceAddress(r)
}

// known tells that the call is one of SAMR: opnums of an unknown interface prove
// nothing.
func known(c *activity.RPC) bool { return c.BindSeen || c.Pipe == "samr" }

// sensitive names the first privileged account or group that a call looks up, ""
// when there is none. One to a call: tools ask for several names at once, and
// then for each.
func sensitive(c *activity.RPC) string {
	if !lookups[c.Opnum] || !known(c) {
		return ""
	}
	sid, err := names.ParseSID(c.SID)
	if err != nil {
		return "" // sealed, or the handle's origin was not seen
	}
	if c.Opnum != lookupNames {
		return wellKnown(sid) // the handle stands for the account or group
	}
	for _, rid := range c.RIDs {
		if name := wellKnown(sid.WithRID(rid)); name != "" {
			return name
		}
	}
	return ""
}

func wellKnown(sid names.SID) string {
	rid, _ := sid.RID()
	if sid.DomainRID(rid) && privileged[rid] || privilegedBuiltin[sid] {
		return sid.WellKnown()
	}
	return ""
}

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	act := detect.ActOf(r, lists[r.RPC.Opnum])
	act.Account = detect.Party{}
	if act.Key != "" {
		act.Bits = listed
		if r.RPC.SID == builtin {
			act.Key += " of Builtin"
		}
	} else {
		act.Key = sensitive(r.RPC)
		act.Account = detect.Party{Name: act.Key, Role: detect.Exists, Key: "sensitive:" + act.Key}
	}
	switch r.Outcome {
	case activity.Success:
		act.Bits |= granted
	case activity.Failure:
		act.Bits |= refused
	}
	if i := d.Recent.Add(act, day); i >= 0 {
		d.slide.To(i, func(end int) { d.judge(r, end, emit) })
	}
}

func (d *detector) judge(r *resolve.Resolved, end int, emit func(detect.Finding)) {
	var (
		window  = d.tuning.Seconds("window")
		numbers []detect.Number
	)
	if n, threshold := len(d.tally.lists), d.tuning.Int("lists"); n >= threshold {
		numbers = append(numbers, detect.Number{Name: "kinds of lists", Value: n, Threshold: threshold, Window: window})
	}
	if n, threshold := len(d.tally.sensitive), d.tuning.Int("sensitive"); n >= threshold {
		numbers = append(numbers, detect.Number{Name: "privileged accounts and groups looked up", Value: n, Threshold: threshold, Window: window})
	}
	if numbers == nil {
		return
	}
	f := detect.FindingOf(r)
	var bits uint32
	var kinds []string
	if !detect.Report(d.Recent.Window(end, activity.Time(window)), &f, func(a *detect.Act) bool {
		bits |= a.Bits
		if a.Bits&listed != 0 && !slices.Contains(kinds, a.Key) {
			kinds = append(kinds, a.Key)
		}
		return true
	}) {
		return
	}
	f.Accounts = slices.DeleteFunc(f.Accounts, func(p detect.Party) bool { return p.Name == "" })
	if !r.Account.Zero() {
		f.Accounts = append(f.Accounts, detect.PartyOf(r.Account, detect.Actor))
	}
	switch {
	case bits&granted != 0:
		f.Outcome = activity.Success
	case bits&refused != 0:
		f.Outcome = activity.Failure
	}
	f.Numbers = numbers
	for _, k := range kinds {
		f.Notes = append(f.Notes, "Listed "+k+".")
	}
	if r.Target.DC == "" {
		f.Certainty = resolve.Low
		f.Notes = append(f.Notes, "That the target is a domain controller is not known: every computer has users and groups of its own.")
	}
	emit(f)
}

func summary(f detect.Facts) string {
	who := f.Source
	if name := f.First[detect.Actor]; name != "" {
		who += " as " + name
	}
	var did []string
	for _, n := range f.Numbers {
		if n.Name == "kinds of lists" {
			did = append(did, "listed users or groups")
		}
	}
	switch n := f.Accounts[detect.Exists]; {
	case n == 1:
		did = append(did, "looked up "+f.First[detect.Exists])
	case n > 1:
		did = append(did, fmt.Sprintf("looked up %d privileged accounts and groups", n))
	}
	s := fmt.Sprintf("%s %s on %s over SAMR", who, strings.Join(did, " and "), f.Target)
	if f.Outcome == activity.Failure {
		s += ", and was refused"
	}
	return s + "."
}
