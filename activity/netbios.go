package activity

// NetBIOS is the detail of a NetBIOS name service question, registration,
// refresh or release (RFC 1002 §4.2). One that was asked of all and answered by
// one host is two activities: the question, and the answer with its sender as
// Target and without Requested.
type NetBIOS struct {
	ID        uint16   `json:"id" pb:"1"`
	Opcode    uint8    `json:"opcode" pb:"2"`                   // 0 query, 5 registration, 6 release, 7 WACK, 8 refresh
	Name      string   `json:"name" pb:"3"`                     // 15 characters, right-trimmed
	Suffix    uint8    `json:"suffix" pb:"4"`                   // 0x00 workstation, 0x20 server, 0x1b, 0x1c, 0x1e domain
	Type      uint16   `json:"type" pb:"5"`                     // 0x20 NB, 0x21 NBSTAT
	RCode     int32    `json:"rcode" pb:"6"`                    // −1 when no answer was seen
	Answers   []string `json:"answers,omitempty" pb:"7,max=64"` // addresses of NB; of NBSTAT names as NAME<20>, with "*" behind those of groups
	Claimed   []string `json:"claimed,omitempty" pb:"8,max=64"` // addresses that a registration, refresh or release is about
	Group     bool     `json:"group,omitempty" pb:"9"`          // the name is a group's
	Broadcast bool     `json:"broadcast,omitempty" pb:"10"`     // asked of all hosts of a network
	Unit      string   `json:"unit,omitempty" pb:"11"`          // hardware address that an NBSTAT answer gives, aa:bb:…; "" zero, as of Samba
}

func (n *NetBIOS) canon(c *canonical) {
	c.int(int64(n.ID))
	c.int(int64(n.Opcode))
	c.text(n.Name)
	c.int(int64(n.Suffix))
	c.int(int64(n.Type))
	c.int(int64(n.RCode))
}
