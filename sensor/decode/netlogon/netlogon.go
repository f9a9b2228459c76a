package netlogon

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

const name = "netlogon"

// Interface registers the reader.
var Interface = decode.Interface{
	Name:    name,
	UUID:    "12345678-1234-abcd-ef00-01234567cffb",
	Version: 1,
	Request: decode.UsualStub,
	Call:    call,
}

// Opnums (MS-NRPC §3.5.4).
const (
	opSamLogon             = 2
	opServerReqChallenge   = 4
	opServerAuthenticate   = 5
	opServerPasswordSet    = 6
	opServerAuthenticate2  = 15
	opServerAuthenticate3  = 26
	opServerPasswordSet2   = 30
	opServerPasswordGet    = 31
	opSamLogonEx           = 39
	opTrustPasswordsGet    = 42
	opSamLogonWithFlags    = 45
	opAuthenticateKerberos = 59
)

var operations = decode.Operations{
	0:  "NetrLogonUasLogon",
	1:  "NetrLogonUasLogoff",
	2:  "NetrLogonSamLogon",
	3:  "NetrLogonSamLogoff",
	4:  "NetrServerReqChallenge",
	5:  "NetrServerAuthenticate",
	6:  "NetrServerPasswordSet",
	7:  "NetrDatabaseDeltas",
	8:  "NetrDatabaseSync",
	9:  "NetrAccountDeltas",
	10: "NetrAccountSync",
	11: "NetrGetDCName",
	12: "NetrLogonControl",
	13: "NetrGetAnyDCName",
	14: "NetrLogonControl2",
	15: "NetrServerAuthenticate2",
	16: "NetrDatabaseSync2",
	17: "NetrDatabaseRedo",
	18: "NetrLogonControl2Ex",
	19: "NetrEnumerateTrustedDomains",
	20: "DsrGetDcName",
	21: "NetrLogonGetCapabilities",
	22: "NetrLogonSetServiceBits",
	23: "NetrLogonGetTrustRid",
	24: "NetrLogonComputeServerDigest",
	25: "NetrLogonComputeClientDigest",
	26: "NetrServerAuthenticate3",
	27: "DsrGetDcNameEx",
	28: "DsrGetSiteName",
	29: "NetrLogonGetDomainInfo",
	30: "NetrServerPasswordSet2",
	31: "NetrServerPasswordGet",
	32: "NetrLogonSendToSam",
	33: "DsrAddressToSiteNamesW",
	34: "DsrGetDcNameEx2",
	35: "NetrLogonGetTimeServiceParentDomain",
	36: "NetrEnumerateTrustedDomainsEx",
	37: "DsrAddressToSiteNamesExW",
	38: "DsrGetDcSiteCoverageW",
	39: "NetrLogonSamLogonEx",
	40: "DsrEnumerateDomainTrusts",
	41: "DsrDeregisterDnsHostRecords",
	42: "NetrServerTrustPasswordsGet",
	43: "DsrGetForestTrustInformation",
	44: "NetrGetForestTrustInformation",
	45: "NetrLogonSamLogonWithFlags",
	46: "NetrServerGetTrustInfo",
	48: "DsrUpdateReadOnlyServerDnsRecords",
	49: "NetrChainSetClientAttributes",
	59: "NetrServerAuthenticateKerberos",
}

func call(x *decode.Context, c *decode.RPCCall) {
	kind := activity.RPCCall
	switch c.Opnum {
	case opServerReqChallenge, opServerAuthenticate, opServerAuthenticate2, opServerAuthenticate3, opAuthenticateKerberos,
		opServerPasswordSet, opServerPasswordSet2, opServerPasswordGet, opTrustPasswordsGet:
		kind = activity.NetlogonChannel
	}
	a := c.New(x, kind, activity.ProtoDCERPC)
	c.Settle(a, status(c.Opnum))
	d, q := c.Detail(name, operations.Name(c.Opnum)), ndr.Request(c)
	if kind == activity.NetlogonChannel {
		a.Netlogon = &activity.Netlogon{Call: d}
		if !q.Empty() {
			channel(c.Opnum, q, a.Netlogon)
		}
	} else {
		a.RPC = d
		if !q.Empty() {
			logon(c.Opnum, q, d)
		}
	}
	q.Note(a)
	x.Emit(a)
}

