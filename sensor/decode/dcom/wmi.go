package dcom

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

// Opnums of IWbemServices (MS-WMI §3.1.4.3).
const (
	opOpenNamespace       = 3
	opGetObject           = 6
	opGetObjectAsync      = 7
	opDeleteClass         = 10
	opDeleteClassAsync    = 11
	opCreateClassEnum     = 12
	opDeleteInstance      = 16
	opDeleteInstanceAsync = 17
	opCreateInstanceEnum  = 18
	opInstanceEnumAsync   = 19
	opExecQuery           = 20
	opExecQueryAsync      = 21
	opNotificationQuery   = 22
	opNotificationAsync   = 23
	opExecMethod          = 24
	opExecMethodAsync     = 25
)

var operationsServices = decode.Operations{
	3:  "OpenNamespace",
	4:  "CancelAsyncCall",
	5:  "QueryObjectSink",
	6:  "GetObject",
	7:  "GetObjectAsync",
	8:  "PutClass",
	9:  "PutClassAsync",
	10: "DeleteClass",
	11: "DeleteClassAsync",
	12: "CreateClassEnum",
	13: "CreateClassEnumAsync",
	14: "PutInstance",
	15: "PutInstanceAsync",
	16: "DeleteInstance",
	17: "DeleteInstanceAsync",
	18: "CreateInstanceEnum",
	19: "CreateInstanceEnumAsync",
	20: "ExecQuery",
	21: "ExecQueryAsync",
	22: "ExecNotificationQuery",
	23: "ExecNotificationQueryAsync",
	24: "ExecMethod",
	25: "ExecMethodAsync",
}

func services(x *decode.Context, c *decode.RPCCall) {
	method := c.Opnum == opExecMethod || c.Opnum == opExecMethodAsync
	kind := activity.RPCCall
	if method {
		kind = activity.WMIExecution
	}
	a := c.New(x, kind, activity.ProtoDCERPC)
	c.Settle(a, decode.HResult)
	d := c.Detail(nameServices, operationsServices.Name(c.Opnum))
	q := ndr.Request(c)
	if !q.Empty() {
		this(q)
	}
	if method {
		e := &activity.Execution{Call: d}
		if a.Execution = e; !q.Empty() {
			e.Class, e.Method = text(q), text(q)
		}
	} else if a.RPC = d; !q.Empty() {
		switch c.Opnum {
		case opOpenNamespace, opGetObject, opGetObjectAsync, opDeleteClass, opDeleteClassAsync, opCreateClassEnum,
			opDeleteInstance, opDeleteInstanceAsync, opCreateInstanceEnum, opInstanceEnumAsync:
			d.Object = text(q)
		case opExecQuery, opExecQueryAsync, opNotificationQuery, opNotificationAsync:
			_ = text(q) // strQueryLanguage: WQL
			d.Object = text(q)
		}
	}
	q.Note(a)
	x.Emit(a)
}

// text reads a BSTR: a pointer to a FLAGGED_WORD_BLOB (MS-OAUT §2.2.23).
func text(q *ndr.Reader) string {
	if !q.Pointer() {
		return ""
	}
	size := q.Count()
	q.Uint32() // cBytes
	if n := int(q.Uint32()); n != size && q.OK() {
		q.Fail()
	}
	return q.Units(size)
}
