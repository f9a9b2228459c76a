package dcom

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// begun is a request up to the end of its ORPCTHIS, with an extension or without.
func begun(e decodetest.Encoding, extended bool) *decodetest.Stub {
	s := e.Stub().U16(5, 7).U32(1, 0).GUID("7f17321a-9da8-4f15-b3b8-9bc1909da2a5")
	if !extended {
		return s.Struct().Null(1)
	}
	return s.Struct().Pointers(1).Struct().U32(1, 0).Pointers(1).Size(2).Pointers(1).Null(1).
		Size(8).GUID("f1f19680-4d2a-11ce-a66a-0020af6e72f4").U32(5).Zeros(8)
}

// properties are activation properties (MS-DCOM §2.2.22): little-endian in every
// encoding.
func properties(class string) []byte {
	const part = 0x58
	clsids := []string{"000001b9-0000-0000-c000-000000000046", "000001ab-0000-0000-c000-000000000046"}
	header := &decodetest.Stub{}
	header.U32(0, 16+88+2*16, 0, 2, uint32(len(clsids))).Zeros(16).Pointers(2).Null(1).Size(uint32(len(clsids)))
	for _, c := range clsids {
		header.GUID(c)
	}
	header.Size(uint32(len(clsids))).U32(part, part)
	for len(header.B) < 88+2*16 {
		header.Bytes(0)
	}
	s := &decodetest.Stub{}
	s.U32(0x574f454d, 4).GUID("000001a2-0000-0000-c000-000000000046").GUID("00000338-0000-0000-c000-000000000046").U32(0, 0)
	s.U32(0, 0).Bytes(1, 0x10, 8, 0).Zeros(12).Bytes(header.B...)
	s.Bytes(1, 0x10, 8, 0).Zeros(part - 4)
	return s.Bytes(1, 0x10, 8, 0).Zeros(12).GUID(class).Zeros(part - 32).B
}

const mmc = "49b2791a-b1ae-4c90-9b8e-e860ba07f889"

func madeActivator(e decodetest.Encoding) []decode.RPCCall {
	activate := func(class string, extended bool) *decodetest.Stub {
		b := properties(class)
		n := uint32(len(b))
		return begun(e, extended).Null(1).Pointers(1).Size(n).U32(n).Bytes(b...)
	}
	that := func(result uint32) *decodetest.Stub { return e.Stub().U32(0).Null(2).U32(result) }
	b := properties(mmc)
	n := uint32(len(b))
	return []decode.RPCCall{
		e.Call(4, activate(wbemLevel1Login, false), that(0)),
		e.Call(4, activate(mmc, true), that(0x80070005)),
		e.Call(3, begun(e, false).Pointers(1).Size(n).U32(n).Bytes(b...), that(0)),
		e.Call(4, begun(e, false).Null(1).Pointers(1).Size(8).U32(8).Zeros(8), that(0)),
		e.Call(4, begun(e, false).Null(2), that(0x80010108)),
		e.Call(4, begun(e, false).Null(1).Pointers(1).Size(8).U32(9).Zeros(8), that(0)),
	}
}

func madeActivation(e decodetest.Encoding) []decode.RPCCall {
	return []decode.RPCCall{
		e.Call(0, begun(e, false).GUID(wbemLevel1Login).Null(2).U32(2, 0), e.Stub().U32(0)),
		e.Call(0, begun(e, true).GUID(mmc).Null(2).U32(2, 0), e.Stub().U32(0x80040154)),
	}
}

// bstr adds a BSTR.
func bstr(s *decodetest.Stub, text string) *decodetest.Stub {
	n := uint32(len(text))
	s.Pointers(1).Size(n).U32(2*n, n)
	for _, c := range text {
		s.U16(uint16(c))
	}
	return s
}

func madeServices(e decodetest.Encoding) []decode.RPCCall {
	ok := func() *decodetest.Stub { return e.Stub().U32(0).Null(1).U32(0) }
	return []decode.RPCCall{
		e.Call(opExecMethod, bstr(bstr(begun(e, false), "Win32_Process"), "Create").U32(0).Null(4), ok()),
		e.Call(opExecMethodAsync, bstr(bstr(begun(e, true), "Win32_Service.Name='x'"), "StartService").U32(0).Null(2), e.Stub().U32(0x80041003)),
		e.Call(opExecQuery, bstr(bstr(begun(e, false), "WQL"), "select * from Win32_OperatingSystem").U32(0).Null(1), ok()),
		e.Call(opGetObject, bstr(begun(e, false), "Win32_Process").U32(0).Null(3), ok()),
		e.Call(14, begun(e, false).Null(4), ok()),
		e.Call(opGetObject, begun(e, false).Pointers(1).Size(3).U32(6, 4).U16(1, 2, 3), ok()),
	}
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/activator.golden.jsonl", Interfaces[0], madeActivator)
	decodetest.MadeCalls(t, "testdata/activation.golden.jsonl", Interfaces[1], madeActivation)
	decodetest.MadeCalls(t, "testdata/services.golden.jsonl", Interfaces[2], madeServices)
}

func TestSealed(t *testing.T) {
	out := decodetest.Connect(t, Interfaces[2]).Deliver(decode.RPCCall{Opnum: opExecMethod, Sealed: true, RequestSize: 900, Outcome: activity.Success})
	if len(out) != 1 || out[0].Kind != activity.WMIExecution || !out[0].Execution.Call.Sealed || out[0].Execution.Class != "" {
		t.Errorf("%+v", out)
	}
}

// TestProperties: sizes that lie lead nowhere.
func TestProperties(t *testing.T) {
	good := properties(mmc)
	for n := range good {
		classOf(good[:n])
	}
	for at := 56; at < len(good)-4; at += 4 {
		for _, v := range []byte{0, 1, 0x7f, 0xff} {
			bad := append([]byte(nil), good...)
			bad[at], bad[at+1], bad[at+2], bad[at+3] = v, v, v, v
			classOf(bad)
		}
	}
	if u := classOf(good); u.String() != mmc {
		t.Errorf("class %v", u)
	}
}

func FuzzActivator(f *testing.F) {
	decodetest.FuzzCalls(f, Interfaces[0], madeActivator(decodetest.Encoding{}))
}
func FuzzActivation(f *testing.F) {
	decodetest.FuzzCalls(f, Interfaces[1], madeActivation(decodetest.Encoding{}))
}
func FuzzServices(f *testing.F) {
	decodetest.FuzzCalls(f, Interfaces[2], madeServices(decodetest.Encoding{}))
}
