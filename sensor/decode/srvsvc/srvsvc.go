package srvsvc

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const name = "srvsvc"

// Interface registers the reader.
var Interface = decode.Interface{
	Name:     name,
	UUID:     "4b324fc8-1670-01d3-1278-5a47bf6ee188",
	Version:  3,
	Request:  decode.UsualStub,
	Response: decode.MaxStub,
	Call:     call,
}

// Opnums (MS-SRVS §3.1.4).
const (
	opConnectionEnum   = 8
	opFileEnum         = 9
	opSessionEnum      = 12
	opSessionDel       = 13
	opShareEnum        = 15
	opShareGetInfo     = 16
	opShareSetInfo     = 17
	opShareDel         = 18
	opShareDelSticky   = 19
	opShareCheck       = 20
	opServerGetInfo    = 21
	opPathType         = 30
	opPathCanonicalize = 31
	opShareEnumSticky  = 36
)

var operations = decode.Operations{
	8:  "NetrConnectionEnum",
	9:  "NetrFileEnum",
	10: "NetrFileGetInfo",
	11: "NetrFileClose",
	12: "NetrSessionEnum",
	13: "NetrSessionDel",
	14: "NetrShareAdd",
	15: "NetrShareEnum",
	16: "NetrShareGetInfo",
	17: "NetrShareSetInfo",
	18: "NetrShareDel",
	19: "NetrShareDelSticky",
	20: "NetrShareCheck",
	21: "NetrServerGetInfo",
	22: "NetrServerSetInfo",
	23: "NetrServerDiskEnum",
	24: "NetrServerStatisticsGet",
	25: "NetrServerTransportAdd",
	26: "NetrServerTransportEnum",
	27: "NetrServerTransportDel",
	28: "NetrRemoteTOD",
	30: "NetprPathType",
	31: "NetprPathCanonicalize",
	32: "NetprPathCompare",
	33: "NetprNameValidate",
	34: "NetprNameCanonicalize",
	35: "NetprNameCompare",
	36: "NetrShareEnumSticky",
	37: "NetrShareDelStart",
	38: "NetrShareDelCommit",
	39: "NetrpGetFileSecurity",
	40: "NetrpSetFileSecurity",
	41: "NetrServerTransportAddEx",
	43: "NetrDfsGetVersion",
	44: "NetrDfsCreateLocalPartition",
	45: "NetrDfsDeleteLocalPartition",
	46: "NetrDfsSetLocalVolumeState",
	48: "NetrDfsCreateExitPoint",
	49: "NetrDfsDeleteExitPoint",
	50: "NetrDfsModifyPrefix",
	51: "NetrDfsFixLocalVolume",
	52: "NetrDfsManagerReportSiteInfo",
	53: "NetrServerTransportDelEx",
	54: "NetrServerAliasAdd",
	55: "NetrServerAliasEnum",
	56: "NetrServerAliasDel",
	57: "NetrShareDelEx",
}

func call(x *decode.Context, c *decode.RPCCall) {
	kind := activity.RPCCall
	if c.Opnum == opSessionEnum {
		kind = activity.SessionQuery
	}
	a := c.New(x, kind, activity.ProtoDCERPC)
	c.Settle(a, decode.Win32)
	a.RPC = c.Detail(name, operations.Name(c.Opnum))
	if q := ndr.Request(c); !q.Empty() {
		request(c.Opnum, q, a.RPC)
		q.Note(a)
	}
	if r := ndr.Response(c); !r.Empty() && a.Outcome == activity.Success {
		switch c.Opnum {
		case opSessionEnum:
			sessions(r, a.RPC)
		case opShareEnum, opShareEnumSticky:
			shares(r, a.RPC)
		}
		r.Note(a)
	}
	x.Emit(a)
}

