package drsuapi

import (
	"encoding/binary"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
)

// Places in a request stub. All these operations take a DRS_HANDLE, a version,
// and a union that repeats it as its discriminant (MS-DRSR §7).
const (
	versionAt = 20
	unionAt   = 24
	armAt     = 28
)

// request says where a version of a request holds its pNC, a [ref] pointer to a
// DSNAME (MS-DRSR §4.1, the DRS_MSG_* structures, in NDR as of C706 §14).
type request struct {
	opnum   uint16
	version uint32
	// align is the alignment of the union's arms, of all versions together: 8
	// where one of them holds USNs.
	align int
	// pointer is the place of pNC, size the arm's fixed part, both from the
	// arm's beginning. What the arm points to follows it in the order of the
	// pointers.
	pointer, size int
	// returnAddress: a MTX_ADDR, which precedes pNC, follows the arm first.
	returnAddress bool
}

var requests = []request{
	{opnum: activity.DRSGetNCChanges, version: 4, align: 8, pointer: 56, size: 120, returnAddress: true},
	{opnum: activity.DRSGetNCChanges, version: 5, align: 8, pointer: 32, size: 96},
	{opnum: activity.DRSGetNCChanges, version: 7, align: 8, pointer: 56, size: 136, returnAddress: true},
	{opnum: activity.DRSGetNCChanges, version: 8, align: 8, pointer: 32, size: 112},
	{opnum: activity.DRSGetNCChanges, version: 10, align: 8, pointer: 32, size: 116},
	{opnum: activity.DRSReplicaSync, version: 1, align: 4, size: 28},
	{opnum: activity.DRSUpdateRefs, version: 1, align: 4, size: 28},
	{opnum: activity.DRSReplicaAdd, version: 1, align: 4, size: 96},
	{opnum: activity.DRSReplicaAdd, version: 2, align: 4, size: 104},
	{opnum: activity.DRSReplicaDel, version: 1, align: 4, size: 12},
}

// namesContext tells whether requests of an opnum have a pNC.
func namesContext(opnum uint16) bool {
	return slices.ContainsFunc(requests, func(r request) bool { return r.opnum == opnum })
}

// stub reads numbers at places of a request stub. After a read outside it, bad
// stays set and every number is 0.
type stub struct {
	b     []byte
	order binary.ByteOrder
	bad   bool
}

func (s *stub) bytes(at, n int) []byte {
	if s.bad || at > len(s.b) || n > len(s.b)-at {
		s.bad = true
		return nil
	}
	return s.b[at : at+n]
}

func (s *stub) uint32(at int) uint32 {
	if b := s.bytes(at, 4); b != nil {
		return s.order.Uint32(b)
	}
	return 0
}

func align(at, to int) int { return (at + to - 1) &^ (to - 1) }

// context reads what a request is about. known is false for a version that is
// not read; ok is false when the request contradicts itself.
func context(opnum uint16, b []byte, order binary.ByteOrder) (name string, known, ok bool) {
	s := stub{b: b, order: order}
	version, discriminant := s.uint32(versionAt), s.uint32(unionAt)
	i := slices.IndexFunc(requests, func(r request) bool { return r.opnum == opnum && r.version == version })
	if s.bad || discriminant != version {
		return "", true, false
	}
	if i < 0 {
		return "", false, true
	}
	r := requests[i]
	arm := align(armAt, r.align)
	if s.uint32(arm+r.pointer) == 0 {
		return "", true, false // a [ref] pointer is never null (C706 §14.3.10)
	}
	at := arm + r.size
	if r.returnAddress {
		// MTX_ADDR (§5.132): the array's size, mtx_namelen, mtx_name.
		n := s.uint32(at)
		if n > maxRequest || s.uint32(at+4) != n {
			return "", true, false
		}
		at = align(at+8+int(n), 4)
	}
	name = s.dsname(at)
	return name, true, !s.bad
}

// dsname reads a DSNAME (MS-DRSR §5.50): the array's size, structLen, SidLen,
// Guid, Sid, NameLen, StringName, which ends in a NUL that NameLen leaves out.
func (s *stub) dsname(at int) string {
	const (
		sizeSID = 28
		guidAt  = 12
		lenAt   = guidAt + 16 + sizeSID
		nameAt  = lenAt + 4
	)
	size, sid, n := s.uint32(at), s.uint32(at+8), s.uint32(at+lenAt)
	if s.bad || n >= maxRequest || size != n+1 || sid > sizeSID {
		s.bad = true
		return ""
	}
	text := s.bytes(at+nameAt, 2*int(size))
	if s.bad {
		return ""
	}
	if text[len(text)-1] != 0 || text[len(text)-2] != 0 {
		s.bad = true
		return ""
	}
	if n == 0 {
		if guid := decode.ReadUUID(s.b[at+guidAt:], s.order); guid != (decode.UUID{}) {
			return "<GUID=" + guid.String() + ">"
		}
		return ""
	}
	if s.order == binary.BigEndian {
		text = slices.Clone(text)
		for i := 0; i < len(text); i += 2 {
			text[i], text[i+1] = text[i+1], text[i]
		}
	}
	name, _ := names.FromUTF16LE(text)
	return activity.Cut(name)
}
