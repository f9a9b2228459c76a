package sambaaudit

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
)

// What is counted.
const (
	otherType     = "records of other types"
	repeated      = "authorizations that follow an authentication"
	internal      = "authentications and authorizations of the domain controller's own"
	otherPreAuth  = "Kerberos authentications in a way that is not known"
	bookkeeping   = "changes of what the domain controller notes of logons"
	transactions  = "transactions"
	changedTold   = "password changes that another record tells"
	noAccount     = "records that name no account"
	noObject      = "records that do not say what they are about"
	cut           = "records with values left out or shortened"
	unknownStatus = "records with a status that has no number"
)

// Events registers the reader.
var Events = decode.Events{
	Name: "sambaaudit",
	Read: read,
	Reasons: []string{
		otherType, repeated, internal, otherPreAuth, bookkeeping, transactions, changedTold, noAccount, noObject, cut, unknownStatus,
	},
}

func read(x *decode.Context, now activity.Time, e *decode.Event) {
	if e.Provider != decode.Samba {
		return
	}
	var a *activity.Activity
	r := record{e}
	switch e.Channel {
	case "Authentication":
		a = authentication(x, now, r)
	case "Authorization":
		a = authorization(x, now, r)
	case "dsdbChange":
		a = change(x, now, r)
	case "groupChange":
		a = groupChange(x, now, r)
	case "passwordChange":
		a = passwordChange(x, now, r)
	case "dsdbTransaction":
		x.Count(transactions, 1)
	default:
		x.Count(otherType, 1)
	}
	if a == nil {
		return
	}
	if e.Cut > 0 {
		x.Count(cut, 1)
	}
	x.Emit(a)
}

// record reads the values of a record.
type record struct{ *decode.Event }

func (r record) text(name string) string { return activity.Cut(r.Get(name)) }

// endpoint reads ipv4:10.77.0.21:42612, ipv6:fd00::1:389; nothing for unix: and
// for what states no address.
func endpoint(s string) activity.Endpoint {
	family, rest, _ := strings.Cut(s, ":")
	i := strings.LastIndexByte(rest, ':')
	if family != "ipv4" && family != "ipv6" || i < 0 {
		return activity.Endpoint{}
	}
	addr, err := netip.ParseAddr(rest[:i])
	if err != nil || addr.IsUnspecified() || addr.IsLoopback() {
		return activity.Endpoint{}
	}
	port, _ := strconv.ParseUint(rest[i+1:], 10, 16)
	return activity.Endpoint{Addr: names.Addr(addr), Port: uint16(port)}
}

// start begins an activity between the record's two addresses.
func start(x *decode.Context, kind activity.Kind, now activity.Time, r record) *activity.Activity {
	a := x.NewEvent(kind, now, r.Event)
	a.Source, a.Target = endpoint(r.Get("remoteAddress")), endpoint(r.Get("localAddress"))
	a.Outcome = activity.Success
	return a
}

// sid is a SID, "" for what is none.
func sid(s string) string {
	if _, err := names.ParseSID(s); err != nil {
		return ""
	}
	return s
}

// services are Samba's names of what was asked, and the protocol that carried it.
var services = map[string]activity.Protocol{
	"Kerberos KDC": activity.ProtoKerberos, "SMB": activity.ProtoSMB, "SMB2": activity.ProtoSMB,
	"LDAP": activity.ProtoLDAP, "LDAPS": activity.ProtoLDAP, "DCE/RPC": activity.ProtoDCERPC,
	"NETLOGON": activity.ProtoNTLM, "winbind": activity.ProtoNTLM, "ntlm_auth": activity.ProtoNTLM,
	"dns": activity.ProtoDNS, "kpasswd": activity.ProtoKpasswd, "SAMR Password Change": activity.ProtoDCERPC,
}

// anonymous is the SID of a logon without an account (MS-DTYP §2.4.2.4), and
// system that of the computer's own services.
const (
	anonymous = "S-1-5-7"
	system    = "S-1-5-18"
)
