// Package dcsync detects replication of directory secrets by a computer that is
// no domain controller, or by an account that is none's.
package dcsync

import (
	_ "embed"
	"fmt"
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
	ID:          "dcsync",
	Name:        "Suspected DCSync attack (replication of directory services)",
	MDIID:       2006,
	ATAIDs:      []int{2006},
	ATAKeys:     []string{"DirectoryServicesReplication"},
	Severity:    detect.High,
	Tactic:      "Credential access",
	Techniques:  []string{"T1003.006"},
	Consumes:    []activity.Kind{activity.Replication, activity.DirectoryAccess},
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeAccount, detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A computer that is not a domain controller asked a domain controller to replicate directory objects, which hands out password hashes.",
	Needs: []string{
		"DCE/RPC binds and calls on the directory replication interface, with the set of domain controllers, from the directory or from what they answer",
		"or Windows event 4662 of domain controllers, which they write where directory service access is audited on the domain object",
	},
	BlindSpots: []string{
		"requests to a domain controller that is not watched",
		"a connection whose bind was not captured: its interface is unknown",
		"replication from the address of a real domain controller, or within a day of having been promoted to one",
		"from events: which computer asked, and, without a list of domain controllers, any computer account",
	},
	Legitimate: "A directory synchronisation server (Entra Connect with password hashes, a migration tool), or a domain controller not yet known as one.",
	KeyMeans:   "source address, or the account where only an event tells of it",
	README:     readme,
	Key:        key,
	New:        func(detect.Tuning) detect.Detector { return &detector{} },
	Summary:    summary,
}

// detector counts the calls of one source, or the uses of the right by one
// account, for the evidence: one is enough.
type detector struct {
	Calls int
}

// key picks DRSGetNCChanges (MS-DRSR §4.1.10) on a connection whose bind was
// seen: opnum 3 of an unknown interface proves nothing. Of events it picks the
// use of the right to replicate secrets; the right to replicate the rest
// (Get-Changes) is used by whatever reads the directory's changes.
func key(r *resolve.Resolved) string {
	if r.Kind == activity.DirectoryAccess {
		if r.Access.AccessMask&activity.AccessControl == 0 || !slices.Contains(r.Access.Properties, activity.RightGetChangesAll) {
			return ""
		}
		if r.Account.Name == "" {
			return "account:" + r.Account.SID
		}
		return "account:" + r.Account.Key
	}
	if r.DRS.Opnum != activity.DRSGetNCChanges || !r.DRS.BindSeen {
		return ""
	}
	return detect.SourceAddress(r)
}

func (*detector) Size() int { return 0 }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	if r.Kind == activity.DirectoryAccess {
		d.rightUsed(r, emit)
		return
	}
	if r.Source.DC != "" || r.Source.Promoted || r.Account.Replicator {
		return
	}
	d.Calls++
	f := detect.FindingOf(r)
	f.Start, f.End = r.Time, r.Time
	f.Count = 1
	f.Outcome = r.Outcome
	f.Activities = []activity.ID{r.ID}
	f.Targets = []detect.Computer{detect.ComputerOf(r.Target)}
	if !r.Account.Zero() {
		f.Accounts = []detect.Party{detect.PartyOf(r.Account, detect.Actor)}
	}
	f.Numbers = []detect.Number{
		{Name: "replication requests from a computer that is no domain controller", Value: d.Calls, Threshold: 1},
	}
	f.Notes = append(f.Notes, fmt.Sprintf("%s is not known as a domain controller. Where a directory snapshot lists them, the list decides; otherwise what a computer answers, and what a domain controller's DNS says of it.", r.Source.Label()))
	if r.DRS.Context != "" {
		f.Notes = append(f.Notes, "Asked for "+r.DRS.Context+".")
	}
	if r.Target.DC == "" {
		f.Certainty = resolve.Low
		f.Notes = append(f.Notes, "That the target is a domain controller rests on this call alone.")
	}
	emit(f)
}

// localSystem is the SID of a domain controller's own services (MS-DTYP §2.4.2.4).
const localSystem = "S-1-5-18"

// uses names the number that findings from events have, and no others.
const uses = "uses of the right to replicate secrets by an account that is no domain controller's"

// rightUsed judges an event by its account: it does not say where from.
func (d *detector) rightUsed(r *resolve.Resolved, emit func(detect.Finding)) {
	switch acc := r.Account; {
	case acc.DC, acc.Replicator, acc.SID == localSystem:
		return
	}
	d.Calls++
	f := detect.FindingOf(r)
	f.Start, f.End = r.Time, r.Time
	f.Count = 1
	f.Outcome = r.Outcome
	f.Activities = []activity.ID{r.ID}
	f.Targets = []detect.Computer{detect.ComputerOf(r.Target)}
	f.Accounts = []detect.Party{detect.PartyOf(r.Account, detect.Actor)}
	f.Numbers = []detect.Number{{Name: uses, Value: d.Calls, Threshold: 1}}
	f.Notes = append(f.Notes, fmt.Sprintf("%s audited the use of DS-Replication-Get-Changes-All (%s) on %s.",
		r.Target.Label(), activity.RightGetChangesAll, objectLabel(r.Access)))
	emit(f)
}

// objectLabel is the object of an event for people.
func objectLabel(a *activity.Access) string {
	if a.ObjectName == "" {
		return "an object it does not name"
	}
	return "the object " + a.ObjectName
}

func summary(f detect.Facts) string {
	if slices.ContainsFunc(f.Numbers, func(n detect.Number) bool { return n.Name == uses }) {
		return fmt.Sprintf("%s, which is not a domain controller's account, used the right to replicate directory secrets on %s.", f.First[detect.Actor], f.Target)
	}
	s := f.Source + ", which is not a domain controller, "
	switch f.Outcome {
	case activity.Success:
		s += "replicated directory objects from " + f.Target
	case activity.Failure:
		s += "tried to replicate directory objects from " + f.Target + " and was refused"
	default:
		s += "asked " + f.Target + " to replicate directory objects"
	}
	if who := f.First[detect.Actor]; who != "" {
		s += " as " + who
	}
	return s + "."
}
