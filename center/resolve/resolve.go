// Package resolve is the one ordered stage that owns what detections share:
// which computer has an address, which computers are domain controllers and
// DNS servers, whom a ticket was issued to, and what the directory says. It
// attaches the answers, as of the activity's place in the log, to each activity.
//
// Its state is a function of the log, bounded, and part of every snapshot.
package resolve

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/directory"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/names"
)

// Resolved is an activity with what the center knew of it at its place in the
// log.
type Resolved struct {
	*activity.Activity
	Late    bool // it arrived after the watermark had passed its time
	Source  Host
	Target  Host
	Account Account
}

// Certainty of an answer.
type Certainty string

const (
	High Certainty = "high" // stated by a source that the claimant does not control
	Low  Certainty = "low"  // the claimant's own word, or old
)

// Host is the computer behind an address, or one that an event names without
// saying where it is.
type Host struct {
	Addr      netip.Addr // invalid when no address was stated
	Name      string     // "" when unknown
	Method    string     // how the name was found: "Kerberos computer logon", "DNS", "NTLM workstation", "directory", "event"
	Certainty Certainty
	DC        string // how it is known to be a domain controller; "" when it is not known to be one
	DNSServer bool   // it answered DNS queries, or is a name server of the zone asked for, or the directory lists it
	Promoted  bool   // within the last 24 h it created a directory service object of its own: a new domain controller
}

// Known tells that there is anything to call the computer by.
func (h Host) Known() bool { return h.Addr.IsValid() || h.Name != "" }

// Label is the name and address for people, "ws01 (10.0.0.5)".
func (h Host) Label() string {
	switch {
	case !h.Known():
		return "an unknown computer"
	case !h.Addr.IsValid():
		return h.Name
	case h.Name == "":
		return h.Addr.String()
	}
	return h.Name + " (" + h.Addr.String() + ")"
}

// Account is who acted.
type Account struct {
	Name       string
	Domain     string
	SID        string
	Key        string // folded, the same for every way of writing the account; "" when unknown
	Method     string // "wire", or "ticket": the client that the presented ticket was issued to
	Replicator bool   // the directory allows it to replicate from this source, or from any where the source is not stated
	DC         bool   // a computer account that is a domain controller's, or may be one for all that is known of the directory
	Former     bool   // the directory lists it as deleted, disabled or renamed within the last 180 days
}

// Zero tells that the account is unknown.
func (a Account) Zero() bool { return a.Key == "" }

// Memory of the projections.
const (
	// maxTickets bounds the issued tickets remembered, about 250 bytes each: the
	// tickets of 50,000 accounts with ten alive each.
	maxTickets = 500_000
	// maxHosts bounds addresses; maxNames the DNS names they go by. A forest of
	// 100,000 computers fits twice.
	maxHosts, maxNames = 200_000, 200_000
	// maxRealms bounds the Kerberos realms seen to issue tickets: forests have
	// dozens of domains at most.
	maxRealms = 1000
	// maxAddrs bounds the addresses of one name, and the names of one address.
	maxAddrs = 16

	// memory is how long a role or a name holds after it was last seen proved:
	// the DC set's 24 h history of the detection reference.
	memory = 24 * time.Hour
	// formerMemory is how long a removed account's name excuses who asks for it.
	formerMemory = 180 * 24 * time.Hour
)

// Resolver is the stage. It belongs to one goroutine and sees the log's
// activities in order.
type Resolver struct {
	tickets  *lru[activity.TicketID, client]
	hosts    *lru[netip.Addr, *host]
	names    *lru[string, *name]
	realms   *lru[string, activity.Time]
	dir      *directory.Snapshot
	index    index
	counters *counter.Set
}

type client struct {
	Name   string `json:"n"`
	Domain string `json:"d,omitempty"`
}

// host is what the traffic showed of an address. Times are of the last proof.
type host struct {
	KDC      activity.Time `json:"kdc,omitempty"`      // answered a Kerberos request
	DRS      activity.Time `json:"drs,omitempty"`      // answered a replication call
	Locator  activity.Time `json:"locator,omitempty"`  // answered a domain controller locator ping
	DNS      activity.Time `json:"dns,omitempty"`      // answered a DNS query
	Promoted activity.Time `json:"promoted,omitempty"` // created a directory service object through DRSAddEntry
	Name     string        `json:"name,omitempty"`
	NameBy   string        `json:"nameBy,omitempty"`
	NameHigh bool          `json:"nameHigh,omitempty"`
	NameAt   activity.Time `json:"nameAt,omitempty"`
	Names    []string      `json:"names,omitempty"` // DNS names whose address records give this address
}

