package epm

import (
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// floors is a tower as Windows sends it: interface, NDR, connection-oriented, TCP
// port, address. Its numbers are little-endian in every encoding.
func floors() []byte {
	b := []byte{5, 0, 19, 0, 0x0d}
	b = append(b, (&decodetest.Stub{}).GUID("12345678-1234-abcd-ef00-01234567cffb").B...)
	b = append(b, 1, 0, 2, 0, 0, 0, 19, 0, 0x0d)
	b = append(b, (&decodetest.Stub{}).GUID("8a885d04-1ceb-11c9-9fe8-08002b104860").B...)
	return append(b, 2, 0, 2, 0, 0, 0, 1, 0, 0x0b, 2, 0, 0, 0, 1, 0, 7, 2, 0, 0, 135, 1, 0, 9, 4, 0, 0, 0, 0, 0)
}

func made(e decodetest.Encoding) []decode.RPCCall {
	ask := func(tower []byte, length uint32) *decodetest.Stub {
		return e.Stub().Pointers(1).Zeros(16).Pointers(1).Size(uint32(len(tower))).U32(length).Bytes(tower...).Handle(0).U32(4)
	}
	n := uint32(len(floors()))
	other := floors()
	other[4] = 0x0b
	return []decode.RPCCall{
		e.Call(opMap, ask(floors(), n), e.Stub().Handle(0).U32(1, 0)),
		e.Call(opMap, ask(floors(), n), e.Stub().Handle(0).U32(0, 0x16c9a0d6)),
		e.Call(opMap, e.Stub().Null(2).Handle(0).U32(4), e.Stub().U32(0)),
		e.Call(opMap, ask(other, n), e.Stub().U32(0)),
		e.Call(opMap, ask(floors(), n+1), e.Stub().U32(0)),
		e.Call(opLookup, e.Stub().U32(0).Null(2).U32(1).Handle(0).U32(500), e.Stub().U32(0)),
		e.Call(opLookupHandleFree, e.Stub().Handle(1), e.Stub().Handle(0).U32(0)),
	}
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/made.golden.jsonl", Interface, made)
}

func FuzzCall(f *testing.F) { decodetest.FuzzCalls(f, Interface, made(decodetest.Encoding{})) }
