package coerce

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

var operationsDFSNM = decode.Operations{
	0:  "NetrDfsManagerGetVersion",
	1:  "NetrDfsAdd",
	2:  "NetrDfsRemove",
	3:  "NetrDfsSetInfo",
	4:  "NetrDfsGetInfo",
	5:  "NetrDfsEnum",
	6:  "NetrDfsMove",
	10: "NetrDfsAddFtRoot",
	11: "NetrDfsRemoveFtRoot",
	12: "NetrDfsAddStdRoot",
	13: "NetrDfsRemoveStdRoot",
	14: "NetrDfsManagerInitialize",
	15: "NetrDfsAddStdRootForced",
	16: "NetrDfsGetDcAddress",
	17: "NetrDfsSetDcAddress",
	18: "NetrDfsFlushFtTable",
	19: "NetrDfsAdd2",
	20: "NetrDfsRemove2",
	21: "NetrDfsEnumEx",
	22: "NetrDfsSetInfo2",
	23: "NetrDfsAddRootTarget",
	24: "NetrDfsRemoveRootTarget",
	25: "NetrDfsGetSupportedNamespaceVersion",
}

func dfsnm(x *decode.Context, c *decode.RPCCall) {
	emit(x, c, "dfsnm", operationsDFSNM, func(q *ndr.Reader, d *activity.RPC) {
		switch c.Opnum {
		case 1: // DfsEntryPath, ServerName, ShareName, Comment
			d.Object = q.String()
			some(d, q.String(), q.UniqueString())
		case 2, 3, 4: // DfsEntryPath, ServerName, ShareName
			d.Object = q.String()
			some(d, q.UniqueString(), q.UniqueString())
		case 6, 17, 18: // two paths, a server and its domain controller, the other way round
			d.Object = q.String()
			some(d, q.String())
		case 10, 11: // ServerName, DcName, RootShare, FtDfsName
			d.Object = q.String()
			some(d, q.String(), q.String(), q.String())
		case 12, 13: // ServerName, RootShare
			d.Object = q.String()
			some(d, q.String())
		case 15: // ServerName, RootShare, Comment, Share
			d.Object = q.String()
			root := q.String()
			_ = q.String()
			some(d, root, q.String())
		case 14, 16, 21: // ServerName or DfsEntryPath
			d.Object = q.String()
		case 19: // DfsEntryPath, DcName, ServerName, ShareName
			d.Object = q.String()
			some(d, q.String(), q.String(), q.UniqueString())
		case 20:
			d.Object = q.String()
			some(d, q.String(), q.UniqueString(), q.UniqueString())
		}
	})
}
