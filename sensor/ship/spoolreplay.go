package ship

import "github.com/verderer/verderer/activity"

// Replay identifies what a sensor of files reads, so that it can be taken up.
type Replay struct {
	Inputs  string        `json:"inputs"`  // whatever changes when the files or how they are read do
	Version string        `json:"version"` // of the program: another one may state other things of the same files
	Started activity.Time `json:"started"` // when it was begun, by the wall clock
	Done    bool          `json:"done"`    // everything was appended
}

// BeginReplay tells what is about to be read. When that is what was read before,
// the earlier replay goes on: it is returned, and Stated says how many entries
// of it are in the spool already. Otherwise, and always with again, r is a new
// one, and Stated is 0.
func (s *Spool) BeginReplay(r Replay, again bool) (Replay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.state.Replay; !again && old != nil && old.Inputs == r.Inputs && (old.Done || old.Version == r.Version) {
		return *old, nil
	}
	next := s.state
	next.Replay, next.Stated = &r, 0
	return r, s.write(next)
}

// EndReplay notes that everything of the replay was appended.
func (s *Spool) EndReplay() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Replay == nil || s.state.Replay.Done {
		return nil
	}
	next, done := s.state, *s.state.Replay
	done.Done = true
	next.Replay = &done
	return s.write(next)
}
