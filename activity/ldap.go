package activity

// LDAPBind is the detail of a bind whose fact is the bind itself (RFC 4511
// §4.2). The name as sent (DN, UPN, DOMAIN\name) is Activity.Account.Name.
type LDAPBind struct {
	MessageID  int32  `json:"messageId" pb:"1"`
	Version    int32  `json:"version,omitempty" pb:"2"`
	Mechanism  string `json:"mechanism,omitempty" pb:"3"` // SASL mechanism; "" for simple
	ResultCode int32  `json:"resultCode" pb:"4"`          // −1 when no answer was seen
	Data       string `json:"data,omitempty" pb:"5"`      // AD's sub-error in the diagnostic message: "52e" wrong password, "525" no such user, "533" disabled, "775" locked, …
	Anonymous  bool   `json:"anonymous,omitempty" pb:"6"` // empty name or empty password (RFC 4513 §5.1.1, §5.1.2): nothing was proved
	TLS        bool   `json:"tls,omitempty" pb:"7"`       // after StartTLS or on a TLS port; false: the password crossed in the clear

	// PasswordTag tells two guesses apart: 16 bits of an HMAC under a key of the
	// site, enough to count distinct passwords.
	// It is never printed and not part of the ID. Zero when no password was read.
	PasswordTag uint16 `json:"-" pb:"8"`
}

func (b *LDAPBind) canon(c *canonical) {
	c.int(int64(b.MessageID))
	c.text(b.Mechanism)
	c.int(int64(b.ResultCode))
	c.text(b.Data)
	c.flag(b.Anonymous)
}

// LDAPSearch is the detail of a search (RFC 4511 §4.5), over TCP or, for the
// domain controller locator (MS-ADTS §6.3.3), over UDP.
type LDAPSearch struct {
	MessageID  int32    `json:"messageId" pb:"1"`
	Base       string   `json:"base,omitempty" pb:"2"`
	Scope      int32    `json:"scope" pb:"3"`                        // 0 base, 1 one level, 2 subtree
	Filter     string   `json:"filter,omitempty" pb:"4"`             // RFC 4515 text
	Attributes []string `json:"attributes,omitempty" pb:"5,max=256"` // as asked for; empty means all user attributes
	Controls   []string `json:"controls,omitempty" pb:"6,max=16"`    // OIDs of the request's controls
	Entries    int      `json:"entries" pb:"7"`                      // searchResEntry messages counted before the result
	ResultCode int32    `json:"resultCode" pb:"8"`                   // −1 when no result was seen
	NetlogonOp uint16   `json:"netlogonOp,omitempty" pb:"9"`         // opcode of the Netlogon attribute of a locator answer: 19, 23 known, 21, 25 user unknown

	Ping           *LDAPPing `json:"ping,omitempty" pb:"10"`                  // of a locator ping
	ResultControls []string  `json:"resultControls,omitempty" pb:"11,max=16"` // OIDs of the result's controls
	Auth           *Auth     `json:"auth,omitempty" pb:"12"`                  // who the connection is authenticated as by SASL: of Kerberos only the ticket shows
}

// LDAPPing is what a domain controller locator asks for in its filter
// (MS-ADTS §6.3.3.2).
type LDAPPing struct {
	DNSDomain string `json:"dnsDomain,omitempty" pb:"1"`
	Host      string `json:"host,omitempty" pb:"2"` // NetBIOS name of the client
	User      string `json:"user,omitempty" pb:"3"` // account that is asked for, and that the opcode of the answer is about
	AAC       uint32 `json:"aac,omitempty" pb:"4"`  // userAccountControl bits that the account may have: 0x10 user, 0x80 computer, 0x100 domain controller
	NtVer     uint32 `json:"ntVer,omitempty" pb:"5"`
}

// What the opcode of a locator answer says of the user (MS-ADTS §6.3.1.3).
const (
	NetlogonResponse      uint16 = 19 // LOGON_SAM_LOGON_RESPONSE
	NetlogonPause         uint16 = 20
	NetlogonUserUnknown   uint16 = 21
	NetlogonResponseEx    uint16 = 23
	NetlogonPauseEx       uint16 = 24
	NetlogonUserUnknownEx uint16 = 25
)

func (s *LDAPSearch) canon(c *canonical) {
	c.int(int64(s.MessageID))
	c.text(s.Base)
	c.int(int64(s.Scope))
	c.text(s.Filter)
	c.texts(s.Attributes)
	c.int(int64(s.Entries))
	c.int(int64(s.ResultCode))
}
