package samr

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

// reasonClosed counts calls that close a handle: they say nothing of their own.
const reasonClosed = "handles closed"

const name = "samr"

// Interface registers the reader.
var Interface = decode.Interface{
	Name:     name,
	UUID:     "12345778-1234-abcd-ef00-0123456789ac",
	Version:  1,
	Request:  decode.UsualStub,
	Response: decode.UsualStub,
	State:    func() decode.State { return new(state) },
	Call:     call,
	Reasons:  []string{reasonClosed},
}

// reading is one call while it is read.
type reading struct {
	*state
	c       *decode.RPCCall
	q, r    *ndr.Reader // request and response
	d       *activity.RPC
	g       *activity.Change // nil unless it changes something
	granted bool             // the response's arguments count
}

func call(x *decode.Context, c *decode.RPCCall) {
	s, _ := c.State.(*state)
	if s == nil {
		s = new(state)
	}
	if c.Opnum == opCloseHandle && c.Outcome != activity.Failure {
		if c.Request != nil {
			s.handles.Close(ndr.Request(c).Handle())
		}
		x.Count(reasonClosed, 1)
		return
	}
	a := c.New(x, kind(c.Opnum), activity.ProtoDCERPC)
	c.Settle(a, decode.NTStatus)
	rd := reading{
		state: s, c: c, q: ndr.Request(c), r: ndr.Response(c),
		d:       c.Detail(name, operations.Name(c.Opnum)),
		granted: a.Outcome == activity.Success && c.Response != nil,
	}
	if ch, ok := changes[c.Opnum]; ok {
		rd.g = &activity.Change{Call: rd.d, Act: ch.act, Class: ch.class}
		a.Change = rd.g
	} else {
		a.RPC = rd.d
	}
	if !rd.q.Empty() {
		if rd.g != nil {
			rd.change()
		} else {
			rd.query()
		}
		rd.q.Note(a)
		if rd.granted {
			rd.r.Note(a)
		}
	}
	x.Emit(a)
}

// subject reads the handle that a request begins with and describes what it
// stands for.
func (rd *reading) subject() object {
	o := rd.handles.Of(rd.q.Handle())
	rd.describe(rd.d, o)
	return o
}

// opened notes what the handle that a response begins with stands for.
func (rd *reading) opened(o object) {
	if rd.granted && !o.domain.IsZero() {
		rd.handles.Put(rd.r.Handle(), o, 0)
	}
}

// query reads the arguments of a call that changes nothing.
func (rd *reading) query() {
	q, r, d := rd.q, rd.r, rd.d
	switch rd.c.Opnum {
	case opConnect, opConnect2, opConnect4, opConnect5:
		// The name is the server's own, and what the handle stands for too.
	case opLookupDomain:
		q.Handle()
		d.Object = q.Unicode()
		if rd.granted && r.Pointer() {
			sid := r.SID()
			if d.SID = sid.String(); sid.IsZero() {
				d.SID = ""
			}
			rd.learn(object{domain: sid}, d.Object)
		}
	case opOpenDomain:
		q.Handle()
		q.Uint32() // DesiredAccess
		o := object{domain: q.SID()}
		rd.describe(d, o)
		rd.opened(o)
	case opOpenGroup, opOpenAlias, opOpenUser:
		o := rd.handles.Of(q.Handle())
		q.Uint32() // DesiredAccess
		o.rid, o.account = q.Uint32(), true
		if q.OK() {
			rd.describe(d, o)
			rd.opened(o)
		}
	case opEnumerateGroups, opEnumerateUsers, opEnumerateAliases:
		rd.subject()
		if rd.granted {
			r.Uint32() // EnumerationContext
			if r.Pointer() {
				r.AlignPointer()
				d.Count = rd.count()
			}
		}
	case opGetAliasMembership:
		rd.subject()
		q.SIDs(func(sid sid) { d.Names = append(d.Names, sid.String()) })
		if rd.granted {
			d.Count = rd.count()
		}
	case opLookupNames:
		rd.lookupNames()
	case opLookupIds:
		rd.lookupIDs()
	case opGetMembersInGroup, opGetGroupsForUser:
		rd.subject()
		if rd.granted && r.Pointer() {
			r.AlignPointer()
			d.Count = rd.count()
		}
	case opGetMembersInAlias:
		rd.subject()
		if rd.granted {
			d.Count = rd.count()
		}
	case opQueryInformationUser, opQueryInformationUser2, opQueryInformationGroup, opQueryInformationAlias,
		opQueryInformationDomain, opQueryInformationDomain2:
		rd.subject()
		d.Level = q.Enum()
	case opQueryDisplayInformation, opQueryDisplayInformation2, opQueryDisplayInformation3:
		rd.subject()
		d.Level = q.Enum()
		if rd.granted {
			r.Uint32() // TotalAvailable
			r.Uint32() // TotalReturned
			r.UnionEnum()
			d.Count = rd.count()
		}
	case opGetDisplayIndex, opGetDisplayIndex2:
		rd.subject()
		d.Level = q.Enum()
		if prefix := q.Unicode(); prefix != "" {
			d.Names = []string{prefix}
		}
	case opRidToSid:
		o := rd.handles.Of(q.Handle())
		o.rid, o.account = q.Uint32(), true
		if q.OK() {
			rd.describe(d, o)
		}
	case opGetUserPasswordInfo:
		rd.subject()
	}
}

// count reads how many entries a structure of the response has.
func (rd *reading) count() int {
	n := rd.r.Uint32()
	if n > 1<<24 {
		rd.r.Fail() // no response holds that many
		return 0
	}
	return int(n)
}

func (rd *reading) lookupNames() {
	o := rd.subject()
	n := int(rd.q.Uint32())
	if rd.q.Varying() != n && rd.q.OK() {
		rd.q.Fail()
	}
	rd.q.Texts(n, func(s string) { rd.d.Names = append(rd.d.Names, s) })
	if !rd.granted {
		return
	}
	found := rd.count()
	if !rd.r.Pointer() {
		return
	}
	rd.d.RIDs = rd.r.Numbers(found)
	rd.d.Count = found
	for i, rid := range rd.d.RIDs {
		if i < len(rd.d.Names) && rid != 0 { // 0: not found
			rd.learn(object{domain: o.domain, rid: rid, account: true}, rd.d.Names[i])
		}
	}
}

func (rd *reading) lookupIDs() {
	o := rd.subject()
	n := int(rd.q.Uint32())
	size := rd.q.Count()
	if rd.q.Count() != 0 || n > size {
		rd.q.Fail()
	}
	rd.d.RIDs = rd.q.Numbers(n)
	if !rd.granted {
		return
	}
	rd.r.AlignPointer()
	found := rd.count()
	if !rd.r.Pointer() {
		return
	}
	rd.d.Count = found
	rd.r.Array(found)
	rd.r.Texts(found, func(s string) { rd.d.Names = append(rd.d.Names, s) })
	for i, name := range rd.d.Names {
		if i < len(rd.d.RIDs) {
			rd.learn(object{domain: o.domain, rid: rd.d.RIDs[i], account: true}, name)
		}
	}
}
