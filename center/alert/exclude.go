package alert

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/names"
)

// Exclusion keeps findings about an entity from becoming alerts. What it left
// out is counted.
type Exclusion struct {
	Text      string        // as given
	Detection string        // "" all
	prefix    netip.Prefix  // of an address or subnet; else it names
	host      string        // a computer by its key
	account   names.Account // or an account
	Excluded  int64         // findings left out
}

// ParseExclusion reads "[DETECTION:]WHAT", where WHAT is an address, a subnet,
// a computer or an account. The detection must be one of ids.
func ParseExclusion(s string, ids []string) (*Exclusion, error) {
	x := &Exclusion{Text: s}
	what := s
	if id, rest, ok := strings.Cut(s, ":"); ok && !addressLike(s) {
		for _, known := range ids {
			if known == id {
				x.Detection, what = id, rest
			}
		}
		if x.Detection == "" {
			return nil, fmt.Errorf("reading exclusion %q: no detection %q", s, id)
		}
	}
	if what == "" {
		return nil, fmt.Errorf("reading exclusion %q: names nothing; give an address, a subnet, a computer or an account", s)
	}
	if p, err := netip.ParsePrefix(what); err == nil {
		x.prefix = p.Masked()
	} else if a, err := netip.ParseAddr(what); err == nil {
		x.prefix = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
	} else {
		x.host, x.account = names.HostKey(what), names.ParseAccount(what)
	}
	return x, nil
}

func addressLike(s string) bool {
	_, err := netip.ParseAddr(s)
	_, err2 := netip.ParsePrefix(s)
	return err == nil || err2 == nil
}

// matches tells whether the finding is about what is excluded: one of its
// sources, or all of its accounts. A name that is no more than the source's own
// word excludes nothing: whoever attacks could choose it.
func (x *Exclusion) matches(n *detect.Finding) bool {
	if x.Detection != "" && x.Detection != n.Detection {
		return false
	}
	for _, c := range n.Sources {
		if x.prefix.IsValid() {
			if a, err := netip.ParseAddr(c.Address); err == nil && x.prefix.Contains(a) {
				return true
			}
		} else if h := names.HostKey(c.Name); h != "" && c.Certainty != resolve.Low && (h == x.host || names.ShortHost(h) == x.host) {
			return true
		}
	}
	if x.prefix.IsValid() || len(n.Accounts) == 0 {
		return false
	}
	for _, p := range n.Accounts {
		if !x.about(p) {
			return false
		}
	}
	return true
}

// about tells whether the account is the one excluded, however either is
// written. An exclusion that names no domain holds in each.
func (x *Exclusion) about(p detect.Party) bool {
	a := names.ParseAccount(p.Name)
	if a.Domain == "" {
		a.Domain = p.Domain
	}
	return a.NameKey() == x.account.NameKey() && (x.account.Domain == "" || names.SameDomainLabel(a.Domain, x.account.Domain))
}
