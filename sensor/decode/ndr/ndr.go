package ndr

import (
	"encoding/binary"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
)

// AnomalyStub is an anomaly of a call: a stub contradicts itself, ends inside an
// argument, or is not of its interface's IDL (C706 §14.3). Occurs with programs
// that fill structures by hand, and with scanners.
const AnomalyStub = "ndr-stub-malformed"

// Reader reads one stub from its beginning.
type Reader struct {
	b     []byte
	at    int
	order binary.ByteOrder
	wide  bool // NDR64
	whole bool // b is the whole stub
	short bool // a read went past the end of b
	bad   bool // a read met a contradiction
}

// Request reads the request of a call. Without a readable one it is empty.
func Request(c *decode.RPCCall) *Reader {
	return &Reader{b: c.Request, order: order(c.RequestOrder), wide: c.NDR64, whole: len(c.Request) == c.RequestSize}
}

// Response reads the response of a call.
func Response(c *decode.RPCCall) *Reader {
	return &Reader{b: c.Response, order: order(c.ResponseOrder), wide: c.NDR64, whole: len(c.Response) == c.ResponseSize}
}

// Inner reads b, little-endian NDR that stands by itself inside an argument.
func Inner(b []byte) *Reader { return &Reader{b: b, order: binary.LittleEndian} }

func order(o binary.ByteOrder) binary.ByteOrder {
	if o == nil {
		return binary.LittleEndian
	}
	return o
}

// OK tells that every read so far gave what the wire had.
func (r *Reader) OK() bool { return !r.short && !r.bad }

// Empty tells that there is nothing to read: sealed, or not captured.
func (r *Reader) Empty() bool { return len(r.b) == 0 }

// Malformed tells that the stub contradicts itself, or ends inside an argument
// though nothing of it is missing.
func (r *Reader) Malformed() bool { return r.bad || r.short && r.whole && len(r.b) > 0 }

// Note adds AnomalyStub to a when the stub is malformed.
func (r *Reader) Note(a *activity.Activity) {
	if r.Malformed() && !slices.Contains(a.Anomalies, AnomalyStub) {
		a.Anomalies = append(a.Anomalies, AnomalyStub)
	}
}

// Fail notes a contradiction that the caller met.
func (r *Reader) Fail() { r.bad = true }

// Align moves to the next multiple of n, a power of two.
func (r *Reader) Align(n int) {
	r.at = (r.at + n - 1) &^ (n - 1)
}

// AlignPointer moves to where a structure with pointers begins.
func (r *Reader) AlignPointer() { r.Align(r.pointerSize()) }

func (r *Reader) pointerSize() int {
	if r.wide {
		return 8
	}
	return 4
}

// Bytes reads n bytes. They belong to the stub.
func (r *Reader) Bytes(n int) []byte {
	if !r.OK() {
		return nil
	}
	if n < 0 || r.at > len(r.b) || n > len(r.b)-r.at {
		r.short = true
		return nil
	}
	b := r.b[r.at : r.at+n]
	r.at += n
	return b
}

// upTo is Bytes, or what there is of them.
func (r *Reader) upTo(n int) []byte {
	if r.OK() && r.at <= len(r.b) && n > len(r.b)-r.at {
		b := r.b[r.at:]
		r.short = true
		return b
	}
	return r.Bytes(n)
}

// Rest is what has not been read.
func (r *Reader) Rest() []byte {
	if !r.OK() || r.at > len(r.b) {
		return nil
	}
	return r.b[r.at:]
}

// Uint8, Uint16, Uint32 and Uint64 read a number where its alignment puts it.

func (r *Reader) Uint8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *Reader) Uint16() uint16 {
	r.Align(2)
	if b := r.Bytes(2); b != nil {
		return r.order.Uint16(b)
	}
	return 0
}

func (r *Reader) Uint32() uint32 {
	r.Align(4)
	if b := r.Bytes(4); b != nil {
		return r.order.Uint32(b)
	}
	return 0
}

