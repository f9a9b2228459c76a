package sensitivegroupadd_test

import (
	"slices"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/sensitivegroupadd"
	"github.com/verderer/verderer/center/resolve"
)

const domain = "S-1-5-21-1-2-3-"

func change(c activity.Change) *resolve.Resolved {
	r := detecttest.Resolved(activity.DirectoryChange, 0)
	r.Account = detecttest.Account("ann")
	r.Change = &c
	return r
}

// added is what an event or a call of SAMR says.
func added(sid string) *resolve.Resolved {
	return change(activity.Change{Act: "member-add", SID: sid, Member: "CN=bob,DC=lab,DC=example"})
}

// modified is what LDAP says.
func modified(dn, attribute, act string, values ...string) *resolve.Resolved {
	return change(activity.Change{Act: "modify", Object: dn,
		Attributes: []activity.AttributeChange{{Name: attribute, Act: act, Values: values, Count: len(values)}}})
}

func TestRule(t *testing.T) {
	const bob, admins = "CN=bob,DC=lab,DC=example", "CN=Domain Admins,CN=Users,DC=lab,DC=example"
	with := func(r *resolve.Resolved, change func(r *resolve.Resolved)) *resolve.Resolved {
		change(r)
		return r
	}
	local := func(r *resolve.Resolved) { r.Change.Event, r.Change.Member, r.Target.DC = 4732, "", "" }
	cases := []struct {
		name  string
		act   *resolve.Resolved
		count int
	}{
		{"an ordinary group", added(domain + "1200"), 0},
		{"users", added(domain + "513"), 0},
		{"users of Builtin", added("S-1-5-32-545"), 0},
		{"a RID of the domain's in Builtin", added("S-1-5-32-512"), 0},
		{"refused", with(added(domain+"512"), func(r *resolve.Resolved) { r.Outcome = activity.Failure }), 0},
		{"unanswered", with(added(domain+"512"), func(r *resolve.Resolved) { r.Outcome = activity.Attempt }), 0},
		{"taken out", with(added(domain+"512"), func(r *resolve.Resolved) { r.Change.Act = "member-remove" }), 0},
		{"by nobody known", with(added(domain+"512"), func(r *resolve.Resolved) { r.Account = resolve.Account{} }), 1},
		{"by nobody known from nowhere", with(added(domain+"512"), func(r *resolve.Resolved) { r.Account, r.Source = resolve.Account{}, resolve.Host{} }), 1},
		{"by a SID", with(added(domain+"512"), func(r *resolve.Resolved) { r.Account = resolve.Account{SID: domain + "1104"} }), 1},
		{"Administrators of a workstation", with(added("S-1-5-32-544"), local), 0},
		{"of one known as a domain controller", with(with(added("S-1-5-32-544"), local), func(r *resolve.Resolved) { r.Target.DC = "directory" }), 1},
		{"a domain controller by itself", with(added(domain+"516"), func(r *resolve.Resolved) { r.Account.DC = true }), 0},
		{"a new domain controller", with(added(domain+"516"), func(r *resolve.Resolved) { r.Source.Promoted = true }), 0},
		{"by a domain controller into Domain Admins", with(added(domain+"512"), func(r *resolve.Resolved) { r.Source.DC = "directory" }), 1},
		{"renamed, by SID", with(added(domain+"512"), func(r *resolve.Resolved) { r.Change.Object = "Staff" }), 1},
		{"named so, by SID", with(added(domain+"1200"), func(r *resolve.Resolved) { r.Change.Object = "Domain Admins" }), 0},
		{"DnsAdmins, by SID", with(added(domain+"1101"), func(r *resolve.Resolved) { r.Change.Object = "DnsAdmins" }), 1},

		{"LDAP add", modified(admins, "member", "add", bob), 1},
		{"LDAP add, other case", modified("cn=domain admins,cn=users,dc=lab", "MEMBER", "add", bob), 1},
		{"LDAP replace", modified(admins, "member", "replace", bob), 1},
		{"LDAP replace by nobody", modified(admins, "member", "replace"), 0},
		{"LDAP delete", modified(admins, "member", "delete", bob), 0},
		{"LDAP, another attribute", modified(admins, "description", "add", bob), 0},
		{"LDAP, an ordinary group", modified("CN=Sales,OU=Groups,DC=lab", "member", "add", bob), 0},
		{"LDAP, Builtin", modified("CN=Administrators,CN=Builtin,DC=lab", "member", "add", bob), 1},
		{"LDAP, named so elsewhere", modified("CN=Administrators,OU=App,DC=lab", "member", "add", bob), 0},
		{"LDAP, moved", modified("CN=Domain Admins,OU=Tier 0,DC=lab", "member", "add", bob), 1},
		{"LDAP, the group by SID", modified("<SID="+domain+"512>", "member", "add", bob), 1},
		{"LDAP, an ordinary group by SID", modified("<SID="+domain+"1200>", "member", "add", bob), 0},
		{"LDAP, the member by SID", modified(admins, "member", "add", "<SID="+domain+"1104>"), 1},
		{"lent for a day", modified(admins, "member", "add", "<TTL=86400,"+bob+">"), 0},
		{"for longer", modified(admins, "member", "add", "<TTL=86401,"+bob+">"), 1},
		{"with a limit of zero", modified(admins, "member", "add", "<TTL=0,"+bob+">"), 1},
		{"one lent, one for good", modified(admins, "member", "add", "<TTL=60,"+bob+">", bob), 1},
		{"a name alone", change(activity.Change{Act: "member-add", Object: "Domain Admins", Member: "bob"}), 1},
		{"a name of Builtin alone", change(activity.Change{Act: "member-add", Object: "Backup Operators", Member: "bob"}), 1},
	}
	for _, rid := range []string{"512", "516", "517", "518", "519", "520", "521", "526", "527", "498"} {
		cases = append(cases, struct {
			name  string
			act   *resolve.Resolved
			count int
		}{"privileged " + rid, added(domain + rid), 1})
	}
	for _, rid := range []string{"544", "548", "549", "550", "551", "552", "556", "557"} {
		cases = append(cases, struct {
			name  string
			act   *resolve.Resolved
			count int
		}{"privileged of Builtin " + rid, added("S-1-5-32-" + rid), 1})
	}
	var rules []detecttest.Rule
	for _, c := range cases {
		rules = append(rules, detecttest.Rule{Name: c.name, Acts: []*resolve.Resolved{c.act}, Count: c.count})
	}
	detecttest.Rules(t, sensitivegroupadd.Definition, rules)
}

func TestActors(t *testing.T) {
	a, b := added(domain+"512"), added(domain+"512")
	a.Account, b.Account = resolve.Account{SID: domain + "1104", Key: "@"}, resolve.Account{SID: domain + "1105", Key: "@"}
	if x, y := sensitivegroupadd.Definition.Key(a), sensitivegroupadd.Definition.Key(b); x == y {
		t.Errorf("two accounts of which the SID alone is known share the key %q", x)
	}
}

func TestMembers(t *testing.T) {
	acts := []*resolve.Resolved{modified("CN=Domain Admins,CN=Users,DC=lab", "member", "add",
		"<GUID=dad5c52f-1b43-4a94-88bf-7518c24c5359>;<SID="+domain+"1104>;CN=bob,DC=lab", "<SID="+domain+"1105>", "CN=eve,DC=lab")}
	var got []string
	for _, f := range detecttest.Play(sensitivegroupadd.Definition, detect.LevelLow, acts) {
		for _, p := range f.Accounts {
			got = append(got, p.Name+" "+p.SID)
		}
	}
	if want := []string{"bob " + domain + "1104", domain + "1105 " + domain + "1105", "eve ", "ann "}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
