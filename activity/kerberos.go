package activity

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// TicketID identifies a ticket wherever it is seen: the first 16 bytes of the
// SHA-256 of Ticket.enc-part.cipher (RFC 4120 §5.3). The cipher itself is never
// kept. Zero means no ticket.
type TicketID [16]byte

// NewTicketID hashes the cipher of a ticket's enc-part.
func NewTicketID(cipher []byte) TicketID {
	h := sha256.Sum256(cipher)
	return TicketID(h[:16])
}

func (t TicketID) String() string               { return hex.EncodeToString(t[:]) }
func (t TicketID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, t[:]), nil }
func (t *TicketID) UnmarshalText(b []byte) error {
	if n, err := hex.Decode(t[:], b); err != nil || n != len(t) {
		return fmt.Errorf("parsing ticket id %q: want 32 hex digits", b)
	}
	return nil
}

// Ticket is the readable outside of a Kerberos ticket.
type Ticket struct {
	ID      TicketID `json:"id,omitzero" pb:"1"` // zero where an event tells of the ticket
	Realm   string   `json:"realm,omitempty" pb:"2"`
	Service string   `json:"service,omitempty" pb:"3"` // sname, components joined by "/"
	EType   int32    `json:"etype,omitempty" pb:"4"`   // of enc-part: 17 AES128, 18 AES256, 23 RC4, …
	KVNO    uint32   `json:"kvno,omitempty" pb:"5"`    // key version; 0 when absent
	Size    uint32   `json:"size,omitempty" pb:"6"`    // bytes of the cipher; a PAC grows with the client's groups
}

func (t *Ticket) canon(c *canonical) {
	if t == nil {
		c.bytes(nil)
		return
	}
	c.bytes(t.ID[:])
	c.text(t.Realm)
	c.text(t.Service)
	c.int(int64(t.EType))
	c.int(int64(t.KVNO))
}

// Kerberos is the detail of an AS or TGS exchange (RFC 4120 §5.4, §5.9). The
// client (cname, crealm) is Activity.Account; for a TGS exchange it comes from
// the TGS-REP, since the request does not show it. From an event (Activity.Via)
// the name types, Till and Nonce are unknown, and ETypes unless the KDC is newer
// than 2024; PAData holds the one type that the KDC accepted or refused, Issued
// has a service and an EType but no ID, and RequestSeen is true.
type Kerberos struct {
	ClientType    int32   `json:"clientType,omitempty" pb:"1"`            // name-type of cname
	Realm         string  `json:"realm,omitempty" pb:"2"`                 // realm of the request, or of the error
	Service       string  `json:"service,omitempty" pb:"3"`               // sname asked for, components joined by "/"
	ServiceType   int32   `json:"serviceType,omitempty" pb:"4"`           // name-type of sname
	Options       uint32  `json:"options,omitempty" pb:"5"`               // KDCOptions, bit 0 is the highest
	ETypes        []int32 `json:"etypes,omitempty" pb:"6,max=32"`         // asked for, in the client's order
	PAData        []int32 `json:"paData,omitempty" pb:"7,max=32"`         // padata types of the request, in order
	PreAuthEType  int32   `json:"preAuthEType,omitempty" pb:"8"`          // etype of PA-ENC-TIMESTAMP; 0 without one
	PACRequest    *bool   `json:"pacRequest,omitempty" pb:"9"`            // PA-PAC-REQUEST include-pac; nil when absent
	Addresses     int     `json:"addresses,omitempty" pb:"19"`            // how many HostAddresses the request lists
	Till          Time    `json:"till,omitempty" pb:"10"`                 // requested end; 0 when none, or outside 1678–2262
	Renew         Time    `json:"renew,omitempty" pb:"17"`                // requested renew-till
	Nonce         uint32  `json:"nonce,omitempty" pb:"11"`                //
	EncAuthData   bool    `json:"encAuthData,omitempty" pb:"20"`          // enc-authorization-data present
	ErrorCode     int32   `json:"errorCode,omitempty" pb:"12"`            // of KRB-ERROR; 0 when answered by a ticket or not at all
	OfferedETypes []int32 `json:"offeredETypes,omitempty" pb:"18,max=32"` // PA-ETYPE-INFO(2) of the error or the reply
	ReplyEType    int32   `json:"replyEType,omitempty" pb:"13"`           // of the reply's enc-part, which the client's key opens
	Issued        *Ticket `json:"issued,omitempty" pb:"14"`               // ticket in the reply
	Presented     *Ticket `json:"presented,omitempty" pb:"15"`            // ticket in PA-TGS-REQ
	RequestSeen   bool    `json:"requestSeen" pb:"16"`                    // false: only the reply was captured

	Workstation string   `json:"workstation,omitempty" pb:"21"`      // NetBIOS name that HostAddresses give the client
	PACOptions  uint32   `json:"pacOptions,omitempty" pb:"22"`       // PA-PAC-OPTIONS, bit 0 is the highest
	FAST        bool     `json:"fast,omitempty" pb:"23"`             // PA-FX-FAST holds an armoured request: what the client really asks for, and how it proves itself, is sealed
	ArmorType   int32    `json:"armorType,omitempty" pb:"24"`        // of a FAST armor that is sent along; 1 an AP-REQ
	Armor       *Ticket  `json:"armor,omitempty" pb:"25"`            // ticket of that armor: mostly the computer's
	ForUser     string   `json:"forUser,omitempty" pb:"26"`          // S4U2self: whom the ticket is to name, components joined by "/"
	ForRealm    string   `json:"forRealm,omitempty" pb:"27"`         //
	ForUserType int32    `json:"forUserType,omitempty" pb:"28"`      // name-type of ForUser
	Additional  *Ticket  `json:"additional,omitempty" pb:"29"`       // first of additional-tickets: the evidence of S4U2proxy, the other user's TGT of user-to-user
	Referral    string   `json:"referral,omitempty" pb:"30"`         // realm that the KDC sent the client on to: of a TGT for elsewhere, or of KDC_ERR_WRONG_REALM
	Status      uint32   `json:"status,omitempty" pb:"31"`           // NTSTATUS that a Windows KDC adds to an error: C0000072 disabled, C0000234 locked out, …
	Transited   []string `json:"transited,omitempty" pb:"40,max=32"` // of event 4769: services that hold the user's ticket on the way (S4U2proxy), the asking one first
	PKINIT      *PKINIT  `json:"pkinit,omitempty" pb:"32"`           // certificate of PA-PK-AS-REQ, or of PA-S4U-X509-USER
}

