package bkrp

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const name = "bkrp"

// Interface registers the reader.
var Interface = decode.Interface{
	Name:    name,
	UUID:    "3dde7c30-165d-11d1-ab8f-00805f14db40",
	Version: 1,
	Request: 16,
	Call:    call,
}

var operations = decode.Operations{"BackuprKey"}

// actions are the values of pguidActionAgent (MS-BKRP §3.1.4.1).
var actions = map[string]string{
	"7f752b10-178e-11d1-ab8f-00805f14db40": "BACKUPKEY_BACKUP_GUID",
	"47270c64-2fc7-499b-ac5b-0e37cdce899a": "BACKUPKEY_RESTORE_GUID",
	"018ff48a-eaba-40c6-8f6d-72370240e967": "BACKUPKEY_RETRIEVE_BACKUP_KEY_GUID",
	"7fe94d50-178e-11d1-ab8f-00805f14db40": "BACKUPKEY_RESTORE_GUID_WIN2K",
}

func call(x *decode.Context, c *decode.RPCCall) {
	a := c.New(x, activity.RPCCall, activity.ProtoDCERPC)
	c.Settle(a, decode.Win32)
	a.RPC = c.Detail(name, operations.Name(c.Opnum))
	if q := ndr.Request(c); c.Opnum == 0 && !q.Empty() {
		action := q.GUID().String()
		if q.OK() {
			if a.RPC.Object = actions[action]; a.RPC.Object == "" {
				a.RPC.Object = action
			}
		}
		q.Note(a)
	}
	x.Emit(a)
}
