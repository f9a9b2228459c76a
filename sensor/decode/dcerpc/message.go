package dcerpc

import (
	"encoding/binary"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Sizes of the fixed parts of PDUs (C706 §12.6.4).
const (
	sizeHeader   = 16 // common header
	sizeCall     = 24 // of request, response and fault, up to the stub or status
	sizeFault    = 28 // up to and with the status
	sizeBind     = 28 // up to the first presentation context
	sizeBindAck  = 26 // up to and with the length of the secondary address
	sizeNak      = 18
	sizeAuth3    = 20 // four bytes of padding (MS-RPCE §2.2.2.10)
	sizeTrailer  = 8  // sec_trailer
	sizeSyntax   = 20
	sizeResult   = 24
	sizeObjectID = 16

	maxPDU = 1<<16 - 1 // frag_length has 16 bits
)

// header is the common header of connection-oriented PDUs (C706 §12.6.3.1).
type header struct {
	ptype, flags       byte
	order              binary.ByteOrder
	length, authLength int
	callID             uint32
}

// order is the byte order by the first octet of drep (C706 §14.2.5).
func order(drep byte) binary.ByteOrder {
	if drep>>4 == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// side tells who sends PDUs of a type; ok is false for a type of the
// connectionless protocol. Both sides' types give ToServer.
func side(ptype byte) (dir flow.Dir, ok bool) {
	switch ptype {
	case ptypeRequest, ptypeBind, ptypeAlterContext, ptypeAuth3, ptypeCancel, ptypeOrphaned:
		return flow.ToServer, true
	case ptypeResponse, ptypeFault, ptypeBindAck, ptypeBindNak, ptypeAlterContextResp, ptypeShutdown:
		return flow.ToClient, true
	}
	return 0, false
}

// length reads frag_length: 0 when b is too short to tell, −1 when b is not
// the beginning of a PDU. Only what all known implementations send is taken for
// one: version 5.0 or 5.1, ASCII, a known float format and drep's zero octets.
func length(b []byte) int {
	for i, x := range b[:min(len(b), 8)] {
		bad := false
		switch i {
		case 0:
			bad = x != 5
		case 1:
			bad = x > 1
		case 2:
			_, ok := side(x)
			bad = !ok
		case 4:
			bad = x != 0x00 && x != 0x10
		case 5:
			bad = x > 3
		case 6, 7:
			bad = x != 0
		}
		if bad {
			return -1
		}
	}
	if len(b) < 10 {
		return 0
	}
	n := int(order(b[4]).Uint16(b[8:]))
	if n < sizeHeader {
		return -1
	}
	return n
}

// readHeader reads the common header. b holds at least that.
func readHeader(b []byte) header {
	o := order(b[4])
	return header{
		ptype:      b[2],
		flags:      b[3],
		order:      o,
		length:     int(o.Uint16(b[8:])),
		authLength: int(o.Uint16(b[10:])),
		callID:     o.Uint32(b[12:]),
	}
}

// signature recognises a first payload: a PDU whose type fits its lengths.
func signature(payload []byte) (follow bool, dir flow.Dir) {
	if len(payload) < sizeHeader {
		return false, 0
	}
	n := length(payload)
	if n < 0 {
		return false, 0
	}
	h := readHeader(payload)
	dir, _ = side(h.ptype)
	smallest := 0
	switch h.ptype {
	case ptypeRequest, ptypeResponse:
		smallest = sizeCall
	case ptypeFault:
		smallest = sizeFault
	case ptypeBind, ptypeAlterContext:
		smallest = sizeBind
	case ptypeBindAck, ptypeAlterContextResp:
		smallest = sizeBindAck
	case ptypeBindNak:
		smallest = sizeNak
	case ptypeAuth3:
		smallest = sizeAuth3
	default:
		return false, 0 // no conversation that is worth following begins with these
	}
	if h.authLength > 0 {
		smallest += sizeTrailer + h.authLength
	}
	const reserved = 0x08 // the one PFC flag without a meaning
	return n >= smallest && h.flags&reserved == 0, dir
}

// verifier is the authentication verifier at the end of a PDU: sec_trailer
// (MS-RPCE §2.2.2.11) and token.
type verifier struct {
	present     bool
	kind, level byte
	context     uint32
	token       []byte
}

// body splits PDU b into what lies between from and the padding before its
// verifier, and the verifier. ok is false when the verifier's lengths lie; then
// all of b from there is body, and there is no verifier.
func (h header) body(b []byte, from int) (body []byte, v verifier, ok bool) {
	if from > len(b) {
		return nil, verifier{}, h.authLength == 0
	}
	if h.authLength == 0 {
		return b[from:], verifier{}, true
	}
	at := len(b) - h.authLength - sizeTrailer
	if at < from {
		return b[from:], verifier{}, false
	}
	pad := int(b[at+2])
	if pad > at-from {
		return b[from:], verifier{}, false
	}
	return b[from : at-pad], verifier{
		present: true,
		kind:    b[at],
		level:   b[at+1],
		context: h.order.Uint32(b[at+4:]),
		token:   b[at+sizeTrailer:],
	}, true
}

// offer is one element of a presentation context list (C706 §12.6.3.1,
// p_cont_elem_t).
type offer struct {
	id      uint16
	uuid    decode.UUID
	version uint16
	ndr64   bool // NDR64 is among its transfer syntaxes
	feature bool // bind-time feature negotiation: no context at all
}

// readOffers reads the presentation context list of bind and alter_context up
// to the cap. whole is false when it ends early.
func readOffers(b []byte, o binary.ByteOrder, offers []offer) (_ []offer, above int, whole bool) {
	if len(b) < sizeBind {
		return offers, 0, false
	}
	n := int(b[24])
	b = b[sizeBind:]
	for range n {
		if len(b) < 4+sizeSyntax {
			return offers, above, false
		}
		// The major version is the lower half of a 32-bit number.
		of := offer{id: o.Uint16(b), uuid: decode.ReadUUID(b[4:], o), version: uint16(o.Uint32(b[20:]))}
		syntaxes := int(b[2])
		b = b[4+sizeSyntax:]
		if len(b) < syntaxes*sizeSyntax {
			return offers, above, false
		}
		for range syntaxes {
			switch syntax := decode.ReadUUID(b, o); {
			case syntax == ndr64:
				of.ndr64 = true
			case isFeature(syntax):
				of.feature = true
			}
			b = b[sizeSyntax:]
		}
		if len(offers) < maxContexts {
			offers = append(offers, of)
		} else {
			above++
		}
	}
	return offers, above, true
}

// readResults walks the results of bind_ack and alter_context_resp in the order
// of the offers. ok is false when they end early.
func readResults(b []byte, o binary.ByteOrder, each func(i int, result uint16, syntax decode.UUID)) (ok bool) {
	if len(b) < sizeBindAck {
		return false
	}
	at := (sizeBindAck + int(o.Uint16(b[24:])) + 3) &^ 3 // aligned after the secondary address
	if len(b) < at+4 {
		return false
	}
	n := int(b[at])
	b = b[at+4:]
	for i := range n {
		if len(b) < sizeResult {
			return false
		}
		each(i, o.Uint16(b), decode.ReadUUID(b[4:], o))
		b = b[sizeResult:]
	}
	return true
}
