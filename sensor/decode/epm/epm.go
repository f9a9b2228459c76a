package epm

import (
	"encoding/binary"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const (
	name = "epm"
	// reasonFreed counts look-up handles that are given back.
	reasonFreed = "look-up handles freed"
	maxRequest  = 256
)

// Interface registers the reader.
var Interface = decode.Interface{
	Name:    name,
	UUID:    "e1af8308-5d1f-11c9-91a4-08002b14a0fa",
	Version: 3,
	Request: maxRequest,
	Call:    call,
	Reasons: []string{reasonFreed},
}

// Opnums (C706 appendix O).
const (
	opLookup           = 2
	opMap              = 3
	opLookupHandleFree = 4
)

var operations = decode.Operations{
	"ept_insert", "ept_delete", "ept_lookup", "ept_map", "ept_lookup_handle_free", "ept_inq_object", "ept_mgmt_delete",
}

func call(x *decode.Context, c *decode.RPCCall) {
	if c.Opnum == opLookupHandleFree {
		x.Count(reasonFreed, 1)
		return
	}
	a := c.New(x, activity.RPCCall, activity.ProtoDCERPC)
	c.Settle(a, decode.Win32)
	a.RPC = c.Detail(name, operations.Name(c.Opnum))
	if q := ndr.Request(c); !q.Empty() {
		switch c.Opnum {
		case opLookup:
			a.RPC.Level = q.Uint32() // inquiry_type
		case opMap:
			if q.Pointer() {
				q.GUID() // obj
			}
			if q.Pointer() {
				size := q.Count()
				if n := int(q.Uint32()); n != size && q.OK() {
					q.Fail()
				}
				if u, ok := tower(q.Bytes(size)); ok {
					a.RPC.Object = u.String()
				}
			}
		}
		q.Note(a)
	}
	x.Emit(a)
}

// tower reads the interface on the first floor of a tower, whose numbers are
// little-endian whatever the stub's are (C706 appendix L).
func tower(b []byte) (u decode.UUID, ok bool) {
	const (
		protocolUUID = 0x0d
		// floors, length of the left side, its protocol
		uuidAt = 2 + 2 + 1
	)
	le := binary.LittleEndian
	if len(b) < uuidAt+16 || le.Uint16(b) == 0 || le.Uint16(b[2:]) < 1+16 || b[4] != protocolUUID {
		return u, false
	}
	return decode.ReadUUID(b[uuidAt:], le), true
}
