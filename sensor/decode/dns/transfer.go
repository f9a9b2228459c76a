package dns

import "golang.org/x/net/dns/dnsmessage"

// transfer follows the answer to AXFR or IXFR over TCP through its messages.
//
// AXFR, and IXFR that sends the whole zone, is the zone's SOA record, all other
// records, and the SOA again (RFC 5936 §2.2). IXFR that sends differences is the
// new SOA, then per version the old SOA, what is deleted, the next SOA, what is
// added, and last the new SOA for the third time (RFC 1995 §4). IXFR of a zone
// that has not changed is one SOA record.
type transfer struct {
	incremental bool // asked for as IXFR
	asked       bool // the query was seen, so the first message is the first
	serial      uint32
	hasSerial   bool // the query told the serial the asker has

	messages int
	records  int    // answers read so far
	headless bool   // the first of them was no SOA record
	differs  bool   // differences, not the whole zone
	first    uint32 // serial of the first SOA
	soas     int    // SOA records seen, of the first serial for differences
	ended    bool
}

func isTransfer(t dnsmessage.Type) bool { return t == dnsmessage.TypeAXFR || t == typeIXFR }

// record notes one answer; soa tells that it is a SOA record, serial its serial.
func (t *transfer) record(serial uint32, soa bool) {
	t.records++
	switch {
	case t.records == 1 && !soa:
		t.headless = true
	case t.records == 1:
		t.first, t.soas = serial, 1
	case !soa || t.ended:
	case t.records == 2 && t.incremental && !t.headless && serial != t.first:
		t.differs = true
	case t.headless: // picked up within: the next SOA may be the last
		t.ended = true
	case t.differs:
		if serial == t.first {
			t.soas++
		}
		t.ended = t.soas == 3
	default:
		t.ended = true
	}
}

// message notes the end of a message and tells whether the transfer ended with it.
func (t *transfer) message(refused bool) bool {
	t.messages++
	switch {
	case t.ended || refused || t.records == 0:
		return true
	case t.messages > 1:
		return false
	case t.headless:
		return t.asked
	case t.incremental && t.records == 1:
		// One SOA record: the whole answer when the asker is up to date (serial
		// arithmetic of RFC 1982), else the first of one-record messages. When the
		// asker's serial is not known the first is taken for granted.
		return !t.hasSerial || int32(t.first-t.serial) <= 0
	}
	return false
}

// misbegun tells that the transfer began with another record than the SOA.
func (t *transfer) misbegun() bool { return t.headless && t.asked && t.messages == 1 }
