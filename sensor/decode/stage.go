package decode

import (
	"fmt"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/flow"
)

// maxPool caps the closed decoders kept for reuse, per protocol: about the
// number of conversations that open and close within a second on a busy
// domain controller.
const maxPool = 1024

// Stage routes conversations to decoders (it is flow's Router) and collects
// their activities. It belongs to one goroutine.
type Stage struct {
	Counters *counter.Set

	emit       func(*activity.Activity)
	emitted    *counter.Counter
	inner      map[string]Inner
	interfaces map[interfaceKey]*Interface
	tcp        map[uint16]*pool
	udp        map[uint16]*pool
	signed     *pool // the protocol with a Signature, nil without one
	pools      []*pool
	budget     budget
	events     []Events

	file  string
	frame int64
	tags  tagKeys
}

type pool struct {
	Protocol
	free []*handler
}

// handler is a pooled decoder with the context it was reset with.
type handler struct {
	Decoder
	context Context
	pool    *pool

	held       int // in the budget
	in         *list
	prev, next *handler
}

// Set is what a stage works with: decoders of conversations, of tokens inside
// them, of the calls of DCE/RPC interfaces, and of event logs.
type Set struct {
	Protocols  []Protocol
	Inner      []Inner
	Interfaces []Interface
	Events     []Events
}

// NewStage makes the stage for the given decoders. emit gets every activity,
// sealed, in the order the packets completed them. siteKey keys password tags;
// it must be secret wherever tags leave the machine.
func NewStage(set Set, siteKey []byte, counters *counter.Set, emit func(*activity.Activity)) (*Stage, error) {
	s := &Stage{
		Counters:   counters,
		emit:       emit,
		emitted:    counters.Of("decode", "activities"),
		inner:      make(map[string]Inner),
		interfaces: make(map[interfaceKey]*Interface),
		tcp:        make(map[uint16]*pool),
		udp:        make(map[uint16]*pool),
		events:     set.Events,
		tags:       tagKeys{site: siteKey},
	}
	for _, in := range set.Inner {
		if s.inner[in.Name].Read != nil {
			return nil, fmt.Errorf("registering inner decoder %s: its name is taken", in.Name)
		}
		s.inner[in.Name] = in
	}
	for _, in := range set.Interfaces {
		uuid, err := ParseUUID(in.UUID)
		if err != nil {
			return nil, fmt.Errorf("registering interface %s: %w", in.Name, err)
		}
		if in.Request > MaxStub || in.Response > MaxStub {
			return nil, fmt.Errorf("registering interface %s: it wants more than %d bytes of a stub", in.Name, MaxStub)
		}
		key := interfaceKey{uuid, in.Version}
		if other := s.interfaces[key]; other != nil {
			return nil, fmt.Errorf("registering interface %s: its UUID is taken by %s", in.Name, other.Name)
		}
		s.interfaces[key] = &in
	}
	for _, p := range set.Protocols {
		pl := &pool{Protocol: p}
		s.pools = append(s.pools, pl)
		for _, at := range []struct {
			ports []uint16
			m     map[uint16]*pool
		}{{p.TCP, s.tcp}, {p.UDP, s.udp}} {
			for _, port := range at.ports {
				if other := at.m[port]; other != nil {
					return nil, fmt.Errorf("registering decoder %s: port %d is taken by %s", p.Name, port, other.Name)
				}
				at.m[port] = pl
			}
		}
		if p.Signature != nil {
			if s.signed != nil {
				return nil, fmt.Errorf("registering decoder %s: %s recognises conversations by signature already, and one alone may", p.Name, s.signed.Name)
			}
			s.signed = pl
		}
	}
	return s, nil
}

// TagKeys has password tags keyed by what of returns for a day ("2006-01-02",
// UTC), wherever that is not nil, instead of by a key made of siteKey. It is
// asked within PasswordTag, and once a day for a key it has.
func (s *Stage) TagKeys(of func(day string) []byte) { s.tags = tagKeys{site: s.tags.site, of: of} }

// At notes the packet or event that is about to be processed, for Activity.Origin.
func (s *Stage) At(c *capture.Chunk) { s.file, s.frame = c.File, c.Frame }

// Event hands a record of an event log to the readers.
func (s *Stage) Event(now activity.Time, e *Event) {
	for i := range s.events {
		r := &s.events[i]
		r.Read(&Context{stage: s, proto: r.Name, file: s.file, frame: s.frame}, now, e)
	}
}

// Port implements flow.Router.
func (s *Stage) Port(t activity.Transport, port uint16) bool {
	return s.ports(t)[port] != nil
}

func (s *Stage) ports(t activity.Transport) map[uint16]*pool {
	if t == activity.UDP {
		return s.udp
	}
	return s.tcp
}

// Signature implements flow.Router.
func (s *Stage) Signature(payload []byte) (bool, flow.Dir) {
	if s.signed == nil {
		return false, 0
	}
	return s.signed.Protocol.Signature(payload)
}

// Open implements flow.Router. A conversation on no registered port was
// followed for its signature.
func (s *Stage) Open(c *flow.Conn) flow.Handler {
	p := s.ports(c.Transport)[c.Server.Port()]
	if p == nil {
		if c.Transport != activity.TCP || s.signed == nil {
			return nil
		}
		p = s.signed
	}
	h := p.handler()
	h.context = Context{Conn: c, stage: s, proto: p.Name}
	h.Reset(&h.context)
	return h
}

// handler takes a decoder out of the pool, or makes one.
func (p *pool) handler() *handler {
	if n := len(p.free); n > 0 {
		h := p.free[n-1]
		p.free = p.free[:n-1]
		return h
	}
	return &handler{Decoder: p.New(), pool: p}
}
