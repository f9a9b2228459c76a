package alert

import "slices"

// What people do to alerts. Each says whether it took effect: what is asked for
// may have been done by somebody else meanwhile, or the alert be forgotten.

// Knows tells whether an alert is one of the fold's. It forgets old closed ones,
// and a center whose state was lost has but those that came since.
func (f *Fold) Knows(id string) bool { return f.byID[id] != nil }

// Close says that the alert was handled. It grows no more: the next finding of
// its detection and key opens a new alert, whose Previous it is.
func (f *Fold) Close(id string) bool { return f.turn(id, Open, Closed) }

// Reopen takes Close back. The alert grows again, unless a newer one of its
// detection and key was opened meanwhile: then that one does.
func (f *Fold) Reopen(id string) bool { return f.turn(id, Closed, Open) }

// Note changes nothing, but the alert counts as changed.
func (f *Fold) Note(id string) bool {
	a := f.byID[id]
	if a != nil {
		f.touch(a)
	}
	return a != nil
}

func (f *Fold) turn(id string, from, to Status) bool {
	a := f.byID[id]
	if a == nil || a.Alert.Status != from {
		return false
	}
	a.Alert.Status = to
	f.touch(a)
	return true
}

func (f *Fold) touch(a *folded) {
	if !a.changed {
		a.changed = true
		f.changed = append(f.changed, a)
	}
}

// Changed returns the alerts that changed since it was last asked, as they are
// now, by start and id. It costs what they cost, however many others there are.
func (f *Fold) Changed() []*Alert {
	if len(f.changed) == 0 {
		return nil
	}
	all := make([]*Alert, 0, len(f.changed))
	for _, a := range f.changed {
		a.changed = false
		if t := f.finished(a); t != nil {
			all = append(all, t)
		}
	}
	clear(f.changed)
	f.changed = f.changed[:0]
	slices.SortFunc(all, compare)
	return all
}

// SetExclusions replaces the exclusions for the findings to come. Counts go on
// where the text is the same.
func (f *Fold) SetExclusions(exclusions []*Exclusion) {
	for _, x := range exclusions {
		for _, old := range f.exclusions {
			if old.Text == x.Text {
				x.Excluded = old.Excluded
			}
		}
	}
	f.exclusions = exclusions
}

// makeRoom forgets the oldest closed alerts of a detection, a quarter of all it
// may have, so that years of handled alerts do not use up the cap. They can no
// longer be reopened, and keep what links to them. That of key, of which there
// is a finding now, stays, to be linked to.
func (f *Fold) makeRoom(detection, key string) {
	keep := f.current[detection+"\x00"+key]
	room := maxAlerts / 4
	f.alerts = slices.DeleteFunc(f.alerts, func(a *folded) bool {
		// One that changed is yet to be handed on.
		if room == 0 || a == keep || a.changed || a.Alert.Detection != detection || a.Alert.Status != Closed {
			return false
		}
		room--
		f.count[detection]--
		delete(f.byID, a.Alert.ID)
		if f.current[a.Key] == a {
			delete(f.current, a.Key)
		}
		return true
	})
}
