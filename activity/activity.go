// Package activity is the contract between sensor and center: one fact seen on
// the wire or in a log, with its time. A sensor's decoders make activities, the
// center resolves, detects, stores and shows them, and `analyze --activities`
// prints them as JSON by schema.json.
//
// An activity states facts and anomalies, never suspicion. It is immutable
// once sealed. The package imports nothing of ours.
package activity

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"
)

// Time is an instant in nanoseconds since 1970-01-01 UTC. Zero means unknown.
// In JSON it is RFC 3339 text in UTC with nanoseconds; unknown is "".
type Time int64

// Go returns t as a time.Time in UTC.
func (t Time) Go() time.Time { return time.Unix(0, int64(t)).UTC() }

// Add returns t moved by d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub is the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// String is RFC 3339 with nanoseconds, UTC.
func (t Time) String() string { return t.Go().Format(time.RFC3339Nano) }

func (t Time) MarshalText() ([]byte, error) {
	if t == 0 {
		return nil, nil
	}
	return t.Go().AppendFormat(nil, time.RFC3339Nano), nil
}

func (t *Time) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = 0
		return nil
	}
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("parsing time %q: %w", b, err)
	}
	*t = Time(v.UnixNano())
	return nil
}

// ID identifies an activity: the first 16 bytes of a SHA-256 over the
// canonical fields (see canonical.go). The same fact seen by two sensors at the
// same instant has the same ID. In JSON and text it is 32 hex digits.
type ID [16]byte

func (i ID) String() string               { return hex.EncodeToString(i[:]) }
func (i ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, i[:]), nil }
func (i *ID) UnmarshalText(b []byte) error {
	if n, err := hex.Decode(i[:], b); err != nil || n != len(i) {
		return fmt.Errorf("parsing activity id %q: want 32 hex digits", b)
	}
	return nil
}

// Kind names what happened. The values are those of the activity catalogue and
// never change or get reused: stored activities point to them.
type Kind string

const (
	KerberosAS  Kind = "logon.kerberos.as"     // AS exchange: AS-REQ with its AS-REP, KRB-ERROR or no answer (detail: Kerberos)
	KerberosTGS Kind = "logon.kerberos.tgs"    // TGS exchange (detail: Kerberos)
	KerberosAP  Kind = "logon.kerberos.ap"     // a service ticket presented to a server (detail: Auth)
	NTLMLogon   Kind = "logon.ntlm"            // NTLM CHALLENGE and AUTHENTICATE with the carrier's verdict (detail: Auth)
	LDAPSimple  Kind = "logon.ldap.simple"     // LDAP simple bind and its answer (detail: LDAPBind)
	LDAPSASL    Kind = "logon.ldap.sasl"       // LDAP SASL bind by a mechanism that is neither Kerberos nor NTLM (detail: LDAPBind)
	LDAPQuery   Kind = "query.ldap"            // LDAP or CLDAP search and its result (detail: LDAPSearch)
	DNSQuery    Kind = "query.dns"             // DNS question and its answer (detail: DNS)
	DNSUpdate   Kind = "dns.update"            // DNS dynamic update and its answer (detail: DNS)
	Replication Kind = "directory.replication" // DRSUAPI call and its answer (detail: DRS)

	DirectoryAccess Kind = "directory.access" // an operation on a directory object, as a domain controller audited it (detail: Access)
	DirectoryChange Kind = "directory.change" // an operation that changes the directory, and its answer (detail: Change)

	LocalLogon Kind = "logon.local" // a logon as the computer that granted or refused it logged it (detail: Logon)
	ADFSLogon  Kind = "logon.adfs"  // a logon at AD FS (detail: Logon)
	VPNConnect Kind = "vpn.connect" // a VPN session began or goes on (detail: VPN)
	VPNEnd     Kind = "vpn.end"     // a VPN session ended (detail: VPN)

	SAMRQuery    Kind = "query.samr"         // MS-SAMR call that reads accounts or groups (detail: RPC)
	SessionQuery Kind = "query.smb_session"  // NetrSessionEnum of MS-SRVS (detail: RPC)
	SecretQuery  Kind = "query.private_data" // MS-LSAD call that opens or reads a secret (detail: RPC)
	NetBIOSQuery Kind = "query.netbios"      // NetBIOS name service question or registration and its answer (detail: NetBIOS)

	SMBSession Kind = "smb.session" // SMB session set-up and its answer (detail: SMB)
	SMBTree    Kind = "smb.tree"    // a share was asked for, and the answer (detail: SMB)
	SMBFile    Kind = "smb.file"    // a file or pipe from its opening to its closing, or the refusal (detail: SMB)

	RPCCall         Kind = "rpc.call"          // a call on an interface that rules look at and that has no kind of its own (detail: RPC)
	NetlogonChannel Kind = "netlogon.channel"  // a step of setting up a Netlogon secure channel, or a use of it to set or read passwords (detail: Netlogon)
	ServiceControl  Kind = "server.service"    // a Windows service was created, changed or started (detail: Service)
	TaskScheduling  Kind = "server.task"       // a scheduled task was registered, changed or run (detail: Task)
	WMIExecution    Kind = "server.wmi"        // a WMI method was run from elsewhere (detail: Execution)
	PowerShell      Kind = "server.powershell" // PowerShell ran, or was asked to from elsewhere (detail: Execution)

	CertificateRequest Kind = "certificate.request" // a certificate was asked for, issued, denied or revoked (detail: Certificate)
	ServerSetting      Kind = "server.setting"      // how a certification authority or AD FS is set up was changed (detail: Setting)
)

