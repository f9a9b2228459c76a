package svcctl

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const (
	// reasonClosed counts calls that close a handle: they say nothing of their own.
	reasonClosed = "handles closed"

	name = "svcctl"
	// maxResponse holds the handle that a response of ROpenService begins with, or
	// that follows the tag in one of RCreateService, in NDR64 too.
	maxResponse = 16 + len(ndr.Handle{})
	// maxArguments caps the arguments of a start that are kept: in practice there
	// are none.
	maxArguments = 64
	// noChange stands in place of a type or start type that is not changed
	// (MS-SCMR §3.1.4.11, SERVICE_NO_CHANGE).
	noChange = 0xffffffff
)

// Interface registers the reader.
var Interface = decode.Interface{
	Name:     name,
	UUID:     "367abb81-9844-35f1-ad32-98f038001003",
	Version:  2,
	Request:  decode.MaxStub,
	Response: maxResponse,
	State:    func() decode.State { return new(ndr.Handles[string]) },
	Call:     call,
	Reasons:  []string{reasonClosed},
}

func call(x *decode.Context, c *decode.RPCCall) {
	services, _ := c.State.(*ndr.Handles[string]) // what handles stand for, by service name
	if services == nil {
		services = new(ndr.Handles[string])
	}
	q := ndr.Request(c)
	if c.Opnum == opCloseHandle && c.Outcome != activity.Failure {
		services.Close(q.Handle())
		x.Count(reasonClosed, 1)
		return
	}
	kind, act := activity.RPCCall, act(c.Opnum)
	if act != "" {
		kind = activity.ServiceControl
	}
	a := c.New(x, kind, activity.ProtoDCERPC)
	c.Settle(a, decode.Win32)
	rd := reading{Reader: q, narrow: narrow(c.Opnum), d: c.Detail(name, operations.Name(c.Opnum))}
	if act != "" {
		rd.s = &activity.Service{Call: rd.d, Act: act}
		a.Service = rd.s
	} else {
		a.RPC = rd.d
	}
	if !q.Empty() {
		opened := rd.arguments(c.Opnum, services)
		if opened != "" && q.OK() && a.Outcome == activity.Success && c.Response != nil {
			r := ndr.Response(c)
			if act == "create" && r.Pointer() {
				r.Uint32() // lpdwTagId
			}
			if h := r.Handle(); r.OK() {
				services.Put(h, opened, len(opened))
			}
		}
		q.Note(a)
	}
	x.Emit(a)
}

// reading is a request while it is read.
type reading struct {
	*ndr.Reader
	narrow bool
	d      *activity.RPC
	s      *activity.Service // nil unless it is about a service's configuration or start
}

func (rd *reading) text() string {
	if rd.narrow {
		return rd.Narrow()
	}
	return rd.String()
}

func (rd *reading) unique() string {
	if !rd.Pointer() {
		return ""
	}
	return rd.text()
}

// arguments reads a request and returns the service that the handle in its
// response will stand for.
func (rd *reading) arguments(opnum uint16, services *ndr.Handles[string]) (opens string) {
	switch opnum {
	case opOpenManagerW, opOpenManagerA:
		rd.d.Object = rd.unique() // lpMachineName
		return ""
	case opOpenManager2:
		return ""
	}
	service := services.Of(rd.Handle())
	switch opnum {
	case opOpenServiceW, opOpenServiceA:
		rd.d.Object = rd.text()
		return rd.d.Object
	case opCreateW, opCreateA, opCreateWOW64A, opCreateWOW64W, opCreateWow:
		rd.create()
		return rd.s.Name
	case opChangeW, opChangeA:
		rd.s.Name = service
		rd.change()
	case opStartW, opStartA:
		rd.s.Name = service
		rd.start()
	case opControl:
		rd.d.Object, rd.d.Level = service, rd.Uint32()
	default:
		rd.d.Object = service
	}
	return ""
}

// create reads the arguments of RCreateService after its handle (§3.1.4.12).
func (rd *reading) create() {
	s := rd.s
	s.Name, s.Display = rd.text(), rd.unique()
	rd.Uint32() // dwDesiredAccess
	s.Type, s.Start = rd.Uint32(), rd.Uint32()
	rd.Uint32() // dwErrorControl
	s.Image = rd.text()
	rd.unique() // lpLoadOrderGroup
	rd.account()
}

// change reads those of RChangeServiceConfig (§3.1.4.11), all of which may be
// left as they are.
func (rd *reading) change() {
	s := rd.s
	if s.Type = rd.Uint32(); s.Type == noChange {
		s.Type = 0
	}
	if s.Start = rd.Uint32(); s.Start == noChange {
		s.Start = 0
	}
	rd.Uint32() // dwErrorControl
	s.Image = rd.unique()
	rd.unique() // lpLoadOrderGroup
	rd.account()
	if rd.Pointer() { // lpPassword
		rd.Blob()
	}
	rd.Uint32() // dwPwSize
	s.Display = rd.unique()
}

// account reads from lpdwTagId to lpServiceStartName.
func (rd *reading) account() {
	if rd.Pointer() {
		rd.Uint32() // lpdwTagId
	}
	if rd.Pointer() {
		rd.Blob() // lpDependencies
	}
	rd.Uint32() // dwDependSize
	rd.s.RunAs = rd.unique()
}

// start reads the arguments of RStartService (§3.1.4.19): pointers to strings.
func (rd *reading) start() {
	n := int(rd.Uint32())
	if !rd.Pointer() {
		return
	}
	rd.Array(n)
	points := 0
	for i := 0; i < n && rd.OK(); i++ {
		if rd.Pointer() {
			points++
		}
	}
	for i := 0; i < points && i < maxArguments && rd.OK(); i++ {
		if s := rd.text(); rd.OK() {
			rd.d.Names = append(rd.d.Names, s)
		}
	}
}
