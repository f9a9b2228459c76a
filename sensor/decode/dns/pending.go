package dns

import (
	"slices"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// query is a query or an update that waits for its response, or what a response
// without one says of it.
type query struct {
	asker       flow.Dir // direction in which it went, or would have gone
	id          uint16
	opcode      dnsmessage.OpCode
	seen        bool // the query itself was captured
	at          activity.Time
	hasQuestion bool
	name        string
	qtype       dnsmessage.Type
	class       dnsmessage.Class
	serial      uint32 // of the zone that the asker has, for IXFR
	hasSerial   bool
	records     []activity.DNSRecord // of an update, or of the response so far
	anomalies   []string
	transfer    *transfer // whose first message has come; nil for everything else
	reply       response
}

// response is what a response says, over all its messages so far.
type response struct {
	header   dnsmessage.Header // of the last message
	rcode    int               // of the last message, with the high bits of EDNS
	answers  int
	messages int
}

// query is what the message itself says of its query.
func (m *message) query(asker flow.Dir) query {
	return query{
		asker:       asker,
		id:          m.header.ID,
		opcode:      m.header.OpCode,
		hasQuestion: m.hasQuestion,
		name:        string(m.name),
		qtype:       m.question.Type,
		class:       m.question.Class,
	}
}

// size is the bytes of text that q holds, and of the slice around it.
func (q *query) size() int {
	const record = 40
	n := len(q.name)
	for _, r := range q.records {
		n += record + len(r.Name) + len(r.Data)
	}
	return n
}

// find is the oldest pending query that the message answers, −1 without one. A
// message without a question answers by its id alone: so do refusals of what the
// server could not read, and all but the first message of a transfer (RFC 5936
// §2.2.1).
func (d *Decoder) find(asker flow.Dir) int {
	m := &d.msg
	for i := range d.pending {
		q := &d.pending[i]
		if q.id != m.header.ID || q.asker != asker || q.opcode != m.header.OpCode {
			continue
		}
		if !m.hasQuestion || !q.hasQuestion ||
			q.qtype == m.question.Type && q.class == m.question.Class && equalName(m.name, q.name) {
			return i
		}
	}
	return -1
}

// hold keeps a query for its response and gives up on the oldest that are too
// many, or hold too much text.
func (d *Decoder) hold(q query) {
	d.pending = append(d.pending, q)
	d.held += q.size()
	for len(d.pending) > maxPending || d.held > maxHeld && len(d.pending) > 1 {
		oldest := d.pending[0]
		d.drop(0)
		d.x.Count(countGivenUp, 1)
		d.giveUp(&oldest)
	}
}

// replace holds q in the place of pending query i, or as a new one when i is −1.
func (d *Decoder) replace(i int, q query) {
	if i < 0 {
		d.hold(q)
		return
	}
	d.held += q.size() - d.pending[i].size()
	d.pending[i] = q
}

// drop forgets pending query i; −1 is none.
func (d *Decoder) drop(i int) {
	if i >= 0 {
		d.held -= d.pending[i].size()
		d.pending = slices.Delete(d.pending, i, i+1)
	}
}
