package resolve

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/directory"
	"github.com/verderer/verderer/names"
)

// index is the directory snapshot by what is asked of it.
type index struct {
	dcByAddr    map[netip.Addr]string
	dcByName    map[string]bool
	dcShort     map[string]bool // first labels of dcByName, which their accounts go by
	dnsServers  map[netip.Addr]bool
	domains     map[string]bool
	replicators map[string][]netip.Addr
	removed     map[string]activity.Time
}

func newIndex(s *directory.Snapshot) index {
	x := index{
		dcByAddr:    make(map[netip.Addr]string),
		dcByName:    make(map[string]bool),
		dcShort:     make(map[string]bool),
		dnsServers:  make(map[netip.Addr]bool),
		domains:     make(map[string]bool),
		replicators: make(map[string][]netip.Addr),
		removed:     make(map[string]activity.Time),
	}
	if s == nil {
		return x
	}
	for _, d := range s.Domains {
		x.domains[names.RealmKey(d.DNS)] = true
	}
	for _, d := range s.DomainControllers {
		x.dcByName[names.HostKey(d.Name)] = true
		x.dcShort[names.ShortHost(names.HostKey(d.Name))] = true
		for _, a := range d.Addresses {
			x.dcByAddr[a.Unmap()] = names.HostKey(d.Name)
		}
	}
	for _, a := range s.DNSServers {
		x.dnsServers[a.Unmap()] = true
	}
	for _, p := range s.Replicators {
		k := loose(accountKey(p.Account, nil, ""))
		for _, h := range p.Hosts {
			x.replicators[k] = append(x.replicators[k], h.Unmap())
		}
	}
	for _, a := range s.Accounts {
		if a.Removed != 0 {
			x.removed[accountKey(a.Name, nil, a.Domain)] = a.Removed
		}
	}
	return x
}

func (x *index) replicator(key string, from netip.Addr) bool {
	hosts := x.replicators[key]
	if hosts == nil {
		hosts = x.replicators[loose(key)]
	}
	return slices.Contains(hosts, from) || hosts != nil && !from.IsValid()
}

// controller tells whether the name of an account is that of a domain
// controller's computer. While the directory lists none, each computer's may be.
func (x *index) controller(account string) bool {
	host, ok := strings.CutSuffix(names.Fold(account), "$")
	return ok && host != "" && (len(x.dcByName) == 0 || x.dcShort[names.ShortHost(host)])
}

func (x *index) former(key string, at activity.Time) bool {
	t, ok := x.removed[key]
	if !ok {
		t, ok = x.removed[loose(key)]
	}
	return ok && at.Sub(t) <= formerMemory
}

// accountKey folds an account to one key for all its forms: name@label, where
// label is the first label of the domain, since NTLM says LAB where Kerberos
// says LAB.EXAMPLE. An account named without a domain has no label.
func accountKey(name string, raw []byte, domain string) string {
	if raw != nil {
		return names.FoldRaw(name, raw) + "@" + domainLabel(domain)
	}
	if domain == "" || strings.Contains(name, "@") {
		p := names.ParseAccount(name)
		name, domain = p.Name, p.Domain
	}
	return names.Fold(name) + "@" + domainLabel(domain)
}

func domainLabel(domain string) string {
	label, _, _ := strings.Cut(names.Fold(domain), ".")
	return label
}

// loose is an account key without its domain, for facts stated without one.
func loose(key string) string {
	if i := strings.LastIndexByte(key, '@'); i >= 0 {
		return key[:i+1]
	}
	return key
}
