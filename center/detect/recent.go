package detect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/verderer/verderer/activity"
)

// Act is what a detection remembers of one activity of its key.
type Act struct {
	At       activity.Time `json:"t"`
	ID       activity.ID   `json:"id"`
	Account  Party         `json:"a"`
	Key      string        `json:"k"`           // what is counted as distinct: a folded name, a question
	Bits     uint32        `json:"b,omitempty"` // the detection's own marks
	Tag      uint16        `json:"g,omitempty"` // the detection's own number
	Target   Computer      `json:"d"`
	Reported bool          `json:"r,omitempty"` // a finding has carried it
}

// maxActs caps what one key remembers. An attacker who does more within a window
// has long been reported; for a busy source the windows get shorter, which the
// engine counts.
const maxActs = 4096

// Recent is the bounded memory of one key: its acts sorted by (time, id), late
// ones in the place of their own time. The zero value is empty.
type Recent struct {
	Acts []Act `json:"acts,omitempty"`

	slides []*Slide
}

// Add puts an act into its place and forgets acts older than keep before the
// latest, and the oldest beyond the cap. It returns the index of the act, or −1
// when the act is too old to be kept or there already.
func (r *Recent) Add(a Act, keep activity.Time) int {
	i, found := slices.BinarySearchFunc(r.Acts, a, func(x, y Act) int {
		return cmp.Or(cmp.Compare(x.At, y.At), bytes.Compare(x.ID[:], y.ID[:]))
	})
	if found {
		return -1
	}
	r.Acts = slices.Insert(r.Acts, i, a)
	for _, s := range r.slides {
		s.inserted(i)
	}
	// Forgetting moves what stays, so it happens a quarter at a time. No window
	// is longer than keep: acts past it do no harm until then.
	old := 0
	if latest := r.Acts[len(r.Acts)-1].At; r.Acts[len(r.Acts)/4].At < latest-keep {
		for old < len(r.Acts) && r.Acts[old].At < latest-keep {
			old++
		}
	}
	if len(r.Acts) > maxActs && old < maxActs/4 {
		old = maxActs / 4
	}
	if old > 0 {
		for _, s := range r.slides {
			s.forget(old)
		}
		r.Acts = slices.Delete(r.Acts, 0, old)
	}
	return max(-1, i-old)
}

// Size is the number of acts remembered.
func (r *Recent) Size() int { return len(r.Acts) }

// UnmarshalJSON restores what JSON gave, and refuses what Add cannot have made.
func (r *Recent) UnmarshalJSON(b []byte) error {
	var s struct {
		Acts []Act `json:"acts"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading acts: %w", err)
	}
	if len(s.Acts) > maxActs || !slices.IsSortedFunc(s.Acts, func(x, y Act) int { return cmp.Compare(x.At, y.At) }) {
		return fmt.Errorf("reading acts: %d of them, at most %d in the order of time are kept", len(s.Acts), maxActs)
	}
	r.Acts = s.Acts
	for _, w := range r.slides {
		w.restart()
	}
	return nil
}

// Ends lists the window ends at which an act at index i may change a verdict:
// itself, and for a late act every later act within the window. For acts that
// any busy source has thousands of, use a Slide.
func (r *Recent) Ends(i int, window activity.Time) []int {
	ends := []int{i}
	for j := i + 1; j < len(r.Acts) && r.Acts[j].At <= r.Acts[i].At+window; j++ {
		ends = append(ends, j)
	}
	return ends
}

// Window returns the acts within window up to and including the one at end, as
// a part of Acts.
func (r *Recent) Window(end int, window activity.Time) []Act {
	start := end
	for start > 0 && r.Acts[start-1].At >= r.Acts[end].At-window {
		start--
	}
	return r.Acts[start : end+1]
}

// Report fills a finding with the acts not yet reported, of which pick chooses
// those that belong to the attack, and marks them. It returns false when there
// is nothing new to say.
func Report(acts []Act, f *Finding, pick func(a *Act) bool) bool {
	for i := range acts {
		a := &acts[i]
		if a.Reported || !pick(a) {
			continue
		}
		a.Reported = true
		if f.Count == 0 || a.At < f.Start {
			f.Start = a.At
		}
		f.End = max(f.End, a.At)
		f.Count++
		f.Activities = append(f.Activities, a.ID)
		f.Accounts = append(f.Accounts, a.Account)
		f.Targets = append(f.Targets, a.Target)
	}
	return f.Count > 0
}