// Kinds lists every kind with its one-line meaning, in catalogue order.
var Kinds = []struct {
	Kind    Kind
	Meaning string
}{
	{KerberosAS, "Kerberos AS exchange"},
	{KerberosTGS, "Kerberos TGS exchange"},
	{KerberosAP, "Kerberos ticket presented to a server"},
	{NTLMLogon, "NTLM logon"},
	{LDAPSimple, "LDAP simple bind"},
	{LDAPSASL, "LDAP SASL bind (neither Kerberos nor NTLM)"},
	{LDAPQuery, "LDAP search"},
	{DNSQuery, "DNS query"},
	{DNSUpdate, "DNS dynamic update"},
	{Replication, "Directory replication call"},
	{DirectoryAccess, "Audited access to a directory object"},
	{DirectoryChange, "Change of the directory"},
	{LocalLogon, "Logon to a computer"},
	{ADFSLogon, "Logon at AD FS"},
	{VPNConnect, "VPN connection"},
	{VPNEnd, "End of a VPN connection"},
	{SAMRQuery, "SAMR query"},
	{SessionQuery, "SMB session enumeration"},
	{SecretQuery, "Private data retrieval"},
	{NetBIOSQuery, "NetBIOS name query"},
	{SMBSession, "SMB session"},
	{SMBTree, "SMB share connected"},
	{SMBFile, "SMB file access"},
	{RPCCall, "Remote procedure call"},
	{NetlogonChannel, "Netlogon secure channel"},
	{ServiceControl, "Service created, changed or started"},
	{TaskScheduling, "Scheduled task created, changed or run"},
	{WMIExecution, "WMI execution"},
	{PowerShell, "PowerShell execution"},
	{CertificateRequest, "Certificate requested, issued, denied or revoked"},
	{ServerSetting, "Setting of a server role changed"},
}

// Outcome is what became of the act.
type Outcome string

const (
	Success Outcome = "success" // the server granted or answered it
	Failure Outcome = "failure" // the server refused it; Activity.Error says why
	Attempt Outcome = "attempt" // no answer was seen
)

// Protocol is the application protocol that carried the fact.
type Protocol string

const (
	ProtoKerberos Protocol = "Kerberos"
	ProtoLDAP     Protocol = "LDAP"
	ProtoCLDAP    Protocol = "CLDAP"
	ProtoDNS      Protocol = "DNS"
	ProtoDRSR     Protocol = "DRSR" // MS-DRSR over DCE/RPC
	ProtoDCERPC   Protocol = "DCE/RPC"
	ProtoSMB      Protocol = "SMB"
	ProtoNTLM     Protocol = "NTLM" // validated by a domain controller; the carrier is not known
	ProtoNetBIOS  Protocol = "NetBIOS"
	ProtoRADIUS   Protocol = "RADIUS"
	ProtoKpasswd  Protocol = "kpasswd"
	ProtoHTTP     Protocol = "HTTP"
)

// Transport below the protocol.
type Transport string

const (
	TCP Transport = "tcp"
	UDP Transport = "udp"
)

// Via says what a fact was read from. Packets are the rule and stand as "".
type Via string

// ViaEvent is a record of a Windows event log, or of an audit log of Samba. It
// says less than the exchange it was written for: a KDC's event mostly names no
// etypes of the request, and the computer that wrote it by name only.
const ViaEvent Via = "event"

