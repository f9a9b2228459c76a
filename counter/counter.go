// Package counter keeps the counts behind "nothing silent": every packet
// dropped, message not understood, activity late and rule not evaluated is
// counted by stage and reason, and `analyze --explain`, the metrics and the
// health page print the same numbers.
//
// A Set belongs to one goroutine; Merge brings the sets of several together.
package counter

import (
	"cmp"
	"slices"
)

// Counter is one number. Hot paths keep the pointer that Set.Of returns, so
// that counting costs an addition.
type Counter struct{ n int64 }

// Add raises the counter by n.
func (c *Counter) Add(n int) { c.n += int64(n) }

// Value is the count so far.
func (c *Counter) Value() int64 { return c.n }

// Row is one line of a listing. Name says what was counted, in the words an
// operator reads ("packets cut by the snap length").
type Row struct {
	Stage string `json:"stage"`
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

type key struct{ stage, name string }

// Set holds the counters of one pipeline. The zero value is ready to use.
type Set struct{ m map[key]*Counter }

// Of returns the counter for a stage and a name, making it at zero. Names must
// come from code, never from input: the set has no cap of its own.
func (s *Set) Of(stage, name string) *Counter {
	if s.m == nil {
		s.m = make(map[key]*Counter)
	}
	k := key{stage, name}
	c := s.m[k]
	if c == nil {
		c = new(Counter)
		s.m[k] = c
	}
	return c
}

// Merge adds the counts of o to s.
func (s *Set) Merge(o *Set) {
	for k, c := range o.m {
		s.Of(k.stage, k.name).n += c.n
	}
}

// Rows lists the counters above zero, by stage and name.
func (s *Set) Rows() []Row {
	var rows []Row
	for k, c := range s.m {
		if c.n != 0 {
			rows = append(rows, Row{k.stage, k.name, c.n})
		}
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Name, b.Name))
	})
	return rows
}
