package flow

import "net/netip"

// fragmentOf is an IPv4 fragment of a TCP or UDP datagram from 10.0.0.1 to 10.0.0.2.
func fragmentOf(id, offset int, more bool, data string) []byte {
	b := ipPacket(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), protoUDP, []byte(data))
	copy(b[4:], be16(id))
	field := offset / 8
	if more {
		field |= 0x2000
	}
	copy(b[6:], be16(field))
	return b
}
