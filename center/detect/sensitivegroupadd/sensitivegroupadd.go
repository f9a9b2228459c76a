// Package sensitivegroupadd detects members put into the groups that control the
// domain.
package sensitivegroupadd

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
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
	ID:          "sensitive-group-add",
	Name:        "Suspicious addition to a sensitive group",
	MDIID:       2024,
	ATAIDs:      []int{2024},
	ATAKeys:     []string{"AbnormalSensitiveGroupMembershipChange"},
	Severity:    detect.Medium,
	Tactic:      "Persistence",
	Techniques:  []string{"T1098.007"},
	Consumes:    []activity.Kind{activity.DirectoryChange},
	Learning:    28 * 24 * time.Hour,
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeAccount, detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "Somebody was put into a group that controls the domain.",
	Needs: []string{
		"Windows events 4728, 4732 and 4756 of domain controllers, or Samba's audit of group changes",
		"or LDAP changes that are readable, or SAMR calls that are not sealed, with their answers",
	},
	BlindSpots: []string{
		"without a learned baseline: administrators who do this as their task are not told from others",
		"groups that are members of privileged ones, and those that only this domain holds to be privileged: there is no directory to look them up in",
		"over LDAP, where a group is known by its name alone: groups that were renamed, have their names in another language than English, or are written to by GUID",
		"LDAP that is encrypted, and SAMR over encrypted SMB, where events are not read",
		"additions for a limited time, when the limit is short: they are how privileges are lent",
		"that the limit is short, where only an event tells of the addition: such alerts are false",
		"an account that is moved into a group by its primary group id, or by writing the replicated data",
	},
	Legitimate: "An administrator who gives a colleague a new task, or a privilege manager that lends membership without a time limit.",
	KeyMeans:   "account that made the addition, or source address where it is not known",
	Tunables: []detect.Tunable{
		{Name: "time-bound", Unit: "seconds", High: 86_400, Medium: 86_400, Low: 86_400, Min: 0, Max: 30 * 86_400,
			Why: "privilege managers lend membership for a working day at most; a longer one is no loan"},
	},
	README:  readme,
	Key:     key,
	New:     func(t detect.Tuning) detect.Detector { return &detector{tuning: t} },
	Summary: summary,
}

// detector counts the additions of one actor to each group, for the evidence:
// one is enough. There are as many groups as privileged ones have names.
type detector struct {
	Additions map[string]int
	tuning    detect.Tuning
}

var (
	// ofDomain are the privileged groups of a domain, by RID; ofBuiltin those of
	// Builtin (MS-DTYP §2.4.2.4).
	ofDomain = []uint32{
		names.RIDDomainAdmins, names.RIDSchemaAdmins, names.RIDEnterpriseAdmins, names.RIDGroupPolicyCreators,
		names.RIDKeyAdmins, names.RIDEnterpriseKeyAdmins, names.RIDCertPublishers,
		names.RIDDomainControllers, names.RIDReadOnlyDCs, names.RIDEnterpriseReadOnlyDCs,
	}
	// ofControllers of these are the groups that a domain controller puts itself
	// into when it is promoted.
	ofControllers = []uint32{names.RIDDomainControllers, names.RIDReadOnlyDCs, names.RIDEnterpriseReadOnlyDCs}
	ofBuiltin     = []names.SID{
		names.SIDAdministrators, names.SIDAccountOperators, names.SIDServerOperators, names.SIDPrintOperators, names.SIDBackupOperators,
		names.SIDReplicator, names.SIDNetworkConfigOps, names.SIDTrustBuilders,
	}

	// The same by folded name, for changes that do not tell the SID. DnsAdmins
	// has no fixed one.
	domainNames  = namesOfDomain()
	builtinNames = namesOfBuiltin()
)

func namesOfDomain() map[string]string {
	all := map[string]string{"dnsadmins": "DnsAdmins"}
	domain, _ := names.ParseSID("S-1-5-21-0-0-0")
	for _, rid := range ofDomain {
		name := domain.WithRID(rid).WellKnown()
		all[names.Fold(name)] = name
	}
	return all
}

func namesOfBuiltin() map[string]string {
	all := make(map[string]string)
	for _, sid := range ofBuiltin {
		all[names.Fold(sid.WellKnown())] = sid.WellKnown()
	}
	return all
}

// group names the privileged group that is changed, "" when it is none.
func group(r *resolve.Resolved) string {
	c := r.Change
	object, text := plain(c.Object)
	if sid, err := names.ParseSID(cmp.Or(c.SID, text)); err == nil {
		rid, _ := sid.RID()
		switch {
		case slices.Contains(ofControllers, rid) && (r.Account.DC || r.Source.DC != "" || r.Source.Promoted):
			return ""
		case sid.DomainRID(rid) && slices.Contains(ofDomain, rid):
			return sid.WellKnown()
		case slices.Contains(ofBuiltin, sid):
			// Every computer has these groups. Of its own a domain controller
			// names the members by DN.
			if c.Event != 0 && r.Target.DC == "" && !strings.Contains(c.Member, "=") {
				return ""
			}
			return sid.WellKnown()
		case names.Fold(object) != "dnsadmins":
			return ""
		}
	}
	first, parents, dn := strings.Cut(object, ",")
	if !dn {
		name := names.Fold(first)
		if builtinNames[name] != "" {
			return builtinNames[name]
		}
		return domainNames[name]
	}
	kind, name, _ := strings.Cut(first, "=")
	switch name = names.Fold(name); {
	case !strings.EqualFold(kind, "CN"):
		return ""
	case names.Fold(parents[:min(len(parents), len("cn=builtin,"))]) == "cn=builtin,":
		return builtinNames[name]
	}
	return domainNames[name]
}

