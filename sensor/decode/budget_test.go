package decode

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/flow"
)

// hoarder is a Decoder that says it holds what the first four bytes fed say.
type hoarder struct {
	x    *Context
	held int
}

func (d *hoarder) Reset(x *Context) { *d = hoarder{x: x} }
func (d *hoarder) Feed(_ flow.Dir, b []byte, _ activity.Time) {
	d.held = int(binary.BigEndian.Uint32(b))
}
func (d *hoarder) Gap(flow.Dir, int, activity.Time) {}
func (d *hoarder) Held() int                        { return d.held }
func (d *hoarder) Close(now activity.Time) {
	d.x.Emit(d.x.New(activity.LDAPQuery, activity.ProtoLDAP, now))
	d.held = 0
}

// hoard is a stage of hoarders.
type hoard struct {
	t        *testing.T
	stage    *Stage
	counters counter.Set
	closed   []uint16 // ports of the clients whose decoders were closed
}

func newHoard(t *testing.T) *hoard {
	h := &hoard{t: t}
	set := Set{Protocols: []Protocol{{Name: "hoard", TCP: []uint16{1}, New: func() Decoder { return new(hoarder) }}}}
	var err error
	h.stage, err = NewStage(set, nil, &h.counters, func(a *activity.Activity) { h.closed = append(h.closed, a.Source.Port) })
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hoard) open(port uint16) *handler {
	a := netip.MustParseAddr("10.0.0.1")
	return h.stage.Open(&flow.Conn{Client: netip.AddrPortFrom(a, port), Server: netip.AddrPortFrom(a, 1), Transport: activity.TCP}).(*handler)
}

// feed has the conversation hold n bytes.
func (h *hoard) feed(c *handler, n int) {
	h.t.Helper()
	c.Feed(flow.ToServer, binary.BigEndian.AppendUint32(nil, uint32(n)), 1)
	if h.stage.budget.held > maxHeld {
		h.t.Errorf("%d bytes held, %d are allowed", h.stage.budget.held, maxHeld)
	}
}

func (h *hoard) wantClosed(ports ...uint16) {
	h.t.Helper()
	if len(h.closed) != len(ports) {
		h.t.Fatalf("closed %v, want %v", h.closed, ports)
	}
	for i := range ports {
		if h.closed[i] != ports[i] {
			h.t.Fatalf("closed %v, want %v", h.closed, ports)
		}
	}
	h.closed = nil
}

func TestBudget(t *testing.T) {
	h := newHoard(t)
	const third = maxHeld / 3
	light, first, second := h.open(10), h.open(11), h.open(12)
	h.feed(light, 100)
	h.feed(first, third)
	h.feed(second, third)
	h.wantClosed()

	// Of the heavy ones the one silent for longest gives way, not the light one
	// that was silent for longer.
	h.feed(first, third+1)
	newcomer := h.open(13)
	h.feed(newcomer, third)
	h.wantClosed(12)
	if n := h.counters.Of("decode", countForgotten).Value(); n != 1 {
		t.Errorf("counted %d", n)
	}

	// It goes on with a new decoder, in its middle.
	second.Gap(flow.ToServer, 1, 1)
	h.feed(second, 200)
	if !second.context.Conn.MidStream || second.context.Conn.Client.Port() != 12 {
		t.Errorf("goes on as %+v", second.context.Conn)
	}
	h.wantClosed()

	// One alone may hold everything; light ones give way when nothing else is left.
	h.feed(newcomer, maxHeld-handlerSize)
	h.wantClosed(11, 10, 12)
	newcomer.Close(1)
	light.Close(1)
	h.wantClosed(13)
	if h.stage.budget.held != handlerSize { // of the pooled one
		t.Errorf("%d bytes held by nobody", h.stage.budget.held)
	}
	if h.stage.budget.light.head != nil || h.stage.budget.heavy.head != nil {
		t.Error("closed conversations are still listed")
	}

	// What waits in the pool gives way before anything that is in use.
	again := h.open(14)
	h.feed(again, 100)
	other := h.open(15)
	h.feed(other, 100)
	other.Close(1)
	h.wantClosed(15)
	h.feed(again, maxHeld-handlerSize)
	h.wantClosed()
	if n := len(h.stage.pools[0].free); n != 0 {
		t.Errorf("%d decoders pooled", n)
	}
}
