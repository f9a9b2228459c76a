package samr

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const (
	// maxNames caps the names of accounts that look-ups gave: programs look up
	// an account right before they open it.
	maxNames = 64
	// maxDomains caps the names of domains: a server has its own and Builtin.
	maxDomains = 8
)

// object is what a handle stands for: a domain, or an account of it.
type object struct {
	domain  names.SID // zero: its opening was not seen
	rid     uint32
	account bool // of the domain, by rid
}

// sid is the object's own.
func (o object) sid() string {
	switch {
	case o.domain.IsZero():
		return ""
	case o.account:
		return o.domain.WithRID(o.rid).String()
	}
	return o.domain.String()
}

// known is a name that a look-up gave.
type known struct {
	object
	name string
}

// state is what is known of a connection.
type state struct {
	handles ndr.Handles[object]
	names   []known // from the oldest to the newest, at most maxNames
	domains []known // likewise, at most maxDomains
}

var _ decode.State = (*state)(nil)

// Held implements decode.State.
func (s *state) Held() int {
	const size, entry = 64, 160
	n := size + s.handles.Held() + (cap(s.names)+cap(s.domains))*entry
	for _, k := range s.names {
		n += len(k.name)
	}
	for _, k := range s.domains {
		n += len(k.name)
	}
	return n
}

// learn notes the name of an account, or of a domain.
func (s *state) learn(o object, name string) {
	list, limit := &s.names, maxNames
	if !o.account {
		list, limit = &s.domains, maxDomains
	}
	if o.domain.IsZero() || name == "" || s.name(o) != "" {
		return
	}
	if len(*list) == limit {
		copy(*list, (*list)[1:])
		*list = (*list)[:limit-1]
	}
	*list = append(*list, known{o, name})
}

// name is what an account or a domain is called, "" when no look-up told.
func (s *state) name(o object) string {
	list := s.names
	if !o.account {
		list = s.domains
	}
	for _, k := range list {
		if k.object == o {
			return k.name
		}
	}
	return ""
}

// describe puts into d what o is.
func (s *state) describe(d *activity.RPC, o object) {
	d.SID = o.sid()
	d.Object = s.name(o)
	if o.account {
		d.RIDs = []uint32{o.rid}
	}
}
