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

func explain(core *center.Core, defs []*detect.Definition, exclusions []*alert.Exclusion, counters *counter.Set) Explanation {
	e := Explanation{Counters: counters.Rows(), Exclusions: exclusions}
	for addr, why := range core.DomainControllers() {
		e.DomainControllers = append(e.DomainControllers, DomainController{addr, why})
	}
	slices.SortFunc(e.DomainControllers, func(a, b DomainController) int { return a.Addr.Compare(b.Addr) })
	for _, d := range defs {
		e.Detections = append(e.Detections, evaluate(d, core.Seen()))
	}
	slices.SortFunc(e.Detections, func(a, b Evaluation) int { return cmp.Compare(a.ID, b.ID) })
	return e
}

func evaluate(d *detect.Definition, seen map[activity.Kind]int64) Evaluation {
	var have []string
	for _, k := range d.Consumes {
		if n := seen[k]; n > 0 {
			have = append(have, fmt.Sprintf("%d × %s", n, meaning(k)))
		}
	}
	if have == nil {
		return Evaluation{d.ID, false, "needs " + strings.Join(d.Needs, "; ") + ": none in the input"}
	}
	why := "looked at " + strings.Join(have, ", ")
	if d.Learning > 0 {
		why += "; without a learned baseline"
	}
	return Evaluation{d.ID, true, why}
}

func meaning(k activity.Kind) string {
	for _, e := range activity.Kinds {
		if e.Kind == k {
			return e.Meaning
		}
	}
	return string(k)
}
