package netlogon

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// made are calls beside those of the recordings in all/testdata.
func made(e decodetest.Encoding) []decode.RPCCall {
	stub := e.Stub
	challenge := func(b ...byte) *decodetest.Stub { return stub().Unique(`\\dc1`).String("WS1").Bytes(b...) }
	authenticate := func(b ...byte) *decodetest.Stub {
		return stub().Unique(`\\dc1`).String("WS1$").Enum(2).String("WS1").Bytes(b...)
	}
	password := func(buffer byte, length uint32) *decodetest.Stub {
		s := authenticate().Align(4).Zeros(12)
		for range 512 {
			s.Bytes(buffer)
		}
		return s.U32(length)
	}
	logon := func(opnum uint16, level uint32) *decodetest.Stub {
		s := stub().Unique(`\\dc1`).Unique("WS1")
		if opnum != opSamLogonEx {
			s.Pointers(1).Zeros(12).Align(4).Null(1)
		}
		// The strings' fixed parts, and what else the structure has, then the strings.
		s.Enum(level).UnionEnum(level).Pointers(1).Struct().U16(6, 6).Pointers(1).U32(0, 0, 0).Struct().U16(10, 10).Pointers(1).U16(8, 8).Pointers(1)
		switch level {
		case 1:
			s.Zeros(32)
		case 2:
			s.Zeros(8).Struct().U16(25, 25).Pointers(1).U16(24, 24).Pointers(1)
		case 4:
			s.Struct().U16(4, 4).Pointers(1).U32(3).Pointers(1)
		case 8:
			s.Align(8).Zeros(8).U32(3).Pointers(1).U32(0).Null(1)
		}
		for _, text := range []string{"LAB", "alice", `\\WS`} {
			n := uint32(len(text))
			s.Size(n, 0, n)
			for _, c := range text {
				s.U16(uint16(c))
			}
		}
		return s.Size(25, 0, 25).Zeros(25)
	}
	ok := func() *decodetest.Stub { return stub().U32(0) }
	return []decode.RPCCall{
		e.Call(opServerReqChallenge, challenge(1, 2, 3, 4, 5, 6, 7, 8), stub().Zeros(8).U32(0)),
		e.Call(opServerReqChallenge, challenge(7, 7, 7, 7, 7, 7, 7, 7), stub().Zeros(8).U32(0)),
		e.Call(opServerAuthenticate3, authenticate(1, 2, 3, 4, 5, 6, 7, 8).U32(0x612fffff), stub().Zeros(8).U32(0x612fffff, 1104, 0)),
		e.Call(opServerAuthenticate2, authenticate(0, 2, 3, 4, 5, 6, 7, 8).U32(0x600fffff), stub().Zeros(8).U32(0, 0)),
		e.Call(opServerAuthenticate2, authenticate(7, 7, 7, 7, 7, 7, 7, 7).U32(0x600fffff), stub().Zeros(8).U32(0, 0xc0000022)),
		e.Call(opServerAuthenticate, authenticate(0, 0, 0, 0, 0, 0, 0, 0), stub().Zeros(8).U32(0xc0000388)),
		e.Call(opAuthenticateKerberos, authenticate().U32(0xe12fffff), stub().U32(0, 0)),
		e.Call(opServerPasswordSet2, password(0, 0), stub().Zeros(12).U32(0)),
		e.Call(opServerPasswordSet2, password(0, 16), stub().Zeros(12).U32(0)),
		e.Call(opServerPasswordSet2, password(3, 0x03030303), stub().Zeros(12).U32(0)),
		e.Call(opTrustPasswordsGet, authenticate().Align(4).Zeros(12), stub().Zeros(44).U32(0)),
		e.Call(opSamLogonEx, logon(opSamLogonEx, 2), ok()),
		e.Call(opSamLogon, logon(opSamLogon, 1), stub().U32(0xc000006a)),
		e.Call(opSamLogonWithFlags, logon(opSamLogonWithFlags, 4), ok()),
		e.Call(opSamLogonEx, logon(opSamLogonEx, 8), ok()),
		e.Call(34, stub().Zeros(40), stub().Zeros(4).U32(1355)),
	}
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/made.golden.jsonl", Interface, made)
}

func TestSealed(t *testing.T) {
	out := decodetest.Connect(t, Interface).Deliver(decode.RPCCall{Opnum: opTrustPasswordsGet, Sealed: true, RequestSize: 200, Outcome: activity.Success})
	if len(out) != 1 || out[0].Kind != activity.NetlogonChannel || out[0].Netlogon.ZeroCredential || out[0].Netlogon.Call.Operation != "NetrServerTrustPasswordsGet" {
		t.Errorf("%+v", out)
	}
}

func FuzzCall(f *testing.F) { decodetest.FuzzCalls(f, Interface, made(decodetest.Encoding{})) }

func TestTshark(t *testing.T) {
	e := decodetest.Encoding{}
	decodetest.TsharkReads(t, Interface, made(e), map[uint16][]string{
		opServerReqChallenge:  {`WS1`},
		opServerAuthenticate3: {`WS1$`, `0x612fffff`},
		opSamLogonEx:          {`LAB`, `alice`, `WS`},
		opSamLogon:            {`LAB`, `alice`},
	})
}
