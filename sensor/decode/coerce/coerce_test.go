package coerce

import (
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

const listener = `\\10.0.0.66\share`

func madeEFSR(e decodetest.Encoding) []decode.RPCCall {
	file := func(name string) *decodetest.Stub { return e.Stub().String(name) }
	bad := func() *decodetest.Stub { return e.Stub().U32(53) }
	return []decode.RPCCall{
		e.Call(0, file(listener+`\x.txt`).U32(0), e.Stub().Zeros(20).U32(53)),
		e.Call(4, file(listener+`\x.txt`), bad()),
		e.Call(5, file(`C:\local.txt`).U32(0), e.Stub().U32(0)),
		e.Call(6, file(listener), bad()),
		e.Call(7, file(listener), bad()),
		e.Call(12, file(listener).U32(0), bad()),
		e.Call(13, file(`C:\a`).String(listener).U32(1, 0).Null(1).U32(0), bad()),
		e.Call(15, e.Stub().U32(2).Null(1).String(listener).U32(0).Null(1), bad()),
		e.Call(16, e.Stub().U32(2).Pointers(1).Struct().U32(3).Pointers(1).Size(3).Zeros(3).String(listener).U32(0), bad()),
		e.Call(20, e.Stub(), e.Stub().U32(0)),
		e.Call(40, e.Stub().U32(1), nil),
	}
}

// container is the request of a method that adds a printer driver, up to its flags.
func container(e decodetest.Encoding, level uint32, path string) *decodetest.Stub {
	s := e.Stub().Unique(`\\dc10`).Struct().U32(level).Union(level).Pointers(1)
	if level >= 6 {
		s.Align(8)
	}
	s.Struct().U32(3).Pointers(5)
	texts := []string{"1234", "Windows x64", `C:\Windows\System32\UNIDRV.DLL`, path, `C:\Windows\System32\kernelbase.dll`}
	var lists int
	if level >= 3 {
		s.Null(1).Pointers(1).Null(1).U32(6).Pointers(1)
		texts, lists = append(texts, "monitor"), 1
	}
	if level >= 4 {
		s.U32(0).Null(1)
	}
	if level >= 6 {
		s.U32(0, 0).Align(8).Zeros(8).Pointers(1).Null(3)
	}
	if level >= 8 {
		s.Null(2).U32(0).Null(1).Null(1).U32(0, 0).Null(1).U32(0, 0).Align(8).Zeros(8)
	}
	for _, text := range texts {
		s.String(text)
	}
	for range lists {
		s.Size(6).U16('a', 0, 'b', 0, 0, 0)
	}
	if level >= 6 {
		s.String("maker")
	}
	return s
}

func madeRPRN(e decodetest.Encoding) (calls []decode.RPCCall) {
	const printer = 1
	notify := func() *decodetest.Stub {
		return e.Stub().Handle(printer).U32(0x100, 0).Unique(`\\10.0.0.66`).U32(0).Null(1)
	}
	for _, level := range []uint32{2, 3, 4, 6, 8} {
		calls = append(calls, e.Call(89, container(e, level, listener+`\x.dll`).U32(0x8014), e.Stub().U32(5)))
	}
	return append(calls,
		e.Call(1, e.Stub().Unique(`\\dc1`).Null(1).U32(0).Null(1).U32(0x20000), e.Stub().Handle(printer).U32(0)),
		e.Call(65, notify(), e.Stub().U32(1722)),
		e.Call(62, notify(), e.Stub().U32(1722)),
		e.Call(9, container(e, 2, `C:\x.dll`), e.Stub().U32(0)),
		e.Call(89, container(e, 1, ""), e.Stub().U32(124)),
		e.Call(88, e.Stub().Handle(printer).String("AddPort"), e.Stub().U32(0)),
		e.Call(70, e.Stub().Zeros(40), nil),
		e.Call(19, e.Stub().Handle(printer).Zeros(40), e.Stub().U32(0)),
	)
}

func madePAR(e decodetest.Encoding) []decode.RPCCall {
	return []decode.RPCCall{
		e.Call(0, e.Stub().Unique(`\\dc1\printer`).Null(1), e.Stub().Handle(1).U32(0)),
		e.Call(39, container(e, 2, listener+`\x.dll`).U32(0x8014), e.Stub().U32(0)),
		e.Call(62, e.Stub().Null(1).Unique(listener+`\x.inf`).String("d"), e.Stub().U32(0)),
		e.Call(63, e.Stub().Null(1).String(listener+`\x.inf`).String("d"), e.Stub().U32(0)),
		e.Call(12, e.Stub().Handle(1), e.Stub().U32(0)),
	}
}

func madeDFSNM(e decodetest.Encoding) (calls []decode.RPCCall) {
	for _, c := range []struct {
		opnum   uint16
		strings []string // "?" before one that a pointer precedes
	}{
		{12, []string{"10.0.0.66", "root", "comment"}},
		{13, []string{"10.0.0.66", "root"}},
		{15, []string{"10.0.0.66", "root", "comment", `C:\share`}},
		{14, []string{"10.0.0.66"}},
		{1, []string{`\\lab\dfs\link`, "srv", "?share", "?comment"}},
		{2, []string{`\\lab\dfs\link`, "?srv", "?share"}},
		{6, []string{`\\lab\dfs\a`, `\\lab\dfs\b`}},
		{10, []string{"srv", "dc1", "root", "dfs", "comment", "dn"}},
		{19, []string{`\\lab\dfs\link`, "dc1", "srv", "?share", "?comment"}},
		{20, []string{`\\lab\dfs\link`, "dc1", "?srv", "?share"}},
		{21, []string{`\\lab\dfs`}},
		{0, nil},
	} {
		s := e.Stub()
		for _, text := range c.strings {
			if text[0] == '?' {
				s.Unique(text[1:])
			} else {
				s.String(text)
			}
		}
		calls = append(calls, e.Call(c.opnum, s.U32(0), e.Stub().U32(5)))
	}
	return calls
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/efsr.golden.jsonl", Interfaces[0], madeEFSR)
	decodetest.MadeCalls(t, "testdata/efsr-own.golden.jsonl", Interfaces[1], func(e decodetest.Encoding) []decode.RPCCall { return madeEFSR(e)[:1] })
	decodetest.MadeCalls(t, "testdata/rprn.golden.jsonl", Interfaces[2], madeRPRN)
	decodetest.MadeCalls(t, "testdata/par.golden.jsonl", Interfaces[3], madePAR)
	decodetest.MadeCalls(t, "testdata/dfsnm.golden.jsonl", Interfaces[4], madeDFSNM)
}

func TestUNC(t *testing.T) {
	for path, want := range map[string]bool{
		`\\h\s`: true, `//h/s`: true, `\\h@80\s`: true, `\\?\UNC\h\s`: true, `\??\unc\h\s`: true,
		``: false, `C:\x`: false, `\\.\pipe\x`: false, `\\?\C:\x`: false, `\x`: false, `x\\y`: false,
	} {
		if unc(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}

func FuzzEFSR(f *testing.F) {
	decodetest.FuzzCalls(f, Interfaces[0], madeEFSR(decodetest.Encoding{}))
}
func FuzzRPRN(f *testing.F) {
	decodetest.FuzzCalls(f, Interfaces[2], madeRPRN(decodetest.Encoding{}))
}
func FuzzPAR(f *testing.F) { decodetest.FuzzCalls(f, Interfaces[3], madePAR(decodetest.Encoding{})) }
func FuzzDFSNM(f *testing.F) {
	decodetest.FuzzCalls(f, Interfaces[4], madeDFSNM(decodetest.Encoding{}))
}

func TestTshark(t *testing.T) {
	e := decodetest.Encoding{}
	decodetest.TsharkReads(t, Interfaces[0], madeEFSR(e), map[uint16][]string{
		0: {`10.0.0.66`},
		4: {`10.0.0.66`},
		5: {`local.txt`},
	})
	decodetest.TsharkReads(t, Interfaces[2], madeRPRN(e), map[uint16][]string{
		65: {`\\10.0.0.66`},
	})
	decodetest.TsharkReads(t, Interfaces[4], madeDFSNM(e), map[uint16][]string{
		12: {`10.0.0.66`, `root`},
		13: {`10.0.0.66`, `root`},
		15: {`root`, `C:\share`},
		1:  {`\\lab\dfs\link`, `srv`, `share`},
		2:  {`srv`, `share`},
	})
}