// name is what DNS answers said of a DNS name. By is the server that said so.
type name struct {
	Addrs    []said `json:"addrs,omitempty"`    // its addresses
	Locators []said `json:"locators,omitempty"` // the realms for which an SRV record names it as a domain controller
	Zones    []said `json:"zones,omitempty"`    // the zones for which an NS record names it
}

// said is what the DNS server By stated at a time: an address or a name.
type said struct {
	Addr netip.Addr    `json:"addr,omitzero"`
	Name string        `json:"name,omitempty"`
	By   netip.Addr    `json:"by"`
	At   activity.Time `json:"at"`
}

// note keeps the newest time of each statement.
func note(list []said, s said) []said {
	for i := range list {
		if o := &list[i]; o.Addr == s.Addr && o.Name == s.Name && o.By == s.By {
			o.At = max(o.At, s.At)
			return list
		}
	}
	if len(list) >= maxAddrs {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, s)
}

// New makes a Resolver that knows nothing.
func New(counters *counter.Set) *Resolver {
	return &Resolver{
		tickets:  newLRU[activity.TicketID, client](maxTickets),
		hosts:    newLRU[netip.Addr, *host](maxHosts),
		names:    newLRU[string, *name](maxNames),
		realms:   newLRU[string, activity.Time](maxRealms),
		counters: counters,
	}
}

// SetDirectory replaces what is known of the directory.
func (r *Resolver) SetDirectory(s *directory.Snapshot) {
	r.dir = s
	r.index = newIndex(s)
}

// Resolve learns from the item, then answers for it.
func (r *Resolver) Resolve(it ingest.Item) *Resolved {
	a := it.Activity
	r.learn(a)
	res := &Resolved{
		Activity: a,
		Late:     it.Late,
		Source:   r.endpoint(a.Source, a.Time),
		Target:   r.endpoint(a.Target, a.Time),
		Account:  r.account(a),
	}
	if a.DNS != nil && !res.Source.DNSServer {
		res.Source.DNSServer = r.nameServer(a)
	}
	return res
}

func (r *Resolver) account(a *activity.Activity) Account {
	var acc Account
	switch t := presented(a); {
	case !a.Account.Zero() && !anonymous(a):
		acc = Account{Name: a.Account.Name, Domain: a.Account.Domain, SID: a.Account.SID, Method: "wire"}
		acc.Key = accountKey(a.Account.Name, a.Account.Raw, a.Account.Domain)
	case t != nil:
		c, ok := r.tickets.get(t.ID)
		if !ok {
			r.counters.Of("resolve", "tickets presented that were not seen issued").Add(1)
			return Account{}
		}
		acc = Account{Name: c.Name, Domain: c.Domain, Method: "ticket"}
		acc.Key = accountKey(c.Name, nil, c.Domain)
	default:
		return Account{}
	}
	acc.Replicator = r.index.replicator(acc.Key, a.Source.Addr)
	acc.Former = r.index.former(acc.Key, a.Time)
	acc.DC = r.index.controller(acc.Name)
	return acc
}

// anonymous tells that the reply hides its client: with FAST it says
// WELLKNOWN/ANONYMOUS (RFC 6113 §5.4.3, RFC 8062), and the ticket-granting
// ticket presented says more.
func anonymous(a *activity.Activity) bool {
	return a.Kerberos != nil && strings.EqualFold(a.Account.Name, "WELLKNOWN/ANONYMOUS")
}

// presented is the ticket that authenticated the act, nil without one.
func presented(a *activity.Activity) *activity.Ticket {
	switch {
	case a.Auth != nil:
		return a.Auth.Ticket
	case a.DRS != nil && a.DRS.Auth != nil:
		return a.DRS.Auth.Ticket
	case a.Kerberos != nil && a.Kind == activity.KerberosTGS:
		return a.Kerberos.Presented
	}
	return nil
}

// fresh tells whether a proof still holds at now. A proof from after now counts
// too: a late activity is judged by the newest knowledge.
func fresh(proof, now activity.Time) bool {
	return proof != 0 && now.Sub(proof) <= memory
}

func (r *Resolver) endpoint(e activity.Endpoint, now activity.Time) Host {
	if e.Addr.IsValid() {
		return r.host(e.Addr, now)
	}
	h := Host{Name: names.HostKey(e.Host)}
	if h.Name == "" {
		return h
	}
	h.Method, h.Certainty = "event", High
	if r.index.dcByName[h.Name] {
		h.DC = "listed in the directory"
	}
	return h
}

