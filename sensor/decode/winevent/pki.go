package winevent

import (
	"slices"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// maxNames is the cap of Certificate.Names.
const maxNames = 64

// certificate reads events 4886 to 4888 and 4870 of a certification authority.
func certificate(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	a := event(x, activity.CertificateRequest, now, f)
	c := &activity.Certificate{
		RequestID: f.text("RequestId"), Requester: f.text("Requester"), Attributes: f.text("Attributes"),
		Subject: f.text("Subject"), SKI: hexOnly(f.text("SubjectKeyIdentifier")), Serial: hexOnly(f.text("SerialNumber")),
		Template: f.text("CertificateTemplate"), Authority: activity.Cut(f.Computer),
	}
	a.Certificate = c
	a.Account = logonName(c.Requester)
	switch f.ID {
	case 4886:
		c.Act, a.Outcome = "request", activity.Attempt
	case 4887:
		c.Act = "issue"
	case 4888:
		c.Act, a.Outcome = "deny", activity.Failure
	case 4870:
		c.Act = "revoke"
		c.Serial = hexOnly(f.text("CertificateSerialNumber"))
		a.Account = f.subject()
	}
	if c.RequestID == "" && c.Serial == "" {
		x.Count(noObject, 1)
		return nil
	}
	// The request's attributes, one a line: CertificateTemplate:User, SAN:upn=…&dns=….
	for line := range strings.Lines(c.Attributes) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch strings.ToLower(name) {
		case "certificatetemplate":
			if c.Template == "" {
				c.Template = strings.TrimSpace(value)
			}
		case "san":
			c.Names = alternatives(c.Names, value, "&")
		}
	}
	// Of newer versions: "Principal Name=…" and the like, one a line.
	c.Names = alternatives(c.Names, f.text("SubjectAlternativeName"), "\n")
	return a
}

// alternatives adds subject alternative names as upn:…, dns:….
func alternatives(list []string, s, separator string) []string {
	for part := range strings.SplitSeq(s, separator) {
		kind, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		kind, value = strings.ToLower(strings.TrimSpace(kind)), strings.TrimSpace(value)
		if !ok || value == "" {
			continue
		}
		switch kind {
		case "principal name":
			kind = "upn"
		case "dns name":
			kind = "dns"
		case "rfc822 name", "email":
			kind = "mail"
		}
		if n := kind + ":" + value; len(list) < maxNames && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// hexOnly is lower-case hex without spaces.
func hexOnly(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }

// settings says which fields of an event name the setting, its new value and
// the one before.
var settings = map[uint32]struct{ entry, value, old string }{
	4882: {"", "SecuritySettings", ""}, // who may do what with the authority
	4885: {"", "AuditFilter", ""},
	4890: {"", "RestrictedPermissions", "EnableRestrictedPermissions"}, // of certificate managers
	4892: {"PropertyName", "PropertyValue", ""},
	4896: {"TableId", "RowsDeleted", "Filter"}, // rows of the database were deleted
	4899: {"TemplateInternalName", "NewTemplateContent", "OldTemplateContent"},
	4900: {"TemplateInternalName", "NewSecurityDescriptor", "OldSecurityDescriptor"},
}

// setting reads events of how a certification authority is set up.
func setting(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	a := event(x, activity.ServerSetting, now, f)
	a.Account = f.subject()
	of := settings[f.ID]
	s := &activity.Setting{Event: f.ID, Entry: of.value, Value: f.text(of.value), Old: f.text(of.old)}
	if of.entry != "" {
		s.Entry = f.text(of.entry)
	}
	if s.Value == "" && (of.entry == "" || s.Entry == "") {
		x.Count(noObject, 1)
		return nil
	}
	a.Setting = s
	return a
}

// federationSetting reads events 307 and 510 of AD FS: its configuration was
// changed, and what belongs to that. Their values have no names: first the id
// of the instance, which both share.
func federationSetting(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	data := f.data()
	if len(data) == 0 {
		x.Count(noObject, 1)
		return nil
	}
	a := event(x, activity.ServerSetting, now, f)
	a.Account = f.user()
	s := &activity.Setting{Event: f.ID, Instance: at(data, 0), Entry: at(data, 1)}
	var rest []string
	for i := 2; i < len(data); i++ {
		if v := at(data, i); v != "" {
			rest = append(rest, v)
		}
	}
	s.Value = activity.Cut(strings.Join(rest, "\n"))
	a.Setting = s
	return a
}

// federationLogon reads events 1200 to 1203 of AD FS: a token was issued or
// refused, and before that a password or the like was accepted or not. What
// happened is XML in the second value.
func federationLogon(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	data := f.data()
	l := &activity.Logon{Event: f.ID}
	a := event(x, activity.ADFSLogon, now, f)
	a.Protocol = activity.ProtoHTTP
	a.Logon = l
	var user, address, forwarded, failure string
	text := ""
	if len(data) > 1 {
		text = data[1]
	}
	ok := elements(text, func(path []string, v string) {
		if v == "N/A" {
			return
		}
		v = activity.Cut(v)
		switch path[len(path)-1] {
		case "UserId":
			user = v
		case "RelyingParty":
			l.Relying = v
		case "AuthProtocol":
			l.Package = v
		case "UserAgentString":
			l.UserAgent = v
		case "IpAddress":
			address = v
		case "ForwardedIpAddress":
			forwarded = v
		case "FailureType":
			if v != "None" {
				failure = v
			}
		}
	})
	if !ok {
		x.Count(badXML, 1)
		return nil
	}
	if a.Account = logonName(user); a.Account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	// Behind a proxy the client is the first that it forwards for.
	if first, _, _ := strings.Cut(forwarded, ","); first != "" {
		address = strings.TrimSpace(first)
	} else if first, _, ok := strings.Cut(address, ","); ok {
		address = strings.TrimSpace(first)
	}
	a.Source = f.client(address, "", "")
	a.Outcome = activity.Success
	if f.ID == 1201 || f.ID == 1203 {
		a.Outcome, a.Error = activity.Failure, failure
	}
	return a
}
