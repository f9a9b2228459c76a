package wkssvc

import (
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// made are calls: no recording of the lab has one.
func made(e decodetest.Encoding) []decode.RPCCall {
	ask := func(level uint32) *decodetest.Stub {
		return e.Stub().Unique(`\\ws1`).U32(level).Union(level).Pointers(1).Struct().U32(0).Null(1).U32(0xffffffff).Null(1)
	}
	head := func(level, n uint32) *decodetest.Stub {
		return e.Stub().U32(level).Union(level).Pointers(1).Struct().U32(n).Pointers(1).Size(n)
	}
	return []decode.RPCCall{
		e.Call(opGetInfo, e.Stub().Unique(`\\ws1`).U32(100), e.Stub().U32(100, 0)),
		e.Call(opUserEnum, ask(0), head(0, 2).Pointers(2).String("alice").String("bob").U32(2).Null(1).U32(0)),
		e.Call(opUserEnum, ask(1), head(1, 2).Pointers(2).Null(1).Pointers(1).Pointers(1).Null(3).String("alice").String("LAB").String("DC1").String("local").U32(2).Null(1).U32(0)),
		e.Call(opUserEnum, ask(1), e.Stub().U32(1).Union(1).Pointers(1).Struct().U32(0).Null(1).U32(0).Null(1).U32(5)),
		e.Call(22, e.Stub().Zeros(100), e.Stub().U32(5)),
	}
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/made.golden.jsonl", Interface, made)
}

func FuzzCall(f *testing.F) { decodetest.FuzzCalls(f, Interface, made(decodetest.Encoding{})) }

func TestTshark(t *testing.T) {
	e := decodetest.Encoding{}
	decodetest.TsharkReads(t, Interface, made(e)[1:], map[uint16][]string{
		opUserEnum: {`alice`, `bob`},
	})
	decodetest.TsharkReads(t, Interface, made(e)[2:], map[uint16][]string{
		opUserEnum: {`alice`, `LAB`, `DC1`, `local`},
	})
}
