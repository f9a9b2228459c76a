package flow

import (
	"encoding/binary"

	"github.com/verderer/verderer/activity"
)

// udpDatagram feeds one UDP datagram (RFC 768). Checksums are not verified:
// network cards fill them in after the capture.
func (t *Table) udpDatagram(p *packet, b []byte, wire int) {
	if len(b) < 8 {
		t.short(len(b), wire)
		return
	}
	sport, dport := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	fromServer, toServer := t.followUDP.has(sport), t.followUDP.has(dport)
	if !fromServer && !toServer {
		if dport == portVXLAN && t.vxlan(p, b[8:], wire-8) {
			return
		}
		t.n.notFollowed.Add(1)
		return
	}
	if n := int(binary.BigEndian.Uint16(b[4:])); n != 0 { // 0: left to the network card
		if n < 8 {
			t.n.malformed.Add(1)
			return
		}
		b = b[:min(len(b), n)]
	}
	t.n.followed.Add(1)
	src, dst := addrPort(p.src, sport), addrPort(p.dst, dport)
	c, dir, hash := t.udpConns.find(src, dst)
	if c == nil {
		if t.udpConns.n >= t.cfg.MaxUDP {
			t.n.evictedUDP.Add(1)
			t.end(t.udp.head, p.now)
		}
		// Between two followed ports (a name server asking another from port
		// 53) the lower is the server; of two equal, the one asked first.
		if fromServer && (!toServer || sport < dport) {
			dir, src, dst = ToClient, dst, src
		}
		c = t.add(&t.udpConns, hash, activity.UDP, src, dst)
		t.n.conversations.Add(1)
	}
	t.touch(c, &t.udp)
	t.feed(c, dir, b[8:], p.now)
}
