package alert

import (
	"encoding/json"
	"fmt"
	"slices"
)

type foldState struct {
	Alerts   []*folded `json:"alerts"`
	Current  []int     `json:"current"`           // indices of the newest alert of each detection and key
	Changed  []int     `json:"changed,omitempty"` // indices of the alerts that Changed has yet to return
	Excluded []int64   `json:"excluded"`          // counts of the exclusions, in their order
}

// MarshalJSON gives the state as of the last finding.
func (f *Fold) MarshalJSON() ([]byte, error) {
	s := foldState{Alerts: f.alerts}
	for i, a := range f.alerts {
		if f.current[a.Key] == a {
			s.Current = append(s.Current, i)
		}
		if a.changed {
			s.Changed = append(s.Changed, i)
		}
	}
	for _, x := range f.exclusions {
		s.Excluded = append(s.Excluded, x.Excluded)
	}
	return json.Marshal(s)
}

// UnmarshalJSON restores what MarshalJSON gave into a new fold with the same
// exclusions.
func (f *Fold) UnmarshalJSON(b []byte) error {
	var s foldState
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading alert snapshot: %w", err)
	}
	for _, a := range s.Alerts {
		if a == nil || f.defs[a.Alert.Detection] == nil || len(a.Windows) != len(a.Numbers) {
			return fmt.Errorf("reading alert snapshot: an alert that no detection run here can have raised")
		}
		for i := range a.Numbers {
			a.Numbers[i].Window = a.Windows[i]
		}
		a.seen, a.known = make(map[string]int), make(map[string]bool)
		for i, p := range a.Alert.Accounts {
			a.seen[p.Key] = i
		}
		for _, c := range a.Alert.Sources {
			a.known["source "+c.ID()] = true
		}
		for _, c := range a.Alert.Targets {
			a.known["target "+c.ID()] = true
		}
	}
	f.alerts = s.Alerts
	for _, a := range f.alerts {
		f.count[a.Alert.Detection]++
		f.byID[a.Alert.ID] = a
	}
	for _, i := range slices.Concat(s.Current, s.Changed) {
		if i < 0 || i >= len(f.alerts) {
			return fmt.Errorf("reading alert snapshot: index %d of %d alerts", i, len(f.alerts))
		}
	}
	for _, i := range s.Current {
		f.current[f.alerts[i].Key] = f.alerts[i]
	}
	for _, i := range s.Changed {
		f.touch(f.alerts[i])
	}
	for i, n := range s.Excluded {
		if i < len(f.exclusions) {
			f.exclusions[i].Excluded = n
		}
	}
	return nil
}
