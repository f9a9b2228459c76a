package dcom

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const (
	nameActivator  = "IRemoteSCMActivator"
	nameActivation = "IActivation"
	nameServices   = "IWbemServices"
)

// Interfaces registers the readers.
var Interfaces = []decode.Interface{
	{Name: nameActivator, UUID: "000001a0-0000-0000-c000-000000000046", Request: decode.UsualStub, Call: activator},
	{Name: nameActivation, UUID: "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57", Request: decode.UsualStub, Call: activation},
	{Name: nameServices, UUID: "9556dc99-828c-11cf-a37e-00aa003240c7", Request: decode.UsualStub, Call: services},
}

// wbemLevel1Login is the class whose activation WMI begins with.
const wbemLevel1Login = "8bc3f05e-d86b-11d0-a075-00c04fb68820"

const (
	// maxExtents caps the extensions of a call (MS-DCOM §2.2.21): clients send at
	// most two.
	maxExtents = 16
	// maxProperties caps the properties of an activation (§2.2.28.1,
	// MAX_ACTPROP_LIMIT).
	maxProperties = 10
)

// activated makes the activity of an activation of a class, "" for one that was
// not readable.
func activated(x *decode.Context, c *decode.RPCCall, name string, operations decode.Operations, read func(q *ndr.Reader) decode.UUID) {
	q := ndr.Request(c)
	var class string
	if !q.Empty() {
		if u := read(q); u != (decode.UUID{}) {
			class = u.String()
		}
	}
	kind := activity.RPCCall
	if class == wbemLevel1Login {
		kind = activity.WMIExecution
	}
	a := c.New(x, kind, activity.ProtoDCERPC)
	c.Settle(a, decode.HResult)
	d := c.Detail(name, operations.Name(c.Opnum))
	if kind == activity.WMIExecution {
		a.Execution = &activity.Execution{Call: d, Class: class}
	} else {
		d.Object = class
		a.RPC = d
	}
	q.Note(a)
	x.Emit(a)
}

var operationsActivator = decode.Operations{3: "RemoteGetClassObject", 4: "RemoteCreateInstance"}

func activator(x *decode.Context, c *decode.RPCCall) {
	activated(x, c, nameActivator, operationsActivator, func(q *ndr.Reader) (class decode.UUID) {
		this(q)
		switch c.Opnum {
		case 4:
			if q.Pointer() { // pUnkOuter
				interfacePointer(q)
			}
		case 3:
		default:
			return class
		}
		if q.Pointer() {
			class = classOf(interfacePointer(q))
		}
		return class
	})
}

var operationsActivation = decode.Operations{"RemoteActivation"}

func activation(x *decode.Context, c *decode.RPCCall) {
	activated(x, c, nameActivation, operationsActivation, func(q *ndr.Reader) (class decode.UUID) {
		if this(q); c.Opnum == 0 {
			class = q.GUID()
		}
		return class
	})
}

// this reads an ORPCTHIS (MS-DCOM §2.2.13.3).
func this(q *ndr.Reader) {
	q.AlignPointer()
	q.Uint32() // version
	q.Uint32() // flags
	q.Uint32() // reserved1
	q.GUID()   // cid
	if !q.Pointer() {
		return
	}
	// ORPC_EXTENT_ARRAY (§2.2.21.2), its pointers, an even number, and ORPC_EXTENTs.
	q.AlignPointer()
	n := int(q.Uint32()+1) &^ 1
	q.Uint32() // reserved
	if !q.Pointer() {
		return
	}
	if n > maxExtents {
		q.Fail()
		return
	}
	q.Array(n)
	points := 0
	for range n {
		if q.Pointer() {
			points++
		}
	}
	for range points {
		size := q.Count()
		q.GUID()
		q.Uint32() // size, unrounded
		q.Bytes(size)
	}
}

// interfacePointer reads an MInterfacePointer (§2.2.14).
func interfacePointer(q *ndr.Reader) []byte {
	size := q.Count()
	if n := int(q.Uint32()); n != size && q.OK() {
		q.Fail()
	}
	return q.Bytes(size)
}

var instantiationInfo, _ = decode.ParseUUID("000001ab-0000-0000-c000-000000000046")

// classOf reads the class id out of activation properties (§2.2.22): an
// OBJREF_CUSTOM (§2.2.18.6), in it a CustomHeader that lists the properties with
// their sizes, and InstantiationInfoData. Zero when that is not there.
func classOf(b []byte) (class decode.UUID) {
	const (
		signature = 0x574f454d // "MEOW"
		custom    = 4
		blobAt    = 48 + 8 // after dwSize and dwReserved
		headerAt  = 16     // a type serialization header (MS-RPCE §2.2.6) precedes each part
	)
	r := ndr.Inner(b)
	if r.Uint32() != signature || r.Uint32() != custom || len(b) < blobAt+headerAt {
		return class
	}
	b = b[blobAt:]
	r = ndr.Inner(b)
	r.Bytes(headerAt)
	r.Uint32() // totalSize
	at := int(r.Uint32())
	r.Uint32() // dwReserved
	r.Uint32() // destCtx
	n := int(r.Uint32())
	r.GUID() // classInfoClsid
	classes, sizes := r.Pointer(), r.Pointer()
	r.Pointer() // pdwReserved
	if !classes || !sizes || n > maxProperties {
		return class
	}
	r.Array(n)
	var ids [maxProperties]decode.UUID
	for i := range n {
		ids[i] = r.GUID()
	}
	r.Array(n)
	for i := range n {
		size := int(r.Uint32())
		if !r.OK() || at < 0 || at > len(b) || size < 0 || size > len(b) {
			return class
		}
		if ids[i] == instantiationInfo {
			p := ndr.Inner(b[at:])
			p.Bytes(headerAt)
			return p.GUID()
		}
		at += size
	}
	return class
}
