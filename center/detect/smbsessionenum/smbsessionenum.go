// Package smbsessionenum detects a computer that asks a domain controller who
// has sessions with it, and from where.
package smbsessionenum

import (
	_ "embed"
	"fmt"
	"net/netip"
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
	ID:          "smb-session-enum",
	Name:        "User and IP address reconnaissance (SMB)",
	MDIID:       2012,
	ATAIDs:      []int{2012},
	ATAKeys:     []string{"EnumerateSessions"},
	Severity:    detect.Medium,
	Tactic:      "Discovery",
	Techniques:  []string{"T1087.002", "T1049"},
	Consumes:    []activity.Kind{activity.SessionQuery},
	Learning:    14 * 24 * time.Hour,
	Retain:      15 * 24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A computer that is not a domain controller asked a domain controller who has SMB sessions with it, which tells at which addresses people work.",
	Needs:       []string{"DCE/RPC binds and calls on the server service interface (the pipe srvsvc), not encrypted by SMB 3"},
	BlindSpots: []string{
		"calls inside encrypted SMB 3, or on a connection whose bind was not captured",
		"sessions asked for on servers that are not watched: every file server answers too",
		"what a sealed call returned",
		"which computers asked before Verderer watched: until it has seen them on as many days as habit-days says, or they are excluded, inventories alert",
	},
	Legitimate: "An inventory or a virus scanner, or an administrator's console that lists the sessions of a server.",
	KeyMeans:   "source address",
	Tunables: []detect.Tunable{
		{Name: "habit-days", Unit: "days of the 14 before", High: 5, Medium: never, Low: never, Min: 1, Max: never,
			Why: "what asks on five days of two weeks is an inventory; 15 of 14 days switches this off"},
	},
	README:  readme,
	Key:     key,
	New:     func(t detect.Tuning) detect.Detector { return &detector{tuning: t} },
	Summary: summary,
}

const (
	habit = 14        // days that a habit is looked for in
	never = habit + 1 // more days than there are

	day = activity.Time(24 * 3600 * 1e9)

	// maxPlaces caps the pairs that one finding spells out.
	maxPlaces = 20
)

// detector remembers on which days one source asked. Days are added by Process,
// which drops those that are too old to be looked at: at most two weeks and the
// latest day stay.
type detector struct {
	Days   []int64 // since 1970, sorted
	Calls  int     // told of since the latest of them began
	tuning detect.Tuning
}

// key picks NetrSessionEnum (MS-SRVS §3.1.4.5) on a connection whose bind was
// seen: opnum 12 of an unknown interface proves nothing.
func key(r *resolve.Resolved) string {
	if !r.RPC.BindSeen || r.Source.DC != "" || r.Source.Promoted {
		return ""
	}
	return detect.SourceAddress(r)
}

func (d *detector) Size() int { return len(d.Days) }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	days, threshold := d.before(int64(r.Time/day)), d.tuning.Int("habit-days")
	if days >= threshold {
		return
	}
	d.Calls++
	f := detect.FindingOf(r)
	f.Start, f.End = r.Time, r.Time
	f.Count = 1
	f.Outcome = r.Outcome
	f.Activities = []activity.ID{r.ID}
	f.Targets = []detect.Computer{detect.ComputerOf(r.Target)}
	f.Numbers = []detect.Number{
		{Name: "requests of the day for the sessions of a server by a computer that is no domain controller", Value: d.Calls, Threshold: 1},
	}
	if threshold != never {
		f.Numbers = append(f.Numbers, detect.Number{Name: "days of the 14 before on which it asked too, fewer than make a habit", Value: days, Threshold: threshold})
	}
	if !r.Account.Zero() {
		f.Accounts = append(f.Accounts, detect.PartyOf(r.Account, detect.Actor))
	}
	learned(r, &f)
	if r.Target.DC == "" {
		f.Certainty = resolve.Low
		f.Notes = append(f.Notes, fmt.Sprintf("%s is not known as a domain controller. On file servers administrators list sessions more often.", r.Target.Label()))
	}
	emit(f)
}

// before counts the days of the two weeks before today on which the source
// asked, and notes today.
func (d *detector) before(today int64) (n int) {
	i, found := slices.BinarySearch(d.Days, today)
	for _, old := range d.Days[:i] {
		if old >= today-habit {
			n++
		}
	}
	if !found {
		if i == len(d.Days) {
			d.Calls = 0
		}
		d.Days = slices.Insert(d.Days, i, today)
		latest := d.Days[len(d.Days)-1]
		d.Days = slices.DeleteFunc(d.Days, func(old int64) bool { return old < latest-habit })
	}
	return n
}

// learned adds whose sessions the answer told of, the asker's own aside.
func learned(r *resolve.Resolved, f *detect.Finding) {
	switch {
	case r.RPC.Sealed:
		f.Notes = append(f.Notes, "The call was sealed: what it returned could not be read.")
		return
	case r.Outcome != activity.Success:
		f.Notes = append(f.Notes, "No session was seen to be told.")
		return
	}
	var places []string
	for _, s := range r.RPC.Sessions {
		client := strings.TrimLeft(s.Client, `\`)
		who := names.ParseAccount(s.User)
		if s.User == "" || own(r, who, client) {
			continue
		}
		f.Accounts = append(f.Accounts, detect.Party{Name: who.Name, Domain: who.Domain, Role: detect.Exists, Key: accountKey(who)})
		if client != "" && !slices.Contains(places, s.User+" at "+client) {
			places = append(places, s.User+" at "+client)
		}
	}
	more := ""
	if n := len(places) - maxPlaces; n > 0 {
		places, more = places[:maxPlaces], fmt.Sprintf(" and %d more", n)
	}
	switch {
	case len(places) > 0:
		f.Notes = append(f.Notes, "It learned of "+strings.Join(places, ", ")+more+".")
	default:
		f.Notes = append(f.Notes, "It learned of no session but its own.")
	}
}

// accountKey is the key that resolved accounts have too: the folded name, and the
// first label of the domain where the server says it.
func accountKey(who names.Account) string {
	label, _, _ := strings.Cut(names.Fold(who.Domain), ".")
	return names.Fold(who.Name) + "@" + label
}

// own tells the session that the question itself came in.
func own(r *resolve.Resolved, who names.Account, client string) bool {
	if a, err := netip.ParseAddr(client); err != nil || a.Unmap() != r.Source.Addr.Unmap() {
		return false
	}
	return r.Account.Zero() || names.Fold(who.Name) == names.Fold(r.Account.Name)
}

func summary(f detect.Facts) string {
	s := f.Source
	if who := f.First[detect.Actor]; who != "" {
		s += " as " + who
	}
	if n := f.Accounts[detect.Actor]; n > 1 {
		s += fmt.Sprintf(" and %d more", n-1)
	}
	switch f.Outcome {
	case activity.Success:
		s += " listed the SMB sessions of " + f.Target
	case activity.Failure:
		s += " tried to list the SMB sessions of " + f.Target + " and was refused"
	default:
		s += " asked " + f.Target + " for its SMB sessions"
	}
	switch n := f.Accounts[detect.Exists]; n {
	case 0:
	case 1:
		s += " and learned where " + f.First[detect.Exists] + " is"
	default:
		s += fmt.Sprintf(" and learned where %d accounts are", n)
	}
	return s + "."
}
