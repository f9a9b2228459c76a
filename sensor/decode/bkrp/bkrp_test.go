package bkrp

import (
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// made are calls: the lab's recording seals them.
func made(e decodetest.Encoding) []decode.RPCCall {
	ask := func(action string) *decodetest.Stub { return e.Stub().GUID(action).Size(4).Zeros(4).U32(4, 0) }
	return []decode.RPCCall{
		e.Call(0, ask("018ff48a-eaba-40c6-8f6d-72370240e967"), e.Stub().Null(1).U32(0, 0)),
		e.Call(0, ask("47270c64-2fc7-499b-ac5b-0e37cdce899a"), e.Stub().Null(1).U32(0, 13)),
		e.Call(0, ask("00000000-0000-0000-0000-000000000001"), e.Stub().Null(1).U32(0, 87)),
		e.Call(1, ask("018ff48a-eaba-40c6-8f6d-72370240e967"), nil),
	}
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/made.golden.jsonl", Interface, made)
}

func FuzzCall(f *testing.F) { decodetest.FuzzCalls(f, Interface, made(decodetest.Encoding{})) }
