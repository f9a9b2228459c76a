package wkssvc

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const (
	name = "wkssvc"
	// maxRequest reaches past a server name of 255 characters.
	maxRequest = 512 + 64
)

// Interface registers the reader.
var Interface = decode.Interface{
	Name:     name,
	UUID:     "6bffd098-a112-3610-9833-46c3f87e345a",
	Version:  1,
	Request:  maxRequest,
	Response: decode.UsualStub,
	Call:     call,
}

// Opnums (MS-WKST §3.2.4).
const (
	opGetInfo  = 0
	opUserEnum = 2
)

var operations = decode.Operations{
	0:  "NetrWkstaGetInfo",
	1:  "NetrWkstaSetInfo",
	2:  "NetrWkstaUserEnum",
	5:  "NetrWkstaTransportEnum",
	6:  "NetrWkstaTransportAdd",
	7:  "NetrWkstaTransportDel",
	8:  "NetrUseAdd",
	9:  "NetrUseGetInfo",
	10: "NetrUseDel",
	11: "NetrUseEnum",
	13: "NetrWorkstationStatisticsGet",
	20: "NetrGetJoinInformation",
	22: "NetrJoinDomain2",
	23: "NetrUnjoinDomain2",
	24: "NetrRenameMachineInDomain2",
	25: "NetrValidateName2",
	26: "NetrGetJoinableOUs2",
	27: "NetrAddAlternateComputerName",
	28: "NetrRemoveAlternateComputerName",
	29: "NetrSetPrimaryComputerName",
	30: "NetrEnumerateComputerNames",
	31: "NetrJoinDomain3",
	32: "NetrUnjoinDomain3",
	33: "NetrRenameMachineInDomain3",
	34: "NetrValidateName3",
	35: "NetrAddAlternateComputerName2",
	36: "NetrRemoveAlternateComputerName2",
	37: "NetrSetPrimaryComputerName2",
}

func call(x *decode.Context, c *decode.RPCCall) {
	a := c.New(x, activity.RPCCall, activity.ProtoDCERPC)
	c.Settle(a, decode.Win32)
	a.RPC = c.Detail(name, operations.Name(c.Opnum))
	if q := ndr.Request(c); !q.Empty() && (c.Opnum == opGetInfo || c.Opnum == opUserEnum) {
		q.UniqueString() // ServerName
		a.RPC.Level = q.Uint32()
		q.Note(a)
	}
	if r := ndr.Response(c); !r.Empty() && c.Opnum == opUserEnum && a.Outcome == activity.Success {
		users(r, a.RPC)
		r.Note(a)
	}
	x.Emit(a)
}

// users reads WKSTA_USER_ENUM_STRUCT (MS-WKST §2.2.5.17).
func users(r *ndr.Reader, d *activity.RPC) {
	level := r.Uint32()
	if r.Union() != level || !r.Pointer() {
		return
	}
	r.AlignPointer()
	n := int(r.Uint32())
	if !r.Pointer() || !r.OK() {
		return
	}
	r.Array(n)
	if !r.OK() {
		return
	}
	d.Count = n
	members := 1 // wkui0_username
	if level == 1 {
		members = 4 // wkui1_username, logon_domain, oth_domains, logon_server
	} else if level != 0 {
		return
	}
	var points []bool
	for range n * members {
		if points = append(points, r.Pointer()); !r.OK() {
			return
		}
	}
	for ; len(points) > 0 && len(d.Names) < activity.MaxRPCNames; points = points[members:] {
		var text [4]string
		for i := range members {
			if points[i] {
				text[i] = r.String()
			}
		}
		if !r.OK() {
			return
		}
		user := text[0]
		if text[1] != "" {
			user = text[1] + `\` + user
		}
		d.Names = append(d.Names, activity.Cut(user))
	}
}
