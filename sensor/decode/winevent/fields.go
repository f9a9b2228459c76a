package winevent

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
)

// fields reads the values of an event.
type fields struct{ *decode.Event }

// unnamed tells an event whose values all lack names: those of Get-WinEvent, and
// of Winlogbeat where it does not know the event's template, which numbers them.
func unnamed(e *decode.Event) bool {
	for i := range e.Fields {
		if n := e.Fields[i].Name; n != "Data" && n != "Binary" && ordinal(n) < 0 {
			return false
		}
	}
	return len(e.Fields) > 0
}

// ordinal is the place that "param3" stands for, 2; −1 for another name.
func ordinal(name string) int {
	digits, ok := strings.CutPrefix(name, "param")
	if n, err := strconv.Atoi(digits); ok && err == nil && n > 0 && n <= 256 {
		return n - 1
	}
	return -1
}

// name gives the values their names, in order. Templates grow at their end.
func name(e *decode.Event, list string) (fields, bool) {
	all := strings.Fields(list)
	values := fields{e}.data()
	if len(values) > len(all) {
		return fields{}, false
	}
	with := *e
	with.Fields = make([]decode.Field, len(values))
	for i, v := range values {
		with.Fields[i] = decode.Field{Name: all[i], Value: v}
	}
	return fields{&with}, true
}

// data are the values without names, in order.
func (f fields) data() (list []string) {
	for i := range f.Fields {
		switch n := f.Fields[i].Name; {
		case n == "Data":
			list = append(list, f.Fields[i].Value)
		case ordinal(n) >= 0:
			for len(list) <= ordinal(n) {
				list = append(list, "")
			}
			list[ordinal(n)] = f.Fields[i].Value
		}
	}
	return list
}

// at is a value without name by its place, "" where there is none.
func at(list []string, i int) string {
	if i >= len(list) {
		return ""
	}
	return tidy(list[i])
}

// text is a value; the "-" that Windows writes for none is "".
func (f fields) text(name string) string { return tidy(f.Get(name)) }

func tidy(s string) string {
	s = strings.TrimSpace(s)
	if s == "-" {
		return ""
	}
	return activity.Cut(s)
}

// set is a value that a change states: "" when it did not change. %%1793 stands
// for one that is not set.
func (f fields) set(name string) (value string, changed bool) {
	switch s := f.text(name); s {
	case "":
		return "", false
	case "%%1793":
		return "", true
	default:
		return s, true
	}
}

// yes tells that a value is so: %%1842 stands for it.
func (f fields) yes(name string) bool {
	switch f.text(name) {
	case "%%1842", "true", "1", "Yes":
		return true
	}
	return false
}

// long is a value of at most 64 bits, decimal or hexadecimal; one of 32 may have
// a sign, as PowerShell shows some. Nothing at all is 0.
func (f fields) long(name string) (uint64, bool) { return parse(f.text(name), 64) }

// number is one of at most 32 bits.
func (f fields) number(name string) (uint32, bool) {
	n, ok := parse(f.text(name), 32)
	return uint32(n), ok
}

func parse(s string, bits int) (uint64, bool) {
	if s == "" {
		return 0, true
	}
	base := 10
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		s, base = s[2:], 16
	}
	if s[0] == '-' && bits == 32 { // the same bits, with a sign
		n, err := strconv.ParseInt(s, 10, 32)
		return uint64(uint32(n)), err == nil
	}
	n, err := strconv.ParseUint(s, base, bits)
	return n, err == nil
}

// numbers reads several; false when one is none.
func (f fields) numbers(names ...string) (list []uint32, ok bool) {
	for _, name := range names {
		n, ok := f.number(name)
		if !ok {
			return nil, false
		}
		list = append(list, n)
	}
	return list, true
}

// account reads NAME, domain and SID. S-1-0-0 (nobody) stands for an account
// that the domain controller does not know.
func (f fields) account(prefix, sidField string) activity.Account {
	return activity.Account{Name: f.text(prefix + "UserName"), Domain: f.text(prefix + "DomainName"), SID: f.sid(sidField)}
}

// subject is who did it.
func (f fields) subject() activity.Account { return f.account("Subject", "SubjectUserSid") }

// sid is a SID, "" for what is none and for S-1-0-0.
func (f fields) sid(name string) string { return sid(f.text(name)) }

func sid(s string) string {
	// Some collectors write DOMAIN\name or %{S-1-…} in its place.
	s = strings.TrimSuffix(strings.TrimPrefix(s, "%{"), "}")
	if v, err := names.ParseSID(s); err != nil || v.String() == "S-1-0-0" {
		return ""
	}
	return s
}

// user is who the event was written for, as the log's header says.
func (f fields) user() activity.Account {
	a := activity.Account{SID: sid(f.User)}
	if a.SID != "" { // NXLog looks its name up
		a.Name, a.Domain = f.text("AccountName"), f.text("Domain")
	}
	return a
}

// logonName splits DOMAIN\name.
func logonName(s string) activity.Account {
	if domain, name, ok := strings.Cut(s, `\`); ok && name != "" {
		return activity.Account{Name: name, Domain: domain}
	}
	return activity.Account{Name: s}
}

// source is the client. An IPv4 address stands as ::ffff:10.0.0.1; a request
// of the computer's own has ::1, which is no address of a host. host names it
// where no address does.
func (f fields) source(host string) activity.Endpoint {
	return f.client(f.text("IpAddress"), f.text("IpPort"), host)
}

func (f fields) client(address, port, host string) activity.Endpoint {
	host = activity.Cut(strings.TrimPrefix(host, `\\`))
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return activity.Endpoint{Host: host}
	}
	addr = names.Addr(addr)
	if addr.IsLoopback() {
		return activity.Endpoint{Host: activity.Cut(f.Computer)}
	}
	if addr.IsUnspecified() {
		return activity.Endpoint{Host: host}
	}
	n, ok := parse(port, 16)
	if !ok {
		n = 0
	}
	return activity.Endpoint{Addr: addr, Port: uint16(n), Host: host}
}
