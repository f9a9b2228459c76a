package dcerpc

import (
	"strings"
	"testing"

	"github.com/verderer/verderer/sensor/decode"
)

// counting counts the calls of a connection.
type counting struct{ calls, held int }

func (c *counting) Held() int { return c.held }

// stateful makes the interface that the harness reads one with a state.
func stateful(x *harness) (made *int, seen *[]*counting) {
	made, seen = new(int), new([]*counting)
	in := decoderOf(x).x.Interface(mustUUID(uuidRead), 4)
	in.State = func() decode.State { *made++; return &counting{held: 5000} }
	in.Call = func(_ *decode.Context, c *decode.RPCCall) {
		s := c.State.(*counting)
		s.calls++
		*seen = append(*seen, s)
	}
	return made, seen
}

func mustUUID(s string) decode.UUID {
	u, err := decode.ParseUUID(s)
	if err != nil {
		panic(err)
	}
	return u
}

// TestState: a reader has one state for each connection, whatever the context
// of the call; it counts as held, and the next connection has a new one.
func TestState(t *testing.T) {
	x := newHarness(t)
	made, seen := stateful(x)
	d := decoderOf(x)
	play := func() {
		x.client(pdu{callID: 1}.bind(ptypeBind, offered{id: 0, uuid: uuidRead}, offered{id: 1, uuid: uuidRead})).server(pdu{callID: 1}.ack(ptypeBindAck, result{}, result{}))
		before := d.Held()
		for id := range uint16(4) {
			x.client(pdu{callID: 2}.request(id%2, 1, "")).server(pdu{callID: 2}.response(id%2, ""))
		}
		if n := d.Held() - before; n < 5000 {
			t.Errorf("the state adds %d bytes to what is held", n)
		}
	}
	play()
	x.close()
	if d.states != nil {
		t.Error("the state outlives its connection")
	}
	d.Reset(d.x)
	play()
	if *made != 2 || len(*seen) != 8 || (*seen)[0].calls != 4 || (*seen)[7].calls != 4 || (*seen)[0] == (*seen)[7] {
		t.Errorf("%d states made, %d calls", *made, len(*seen))
	}
}

// TestKept: long stubs are kept for as many calls as maxKept has room for.
func TestKept(t *testing.T) {
	x := bound(t)
	d := decoderOf(x)
	in := d.context(0).in
	in.Request, in.Response = decode.MaxStub, decode.MaxStub
	long := strings.Repeat("x", 60_000)
	for id := range uint32(maxCalls) {
		x.client(pdu{callID: id}.request(0, 1, long[:decode.MaxStub]))
		kept := 0
		for _, c := range d.calls {
			kept += c.kept()
		}
		if kept > maxKept {
			t.Fatalf("%d calls keep %d bytes", len(d.calls), kept)
		}
	}
	// Begun together, they grow together.
	for range 4 {
		for id := range uint32(8) {
			x.client(pdu{callID: 1000 + id, middle: true}.request(0, 1, long[:decode.MaxStub/2]))
		}
	}
	if n := d.Held(); n > maxKept+64<<10 {
		t.Errorf("%d bytes are held", n)
	}
	evicted := x.count(reasonEvicted)
	if evicted == 0 || len(x.calls) < evicted || len(x.calls[0].Request) != decode.MaxStub || x.calls[0].RequestSize != decode.MaxStub {
		t.Errorf("%d calls given up, %d delivered", evicted, len(x.calls))
	}
	x.close()
	for _, c := range d.free {
		if c.kept() > 2*decode.UsualStub {
			t.Errorf("a call in the pool keeps %d bytes", c.kept())
		}
	}
}
