package flow

import (
	"encoding/binary"

	"github.com/verderer/verderer/sensor/capture"
)

// EtherTypes (IANA "IEEE 802 Numbers").
const (
	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	etherVLAN  = 0x8100 // IEEE 802.1Q customer tag
	etherSVLAN = 0x88a8 // IEEE 802.1ad service tag
	etherQinQ  = 0x9100 // the service tag of switches older than 802.1ad
)

// maxTags is one more than 802.1ad stacks, for a mirror port's own tag.
const maxTags = 3

// link takes off the link header. In all layers b is what was captured, from
// the layer's header on, and wire is how long that was on the wire.
func (t *Table) link(p *packet, lt capture.LinkType, b []byte, wire int) {
	switch lt {
	case capture.LinkEthernet:
		t.ethernet(p, b, wire)
	case capture.LinkSLL: // packet type, ARPHRD, address length, address, protocol
		if len(b) < 16 {
			t.short(len(b), wire)
			return
		}
		t.network(p, binary.BigEndian.Uint16(b[14:]), b[16:], wire-16)
	case capture.LinkSLL2: // protocol first
		if len(b) < 20 {
			t.short(len(b), wire)
			return
		}
		t.network(p, binary.BigEndian.Uint16(b), b[20:], wire-20)
	case capture.LinkNull, capture.LinkLoop:
		t.loopback(p, b, wire)
	case capture.LinkRaw, capture.LinkIPv4, capture.LinkIPv6:
		t.ip(p, b, wire)
	default:
		t.n.notIP.Add(1)
	}
}

func (t *Table) ethernet(p *packet, b []byte, wire int) {
	if len(b) < 14 {
		t.short(len(b), wire)
		return
	}
	t.network(p, binary.BigEndian.Uint16(b[12:]), b[14:], wire-14)
}

// loopback reads the address family of BSD loopback headers. LinkNull writes
// it in the byte order of the capturing host, LinkLoop in network order; the
// values are small enough to accept either.
func (t *Table) loopback(p *packet, b []byte, wire int) {
	if len(b) < 4 {
		t.short(len(b), wire)
		return
	}
	family := binary.BigEndian.Uint32(b)
	if family > 0xffff {
		family = binary.LittleEndian.Uint32(b)
	}
	switch family {
	case 2, 10, 24, 28, 30: // AF_INET; AF_INET6 of Linux, NetBSD, FreeBSD, Darwin
		t.ip(p, b[4:], wire-4)
	default:
		t.n.notIP.Add(1)
	}
}

// network takes off VLAN tags and hands on what is IP.
func (t *Table) network(p *packet, etherType uint16, b []byte, wire int) {
	for range maxTags {
		switch etherType {
		case etherIPv4, etherIPv6:
			t.ip(p, b, wire)
			return
		case etherVLAN, etherSVLAN, etherQinQ:
			if len(b) < 4 {
				t.short(len(b), wire)
				return
			}
			etherType = binary.BigEndian.Uint16(b[2:])
			b, wire = b[4:], wire-4
		default:
			t.n.notIP.Add(1)
			return
		}
	}
	if etherType == etherIPv4 || etherType == etherIPv6 {
		t.ip(p, b, wire)
		return
	}
	t.n.notIP.Add(1)
}

// short counts a header that is not all there.
func (t *Table) short(have, wire int) {
	t.n.malformed.Add(1)
	if wire > have {
		t.n.unreadable.Add(1)
	}
}
