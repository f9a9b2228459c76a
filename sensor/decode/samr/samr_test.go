package samr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

func TestGolden(t *testing.T) {
	decodetest.GoldenStubs(t, "testdata", map[string]decode.Interface{
		"enumeration":     Interface,
		"group-admins":    Interface,
		"machine-account": Interface,
	})
}

const domain = "S-1-5-21-1-2-3"

// Handles of the tests, by their bytes.
const (
	server byte = iota + 1
	ofDomain
	ofUser
	ofGroup
	ofAlias
)

// opened delivers what makes the handles stand for the domain LAB, the user 1104
// and the groups 512 and 544 of it.
func opened(t testing.TB, e decodetest.Encoding) *decodetest.Connection {
	conn := decodetest.Connect(t, Interface)
	for _, c := range []decode.RPCCall{
		e.Call(opConnect2, e.Stub().Unique(`\\dc1`).U32(0x30), e.Stub().Handle(server).U32(0)),
		e.Call(opLookupDomain, e.Stub().Handle(server).Unicode("LAB"), e.Stub().Pointers(1).SID(domain).U32(0)),
		e.Call(opOpenDomain, e.Stub().Handle(server).U32(0x200).SID(domain), e.Stub().Handle(ofDomain).U32(0)),
		e.Call(opOpenUser, e.Stub().Handle(ofDomain).U32(1, 1104), e.Stub().Handle(ofUser).U32(0)),
		e.Call(opOpenGroup, e.Stub().Handle(ofDomain).U32(1, 512), e.Stub().Handle(ofGroup).U32(0)),
		e.Call(opOpenAlias, e.Stub().Handle(ofDomain).U32(1, 544), e.Stub().Handle(ofAlias).U32(0)),
	} {
		if out := conn.Deliver(c); len(out) != 1 || out[0].Outcome != activity.Success {
			t.Fatalf("%v: %s: %+v", e, operations.Name(c.Opnum), out)
		}
	}
	return conn
}

// one delivers a call that becomes one activity without anomalies.
func one(t *testing.T, conn *decodetest.Connection, c decode.RPCCall) *activity.Activity {
	t.Helper()
	out := conn.Deliver(c)
	if len(out) != 1 {
		t.Fatalf("%d activities", len(out))
	}
	if len(out[0].Anomalies) > 0 {
		t.Errorf("anomalies %v", out[0].Anomalies)
	}
	return out[0]
}

// arguments leaves out of an RPC what the carrier knows.
var arguments = cmpopts.IgnoreFields(activity.RPC{}, "Interface", "Opnum", "Operation", "CallID", "BindSeen", "RequestSize", "ResponseSize", "Status")

