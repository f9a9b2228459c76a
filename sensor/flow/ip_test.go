package flow

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/capture"
)

func chunk(b []byte, now activity.Time) *capture.Chunk {
	return &capture.Chunk{Time: now, Link: capture.LinkEthernet, Data: b, Wire: len(b)}
}

// Every way to the same segment.
func TestLayers(t *testing.T) {
	v4 := c2s(1, 1, flagACK, "data").ip(protoTCP, c2s(1, 1, flagACK, "data").tcp())
	s6 := seg{"[fd00::1]:50000", "[fd00::2]:445", 1, 1, flagACK, "data"}
	v6 := s6.ip(protoTCP, s6.tcp())
	open4 := opened + " mid-stream"
	open6 := "open tcp [fd00::1]:50000>[fd00::2]:445 mid-stream"
	mac := []byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02")
	tag := func(kind, id int) []byte { return join(be16(kind), be16(id)) }
	ext := func(proto byte, parts ...[]byte) []byte { return s6.ip(proto, join(append(parts, s6.tcp())...)) }
	pad := func(next byte) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} } // PadN option
	ah := append([]byte{protoTCP, 4}, make([]byte, 22)...)                     // (4+2)*4 = 24 bytes
	eight := make([][]byte, 8)
	for i := range eight {
		eight[i] = pad(protoDestOpts)
	}
	eight[7][0] = protoTCP
	patched := func(b []byte, at int, v ...byte) []byte {
		b = append([]byte(nil), b...)
		copy(b[at:], v)
		return b
	}
	options := join([]byte{0x46}, v4[1:20], []byte{1, 1, 1, 1}, v4[20:])
	copy(options[2:], be16(len(options)))
	mapped := c2s(1, 1, flagACK, "data")
	mapped.src, mapped.dst = "[::ffff:10.0.0.1]:50000", "[::ffff:10.0.0.2]:445"

	for name, test := range map[string]struct {
		link capture.LinkType
		data []byte
		open string // "" when nothing is fed
		name string // of a counter that is 1 then
	}{
		"Ethernet":              {capture.LinkEthernet, join(mac, be16(0x0800), v4), open4, ""},
		"Ethernet, padded":      {capture.LinkEthernet, join(mac, be16(0x0800), v4, make([]byte, 6)), open4, ""},
		"Ethernet, IPv6":        {capture.LinkEthernet, join(mac, be16(0x86dd), v6, make([]byte, 6)), open6, ""},
		"802.1Q":                {capture.LinkEthernet, join(mac, tag(0x8100, 7), be16(0x0800), v4), open4, ""},
		"802.1ad":               {capture.LinkEthernet, join(mac, tag(0x88a8, 7), tag(0x8100, 8), be16(0x0800), v4), open4, ""},
		"QinQ, three tags":      {capture.LinkEthernet, join(mac, tag(0x9100, 6), tag(0x9100, 7), tag(0x8100, 8), be16(0x86dd), v6), open6, ""},
		"too many tags":         {capture.LinkEthernet, join(mac, tag(0x8100, 5), tag(0x8100, 6), tag(0x8100, 7), tag(0x8100, 8), be16(0x0800), v4), "", "packets not IP"},
		"tag cut":               {capture.LinkEthernet, join(mac, be16(0x8100), be16(7), be16(0x8100)), "", "packets with a malformed header"},
		"ARP":                   {capture.LinkEthernet, join(mac, be16(0x0806), make([]byte, 46)), "", "packets not IP"},
		"runt":                  {capture.LinkEthernet, mac, "", "packets with a malformed header"},
		"SLL":                   {capture.LinkSLL, join(make([]byte, 14), be16(0x0800), v4), open4, ""},
		"SLL, VLAN":             {capture.LinkSLL, join(make([]byte, 14), be16(0x8100), be16(7), be16(0x0800), v4), open4, ""},
		"SLL, runt":             {capture.LinkSLL, make([]byte, 15), "", "packets with a malformed header"},
		"SLL2":                  {capture.LinkSLL2, join(be16(0x86dd), make([]byte, 18), v6), open6, ""},
		"SLL2, runt":            {capture.LinkSLL2, make([]byte, 19), "", "packets with a malformed header"},
		"null, little-endian":   {capture.LinkNull, join([]byte{2, 0, 0, 0}, v4), open4, ""},
		"null, big-endian":      {capture.LinkNull, join([]byte{0, 0, 0, 30}, v6), open6, ""},
		"null, AppleTalk":       {capture.LinkNull, join([]byte{16, 0, 0, 0}, v4), "", "packets not IP"},
		"null, runt":            {capture.LinkNull, []byte{2, 0, 0}, "", "packets with a malformed header"},
		"loop":                  {capture.LinkLoop, join([]byte{0, 0, 0, 24}, v6), open6, ""},
		"raw IPv4":              {capture.LinkRaw, v4, open4, ""},
		"raw IPv6":              {capture.LinkRaw, v6, open6, ""},
		"IPv4 link":             {capture.LinkIPv4, v4, open4, ""},
		"IPv6 link":             {capture.LinkIPv6, v6, open6, ""},
		"unknown link":          {147, v4, "", "packets not IP"},
		"empty":                 {capture.LinkRaw, nil, "", "packets with a malformed header"},
		"IP version 5":          {capture.LinkRaw, patched(v4, 0, 0x55), "", "packets with a malformed header"},
		"IPv4 options":          {capture.LinkRaw, options, open4, ""},
		"IPv4 header too short": {capture.LinkRaw, patched(v4, 0, 0x44), "", "packets with a malformed header"},
		"IPv4 header cut":       {capture.LinkRaw, v4[:19], "", "packets with a malformed header"},
		"IPv4 length 0 (TSO)":   {capture.LinkRaw, patched(v4, 2, 0, 0), open4, ""},
		"IPv4 length too short": {capture.LinkRaw, patched(v4, 2, 0, 19), "", "packets with a malformed header"},
		"IPv4 length too long":  {capture.LinkRaw, patched(v4, 2, 99, 0), open4, ""},
		"IPv6 length too long":  {capture.LinkRaw, patched(v6, 4, 99, 0), open6, ""},
		"IPv6 length 0 (TSO)":   {capture.LinkRaw, patched(v6, 4, 0, 0), open6, ""},
		"IPv6 header cut":       {capture.LinkRaw, v6[:39], "", "packets with a malformed header"},
		"ICMP":                  {capture.LinkRaw, patched(v4, 9, 1), "", "packets of other transports"},
		"TCP header cut":        {capture.LinkRaw, patched(v4, 2, 0, 39), "", "packets with a malformed header"},
		"TCP header too short":  {capture.LinkRaw, patched(v4, 32, 0x40), "", "packets with a malformed header"},
		"TCP header too long":   {capture.LinkRaw, patched(v4, 32, 0x70), "", "packets with a malformed header"},
		"hop-by-hop":            {capture.LinkRaw, ext(protoHopByHop, pad(protoTCP)), open6, ""},
		"routing":               {capture.LinkRaw, ext(protoRouting, pad(protoDestOpts), pad(protoTCP)), open6, ""},
		"AH over IPv6":          {capture.LinkRaw, ext(protoDestOpts, pad(protoAH), ah), open6, ""},
		"AH over IPv4":          {capture.LinkRaw, c2s(0, 0, 0, "").ip(protoAH, join(ah, v4[20:])), open4, ""},
		"eight extensions":      {capture.LinkRaw, ext(protoDestOpts, eight...), open6, ""},
		"nine extensions":       {capture.LinkRaw, ext(protoDestOpts, append([][]byte{pad(protoDestOpts)}, eight...)...), "", "packets dropped: too many IPv6 extension headers"},
		"extension cut":         {capture.LinkRaw, s6.ip(protoHopByHop, []byte{protoTCP, 1, 0, 0, 0, 0, 0, 0}), "", "packets with a malformed header"},
		"extension missing":     {capture.LinkRaw, s6.ip(protoHopByHop, nil), "", "packets with a malformed header"},
		"no next header":        {capture.LinkRaw, s6.ip(59, nil), "", "packets of other transports"},
		"hop-by-hop over IPv4":  {capture.LinkRaw, c2s(0, 0, 0, "").ip(protoHopByHop, pad(protoTCP)), "", "packets of other transports"},
		"IPv6 in IPv4":          {capture.LinkRaw, ipPacket(addr2, addr1, protoIPv6, v6), open6, ""},
		"IPv4 in IPv6":          {capture.LinkRaw, ipPacket(addr62, addr61, protoIPv4, v4), open4, ""},
		"three IP headers":      {capture.LinkRaw, ipPacket(addr2, addr1, protoIPv4, ipPacket(addr2, addr1, protoIPv4, v4)), open4, ""},
		"four IP headers":       {capture.LinkRaw, ipPacket(addr2, addr1, protoIPv4, ipPacket(addr2, addr1, protoIPv4, ipPacket(addr2, addr1, protoIPv4, v4))), "", "packets dropped: too many IP headers"},
		"mapped addresses":      {capture.LinkRaw, mapped.ip(protoTCP, mapped.tcp()), open4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrace(t, Config{})
			tr.table.Packet(&capture.Chunk{Time: epoch, Link: test.link, Data: test.data, Wire: len(test.data)})
			if test.open == "" {
				tr.want()
				tr.count(test.name, 1)
			} else {
				tr.want(test.open, "50000 > data")
			}
			tr.table.Flush(epoch)
			checkEmpty(t, tr.table)
		})
	}
}

// A snap length may cut anywhere.
func TestEverySnapLength(t *testing.T) {
	s := seg{"[fd00::1]:50000", "[fd00::2]:445", 1, 1, flagACK, "data"}
	for _, whole := range [][]byte{
		c2s(1, 1, flagACK, "data").frame(), s.frame(), seg{src: client, dst: "10.0.0.2:53", data: "data"}.udpFrame(),
		ether(s.ip(protoHopByHop, join([]byte{protoTCP, 0, 1, 4, 0, 0, 0, 0}, s.tcp()))),
	} {
		for n := range len(whole) {
			tr := newTrace(t, Config{})
			tr.wire(whole[:n], len(whole))
			tr.count("packets cut by the snap length", 1)
			if lost := len(whole) - n; lost < 4 {
				if len(tr.calls) < 2 {
					t.Errorf("with %d of %d bytes: %q", n, len(whole), tr.calls)
				}
			} else if len(tr.calls) > 0 {
				t.Errorf("with %d of %d bytes: %q", n, len(whole), tr.calls)
			}
			tr.table.Flush(tr.now)
			checkEmpty(t, tr.table)
		}
	}
}
