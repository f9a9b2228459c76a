package decodetest

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf16"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
)

var littleEndian = binary.LittleEndian

// Stub builds the stub of a call, in NDR or NDR64 and either byte order, as C706
// chapter 14 and MS-RPCE §2.2.5 ask. The zero value is little-endian NDR.
type Stub struct {
	B    []byte
	Big  bool
	Wide bool // NDR64
}

func (s *Stub) order() binary.AppendByteOrder {
	if s.Big {
		return binary.BigEndian
	}
	return littleEndian
}

// Align pads to a multiple of n, with bytes that are not zero.
func (s *Stub) Align(n int) *Stub {
	for len(s.B)%n != 0 {
		s.B = append(s.B, 0xab)
	}
	return s
}

// Bytes adds bytes as they are.
func (s *Stub) Bytes(b ...byte) *Stub { s.B = append(s.B, b...); return s }

// Zeros adds n zero bytes.
func (s *Stub) Zeros(n int) *Stub { return s.Bytes(make([]byte, n)...) }

// U16 and U32 add numbers, each aligned.
func (s *Stub) U16(v ...uint16) *Stub {
	for _, x := range v {
		s.B = s.order().AppendUint16(s.Align(2).B, x)
	}
	return s
}

func (s *Stub) U32(v ...uint32) *Stub {
	for _, x := range v {
		s.B = s.order().AppendUint32(s.Align(4).B, x)
	}
	return s
}

// Enum adds an enumeration.
func (s *Stub) Enum(v uint32) *Stub {
	if s.Wide {
		return s.U32(v)
	}
	return s.U16(uint16(v))
}

// Size adds counts: of an array, or pointers.
func (s *Stub) Size(v ...uint32) *Stub {
	for _, x := range v {
		if s.Wide {
			s.B = s.order().AppendUint64(s.Align(8).B, uint64(x))
		} else {
			s.U32(x)
		}
	}
	return s
}

// Pointers adds n pointers that are not null.
func (s *Stub) Pointers(n int) *Stub {
	for range n {
		s.Size(0x20000)
	}
	return s
}

// Null adds n null pointers.
func (s *Stub) Null(n int) *Stub {
	for range n {
		s.Size(0)
	}
	return s
}

// Struct pads to where a structure with pointers begins.
func (s *Stub) Struct() *Stub {
	if s.Wide {
		return s.Align(8)
	}
	return s.Align(4)
}

// Union adds a discriminant.
func (s *Stub) Union(v uint32) *Stub { return s.Struct().U32(v).Struct() }

// UnionEnum adds a discriminant that is an enumeration.
func (s *Stub) UnionEnum(v uint32) *Stub {
	if s.Wide {
		s.Align(8)
	}
	return s.Enum(v).Struct()
}

func (s *Stub) units(text string) *Stub {
	for _, u := range utf16.Encode([]rune(text)) {
		s.U16(u)
	}
	return s
}

// String adds a [string] of wchar_t, with its NUL.
func (s *Stub) String(text string) *Stub {
	n := uint32(len(utf16.Encode([]rune(text))) + 1)
	return s.Size(n, 0, n).units(text).U16(0)
}

// Unique adds a pointer to a [string].
func (s *Stub) Unique(text string) *Stub { return s.Pointers(1).String(text) }

// Narrow adds a [string] of char.
func (s *Stub) Narrow(text string) *Stub {
	n := uint32(len(text) + 1)
	return s.Size(n, 0, n).Bytes([]byte(text + "\x00")...)
}

// Unicode adds RPC_UNICODE_STRINGs: first the fixed parts, then what they point
// to.
func (s *Stub) Unicode(texts ...string) *Stub {
	for _, text := range texts {
		n := uint16(2 * len(utf16.Encode([]rune(text))))
		s.Struct().U16(n, n)
		if text == "" {
			s.Null(1)
		} else {
			s.Pointers(1)
		}
	}
	for _, text := range texts {
		if n := uint32(len(utf16.Encode([]rune(text)))); n > 0 {
			s.Size(n, 0, n).units(text)
		}
	}
	return s
}

// SID adds an RPC_SID.
func (s *Stub) SID(text string) *Stub {
	sid, err := names.ParseSID(text)
	if err != nil {
		panic(err)
	}
	b, err := sid.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	s.Size(uint32(b[1])).Align(4).Bytes(b[:8]...)
	for b = b[8:]; len(b) > 0; b = b[4:] {
		s.U32(littleEndian.Uint32(b))
	}
	return s
}

// GUID adds a GUID.
func (s *Stub) GUID(text string) *Stub {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 {
		panic("no GUID: " + text)
	}
	s.U32(binary.BigEndian.Uint32(b)).U16(binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]))
	return s.Bytes(b[8:]...)
}

// Handle adds a context handle, all of whose bytes are n.
func (s *Stub) Handle(n byte) *Stub {
	s.Align(4)
	for range 20 {
		s.Bytes(n)
	}
	return s
}

// Encoding is a transfer syntax in a byte order.
type Encoding struct{ Big, Wide bool }

// Encodings are all of them.
var Encodings = []Encoding{{}, {Big: true}, {Wide: true}, {Big: true, Wide: true}}

func (e Encoding) String() string {
	s := "NDR, little-endian"
	if e.Wide {
		s = strings.Replace(s, "NDR", "NDR64", 1)
	}
	if e.Big {
		s = strings.Replace(s, "little", "big", 1)
	}
	return s
}

// Stub begins a stub.
func (e Encoding) Stub() *Stub { return &Stub{Big: e.Big, Wide: e.Wide} }

// Call is a call of opnum with these stubs, answered unless response is nil.
func (e Encoding) Call(opnum uint16, request, response *Stub) decode.RPCCall {
	var order binary.ByteOrder = littleEndian
	if e.Big {
		order = binary.BigEndian
	}
	c := decode.RPCCall{
		Opnum: opnum, NDR64: e.Wide, RequestOrder: order, ResponseOrder: order, BindSeen: true,
		Request: request.B, RequestSize: len(request.B), Outcome: activity.Attempt,
	}
	if response != nil {
		c.Outcome, c.Response, c.ResponseSize = activity.Success, response.B, len(response.B)
		if n := len(response.B); n >= 4 {
			c.Return, c.ReturnSeen = order.Uint32(response.B[n-4:]), true
		}
	}
	return c
}