// status is the sort of an operation's return value: those of the domain
// controller locator and of administration return NET_API_STATUS.
func status(opnum uint16) decode.Status {
	switch opnum {
	case 0, 1, 11, 12, 13, 14, 18, 20, 23, 24, 25, 27, 28, 33, 34, 35, 36, 37, 38, 40, 41, 43:
		return decode.Win32
	}
	return decode.NTStatus
}

// channel reads a request about a secure channel (MS-NRPC §3.5.4.4).
func channel(opnum uint16, q *ndr.Reader, n *activity.Netlogon) {
	q.UniqueString() // PrimaryName or TrustedDcName
	if opnum == opServerReqChallenge {
		n.Computer = q.String()
		if challenge := q.Bytes(8); challenge != nil {
			n.ZeroChallenge = equal(challenge)
		}
		return
	}
	n.Call.Object = q.String() // AccountName
	n.ChannelType = uint16(q.Enum())
	n.Computer = q.String()
	switch opnum {
	case opServerAuthenticate, opServerAuthenticate2, opServerAuthenticate3:
		if credential := q.Bytes(8); credential != nil {
			n.ZeroCredential = equal(credential) && credential[0] == 0
		}
		if opnum != opServerAuthenticate {
			n.Flags = q.Uint32()
		}
	case opAuthenticateKerberos:
		n.Flags = q.Uint32()
	case opServerPasswordSet2:
		authenticator(q)
		// NL_TRUST_PASSWORD (§2.2.1.3.7): encrypted with the session key, so that
		// plain zeros mean that whoever set it up knew no key.
		q.Align(4)
		buffer, length := q.Bytes(512), q.Uint32()
		if buffer != nil && q.OK() {
			n.ZeroPassword = length == 0 || equal(buffer) && buffer[0] == 0
		}
	}
}

// authenticator reads a NETLOGON_AUTHENTICATOR (§2.2.1.1.5).
func authenticator(q *ndr.Reader) {
	q.Align(4)
	q.Bytes(8)
	q.Uint32()
}

// equal tells that all bytes are the same.
func equal(b []byte) bool {
	for _, x := range b {
		if x != b[0] {
			return false
		}
	}
	return true
}

// logon reads who logs on in a request that passes a logon through.
func logon(opnum uint16, q *ndr.Reader, d *activity.RPC) {
	switch opnum {
	case opSamLogon, opSamLogonEx, opSamLogonWithFlags:
	default:
		return
	}
	q.UniqueString() // LogonServer
	q.UniqueString() // ComputerName
	if opnum != opSamLogonEx {
		for range 2 { // Authenticator, ReturnAuthenticator
			if q.Pointer() {
				authenticator(q)
			}
		}
	}
	d.Level = q.Enum()
	if q.UnionEnum() != d.Level && q.OK() {
		q.Fail()
	}
	if !q.Pointer() {
		return
	}
	// NETLOGON_LOGON_IDENTITY_INFO (§2.2.1.4.15), which all levels begin with, and
	// whose strings come before what other members point to.
	domain := q.Header()
	q.Uint32() // ParameterControl
	q.Uint32() // Reserved
	q.Uint32()
	user, workstation := q.Header(), q.Header()
	if !q.OK() {
		return
	}
	switch d.Level {
	case 1, 3, 5, 7: // LmOwfPassword, NtOwfPassword
		q.Bytes(32)
	case 2, 6: // LmChallenge, NtChallengeResponse, LmChallengeResponse
		q.Bytes(8)
		q.Header()
		q.Header()
	case 4: // PackageName, DataLength, LogonData
		q.Header()
		q.Uint32()
		q.Pointer()
	case 8: // RequestOptions, ServiceTicket, AdditionalTicket
		q.Uint64()
		for range 2 {
			q.Uint32()
			q.Pointer()
		}
	default:
		return
	}
	in, who := q.Text(domain), q.Text(user)
	if !q.OK() {
		return
	}
	if d.Object = who; in != "" {
		d.Object = activity.Cut(in + `\` + who)
	}
	if w := q.Text(workstation); w != "" {
		d.Names = []string{w}
	}
}
