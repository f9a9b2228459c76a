package activity

import (
	"crypto/sha256"
	"encoding/binary"
)

// idVersion names the list of canonical fields below. A change of the list, of
// an order or of an encoding needs a new version; old ids stay what they were.
const idVersion = "verderer/activity/1"

// canonical collects the fields that identify a fact, each with its length, so
// that no two lists of fields give the same bytes.
type canonical struct{ b []byte }

func (c *canonical) bytes(b []byte) {
	c.b = binary.AppendUvarint(c.b, uint64(len(b)))
	c.b = append(c.b, b...)
}

func (c *canonical) text(s string) {
	c.b = binary.AppendUvarint(c.b, uint64(len(s)))
	c.b = append(c.b, s...)
}

func (c *canonical) int(n int64) { c.b = binary.AppendVarint(c.b, n) }

func (c *canonical) flag(f bool) {
	if f {
		c.int(1)
	} else {
		c.int(0)
	}
}

func (c *canonical) ints(v []int32) {
	c.int(int64(len(v)))
	for _, n := range v {
		c.int(int64(n))
	}
}

func (c *canonical) texts(v []string) {
	c.int(int64(len(v)))
	for _, s := range v {
		c.text(s)
	}
}

func (c *canonical) endpoint(e Endpoint) {
	b, _ := e.Addr.MarshalBinary()
	c.bytes(b)
	c.int(int64(e.Port))
	c.text(e.Host)
}

// Seal sets the ID from the canonical fields: version, kind, both times, protocol,
// transport, both endpoints, account, outcome, error, the detail's own list, and
// Via unless it is empty.
// Not in it: the sensor, Origin, Anomalies and PasswordTag.
func (a *Activity) Seal() {
	var buf [512]byte
	c := canonical{buf[:0]}
	c.text(idVersion)
	c.text(string(a.Kind))
	c.int(int64(a.Time))
	c.int(int64(a.Requested))
	c.text(string(a.Protocol))
	c.text(string(a.Transport))
	c.endpoint(a.Source)
	c.endpoint(a.Target)
	c.text(a.Account.Name)
	c.text(a.Account.Domain)
	c.text(a.Account.SID)
	c.bytes(a.Account.Raw)
	c.text(string(a.Outcome))
	c.text(a.Error)
	switch {
	case a.Kerberos != nil:
		a.Kerberos.canon(&c)
	case a.Auth != nil:
		a.Auth.canon(&c)
	case a.LDAPBind != nil:
		a.LDAPBind.canon(&c)
	case a.LDAPSearch != nil:
		a.LDAPSearch.canon(&c)
	case a.DNS != nil:
		a.DNS.canon(&c)
	case a.DRS != nil:
		a.DRS.canon(&c)
	case a.Access != nil:
		a.Access.canon(&c)
	case a.RPC != nil:
		a.RPC.canon(&c)
	case a.SMB != nil:
		a.SMB.canon(&c)
	case a.Change != nil:
		a.Change.canon(&c)
	case a.Logon != nil:
		a.Logon.canon(&c)
	case a.Service != nil:
		a.Service.canon(&c)
	case a.Task != nil:
		a.Task.canon(&c)
	case a.Execution != nil:
		a.Execution.canon(&c)
	case a.Netlogon != nil:
		a.Netlogon.canon(&c)
	case a.Certificate != nil:
		a.Certificate.canon(&c)
	case a.Setting != nil:
		a.Setting.canon(&c)
	case a.VPN != nil:
		a.VPN.canon(&c)
	case a.NetBIOS != nil:
		a.NetBIOS.canon(&c)
	}
	if a.Via != "" { // facts from packets keep the ids they had before there was another source
		c.text(string(a.Via))
	}
	h := sha256.Sum256(c.b)
	a.ID = ID(h[:16])
}
