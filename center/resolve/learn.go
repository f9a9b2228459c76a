package resolve

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

// learn takes what the activity proves about hosts, names and tickets.
//
// What counts as proof of a domain controller is an answer to a request that
// was seen: an attacker who can only send packets at the sensor's host cannot
// make its own address answer somebody else. See docs/threat-model.md for what
// remains (a machine that answers another accomplice).
//
// Nor is anything learned from a fact that does not state both addresses: an
// event says what its computer did, not where that is.
func (r *Resolver) learn(a *activity.Activity) {
	if !a.Source.Addr.IsValid() || !a.Target.Addr.IsValid() {
		return
	}
	answered := a.Outcome != activity.Attempt && a.Source.Addr != a.Target.Addr
	asked := answered && a.Requested != 0
	switch a.Kind {
	case activity.KerberosAS, activity.KerberosTGS:
		r.learnKerberos(a, answered)
	case activity.Replication:
		if answered && a.DRS.BindSeen && a.Outcome == activity.Success {
			h := r.touch(a.Target.Addr)
			h.DRS = max(h.DRS, a.Time)
			// Where the directory lists the domain controllers, a stranger
			// promotes nobody.
			if a.DRS.Opnum == activity.DRSAddEntry && r.host(a.Target.Addr, a.Time).DC != "" {
				h := r.touch(a.Source.Addr)
				h.Promoted = max(h.Promoted, a.Time)
			}
		}
	case activity.LDAPQuery:
		if asked && a.LDAPSearch.NetlogonOp != 0 {
			h := r.touch(a.Target.Addr)
			h.Locator = max(h.Locator, a.Time)
		}
	case activity.NTLMLogon:
		if n := a.Auth.NTLM; n != nil && n.Workstation != "" && a.Outcome == activity.Success {
			r.name(a.Source.Addr, names.ShortHost(names.HostKey(n.Workstation)), "NTLM workstation", false, a.Time)
		}
	case activity.DNSQuery:
		if asked {
			r.learnDNS(a)
		}
	}
}

func (r *Resolver) learnKerberos(a *activity.Activity, answered bool) {
	k := a.Kerberos
	asked := answered && k.RequestSeen
	if asked {
		h := r.touch(a.Target.Addr)
		h.KDC = max(h.KDC, a.Time)
	}
	if k.Issued == nil || k.Issued.ID == (activity.TicketID{}) { // an event tells of no ticket
		return
	}
	if asked {
		r.realms.put(names.RealmKey(k.Issued.Realm), a.Time)
	}
	c := client{Name: a.Account.Name, Domain: a.Account.Domain}
	if (a.Account.Zero() || anonymous(a)) && k.Presented != nil {
		c, _ = r.tickets.get(k.Presented.ID)
	}
	// A ticket belongs to whom it was first seen issued to: a forged answer that
	// carries somebody's ticket later does not change hands.
	if first, ok := r.tickets.get(k.Issued.ID); ok {
		c = first
	}
	if c.Name == "" {
		return
	}
	if r.tickets.put(k.Issued.ID, c) {
		r.counters.Of("resolve", "issued tickets forgotten: more than fit").Add(1)
	}
	// A computer that logs on as itself names its address.
	if n, isComputer := strings.CutSuffix(a.Account.Name, "$"); isComputer && asked && a.Kind == activity.KerberosAS {
		r.name(a.Source.Addr, names.HostKey(n), "Kerberos computer logon", true, a.Time)
	}
}

// DNS record types that say who is where.
const (
	typeA, typeNS, typeAAAA, typeSRV = 1, 2, 28, 33
)

// learnDNS reads the answers of a DNS server. It notes who said what, so that
// only what domain controllers say is believed when the question comes up.
func (r *Resolver) learnDNS(a *activity.Activity) {
	server := r.touch(a.Target.Addr)
	server.DNS = max(server.DNS, a.Time)
	d := a.DNS
	if d.RCode != 0 {
		return
	}
	for _, rec := range d.Records {
		switch rec.Type {
		case typeSRV:
			if realm := locator(rec.Name); realm != "" {
				n := r.dnsName(rec.Data)
				n.Locators = note(n.Locators, said{Name: realm, By: a.Target.Addr, At: a.Time})
			}
		case typeNS:
			n := r.dnsName(rec.Data)
			n.Zones = note(n.Zones, said{Name: names.HostKey(rec.Name), By: a.Target.Addr, At: a.Time})
		case typeA, typeAAAA:
			addr, err := netip.ParseAddr(rec.Data)
			if err != nil {
				continue
			}
			r.address(names.HostKey(rec.Name), addr.Unmap(), a.Target.Addr, a.Time)
		}
	}
}

// locator returns the realm whose domain controllers an SRV name leads to, ""
// for other names: those by which clients find them, without a site (MS-ADTS
// §6.3.2.3).
func locator(srv string) string {
	s := names.HostKey(srv)
	for _, p := range []string{"_ldap._tcp.dc._msdcs.", "_kerberos._tcp.dc._msdcs.", "_ldap._tcp.", "_kerberos._tcp.", "_kerberos._udp."} {
		if realm, ok := strings.CutPrefix(s, p); ok && !strings.HasPrefix(realm, "_") {
			return names.RealmKey(realm)
		}
	}
	return ""
}

func (r *Resolver) address(key string, addr, by netip.Addr, at activity.Time) {
	n := r.dnsName(key)
	n.Addrs = note(n.Addrs, said{Addr: addr, By: by, At: at})
	h := r.touch(addr)
	if !slices.Contains(h.Names, key) {
		if len(h.Names) >= maxAddrs {
			h.Names = slices.Delete(h.Names, 0, 1)
		}
		h.Names = append(h.Names, key)
	}
	r.name(addr, key, "DNS", r.trusted(by, at), at)
}

// touch returns the host at addr, made when new, and marks it as in use.
func (r *Resolver) touch(addr netip.Addr) *host {
	h, ok := r.hosts.get(addr)
	if !ok {
		h = new(host)
	}
	if r.hosts.put(addr, h) {
		r.counters.Of("resolve", "addresses forgotten: more than fit").Add(1)
	}
	return h
}

func (r *Resolver) dnsName(s string) *name {
	key := names.HostKey(activity.Cut(s))
	n, ok := r.names.get(key)
	if !ok {
		n = new(name)
	}
	if r.names.put(key, n) {
		r.counters.Of("resolve", "DNS names forgotten: more than fit").Add(1)
	}
	return n
}

// name notes what an address is called. A certain name gives way only to
// another certain one, or once it is older than the memory.
func (r *Resolver) name(addr netip.Addr, to, by string, certain bool, at activity.Time) {
	if to == "" {
		return
	}
	h := r.touch(addr)
	if h.NameHigh && !certain && fresh(h.NameAt, at) || at < h.NameAt {
		return
	}
	h.Name, h.NameBy, h.NameHigh, h.NameAt = to, by, certain, at
}
