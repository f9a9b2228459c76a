package activity

import "strconv"

// resultNames are the names of RFC 4511 §4.1.9, and of the cancel, assertion
// and proxied authorization operations (RFC 3909, 4528, 4370).
var resultNames = map[int32]string{
	0:   "success",
	1:   "operationsError",
	2:   "protocolError",
	3:   "timeLimitExceeded",
	4:   "sizeLimitExceeded",
	5:   "compareFalse",
	6:   "compareTrue",
	7:   "authMethodNotSupported",
	8:   "strongerAuthRequired",
	10:  "referral",
	11:  "adminLimitExceeded",
	12:  "unavailableCriticalExtension",
	13:  "confidentialityRequired",
	14:  "saslBindInProgress",
	16:  "noSuchAttribute",
	17:  "undefinedAttributeType",
	18:  "inappropriateMatching",
	19:  "constraintViolation",
	20:  "attributeOrValueExists",
	21:  "invalidAttributeSyntax",
	32:  "noSuchObject",
	33:  "aliasProblem",
	34:  "invalidDNSyntax",
	36:  "aliasDereferencingProblem",
	48:  "inappropriateAuthentication",
	49:  "invalidCredentials",
	50:  "insufficientAccessRights",
	51:  "busy",
	52:  "unavailable",
	53:  "unwillingToPerform",
	54:  "loopDetect",
	64:  "namingViolation",
	65:  "objectClassViolation",
	66:  "notAllowedOnNonLeaf",
	67:  "notAllowedOnRDN",
	68:  "entryAlreadyExists",
	69:  "objectClassModsProhibited",
	71:  "affectsMultipleDSAs",
	80:  "other",
	118: "canceled",
	119: "noSuchOperation",
	120: "tooLate",
	121: "cannotCancel",
	122: "assertionFailed",
	123: "authorizationDenied",
}

// LDAPResultName is the name of an LDAP result code; "resultCode 999" for one
// that no specification names.
func LDAPResultName(code int32) string {
	if s, ok := resultNames[code]; ok {
		return s
	}
	return "resultCode " + strconv.Itoa(int(code))
}
