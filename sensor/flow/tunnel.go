package flow

import "encoding/binary"

// Mirrors that are not on this switch send what they copy in a tunnel to the
// sensor: GRE (RFC 2784, with key and sequence number of RFC 2890), ERSPAN in it
// (types I and II of draft-foschiano-erspan §4, type III of its §5), and VXLAN
// (RFC 7348), which clouds use too. It is taken off here, once: a mirror of
// tunnelled traffic shows the tunnel, and what goes deeper is counted.
//
// Conversations are not told apart by key, session or network identifier, as
// they are not by VLAN: a mirror's two directions may come in two tunnels.
const (
	protoGRE  = 47
	portVXLAN = 4789 // RFC 7348 §8; as destination
)

// Protocol types in a GRE header (RFC 2784 §2.4) beside EtherTypes of IP.
const (
	greEthernet  = 0x6558 // Transparent Ethernet Bridging
	greERSPAN    = 0x88be // types I and II
	greERSPANIII = 0x22eb
)

// tunnel notes that one is taken off. It is false for a second one.
func (t *Table) tunnel(p *packet) bool {
	if p.tunnelled {
		t.n.tunnelsNested.Add(1)
		t.n.otherTransport.Add(1)
		return false
	}
	p.tunnelled = true
	t.n.tunnels.Add(1)
	return true
}

func (t *Table) gre(p *packet, b []byte, wire int) {
	const checksum, routing, key, sequence, version = 0x8000, 0x4000, 0x2000, 0x1000, 7
	if len(b) < 4 {
		t.short(len(b), wire)
		return
	}
	flags, kind := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	// Version 1 is PPTP's (RFC 2637), whose payload is PPP and mostly encrypted;
	// routing is of RFC 1701 and gone.
	if flags&(routing|version) != 0 {
		t.n.otherTransport.Add(1)
		return
	}
	size := 4
	for _, field := range [...]uint16{checksum, key, sequence} {
		if flags&field != 0 {
			size += 4
		}
	}
	if len(b) < size {
		t.short(len(b), wire)
		return
	}
	b, wire = b[size:], wire-size
	switch kind {
	case greEthernet:
		if t.tunnel(p) {
			t.ethernet(p, b, wire)
		}
	case greERSPAN, greERSPANIII:
		if t.tunnel(p) {
			t.erspan(p, kind, flags&sequence != 0, b, wire)
		}
	case etherIPv4, etherIPv6, etherVLAN, etherSVLAN, etherQinQ:
		if t.tunnel(p) {
			t.network(p, kind, b, wire)
		}
	default:
		t.n.otherTransport.Add(1)
	}
}

// erspan takes off the header of types II and III, and none of type I, which is
// known by the sequence number it lacks.
func (t *Table) erspan(p *packet, kind uint16, sequence bool, b []byte, wire int) {
	const frameIP = 2 // FT of type III: no Ethernet header
	if kind == greERSPAN && !sequence {
		t.ethernet(p, b, wire)
		return
	}
	if len(b) < 8 {
		t.short(len(b), wire)
		return
	}
	size, frame := 8, uint16(0)
	switch version := b[0] >> 4; {
	case version == 1 && kind == greERSPAN:
	case version == 2:
		if size = 12; len(b) < size {
			t.short(len(b), wire)
			return
		}
		last := binary.BigEndian.Uint16(b[10:])
		frame = last >> 10 & 0x1f
		if last&1 != 0 { // platform specific subheader
			size += 8
		}
	default:
		t.n.malformed.Add(1)
		return
	}
	if len(b) < size {
		t.short(len(b), wire)
		return
	}
	p.truncated = b[2]&4 != 0 // T: the mirror cut the frame
	if b, wire = b[size:], wire-size; frame == frameIP {
		t.ip(p, b, wire)
	} else {
		t.ethernet(p, b, wire)
	}
}

// vxlan takes off a VXLAN header (RFC 7348 §5), or says that it is none: the port
// may be any client's.
func (t *Table) vxlan(p *packet, b []byte, wire int) bool {
	const size, validVNI = 8, 8
	if len(b) < size || b[0]&validVNI == 0 {
		return false
	}
	if t.tunnel(p) {
		t.ethernet(p, b[size:], wire-size)
	}
	return true
}