// PKINIT is what a PKINIT request shows of the client (RFC 4556 §3.2.1), or the
// certificate of the user that S4U2self is for (MS-SFU §2.2.2).
type PKINIT struct {
	Thumbprint string   `json:"thumbprint,omitempty" pb:"1"` // SHA-1 of the certificate, hex, as Windows shows it
	Subject    string   `json:"subject,omitempty" pb:"2"`    // RFC 2253 text
	Issuer     string   `json:"issuer,omitempty" pb:"3"`     //
	Serial     string   `json:"serial,omitempty" pb:"4"`     // hex
	NotBefore  Time     `json:"notBefore,omitempty" pb:"5"`
	NotAfter   Time     `json:"notAfter,omitempty" pb:"6"`
	Names      []string `json:"names,omitempty" pb:"7,max=64"`  // subject alternative names, as upn:…, krb:…, dns:…, mail:…, and the security extension as sid:…
	Usages     []string `json:"usages,omitempty" pb:"8,max=32"` // OIDs of extended key usages
	Template   string   `json:"template,omitempty" pb:"9"`      // of the Windows CA: OID, or name in version 1
	SKI        string   `json:"ski,omitempty" pb:"10"`          // subject key identifier, hex
	AKI        string   `json:"aki,omitempty" pb:"11"`          // authority key identifier, hex
	CDP        bool     `json:"cdp,omitempty" pb:"12"`          // names a revocation list
	AIA        bool     `json:"aia,omitempty" pb:"13"`          // says where the authority's own certificate is
	DHBits     int32    `json:"dhBits,omitempty" pb:"14"`       // length of the Diffie-Hellman prime; 0 without: RSA, or another group
	Chain      int32    `json:"certificates,omitempty" pb:"15"` // how many certificates were sent
}

// Kerberos pre-authentication data types that rules look at (RFC 4120 §7.5.2, RFC 6113, RFC 4556, MS-KILE).
const (
	PATGSReq       = 1
	PAEncTimestamp = 2
	PAETypeInfo    = 11
	PAPKASReqOld   = 14
	PAPKASReq      = 16
	PAETypeInfo2   = 19
	PAPWSalt       = 3
	PAPKASRepOld   = 15
	PAPACRequest   = 128
	PAForUser      = 129
	PAS4UX509User  = 130
	PAFXFast       = 136
	PAEncChallenge = 138
	PAKeyListReq   = 161
	PAPACOptions   = 167
)

