package resolve

import (
	"net/netip"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/directory"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/counter"
)

const (
	t0     = activity.Time(1_700_000_000 * 1e9)
	second = activity.Time(1e9)
	hour   = 3600 * second
)

var (
	dc1      = netip.MustParseAddr("10.0.0.1")
	dc2      = netip.MustParseAddr("10.0.0.2")
	client1  = netip.MustParseAddr("10.0.0.51")
	attacker = netip.MustParseAddr("10.0.0.66")
	helper   = netip.MustParseAddr("10.0.0.67")
	resolver = netip.MustParseAddr("10.0.0.53") // a DNS server that is no domain controller
)

// lab is a resolver with its counters and the words to feed it. Each word is
// one activity, a second after the one before.
type lab struct {
	*Resolver
	counters *counter.Set
	now      activity.Time
}

func newLab() *lab {
	c := new(counter.Set)
	return &lab{New(c), c, t0}
}

func (l *lab) see(a *activity.Activity) *Resolved {
	l.now += second
	a.Time, a.Requested = l.now, l.now-second/2
	return l.Resolve(ingest.Item{Activity: a})
}

// unasked is see for an answer whose request was not captured.
func (l *lab) unasked(a *activity.Activity) *Resolved {
	l.now += second
	a.Time = l.now
	if a.Kerberos != nil {
		a.Kerberos.RequestSeen = false
	}
	return l.Resolve(ingest.Item{Activity: a})
}

func between(kind activity.Kind, from, to netip.Addr) *activity.Activity {
	return &activity.Activity{Kind: kind, Outcome: activity.Success,
		Source: activity.Endpoint{Addr: from}, Target: activity.Endpoint{Addr: to}}
}

func as(from, kdc netip.Addr, user string, ticket byte) *activity.Activity {
	a := between(activity.KerberosAS, from, kdc)
	a.Account = activity.Account{Name: user, Domain: "LAB.EXAMPLE"}
	a.Kerberos = &activity.Kerberos{RequestSeen: true, Issued: &activity.Ticket{ID: activity.TicketID{ticket}, Realm: "LAB.EXAMPLE"}}
	return a
}

func tgs(from, kdc netip.Addr, user string, presented, issued byte) *activity.Activity {
	a := as(from, kdc, user, issued)
	a.Kind = activity.KerberosTGS
	a.Kerberos.Presented = &activity.Ticket{ID: activity.TicketID{presented}}
	if user == "" {
		a.Account = activity.Account{}
	}
	return a
}

func ap(from, server netip.Addr, ticket byte) *activity.Activity {
	a := between(activity.KerberosAP, from, server)
	a.Auth = &activity.Auth{Mechanism: activity.MechKerberos, Ticket: &activity.Ticket{ID: activity.TicketID{ticket}}}
	return a
}

func replicate(from, to netip.Addr, opnum uint16) *activity.Activity {
	a := between(activity.Replication, from, to)
	a.DRS = &activity.DRS{Opnum: opnum, BindSeen: true}
	return a
}

func ping(from, to netip.Addr) *activity.Activity {
	a := between(activity.LDAPQuery, from, to)
	a.LDAPSearch = &activity.LDAPSearch{NetlogonOp: 23}
	return a
}

func ask(from, server netip.Addr, question string, qtype uint16, answers ...activity.DNSRecord) *activity.Activity {
	a := between(activity.DNSQuery, from, server)
	a.DNS = &activity.DNS{Question: question, Type: qtype, Records: answers, Answers: len(answers)}
	return a
}

func srv(realm, host string) activity.DNSRecord {
	return activity.DNSRecord{Name: "_ldap._tcp.dc._msdcs." + realm, Type: typeSRV, Data: host}
}

func addr(host string, a netip.Addr) activity.DNSRecord {
	return activity.DNSRecord{Name: host, Type: typeA, Data: a.String()}
}

func ns(zone, host string) activity.DNSRecord {
	return activity.DNSRecord{Name: zone, Type: typeNS, Data: host}
}

// locate is what a client asks before it logs on.
func (l *lab) locate(server netip.Addr, realm, host string, at netip.Addr) {
	l.see(ask(client1, server, "_ldap._tcp.dc._msdcs."+realm, typeSRV, srv(realm, host), addr(host, at)))
}

