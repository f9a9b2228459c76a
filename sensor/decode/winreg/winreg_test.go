package winreg

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func made(e decodetest.Encoding) []decode.RPCCall {
	const (
		root byte = iota + 1
		sam
		services
		unseen
	)
	stub := e.Stub
	ok := func() *decodetest.Stub { return stub().U32(0) }
	return []decode.RPCCall{
		e.Call(2, stub().Pointers(1).U16(0x5c).U32(0x2000000), stub().Handle(root).U32(0)),
		e.Call(opOpenKey, stub().Handle(root).Unicode("SAM\x00").U32(4, 0x2000000), stub().Handle(sam).U32(0)),
		e.Call(opSaveKey, stub().Handle(sam).Unicode(`..\Temp\x.tmp`+"\x00").Null(1), ok()),
		e.Call(opCreateKey, stub().Handle(root).Unicode(`SYSTEM\CurrentControlSet\Services\x`).Unicode("").U32(0, 0x20006).Null(1).Null(1), stub().Handle(services).Null(1).U32(0)),
		e.Call(opSetValue, stub().Handle(services).Unicode("ImagePath").U32(1).Size(4).Zeros(4).U32(4), ok()),
		e.Call(opQueryValue, stub().Handle(services).Unicode("Start").Null(4), stub().Null(4).U32(2)),
		e.Call(opEnumKey, stub().Handle(services).U32(0), ok()),
		e.Call(opCloseKey, stub().Handle(services), stub().Zeros(20).U32(0)),
		e.Call(opDeleteValue, stub().Handle(services).Unicode("ImagePath"), stub().U32(6)),
		e.Call(opOpenKey, stub().Handle(unseen).Unicode(`Software`).U32(0, 1), stub().Zeros(20).U32(5)),
		e.Call(opLoadKey, stub().Handle(root).Unicode("x").Unicode(`\\h\s\hive`), stub().U32(1314)),
		e.Call(opDeleteKey, stub().Handle(root).Unicode(`SOFTWARE\x`), ok()),
		e.Call(opSaveKeyEx, stub().Handle(root).Unicode(`C:\x`).Null(1).U32(1), ok()),
		e.Call(4, stub().Null(1).U32(1), stub().Zeros(20).U32(5)),
		e.Call(opGetVersion, stub().Handle(root), ok()),
	}
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/made.golden.jsonl", Interface, made)
}

// TestDeep: paths are cut, and what is remembered with them.
func TestDeep(t *testing.T) {
	e := decodetest.Encoding{}
	conn := decodetest.Connect(t, Interface)
	last := ""
	for i := range 200 {
		c := e.Call(opOpenKey, e.Stub().Handle(byte(i)).Unicode("ключ"+strings.Repeat("x", 250)).U32(0, 1), e.Stub().Handle(byte(i+1)).U32(0))
		last = conn.Deliver(c)[0].RPC.Object
	}
	if len(last) > maxPath || !utf8.ValidString(last) || conn.Held() > 64*(maxPath+512) {
		t.Errorf("a path of %d bytes, %d held", len(last), conn.Held())
	}
}

func FuzzCall(f *testing.F) { decodetest.FuzzCalls(f, Interface, made(decodetest.Encoding{})) }

func TestTshark(t *testing.T) {
	e := decodetest.Encoding{}
	decodetest.TsharkReads(t, Interface, made(e), map[uint16][]string{
		opOpenKey:    {`SAM`},
		opSaveKey:    {`..\Temp\x.tmp`},
		opCreateKey:  {`SYSTEM\CurrentControlSet\Services\x`},
		opSetValue:   {`ImagePath`},
		opQueryValue: {`Start`},
		opDeleteKey:  {`SOFTWARE\x`},
		opLoadKey:    {`x`},
		opSaveKeyEx:  {`C:\x`},
	})
}
