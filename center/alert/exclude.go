package alert

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/names"
)

// Exclusion keeps findings about an entity from becoming alerts. What it left
// out is counted.
type Exclusion struct {
	Text      string // as given
	Detection string // "" all
	prefix    netip.Prefix
	name      string // folded host or account
	Excluded  int64  // findings left out
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
		x.name = names.Fold(what)
	}
	return x, nil
}

func addressLike(s string) bool {
	_, err := netip.ParseAddr(s)
	_, err2 := netip.ParsePrefix(s)
	return err == nil || err2 == nil
}

// matches tells whether the finding is about what is excluded: one of its
// sources, or its only account.
func (x *Exclusion) matches(n *detect.Finding) bool {
	if x.Detection != "" && x.Detection != n.Detection {
		return false
	}
	for _, c := range n.Sources {
		if x.prefix.IsValid() {
			if a, err := netip.ParseAddr(c.Address); err == nil && x.prefix.Contains(a) {
				return true
			}
		} else if h := names.HostKey(c.Name); h != "" && (h == x.name || names.ShortHost(h) == x.name) {
			return true
		}
	}
	if x.prefix.IsValid() || len(n.Accounts) == 0 {
		return false
	}
	for _, p := range n.Accounts {
		if !x.account(p) {
			return false
		}
	}
	return true
}

func (x *Exclusion) account(p detect.Party) bool {
	want := names.ParseAccount(x.name)
	if names.Fold(p.Name) == x.name || p.Key == x.name {
		return true
	}
	return names.Fold(p.Name) == want.Name && want.Domain != "" && names.SameDomainLabel(p.Domain, want.Domain)
}
