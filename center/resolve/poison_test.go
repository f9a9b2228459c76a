package resolve

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/directory"
)

// TestPoisoning tries what docs/threat-model.md says of wrong names: the
// attacker wants to pass for a domain controller or DNS server, to be called by
// another's name, or to act in another's name. Each attempt must fail; those
// that succeed are documented there and tested as such.
func TestPoisoning(t *testing.T) {
	honest := func() *lab {
		l := newLab()
		l.see(as(client1, dc1, "WS01$", 1))
		l.see(as(attacker, dc1, "mallory", 66))
		return l
	}
	isDC := func(l *lab) bool { return l.dc(attacker) != "" }
	isDNS := func(l *lab) bool { return l.host(attacker, l.now).DNSServer }
	for _, c := range []struct {
		name      string
		do        func(*lab)
		succeeded func(*lab) bool
	}{
		{"answers to itself", func(l *lab) { l.see(as(attacker, attacker, "ann", 2)) }, isDC},
		{"a Kerberos answer to nobody's request", func(l *lab) { l.unasked(as(client1, attacker, "ann", 2)) }, isDC},
		{"a locator answer to nobody's request", func(l *lab) { l.unasked(ping(client1, attacker)) }, isDC},
		{"a DNS answer to nobody's question", func(l *lab) {
			l.unasked(ask(dc1, attacker, "", typeSRV, srv("lab.example", "evil.lab.example"), addr("evil.lab.example", attacker)))
		}, func(l *lab) bool { return isDC(l) || isDNS(l) }},
		{"asking for replication", func(l *lab) { l.see(replicate(attacker, dc1, activity.DRSGetNCChanges)) }, isDC},
		{"its own DNS server", func(l *lab) {
			l.see(ask(helper, attacker, "", typeSRV, srv("lab.example", "evil.lab.example"), addr("evil.lab.example", attacker)))
		}, isDC},
		{"a user's records: a locator name of a domain that does not exist", func(l *lab) {
			l.locate(dc1, "evil.lab.example", "evil.lab.example", attacker)
		}, isDC},
		{"a user's records: a site's locator name below the domain's", func(l *lab) {
			r := srv("lab.example", "evil.lab.example")
			r.Name = "_ldap._tcp.evil._sites.dc._msdcs.lab.example"
			l.see(ask(client1, dc1, "", typeSRV, r, addr("evil.lab.example", attacker)))
		}, isDC},
		{"the address of a domain controller's name, said by its own DNS server", func(l *lab) {
			l.locate(dc1, "lab.example", "dc1.lab.example", dc1)
			l.see(ask(helper, attacker, "", typeA, addr("dc1.lab.example", attacker)))
		}, isDC},
		{"more statements than are kept of a name", func(l *lab) {
			l.locate(dc1, "lab.example", "dc2.lab.example", dc2)
			for i := range 2 * maxAddrs {
				l.see(ask(helper, attacker, "", typeSRV, srv(fmt.Sprintf("d%d.example", i), "dc2.lab.example"), addr("dc2.lab.example", attacker)))
			}
		}, isDC},
		{"outside a directory's list", func(l *lab) {
			l.SetDirectory(&directory.Snapshot{DomainControllers: []directory.DomainController{{Name: "dc1.lab.example", Addresses: []netip.Addr{dc1}}}})
			l.see(as(helper, attacker, "ann", 2))
			l.see(replicate(helper, attacker, activity.DRSGetNCChanges))
		}, isDC},
		{"promoted by an accomplice outside a directory's list", func(l *lab) {
			l.SetDirectory(&directory.Snapshot{DomainControllers: []directory.DomainController{{Name: "dc1.lab.example", Addresses: []netip.Addr{dc1}}}})
			l.see(replicate(attacker, helper, activity.DRSAddEntry))
		}, func(l *lab) bool { return l.host(attacker, l.now).Promoted }},
		{"a listed name's address, said by a stranger that answers Kerberos", func(l *lab) {
			l.SetDirectory(&directory.Snapshot{DomainControllers: []directory.DomainController{
				{Name: "dc1.lab.example", Addresses: []netip.Addr{dc1}}, {Name: "dc2.lab.example"}}})
			l.see(as(attacker, helper, "ann", 2))
			l.see(ask(attacker, helper, "", typeA, addr("dc2.lab.example", attacker)))
		}, isDC},
		{"a workstation name of its own choice over a certain one", func(l *lab) {
			l.see(as(attacker, dc1, "WS66$", 3))
			a := between(activity.NTLMLogon, attacker, dc1)
			a.Auth = &activity.Auth{NTLM: &activity.NTLM{Workstation: "DC1"}}
			l.see(a)
		}, func(l *lab) bool { return l.host(attacker, l.now).Name == "dc1" }},
		{"a workstation name counts as certain", func(l *lab) {
			a := between(activity.NTLMLogon, attacker, dc1)
			a.Auth = &activity.Auth{NTLM: &activity.NTLM{Workstation: "DC1"}}
			l.see(a)
		}, func(l *lab) bool { return l.host(attacker, l.now).Certainty == High }},
		{"naming somebody else's address by a forged answer", func(l *lab) {
			l.unasked(as(client1, attacker, "EVIL$", 2))
		}, func(l *lab) bool { return l.host(client1, l.now).Name == "evil" }},
		{"its ticket as somebody else's, by a forged answer", func(l *lab) {
			l.unasked(as(client1, attacker, "administrator", 66))
		}, func(l *lab) bool { return l.see(ap(attacker, dc1, 66)).Account.Name != "mallory" }},
		{"its ticket as somebody else's, with an accomplice", func(l *lab) {
			l.see(as(attacker, helper, "administrator", 66))
		}, func(l *lab) bool { return l.see(ap(attacker, dc1, 66)).Account.Name != "mallory" }},
		{"a replicator's name from another address", func(l *lab) {
			l.SetDirectory(&directory.Snapshot{Replicators: []directory.Replicator{{Account: "msol", Hosts: []netip.Addr{client1}}}})
		}, func(l *lab) bool {
			a := replicate(attacker, dc1, activity.DRSGetNCChanges)
			a.Account = activity.Account{Name: "msol", Domain: "LAB"}
			return l.see(a).Account.Replicator
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := honest()
			if c.succeeded(l) {
				t.Fatal("succeeded without doing anything: the test proves nothing")
			}
			l = honest()
			c.do(l)
			if c.succeeded(l) {
				t.Error("succeeded")
			}
		})
	}

	t.Run("documented: an accomplice that asks", func(t *testing.T) {
		l := honest()
		l.see(as(helper, attacker, "ann", 2))
		if !isDC(l) {
			t.Error("holds now: docs/threat-model.md says it succeeds")
		}
	})
}
