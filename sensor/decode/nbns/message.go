package nbns

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

// OPCODE (RFC 1002 §4.2.1.1). 15 is the registration of a host with several
// addresses, as Windows sends it; 9 is what §4.2.4 calls refresh in its picture.
const (
	opQuery        = 0
	opRegistration = 5
	opRelease      = 6
	opWACK         = 7
	opRefresh      = 8
	opRefreshAlt   = 9
	opMultihomed   = 15
)

// Types of a question or record (§4.2.1.3).
const (
	typeNB     = 0x20
	typeNBSTAT = 0x21
)

// nmBroadcast is the B bit of NM_FLAGS (§4.2.1.1), in the header's second word.
const nmBroadcast = 1 << 4

// flagGroup is the G bit of NB_FLAGS and NAME_FLAGS (§4.2.2, §4.2.18).
const flagGroup = 1 << 15

const (
	headerSize = 12
	// maxName is the most octets of a name with its scope (RFC 1002 §4.1).
	maxName = 255
	// maxAnswers caps addresses and names; the tags in activity.NetBIOS have it too.
	maxAnswers = 64
)

// message is what is read of a packet (§4.2.1).
type message struct {
	NameTrnID uint16
	Response  bool
	Opcode    uint8
	Broadcast bool
	RCode     uint8

	Name   string // QUESTION_NAME, or RR_NAME where there is no question
	Suffix uint8
	Type   uint16
	Named  bool // a name was read

	Answers []string // of the answer
	Claimed []string // of a request's additional record
	Group   bool
	Unit    string

	anomalies []string
}

func (m *message) anomaly(name string) {
	if !slices.Contains(m.anomalies, name) {
		m.anomalies = append(m.anomalies, name)
	}
}

// read reads a packet. ok is false when it has no header.
func (m *message) read(b []byte) (ok bool) {
	if len(b) < headerSize {
		return false
	}
	flags := binary.BigEndian.Uint16(b[2:])
	m.NameTrnID = binary.BigEndian.Uint16(b)
	m.Response = flags&0x8000 != 0
	m.Opcode = uint8(flags >> 11 & 0xf)
	m.Broadcast = flags&nmBroadcast != 0
	m.RCode = uint8(flags & 0xf)
	count := func(i int) int { return int(binary.BigEndian.Uint16(b[4+2*i:])) }
	questions, records := count(0), count(1)+count(2)+count(3)
	at := headerSize
	if questions > 0 {
		if at, ok = m.name(b, at); !ok || at+4 > len(b) {
			m.anomaly(AnomalyShort)
			return true
		}
		m.Type = binary.BigEndian.Uint16(b[at:])
		at += 4
	}
	// A packet of this service has one record at most (§4.2.2 to §4.2.18).
	if records > 0 && questions <= 1 {
		m.record(b, at)
	}
	if questions > 1 || records > 1 {
		m.anomaly(AnomalyCounts)
	}
	return true
}

// record reads a resource record: its name where no question told it.
func (m *message) record(b []byte, at int) {
	var other message
	into := m
	if m.Named {
		into = &other
	}
	at, ok := into.name(b, at)
	if !ok || at+10 > len(b) {
		m.anomaly(AnomalyShort)
		return
	}
	kind := binary.BigEndian.Uint16(b[at:])
	if into == m {
		m.Type = kind
	}
	n := int(binary.BigEndian.Uint16(b[at+8:]))
	data := b[at+10:]
	if n > len(data) {
		m.anomaly(AnomalyShort)
	}
	data = data[:min(n, len(data))]
	switch kind {
	case typeNB:
		m.addresses(data)
	case typeNBSTAT:
		m.names(data)
	}
}

// addresses reads RDATA of NB (§4.2.13): flags and an address each.
func (m *message) addresses(b []byte) {
	const entry = 6
	for ; len(b) >= entry; b = b[entry:] {
		m.Group = m.Group || binary.BigEndian.Uint16(b)&flagGroup != 0
		list := &m.Answers
		if !m.Response {
			list = &m.Claimed
		}
		if len(*list) == maxAnswers {
			m.anomaly(AnomalyList)
			return
		}
		*list = append(*list, netip.AddrFrom4([4]byte(b[2:6])).String())
	}
}

// names reads RDATA of NBSTAT (§4.2.18): a count, the names, and statistics that
// begin with the hardware address.
func (m *message) names(b []byte) {
	const entry = 18
	if len(b) < 1 {
		return
	}
	n := int(b[0])
	b = b[1:]
	for range n {
		if len(b) < entry {
			m.anomaly(AnomalyShort)
			return
		}
		s := m.text(b[:15]) + fmt.Sprintf("<%02X>", b[15])
		if binary.BigEndian.Uint16(b[16:])&flagGroup != 0 {
			s += "*"
		}
		b = b[entry:]
		if len(m.Answers) < maxAnswers {
			m.Answers = append(m.Answers, s)
		} else {
			m.anomaly(AnomalyList)
		}
	}
	if len(b) >= 6 && [6]byte(b) != [6]byte{} {
		m.Unit = unit([6]byte(b))
	}
}

func unit(b [6]byte) string {
	var parts [6]string
	for i, c := range b {
		parts[i] = hex.EncodeToString([]byte{c})
	}
	return strings.Join(parts[:], ":")
}

// name reads a name (RFC 1002 §4.1, RFC 1001 §14): 32 letters that stand for 16
// octets, then the labels of a scope. A pointer stands for the question's name.
func (m *message) name(b []byte, at int) (next int, ok bool) {
	if at+2 <= len(b) && b[at]&0xc0 == 0xc0 {
		to := int(binary.BigEndian.Uint16(b[at:]) & 0x3fff)
		if to < headerSize || to >= at { // to what came before, so that this ends
			return at, false
		}
		if !m.Named {
			m.name(b, to)
		}
		return at + 2, true
	}
	if at+33 > len(b) || b[at] != 32 {
		return at, false
	}
	var raw [16]byte
	for i := range raw {
		hi, lo := b[at+1+2*i]-'A', b[at+2+2*i]-'A'
		if hi > 15 || lo > 15 {
			m.anomaly(AnomalyName)
		}
		raw[i] = hi<<4 | lo&0xf
	}
	m.Name, m.Suffix, m.Named = m.text(raw[:15]), raw[15], true
	at += 33
	for size := 33; at < len(b); {
		n := int(b[at])
		if n == 0 {
			return at + 1, true
		}
		if n > 63 || at+1+n > len(b) || size+1+n > maxName {
			break
		}
		m.Name += "." + m.text(b[at+1:at+1+n])
		at, size = at+1+n, size+1+n
	}
	return at, false
}

// text is a name without its padding: blanks, or NULs in the one for any host.
func (m *message) text(b []byte) string {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == 0) {
		b = b[:len(b)-1]
	}
	s, raw := names.FromUTF8(b)
	if raw != nil {
		m.anomaly(AnomalyText)
	}
	return activity.Cut(s)
}

// rcodeNames are those of RFC 1002 §4.2.6, §4.2.11 and §4.2.14.
var rcodeNames = [...]string{1: "FMT_ERR", 2: "SRV_ERR", 3: "NAM_ERR", 4: "IMP_ERR", 5: "RFS_ERR", 6: "ACT_ERR", 7: "CFT_ERR"}

func rcodeName(c uint8) string {
	if int(c) < len(rcodeNames) && rcodeNames[c] != "" {
		return rcodeNames[c]
	}
	return fmt.Sprintf("RCODE %d", c)
}
