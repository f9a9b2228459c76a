package kerberos

import "strconv"

// nameTypeNames are the name types of RFC 4120 §6.2, RFC 5179, RFC 6111 and,
// negative, of Windows.
var nameTypeNames = map[int32]string{
	0:    "NT-UNKNOWN",
	1:    "NT-PRINCIPAL",
	2:    "NT-SRV-INST",
	3:    "NT-SRV-HST",
	4:    "NT-SRV-XHST",
	5:    "NT-UID",
	6:    "NT-X500-PRINCIPAL",
	7:    "NT-SMTP-NAME",
	10:   "NT-ENTERPRISE",
	11:   "NT-WELLKNOWN",
	12:   "NT-SRV-HST-DOMAIN",
	-128: "NT-MS-PRINCIPAL",
	-129: "NT-MS-PRINCIPAL-AND-ID",
	-130: "NT-ENT-PRINCIPAL-AND-ID",
}

// NameTypeName is the name of a principal's name-type; "name type <n>" for one
// that no specification names.
func NameTypeName(nameType int32) string { return name(nameTypeNames, "name type ", nameType) }

// paDataNames are the pre-authentication data types of RFC 4120 §7.5.2, RFC 4556
// §3.1.3, RFC 6113, RFC 6560, RFC 6806, RFC 8070, MS-SFU and MS-KILE. The TD-
// types share their numbers with them but come in TYPED-DATA only.
var paDataNames = map[int32]string{
	1:   "PA-TGS-REQ",
	2:   "PA-ENC-TIMESTAMP",
	3:   "PA-PW-SALT",
	5:   "PA-ENC-UNIX-TIME",
	6:   "PA-SANDIA-SECUREID",
	7:   "PA-SESAME",
	8:   "PA-OSF-DCE",
	9:   "PA-CYBERSAFE-SECUREID",
	10:  "PA-AFS3-SALT",
	11:  "PA-ETYPE-INFO",
	12:  "PA-SAM-CHALLENGE",
	13:  "PA-SAM-RESPONSE",
	14:  "PA-PK-AS-REQ_OLD",
	15:  "PA-PK-AS-REP_OLD",
	16:  "PA-PK-AS-REQ",
	17:  "PA-PK-AS-REP",
	18:  "PA-PK-OCSP-RESPONSE",
	19:  "PA-ETYPE-INFO2",
	20:  "PA-SVR-REFERRAL-INFO",
	21:  "PA-SAM-REDIRECT",
	22:  "PA-GET-FROM-TYPED-DATA",
	23:  "PA-SAM-ETYPE-INFO",
	24:  "PA-ALT-PRINC",
	25:  "PA-SERVER-REFERRAL",
	30:  "PA-SAM-CHALLENGE2",
	31:  "PA-SAM-RESPONSE2",
	41:  "PA-EXTRA-TGT",
	128: "PA-PAC-REQUEST",
	129: "PA-FOR-USER",
	130: "PA-FOR-X509-USER",
	131: "PA-FOR-CHECK_DUPS",
	132: "PA-AS-CHECKSUM",
	133: "PA-FX-COOKIE",
	134: "PA-AUTHENTICATION-SET",
	135: "PA-AUTH-SET-SELECTED",
	136: "PA-FX-FAST",
	137: "PA-FX-ERROR",
	138: "PA-ENCRYPTED-CHALLENGE",
	141: "PA-OTP-CHALLENGE",
	142: "PA-OTP-REQUEST",
	143: "PA-OTP-CONFIRM",
	144: "PA-OTP-PIN-CHANGE",
	145: "PA-EPAK-AS-REQ",
	146: "PA-EPAK-AS-REP",
	147: "PA_PKINIT_KX",
	148: "PA_PKU2U_NAME",
	149: "PA-REQ-ENC-PA-REP",
	150: "PA_AS_FRESHNESS",
	151: "PA-SPAKE",
	161: "KERB-KEY-LIST-REQ",
	162: "KERB-KEY-LIST-REP",
	165: "PA-SUPPORTED-ENCTYPES",
	166: "PA-EXTENDED-ERROR",
	167: "PA-PAC-OPTIONS",
}

// PADataName is the name of a padata-type; "padata type <n>" for one that no
// specification names.
func PADataName(kind int32) string { return name(paDataNames, "padata type ", kind) }

func name(names map[int32]string, unknown string, n int32) string {
	if s, ok := names[n]; ok {
		return s
	}
	return unknown + strconv.Itoa(int(n))
}
