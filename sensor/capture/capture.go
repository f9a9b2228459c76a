// Package capture is the first stage: it turns a live interface or a file into
// Chunks, in the order they were captured, and says where a file is damaged.
// Files hold packets (pcap, pcapng) or records of Windows event logs (EVTX, or
// JSON as collectors write it).
package capture

import (
	"fmt"

	"github.com/verderer/verderer/activity"
)

// LinkType is a link-layer header type as registered by tcpdump.org.
type LinkType uint16

const (
	LinkNull     LinkType = 0   // BSD loopback, host byte order
	LinkEthernet LinkType = 1   //
	LinkRaw      LinkType = 101 // IPv4 or IPv6, no link header
	LinkLoop     LinkType = 108 // OpenBSD loopback
	LinkSLL      LinkType = 113 // Linux cooked v1
	LinkIPv4     LinkType = 228 //
	LinkIPv6     LinkType = 229 //
	LinkSLL2     LinkType = 276 // Linux cooked v2
)

// Chunk is one captured packet, or one event. Data is valid only until the next
// call of the Source that filled it; Event stays valid.
type Chunk struct {
	Time  activity.Time
	Link  LinkType
	Data  []byte
	Wire  int    // length on the wire; more than len(Data) when the capture was cut by a snap length
	File  string // name of the input, "" for a live interface
	Frame int64  // 1-based number in its file; records of an event log that could not be read are counted too

	Event *Event // nil for a packet; with an event, Link, Data and Wire are zero

	// Tick: neither packet nor event, only a time. A live interface was read up
	// to Time, whether packets came or not.
	Tick bool
}

// Source yields chunks.
//
// Next fills c and returns nil; or io.EOF at the end; or a *Damage, after which
// Next may be called again: what follows the damage is read where the format
// allows it, else the next call returns io.EOF.
type Source interface {
	Next(c *Chunk) error
	Close() error
}

// Damage says what could not be read of an input.
type Damage struct {
	File   string
	Offset int64 // byte offset in the uncompressed content
	Reason string
}

func (d *Damage) Error() string { return fmt.Sprintf("%s: offset %d: %s", d.File, d.Offset, d.Reason) }
