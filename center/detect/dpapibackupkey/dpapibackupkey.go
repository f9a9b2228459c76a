// Package dpapibackupkey detects reading of the key that a domain keeps to open
// everything its users protected with DPAPI.
package dpapibackupkey

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
	ID:          "dpapi-backup-key",
	Name:        "Malicious request of the DPAPI domain backup key",
	MDIID:       2020,
	ATAIDs:      []int{2020},
	ATAKeys:     []string{"RetrieveDataProtectionBackupKey"},
	Severity:    detect.High,
	Tactic:      "Credential access",
	Techniques:  []string{"T1555"},
	Consumes:    []activity.Kind{activity.SecretQuery, activity.DirectoryAccess},
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A computer that is not a domain controller asked a domain controller for the key that opens whatever any user of the domain protected with DPAPI.",
	Needs: []string{
		"DCE/RPC binds and calls on the local security authority's interface (the pipe lsarpc), neither sealed nor encrypted by SMB 3",
		"or Windows event 4662 of domain controllers for the LSA's secrets, which they write where their access is audited",
	},
	BlindSpots: []string{
		"calls that are sealed or inside encrypted SMB 3, unless the event is there",
		"a connection whose bind was not captured: its interface is unknown",
		"requests to a domain controller that is not watched",
		"a copy of the key made on the domain controller itself, by replication, or from a backup",
		"from events: which computer asked, and, without a list of domain controllers, any computer account",
	},
	Legitimate: "Hardly any: a sanctioned security test, or forensics that must open a user's protected data.",
	KeyMeans:   "source address, or the account where only an event tells of it",
	README:     readme,
	Key:        key,
	New:        func(detect.Tuning) detect.Detector { return &detector{} },
	Summary:    summary,
}

const (
	// Opnums of MS-LSAD §3.1.4 that open a secret; the others of the kind read one.
	opOpenSecret  = 28
	opOpenSecret2 = 136

	queryValue  uint32 = 0x2        // SECRET_QUERY_VALUE (MS-LSAD §2.2.1.1.4)
	localSystem        = "S-1-5-18" // a domain controller's own services (MS-DTYP §2.4.2.4)
)

// detector counts the requests of one source or account, for the evidence: one
// is enough.
type detector struct {
	Requests int
}

// key picks what is about the backup key and by none that has it already. The
// calls that computers recover keys with (BackuprKey of MS-BKRP) are others.
func key(r *resolve.Resolved) string {
	if r.Kind == activity.DirectoryAccess {
		acc := r.Account
		switch {
		case r.Access.ObjectServer != "LSA" || r.Access.AccessMask&queryValue == 0 || !backupKey(r.Access.ObjectName):
			return ""
		case acc.DC, acc.SID == localSystem:
			return ""
		case acc.Name == "":
			return "account:" + acc.SID
		}
		return "account:" + acc.Key
	}
	if !backupKey(r.RPC.Object) || r.Source.DC != "" || r.Source.Promoted {
		return ""
	}
	return detect.SourceAddress(r)
}

// backupKey tells the names of the secrets (MS-BKRP).
func backupKey(secret string) bool { return strings.HasPrefix(short(secret), "bckupkey") }

// pointer tells the two secrets that name the keys in use and hold none.
func pointer(secret string) bool {
	s := short(secret)
	return s == "bckupkey_preferred" || s == "bckupkey_p"
}

// short is a secret's name folded, without what marks it as global to the domain
// and without the path that events have before it.
func short(secret string) string {
	s := secret[strings.LastIndexByte(secret, '\\')+1:]
	return strings.TrimPrefix(names.Fold(s), "g$")
}

func (*detector) Size() int { return 0 }

// audited names the number that findings from events have, and no others.
const audited = "reads of the backup key by an account that is no domain controller's"

// Process reports each request. It succeeded where the key itself was read; its
// name, or a handle to it, is on the way there.
func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	d.Requests++
	f := detect.FindingOf(r)
	f.Start, f.End = r.Time, r.Time
	f.Count = 1
	f.Outcome = r.Outcome
	f.Activities = []activity.ID{r.ID}
	f.Targets = []detect.Computer{detect.ComputerOf(r.Target)}
	if r.Account.Key != "" || r.Account.SID != "" {
		f.Accounts = []detect.Party{detect.PartyOf(r.Account, detect.Actor)}
	}
	if r.Kind == activity.DirectoryAccess {
		f.Numbers = []detect.Number{{Name: audited, Value: d.Requests, Threshold: 1}}
		f.Notes = []string{fmt.Sprintf("%s audited that the secret %s was read.", r.Target.Label(), r.Access.ObjectName)}
		if f.Outcome == activity.Success && pointer(r.Access.ObjectName) {
			f.Outcome = activity.Attempt
		}
		emit(f)
		return
	}
	f.Numbers = []detect.Number{{Name: "requests for the backup key by a computer that is no domain controller", Value: d.Requests, Threshold: 1}}
	switch opens := r.RPC.Opnum == opOpenSecret || r.RPC.Opnum == opOpenSecret2; {
	case opens && r.Outcome == activity.Success:
		f.Outcome = activity.Attempt // nothing has been read yet
		f.Notes = []string{"Opened the secret " + r.RPC.Object + "."}
	case r.Outcome == activity.Success && pointer(r.RPC.Object):
		f.Outcome = activity.Attempt
		f.Notes = []string{"Read the secret " + r.RPC.Object + ", which names the key in use."}
	case r.Outcome == activity.Success:
		f.Notes = []string{"Read the secret " + r.RPC.Object + "."}
	case r.Outcome == activity.Failure:
		f.Notes = []string{"Asked for the secret " + r.RPC.Object + " and did not get it."}
	default:
		f.Notes = []string{"Asked for the secret " + r.RPC.Object + "; no answer was seen."}
	}
	emit(f)
}

func summary(f detect.Facts) string {
	who := f.Source
	switch actor := f.First[detect.Actor]; {
	case slices.ContainsFunc(f.Numbers, func(n detect.Number) bool { return n.Name == audited }):
		who = actor
	case actor != "":
		who += " as " + actor
	}
	switch f.Outcome {
	case activity.Success:
		return fmt.Sprintf("%s read the DPAPI domain backup key from %s.", who, f.Target)
	case activity.Failure:
		return fmt.Sprintf("%s tried to read the DPAPI domain backup key from %s and did not get it.", who, f.Target)
	}
	return fmt.Sprintf("%s asked %s for the DPAPI domain backup key.", who, f.Target)
}
