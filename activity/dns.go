package activity

// DNS is the detail of a query or a dynamic update (RFC 1035 §4, RFC 2136).
type DNS struct {
	TxID          uint16      `json:"id" pb:"1"`
	Question      string      `json:"question,omitempty" pb:"2"` // name without the final dot; "" is the root; for an update the zone
	Type          uint16      `json:"type" pb:"3"`               // QTYPE: 1 A, 12 PTR, 33 SRV, 251 IXFR, 252 AXFR, 255 ANY
	Class         uint16      `json:"class" pb:"4"`              // 1 Internet
	OpCode        uint8       `json:"opCode,omitempty" pb:"5"`   // 0 query, 5 update
	RCode         int         `json:"rcode" pb:"6"`              // of the answer, low 4 bits; −1 when none was seen
	Authoritative bool        `json:"authoritative,omitempty" pb:"7"`
	Truncated     bool        `json:"truncated,omitempty" pb:"8"`
	Answers       int         `json:"answers" pb:"9"`                   // answer records counted; for a transfer over all its messages
	Messages      int         `json:"messages,omitempty" pb:"10"`       // answer messages, above 1 for zone transfers
	Records       []DNSRecord `json:"records,omitempty" pb:"11,max=32"` // the first answer (or update) records that say who is where; see MaxDNSRecords
}

// MaxDNSRecords caps DNS.Records: enough for the SRV answer of a site with 16
// domain controllers plus their addresses; a zone transfer is counted, not kept.
const MaxDNSRecords = 32

// DNSRecord is one A, AAAA, NS, CNAME, SOA, PTR or SRV record.
type DNSRecord struct {
	Name string `json:"name" pb:"1"`
	Type uint16 `json:"type" pb:"2"`
	Data string `json:"data" pb:"3"` // address, or target name without the final dot
}

func (d *DNS) canon(c *canonical) {
	c.int(int64(d.TxID))
	c.text(d.Question)
	c.int(int64(d.Type))
	c.int(int64(d.Class))
	c.int(int64(d.OpCode))
	c.int(int64(d.RCode))
	c.int(int64(d.Answers))
	for _, r := range d.Records {
		c.text(r.Name)
		c.int(int64(r.Type))
		c.text(r.Data)
	}
}
