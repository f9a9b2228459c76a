package winevent

import (
	"regexp"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/decode"
)

// objectChange reads events 5136 to 5139 and 5141: one value of an object, or
// the object as a whole.
func objectChange(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	a := event(x, activity.DirectoryChange, now, f)
	a.Account = f.subject()
	c := &activity.Change{
		Event: f.ID, Class: f.text("ObjectClass"), Object: f.text("ObjectDN"), Domain: f.text("DSName"),
		GUID: guid(f.text("ObjectGUID")), Correlation: guid(f.text("OpCorrelationID")),
	}
	a.Change = c
	switch f.ID {
	case 5136:
		c.Act = "modify"
		name := f.text("AttributeLDAPDisplayName")
		if name == "" {
			x.Count(noObject, 1)
			return nil
		}
		change := activity.AttributeChange{Name: name, Count: 1}
		switch f.text("OperationType") {
		case "%%14674":
			change.Act = "add"
		case "%%14675":
			change.Act = "delete"
		}
		// Bytes stand as "<Binary>", in the language of the domain controller.
		if v := f.text("AttributeValue"); !activity.SecretAttribute(name) && f.text("AttributeSyntaxOID") != octetString {
			change.Values = values(v)
		}
		c.Attributes = []activity.AttributeChange{change}
	case 5137:
		c.Act = "create"
	case 5138, 5139:
		c.Act = "rename"
		if f.ID == 5138 {
			c.Act = "restore"
		}
		c.Object, c.NewName = f.text("OldObjectDN"), f.text("NewObjectDN")
	case 5141:
		c.Act = "delete"
	}
	if c.Object == "" && c.GUID == "" {
		x.Count(noObject, 1)
		return nil
	}
	return a
}

// octetString is the syntax of attributes that are bytes (MS-ADTS §3.1.1.2.2.2).
const octetString = "2.5.5.10"

// guid takes the braces off.
func guid(s string) string {
	s = strings.ToLower(strings.Trim(s, "{}%"))
	if !isGUID(s) || s == "00000000-0000-0000-0000-000000000000" {
		return ""
	}
	return s
}

// replica reads events 4928 and 4929: a domain controller took up, or gave up,
// another as a source of replication, as IDL_DRSReplicaAdd and -Del ask for.
func replica(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	n, ok := f.numbers("Options", "StatusCode")
	if !ok {
		x.Count(badNumber, 1)
		return nil
	}
	a := event(x, activity.Replication, now, f)
	a.Protocol = activity.ProtoDRSR
	d := &activity.DRS{
		Event: f.ID, Opnum: activity.DRSReplicaAdd, Operation: "IDL_DRSReplicaAdd",
		Context: f.text("NamingContext"), Source: f.text("SourceDRA"), Destination: f.text("DestinationDRA"), Options: n[0],
	}
	if f.ID == 4929 {
		d.Opnum, d.Operation = activity.DRSReplicaDel, "IDL_DRSReplicaDel"
	}
	if d.Source == "" {
		d.Source = f.text("SourceAddr")
	}
	if d.Source == "" && d.Context == "" {
		x.Count(noObject, 1)
		return nil
	}
	a.DRS = d
	a.Outcome = activity.Success
	if n[1] != 0 { // a Win32 error of the directory service
		a.Outcome = activity.Failure
	}
	return a
}

// Places of the values of event 1644, which have no names.
const (
	searchBase = iota
	searchFilter
	searchVisited
	searchReturned
	searchClient
	searchScope
	searchAttributes
	searchControls
	searchUser = 16
)

// maxAttributes is the cap of LDAPSearch.Attributes.
const maxAttributes = 256