// KDCOptions that rules look at (RFC 4120 §5.4.1, RFC 6806 §3, MS-SFU §2.2.3).
const (
	KDCForwarded    uint32 = 0x20000000
	KDCProxy        uint32 = 0x08000000
	KDCCNameInAddl  uint32 = 0x00020000 // S4U2proxy
	KDCCanonicalize uint32 = 0x00010000
	KDCEncTktInSKey uint32 = 0x00000008 // user-to-user
	KDCRenew        uint32 = 0x00000002
	KDCValidate     uint32 = 0x00000001
)

// PA-PAC-OPTIONS (MS-KILE §2.2.10, MS-SFU §2.2.5).
const (
	PACClaims        uint32 = 1 << 31
	PACBranchAware   uint32 = 1 << 30
	PACForwardToFull uint32 = 1 << 29
	PACResourceBased uint32 = 1 << 28 // resource-based constrained delegation
)

// Renews tells a renewal or validation of the ticket presented, which makes no
// claim to a new one.
func (k *Kerberos) Renews() bool { return k.Options&(KDCRenew|KDCValidate) != 0 }

// SelfForUser tells S4U2self: a service asks for a ticket to itself in the name
// of ForUser, or of the one PKINIT's certificate is of.
func (k *Kerberos) SelfForUser() bool { return k.HasPA(PAForUser) || k.HasPA(PAS4UX509User) }

// ProxyForUser tells S4U2proxy: a service asks for a ticket to another in the
// name of the client of Additional.
func (k *Kerberos) ProxyForUser() bool { return k.Options&KDCCNameInAddl != 0 }

// UserToUser tells that the ticket is to be under the session key of Additional
// instead of the service's.
func (k *Kerberos) UserToUser() bool { return k.Options&KDCEncTktInSKey != 0 }

// KRB-ERROR codes that rules look at (RFC 4120 §7.5.9).
const (
	KRBPrincipalUnknown int32 = 6
	KRBETypeNoSupp      int32 = 14
	KRBClientRevoked    int32 = 18
	KRBKeyExpired       int32 = 23
	KRBPreAuthFailed    int32 = 24
	KRBPreAuthRequired  int32 = 25
	KRBResponseTooBig   int32 = 52
	KRBWrongRealm       int32 = 68
)

// HasPA tells whether the request carried padata of type t.
func (k *Kerberos) HasPA(t int32) bool {
	for _, p := range k.PAData {
		if p == t {
			return true
		}
	}
	return false
}

// PreAuthenticated tells whether the request proved that the client knows its
// key: by an encrypted timestamp or challenge, inside FAST, or by a certificate.
func (k *Kerberos) PreAuthenticated() bool {
	for _, t := range []int32{PAEncTimestamp, PAFXFast, PAPKASReq, PAPKASReqOld, PAEncChallenge} {
		if k.HasPA(t) {
			return true
		}
	}
	return false
}

func (k *Kerberos) canon(c *canonical) {
	c.int(int64(k.ClientType))
	c.text(k.Realm)
	c.text(k.Service)
	c.int(int64(k.ServiceType))
	c.int(int64(k.Options))
	c.ints(k.ETypes)
	c.ints(k.PAData)
	c.int(int64(k.PreAuthEType))
	c.int(int64(k.Till))
	c.int(int64(k.Renew))
	c.int(int64(k.Nonce))
	c.int(int64(k.ErrorCode))
	c.int(int64(k.ReplyEType))
	k.Issued.canon(c)
	k.Presented.canon(c)
	// The facts below came later: only where they are there, each with its name,
	// so that ids without them stay what they were.
	if k.FAST {
		c.text("fast")
		c.int(int64(k.ArmorType))
		k.Armor.canon(c)
	}
	if k.ForUser != "" {
		c.text("forUser")
		c.text(k.ForUser)
		c.text(k.ForRealm)
	}
	if k.Additional != nil {
		c.text("additional")
		k.Additional.canon(c)
	}
	if k.PKINIT != nil {
		c.text("pkinit")
		c.text(k.PKINIT.Thumbprint)
	}
}
