package names

import (
	"encoding/hex"
	"strings"
)

// Form is how a name was written, and so what may be concluded from it.
type Form uint8

const (
	FormNone       Form = iota // empty
	FormSAM                    // name is the sAMAccountName: DOMAIN\name, a bare name, or a Kerberos principal
	FormUPN                    // name@suffix: the sAMAccountName in the implicit UPN, or whatever userPrincipalName says
	FormEnterprise             // a whole UPN is the name, and domain is where it was asked for (RFC 6806 §5)
	FormDN                     // name is the value of the first RDN, mostly the CN, which need not be the sAMAccountName
	FormSID                    // name is a SID in string form
)

// Kerberos name types that change what a name means (RFC 4120 §6.2, RFC 6806
// §5, MS-KILE). All others are plain names to AD.
const (
	nameEnterprise      = 10
	nameMSPrincipal     = -128 // KRB_NT_MS_PRINCIPAL: DOMAIN\name
	nameMSPrincipalSID  = -129
	nameEnterpriseMSSID = -130
)

// Account is what a string that names an account means, as written. Name and
// Domain are unfolded.
type Account struct {
	Name   string
	Domain string // NetBIOS or DNS domain, UPN suffix or realm; "" when none is named
	Form   Form
	// Raw is the original bytes of Name when they were not valid text, else nil;
	// it replaces Name in keys. Who read the name from the wire sets it
	// (FromUTF8, FromUTF16LE); parsing sets it for a DN with escaped bytes.
	Raw []byte
}

// ParseAccount reads a name that a person or a program typed: in a bind, in an
// NTLM message, in a log, in a configuration. In this order:
//
//	S-1-5-21-…             a SID
//	CN=Ann Lee,DC=lab,DC=example  a DN: name is the first value, domain "lab.example"
//	DOMAIN\name            at the first "\" that escapes neither "@" nor "/"
//	user\@suffix@REALM     a Kerberos enterprise principal: name "user@suffix", domain "REALM"
//	name@suffix            a UPN, at the last "@"
//	name                   a sAMAccountName
//
// DOMAIN\user@suffix is a UPN asked for at a domain, as the enterprise
// principal is. There is no error: every string names something.
func ParseAccount(s string) Account {
	if s == "" {
		return Account{}
	}
	if strings.HasPrefix(s, "S-1-") {
		if _, err := ParseSID(s); err == nil {
			return Account{Name: s, Form: FormSID}
		}
	}
	if a, ok := parseDN(s); ok {
		return a
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if i+1 < len(s) && (s[i+1] == '@' || s[i+1] == '/') {
			i++
			continue
		}
		return sam(s[i+1:], s[:i])
	}
	at := strings.LastIndexByte(s, '@')
	switch {
	case at < 0:
		return sam(unescape(s), "")
	case at > 0 && s[at-1] == '\\': // only escaped ones: a name without a realm
		return sam(unescape(s), "")
	case strings.Contains(s[:at], `\@`):
		return sam(unescape(s[:at]), s[at+1:])
	}
	return Account{Name: unescape(s[:at]), Domain: s[at+1:], Form: FormUPN}
}

// Principal is the account of a Kerberos principal: name is its components
// joined by "/", nameType the name-type of RFC 4120 §6.2.
func Principal(name, realm string, nameType int32) Account {
	switch nameType {
	case nameEnterprise, nameEnterpriseMSSID:
		if name != "" {
			return Account{Name: name, Domain: realm, Form: FormEnterprise}
		}
	case nameMSPrincipal, nameMSPrincipalSID:
		if domain, user, ok := strings.Cut(name, `\`); ok {
			return sam(user, domain)
		}
	}
	if name == "" {
		return Account{Domain: realm}
	}
	return Account{Name: name, Domain: realm, Form: FormSAM}
}

// sam is a name with its domain told apart, unless name is a UPN itself.
func sam(name, domain string) Account {
	switch {
	case name == "":
		return Account{Domain: domain}
	case strings.LastIndexByte(name, '@') > 0:
		return Account{Name: name, Domain: domain, Form: FormEnterprise}
	}
	return Account{Name: name, Domain: domain, Form: FormSAM}
}

// unescape takes the "\" of Kerberos text forms before "@" and "/" away.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.NewReplacer(`\@`, "@", `\/`, "/").Replace(s)
}

// IsComputer tells that the name ends in "$": a computer, a managed service
// account or a trust. Users cannot be told from them by name otherwise.
func (a Account) IsComputer() bool { return a.HostKey() != "" }

// HostKey is the key of the computer whose account a is: "ws01" of WS01$; ""
// when a is no computer account. It is the NetBIOS name, to compare with
// ShortHost.
func (a Account) HostKey() string {
	if a.Form == FormDN || a.Form == FormSID || a.Raw != nil {
		return ""
	}
	key := a.NameKey()
	if !strings.HasSuffix(key, "$") {
		return ""
	}
	return key[:len(key)-1]
}

// parts are name and domain with an enterprise name taken apart: the UPN says
// who, where it was asked for does not. A broken name stays whole.
func (a Account) parts() (name, domain string) {
	if a.Form == FormEnterprise && a.Raw == nil {
		if at := strings.LastIndexByte(a.Name, '@'); at > 0 {
			return a.Name[:at], a.Name[at+1:]
		}
	}
	return a.Name, a.Domain
}

// NameKey is the key of the name without its domain. The "$" of a computer
// stays. The name of a DN has "cn=" before it, which no sAMAccountName may
// contain (MS-SAMR §3.1.1.6), since a common name is not an account name.
func (a Account) NameKey() string {
	name, _ := a.parts()
	key := FoldRaw(name, a.Raw)
	if a.Form == FormDN && key != "" {
		return "cn=" + key
	}
	return key
}

// DomainKey is the key of the domain, UPN suffix or realm; "" when none is named.
func (a Account) DomainKey() string {
	_, domain := a.parts()
	return RealmKey(domain)
}

// Key is domain\name folded, or the name alone without a domain; "" when no
// account is named. Both DOMAIN\name with a DNS domain, the implicit UPN
// name@domain and the principal name@DOMAIN have one key; whether lab\ann and
// lab.example\ann, or an explicit UPN and a sAMAccountName, are one account
// is for the directory to say.
func (a Account) Key() string {
	name, domain := a.NameKey(), a.DomainKey()
	switch {
	case name == "":
		return ""
	case domain == "":
		return name
	case strings.IndexByte(domain, '\\') >= 0: // no domain is called so; keep its key from meeting another's
		domain = rawPrefix + hex.EncodeToString([]byte(domain))
	}
	return domain + `\` + name
}