func (r *Reader) Uint64() uint64 {
	r.Align(8)
	if b := r.Bytes(8); b != nil {
		return r.order.Uint64(b)
	}
	return 0
}

// Enum reads an enumeration without [v1_enum]: 16 bits, 32 in NDR64
// (MS-RPCE §2.2.5.2).
func (r *Reader) Enum() uint32 {
	if r.wide {
		return r.Uint32()
	}
	return uint32(r.Uint16())
}

// Union reads the discriminant of a union whose arms are pointers, or structures
// of numbers and pointers, up to where the arm begins.
func (r *Reader) Union() uint32 {
	r.AlignPointer()
	tag := r.Uint32()
	r.AlignPointer()
	return tag
}

// UnionEnum is Union for a discriminant that is an enumeration. NDR aligns the
// arm only, NDR64 the discriminant too (MS-RPCE §2.2.5.3.4.5).
func (r *Reader) UnionEnum() uint32 {
	if r.wide {
		r.AlignPointer()
	}
	tag := r.Enum()
	r.AlignPointer()
	return tag
}

// Pointer reads a pointer and tells whether it points to anything.
func (r *Reader) Pointer() bool { return r.size() != 0 }

// Ref reads a pointer inside a structure that may not be null.
func (r *Reader) Ref() {
	if !r.Pointer() && r.OK() {
		r.bad = true
	}
}

func (r *Reader) size() uint64 {
	if r.wide {
		return r.Uint64()
	}
	return uint64(r.Uint32())
}

// Count reads how many elements an array has: its conformance, or the offset and
// the length of a varying one. Above what an int of 32 bits holds it is a
// contradiction.
func (r *Reader) Count() int {
	n := r.size()
	if n > 1<<31-1 {
		r.bad = true
		return 0
	}
	return int(n)
}

// Varying reads the conformance, offset and length of a conformant varying
// array, and returns its length.
func (r *Reader) Varying() int {
	size, offset, n := r.Count(), r.Count(), r.Count()
	if offset != 0 || n > size {
		r.bad = true
		return 0
	}
	return n
}

// Array reads the conformance of an array of n elements, which the structure
// that points to it has told already.
func (r *Reader) Array(n int) {
	if r.Count() != n && r.OK() {
		r.bad = true
	}
}

// Blob reads a conformant array of bytes. Of one that ends outside the stub it is
// what there is.
func (r *Reader) Blob() []byte { return r.upTo(r.Count()) }

// Units reads UTF-16 of n code units, in the byte order of the stub (C706
// §14.3.4), up to a NUL. Of one that ends outside the stub it is what there is.
func (r *Reader) Units(n int) string {
	return activity.Cut(r.units(n))
}

func (r *Reader) units(n int) string {
	r.Align(2)
	b := r.upTo(2 * n)
	b = b[:len(b)&^1]
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			b = b[:i]
			break
		}
	}
	if r.order == binary.BigEndian {
		b = slices.Clone(b)
		for i := 0; i < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	}
	s, _ := names.FromUTF16LE(b)
	return s
}

// String reads a [string] of wchar_t. Of one that ends outside the stub it is
// what there is.
func (r *Reader) String() string { return r.Units(r.Varying()) }

// Long is String without the cut at activity.MaxText.
func (r *Reader) Long() string { return r.units(r.Varying()) }

// Narrow reads a [string] of char.
func (r *Reader) Narrow() string {
	b := r.upTo(r.Varying())
	if i := slices.Index(b, 0); i >= 0 {
		b = b[:i]
	}
	s, _ := names.FromUTF8(b)
	return activity.Cut(s)
}

// UniqueString reads a pointer to a [string], "" for a null one.
func (r *Reader) UniqueString() string {
	if !r.Pointer() {
		return ""
	}
	return r.String()
}

// UniqueNarrow is UniqueString for char.
func (r *Reader) UniqueNarrow() string {
	if !r.Pointer() {
		return ""
	}
	return r.Narrow()
}

