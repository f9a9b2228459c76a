package samr

import (
	"strconv"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

type sid = names.SID

// change reads the arguments of a call that changes something.
func (rd *reading) change() {
	q, g := rd.q, rd.g
	switch rd.c.Opnum {
	case opOemChangePassword:
		// RPC_STRING: like RPC_UNICODE_STRING, in 8-bit characters.
		if q.Pointer() {
			q.Header()
			q.Narrow()
		}
		q.Header()
		g.Object = q.Narrow()
	case opUnicodeChangePassword, opUnicodeChangePassword4:
		q.UniqueUnicode() // ServerName
		g.Object = q.Unicode()
	case opSetDSRMPassword:
		q.UniqueUnicode() // Unused
		rd.d.RIDs = []uint32{q.Uint32()}
	case opCreateGroup, opCreateAlias, opCreateUser, opCreateUser2:
		rd.create()
	case opAddMemberToGroup, opRemoveMemberFromGroup:
		group := rd.target()
		member := object{domain: group.domain, rid: q.Uint32(), account: true}
		if q.OK() {
			g.Member, g.MemberSID = rd.name(member), member.sid()
			if g.MemberSID == "" {
				g.Member = strconv.FormatUint(uint64(member.rid), 10)
			}
		}
	case opAddMemberToAlias, opRemoveMemberFromAlias, opRemoveFromForeignDomain:
		rd.target()
		rd.member(q.SID())
	case opAddMembersToAlias, opRemoveMembersFromAlias:
		rd.target()
		q.SIDs(func(sid sid) {
			if rd.d.Names = append(rd.d.Names, sid.String()); g.MemberSID == "" {
				rd.member(sid)
			}
		})
	case opSetInformationUser, opSetInformationUser2, opSetInformationGroup, opSetInformationAlias:
		rd.target()
		rd.set()
	default:
		rd.target()
	}
}

// target reads the handle that a request begins with: what is changed.
func (rd *reading) target() object {
	o := rd.subject()
	rd.g.SID, rd.g.Object, rd.g.Domain = rd.d.SID, rd.d.Object, ""
	if o.account && rd.g.Object != "" {
		rd.g.Domain = rd.name(object{domain: o.domain})
	}
	return o
}

func (rd *reading) member(s sid) {
	if !rd.q.OK() {
		return
	}
	rd.g.MemberSID = s.String()
	if domain, ok := s.Domain(); ok {
		rid, _ := s.RID()
		rd.g.Member = rd.name(object{domain: domain, rid: rid, account: true})
	}
}

// create reads a request for a new account, and its RID in the response.
func (rd *reading) create() {
	domain := rd.handles.Of(rd.q.Handle())
	rd.describe(rd.d, domain)
	rd.g.Domain = rd.d.Object
	rd.g.Object = rd.q.Unicode()
	rd.d.Object = rd.g.Object
	if rd.c.Opnum == opCreateUser2 {
		if t := rd.q.Uint32(); t&(userWorkstationTrust|userServerTrust) != 0 {
			rd.g.Class = "computer"
		}
	}
	if !rd.granted {
		return
	}
	h := rd.r.Handle()
	if rd.c.Opnum == opCreateUser2 {
		rd.r.Uint32() // GrantedAccess
	}
	o := object{domain: domain.domain, rid: rd.r.Uint32(), account: true}
	if !rd.r.OK() {
		return
	}
	rd.d.RIDs = []uint32{o.rid}
	rd.g.SID = o.sid()
	if !o.domain.IsZero() {
		rd.handles.Put(h, o, 0)
		rd.learn(o, rd.g.Object)
	}
}

// set reads which information of an account is set, and the new name or control
// bits.
func (rd *reading) set() {
	q, g := rd.q, rd.g
	level := q.Enum()
	if q.UnionEnum() != level && q.OK() {
		q.Fail()
	}
	if !q.OK() {
		return
	}
	rd.d.Level = level
	switch rd.c.Opnum {
	case opSetInformationGroup:
		if level == groupName {
			g.Act, g.NewName = "rename", q.Unicode()
		}
	case opSetInformationAlias:
		if level == aliasName {
			g.Act, g.NewName = "rename", q.Unicode()
		}
	default:
		switch {
		case setsPassword(level):
			g.Act = "password-reset"
		case level == userAccountName:
			g.Act, g.NewName = "rename", q.Unicode()
		case level == userControl:
			// The codes of MS-SAMR §2.2.1.12, not those of the directory.
			g.Attributes = []activity.AttributeChange{{
				Name: "UserAccountControl", Act: "replace", Count: 1,
				Values: []string{strconv.FormatUint(uint64(q.Uint32()), 10)},
			}}
		}
	}
}
