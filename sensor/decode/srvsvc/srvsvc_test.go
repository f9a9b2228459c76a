package srvsvc

import (
	"fmt"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func TestGolden(t *testing.T) {
	decodetest.GoldenStubs(t, "testdata", map[string]decode.Interface{"sessions": Interface, "shares": Interface})
}

// made are calls that the recordings lack: every level, and arguments of others.
func made(e decodetest.Encoding) (calls []decode.RPCCall) {
	ask := func(level uint32) *decodetest.Stub {
		return e.Stub().Unique(`\\dc1`).Unique(`\\10.0.0.5`).Unique("alice").U32(level).Union(level).Pointers(1).Struct().U32(0).Null(1).U32(0xffffffff).Null(1)
	}
	head := func(level, n uint32) *decodetest.Stub {
		return e.Stub().U32(level).Union(level).Pointers(1).Struct().U32(n).Pointers(1).Size(n)
	}
	tail := func(s *decodetest.Stub) *decodetest.Stub { return s.U32(2).Null(1).U32(0) }
	answers := map[uint32]*decodetest.Stub{
		0:   tail(head(0, 2).Pointers(2).String(`\\a`).String(`\\b`)),
		1:   tail(head(1, 2).Pointers(2).U32(1, 2, 3, 0).Struct().Pointers(1).Null(1).U32(1, 2, 3, 0).Struct().String(`\\a`).String("alice").String(`\\b`)),
		2:   tail(head(2, 1).Pointers(2).U32(1, 2, 3, 0).Pointers(1).String(`\\a`).String("alice").String("Windows")),
		10:  tail(head(10, 2).Pointers(2).U32(5, 6).Pointers(2).U32(7, 8).String(`\\a`).String("alice").String(`\\b`).String("bob")),
		502: tail(head(502, 1).Pointers(2).U32(1, 2, 3, 0).Pointers(2).String(`\\a`).String("alice").String("Windows").String(`\Device\NetbiosSmb`)),
		3:   tail(head(3, 1).Pointers(9)), // no level
	}
	for _, level := range []uint32{0, 1, 2, 10, 502, 3} {
		calls = append(calls, e.Call(opSessionEnum, ask(level), answers[level]))
	}
	shares := func(level uint32) *decodetest.Stub {
		return e.Stub().Null(1).U32(level).Union(level).Pointers(1).Struct().U32(0).Null(1).U32(0xffffffff).Null(1)
	}
	named := func(share string) *decodetest.Stub { return e.Stub().Unique("dc1").String(share).U32(2) }
	none := func() *decodetest.Stub { return e.Stub().U32(0) }
	return append(calls,
		e.Call(opSessionEnum, ask(10), e.Stub().U32(10).Union(10).Pointers(1).Struct().U32(0).Null(1).U32(0).Null(1).U32(5)),
		e.Call(opShareEnum, shares(502), tail(head(502, 1).Pointers(1).U32(0).Pointers(1).U32(0, 0xffffffff, 1).Pointers(1).Null(1).U32(4).Pointers(1).
			String("SYSVOL").String("logon").String(`C:\x`).Size(4).Zeros(4))),
		e.Call(opShareEnumSticky, shares(1), tail(head(1, 2).Pointers(1).U32(0).Pointers(2).U32(0).Pointers(1).String("a").String("").String("b").String("").Align(4))),
		e.Call(opShareGetInfo, named("ADMIN$"), e.Stub().U32(2).Null(1).U32(5)),
		e.Call(opShareDel, named("x"), none()),
		e.Call(opConnectionEnum, e.Stub().Unique("dc1").Unique("SYSVOL"), none()),
		e.Call(opFileEnum, e.Stub().Null(1).Unique(`C:\`).Unique("alice"), none()),
		e.Call(opSessionDel, e.Stub().Null(1).Unique(`\\10.0.0.5`).Null(1), none()),
		e.Call(opServerGetInfo, e.Stub().Unique("dc1").U32(101), none()),
		e.Call(opPathCanonicalize, named(`\..\..\x`), none()),
		e.Call(28, e.Stub().Unique("dc1"), none()),
	)
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/made.golden.jsonl", Interface, made)
}

// TestMany: of more sessions than a stub holds, the first are read.
func TestMany(t *testing.T) {
	e := decodetest.Encoding{}
	const n = 600
	s := e.Stub().U32(10).Union(10).Pointers(1).Struct().U32(n).Pointers(1).Size(n)
	for range n {
		s.Pointers(2).U32(1, 2)
	}
	for i := range n {
		s.String(fmt.Sprintf(`\\10.0.0.%d`, i)).String("user")
	}
	c := e.Call(opSessionEnum, e.Stub().Null(3).U32(10), s.U32(n).Null(1).U32(0))
	out := decodetest.Connect(t, Interface).Deliver(c)
	if len(out) != 1 || out[0].RPC.Count != n || len(out[0].Anomalies) > 0 {
		t.Fatalf("%+v", out)
	}
	sessions := out[0].RPC.Sessions
	if len(sessions) < 50 || len(sessions) >= n || sessions[49] != (activity.SessionInfo{User: "user", Client: `\\10.0.0.49`}) {
		t.Errorf("%d sessions", len(sessions))
	}
}

func FuzzCall(f *testing.F) {
	seeds := append(made(decodetest.Encoding{}), decodetest.Stubs(f, "testdata/sessions.stubs")...)
	decodetest.FuzzCalls(f, Interface, append(seeds, decodetest.Stubs(f, "testdata/shares.stubs")...))
}

func TestTshark(t *testing.T) {
	e := decodetest.Encoding{}
	decodetest.TsharkReads(t, Interface, made(e), map[uint16][]string{
		opSessionEnum:      {`\\10.0.0.5`, `alice`, `\\a`, `\\b`},
		opShareEnum:        {`SYSVOL`},
		opShareEnumSticky:  {`: a`, `: b`},
		opShareGetInfo:     {`ADMIN$`},
		opFileEnum:         {`C:`, `alice`},
		opPathCanonicalize: {`\..\..\x`},
	})
	decodetest.TsharkReads(t, Interface, made(e)[1:], map[uint16][]string{
		opSessionEnum: {`\\a`, `alice`, `\\b`},
	})
	decodetest.TsharkReads(t, Interface, made(e)[2:], map[uint16][]string{
		opSessionEnum: {`\\a`, `alice`, `Windows`},
	})
	decodetest.TsharkReads(t, Interface, made(e)[3:], map[uint16][]string{
		opSessionEnum: {`\\b`, `bob`},
	})
	decodetest.TsharkReads(t, Interface, made(e)[4:], map[uint16][]string{
		opSessionEnum: {`\\a`, `alice`, `NetbiosSmb`},
	})
}