// Unicode is the fixed part of an RPC_UNICODE_STRING, or of one like it with
// 8-bit characters.
type Unicode struct {
	length int // in bytes
	points bool
}

// Header reads the fixed part of an RPC_UNICODE_STRING; Text reads the rest.
func (r *Reader) Header() Unicode {
	r.AlignPointer()
	n := int(r.Uint16())
	r.Uint16() // MaximumLength
	u := Unicode{n, r.Pointer()}
	if n > 0 && !u.points && r.OK() {
		r.bad = true
	}
	return u
}

// Text reads what an RPC_UNICODE_STRING points to.
func (r *Reader) Text(u Unicode) string {
	if !u.points {
		return ""
	}
	n := r.Varying()
	if (u.length > 2*n || u.length%2 != 0) && r.OK() {
		r.bad = true
		return ""
	}
	end := r.at + 2*n
	s := r.Units(u.length / 2)
	if r.OK() {
		r.at = end
	}
	return s
}

// Unicode reads an RPC_UNICODE_STRING that is an argument by itself.
func (r *Reader) Unicode() string { return r.Text(r.Header()) }

// UniqueUnicode reads a pointer to an RPC_UNICODE_STRING, "" for a null one.
func (r *Reader) UniqueUnicode() string {
	if !r.Pointer() {
		return ""
	}
	return r.Unicode()
}

// Texts reads n RPC_UNICODE_STRINGs of an array and calls each with what they
// say, up to activity.MaxRPCNames.
func (r *Reader) Texts(n int, each func(s string)) {
	var heads []Unicode
	for range n {
		if u := r.Header(); r.OK() {
			if len(heads) < activity.MaxRPCNames {
				heads = append(heads, u)
			}
		} else {
			// What they point to lies outside of what is kept, but for a stub that
			// ends right there.
			return
		}
	}
	for _, u := range heads {
		s := r.Text(u)
		if !r.OK() {
			return
		}
		each(s)
	}
}

// SID reads an RPC_SID. Zero is none.
func (r *Reader) SID() (sid names.SID) {
	n := r.Count()
	r.Align(4)
	head := r.Bytes(8)
	if head == nil {
		return sid
	}
	if n != int(head[1]) || n > names.MaxSubAuthorities {
		r.bad = true
		return sid
	}
	var b [8 + 4*names.MaxSubAuthorities]byte
	copy(b[:], head)
	for i := range n {
		binary.LittleEndian.PutUint32(b[8+4*i:], r.Uint32())
	}
	if !r.OK() {
		return sid
	}
	sid, _, err := names.ReadSID(b[:8+4*n])
	if err != nil {
		r.bad = true
	}
	return sid
}

// SIDs reads a counted array of pointers to SIDs, as SAMPR_PSID_ARRAY and
// LSAPR_SID_ENUM_BUFFER have it, and calls each with them, up to
// activity.MaxRPCNames.
func (r *Reader) SIDs(each func(sid names.SID)) {
	r.AlignPointer()
	n := int(r.Uint32())
	if !r.Pointer() {
		return
	}
	r.Array(n)
	for i := 0; i < n && r.OK(); i++ {
		r.Ref()
	}
	for i := 0; i < n && i < activity.MaxRPCNames && r.OK(); i++ {
		if sid := r.SID(); r.OK() {
			each(sid)
		}
	}
}

// Numbers reads a conformant array of n 32-bit numbers, and returns up to
// activity.MaxRPCNames of them.
func (r *Reader) Numbers(n int) (v []uint32) {
	r.Array(n)
	for i := 0; i < n && i < activity.MaxRPCNames && r.OK(); i++ {
		if x := r.Uint32(); r.OK() {
			v = append(v, x)
		}
	}
	return v
}

// GUID reads a GUID.
func (r *Reader) GUID() (u decode.UUID) {
	r.Align(4)
	if b := r.Bytes(16); b != nil {
		return decode.ReadUUID(b, r.order)
	}
	return u
}
