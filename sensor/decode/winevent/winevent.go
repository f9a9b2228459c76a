package winevent

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
)

// provider writes the events read here. Others use the same ids.
const provider = "Microsoft-Windows-Security-Auditing"

// What is counted.
const (
	otherProvider = "events of other providers"
	otherID       = "events of other ids"
	zoneless      = "events with a time without zone, taken as UTC"
	cut           = "events with fields left out or shortened"
	noAccount     = "events that name no account"
	badNumber     = "events with a field that is no number"
	otherServer   = "directory access events of another object server"
)

// Events registers the reader.
var Events = decode.Events{
	Name:    "winevent",
	Read:    read,
	Reasons: []string{otherProvider, otherID, zoneless, cut, noAccount, badNumber, otherServer},
}

func read(x *decode.Context, now activity.Time, e *decode.Event) {
	if !strings.EqualFold(e.Provider, provider) {
		x.Count(otherProvider, 1)
		return
	}
	var to func(*decode.Context, activity.Time, fields) *activity.Activity
	switch e.ID {
	case 4768: // a ticket-granting ticket was requested
		to = ticketRequest
	case 4771: // Kerberos pre-authentication failed
		to = preAuthFailure
	case 4662: // an operation was performed on an object
		to = directoryAccess
	default:
		x.Count(otherID, 1)
		return
	}
	if e.Zoneless {
		x.Count(zoneless, 1)
	}
	if e.Cut > 0 {
		x.Count(cut, 1)
	}
	if a := to(x, now, fields{e}); a != nil {
		x.Emit(a)
	}
}

// fields reads the values of an event.
type fields struct{ *decode.Event }

// text is a value; the "-" that Windows writes for none is "".
func (f fields) text(name string) string {
	s := strings.TrimSpace(f.Get(name))
	if s == "-" {
		return ""
	}
	return activity.Cut(s)
}

// number is a value of at most 32 bits, decimal or hexadecimal. Nothing at all
// is 0.
func (f fields) number(name string) (uint32, bool) {
	s := f.text(name)
	if s == "" {
		return 0, true
	}
	base := 10
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		s, base = s[2:], 16
	}
	n, err := strconv.ParseUint(s, base, 32)
	return uint32(n), err == nil
}

// account reads NAME, domain and SID. S-1-0-0 (nobody) stands for an account
// that the domain controller does not know.
func (f fields) account(prefix, sidField string) activity.Account {
	a := activity.Account{Name: f.text(prefix + "UserName"), Domain: f.text(prefix + "DomainName"), SID: f.text(sidField)}
	if sid, err := names.ParseSID(a.SID); err != nil || sid.String() == "S-1-0-0" {
		a.SID = ""
	}
	return a
}

// source is the client. An IPv4 address stands as ::ffff:10.0.0.1; a request
// of the domain controller's own has ::1, which is no address of a host.
func (f fields) source() activity.Endpoint {
	addr, err := netip.ParseAddr(f.text("IpAddress"))
	if err != nil {
		return activity.Endpoint{}
	}
	addr = names.Addr(addr)
	if addr.IsLoopback() {
		return activity.Endpoint{Host: activity.Cut(f.Computer)}
	}
	if addr.IsUnspecified() {
		return activity.Endpoint{}
	}
	port, _ := f.number("IpPort")
	if port > 0xffff {
		port = 0
	}
	return activity.Endpoint{Addr: addr, Port: uint16(port)}
}
