package svcctl

import (
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func TestGolden(t *testing.T) {
	decodetest.GoldenStubs(t, "testdata", map[string]decode.Interface{"remote-service": Interface})
}

// create is a request of RCreateServiceW.
func create(e decodetest.Encoding, name, image, account string) *decodetest.Stub {
	s := e.Stub().Handle(1).String(name).Unique("Display").U32(0xf01ff, 0x10, 3, 0).String(image).Null(1).Null(1)
	s.Pointers(1).Size(4).Bytes(1, 0, 0, 0).U32(4)
	if account == "" {
		return s.Null(1).Null(1).U32(0)
	}
	return s.Unique(account).Pointers(1).Size(6).Zeros(6).U32(6)
}

// made are calls that the recording lacks: those after a service was created, and
// the other forms.
func made(e decodetest.Encoding) []decode.RPCCall {
	const (
		manager byte = iota + 1
		service
		opened
	)
	stub := e.Stub
	ok := func() *decodetest.Stub { return stub().U32(0) }
	narrow := stub().Handle(manager).Narrow("svcA").Pointers(1).Narrow("Display A").U32(0xf01ff, 0x10, 2, 0).Narrow(`\\h\s\a.exe`).
		Null(2).Null(1).U32(0).Pointers(1).Narrow(`LAB\svc`).Null(1).U32(0)
	return []decode.RPCCall{
		e.Call(opOpenManagerW, stub().Unique("DC1").Null(1).U32(2), stub().Handle(manager).U32(0)),
		e.Call(opCreateW, create(e, "BTOBTO", `%COMSPEC% /Q /c echo x`, `LAB\svc`), stub().Null(1).Handle(service).U32(0)),
		e.Call(opStartW, stub().Handle(service).U32(2).Pointers(1).Size(2).Pointers(2).String("BTOBTO").String("argument"), stub().U32(1053)),
		e.Call(opControl, stub().Handle(service).U32(1), stub().Zeros(28).U32(0)),
		e.Call(opDelete, stub().Handle(service), ok()),
		e.Call(opCloseHandle, stub().Handle(service), stub().Zeros(20).U32(0)),
		e.Call(opStartW, stub().Handle(service).U32(0).Null(1), stub().U32(6)), // closed: no name
		e.Call(opCreateWOW64W, create(e, "wow", `C:\w.exe`, ""), stub().Pointers(1).U32(7).Handle(service).U32(0)),
		e.Call(opStartW, stub().Handle(service).U32(0).Null(1), ok()),
		e.Call(opCreateWow, create(e, "wow2", `C:\w2.exe`, "").U16(0x14c), stub().Null(1).Zeros(20).U32(1073)),
		e.Call(opCreateA, narrow, stub().Null(1).Handle(service).U32(0)),
		e.Call(opStartA, stub().Handle(service).U32(1).Pointers(1).Size(1).Pointers(1).Narrow("x"), ok()),
		e.Call(opOpenServiceW, stub().Handle(manager).String("Spooler").U32(0xf01ff), stub().Handle(opened).U32(0)),
		e.Call(opChangeW, stub().Handle(opened).U32(noChange, 4, noChange).Unique(`cmd.exe /c calc`).Null(1).Null(1).Null(1).U32(0).Unique("LocalSystem").Null(1).U32(0).Null(1), stub().Null(1).U32(0)),
		e.Call(opChangeA, stub().Handle(opened).U32(0x20, noChange, noChange).Null(1).Null(1).Pointers(1).U32(1).Null(1).U32(0).Null(1).Null(1).U32(0).Pointers(1).Narrow("New"), stub().Null(1).U32(0)),
		e.Call(17, stub().Handle(opened).U32(0), stub().U32(122)),
		e.Call(opOpenServiceA, stub().Handle(manager).Narrow("missing").U32(1), stub().Zeros(20).U32(1060)),
		e.Call(opOpenManager2, stub().Null(1).U32(1), stub().Handle(manager).U32(5)),
	}
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/made.golden.jsonl", Interface, made)
}

// TestLongImage: a command line that is longer than what is kept gives its
// beginning, and no account.
func TestLongImage(t *testing.T) {
	e := decodetest.Encoding{}
	for _, length := range []int{3000, 30000} {
		image := strings.Repeat("x", length)
		out := decodetest.Connect(t, Interface).Deliver(e.Call(opCreateW, create(e, "s", image, `LAB\svc`), nil))
		if len(out) != 1 || len(out[0].Anomalies) > 0 || out[0].Service.Image != activity.Cut(image) || (out[0].Service.RunAs != "") != (length < 8000) {
			t.Errorf("%d characters: %+v", length, out[0].Service)
		}
	}
}

func FuzzCall(f *testing.F) {
	decodetest.FuzzCalls(f, Interface, append(made(decodetest.Encoding{}), decodetest.Stubs(f, "testdata/remote-service.stubs")...))
}

func TestTshark(t *testing.T) {
	e := decodetest.Encoding{}
	decodetest.TsharkReads(t, Interface, made(e), map[uint16][]string{
		opCreateW:      {`BTOBTO`, `Display`, `%COMSPEC% /Q /c echo x`},
		opOpenServiceW: {`Spooler`},
		opOpenManagerW: {`DC1`},
	})
}
