package activity

import "slices"

// Mechanism of an authentication inside another protocol.
type Mechanism string

const (
	MechKerberos Mechanism = "Kerberos"
	MechNTLM     Mechanism = "NTLM"
	MechNetlogon Mechanism = "Netlogon" // the secure channel of MS-NRPC
)

// Auth is the detail of a GSS-API, SPNEGO, raw NTLMSSP or Netlogon
// authentication that rode in LDAP or DCE/RPC, and of every later fact on that
// connection which it stands for.
type Auth struct {
	Mechanism  Mechanism `json:"mechanism,omitempty" pb:"1"`  // empty: none was readable
	Protection string    `json:"protection,omitempty" pb:"2"` // "integrity" or "privacy" where the carrier or the tokens state it; "" none or unknown
	Ticket     *Ticket   `json:"ticket,omitempty" pb:"3"`     // of the AP-REQ
	NTLM       *NTLM     `json:"ntlm,omitempty" pb:"4"`

	// Verdict is what the server's own tokens said of the authentication so far:
	// Success (AP-REP, accept-completed), Failure (KRB-ERROR, reject; Refusal
	// names it) or "" for nothing. The carrier turns it into Activity.Outcome
	// and Error; it stays with the decoders: never printed, never sent, not part
	// of the ID.
	Verdict Outcome `json:"-" pb:"-"`
	Refusal string  `json:"-" pb:"-"`

	// Anomalies of the tokens, for the carrier to add to Activity.Anomalies.
	Anomalies []string `json:"-" pb:"-"`
}

// Anomaly notes an anomaly of a token, once. What was copied from a before does
// not change.
func (a *Auth) Anomaly(name string) {
	if !slices.Contains(a.Anomalies, name) {
		a.Anomalies = append(slices.Clip(a.Anomalies), name)
	}
}

// NTLM is what the three messages of MS-NLMP §2.2.1 say.
type NTLM struct {
	User        string `json:"user,omitempty" pb:"1"`
	Domain      string `json:"domain,omitempty" pb:"2"`
	Workstation string `json:"workstation,omitempty" pb:"3"`
	Version     int    `json:"version,omitempty" pb:"4"` // 1 or 2, by the length of the NT response; 0 unknown or anonymous
	Flags       uint32 `json:"flags,omitempty" pb:"5"`   // NegotiateFlags of AUTHENTICATE
	MIC         bool   `json:"mic,omitempty" pb:"6"`     // AUTHENTICATE carries a message integrity code that is not zero
	Anonymous   bool   `json:"anonymous,omitempty" pb:"7"`
	ServerName  string `json:"serverName,omitempty" pb:"8"`    // MsvAvNbComputerName of CHALLENGE
	ServerDNS   string `json:"serverDns,omitempty" pb:"9"`     // MsvAvDnsComputerName
	ServerDom   string `json:"serverDomain,omitempty" pb:"10"` // MsvAvNbDomainName
	Challenge   bool   `json:"challenge,omitempty" pb:"11"`    // CHALLENGE was seen
	Raw         []byte `json:"raw,omitempty" pb:"12,max=4096"` // original bytes of User, only when they were not valid text

	ServerDNSDomain string `json:"serverDnsDomain,omitempty" pb:"13"` // MsvAvDnsDomainName; server names are those of CHALLENGE, or where that was not seen those which the response repeats
	Target          string `json:"target,omitempty" pb:"14"`          // MsvAvTargetName of the response: the service that the client means to log on to, cifs/dc1
	Bound           bool   `json:"bound,omitempty" pb:"15"`           // MsvAvChannelBindings of the response is not zero: the logon holds in one TLS connection only
	LM              bool   `json:"lm,omitempty" pb:"16"`              // an LM or LMv2 response that is not zero is there beside the NT response, or alone
}

func (a *Auth) canon(c *canonical) {
	if a == nil {
		c.text("")
		return
	}
	c.text(string(a.Mechanism))
	c.text(a.Protection)
	a.Ticket.canon(c)
	if n := a.NTLM; n != nil {
		c.text(n.User)
		c.text(n.Domain)
		c.text(n.Workstation)
		c.int(int64(n.Version))
		c.int(int64(n.Flags))
	}
}
