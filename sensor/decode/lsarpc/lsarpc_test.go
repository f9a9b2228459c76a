package lsarpc

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func TestGolden(t *testing.T) {
	decodetest.GoldenStubs(t, "testdata", map[string]decode.Interface{"backup-key": Interface, "lookup": Interface})
}

// made are calls that the recordings lack.
func made(e decodetest.Encoding) []decode.RPCCall {
	const (
		policy byte = iota + 1
		secret
		account
		trust
	)
	stub := e.Stub
	ok := func() *decodetest.Stub { return stub().U32(0) }
	return []decode.RPCCall{
		e.Call(opOpenSecret, stub().Handle(policy).Unicode("G$BCKUPKEY_P").U32(2), stub().Handle(secret).U32(0)),
		e.Call(opQuerySecret, stub().Handle(secret).Null(4), ok()),
		e.Call(opClose, stub().Handle(secret), stub().Zeros(20).U32(0)),
		e.Call(opQuerySecret, stub().Handle(secret).Null(4), stub().U32(0xc0000008)), // closed: no name
		e.Call(opOpenSecret2, stub().Handle(policy).Unicode("G$x").U32(2), stub().Handle(secret).U32(0)),
		e.Call(opQuerySecret2, stub().Handle(secret), ok()),
		e.Call(opRetrievePrivateData, stub().Handle(policy).Unicode("G$BCKUPKEY_PREFERRED").Null(1), stub().U32(0xc0000022)),
		e.Call(opStorePrivateData, stub().Handle(policy).Unicode("L$mine").Null(1), ok()),
		e.Call(opOpenAccount, stub().Handle(policy).SID("S-1-5-32-544").U32(1), stub().Handle(account).U32(0)),
		e.Call(18, stub().Handle(account), ok()),
		e.Call(opEnumerateAccountRights, stub().Handle(policy).SID("S-1-5-32-544"), ok()),
		e.Call(opAddAccountRights, stub().Handle(policy).SID("S-1-5-21-1-2-3-1104").Struct().U32(2).Pointers(1).Size(2).Unicode("SeDebugPrivilege", "SeBackupPrivilege"), ok()),
		e.Call(opRemoveAccountRights, stub().Handle(policy).SID("S-1-5-21-1-2-3-1104").Bytes(0).Struct().U32(1).Pointers(1).Size(1).Unicode("SeDebugPrivilege"), ok()),
		e.Call(opAccountsWithUserRight, stub().Handle(policy).Pointers(1).Unicode("SeDebugPrivilege"), ok()),
		e.Call(opOpenTrustedDomainByName, stub().Handle(policy).Unicode("other.example").U32(1), stub().Handle(trust).U32(0)),
		e.Call(26, stub().Handle(trust).Enum(1), ok()),
		e.Call(opQueryTrustedDomainByName, stub().Handle(policy).Unicode("third.example").Enum(1), ok()),
		e.Call(opQueryTrustedDomainInfo, stub().Handle(policy).SID("S-1-5-21-4-5-6").Enum(1), ok()),
		e.Call(opLookupSids2, stub().Handle(policy).Struct().U32(2).Pointers(1).Size(2).Pointers(2).SID("S-1-5-21-1-2-3-500").SID("S-1-1-0"), stub().U32(0x107)),
		e.Call(opLookupSids3, stub().Struct().U32(1).Pointers(1).Size(1).Pointers(1).SID("S-1-5-18"), stub().U32(0xc0000073)),
		e.Call(opLookupNames3, stub().Handle(policy).U32(2).Size(2).Unicode("LAB\\alice", "bob"), ok()),
		e.Call(opLookupNames4, stub().U32(1).Size(1).Unicode("eve"), ok()),
		e.Call(opQueryInformationPolicy2, stub().Handle(policy).Enum(12), ok()),
	}
}

func TestMade(t *testing.T) {
	decodetest.MadeCalls(t, "testdata/made.golden.jsonl", Interface, made)
}

func TestSealed(t *testing.T) {
	conn := decodetest.Connect(t, Interface)
	for _, opnum := range []uint16{opOpenSecret, opRetrievePrivateData, opLookupNames4} {
		out := conn.Deliver(decode.RPCCall{Opnum: opnum, Sealed: true, RequestSize: 60, Outcome: activity.Success})
		if len(out) != 1 || out[0].Kind != kind(opnum) || !out[0].RPC.Sealed || out[0].RPC.Object != "" || out[0].Anomalies != nil {
			t.Errorf("opnum %d: %+v", opnum, out)
		}
	}
}

func FuzzCall(f *testing.F) {
	decodetest.FuzzCalls(f, Interface, append(made(decodetest.Encoding{}), decodetest.Stubs(f, "testdata/lookup.stubs")...))
}

func TestTshark(t *testing.T) {
	e := decodetest.Encoding{}
	decodetest.TsharkReads(t, Interface, made(e), map[uint16][]string{
		opOpenSecret:               {`G$BCKUPKEY_P`},
		opOpenAccount:              {`S-1-5-32-544`},
		opAddAccountRights:         {`S-1-5-21-1-2-3-1104`, `SeDebugPrivilege`, `SeBackupPrivilege`},
		opRemoveAccountRights:      {`S-1-5-21-1-2-3-1104`, `SeDebugPrivilege`},
		opAccountsWithUserRight:    {`SeDebugPrivilege`},
		opQueryTrustedDomainByName: {`third.example`},
		opLookupSids2:              {`S-1-5-21-1-2-3-500`, `S-1-1-0`},
		opLookupSids3:              {`S-1-5-18`},
		opLookupNames3:             {`LAB\alice`, `bob`},
		opLookupNames4:             {`eve`},
	})
}