func (l *lab) dc(a netip.Addr) string { return l.host(a, l.now).DC }

func TestDomainControllerProofs(t *testing.T) {
	const none = ""
	for _, c := range []struct {
		name string
		do   func(*lab)
		of   netip.Addr
		want string
	}{
		{"nothing seen", func(*lab) {}, dc1, none},
		{"Kerberos answer", func(l *lab) { l.see(as(client1, dc1, "ann", 1)) }, dc1, "answered Kerberos requests"},
		{"Kerberos refusal is an answer", func(l *lab) {
			a := as(client1, dc1, "ann", 1)
			a.Outcome, a.Kerberos.Issued = activity.Failure, nil
			l.see(a)
		}, dc1, "answered Kerberos requests"},
		{"who asks is none", func(l *lab) { l.see(as(client1, dc1, "ann", 1)) }, client1, none},
		{"Kerberos request without answer", func(l *lab) {
			a := as(client1, dc1, "ann", 1)
			a.Outcome, a.Kerberos.Issued = activity.Attempt, nil
			l.see(a)
		}, dc1, none},
		{"replication answer", func(l *lab) { l.see(replicate(dc2, dc1, activity.DRSGetNCChanges)) }, dc1, "answered replication calls"},
		{"who replicates is none", func(l *lab) { l.see(replicate(attacker, dc1, activity.DRSGetNCChanges)) }, attacker, none},
		{"refused replication", func(l *lab) {
			a := replicate(dc2, dc1, activity.DRSGetNCChanges)
			a.Outcome = activity.Failure
			l.see(a)
		}, dc1, none},
		{"replication on an interface that was guessed", func(l *lab) {
			a := replicate(dc2, dc1, activity.DRSGetNCChanges)
			a.DRS.BindSeen = false
			l.see(a)
		}, dc1, none},
		{"locator ping", func(l *lab) { l.see(ping(client1, dc1)) }, dc1, "answered domain controller locator pings"},
		{"other LDAP answers", func(l *lab) {
			a := ping(client1, dc1)
			a.LDAPSearch.NetlogonOp = 0
			l.see(a)
		}, dc1, none},
		{"named by the DNS of a proven one", func(l *lab) {
			l.see(as(client1, dc1, "ann", 1))
			l.locate(dc1, "lab.example", "DC2.lab.example.", dc2)
		}, dc2, "named as a domain controller by the DNS of 10.0.0.1"},
		{"proven only after it named another", func(l *lab) {
			l.locate(dc1, "lab.example", "dc2.lab.example", dc2)
			l.see(as(client1, dc1, "ann", 1))
		}, dc2, "named as a domain controller by the DNS of 10.0.0.1"},
		{"address from one answer, role from another", func(l *lab) {
			l.see(as(client1, dc1, "ann", 1))
			l.see(ask(client1, dc1, "", typeSRV, srv("lab.example", "dc2.lab.example")))
			l.see(ask(client1, dc1, "", typeA, addr("dc2.lab.example", dc2)))
		}, dc2, "named as a domain controller by the DNS of 10.0.0.1"},
		{"named by another DNS server", func(l *lab) {
			l.see(as(client1, dc1, "ann", 1))
			l.locate(resolver, "lab.example", "dc2.lab.example", dc2)
		}, dc2, none},
		{"role from one that is proven, address from one that is not", func(l *lab) {
			l.see(as(client1, dc1, "ann", 1))
			l.see(ask(client1, dc1, "", typeSRV, srv("lab.example", "dc2.lab.example")))
			l.see(ask(client1, resolver, "", typeA, addr("dc2.lab.example", attacker)))
		}, attacker, none},
		{"named for a realm that issues no tickets", func(l *lab) {
			l.see(as(client1, dc1, "ann", 1))
			l.locate(dc1, "made-up.example", "dc2.lab.example", dc2)
		}, dc2, none},
		{"named for another service", func(l *lab) {
			l.see(as(client1, dc1, "ann", 1))
			r := srv("lab.example", "sip.lab.example")
			r.Name = "_sip._tcp.lab.example"
			l.see(ask(client1, dc1, "", typeSRV, r, addr("sip.lab.example", dc2)))
		}, dc2, none},
		{"one proven by DNS alone names no third", func(l *lab) {
			l.see(as(client1, dc1, "ann", 1))
			l.locate(dc1, "lab.example", "dc2.lab.example", dc2)
			l.locate(dc2, "lab.example", "dc3.lab.example", attacker)
		}, attacker, none},
		{"listed by address", func(l *lab) {
			l.SetDirectory(&directory.Snapshot{DomainControllers: []directory.DomainController{{Name: "dc1.lab.example", Addresses: []netip.Addr{dc1}}}})
		}, dc1, "listed in the directory"},
		{"listed as an IPv4-mapped address", func(l *lab) {
			l.SetDirectory(&directory.Snapshot{DomainControllers: []directory.DomainController{{Name: "dc1.lab.example", Addresses: []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.1")}}}})
		}, dc1, "listed in the directory"},
		{"listed by name, its address from the DNS of a listed one", func(l *lab) {
			l.SetDirectory(&directory.Snapshot{DomainControllers: []directory.DomainController{
				{Name: "dc1.lab.example", Addresses: []netip.Addr{dc1}}, {Name: "DC2.lab.example"}}})
			l.see(ask(client1, dc1, "", typeA, addr("dc2.lab.example", dc2)))
		}, dc2, "named as a domain controller by the DNS of 10.0.0.1"},
		{"not listed, where there is a list", func(l *lab) {
			l.SetDirectory(&directory.Snapshot{DomainControllers: []directory.DomainController{{Name: "dc1.lab.example", Addresses: []netip.Addr{dc1}}}})
			l.see(as(client1, dc2, "ann", 1))
		}, dc2, none},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab()
			c.do(l)
			if got := l.dc(c.of); got != c.want {
				t.Errorf("%s: %q, want %q", c.of, got, c.want)
			}
			all := l.DomainControllers(l.now)
			if got := all[c.of]; got != c.want {
				t.Errorf("in the list: %q, want %q", got, c.want)
			}
		})
	}
}

func TestProofsHoldADay(t *testing.T) {
	l := newLab()
	l.see(as(client1, dc1, "ann", 1))
	proved := l.now
	l.locate(dc1, "lab.example", "dc2.lab.example", dc2)
	named := l.now
	for _, c := range []struct {
		of   netip.Addr
		at   activity.Time
		want bool
	}{
		{dc1, proved, true},
		{dc1, proved + 24*hour, true},
		{dc1, proved + 24*hour + 1, false},
		{dc1, proved - hour, true}, // late activities are judged by the newest knowledge
		{dc2, proved + 24*hour, true},
		{dc2, named + 24*hour, false}, // who named it is not known as one any more
	} {
		if got := l.host(c.of, c.at).DC != ""; got != c.want {
			t.Errorf("%s after %v: domain controller %v, want %v", c.of, time.Duration(c.at-proved), got, c.want)
		}
	}
	l.now += 20 * hour
	l.see(as(client1, dc1, "ann", 2))
	if l.host(dc1, proved+30*hour).DC == "" {
		t.Error("a proof repeated did not renew the memory")
	}
	if l.host(dc2, named+24*hour).DC == "" || l.host(dc2, named+24*hour+1).DC != "" {
		t.Error("a name holds a day from when it was said")
	}
}

func TestPromotedDomainController(t *testing.T) {
	l := newLab()
	if l.see(replicate(attacker, dc1, activity.DRSGetNCChanges)).Source.Promoted {
		t.Error("replication promotes nobody")
	}
	refused := replicate(dc2, dc1, activity.DRSAddEntry)
	refused.Outcome = activity.Failure
	if l.see(refused).Source.Promoted {
		t.Error("a refused call promotes nobody")
	}
	if !l.see(replicate(dc2, dc1, activity.DRSAddEntry)).Source.Promoted {
		t.Error("who created its directory service object is a new domain controller")
	}
	if l.host(dc2, l.now+24*hour+1).Promoted {
		t.Error("promotion excuses for a day")
	}
}

func TestAccountsThroughTickets(t *testing.T) {
	l := newLab()
	l.see(as(client1, dc1, "Ann", 1))
	r := l.see(tgs(client1, dc1, "", 1, 2))
	if r.Account.Name != "Ann" || r.Account.Method != "ticket" || r.Account.Key != "ann@lab" {
		t.Errorf("TGS: %+v", r.Account)
	}
	if r := l.see(ap(client1, dc2, 2)); r.Account.Key != "ann@lab" || r.Account.Method != "ticket" {
		t.Errorf("AP with the service ticket: %+v", r.Account)
	}
	hidden := tgs(client1, dc1, "WELLKNOWN/ANONYMOUS", 1, 3)
	if r := l.see(hidden); r.Account.Key != "ann@lab" || r.Account.Method != "ticket" {
		t.Errorf("a reply that hides its client: %+v", r.Account)
	}
	if r := l.see(ap(client1, dc2, 3)); r.Account.Key != "ann@lab" {
		t.Errorf("and the ticket it carried: %+v", r.Account)
	}
	call := replicate(client1, dc1, activity.DRSGetNCChanges)
	call.DRS.Auth = &activity.Auth{Ticket: &activity.Ticket{ID: activity.TicketID{3}}}
	if r := l.see(call); r.Account.Key != "ann@lab" {
		t.Errorf("a call on an authenticated connection: %+v", r.Account)
	}
	if r := l.see(tgs(client1, dc1, "bob", 1, 4)); r.Account.Key != "bob@lab" || r.Account.Method != "wire" {
		t.Errorf("what the reply names comes first: %+v", r.Account)
	}
	if r := l.see(ap(client1, dc2, 99)); !r.Account.Zero() {
		t.Errorf("a ticket never seen issued: %+v", r.Account)
	}
	if n := l.counters.Of("resolve", "tickets presented that were not seen issued").Value(); n != 1 {
		t.Errorf("counted %d such tickets", n)
	}
	if r := l.see(ask(client1, dc1, "x", typeA)); !r.Account.Zero() {
		t.Errorf("nobody acted: %+v", r.Account)
	}
}

func TestOneKeyForEveryWayOfWriting(t *testing.T) {
	for _, a := range []activity.Account{
		{Name: "Ann.Lee", Domain: "LAB.EXAMPLE"},
		{Name: "ann.lee", Domain: "LAB"},
		{Name: `LAB\ann.lee`},
		{Name: "ann.lee@lab.example"},
		{Name: "ANN.LEE@lab.example", Domain: "LAB.EXAMPLE"},
	} {
		if got := accountKey(a.Name, a.Raw, a.Domain); got != "ann.lee@lab" {
			t.Errorf("%+v: %q", a, got)
		}
	}
	if accountKey("\uFFFD", []byte{0xff}, "LAB") == accountKey("\uFFFD", []byte{0xfe}, "LAB") {
		t.Error("two broken names have one key")
	}
}

func TestHostNames(t *testing.T) {
	ntlm := func(from netip.Addr, workstation string) *activity.Activity {
		a := between(activity.NTLMLogon, from, dc1)
		a.Auth = &activity.Auth{NTLM: &activity.NTLM{Workstation: workstation}}
		return a
	}
	l := newLab()
	check := func(when, name, method string, certainty Certainty) {
		t.Helper()
		h := l.host(client1, l.now)
		if h.Name != name || h.Method != method || h.Certainty != certainty {
			t.Errorf("%s: %q by %q, %q; want %q by %q, %q", when, h.Name, h.Method, h.Certainty, name, method, certainty)
		}
	}
	check("nothing seen", "", "", "")
	failed := ntlm(client1, "LIAR")
	failed.Outcome = activity.Failure
	l.see(failed)
	check("a refused NTLM logon", "", "", "")
	l.see(ntlm(client1, `WS01`))
	check("NTLM", "ws01", "NTLM workstation", Low)
	l.see(ask(client1, resolver, "", typeA, addr("other.example", client1)))
	check("a DNS server that is no domain controller", "other.example", "DNS", Low)
	l.see(as(client1, dc1, "WS02$", 1))
	check("Kerberos computer logon", "ws02", "Kerberos computer logon", High)
	l.see(ntlm(client1, "LIAR"))
	check("NTLM after it", "ws02", "Kerberos computer logon", High)
	l.see(ask(client1, dc1, "", typeA, addr("WS02.lab.example.", client1)))
	check("DNS of a domain controller", "ws02.lab.example", "DNS", High)
	l.now += 24 * hour
	check("a day later", "ws02.lab.example", "DNS", High)
	l.now++
	check("more than a day later", "ws02.lab.example", "DNS", Low)
	l.see(ntlm(client1, "WS03"))
	check("NTLM then", "ws03", "NTLM workstation", Low)
	l.see(as(client1, dc1, "ann", 2))
	check("a person's logon names nothing", "ws03", "NTLM workstation", Low)
}

func TestReplicatorFromItsHostOnly(t *testing.T) {
	l := newLab()
	l.SetDirectory(&directory.Snapshot{Replicators: []directory.Replicator{
		{Account: `LAB\MSOL_1`, Hosts: []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.51")}}}})
	call := func(from netip.Addr, user, domain string) bool {
		a := replicate(from, dc1, activity.DRSGetNCChanges)
		a.Account = activity.Account{Name: user, Domain: domain}
		return l.see(a).Account.Replicator
	}
	if !call(client1, "msol_1", "LAB.EXAMPLE") || !call(client1, "MSOL_1", "LAB") {
		t.Error("the account from its host is a replicator")
	}
	if call(attacker, "msol_1", "LAB.EXAMPLE") {
		t.Error("from elsewhere it is not")
	}
	if call(client1, "ann", "LAB.EXAMPLE") {
		t.Error("another account from the host is not")
	}
}

func TestFormerAccounts(t *testing.T) {
	removed := t0 - 100*24*hour
	l := newLab()
	l.SetDirectory(&directory.Snapshot{Accounts: []directory.Account{
		{Name: "leaver", Domain: "lab.example", Removed: removed},
		{Name: "gone", Removed: removed},
		{Name: "ann", Domain: "lab.example"},
	}})
	for _, c := range []struct {
		name, domain string
		at           activity.Time
		want         bool
	}{
		{"Leaver", "LAB.EXAMPLE", t0, true},
		{"leaver", "LAB", t0, true},
		{"leaver", "OTHER", t0, false},
		{"gone", "LAB.EXAMPLE", t0, true},
		{"ann", "LAB.EXAMPLE", t0, false},
		{"leaver", "LAB", removed + 180*24*hour, true},
		{"leaver", "LAB", removed + 180*24*hour + 1, false},
	} {
		l.now = c.at - second
		a := as(client1, dc1, c.name, 1)
		a.Account.Domain = c.domain
		if got := l.see(a).Account.Former; got != c.want {
			t.Errorf(`%s\%s at %v: former %v`, c.domain, c.name, c.at, got)
		}
	}
}

func TestDNSServers(t *testing.T) {
	l := newLab()
	transfer := func() bool {
		a := ask(client1, dc1, "lab.example", 252)
		a.Outcome = activity.Failure
		return l.see(a).Source.DNSServer
	}
	if transfer() {
		t.Error("nobody called it a DNS server")
	}
	l.see(ask(helper, dc1, "other.example", typeNS, ns("other.example", "ns1.lab.example"), addr("ns1.lab.example", client1)))
	if transfer() {
		t.Error("name server of another zone")
	}
	l.see(ask(helper, resolver, "lab.example", typeNS, ns("lab.example", "ns1.lab.example"), addr("ns1.lab.example", client1)))
	if transfer() {
		t.Error("by the word of a server that is neither asked nor a domain controller")
	}
	l.see(ask(helper, dc1, "lab.example", typeNS, ns("LAB.example.", "ns1.lab.example"), addr("ns1.lab.example", client1)))
	if !transfer() {
		t.Error("the server asked names it for the zone")
	}
	l.now += 24 * hour
	if transfer() {
		t.Error("a day later it no longer holds")
	}
	l.see(ask(dc1, client1, "www.example", typeA, addr("www.example", helper)))
	if !transfer() {
		t.Error("it answered a DNS query")
	}
	l2 := newLab()
	l2.SetDirectory(&directory.Snapshot{DNSServers: []netip.Addr{client1}})
	if !l2.host(client1, t0).DNSServer {
		t.Error("the directory lists it")
	}
}