// search reads event 1644 of the directory service: a search that was found
// worth noting, which by default are expensive ones only.
func search(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	data := f.data()
	if at(data, searchFilter) == "" || at(data, searchScope) == "" {
		x.Count(noObject, 1)
		return nil
	}
	entries, ok := parse(at(data, searchReturned), 31)
	if !ok {
		x.Count(badNumber, 1)
		return nil
	}
	a := event(x, activity.LDAPQuery, now, f)
	a.Protocol = activity.ProtoLDAP
	a.Account = logonName(at(data, searchUser))
	if a.Account.Zero() {
		a.Account = f.user()
	}
	if addr, port, err := names.ParseAddr(at(data, searchClient)); err == nil && !addr.IsLoopback() && !addr.IsUnspecified() {
		a.Source = activity.Endpoint{Addr: names.Addr(addr), Port: port}
	} else if err == nil || strings.EqualFold(at(data, searchClient), "SAM") || strings.EqualFold(at(data, searchClient), "Internal") {
		a.Source.Host = activity.Cut(f.Computer)
	}
	s := &activity.LDAPSearch{Base: at(data, searchBase), Filter: compact(at(data, searchFilter)), Entries: int(entries)}
	a.LDAPSearch = s
	switch strings.ToLower(at(data, searchScope)) {
	case "onelevel", "one level", "1":
		s.Scope = 1
	case "subtree", "2":
		s.Scope = 2
	}
	// "[all_with_list]name, objectCategory", "[all]".
	list := at(data, searchAttributes)
	if i := strings.IndexByte(list, ']'); strings.HasPrefix(list, "[") && i > 0 {
		list = list[i+1:]
	}
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		if len(s.Attributes) < maxAttributes {
			s.Attributes = append(s.Attributes, name)
		}
	}
	return a
}

// bits are the matching rules for bits (MS-ADTS §3.1.1.3.4.4), which the event
// writes as (userAccountControl&2).
var bits = regexp.MustCompile(`\(([A-Za-z][A-Za-z0-9.-]*)([&|])([0-9]+)\)`)

// compact makes RFC 4515 of a filter as the event has it, which puts spaces
// between its parts.
func compact(s string) string {
	var b strings.Builder
	between := true // not within an assertion
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case between && c == ' ':
			continue
		case c == '(' || c == ')' || between && (c == '&' || c == '|' || c == '!'):
			between = true
		default:
			between = false
		}
		b.WriteByte(c)
	}
	return bits.ReplaceAllStringFunc(b.String(), func(m string) string {
		i := strings.IndexAny(m, "&|")
		rule := ":1.2.840.113556.1.4.803:="
		if m[i] == '|' {
			rule = ":1.2.840.113556.1.4.804:="
		}
		return m[:i] + rule + m[i+1:]
	})
}

// dnsAnswer reads events 257 and 258 of the DNS server's analytical log: a
// response that was sent, or could not be made.
func dnsAnswer(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	n, ok := f.numbers("XID", "QTYPE", "RCODE", "Port", "Flags")
	if !ok || n[3] > 0xffff || n[1] > 0xffff || n[0] > 0xffff {
		x.Count(badNumber, 1)
		return nil
	}
	a := event(x, activity.DNSQuery, now, f)
	a.Protocol, a.Transport = activity.ProtoDNS, activity.UDP
	if f.yes("TCP") {
		a.Transport = activity.TCP
	}
	a.Source = f.client(f.text("Destination"), f.text("Port"), "")
	if addr, _, err := names.ParseAddr(f.text("InterfaceIP")); err == nil && !addr.IsUnspecified() {
		a.Target.Addr, a.Target.Port = names.Addr(addr), 53
	}
	a.DNS = &activity.DNS{
		TxID: uint16(n[0]), Question: strings.TrimSuffix(f.text("QNAME"), "."), Type: uint16(n[1]), Class: 1, RCode: int(n[2] & 0xf),
		Authoritative: f.yes("AA"), Truncated: n[4]&0x200 != 0,
	}
	a.Outcome = activity.Success
	if code := n[2] & 0xf; code != 0 {
		a.Outcome, a.Error = activity.Failure, activity.DNSRCodeName(int(code))
	}
	return a
}

// dnsQuestion counts event 256: its answer, which says more, is an event too.
func dnsQuestion(x *decode.Context, _ activity.Time, _ fields) *activity.Activity {
	x.Count(dnsQuestions, 1)
	return nil
}