func TestQueries(t *testing.T) {
	user, group, alias := domain+"-1104", domain+"-512", domain+"-544"
	lab := activity.RPC{Object: "LAB", SID: domain}
	with := func(r activity.RPC, change func(r *activity.RPC)) activity.RPC { change(&r); return r }
	for _, e := range decodetest.Encodings {
		stub := e.Stub
		for _, tt := range []struct {
			what              string
			opnum             uint16
			request, response *decodetest.Stub
			kind              activity.Kind
			want              activity.RPC
		}{
			{"users", opEnumerateUsers, stub().Handle(ofDomain).U32(0, 0x10, 0xffff), stub().U32(0).Pointers(1).Struct().U32(3).Pointers(1).Size(3), activity.SAMRQuery,
				with(lab, func(r *activity.RPC) { r.Count = 3 })},
			{"groups, none", opEnumerateGroups, stub().Handle(ofDomain).U32(0, 0xffff), stub().U32(0).Null(1).U32(0, 0), activity.SAMRQuery, lab},
			{"names", opLookupNames, stub().Handle(ofDomain).U32(2).Size(1000, 0, 2).Unicode("alice", "nobody"),
				stub().Struct().U32(2).Pointers(1).Size(2).U32(1105, 0).Struct().U32(2).Pointers(1).Size(2).U32(1, 8).U32(0x107), activity.SAMRQuery,
				with(lab, func(r *activity.RPC) { r.Names, r.RIDs, r.Count = []string{"alice", "nobody"}, []uint32{1105, 0}, 2 })},
			{"ids", opLookupIds, stub().Handle(ofDomain).U32(2).Size(1000, 0, 2).U32(500, 1104),
				stub().Struct().U32(2).Pointers(1).Size(2).Unicode("Administrator", "adm-carla").Struct().U32(2).Pointers(1).Size(2).U32(1, 1).U32(0), activity.SAMRQuery,
				with(lab, func(r *activity.RPC) {
					r.Names, r.RIDs, r.Count = []string{"Administrator", "adm-carla"}, []uint32{500, 1104}, 2
				})},
			{"a user, by the name looked up before", opQueryInformationUser2, stub().Handle(ofUser).Enum(21), stub().U32(0), activity.SAMRQuery,
				activity.RPC{Object: "adm-carla", SID: user, RIDs: []uint32{1104}, Level: 21}},
			{"groups of a user", opGetGroupsForUser, stub().Handle(ofUser), stub().Pointers(1).Struct().U32(5).Pointers(1), activity.SAMRQuery,
				activity.RPC{Object: "adm-carla", SID: user, RIDs: []uint32{1104}, Count: 5}},
			{"members of a group", opGetMembersInGroup, stub().Handle(ofGroup), stub().Pointers(1).Struct().U32(2).Pointers(2), activity.SAMRQuery,
				activity.RPC{SID: group, RIDs: []uint32{512}, Count: 2}},
			{"members of an alias", opGetMembersInAlias, stub().Handle(ofAlias), stub().U32(1).Pointers(1), activity.SAMRQuery,
				activity.RPC{SID: alias, RIDs: []uint32{544}, Count: 1}},
			{"aliases of SIDs", opGetAliasMembership, stub().Handle(ofDomain).Struct().U32(2).Pointers(1).Size(2).Pointers(2).SID(user).SID("S-1-1-0"), stub().U32(1).Pointers(1), activity.SAMRQuery,
				with(lab, func(r *activity.RPC) { r.Names, r.Count = []string{user, "S-1-1-0"}, 1 })},
			{"display", opQueryDisplayInformation3, stub().Handle(ofDomain).Enum(1).U32(0, 100, 0xffff),
				stub().U32(5000, 400).UnionEnum(1).U32(7).Pointers(1), activity.SAMRQuery,
				with(lab, func(r *activity.RPC) { r.Level, r.Count = 1, 7 })},
			{"display index", opGetDisplayIndex2, stub().Handle(ofDomain).Enum(1).Unicode("adm"), stub().U32(3, 0), activity.SAMRQuery,
				with(lab, func(r *activity.RPC) { r.Level, r.Names = 1, []string{"adm"} })},
			{"domain policy", opQueryInformationDomain2, stub().Handle(ofDomain).Enum(1), stub().U32(0), activity.RPCCall,
				with(lab, func(r *activity.RPC) { r.Level = 1 })},
			{"a handle never seen", opQueryInformationUser, stub().Handle(99).Enum(5), stub().U32(0), activity.SAMRQuery, activity.RPC{Level: 5}},
			{"an account of a handle never seen", opOpenUser, stub().Handle(99).U32(1, 502), stub().Handle(98).U32(0), activity.SAMRQuery, activity.RPC{RIDs: []uint32{502}}},
			{"RID to SID", opRidToSid, stub().Handle(ofDomain).U32(1107), stub().U32(0), activity.RPCCall,
				activity.RPC{SID: domain + "-1107", RIDs: []uint32{1107}}},
		} {
			t.Run(e.String()+"/"+tt.what, func(t *testing.T) {
				conn := opened(t, e)
				conn.Deliver(e.Call(opLookupIds, stub().Handle(ofDomain).U32(1).Size(1000, 0, 1).U32(1104),
					stub().Struct().U32(1).Pointers(1).Size(1).Unicode("adm-carla").Struct().U32(1).Pointers(1).Size(1).U32(1).U32(0)))
				c := e.Call(tt.opnum, tt.request, tt.response)
				c.Return = 0 // stubs may end before that
				if tt.response.B[len(tt.response.B)-1] == 0x07 {
					c.Return = 0x107
				}
				c.ResponseSize++
				a := one(t, conn, c)
				if a.Kind != tt.kind || a.Outcome != activity.Success || a.RPC == nil {
					t.Fatalf("%+v", a)
				}
				if diff := cmp.Diff(tt.want, *a.RPC, arguments); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				refused := e.Call(tt.opnum, tt.request, stub().U32(0xc0000022))
				if a := one(t, conn, refused); a.Outcome != activity.Failure || a.Error != "STATUS_ACCESS_DENIED" || a.RPC.Count != 0 {
					t.Errorf("refused: %+v %+v", a, a.RPC)
				}
			})
		}
	}
}

