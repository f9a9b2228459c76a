package analyze

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/counter"
)

// Explanation is what --explain prints: what each stage saw and dropped, who
// counted as a domain controller, and what each detection had to work with.
type Explanation struct {
	Counters          []counter.Row
	DomainControllers []DomainController
	Detections        []Evaluation
	Exclusions        []*alert.Exclusion
}

// DomainController is an address that counted as one, and why.
type DomainController struct {
	Addr netip.Addr
	Why  string
}

// Evaluation says whether a detection could work.
type Evaluation struct {
	ID      string
	Working bool
	Why     string // what it looked at, or what was missing
}

func explain(core *center.Core, cfg center.Config, counters *counter.Set) Explanation {
	e := Explanation{Counters: counters.Rows(), Exclusions: cfg.Exclusions}
	for addr, why := range core.DomainControllers() {
		e.DomainControllers = append(e.DomainControllers, DomainController{addr, why})
	}
	slices.SortFunc(e.DomainControllers, func(a, b DomainController) int { return a.Addr.Compare(b.Addr) })
	for _, d := range cfg.Definitions {
		e.Detections = append(e.Detections, evaluate(d, core.Seen(), e.Counters))
	}
	slices.SortFunc(e.Detections, func(a, b Evaluation) int { return cmp.Compare(a.ID, b.ID) })
	return e
}

// hidden lists the counters of what a decoder could not read, by the kinds of
// activity that may be in it.
var hidden = []struct {
	stage, name string
	kinds       []activity.Kind
}{
	{"ldap", "messages sealed", []activity.Kind{activity.LDAPQuery}},
	{"ldap", "conversations in TLS", []activity.Kind{activity.LDAPQuery, activity.LDAPSimple}},
	{"dcerpc", "calls without bind", []activity.Kind{activity.Replication}},
}

func evaluate(d *detect.Definition, seen map[activity.Kind]int64, rows []counter.Row) Evaluation {
	var have, lost []string
	for _, k := range d.Consumes {
		if n := seen[k]; n > 0 {
			have = append(have, fmt.Sprintf("%d × %s", n, meaning(k)))
		}
	}
	for _, h := range hidden {
		if !slices.ContainsFunc(h.kinds, func(k activity.Kind) bool { return slices.Contains(d.Consumes, k) }) {
			continue
		}
		for _, r := range rows {
			if r.Stage == h.stage && r.Name == h.name {
				lost = append(lost, fmt.Sprintf("%d %s (%s)", r.Count, r.Name, r.Stage))
			}
		}
	}
	e := Evaluation{ID: d.ID, Working: have != nil, Why: "looked at " + strings.Join(have, ", ")}
	if !e.Working {
		e.Why = "needs " + strings.Join(d.Needs, "; ") + ": none in the input"
	}
	if lost != nil {
		e.Why += "; not readable: " + strings.Join(lost, ", ")
	}
	if e.Working && d.Learning > 0 {
		e.Why += "; without a learned baseline"
	}
	return e
}

func meaning(k activity.Kind) string {
	for _, e := range activity.Kinds {
		if e.Kind == k {
			return e.Meaning
		}
	}
	return string(k)
}
