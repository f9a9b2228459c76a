package coerce

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

var operationsEFSR = decode.Operations{
	0:  "EfsRpcOpenFileRaw",
	1:  "EfsRpcReadFileRaw",
	2:  "EfsRpcWriteFileRaw",
	3:  "EfsRpcCloseRaw",
	4:  "EfsRpcEncryptFileSrv",
	5:  "EfsRpcDecryptFileSrv",
	6:  "EfsRpcQueryUsersOnFile",
	7:  "EfsRpcQueryRecoveryAgents",
	8:  "EfsRpcRemoveUsersFromFile",
	9:  "EfsRpcAddUsersToFile",
	11: "EfsRpcNotSupported",
	12: "EfsRpcFileKeyInfo",
	13: "EfsRpcDuplicateEncryptionInfoFile",
	15: "EfsRpcAddUsersToFileEx",
	16: "EfsRpcFileKeyInfoEx",
	18: "EfsRpcGetEncryptedFileMetadata",
	19: "EfsRpcSetEncryptedFileMetadata",
	20: "EfsRpcFlushEfsCache",
	21: "EfsRpcEncryptFileExSrv",
	22: "EfsRpcQueryProtectors",
}

func efsr(x *decode.Context, c *decode.RPCCall) {
	emit(x, c, "efsr", operationsEFSR, func(q *ndr.Reader, d *activity.RPC) {
		switch c.Opnum {
		case 0, 4, 5, 6, 7, 8, 9, 12, 18, 19, 21, 22:
			d.Object = q.String()
		case 13: // SrcFileName, DestFileName
			d.Object = q.String()
			some(d, q.String())
		case 15, 16:
			q.Uint32()       // dwFlags
			if q.Pointer() { // Reserved, an EFS_RPC_BLOB
				q.AlignPointer()
				q.Uint32()
				if q.Pointer() {
					q.Blob()
				}
			}
			d.Object = q.String()
		}
	})
}
