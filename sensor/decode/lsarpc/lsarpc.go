package lsarpc

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

// reasonClosed counts calls that close a handle: they say nothing of their own.
const reasonClosed = "handles closed"

const name = "lsarpc"

// Interface registers the reader. Of a response it wants the handle alone, which
// comes first.
var Interface = decode.Interface{
	Name:     name,
	UUID:     "12345778-1234-abcd-ef00-0123456789ab",
	Version:  0,
	Request:  decode.UsualStub,
	Response: len(ndr.Handle{}),
	State:    func() decode.State { return new(ndr.Handles[object]) },
	Call:     call,
	Reasons:  []string{reasonClosed},
}

// object is what a handle stands for: a secret by name, or an account or trusted
// domain by name or SID.
type object struct {
	name string
	sid  names.SID
}

func kind(opnum uint16) activity.Kind {
	switch opnum {
	case opOpenSecret, opQuerySecret, opRetrievePrivateData, opOpenSecret2, opQuerySecret2, opRetrievePrivateData2:
		return activity.SecretQuery
	}
	return activity.RPCCall
}

func call(x *decode.Context, c *decode.RPCCall) {
	handles, _ := c.State.(*ndr.Handles[object])
	if handles == nil {
		handles = new(ndr.Handles[object])
	}
	q := ndr.Request(c)
	if c.Opnum == opClose && c.Outcome != activity.Failure {
		handles.Close(q.Handle())
		x.Count(reasonClosed, 1)
		return
	}
	a := c.New(x, kind(c.Opnum), activity.ProtoDCERPC)
	c.Settle(a, decode.NTStatus)
	d := c.Detail(name, operations.Name(c.Opnum))
	a.RPC = d
	if !q.Empty() {
		o, opens := arguments(c.Opnum, q, d, handles)
		if d.Object == "" {
			d.Object = o.name
		}
		if d.SID == "" && !o.sid.IsZero() {
			d.SID = o.sid.String()
		}
		if opens && q.OK() && a.Outcome == activity.Success && c.Response != nil {
			handles.Put(ndr.Response(c).Handle(), o, len(o.name))
		}
		q.Note(a)
	}
	x.Emit(a)
}

// arguments reads a request: what it is about, and whether it opens a handle to
// that.
func arguments(opnum uint16, q *ndr.Reader, d *activity.RPC, handles *ndr.Handles[object]) (o object, opens bool) {
	if opnum == opLookupSids3 || opnum == opLookupNames4 { // no policy handle: the binding is one
		lookup(opnum, q, d)
		return o, false
	}
	o = handles.Of(q.Handle())
	switch opnum {
	case opLookupNames, opLookupNames2, opLookupNames3, opLookupSids, opLookupSids2:
		lookup(opnum, q, d)
	case opOpenSecret, opCreateSecret, opOpenSecret2:
		return object{name: q.Unicode()}, true
	case opRetrievePrivateData, opStorePrivateData, opRetrievePrivateData2, opStorePrivateData2:
		o.name = q.Unicode()
	case opOpenAccount, opCreateAccount, opOpenTrustedDomain:
		return object{sid: q.SID()}, true
	case opOpenTrustedDomainByName:
		return object{name: q.Unicode()}, true
	case opQueryTrustedDomainByName, opSetTrustedDomainByName, opQueryForestTrust, opSetForestTrust:
		o.name = q.Unicode()
	case opEnumerateAccountRights, opQueryTrustedDomainInfo, opSetTrustedDomainInfo, opDeleteTrustedDomain:
		o.sid = q.SID()
	case opAddAccountRights, opRemoveAccountRights:
		o.sid = q.SID()
		if opnum == opRemoveAccountRights {
			q.Uint8() // AllRights
		}
		q.AlignPointer()
		if n := int(q.Uint32()); q.Pointer() {
			q.Array(n)
			q.Texts(n, func(s string) { d.Names = append(d.Names, s) })
		}
	case opAccountsWithUserRight:
		if right := q.UniqueUnicode(); right != "" {
			d.Names = []string{right}
		}
	case opQueryInformationPolicy, opSetInformationPolicy, opQueryInformationPolicy2, opSetInformationPolicy2:
		d.Level = q.Enum()
	}
	return o, false
}

// lookup reads the names or SIDs that are to be translated (MS-LSAT §3.1.4).
func lookup(opnum uint16, q *ndr.Reader, d *activity.RPC) {
	switch opnum {
	case opLookupSids, opLookupSids2, opLookupSids3:
		q.SIDs(func(sid names.SID) { d.Names = append(d.Names, sid.String()) })
	default:
		n := int(q.Uint32())
		q.Array(n)
		q.Texts(n, func(s string) { d.Names = append(d.Names, s) })
	}
}
