package analyze

import (
	"net/netip"
	"slices"

	"github.com/verderer/verderer/center"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/counter"
)

// Explanation is what --explain prints: what each stage saw and dropped, who
// counted as a domain controller, and what each detection had to work with.
type Explanation struct {
	Counters          []counter.Row
	DomainControllers []DomainController
	Detections        []center.Evaluation
	Exclusions        []*alert.Exclusion
}

// DomainController is an address that counted as one, and why.
type DomainController struct {
	Addr netip.Addr
	Why  string
}

func explain(core *center.Core, cfg center.Config, counters *counter.Set) Explanation {
	e := Explanation{Counters: counters.Rows(), Exclusions: cfg.Exclusions}
	for addr, why := range core.DomainControllers() {
		e.DomainControllers = append(e.DomainControllers, DomainController{addr, why})
	}
	slices.SortFunc(e.DomainControllers, func(a, b DomainController) int { return a.Addr.Compare(b.Addr) })
	e.Detections = center.Evaluate(cfg.Definitions, core.Seen(), e.Counters, "none in the input")
	return e
}
