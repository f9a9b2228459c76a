package activity

// LDAPBind is the detail of a bind whose fact is the bind itself (RFC 4511
// §4.2). The name as sent (DN, UPN, DOMAIN\name) is Activity.Account.Name.
type LDAPBind struct {
	MessageID  int32  `json:"messageId"`
	Version    int32  `json:"version,omitempty"`
	Mechanism  string `json:"mechanism,omitempty"` // SASL mechanism; "" for simple
	ResultCode int32  `json:"resultCode"`          // −1 when no answer was seen
	Data       string `json:"data,omitempty"`      // AD's sub-error in the diagnostic message: "52e" wrong password, "525" no such user, "533" disabled, "775" locked, …
	Anonymous  bool   `json:"anonymous,omitempty"` // empty name or empty password (RFC 4513 §5.1.1, §5.1.2): nothing was proved
	TLS        bool   `json:"tls,omitempty"`       // after StartTLS or on a TLS port; false: the password crossed in the clear

	// PasswordTag tells two guesses apart: 16 bits of an HMAC under a key of the
	// site, enough to count distinct passwords.
	// It is never printed and not part of the ID. Zero when no password was read.
	PasswordTag uint16 `json:"-"`
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
	MessageID  int32    `json:"messageId"`
	Base       string   `json:"base,omitempty"`
	Scope      int32    `json:"scope"`                // 0 base, 1 one level, 2 subtree
	Filter     string   `json:"filter,omitempty"`     // RFC 4515 text
	Attributes []string `json:"attributes,omitempty"` // as asked for; empty means all user attributes
	Controls   []string `json:"controls,omitempty"`   // OIDs of the request's controls
	Entries    int      `json:"entries"`              // searchResEntry messages counted before the result
	ResultCode int32    `json:"resultCode"`           // −1 when no result was seen
	NetlogonOp uint16   `json:"netlogonOp,omitempty"` // opcode of the Netlogon attribute of a locator answer: 19, 23 known, 21, 25 user unknown
}

func (s *LDAPSearch) canon(c *canonical) {
	c.int(int64(s.MessageID))
	c.text(s.Base)
	c.int(int64(s.Scope))
	c.text(s.Filter)
	c.texts(s.Attributes)
	c.int(int64(s.Entries))
	c.int(int64(s.ResultCode))
}
