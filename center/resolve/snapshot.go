package resolve

import (
	"encoding/json"
	"fmt"

	"github.com/verderer/verderer/center/directory"
)

type state struct {
	Tickets   json.RawMessage     `json:"tickets"`
	Hosts     json.RawMessage     `json:"hosts"`
	Names     json.RawMessage     `json:"names"`
	Realms    json.RawMessage     `json:"realms"`
	Directory *directory.Snapshot `json:"directory,omitempty"`
}

// MarshalJSON gives the state as of the last activity resolved.
func (r *Resolver) MarshalJSON() ([]byte, error) {
	var s state
	var err error
	for _, p := range []struct {
		to   *json.RawMessage
		from json.Marshaler
	}{{&s.Tickets, r.tickets}, {&s.Hosts, r.hosts}, {&s.Names, r.names}, {&s.Realms, r.realms}} {
		if *p.to, err = p.from.MarshalJSON(); err != nil {
			return nil, fmt.Errorf("writing resolve snapshot: %w", err)
		}
	}
	s.Directory = r.dir
	return json.Marshal(s)
}

// UnmarshalJSON restores what MarshalJSON gave.
func (r *Resolver) UnmarshalJSON(b []byte) error {
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading resolve snapshot: %w", err)
	}
	for _, p := range []struct {
		from json.RawMessage
		to   json.Unmarshaler
	}{{s.Tickets, r.tickets}, {s.Hosts, r.hosts}, {s.Names, r.names}, {s.Realms, r.realms}} {
		if err := p.to.UnmarshalJSON(p.from); err != nil {
			return fmt.Errorf("reading resolve snapshot: %w", err)
		}
	}
	r.SetDirectory(s.Directory)
	return nil
}
