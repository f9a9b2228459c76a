package dns

import (
	"net/netip"
	"slices"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/verderer/verderer/activity"
)

// Sizes above which a record is an anomaly; see there.
const (
	largeUpdate = 512
	largeSIG    = 60000
)

// message reads one message. It is reused: what it holds is valid until the
// next begin.
type message struct {
	parser dnsmessage.Parser
	header dnsmessage.Header

	hasQuestion bool // a question that could be read
	question    dnsmessage.Question
	name        []byte // presentation of the question's name
	cut         bool   // nothing after the question can be read

	answers   int    // answer records read
	rcode     int    // with the high bits of EDNS (RFC 6891 §6.1.3)
	serial    uint32 // of the zone that the asker of IXFR has
	hasSerial bool
	records   []activity.DNSRecord
	anomalies []string

	room      int    // for records
	addresses bool   // an answer names hosts, whose addresses are wanted
	scratch   []byte // for names of records
}

// begin reads header and question. It is false when there is no header.
func (m *message) begin(b []byte) bool {
	m.hasQuestion, m.question, m.name = false, dnsmessage.Question{}, m.name[:0]
	m.cut, m.addresses = false, false
	m.answers, m.serial, m.hasSerial = 0, 0, false
	clear(m.records) // lets go of the strings
	m.records, m.anomalies = m.records[:0], m.anomalies[:0]
	var err error
	if m.header, err = m.parser.Start(b); err != nil {
		return false
	}
	m.rcode = int(m.header.RCode)
	m.question, err = m.parser.Question()
	switch err {
	case nil:
		m.hasQuestion = true
		m.name = appendName(m.name, &m.question.Name)
	case dnsmessage.ErrSectionDone:
		if !m.header.Response {
			m.anomaly(AnomalyNoQuestion)
		}
		return true
	default:
		m.anomaly(anomalyOf(err))
		if m.parser.SkipQuestion() != nil {
			m.cut = true
			return true
		}
	}
	if err := m.parser.SkipQuestion(); err != dnsmessage.ErrSectionDone {
		m.anomaly(AnomalySeveralQuestions)
		if err == nil {
			err = m.parser.SkipAllQuestions()
		}
		if err != nil {
			m.cut = true
			m.anomaly(anomalyOf(err))
		}
	}
	return true
}

// anomaly notes one, once.
func (m *message) anomaly(a string) {
	if !slices.Contains(m.anomalies, a) {
		m.anomalies = append(m.anomalies, a)
	}
}

// A section after the question. The names are those of a query; an update calls
// them prerequisite, update and additional (RFC 2136 §2).
type section uint8

const (
	answer section = iota
	authority
	additional
)

func (m *message) next(s section) (dnsmessage.ResourceHeader, error) {
	switch s {
	case answer:
		return m.parser.AnswerHeader()
	case authority:
		return m.parser.AuthorityHeader()
	default:
		return m.parser.AdditionalHeader()
	}
}

func (m *message) skip(s section) error {
	switch s {
	case answer:
		return m.parser.SkipAnswer()
	case authority:
		return m.parser.SkipAuthority()
	default:
		return m.parser.SkipAdditional()
	}
}

// rest reads the sections after the question and keeps up to room records. qname
// is the question's name as a string, which records of that name share. t, not
// nil for a message of a zone transfer, is told of every answer.
//
// A record that cannot be read is passed by its length; when that is not
// possible the message ends there, with what was read before.
func (m *message) rest(qname string, room int, t *transfer) {
	if m.cut {
		return
	}
	m.room = room
	for s := answer; s <= additional; s++ {
		for {
			h, err := m.next(s)
			if err == dnsmessage.ErrSectionDone {
				break
			}
			if err == nil {
				m.record(s, &h, qname, t)
			} else {
				m.anomaly(anomalyOf(err))
			}
			if err := m.skip(s); err != nil {
				m.anomaly(anomalyOf(err))
				return
			}
			if s == answer && m.header.OpCode == opQuery { // of an update it holds prerequisites
				m.answers++
			}
		}
	}
}

