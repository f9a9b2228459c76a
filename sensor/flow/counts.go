package flow

import "github.com/verderer/verderer/counter"

// counts are the counters of a Table. Every packet is counted once as packets
// and once as one of the six outcomes from notIP on, and so is every datagram
// joined from fragments; the other counters say more about some.
type counts struct {
	packets, bytes *counter.Counter

	notIP, malformed, otherTransport, notFollowed, followed, fragments *counter.Counter

	cut, timeBack, tooLong, tooDeep, extensions, unreadable, tunnels, tunnelsNested *counter.Counter

	fragmentsTiny, fragmentsOverlapping, fragmentsConflict                             *counter.Counter
	datagramsJoined, datagramsUnfinished, datagramsEvicted, fragmentsBad, fragmentsCut *counter.Counter
	conns, midStream, bySignature, declined, evicted, replaced, reset                  *counter.Counter
	conversations, evictedUDP                                                          *counter.Counter
	outOfOrder, retransmitted, keepAlive, overlaps, conflicts, heldFull, unacked       *counter.Counter
	gaps, gapBytes, restarts, fed, fedBytes, afterClose                                *counter.Counter
}

func newCounts(s *counter.Set) counts {
	of := func(name string) *counter.Counter { return s.Of("flow", name) }
	return counts{
		packets: of("packets"),
		bytes:   of("bytes captured"),

		notIP:          of("packets not IP"),
		malformed:      of("packets with a malformed header"),
		otherTransport: of("packets of other transports"),
		notFollowed:    of("packets not followed"),
		followed:       of("packets followed"),
		fragments:      of("fragments"),

		cut:        of("packets cut by the snap length"),
		timeBack:   of("jumps back in time"),
		tooLong:    of("packets longer by their IP header than captured"),
		tooDeep:    of("packets dropped: too many IP headers"),
		extensions: of("packets dropped: too many IPv6 extension headers"),
		unreadable: of("packets dropped: headers cut by the snap length"),

		tunnels:       of("packets taken out of a tunnel (GRE, ERSPAN, VXLAN)"),
		tunnelsNested: of("packets dropped: a tunnel in a tunnel"),

		fragmentsTiny:        of("fragments: tiny"),
		fragmentsOverlapping: of("fragments: overlapping"),
		fragmentsConflict:    of("fragments: overlapping with other content"),
		fragmentsBad:         of("fragments dropped: impossible offset or length"),
		fragmentsCut:         of("fragments dropped: cut by the snap length"),
		datagramsJoined:      of("datagrams reassembled"),
		datagramsUnfinished:  of("datagrams dropped: fragments missing"),
		datagramsEvicted:     of("datagrams dropped: too many fragments waiting"),

		conns:       of("TCP connections"),
		midStream:   of("TCP connections picked up mid-stream"),
		bySignature: of("TCP connections followed by signature"),
		declined:    of("conversations declined by the decoders"),
		evicted:     of("TCP connections evicted"),
		replaced:    of("TCP connections replaced by a new one on the same ports"),
		reset:       of("TCP connections reset"),

		conversations: of("UDP conversations"),
		evictedUDP:    of("UDP conversations evicted"),

		outOfOrder:    of("segments out of order"),
		retransmitted: of("segments retransmitted"),
		keepAlive:     of("segments that keep alive"),
		overlaps:      of("segments overlapping"),
		conflicts:     of("segments overlapping with other content"),
		heldFull:      of("segments dropped: too many waiting"),
		unacked:       of("segments dropped: never acknowledged"),
		afterClose:    of("segments after the close"),
		restarts:      of("sequence numbers out of any window"),
		gaps:          of("gaps"),
		gapBytes:      of("gap bytes"),
		fed:           of("payloads fed"),
		fedBytes:      of("payload bytes fed"),
	}
}
