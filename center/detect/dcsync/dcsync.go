// Package dcsync detects replication of directory secrets by a computer that is
// no domain controller.
package dcsync

import (
	"fmt"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

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
	Consumes:    []activity.Kind{activity.Replication},
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeAccount, detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A computer that is not a domain controller asked a domain controller to replicate directory objects, which hands out password hashes.",
	Needs:       []string{"DCE/RPC binds and calls on the directory replication interface", "the set of domain controllers, from the directory or from what they answer"},
	BlindSpots: []string{
		"requests to a domain controller that is not watched",
		"a connection whose bind was not captured: its interface is unknown",
		"replication from the address of a real domain controller, or within a day of having been promoted to one",
	},
	Legitimate: "A directory synchronisation server (Entra Connect with password hashes, a migration tool), or a domain controller not yet known as one.",
	KeyMeans:   "source address",
	Key:        key,
	New:        func(detect.Tuning) detect.Detector { return &detector{} },
	Summary:    summary,
}

// detector counts the calls of one source, for the evidence: one is enough.
type detector struct {
	Calls int
}

// key picks DRSGetNCChanges (MS-DRSR §4.1.10) on a connection whose bind was
// seen: opnum 3 of an unknown interface proves nothing.
func key(r *resolve.Resolved) string {
	if r.DRS.Opnum != activity.DRSGetNCChanges || !r.DRS.BindSeen {
		return ""
	}
	return detect.SourceAddress(r)
}

func (*detector) Size() int { return 0 }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
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
	f.Notes = append(f.Notes, fmt.Sprintf("%s is not known as a domain controller: it is not listed in a directory snapshot, has answered no Kerberos, replication or locator request, and no domain controller's DNS names it as one.", r.Source.Label()))
	if r.DRS.Context != "" {
		f.Notes = append(f.Notes, "Asked for "+r.DRS.Context+".")
	}
	if r.Target.DC == "" {
		f.Certainty = resolve.Low
		f.Notes = append(f.Notes, "That the target is a domain controller rests on this call alone.")
	}
	emit(f)
}

func summary(f detect.Facts) string {
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