// request reads the arguments after ServerName, a unique string.
func request(opnum uint16, q *ndr.Reader, d *activity.RPC) {
	q.UniqueString()
	some := func(names ...string) {
		for _, s := range names {
			if s != "" {
				d.Names = append(d.Names, s)
			}
		}
	}
	switch opnum {
	case opConnectionEnum:
		d.Object = q.UniqueString() // Qualifier: a share or computer
	case opFileEnum:
		d.Object = q.UniqueString() // BasePath
		some(q.UniqueString())      // UserName
	case opSessionEnum:
		some(q.UniqueString(), q.UniqueString()) // ClientName, UserName
		d.Level = q.Uint32()
	case opSessionDel:
		some(q.UniqueString(), q.UniqueString())
	case opShareEnum, opShareEnumSticky:
		d.Level = q.Uint32()
	case opShareGetInfo, opShareSetInfo:
		d.Object = q.String()
		d.Level = q.Uint32()
	case opShareDel, opShareDelSticky, opShareCheck, opPathType, opPathCanonicalize:
		d.Object = q.String()
	case opServerGetInfo:
		d.Level = q.Uint32()
	}
}

// A member of an entry: what it is and whether it is looked at.
type member byte

const (
	number  member = iota // 32 bits
	pointer               // to a string of no interest
	what                  // to the first string of interest: client or share
	who                   // to the user's name
	bytes                 // to an array of bytes: it ends what is read
)

// Levels of SESSION_INFO (MS-SRVS §2.2.4.12 to 16).
var sessionLevels = map[uint32][]member{
	0:   {what},
	1:   {what, who, number, number, number, number},
	2:   {what, who, number, number, number, number, pointer},
	10:  {what, who, number, number},
	502: {what, who, number, number, number, number, pointer, pointer},
}

// Levels of SHARE_INFO (§2.2.4.22 to 28).
var shareLevels = map[uint32][]member{
	0:   {what},
	1:   {what, number, pointer},
	2:   {what, number, pointer, number, number, number, pointer, pointer},
	501: {what, number, pointer, number},
	502: {what, number, pointer, number, number, number, pointer, pointer, number, bytes},
	503: {what, number, pointer, number, number, number, pointer, pointer, pointer, number, bytes},
}

// sessions reads SESSION_ENUM_STRUCT.
func sessions(r *ndr.Reader, d *activity.RPC) {
	entries(r, d, sessionLevels, func(client, user string) {
		d.Sessions = append(d.Sessions, activity.SessionInfo{User: user, Client: client})
	})
}

// shares reads SHARE_ENUM_STRUCT.
func shares(r *ndr.Reader, d *activity.RPC) {
	entries(r, d, shareLevels, func(share, _ string) { d.Names = append(d.Names, share) })
}

// entries reads a structure of level, union and a counted array, and calls each
// with an entry's strings of interest, up to activity.MaxRPCNames.
func entries(r *ndr.Reader, d *activity.RPC, levels map[uint32][]member, each func(what, who string)) {
	level := r.Uint32()
	members, known := levels[level]
	if r.Union() != level || !r.Pointer() {
		return
	}
	r.AlignPointer()
	n := int(r.Uint32())
	if !r.Pointer() || !r.OK() {
		return
	}
	r.Array(n)
	if d.Count = n; !known || !r.OK() {
		return
	}
	// A bit for each member that points to something, entry by entry: as many as
	// the stub has room for.
	var points []uint16
	for range n {
		r.AlignPointer()
		var set uint16
		for i, m := range members {
			if m == number {
				r.Uint32()
			} else if r.Pointer() {
				set |= 1 << i
			}
		}
		if !r.OK() {
			return
		}
		points = append(points, set)
	}
	for i, set := range points {
		var text [2]string
		for j, m := range members {
			switch {
			case set&(1<<j) == 0:
			case m == bytes:
				r.Blob()
			case m == pointer:
				_ = r.String() // read past it
			default:
				text[m-what] = r.String()
			}
		}
		if !r.OK() || i == activity.MaxRPCNames {
			return
		}
		each(text[0], text[1])
	}
}
