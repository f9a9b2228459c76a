package activity

import "strings"

// Change is the detail of one operation that changed the directory: an LDAP
// add, modify, rename or delete, a call of MS-SAMR, a password change, or a
// Windows event that tells of one.
type Change struct {
	Call        *RPC              `json:"call,omitempty" pb:"1"`
	Event       uint32            `json:"event,omitempty" pb:"2"`               // id of the Windows event
	Act         string            `json:"act" pb:"3"`                           // "create", "modify", "rename", "delete", "restore", "enable", "disable", "lock", "unlock", "password-change", "password-reset", "member-add", "member-remove"
	Class       string            `json:"class,omitempty" pb:"4"`               // of the object where the source tells: user, computer, group, …
	Object      string            `json:"object,omitempty" pb:"5"`              // DN or account name
	Domain      string            `json:"domain,omitempty" pb:"6"`              // of an account name
	SID         string            `json:"sid,omitempty" pb:"7"`                 //
	GUID        string            `json:"guid,omitempty" pb:"8"`                // objectGUID
	NewName     string            `json:"newName,omitempty" pb:"9"`             // after a rename: DN or account name
	Member      string            `json:"member,omitempty" pb:"10"`             // of a group: DN or name
	MemberSID   string            `json:"memberSid,omitempty" pb:"11"`          //
	Attributes  []AttributeChange `json:"attributes,omitempty" pb:"12,max=256"` // at most MaxChanges
	Correlation string            `json:"correlation,omitempty" pb:"13"`        // OpCorrelationID: what one operation changed
	MessageID   int32             `json:"messageId,omitempty" pb:"14"`          // of LDAP
	ResultCode  int32             `json:"resultCode,omitempty" pb:"15"`         // of LDAP
	Controls    []string          `json:"controls,omitempty" pb:"16,max=16"`
	Auth        *Auth             `json:"auth,omitempty" pb:"17"` // of an LDAP connection
}

// AttributeChange is what was done to one attribute.
type AttributeChange struct {
	Name   string   `json:"name" pb:"1"`                    // lDAPDisplayName as named, or GUID
	Act    string   `json:"act,omitempty" pb:"2"`           // "add", "delete", "replace", "increment"
	Values []string `json:"values,omitempty" pb:"3,max=64"` // those that are text and no secret; at most MaxValues
	Count  int      `json:"count,omitempty" pb:"4"`         // of values, secret ones and those that are no text included
	Old    []string `json:"old,omitempty" pb:"5,max=64"`    // values before, where the source tells
}

// secretAttributes hold what proves an identity, or gives it away: their values
// are counted and never kept. Windows lets nobody read the first five, but
// whoever writes them sends them.
var secretAttributes = map[string]bool{
	"unicodepwd": true, "dbcspwd": true, "ntpwdhistory": true, "lmpwdhistory": true, "supplementalcredentials": true,
	"userpassword": true, "unixuserpassword": true, "cleartextpassword": true,
	"trustauthincoming": true, "trustauthoutgoing": true, "currentvalue": true, "priorvalue": true,
	"initialauthincoming": true, "initialauthoutgoing": true,
	"msds-managedpassword": true, "msds-managedpasswordid": true, "msds-managedpasswordpreviousid": true,
	"ms-mcs-admpwd": true, "mslaps-password": true, "mslaps-encryptedpassword": true, "mslaps-encryptedpasswordhistory": true,
	"mslaps-encrypteddsrmpassword": true, "mslaps-encrypteddsrmpasswordhistory": true,
	"msfve-recoverypassword": true, "msfve-keypackage": true, "mskds-rootkeydata": true, "peklist": true,
}

// SecretAttribute tells an attribute whose values are never kept.
func SecretAttribute(name string) bool { return secretAttributes[strings.ToLower(name)] }

// Caps of a Change. AD itself takes more in one operation; what is beyond is
// counted by AttributeChange.Count.
const (
	MaxChanges = 256
	MaxValues  = 64
)

func (g *Change) canon(c *canonical) {
	g.Call.canon(c)
	c.int(int64(g.Event))
	c.text(g.Act)
	c.text(g.Class)
	c.text(g.Object)
	c.text(g.Domain)
	c.text(g.SID)
	c.text(g.GUID)
	c.text(g.NewName)
	c.text(g.Member)
	c.text(g.MemberSID)
	c.int(int64(len(g.Attributes)))
	for _, a := range g.Attributes {
		c.text(a.Name)
		c.text(a.Act)
		c.texts(a.Values)
		c.int(int64(a.Count))
	}
	c.text(g.Correlation)
	c.int(int64(g.MessageID))
	c.int(int64(g.ResultCode))
}

// Logon is the detail of a logon that a Windows event or a Samba audit record
// tells of, and that is neither a Kerberos exchange nor an NTLM validation by
// itself (events 4624, 4625; AD FS 1200 to 1203).
type Logon struct {
	Event       uint32 `json:"event,omitempty" pb:"1"`
	Type        uint32 `json:"type,omitempty" pb:"2"`        // LogonType: 2 interactive, 3 network, 4 batch, 5 service, 7 unlock, 8 network cleartext, 9 new credentials, 10 remote interactive, 11 cached
	Package     string `json:"package,omitempty" pb:"3"`     // AuthenticationPackageName: Kerberos, NTLM, Negotiate
	NTLMVersion int    `json:"ntlmVersion,omitempty" pb:"4"` // of LmPackageName
	Process     string `json:"process,omitempty" pb:"5"`     // LogonProcessName
	Workstation string `json:"workstation,omitempty" pb:"6"`
	LogonID     uint64 `json:"logonId,omitempty" pb:"7"`
	Elevated    bool   `json:"elevated,omitempty" pb:"8"`
	Status      uint32 `json:"status,omitempty" pb:"9"`   // NTSTATUS; SubStatus where that says more
	Subject     string `json:"subject,omitempty" pb:"10"` // account that asked for the logon, DOMAIN\name
	Relying     string `json:"relyingParty,omitempty" pb:"11"`
	UserAgent   string `json:"userAgent,omitempty" pb:"12"`
}

func (l *Logon) canon(c *canonical) {
	c.int(int64(l.Event))
	c.int(int64(l.Type))
	c.text(l.Package)
	c.text(l.Workstation)
	c.int(int64(l.LogonID))
	c.int(int64(l.Status))
	c.text(l.Relying)
}