// Endpoint is one side of an activity as the source saw it. Host is a name
// stated by the protocol or the event itself (a resolved name is the center's
// business). Addr is invalid, and absent in JSON, where an event states no address.
type Endpoint struct {
	Addr netip.Addr `json:"addr,omitzero" pb:"1"`
	Port uint16     `json:"port,omitempty" pb:"2"`
	Host string     `json:"host,omitempty" pb:"3"`
}

// Account is who acted, as named on the wire, unfolded. Invalid UTF-8 or UTF-16
// stands as U+FFFD in Name and its bytes are kept in Raw.
type Account struct {
	Name   string `json:"name,omitempty" pb:"1"`         // cname, user name, bind DN
	Domain string `json:"domain,omitempty" pb:"2"`       // realm, NetBIOS or DNS domain; empty when the protocol names none
	SID    string `json:"sid,omitempty" pb:"3"`          // S-1-… when the source states it
	Raw    []byte `json:"raw,omitempty" pb:"4,max=4096"` // original bytes of Name, only when they were not valid text
}

// Zero tells that no account was named.
func (a Account) Zero() bool { return a.Name == "" && a.SID == "" && len(a.Raw) == 0 }

// Origin says where analyze found the fact: the file and the 1-based number of
// the packet or record that completed it. It is not part of the ID.
type Origin struct {
	File  string `json:"file" pb:"1"`
	Frame int64  `json:"frame,omitempty" pb:"2"`
}

// Activity is one fact. Exactly one of the detail pointers is set, by Kind.
type Activity struct {
	ID        ID        `json:"id" pb:"-"`
	Time      Time      `json:"time" pb:"1"`                // of the packet or record that completed the fact: the answer, or the moment no answer was given up on
	Requested Time      `json:"requested,omitempty" pb:"2"` // of the request; 0 when it was not seen
	Kind      Kind      `json:"kind" pb:"3"`
	Via       Via       `json:"via,omitempty" pb:"4"`      // what the fact was read from; "" packets
	Protocol  Protocol  `json:"protocol,omitempty" pb:"5"` // "" where an event does not tell
	Transport Transport `json:"transport,omitempty" pb:"6"`
	Source    Endpoint  `json:"source" pb:"7"` // who asked
	Target    Endpoint  `json:"target" pb:"8"` // who was asked
	Account   Account   `json:"account,omitzero" pb:"9"`
	Outcome   Outcome   `json:"outcome" pb:"10"`
	Error     string    `json:"error,omitempty" pb:"11"`            // the protocol's own name of the refusal: KDC_ERR_PREAUTH_FAILED, invalidCredentials, REFUSED
	Anomalies []string  `json:"anomalies,omitempty" pb:"12,max=64"` // malformed or unusual parts, from the decoders' closed lists
	Origin    *Origin   `json:"origin,omitempty" pb:"13"`

	Kerberos   *Kerberos   `json:"kerberos,omitempty" pb:"16"`
	Auth       *Auth       `json:"auth,omitempty" pb:"17"`
	LDAPBind   *LDAPBind   `json:"ldapBind,omitempty" pb:"18"`
	LDAPSearch *LDAPSearch `json:"ldapSearch,omitempty" pb:"19"`
	DNS        *DNS        `json:"dns,omitempty" pb:"20"`
	DRS        *DRS        `json:"drs,omitempty" pb:"21"`
	Access     *Access     `json:"access,omitempty" pb:"22"`

	RPC         *RPC         `json:"rpc,omitempty" pb:"23"`
	SMB         *SMB         `json:"smb,omitempty" pb:"24"`
	Change      *Change      `json:"change,omitempty" pb:"25"`
	Logon       *Logon       `json:"logon,omitempty" pb:"26"`
	Service     *Service     `json:"service,omitempty" pb:"27"`
	Task        *Task        `json:"task,omitempty" pb:"28"`
	Execution   *Execution   `json:"execution,omitempty" pb:"29"`
	Netlogon    *Netlogon    `json:"netlogon,omitempty" pb:"30"`
	Certificate *Certificate `json:"certificate,omitempty" pb:"31"`
	Setting     *Setting     `json:"setting,omitempty" pb:"32"`
	VPN         *VPN         `json:"vpn,omitempty" pb:"33"`
	NetBIOS     *NetBIOS     `json:"netbios,omitempty" pb:"34"`
}

// MaxText caps every string taken from the wire, in bytes, so that one hostile
// message cannot fill a batch. AD's longest attribute values of interest (DNs,
// filters) stay below it in practice; a cut value ends in "…".
const MaxText = 4096

// Cut shortens s to MaxText bytes at a rune boundary.
func Cut(s string) string {
	if len(s) <= MaxText {
		return s
	}
	n := MaxText - len("…")
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
