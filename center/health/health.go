// Package health keeps what is wrong with us: a sensor fell silent, the disk is
// full. Whoever finds out sets an issue, and clears it when it is over; the API
// and the metrics read the list.
package health

import (
	"cmp"
	"slices"
	"sync"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
)

// Issue is something an operator must act on. Kind and Subject identify it.
type Issue struct {
	Kind     string          // kebab-case, never changed: scripts and settings name it
	Subject  string          // the sensor's id, or ""
	Severity detect.Severity // how much is lost while it lasts
	Text     string          // what is wrong, and what is lost by it
	Remedy   string          // what to do
	Since    activity.Time
}

// maxIssues caps the list: beyond it something is wrong that one more line does
// not explain. It is above a silent and a late issue for each of 1,000 sensors.
const maxIssues = 5000

// Registry holds the open issues. Its methods may be called from any goroutine.
type Registry struct {
	mu       sync.Mutex
	open     map[[2]string]Issue
	onChange func()
}

// NewRegistry makes an empty registry. onChange is called after every change,
// without a lock held; nil: nobody.
func NewRegistry(onChange func()) *Registry {
	return &Registry{open: make(map[[2]string]Issue), onChange: onChange}
}

// Set opens an issue, or brings its words up to date: Since stays.
func (r *Registry) Set(i Issue) {
	r.mu.Lock()
	k := [2]string{i.Kind, i.Subject}
	old, was := r.open[k]
	if was {
		i.Since = old.Since
	}
	// Those of the center itself, of which there are a few kinds, always fit:
	// that the disk is full must not be left out for a thousand silent sensors.
	full := !was && i.Subject != "" && len(r.open) >= maxIssues
	if !full {
		r.open[k] = i
	}
	r.mu.Unlock()
	if !full && old != i && r.onChange != nil {
		r.onChange()
	}
}

// Clear closes an issue, if it is open.
func (r *Registry) Clear(kind, subject string) {
	r.mu.Lock()
	k := [2]string{kind, subject}
	_, was := r.open[k]
	delete(r.open, k)
	r.mu.Unlock()
	if was && r.onChange != nil {
		r.onChange()
	}
}

// Issues lists the open issues, worst first, then oldest first.
func (r *Registry) Issues() []Issue {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Issue, 0, len(r.open))
	for _, i := range r.open {
		list = append(list, i)
	}
	rank := map[detect.Severity]int{detect.High: 0, detect.Medium: 1, detect.Low: 2}
	slices.SortFunc(list, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.Since, b.Since),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
	})
	return list
}