func (r *Resolver) host(addr netip.Addr, now activity.Time) Host {
	h := Host{Addr: addr}
	if n := r.index.dcByAddr[addr]; n != "" {
		h.Name, h.Method, h.Certainty, h.DC = n, "directory", High, "listed in the directory"
	}
	if r.index.dnsServers[addr] {
		h.DNSServer = true
	}
	k, _ := r.hosts.get(addr)
	if k == nil {
		return h
	}
	if h.DC == "" {
		h.DC = r.proof(addr, k, now)
	}
	h.DNSServer = h.DNSServer || fresh(k.DNS, now)
	h.Promoted = fresh(k.Promoted, now)
	if h.Name == "" && k.Name != "" {
		h.Name, h.Method, h.Certainty = k.Name, k.NameBy, Low
		if k.NameHigh && fresh(k.NameAt, now) {
			h.Certainty = High
		}
	}
	return h
}

// direct tells how addr itself proved to be a domain controller.
func direct(k *host, now activity.Time) string {
	switch {
	case k == nil:
		return ""
	case fresh(k.KDC, now):
		return "answered Kerberos requests"
	case fresh(k.DRS, now):
		return "answered replication calls"
	case fresh(k.Locator, now):
		return "answered domain controller locator pings"
	}
	return ""
}

// proof tells how addr is known to be a domain controller: by what it answers,
// or because a proven domain controller's DNS names it as one. The word of any
// other DNS server does not count. Where the directory lists the domain
// controllers, the list decides, and DNS only says at which address they are.
func (r *Resolver) proof(addr netip.Addr, k *host, now activity.Time) string {
	listed := len(r.index.dcByName) > 0
	if p := direct(k, now); p != "" && !listed {
		return p
	}
	for _, dn := range k.Names {
		n, _ := r.names.get(dn)
		if n == nil || !r.index.dcByName[dn] && (listed || !r.locates(n, now)) {
			continue
		}
		for _, s := range n.Addrs {
			if s.Addr == addr && fresh(s.At, now) && r.trusted(s.By, now) {
				return "named as a domain controller by the DNS of " + s.By.String()
			}
		}
	}
	return ""
}

// locates tells whether a domain controller's DNS names n as a domain
// controller of a realm that is seen to issue tickets. Other realms do not
// count: by default every user may add names to a zone, but not to those that
// the domain controllers themselves have registered.
func (r *Resolver) locates(n *name, now activity.Time) bool {
	for _, s := range n.Locators {
		if !fresh(s.At, now) || !r.trusted(s.By, now) {
			continue
		}
		if seen, ok := r.realms.get(s.Name); ok && fresh(seen, now) || r.index.domains[s.Name] {
			return true
		}
	}
	return false
}

// trusted tells whether the DNS server at addr is itself a domain controller.
// Where the directory says at which addresses those are, nothing else counts: a
// stranger that proved itself by traffic could give its own address to a listed
// name.
func (r *Resolver) trusted(addr netip.Addr, now activity.Time) bool {
	if len(r.index.dcByAddr) > 0 {
		return r.index.dcByAddr[addr] != ""
	}
	k, _ := r.hosts.get(addr)
	return direct(k, now) != ""
}

// nameServer tells whether the source of a DNS query is a name server of the
// zone it asks for, by the word of the server asked or of a domain controller.
func (r *Resolver) nameServer(a *activity.Activity) bool {
	k, _ := r.hosts.get(a.Source.Addr)
	if k == nil {
		return false
	}
	believed := func(by netip.Addr) bool { return by == a.Target.Addr || r.trusted(by, a.Time) }
	zone := names.HostKey(a.DNS.Question)
	for _, dn := range k.Names {
		n, _ := r.names.get(dn)
		if n == nil {
			continue
		}
		serves := slices.ContainsFunc(n.Zones, func(s said) bool {
			return s.Name == zone && fresh(s.At, a.Time) && believed(s.By)
		})
		if serves && slices.ContainsFunc(n.Addrs, func(s said) bool {
			return s.Addr == a.Source.Addr && fresh(s.At, a.Time) && believed(s.By)
		}) {
			return true
		}
	}
	return false
}

// DomainControllers lists the addresses known as domain controllers at now with
// the reason, for --explain.
func (r *Resolver) DomainControllers(now activity.Time) map[netip.Addr]string {
	all := make(map[netip.Addr]string)
	for addr := range r.index.dcByAddr {
		all[addr] = "listed in the directory"
	}
	for addr, e := range r.hosts.m {
		if p := r.proof(addr, e.Value.(*entry[netip.Addr, *host]).Value, now); p != "" && all[addr] == "" {
			all[addr] = p
		}
	}
	return all
}
