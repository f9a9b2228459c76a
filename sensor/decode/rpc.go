package decode

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/verderer/verderer/activity"
)

// UUID is a DCE UUID in the order of its text, whatever byte order it crossed
// the wire in. Zero means none.
type UUID [16]byte

// ParseUUID reads e3514235-4b06-11d1-ab04-00c04fc2dcd2.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return UUID{}, fmt.Errorf("parsing UUID %q: want 8-4-4-4-12 hex digits", s)
	}
	if _, err := hex.Decode(u[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return UUID{}, fmt.Errorf("parsing UUID %q: %w", s, err)
	}
	return u, nil
}

// ReadUUID reads the 16 bytes that b begins with: a 32-bit and two 16-bit
// numbers in the given byte order, then 8 bytes (C706 §A.1).
func ReadUUID(b []byte, order binary.ByteOrder) (u UUID) {
	_ = b[15]
	binary.BigEndian.PutUint32(u[0:], order.Uint32(b[0:]))
	binary.BigEndian.PutUint16(u[4:], order.Uint16(b[4:]))
	binary.BigEndian.PutUint16(u[6:], order.Uint16(b[6:]))
	copy(u[8:], b[8:16])
	return u
}

func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// Interface registers a reader of the calls of one DCE/RPC interface. Data,
// listed in all/.
type Interface struct {
	Name    string // as in counters: "drsuapi"
	UUID    string // of the abstract syntax
	Version uint16 // its major version; another one is another interface
	// Request and Response are how many bytes of the two stubs Call wants to
	// see, at most MaxStub.
	Request, Response int
	// State makes what Call remembers from one call to the next on a connection,
	// such as what its handles stand for; nil when that is nothing.
	State func() State
	// Call gets each call once: when its answer is complete, or when no answer
	// is waited for any longer. x and c are valid only during the call; c.Auth
	// may be kept. x counts under Name.
	Call func(x *Context, c *RPCCall)
	// Reasons lists what Call counts, besides anomalies.
	Reasons []string
}

// State is what an Interface remembers of one connection. The carrier keeps it,
// forgets it with the connection, and adds Held to its own.
type State interface {
	// Held estimates the bytes that the state keeps. Call caps them.
	Held() int
}

// MaxStub caps the bytes kept of one stub. Names and handles, which is what
// rules look at, come first in a stub, and most interfaces ask for less: see
// UsualStub. Task definitions, command lines of services and certificate
// requests are longer.
const MaxStub = 16 << 10

// UsualStub is what an interface asks for whose arguments are names.
const UsualStub = 2048

// RPCCall is one remote procedure call, request and answer.
type RPCCall struct {
	Opnum    uint16
	CallID   uint32
	Object   UUID   // zero when the request names none
	BindSeen bool   // the interface comes from a bind or alter_context of this connection, not from a guess
	Pipe     string // the named pipe that carried it, folded, without \pipe\: "samr"; "" over TCP

	Requested activity.Time // of the packet that completed the first fragment seen
	Time      activity.Time // of the packet that completed the answer, or when none was waited for any longer

	// Request and Response begin the two stubs: as many bytes as the Interface
	// asked for and the wire gave. Nil when sealed, or when the beginning was
	// not captured. Each is in its own byte order.
	Request, Response           []byte
	RequestOrder, ResponseOrder binary.ByteOrder
	RequestSize, ResponseSize   int  // stub bytes of all fragments seen, sealed ones included
	NDR64                       bool // transfer syntax NDR64 (MS-RPCE §2.2.5) rather than NDR, or perhaps so
	Sealed                      bool // packet privacy: a stub was not readable

	// Return is the last 32-bit number of a readable response stub: the return
	// value of every operation that returns an error_status_t or the like.
	Return     uint32
	ReturnSeen bool // the last fragment of the response was seen, readable and long enough

	Outcome activity.Outcome // Success: a response; Failure: a fault; Attempt: neither
	Fault   uint32           // status of the fault
	Error   string           // name of Fault

	State     State            // what Interface.State made for this connection; nil without one
	Auth      *activity.Auth   // who the call is made as; nil without authentication
	Account   activity.Account // the same as an account, where the mechanism names one
	Anomalies []string
}

// Operations are the specification's names of an interface's opnums, in order.
type Operations []string

// Name is "" for an opnum that the specification does not define.
func (o Operations) Name(opnum uint16) string {
	if int(opnum) < len(o) {
		return o[opnum]
	}
	return ""
}

// Settle makes a the failure that the call's return value says it is. status
// says what kind of number that is.
func (c *RPCCall) Settle(a *activity.Activity, status Status) {
	if c.Outcome == activity.Success && c.ReturnSeen {
		if refused, name := status(c.Return); refused {
			a.Outcome, a.Error = activity.Failure, name
		}
	}
}

// New starts the activity of call c: request and answer times, outcome,
// account and anomalies are set.
func (c *RPCCall) New(x *Context, kind activity.Kind, proto activity.Protocol) *activity.Activity {
	a := x.New(kind, proto, c.Time)
	a.Requested, a.Account, a.Outcome, a.Error = c.Requested, c.Account, c.Outcome, c.Error
	if len(c.Anomalies) > 0 {
		a.Anomalies = append(a.Anomalies, c.Anomalies...)
	}
	return a
}

// Detail says of the call what every interface has in common. name is the
// interface's, operation the specification's name of the opnum, "" where it
// defines none.
func (c *RPCCall) Detail(name, operation string) *activity.RPC {
	r := &activity.RPC{
		Interface: name, Opnum: c.Opnum, Operation: operation, CallID: c.CallID, Pipe: c.Pipe,
		Sealed: c.Sealed, BindSeen: c.BindSeen, Fault: c.Fault,
		RequestSize: c.RequestSize, ResponseSize: c.ResponseSize, Auth: c.Auth,
	}
	if c.ReturnSeen {
		r.Status = c.Return
	}
	return r
}

type interfaceKey struct {
	uuid    UUID
	version uint16
}

// Interface finds the reader registered for an interface; nil when nobody
// wants its calls.
func (x *Context) Interface(uuid UUID, version uint16) *Interface {
	return x.stage.interfaces[interfaceKey{uuid, version}]
}

// Deliver hands call c to its reader.
func (x *Context) Deliver(in *Interface, c *RPCCall) { in.Call(x.as(in.Name), c) }

// as is x for a reader that counts under a name of its own.
func (x *Context) as(name string) *Context {
	y := *x
	y.proto = name
	return &y
}
