package ldap

import (
	"encoding/binary"
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/names"
)

// isNamed compares an attribute description with a name, without case and
// without options (RFC 4512 §2.5).
func isNamed(desc []byte, name string) bool {
	if len(desc) > len(name) && desc[len(name)] == ';' {
		desc = desc[:len(name)]
	}
	return len(desc) == len(name) && strings.EqualFold(string(desc), name)
}

// isPassword tells the attributes that set an account's password (MS-ADTS
// §3.1.1.3.1.5, §3.1.1.3.1.5.2): the former also by its OID.
func isPassword(desc []byte) bool {
	return isNamed(desc, "unicodePwd") || isNamed(desc, "userPassword") || isNamed(desc, "dBCSPwd") ||
		isNamed(desc, "1.2.840.113556.1.4.90")
}

// secretParts are in the names of attributes whose values are passwords, hashes
// or keys: unicodePwd, userPassword, ms-Mcs-AdmPwd, msLAPS-EncryptedPassword,
// msDS-ManagedPassword, msFVE-RecoveryPassword, ntPwdHistory, trustAuthIncoming,
// initialAuthOutgoing, supplementalCredentials, msFVE-KeyPackage,
// userPKCS12, msPKIDPAPIMasterKeys, msPKIAccountCredentials, …
var secretParts = []string{"password", "pwd", "secret", "trustauth", "initialauth", "credentials", "keypackage",
	"pkcs12", "masterkeys", "privatekey"}

// secretNames are those that no part of a name tells.
var secretNames = map[string]bool{
	"currentvalue": true, "priorvalue": true, // of secret objects, the DPAPI backup key among them
	"peklist": true, "samdomainupdates": true,
}

// openNames contain a part of secretParts and hold none.
var openNames = map[string]bool{
	"pwdlastset": true, "badpwdcount": true, "badpasswordtime": true, "pwdproperties": true, "pwdhistorylength": true,
	"minpwdlength": true, "minpwdage": true, "maxpwdage": true, "ms-mcs-admpwdexpirationtime": true,
	"mslaps-passwordexpirationtime": true, "msds-userpasswordexpirytimecomputed": true, "lockoutobservationwindow": true,
	"msds-groupmsamembership": true, "msds-managedpasswordinterval": true, "msds-managedpasswordid": true, "passwordsettings": true,
	"msds-minimumpasswordlength": true, "msds-maximumpasswordage": true, "msds-minimumpasswordage": true,
	"msds-passwordhistorylength": true, "msds-passwordcomplexityenabled": true, "msds-passwordreversibleencryptionenabled": true,
	"msds-passwordsettingsprecedence": true, "msds-supportedencryptiontypes": true,
}

// isSecret tells whether an attribute's values must not leave the decoder. One
// that is named by its OID is taken for secret: there is no table of them here.
func isSecret(name string) bool {
	name, _, _ = strings.Cut(strings.ToLower(name), ";")
	if name == "" || name[0] >= '0' && name[0] <= '9' || strings.HasPrefix(name, "oid.") || secretNames[name] {
		return true
	}
	if openNames[name] {
		return false
	}
	for _, part := range secretParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// valueText is what can be shown of a value: text as it is, SIDs in their own
// form, and of a security descriptor that says who may act for others those who
// may. ok is false for other octets.
func valueText(name string, v []byte) (s string, ok bool) {
	switch base, _, _ := strings.Cut(strings.ToLower(name), ";"); base {
	case "objectsid", "sidhistory", "securityidentifier":
		if sid, rest, err := names.ReadSID(v); err == nil && len(rest) == 0 {
			return sid.String(), true
		}
	case "msds-allowedtoactonbehalfofotheridentity":
		if s := trustees(v); s != "" {
			return s, true
		}
	}
	if !isText(v) {
		return "", false
	}
	return activity.Cut(string(v)), true
}

// maxACEs bounds the trustees of one descriptor.
const maxACEs = 64

// trustees lists the SIDs that the DACL of a self-relative security descriptor
// allows something (MS-DTYP §2.4.6, §2.4.5, §2.4.4.2 and §2.4.4.3), with ", "
// between them; "" when there are none or it is no such thing.
func trustees(b []byte) string {
	const header, aclHeader, aceHeader = 20, 8, 4
	if len(b) < header || b[0] != 1 {
		return ""
	}
	at := int64(binary.LittleEndian.Uint32(b[16:])) // OffsetDacl
	if at < header || at+aclHeader > int64(len(b)) {
		return ""
	}
	acl := b[at:]
	acl = acl[:min(len(acl), int(binary.LittleEndian.Uint16(acl[2:])))]
	if len(acl) < aclHeader {
		return ""
	}
	count := min(int(binary.LittleEndian.Uint16(acl[4:])), maxACEs)
	acl = acl[aclHeader:]
	var list []string
	for range count {
		if len(acl) < aceHeader {
			break
		}
		size := int(binary.LittleEndian.Uint16(acl[2:]))
		if size < aceHeader || size > len(acl) {
			break
		}
		kind, body := acl[0], acl[aceHeader:size]
		acl = acl[size:]
		skip := 4 // Mask
		switch kind {
		case 0: // ACCESS_ALLOWED_ACE_TYPE
		case 5: // ACCESS_ALLOWED_OBJECT_ACE_TYPE: Flags, and the GUIDs they tell of
			if len(body) < 8 {
				continue
			}
			flags := binary.LittleEndian.Uint32(body[4:])
			skip = 8 + 16*int(flags&1+flags>>1&1)
		default:
			continue
		}
		if skip > len(body) {
			continue
		}
		if sid, _, err := names.ReadSID(body[skip:]); err == nil {
			list = append(list, sid.String())
		}
	}
	return activity.Cut(strings.Join(list, ", "))
}