// members are those added, as named.
func members(c *activity.Change) (all []string) {
	switch c.Act {
	case "member-add":
		return []string{c.Member}
	case "modify":
		for _, a := range c.Attributes {
			if !strings.EqualFold(a.Name, "member") || a.Act != "add" && a.Act != "replace" {
				continue
			}
			all = append(all, a.Values...)
			if len(a.Values) == 0 && a.Count > 0 {
				all = append(all, "")
			}
		}
	}
	return all
}

func key(r *resolve.Resolved) string {
	if r.Outcome != activity.Success || len(members(r.Change)) == 0 || group(r) == "" {
		return ""
	}
	switch {
	case r.Account.Name != "":
		return "account:" + r.Account.Key
	case r.Account.SID != "": // all that Samba's audit knows
		return "account:" + r.Account.SID
	}
	if source := detect.SourceAddress(r); source != "" {
		return source
	}
	return "unknown"
}

func (*detector) Size() int { return 0 }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	c, to := r.Change, group(r)
	f := detect.FindingOf(r)
	for _, m := range members(c) {
		m, seconds := lent(m)
		if seconds > 0 && seconds <= d.tuning.Int("time-bound") {
			continue
		}
		m, sid := plain(m)
		p := detect.Party{Name: m, SID: cmp.Or(c.MemberSID, sid)}
		if a := names.ParseAccount(m); a.Form == names.FormDN {
			p.Name, p.Domain = a.Name, a.Domain
		}
		p.Name = cmp.Or(p.Name, p.SID, "somebody")
		p.Key = "member:" + names.Fold(p.Name)
		f.Accounts = append(f.Accounts, p)
		if len(f.Notes) < 10 {
			f.Notes = append(f.Notes, fmt.Sprintf("Put %s into %s.", p.Name, to))
		}
	}
	if len(f.Accounts) == 0 {
		return
	}
	if d.Additions == nil {
		d.Additions = make(map[string]int)
	}
	d.Additions[to]++
	f.Start, f.End = r.Time, r.Time
	f.Count = 1
	f.Outcome = r.Outcome
	f.Activities = []activity.ID{r.ID}
	if r.Target.Known() {
		f.Targets = []detect.Computer{detect.ComputerOf(r.Target)}
	}
	if r.Account.Name != "" || r.Account.SID != "" {
		p := detect.PartyOf(r.Account, detect.Actor)
		if p.Name == "" {
			p.Name, p.Key = p.SID, p.SID
		}
		f.Accounts = append(f.Accounts, p)
	}
	f.Numbers = []detect.Number{{Name: additions + to, Value: d.Additions[to], Threshold: 1}}
	if c.SID == "" {
		f.Certainty = resolve.Low
		f.Notes = append(f.Notes, "The group is known by its name alone.")
	}
	emit(f)
}

const additions = "additions to "

// plain splits a DN in the extended form, <GUID=…>;<SID=…>;DN, of which any
// part may stand alone (MS-ADTS, LDAP_SERVER_EXTENDED_DN_OID), into the DN and
// the SID.
func plain(value string) (dn, sid string) {
	for strings.HasPrefix(value, "<") {
		part, rest, _ := strings.Cut(value[1:], ">")
		if s, ok := strings.CutPrefix(part, "SID="); ok {
			sid = s
		}
		value = strings.TrimPrefix(rest, ";")
	}
	return value, sid
}

// lent splits a value with a time limit, <TTL=seconds,DN> (MS-ADTS,
// LDAP_SERVER_LINK_TTL_OID), and gives the limit, 0 for none.
func lent(value string) (member string, seconds int) {
	inner, ok := strings.CutPrefix(value, "<TTL=")
	if !ok {
		return value, 0
	}
	limit, member, _ := strings.Cut(inner, ",")
	seconds, _ = strconv.Atoi(limit)
	return strings.TrimSuffix(member, ">"), seconds
}

func summary(f detect.Facts) string {
	who := f.First[detect.Actor]
	switch {
	case who == "":
		who = "Somebody at " + f.Source
	case f.Source != (resolve.Host{}).Label():
		who += " at " + f.Source
	}
	what := f.First[""]
	if n := f.Accounts[""]; n > 1 {
		what = fmt.Sprintf("%d members", n)
	}
	to := "privileged groups"
	if len(f.Numbers) > 0 && f.Count == 1 {
		to = strings.TrimPrefix(f.Numbers[0].Name, additions)
	}
	return fmt.Sprintf("%s put %s into %s.", who, what, to)
}
