package winevent

import (
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// noEType is the ticket encryption type of a request that got no ticket.
const noEType = 0xffffffff

// maxTransited caps Kerberos.Transited: a chain of services that each act for
// the user has a handful.
const maxTransited = 32

// ticketRequest reads event 4768, written for an AS exchange whether or not it
// was granted. Wrong passwords are in 4771 only, and the first round of a
// logon, KDC_ERR_PREAUTH_REQUIRED, is in neither.
func ticketRequest(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	etype, ok := f.number("TicketEncryptionType")
	if !ok {
		x.Count(badNumber, 1)
		return nil
	}
	a := asExchange(x, now, f)
	if a != nil && etype != noEType {
		// The event names the type of the ticket's encryption. The client's part
		// is encrypted with the same type or the strongest the account has, so
		// a ticket without AES is the safest sign there is of an answer without.
		a.Kerberos.ReplyEType = int32(etype)
	}
	return a
}

// preAuthFailure reads event 4771.
func preAuthFailure(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	a := asExchange(x, now, f)
	if a != nil && a.Outcome == activity.Success {
		x.Count(badNumber, 1) // a failure without a code
		return nil
	}
	return a
}

// asExchange reads what both events have.
func asExchange(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	n, ok := f.numbers("Status", "TicketOptions", "PreAuthType")
	if !ok {
		x.Count(badNumber, 1)
		return nil
	}
	account := f.account("Target", "TargetSid")
	if account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	service := f.text("ServiceName")
	// 4771 names the realm only within the service, krbtgt/REALM: that of the
	// request, and so the client's own (RFC 4120 §5.4.1).
	_, realm, _ := strings.Cut(service, "/")
	if account.Domain == "" {
		account.Domain = realm
	}
	a := exchange(x, activity.KerberosAS, now, f, n[0], n[1])
	a.Account = account
	a.Kerberos.Realm = account.Domain
	a.Kerberos.PAData = paData(n[2])
	if issuer := f.text("CertIssuerName"); issuer != "" {
		a.Kerberos.PKINIT = &activity.PKINIT{Issuer: issuer, Serial: strings.ToLower(f.text("CertSerialNumber")), Thumbprint: strings.ToLower(f.text("CertThumbprint"))}
	}
	// Of version 2, which came with the updates of January 2025.
	if etype, ok := f.number("PreAuthEncryptionType"); ok && etype != noEType {
		a.Kerberos.PreAuthEType = int32(etype)
	}
	return a
}

// serviceTicket reads events 4769 and 4770. Service is the account that the
// ticket is for, not the name that was asked for.
func serviceTicket(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	n, ok := f.numbers("Status", "TicketOptions", "TicketEncryptionType")
	if !ok {
		x.Count(badNumber, 1)
		return nil
	}
	account := f.account("Target", "TargetSid")
	if account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	// TargetUserName is alice@LAB.EXAMPLE.
	if i := strings.LastIndexByte(account.Name, '@'); i > 0 && (account.Domain == "" || strings.EqualFold(account.Name[i+1:], account.Domain)) {
		account.Name, account.Domain = account.Name[:i], account.Name[i+1:]
	}
	a := exchange(x, activity.KerberosTGS, now, f, n[0], n[1])
	a.Account = account
	a.Kerberos.Realm = account.Domain
	a.Kerberos.PAData = []int32{activity.PATGSReq}
	if a.Outcome == activity.Success && n[2] != noEType && n[2] != 0 {
		a.Kerberos.Issued = &activity.Ticket{Service: a.Kerberos.Service, EType: int32(n[2])}
	}
	for _, s := range strings.FieldsFunc(f.text("TransmittedServices"), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\r' || r == '\n' }) {
		if len(a.Kerberos.Transited) < maxTransited {
			a.Kerberos.Transited = append(a.Kerberos.Transited, s)
		}
	}
	return a
}

// exchange starts an activity of an exchange with the KDC.
func exchange(x *decode.Context, kind activity.Kind, now activity.Time, f fields, status, options uint32) *activity.Activity {
	a := event(x, kind, now, f)
	a.Protocol = activity.ProtoKerberos
	a.Source = f.source("")
	a.Kerberos = &activity.Kerberos{
		Service:     f.text("ServiceName"),
		Options:     options,
		ETypes:      etypes(f.Get("ClientAdvertizedEncryptionTypes")),
		ErrorCode:   int32(status),
		RequestSeen: true,
	}
	a.Outcome = activity.Success
	if status != 0 {
		a.Outcome = activity.Failure
		a.Error = activity.KRBErrorName(int32(status))
	}
	return a
}

// etypes reads a list of names, one a line, of version 2 of the events.
func etypes(s string) (list []int32) {
	for name := range strings.FieldsSeq(s) {
		if e, ok := etypeNames[strings.ToUpper(name)]; ok && len(list) < len(etypeNames) {
			list = append(list, e)
		}
	}
	return list
}

// etypeNames are the encryption types as these events spell them.
var etypeNames = map[string]int32{
	"DES-CBC-CRC": 1, "DES-CBC-MD5": 3,
	"AES128-CTS-HMAC-SHA1-96": 17, "AES256-CTS-HMAC-SHA1-96": 18,
	"AES128-CTS-HMAC-SHA256-128": 19, "AES256-CTS-HMAC-SHA384-192": 20,
	"RC4-HMAC-NT": 23, "RC4-HMAC-NT-EXP": 24,
	"RC4-MD4": -128, "RC4-HMAC-OLD": -133, "RC4-HMAC-OLD-EXP": -135,
}

// paData is the request's padata that a pre-authentication type stands for. The
// KDC writes down the type of its answer as well as the client's: for PKINIT 15
// to 17 (RFC 4556 §3.1.3), for FAST 136 to 138 (RFC 6113 §5.4).
func paData(preAuth uint32) []int32 {
	switch {
	case preAuth == 0:
		return nil
	case preAuth >= 15 && preAuth <= 17:
		return []int32{activity.PAPKASReq}
	case preAuth >= 136 && preAuth <= 138:
		return []int32{activity.PAFXFast}
	}
	return []int32{int32(preAuth)}
}
