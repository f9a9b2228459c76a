package activity

// VPN is the detail of a RADIUS accounting request (RFC 2866).
type VPN struct {
	Session   string `json:"session,omitempty" pb:"1"`   // Acct-Session-Id
	Act       string `json:"act" pb:"2"`                 // "start", "interim", "stop"
	Assigned  string `json:"assigned,omitempty" pb:"3"`  // Framed-IP-Address, else Framed-IPv6-Address or -Prefix: inside
	Client    string `json:"client,omitempty" pb:"4"`    // outside: Tunnel-Client-Endpoint or Calling-Station-Id, whichever is an address, else the latter as sent
	NAS       string `json:"nas,omitempty" pb:"5"`       // NAS-Identifier, else NAS-IP-Address or NAS-IPv6-Address
	Seconds   uint32 `json:"seconds,omitempty" pb:"6"`   // Acct-Session-Time
	Confirmed bool   `json:"confirmed,omitempty" pb:"7"` // an Accounting-Response was seen
	Cause     uint32 `json:"cause,omitempty" pb:"8"`     // Acct-Terminate-Cause
	Station   string `json:"station,omitempty" pb:"9"`   // Calling-Station-Id where Client is something else: a telephone number, a MAC address
	Computer  string `json:"computer,omitempty" pb:"10"` // MS-RAS-Client-Name: what Windows calls the client
	Tunnel    uint32 `json:"tunnel,omitempty" pb:"11"`   // Tunnel-Type: 1 PPTP, 3 L2TP, 9 IPsec ESP, …
	PortType  uint32 `json:"portType,omitempty" pb:"12"` // NAS-Port-Type: 5 virtual (VPN), 15 Ethernet, 19 Wi-Fi: not every accounting client is a VPN
	Stamp     Time   `json:"stamp,omitempty" pb:"13"`    // Event-Timestamp, or when it was sent less Acct-Delay-Time; 0 when neither is there
	In        uint64 `json:"in,omitempty" pb:"14"`       // bytes from the client: Acct-Input-Octets and -Gigawords
	Out       uint64 `json:"out,omitempty" pb:"15"`      // bytes to the client
}

func (v *VPN) canon(c *canonical) {
	c.text(v.Session)
	c.text(v.Act)
	c.text(v.Assigned)
	c.text(v.Client)
	c.text(v.NAS)
	c.int(int64(v.Seconds))
}
