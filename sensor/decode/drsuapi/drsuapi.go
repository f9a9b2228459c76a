package drsuapi

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// maxRequest is what is looked at of a request stub: a DSNAME begins within the
// first 200 bytes and names are far below activity.MaxText in practice.
const maxRequest = decode.UsualStub

// Interface registers the reader.
var Interface = decode.Interface{
	Name:    "drsuapi",
	UUID:    "e3514235-4b06-11d1-ab04-00c04fc2dcd2",
	Version: 4,
	Request: maxRequest,
	Call:    call,
	Reasons: []string{reasonVersion, reasonNDR64},
}

// call makes the activity of a call.
func call(x *decode.Context, c *decode.RPCCall) {
	a := c.New(x, activity.Replication, activity.ProtoDRSR)
	d := &activity.DRS{
		Opnum:        c.Opnum,
		Operation:    operation(c.Opnum),
		CallID:       c.CallID,
		Sealed:       c.Sealed,
		BindSeen:     c.BindSeen,
		Fault:        c.Fault,
		RequestSize:  c.RequestSize,
		ResponseSize: c.ResponseSize,
		Auth:         c.Auth,
	}
	a.DRS = d
	if c.Request != nil && namesContext(c.Opnum) {
		if c.NDR64 {
			x.Count(reasonNDR64, 1)
		} else {
			readContext(x, c, a)
		}
	}
	switch {
	case c.Outcome == activity.Success && c.ReturnSeen && c.Return != 0:
		a.Outcome, a.Error = activity.Failure, errorName(c.Return)
	case c.Fault != 0 && errorNames[c.Fault] != "" && c.Fault >= 8192:
		a.Error = errorName(c.Fault) // a directory error that the server raised
	}
	x.Emit(a)
}

func readContext(x *decode.Context, c *decode.RPCCall, a *activity.Activity) {
	name, known, ok := context(c.Opnum, c.Request, c.RequestOrder)
	switch {
	case !known:
		x.Count(reasonVersion, 1)
	case !ok && c.RequestSize <= maxRequest:
		a.Anomalies = append(a.Anomalies, anomalyName)
	case ok:
		a.DRS.Context = name
	}
}
