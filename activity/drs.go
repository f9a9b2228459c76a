package activity

// DRS is the detail of a call on the directory replication interface (MS-DRSR
// §4.1). Opnum and sizes stay readable when the stub is sealed.
type DRS struct {
	Opnum        uint16 `json:"opnum" pb:"1"`
	Operation    string `json:"operation,omitempty" pb:"2"`     // IDL_DRSGetNCChanges, …; "" for an opnum the specification does not define
	CallID       uint32 `json:"callId" pb:"3"`                  //
	Context      string `json:"namingContext,omitempty" pb:"4"` // DN asked for, where the stub is readable
	Sealed       bool   `json:"sealed,omitempty" pb:"5"`        // packet privacy: the stub was not readable
	BindSeen     bool   `json:"bindSeen" pb:"6"`                // false: picked up mid-connection and the interface inferred from what else the connection showed
	Fault        uint32 `json:"fault,omitempty" pb:"7"`         // nca or Win32 status of a fault PDU
	RequestSize  int    `json:"requestSize,omitempty" pb:"8"`   // stub bytes of the request
	ResponseSize int    `json:"responseSize,omitempty" pb:"9"`  // stub bytes of the response, all fragments
	Auth         *Auth  `json:"auth,omitempty" pb:"10"`         // who the connection is authenticated as

	// Of Windows events 4928 and 4929, which tell what a call made of the
	// domain controller; Opnum is then that of the call there must have been.
	Event       uint32 `json:"event,omitempty" pb:"20"`
	Source      string `json:"source,omitempty" pb:"21"`       // SourceDRA, DN of the server's NTDS Settings, or SourceAddr
	Destination string `json:"destination,omitempty" pb:"22"`  // DestinationDRA
	Options     uint32 `json:"replicaFlags,omitempty" pb:"23"` // DRS_OPTIONS
}

// DRSUAPI operations that rules look at (MS-DRSR §4.1).
const (
	DRSBind          uint16 = 0
	DRSUnbind        uint16 = 1
	DRSReplicaSync   uint16 = 2
	DRSGetNCChanges  uint16 = 3
	DRSUpdateRefs    uint16 = 4
	DRSReplicaAdd    uint16 = 5
	DRSReplicaDel    uint16 = 6
	DRSCrackNames    uint16 = 12
	DRSDCInfo        uint16 = 16
	DRSAddEntry      uint16 = 17
	DRSAddSIDHistory uint16 = 20
)

func (d *DRS) canon(c *canonical) {
	c.int(int64(d.Opnum))
	c.int(int64(d.CallID))
	c.text(d.Context)
	c.int(int64(d.Fault))
	c.int(int64(d.RequestSize))
	c.int(int64(d.ResponseSize))
	d.Auth.canon(c)
	if d.Event != 0 { // calls keep the ids they had before there were events
		c.int(int64(d.Event))
		c.text(d.Source)
		c.text(d.Destination)
	}
}