// record takes from one record what is wanted and leaves the parser at it.
func (m *message) record(s section, h *dnsmessage.ResourceHeader, qname string, t *transfer) {
	update := m.header.OpCode == opUpdate
	switch {
	case h.Type == dnsmessage.TypeOPT && s == additional:
		m.rcode = int(h.ExtendedRCode(m.header.RCode))
	case h.Type == typeSIG && h.Length > largeSIG:
		m.anomaly(AnomalySIGLarge)
	case update && s == authority && h.Length > largeUpdate:
		m.anomaly(AnomalyUpdateLarge)
	}
	switch {
	case update:
		if s == authority && added(h) {
			m.keep(h, qname)
		}
	case s == answer && m.header.Response:
		m.addresses = m.addresses || h.Type == dnsmessage.TypeNS || h.Type == dnsmessage.TypeSRV
		m.keep(h, qname)
		if t != nil {
			serial, ok := m.soaSerial(h)
			t.record(serial, ok)
		}
	case s == authority && !m.header.Response && m.question.Type == typeIXFR:
		m.serial, m.hasSerial = m.soaSerial(h) // of the zone that the asker has (RFC 1995 §3)
	case s == additional && m.addresses && (h.Type == dnsmessage.TypeA || h.Type == dnsmessage.TypeAAAA):
		m.keep(h, qname)
	}
}

// added tells an addition in the update section: its class is the zone's, that
// of a deletion NONE or ANY (RFC 2136 §2.5).
func added(h *dnsmessage.ResourceHeader) bool {
	if h.Class != dnsmessage.ClassINET {
		return false
	}
	switch h.Type {
	case dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypePTR, dnsmessage.TypeCNAME, dnsmessage.TypeSRV:
		return true
	}
	return false
}

// soaSerial is the serial of a SOA record, false for any other.
func (m *message) soaSerial(h *dnsmessage.ResourceHeader) (uint32, bool) {
	if h.Type != dnsmessage.TypeSOA {
		return 0, false
	}
	p := m.parser // reading advances the parser, so a copy reads
	r, err := p.SOAResource()
	if err != nil {
		m.anomaly(anomalyOf(err))
		return 0, false
	}
	return r.Serial, true
}

// keep adds a record that says who is where; others it leaves out.
func (m *message) keep(h *dnsmessage.ResourceHeader, qname string) {
	if len(m.records) >= m.room {
		return
	}
	p := m.parser // reading advances the parser, so a copy reads
	var data string
	var err error
	switch h.Type {
	case dnsmessage.TypeA:
		if h.Length != 4 {
			m.anomaly(AnomalyRecordLength)
			return
		}
		var r dnsmessage.AResource
		if r, err = p.AResource(); err == nil {
			data = netip.AddrFrom4(r.A).String()
		}
	case dnsmessage.TypeAAAA:
		if h.Length != 16 {
			m.anomaly(AnomalyRecordLength)
			return
		}
		var r dnsmessage.AAAAResource
		if r, err = p.AAAAResource(); err == nil {
			data = netip.AddrFrom16(r.AAAA).String()
		}
	case dnsmessage.TypeNS:
		var r dnsmessage.NSResource
		if r, err = p.NSResource(); err == nil {
			data = m.text(&r.NS)
		}
	case dnsmessage.TypeCNAME:
		var r dnsmessage.CNAMEResource
		if r, err = p.CNAMEResource(); err == nil {
			data = m.text(&r.CNAME)
		}
	case dnsmessage.TypeSOA:
		var r dnsmessage.SOAResource
		if r, err = p.SOAResource(); err == nil {
			data = m.text(&r.NS)
		}
	case dnsmessage.TypePTR:
		var r dnsmessage.PTRResource
		if r, err = p.PTRResource(); err == nil {
			data = m.text(&r.PTR)
		}
	case dnsmessage.TypeSRV:
		var r dnsmessage.SRVResource
		if r, err = p.SRVResource(); err == nil {
			data = m.text(&r.Target)
		}
	default:
		return
	}
	if err != nil {
		m.anomaly(anomalyOf(err))
		return
	}
	m.records = append(m.records, activity.DNSRecord{Name: m.owner(&h.Name, qname), Type: uint16(h.Type), Data: data})
}

func (m *message) text(n *dnsmessage.Name) string {
	m.scratch = appendName(m.scratch[:0], n)
	return string(m.scratch)
}

// owner is a record's name, mostly that of the question or of the record before.
func (m *message) owner(n *dnsmessage.Name, qname string) string {
	m.scratch = appendName(m.scratch[:0], n)
	if string(m.scratch) == qname {
		return qname
	}
	if i := len(m.records) - 1; i >= 0 && string(m.scratch) == m.records[i].Name {
		return m.records[i].Name
	}
	return string(m.scratch)
}
