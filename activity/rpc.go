package activity

// RPC is the detail of a remote procedure call on an interface other than
// directory replication, and says by which call a fact of another detail came
// about. Which arguments are set depends on the operation; none is where the
// stub was sealed.
type RPC struct {
	Interface    string `json:"interface" pb:"1"`              // short name: samr, lsarpc, srvsvc, svcctl, tsch, netlogon, efsr, rprn, …
	Opnum        uint16 `json:"opnum" pb:"2"`                  //
	Operation    string `json:"operation,omitempty" pb:"3"`    // SamrEnumerateUsersInDomain, …; "" for an opnum the specification does not define
	CallID       uint32 `json:"callId" pb:"4"`                 //
	Pipe         string `json:"pipe,omitempty" pb:"5"`         // the named pipe it rode in: "samr"; "" over TCP
	Sealed       bool   `json:"sealed,omitempty" pb:"6"`       // packet privacy: arguments were not readable
	BindSeen     bool   `json:"bindSeen" pb:"7"`               // false: picked up mid-connection and the interface inferred from what else the connection showed
	Fault        uint32 `json:"fault,omitempty" pb:"8"`        // nca or Win32 status of a fault PDU
	Status       uint32 `json:"status,omitempty" pb:"9"`       // return value: NTSTATUS, Win32 or HRESULT, as the interface has it; 0 success or not seen
	RequestSize  int    `json:"requestSize,omitempty" pb:"10"` // stub bytes of the request
	ResponseSize int    `json:"responseSize,omitempty" pb:"11"`
	Auth         *Auth  `json:"auth,omitempty" pb:"12"` // who the connection is authenticated as

	Object   string        `json:"object,omitempty" pb:"13"`            // what the call is about, as named: an account or group, a secret, a UNC path, a share, a class
	SID      string        `json:"sid,omitempty" pb:"14"`               // of the domain or account that the handle stands for, S-1-…
	RIDs     []uint32      `json:"rids,omitempty" pb:"15,max=1000"`     // asked for, or that of the account which the handle stands for; at most MaxRPCNames
	Names    []string      `json:"names,omitempty" pb:"16,max=1000"`    // asked for or returned; at most MaxRPCNames
	Level    uint32        `json:"level,omitempty" pb:"17"`             // information level or class asked for
	Count    int           `json:"count,omitempty" pb:"18"`             // entries returned
	Sessions []SessionInfo `json:"sessions,omitempty" pb:"19,max=1000"` // returned by NetrSessionEnum; at most MaxRPCNames
	Flags    uint32        `json:"flags,omitempty" pb:"20"`             // dwFileCopyFlags of an added printer driver: 0x10 copies it from where it names
}

// SessionInfo is one session that NetrSessionEnum returned (MS-SRVS §2.2.4).
type SessionInfo struct {
	User   string `json:"user,omitempty" pb:"1"`
	Client string `json:"client,omitempty" pb:"2"` // as the server spells it: \\10.0.0.5
}

// MaxRPCNames caps lists of arguments: a call names up to 1,000 accounts by
// specification (MS-SAMR §3.1.5.11.2), and readers see the beginning of a stub
// only.
const MaxRPCNames = 1000

func (r *RPC) canon(c *canonical) {
	if r == nil {
		c.text("")
		return
	}
	c.text(r.Interface)
	c.int(int64(r.Opnum))
	c.int(int64(r.CallID))
	c.text(r.Pipe)
	c.int(int64(r.Fault))
	c.int(int64(r.Status))
	c.int(int64(r.RequestSize))
	c.int(int64(r.ResponseSize))
	r.Auth.canon(c)
	c.text(r.Object)
	c.text(r.SID)
	c.int(int64(len(r.RIDs)))
	for _, rid := range r.RIDs {
		c.int(int64(rid))
	}
	c.texts(r.Names)
	c.int(int64(r.Level))
}

// Netlogon is the detail of setting up or using a secure channel (MS-NRPC
// §3.5.4.4).
type Netlogon struct {
	Call           *RPC   `json:"call,omitempty" pb:"1"`
	Computer       string `json:"computer,omitempty" pb:"2"`       // ComputerName: who sets the channel up
	ChannelType    uint16 `json:"channelType,omitempty" pb:"3"`    // NETLOGON_SECURE_CHANNEL_TYPE: 2 workstation, 3 trusted DNS domain, 4 trusted domain, 6 server (DC)
	Flags          uint32 `json:"flags,omitempty" pb:"4"`          // NegotiateFlags
	ZeroChallenge  bool   `json:"zeroChallenge,omitempty" pb:"5"`  // the client challenge is eight equal bytes or all zero
	ZeroCredential bool   `json:"zeroCredential,omitempty" pb:"6"` // the client credential is all zero
	ZeroPassword   bool   `json:"zeroPassword,omitempty" pb:"7"`   // NetrServerPasswordSet2: the new password is all zero bytes, or its length is
}

func (n *Netlogon) canon(c *canonical) {
	n.Call.canon(c)
	c.text(n.Computer)
	c.int(int64(n.ChannelType))
	c.int(int64(n.Flags))
	c.flag(n.ZeroChallenge)
	c.flag(n.ZeroCredential)
	c.flag(n.ZeroPassword)
}
