package winevent

import (
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// noEType is the ticket encryption type of a request that got no ticket.
const noEType = 0xffffffff

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
	status, ok1 := f.number("Status")
	options, ok2 := f.number("TicketOptions")
	preAuth, ok3 := f.number("PreAuthType")
	if !ok1 || !ok2 || !ok3 {
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
	a := x.NewEvent(activity.KerberosAS, now, f.Event)
	a.Protocol = activity.ProtoKerberos
	a.Source = f.source()
	a.Account = account
	a.Kerberos = &activity.Kerberos{
		Realm:       account.Domain,
		Service:     service,
		Options:     options,
		PAData:      paData(preAuth),
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
