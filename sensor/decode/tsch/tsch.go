package tsch

import (
	"strconv"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const (
	name      = "tsch"
	nameATSvc = "atsvc"
)

// Interfaces registers the readers.
var Interfaces = []decode.Interface{
	{
		Name:     name,
		UUID:     "86d35949-83c9-4044-b424-db363231fd0c",
		Version:  1,
		Request:  decode.MaxStub,
		Response: decode.UsualStub,
		Call:     call,
		Reasons:  []string{reasonXML},
	},
	{
		Name:     nameATSvc,
		UUID:     "1ff70682-0a51-30e8-076d-740be8cee98b",
		Version:  1,
		Request:  decode.UsualStub,
		Response: 8, // the job's number and the return value
		Call:     callATSvc,
	},
}

// reasonXML counts task definitions that end early or are no XML.
const reasonXML = "task definitions not read to their end"

// Opnums (MS-TSCH §3.2.5.4).
const (
	opRegisterTask  = 1
	opRetrieveTask  = 2
	opCreateFolder  = 3
	opSetSecurity   = 4
	opGetSecurity   = 5
	opEnumFolders   = 6
	opEnumTasks     = 7
	opEnumInstances = 8
	opRun           = 12
	opDelete        = 13
	opRename        = 14
	opRuntimes      = 15
	opLastRunInfo   = 16
	opGetTaskInfo   = 17
	opMissedRuns    = 18
	opEnableTask    = 19
)

var operations = decode.Operations{
	"SchRpcHighestVersion",
	"SchRpcRegisterTask",
	"SchRpcRetrieveTask",
	"SchRpcCreateFolder",
	"SchRpcSetSecurity",
	"SchRpcGetSecurity",
	"SchRpcEnumFolders",
	"SchRpcEnumTasks",
	"SchRpcEnumInstances",
	"SchRpcGetInstanceInfo",
	"SchRpcStopInstance",
	"SchRpcStop",
	"SchRpcRun",
	"SchRpcDelete",
	"SchRpcRename",
	"SchRpcScheduledRuntimes",
	"SchRpcGetLastRunInfo",
	"SchRpcGetTaskInfo",
	"SchRpcGetNumberOfMissedRuns",
	"SchRpcEnableTask",
}

// Flags of SchRpcRegisterTask (§2.3.1).
const (
	flagCreate = 0x2
	flagUpdate = 0x4
)

func call(x *decode.Context, c *decode.RPCCall) {
	kind := activity.RPCCall
	if c.Opnum == opRegisterTask || c.Opnum == opRun {
		kind = activity.TaskScheduling
	}
	a := c.New(x, kind, activity.ProtoDCERPC)
	c.Settle(a, decode.HResult)
	d := c.Detail(name, operations.Name(c.Opnum))
	q := ndr.Request(c)
	switch c.Opnum {
	case opRegisterTask:
		t := &activity.Task{Call: d, Act: "create"}
		a.Task = t
		if !q.Empty() {
			register(x, q, t)
		}
		if r := ndr.Response(c); t.Path == "" && !r.Empty() && a.Outcome == activity.Success {
			t.Path = r.UniqueString() // pActualPath
			r.Note(a)
		}
	case opRun:
		a.Task = &activity.Task{Call: d, Act: "run"}
		if !q.Empty() {
			a.Task.Path = q.String()
		}
	default:
		a.RPC = d
		if !q.Empty() {
			about(c.Opnum, q, d)
		}
	}
	q.Note(a)
	x.Emit(a)
}

// register reads the arguments of SchRpcRegisterTask up to its flags.
func register(x *decode.Context, q *ndr.Reader, t *activity.Task) {
	t.Path = q.UniqueString()
	text := q.Long()
	if !definition(text, t) {
		x.Count(reasonXML, 1)
	}
	if flags := q.Uint32(); flags&flagUpdate != 0 && flags&flagCreate == 0 {
		t.Act = "change"
	}
}

// about reads which task or folder a call is about.
func about(opnum uint16, q *ndr.Reader, d *activity.RPC) {
	switch opnum {
	case opRetrieveTask, opCreateFolder, opSetSecurity, opGetSecurity, opEnumFolders, opEnumTasks, opDelete,
		opRuntimes, opLastRunInfo, opGetTaskInfo, opMissedRuns, opEnableTask:
		d.Object = q.String()
	case opEnumInstances:
		d.Object = q.UniqueString()
	case opRename:
		d.Object = q.String()
		d.Names = []string{q.String()}
	}
}

// opJobAdd is NetrJobAdd (MS-TSCH §3.2.5.2.1).
const opJobAdd = 0

var operationsATSvc = decode.Operations{"NetrJobAdd", "NetrJobDel", "NetrJobEnum", "NetrJobGetInfo"}

func callATSvc(x *decode.Context, c *decode.RPCCall) {
	kind := activity.RPCCall
	if c.Opnum == opJobAdd {
		kind = activity.TaskScheduling
	}
	a := c.New(x, kind, activity.ProtoDCERPC)
	c.Settle(a, decode.Win32)
	d := c.Detail(nameATSvc, operationsATSvc.Name(c.Opnum))
	if c.Opnum != opJobAdd {
		a.RPC = d
		x.Emit(a)
		return
	}
	a.Task = &activity.Task{Call: d, Act: "create"}
	if q := ndr.Request(c); !q.Empty() {
		q.UniqueString() // ServerName
		// AT_INFO (§2.3.4): JobTime, DaysOfMonth, DaysOfWeek, Flags, Command.
		q.AlignPointer()
		q.Uint32()
		q.Uint32()
		q.Bytes(2)
		a.Task.Action = q.UniqueString()
		q.Note(a)
	}
	if r := ndr.Response(c); !r.Empty() && a.Outcome == activity.Success {
		if job := r.Uint32(); r.OK() && c.ReturnSeen {
			a.Task.Path = "At" + strconv.FormatUint(uint64(job), 10)
		}
	}
	x.Emit(a)
}
