package center

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/counter"
)

// Evaluation says whether a detection could work.
type Evaluation struct {
	ID      string
	Working bool
	Why     string // what it looked at, or what was missing
}

// Hidden lists the sensors' counters of what a decoder could not read, by the
// kinds of activity that may be in it.
var Hidden = []struct {
	Stage, Name string
	One         string // of what the counter counts
	Kinds       []activity.Kind
}{
	{"ldap", "messages sealed", "message sealed", []activity.Kind{activity.LDAPQuery}},
	{"ldap", "conversations in TLS", "conversation in TLS", []activity.Kind{activity.LDAPQuery, activity.LDAPSimple}},
	{"dcerpc", "calls without bind", "call without bind", []activity.Kind{activity.Replication}},
}

// Evaluate says of each detection, by id, whether it could work: from the
// activities seen, and the sensors' counters. Missing says where what it needs
// is not: "none in the input".
func Evaluate(defs []*detect.Definition, seen map[activity.Kind]int64, sensors []counter.Row, missing string) []Evaluation {
	all := make([]Evaluation, 0, len(defs))
	for _, d := range defs {
		all = append(all, evaluate(d, seen, sensors, missing))
	}
	slices.SortFunc(all, func(a, b Evaluation) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func evaluate(d *detect.Definition, seen map[activity.Kind]int64, rows []counter.Row, missing string) Evaluation {
	var have, lost []string
	for _, k := range d.Consumes {
		if n := seen[k]; n > 0 {
			have = append(have, fmt.Sprintf("%d × %s", n, meaning(k)))
		}
	}
	for _, h := range Hidden {
		if !slices.ContainsFunc(h.Kinds, func(k activity.Kind) bool { return slices.Contains(d.Consumes, k) }) {
			continue
		}
		for _, r := range rows {
			if r.Stage == h.Stage && r.Name == h.Name {
				what := r.Name
				if r.Count == 1 {
					what = h.One
				}
				lost = append(lost, fmt.Sprintf("%d %s (%s)", r.Count, what, r.Stage))
			}
		}
	}
	e := Evaluation{ID: d.ID, Working: have != nil, Why: "looked at " + strings.Join(have, ", ")}
	if !e.Working {
		e.Why = "needs " + strings.Join(d.Needs, "; ") + ": " + missing
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
