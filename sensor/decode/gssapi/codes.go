package gssapi

import "strconv"

// negState of NegTokenResp (RFC 4178 §4.2.2).
const (
	acceptCompleted = 0
	reject          = 2
)

// krbError is an error-code of KRB-ERROR (RFC 4120 §7.5.9).
type krbError int64

// Those that a server, rather than a KDC, answers an AP-REQ with.
var krbErrorNames = map[krbError]string{
	31: "KRB_AP_ERR_BAD_INTEGRITY",
	32: "KRB_AP_ERR_TKT_EXPIRED",
	33: "KRB_AP_ERR_TKT_NYV",
	34: "KRB_AP_ERR_REPEAT",
	35: "KRB_AP_ERR_NOT_US",
	36: "KRB_AP_ERR_BADMATCH",
	37: "KRB_AP_ERR_SKEW",
	38: "KRB_AP_ERR_BADADDR",
	39: "KRB_AP_ERR_BADVERSION",
	40: "KRB_AP_ERR_MSG_TYPE",
	41: "KRB_AP_ERR_MODIFIED",
	42: "KRB_AP_ERR_BADORDER",
	44: "KRB_AP_ERR_BADKEYVER",
	45: "KRB_AP_ERR_NOKEY",
	46: "KRB_AP_ERR_MUT_FAIL",
	47: "KRB_AP_ERR_BADDIRECTION",
	48: "KRB_AP_ERR_METHOD",
	49: "KRB_AP_ERR_BADSEQ",
	50: "KRB_AP_ERR_INAPP_CKSUM",
	60: "KRB_ERR_GENERIC",
	67: "KRB_AP_ERR_NO_TGT",
	69: "KRB_AP_ERR_USER_TO_USER_REQUIRED",
}

func (e krbError) String() string {
	if name, ok := krbErrorNames[e]; ok {
		return name
	}
	return "KRB-ERROR " + strconv.FormatInt(int64(e), 10)
}
