package sambaaudit

import (
	"strconv"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// authentication reads a password or key that was checked.
func authentication(x *decode.Context, now activity.Time, r record) *activity.Activity {
	status, known := activity.StatusCode(r.Get("status"))
	if !known { // the name is told, and what it stands for is not
		x.Count(unknownStatus, 1)
		status = 0xc0000001
	}
	service, description := r.Get("serviceDescription"), r.Get("authDescription")
	if strings.HasPrefix(r.Get("remoteAddress"), "unix:") {
		x.Count(internal, 1)
		return nil
	}
	account := activity.Account{Name: r.text("clientAccount"), Domain: r.text("clientDomain"), SID: sid(r.Get("becameSid"))}
	if account.SID == anonymous {
		account.SID = ""
	}
	switch {
	case service == "Kerberos KDC":
		return asExchange(x, now, r, account, status, description)
	case strings.HasPrefix(description, "simple bind"):
		return simpleBind(x, now, r, account, status)
	case service == "SAMR Password Change" || service == "kpasswd":
		// A passwordChange tells of those that came to be.
		if status == 0 {
			x.Count(changedTold, 1)
			return nil
		}
		if account.Zero() {
			x.Count(noAccount, 1)
			return nil
		}
		a := start(x, activity.DirectoryChange, now, r)
		a.Protocol, a.Account = services[service], account
		a.Change = &activity.Change{Event: 4723, Act: "password-change", Class: "user", Object: account.Name, Domain: account.Domain}
		a.Outcome, a.Error = activity.Failure, statusName(r, status)
		return a
	case strings.HasPrefix(description, "ServerAuthenticate"):
		return secureChannel(x, now, r, account, status)
	}
	a := start(x, activity.NTLMLogon, now, r)
	a.Protocol = services[service]
	a.Account = account
	n := &activity.NTLM{
		User: account.Name, Domain: account.Domain, Workstation: strings.TrimPrefix(r.text("workstation"), `\\`),
		Anonymous: r.Get("becameSid") == anonymous,
	}
	switch r.Get("passwordType") {
	case "NTLMv2":
		n.Version = 2
	case "NTLMv1", "LANMan":
		n.Version = 1
	}
	if service == "NETLOGON" {
		// The client is known to the server that passes its answer on, which is
		// who the record's address belongs to.
		n.ServerName = r.text("netlogonComputer")
		a.Source = activity.Endpoint{Host: n.Workstation}
	}
	a.Auth = &activity.Auth{Mechanism: activity.MechNTLM, NTLM: n}
	if account.Zero() && !n.Anonymous {
		x.Count(noAccount, 1)
		return nil
	}
	if status != 0 {
		a.Outcome, a.Error = activity.Failure, statusName(r, status)
	}
	return a
}

// statusName is the name of a status as MS-ERREF has it.
func statusName(r record, status uint32) string {
	if name := r.text("status"); status != 0 && strings.HasPrefix(name, "NT_STATUS_") {
		return strings.TrimPrefix(name, "NT_")
	}
	return activity.StatusName(status)
}

// kdcErrors are the codes that Samba's KDC answers with for a status (RFC 4120
// §7.5.9; source4/kdc and MS-KILE §3.3.5).
var kdcErrors = map[uint32]int32{
	0xc0000064: activity.KRBPrincipalUnknown,
	0xc000006a: activity.KRBPreAuthFailed,
	0xc000006d: activity.KRBPreAuthFailed,
	0xc000006e: 12, // KDC_ERR_POLICY
	0xc000006f: activity.KRBClientRevoked,
	0xc0000070: 12,
	0xc0000071: activity.KRBKeyExpired,
	0xc0000072: activity.KRBClientRevoked,
	0xc0000193: activity.KRBClientRevoked,
	0xc0000224: activity.KRBKeyExpired,
	0xc0000234: activity.KRBClientRevoked,
	0xc0000133: 37, // KRB_AP_ERR_SKEW
}

// preAuths are what Samba's KDC (Heimdal, kdc/kerberos5.c) calls the ways to
// prove who asks, and their padata.
var preAuths = []struct {
	name string
	pa   int32
}{
	{"ENC-TS", activity.PAEncTimestamp},
	{"PK-INIT", activity.PAPKASReq}, {"PKINIT", activity.PAPKASReq},
	{"ENC-CH", activity.PAEncChallenge}, {"ENCRYPTED-CHALLENGE", activity.PAEncChallenge},
	{"FX-FAST", activity.PAFXFast},
}

// asExchange reads the end of an exchange with the KDC. That pre-authentication
// is required is not logged.
func asExchange(x *decode.Context, now activity.Time, r record, account activity.Account, status uint32, description string) *activity.Activity {
	// clientAccount is alice@LAB.EXAMPLE, or of an enterprise name
	// alice@example.org@LAB.EXAMPLE.
	if i := strings.LastIndexByte(account.Name, '@'); i > 0 {
		account.Name, account.Domain = account.Name[:i], account.Name[i+1:]
	}
	account.Name = strings.ReplaceAll(account.Name, `\@`, "@")
	if account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	a := start(x, activity.KerberosAS, now, r)
	a.Protocol, a.Account = activity.ProtoKerberos, account
	k := &activity.Kerberos{Realm: account.Domain, RequestSeen: true, PreAuthEType: activity.ETypeCode(r.Get("passwordType"))}
	a.Kerberos = k
	if how, ok := strings.CutSuffix(description, " Pre-authentication"); ok && how != "Unknown" { // which stands for none
		for _, p := range preAuths {
			if strings.HasPrefix(how, p.name) {
				k.PAData = append(k.PAData, p.pa)
				break
			}
		}
		if k.PAData == nil { // without it, it would look like none
			x.Count(otherPreAuth, 1)
			return nil
		}
	}
	if status != 0 {
		a.Outcome = activity.Failure
		k.Status = status
		code, ok := kdcErrors[status]
		if !ok {
			code = 60 // KRB_ERR_GENERIC
		}
		k.ErrorCode, a.Error = code, activity.KRBErrorName(code)
	}
	return a
}

// bindData is AD's sub-error of a refused bind: the Win32 error of a status
// (MS-ERREF §2.2), in hex.
var bindData = map[uint32]string{
	0xc0000064: "525", 0xc000006a: "52e", 0xc000006d: "52e", 0xc000006f: "530", 0xc0000070: "531",
	0xc0000071: "532", 0xc0000072: "533", 0xc0000193: "701", 0xc0000224: "773", 0xc0000234: "775",
}

// simpleBind reads an LDAP bind with a password.
func simpleBind(x *decode.Context, now activity.Time, r record, account activity.Account, status uint32) *activity.Activity {
	a := start(x, activity.LDAPSimple, now, r)
	a.Protocol = activity.ProtoLDAP
	a.Account = account
	b := &activity.LDAPBind{Version: 3, Anonymous: r.Get("becameSid") == anonymous, TLS: strings.HasSuffix(r.Get("authDescription"), "/TLS")}
	a.LDAPBind = b
	if status != 0 {
		b.ResultCode, b.Data = 49, bindData[status]
		a.Outcome, a.Error = activity.Failure, activity.LDAPResultName(49)
	}
	if account.Zero() && !b.Anonymous {
		x.Count(noAccount, 1)
		return nil
	}
	return a
}

// secureChannel reads a computer's proof that it knows its password, or a
// stranger's that it does not.
func secureChannel(x *decode.Context, now activity.Time, r record, account activity.Account, status uint32) *activity.Activity {
	if account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	a := start(x, activity.NetlogonChannel, now, r)
	a.Protocol, a.Account = activity.ProtoDCERPC, account
	flags, _ := strconv.ParseUint(r.Get("netlogonNegotiateFlags"), 0, 32)
	kind, _ := strconv.ParseUint(r.Get("netlogonSecureChannelType"), 10, 16)
	a.Netlogon = &activity.Netlogon{Computer: r.text("netlogonComputer"), ChannelType: uint16(kind), Flags: uint32(flags)}
	if status != 0 {
		a.Outcome, a.Error = activity.Failure, statusName(r, status)
	}
	return a
}

// authorization reads the use of a ticket.
func authorization(x *decode.Context, now activity.Time, r record) *activity.Activity {
	who := r.Get("sid")
	a := start(x, activity.KerberosAP, now, r)
	switch {
	case !a.Source.Addr.IsValid() || who == system:
		x.Count(internal, 1)
		return nil
	case r.Get("authType") != "krb5":
		x.Count(repeated, 1)
		return nil
	}
	a.Account = activity.Account{Name: r.text("account"), Domain: r.text("domain"), SID: sid(who)}
	if a.Account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	a.Protocol = services[r.Get("serviceDescription")]
	a.Auth = &activity.Auth{Mechanism: activity.MechKerberos}
	switch r.Get("transportProtection") {
	case "SIGN":
		a.Auth.Protection = "integrity"
	case "SEAL":
		a.Auth.Protection = "privacy"
	}
	return a
}

// number is a value that is one.
func (r record) number(name string) int32 {
	n, err := strconv.ParseInt(r.Get(name), 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}
