package flow

import (
	"encoding/binary"
	"net/netip"
)

// IP protocol numbers (IANA "Assigned Internet Protocol Numbers").
const (
	protoHopByHop = 0
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoAH       = 51
	protoDestOpts = 60
)

const (
	// maxExtensions bounds the walk along IPv6 extension headers. RFC 8200 §4.1
	// allows each of five once and destination options twice.
	maxExtensions = 8
	// maxDepth bounds IP in IP (RFC 2003, 6in4 of RFC 4213): one tunnel inside
	// another, and the packet itself.
	maxDepth = 3
)

// addrPort makes one end of a conversation of a 4- or 16-byte address. A mapped
// IPv4 address means the IPv4 host.
func addrPort(addr []byte, port uint16) netip.AddrPort {
	if len(addr) == 4 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr)), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(addr)).Unmap(), port)
}

// ip reads an IP header of either version.
func (t *Table) ip(p *packet, b []byte, wire int) {
	if p.depth++; p.depth > maxDepth {
		t.n.tooDeep.Add(1)
		t.n.malformed.Add(1)
		return
	}
	if len(b) < 1 {
		t.short(len(b), wire)
		return
	}
	switch b[0] >> 4 {
	case 4:
		t.ipv4(p, b, wire)
	case 6:
		t.ipv6(p, b, wire)
	default:
		t.n.malformed.Add(1)
	}
}

func (t *Table) ipv4(p *packet, b []byte, wire int) {
	header := int(b[0]&0xf) * 4
	if header < 20 {
		t.n.malformed.Add(1)
		return
	}
	if len(b) < header {
		t.short(len(b), wire)
		return
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total != 0 && total < header {
		t.n.malformed.Add(1)
		return
	}
	b, wire = t.trim(p, b, wire, total)
	p.src, p.dst = b[12:16], b[16:20]
	frag := binary.BigEndian.Uint16(b[6:])
	proto, id := b[9], uint32(binary.BigEndian.Uint16(b[4:]))
	b, wire = b[header:], wire-header
	if frag&0x3fff != 0 { // offset or More Fragments, RFC 791 §3.1
		t.fragment(p, fragment{id: id, proto: proto, offset: int(frag&0x1fff) * 8, more: frag&0x2000 != 0}, b, wire)
		return
	}
	t.upper(p, proto, b, wire)
}

// trim cuts off what follows an IP packet of the length its header tells:
// Ethernet pads to 60 bytes. Length 0 is a jumbo payload, or what a network
// card that segments for its host leaves (TSO). A length beyond the frame is not
// believed: hosts drop such packets, captures converted by careless tools have
// many, and the bytes it promises must not hide the ones that come instead; but
// where the mirror says that it cut the frame they are missing.
func (t *Table) trim(p *packet, b []byte, wire, total int) ([]byte, int) {
	if total == 0 {
		return b, wire
	}
	if total > wire && !p.truncated {
		t.n.tooLong.Add(1)
		return b, wire
	}
	return b[:min(len(b), total)], total
}

func (t *Table) ipv6(p *packet, b []byte, wire int) {
	if len(b) < 40 {
		t.short(len(b), wire)
		return
	}
	total := int(binary.BigEndian.Uint16(b[4:]))
	if total != 0 {
		total += 40
	}
	b, wire = t.trim(p, b, wire, total)
	p.src, p.dst = b[8:24], b[24:40]
	t.upper(p, b[6], b[40:], wire-40)
}

// upper walks along extension headers (RFC 8200 §4, RFC 4302 for AH, which
// IPv4 has too) to the transport header.
func (t *Table) upper(p *packet, proto byte, b []byte, wire int) {
	v6 := len(p.src) == 16
	for range maxExtensions + 1 {
		size := 0
		switch {
		case proto == protoTCP:
			t.tcp(p, b, wire)
			return
		case proto == protoUDP:
			t.udpDatagram(p, b, wire)
			return
		case proto == protoIPv4 || proto == protoIPv6:
			t.ip(p, b, wire)
			return
		case proto == protoGRE:
			t.gre(p, b, wire)
			return
		case v6 && (proto == protoHopByHop || proto == protoRouting || proto == protoDestOpts):
			if len(b) >= 2 {
				size = (int(b[1]) + 1) * 8
			}
		case proto == protoAH:
			if len(b) >= 2 {
				size = (int(b[1]) + 2) * 4
			}
		case v6 && proto == protoFragment:
			if len(b) < 8 {
				t.short(len(b), wire)
				return
			}
			f := fragment{
				id:     binary.BigEndian.Uint32(b[4:]),
				proto:  b[0],
				offset: int(binary.BigEndian.Uint16(b[2:]) &^ 7),
				more:   b[3]&1 != 0,
			}
			if f.offset != 0 || f.more {
				t.fragment(p, f, b[8:], wire-8)
				return
			}
			size = 8 // a whole datagram with a fragment header, RFC 6946
		default:
			t.n.otherTransport.Add(1)
			return
		}
		if size == 0 || len(b) < size {
			t.short(len(b), wire)
			return
		}
		proto = b[0]
		b, wire = b[size:], wire-size
	}
	t.n.extensions.Add(1)
	t.n.malformed.Add(1)
}
