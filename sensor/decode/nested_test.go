package decode

import (
	"net/netip"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/flow"
)

// carrying hands everything on to one conversation inside it.
type carrying struct {
	x      *Context
	inside *Nested
}

func (c *carrying) Reset(x *Context) {
	c.x = x
	c.inside = x.Nest("inside", &Carrier{Pipe: "samr", Auth: func() (*activity.Auth, activity.Account) { return nil, activity.Account{} }})
}
func (c *carrying) Feed(dir flow.Dir, b []byte, now activity.Time) { c.inside.Feed(dir, b, now) }
func (c *carrying) Gap(dir flow.Dir, n int, now activity.Time)     { c.inside.Gap(dir, n, now) }
func (c *carrying) Close(now activity.Time)                        { c.inside.Close(now); c.inside = nil }
func (c *carrying) Held() int {
	if c.inside == nil {
		return 100
	}
	return 100 + c.inside.Held()
}

// inside keeps what it is fed and says so at the end.
type inside struct {
	x    *Context
	kept []byte
	gaps int
}

func (i *inside) Reset(x *Context)                           { *i = inside{x: x} }
func (i *inside) Feed(_ flow.Dir, b []byte, _ activity.Time) { i.kept = append(i.kept, b...) }
func (i *inside) Gap(flow.Dir, int, activity.Time)           { i.gaps++ }
func (i *inside) Held() int                                  { return cap(i.kept) }
func (i *inside) Close(now activity.Time) {
	a := i.x.New(activity.RPCCall, activity.ProtoDCERPC, now)
	a.RPC = &activity.RPC{Object: string(i.kept), Pipe: i.x.Carrier.Pipe, Count: i.gaps}
	i.x.Count("closed", 1)
	i.x.Emit(a)
}

func TestNested(t *testing.T) {
	var (
		counters counter.Set
		got      []*activity.Activity
	)
	s, err := NewStage(Set{Protocols: []Protocol{
		{Name: "carrying", TCP: []uint16{445}, New: func() Decoder { return new(carrying) }},
		{Name: "inside", New: func() Decoder { return new(inside) }},
	}}, nil, &counters, func(a *activity.Activity) { got = append(got, a) })
	if err != nil {
		t.Fatal(err)
	}
	at := func(frame int64) { s.At(&capture.Chunk{File: "f", Frame: frame}) }
	for round := range 3 {
		got = nil
		at(1)
		h := s.Open(&flow.Conn{Transport: activity.TCP, Client: netip.MustParseAddrPort("192.0.2.9:50000"), Server: netip.MustParseAddrPort("192.0.2.1:445")})
		big := make([]byte, 100<<10)
		h.Feed(flow.ToServer, big, 1)
		if s.budget.held < len(big) {
			t.Errorf("%d bytes held: what is inside does not count", s.budget.held)
		}
		at(2)
		h.Feed(flow.ToServer, []byte("x"), 2)
		h.Gap(flow.ToServer, 7, 3)
		h.Close(4)
		if len(got) != 1 || len(got[0].RPC.Object) != len(big)+1 || got[0].RPC.Pipe != "samr" || got[0].RPC.Count != 1 {
			t.Fatalf("round %d: got %d activities", round, len(got))
		}
		if a := got[0]; a.Origin.Frame != 2 || a.Target.Port != 445 {
			t.Errorf("origin %+v, target %+v", a.Origin, a.Target)
		}
	}
	if n := counters.Of("inside", "closed").Value(); n != 3 {
		t.Errorf("counted %d under its own name, want 3", n)
	}
	sum := 0
	for _, p := range s.pools {
		if len(p.free) != 1 {
			t.Errorf("%d decoders of %s were made and kept, want 1", len(p.free), p.Name)
		}
		for _, h := range p.free {
			sum += h.held
		}
	}
	if s.budget.held != sum {
		t.Errorf("the budget says %d, pools hold %d", s.budget.held, sum)
	}
	if x := (&Context{stage: s}); x.Nest("unknown", nil) != nil {
		t.Error("a protocol nobody registered is followed")
	}
}