func TestChanges(t *testing.T) {
	user, group, alias := domain+"-1104", domain+"-512", domain+"-544"
	ok := func(e decodetest.Encoding) *decodetest.Stub { return e.Stub().U32(0) }
	for _, e := range decodetest.Encodings {
		stub := e.Stub
		for _, tt := range []struct {
			what              string
			opnum             uint16
			request, response *decodetest.Stub
			want              activity.Change
		}{
			{"a user", opCreateUser2, stub().Handle(ofDomain).Unicode("eve").U32(0x10, 1), stub().Handle(9).U32(1, 1150, 0),
				activity.Change{Act: "create", Class: "user", Object: "eve", Domain: "LAB", SID: domain + "-1150"}},
			{"a computer, refused", opCreateUser2, stub().Handle(ofDomain).Unicode("EVIL$").U32(0x80, 1), stub().Zeros(28).U32(0xc00002e7),
				activity.Change{Act: "create", Class: "computer", Object: "EVIL$", Domain: "LAB"}},
			{"a group", opCreateGroup, stub().Handle(ofDomain).Unicode("g").U32(1), stub().Handle(9).U32(1151, 0),
				activity.Change{Act: "create", Class: "group", Object: "g", Domain: "LAB", SID: domain + "-1151"}},
			{"a member", opAddMemberToGroup, stub().Handle(ofGroup).U32(1104, 7), ok(e),
				activity.Change{Act: "member-add", Class: "group", SID: group, MemberSID: user}},
			{"a member of a handle never seen", opRemoveMemberFromGroup, stub().Handle(99).U32(1104), ok(e),
				activity.Change{Act: "member-remove", Class: "group", Member: "1104"}},
			{"a member of an alias", opAddMemberToAlias, stub().Handle(ofAlias).SID(user), ok(e),
				activity.Change{Act: "member-add", Class: "group", SID: alias, MemberSID: user}},
			{"members of an alias", opRemoveMembersFromAlias, stub().Handle(ofAlias).Struct().U32(2).Pointers(1).Size(2).Pointers(2).SID(user).SID(group), ok(e),
				activity.Change{Act: "member-remove", Class: "group", SID: alias, MemberSID: user}},
			{"a user is deleted", opDeleteUser, stub().Handle(ofUser), stub().Zeros(20).U32(0),
				activity.Change{Act: "delete", Class: "user", SID: user}},
			{"a password is set", opSetInformationUser2, stub().Handle(ofUser).Enum(26).UnionEnum(26).Zeros(533), ok(e),
				activity.Change{Act: "password-reset", Class: "user", SID: user}},
			{"a user is renamed", opSetInformationUser, stub().Handle(ofUser).Enum(7).UnionEnum(7).Unicode("carla"), ok(e),
				activity.Change{Act: "rename", Class: "user", SID: user, NewName: "carla"}},
			{"control bits", opSetInformationUser, stub().Handle(ofUser).Enum(16).UnionEnum(16).U32(0x10), ok(e),
				activity.Change{Act: "modify", Class: "user", SID: user,
					Attributes: []activity.AttributeChange{{Name: "UserAccountControl", Act: "replace", Values: []string{"16"}, Count: 1}}}},
			{"a group is renamed", opSetInformationGroup, stub().Handle(ofGroup).Enum(2).UnionEnum(2).Unicode("admins"), ok(e),
				activity.Change{Act: "rename", Class: "group", SID: group, NewName: "admins"}},
			{"own password", opUnicodeChangePassword, stub().Pointers(1).Unicode("dc1").Unicode("alice").Zeros(16), ok(e),
				activity.Change{Act: "password-change", Class: "user", Object: "alice"}},
			{"own password, AES", opUnicodeChangePassword4, stub().Null(1).Unicode("alice").Zeros(16), ok(e),
				activity.Change{Act: "password-change", Class: "user", Object: "alice"}},
			{"own password, OEM", opOemChangePassword, stub().Null(1).Struct().U16(5, 6).Pointers(1).Narrow("alice"), ok(e),
				activity.Change{Act: "password-change", Class: "user", Object: "alice"}},
			{"the password of a handle", opChangePasswordUser, stub().Handle(ofUser).Zeros(100), ok(e),
				activity.Change{Act: "password-change", Class: "user", SID: user}},
			{"the restore mode's password", opSetDSRMPassword, stub().Null(1).U32(500).Zeros(20), ok(e),
				activity.Change{Act: "password-reset", Class: "user"}},
			{"security", opSetSecurityObject, stub().Handle(ofUser).U32(4).Zeros(40), ok(e), activity.Change{Act: "modify", SID: user}},
		} {
			t.Run(e.String()+"/"+tt.what, func(t *testing.T) {
				a := one(t, opened(t, e), e.Call(tt.opnum, tt.request, tt.response))
				if a.Kind != activity.DirectoryChange || a.Change == nil || a.Change.Call == nil {
					t.Fatalf("%+v", a)
				}
				if refused := a.Change.Call.Status != 0; refused != (a.Outcome == activity.Failure) {
					t.Errorf("outcome %s, status %#x", a.Outcome, a.Change.Call.Status)
				}
				if diff := cmp.Diff(tt.want, *a.Change, cmpopts.IgnoreFields(activity.Change{}, "Call")); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	}
}

// TestSealed: the opnum tells the kind, and nothing else is made up.
func TestSealed(t *testing.T) {
	for opnum := range uint16(80) {
		conn := decodetest.Connect(t, Interface)
		c := decode.RPCCall{Opnum: opnum, Sealed: true, RequestSize: 60, ResponseSize: 60, Outcome: activity.Success}
		if opnum == opCloseHandle {
			if out := conn.Deliver(c); len(out) != 0 || conn.Counters.Of("samr", reasonClosed).Value() != 1 {
				t.Errorf("closing a handle: %v, counted %v", out, conn.Counters.Rows())
			}
			continue
		}
		a := one(t, conn, c)
		d := a.RPC
		if a.Change != nil {
			d = a.Change.Call
		}
		if a.Kind != kind(opnum) || a.Outcome != activity.Success || !d.Sealed || d.SID != "" || d.Object != "" || d.RIDs != nil {
			t.Errorf("opnum %d: %+v %+v", opnum, a, d)
		}
	}
}

func TestClosed(t *testing.T) {
	e := decodetest.Encoding{}
	conn := opened(t, e)
	conn.Deliver(e.Call(opCloseHandle, e.Stub().Handle(ofUser), e.Stub().Zeros(20).U32(0)))
	if a := one(t, conn, e.Call(opQueryInformationUser, e.Stub().Handle(ofUser).Enum(5), e.Stub().U32(0))); a.RPC.SID != "" {
		t.Errorf("a closed handle stands for %s", a.RPC.SID)
	}
	fault := e.Call(opCloseHandle, e.Stub().Handle(ofUser), nil)
	fault.Outcome, fault.Fault = activity.Failure, 0x1c00001a
	if a := one(t, conn, fault); a.Outcome != activity.Failure {
		t.Errorf("%+v", a)
	}
}

// TestState: what is remembered is capped.
func TestState(t *testing.T) {
	e := decodetest.Encoding{}
	conn := opened(t, e)
	for i := range uint32(1000) {
		conn.Deliver(e.Call(opLookupIds, e.Stub().Handle(ofDomain).U32(1).Size(1000, 0, 1).U32(i),
			e.Stub().U32(1).Pointers(1).Size(1).Unicode("name").U32(1).Pointers(1).Size(1).U32(1).U32(0)))
		h := e.Stub().Bytes(byte(i), byte(i>>8), 77).Zeros(17)
		conn.Deliver(e.Call(opOpenUser, e.Stub().Handle(ofDomain).U32(1, i), h.U32(0)))
	}
	if n := conn.Held(); n > 80<<10 {
		t.Errorf("%d bytes are held", n)
	}
}

func TestMalformed(t *testing.T) {
	e := decodetest.Encoding{}
	c := e.Call(opLookupNames, e.Stub().Handle(ofDomain).U32(2).Size(1000, 0, 3).Unicode("a", "b"), e.Stub().U32(0))
	out := opened(t, e).Deliver(c)
	if len(out) != 1 || len(out[0].Anomalies) != 1 || out[0].RPC.SID != domain {
		t.Errorf("%+v", out[0])
	}
}

func FuzzCall(f *testing.F) {
	var seeds []decode.RPCCall
	for _, file := range []string{"enumeration", "group-admins", "machine-account"} {
		seeds = append(seeds, decodetest.Stubs(f, "testdata/"+file+".stubs")...)
	}
	decodetest.FuzzCalls(f, Interface, seeds)
}

// BenchmarkCall is a look-up of a name, with its answer.
func BenchmarkCall(b *testing.B) {
	e := decodetest.Encoding{}
	conn := opened(b, e)
	c := e.Call(opLookupNames, e.Stub().Handle(ofDomain).U32(1).Size(1000, 0, 1).Unicode("alice"),
		e.Stub().U32(1).Pointers(1).Size(1).U32(1105).U32(1).Pointers(1).Size(1).U32(1).U32(0))
	b.ReportAllocs()
	for b.Loop() {
		conn.Deliver(c)
	}
}
