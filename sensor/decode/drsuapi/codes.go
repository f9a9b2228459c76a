package drsuapi

import "fmt"

// operations are the methods by opnum (MS-DRSR §4.1).
var operations = [...]string{
	0:  "IDL_DRSBind",
	1:  "IDL_DRSUnbind",
	2:  "IDL_DRSReplicaSync",
	3:  "IDL_DRSGetNCChanges",
	4:  "IDL_DRSUpdateRefs",
	5:  "IDL_DRSReplicaAdd",
	6:  "IDL_DRSReplicaDel",
	7:  "IDL_DRSReplicaModify",
	8:  "IDL_DRSVerifyNames",
	9:  "IDL_DRSGetMemberships",
	10: "IDL_DRSInterDomainMove",
	11: "IDL_DRSGetNT4ChangeLog",
	12: "IDL_DRSCrackNames",
	13: "IDL_DRSWriteSPN",
	14: "IDL_DRSRemoveDsServer",
	15: "IDL_DRSRemoveDsDomain",
	16: "IDL_DRSDomainControllerInfo",
	17: "IDL_DRSAddEntry",
	18: "IDL_DRSExecuteKCC",
	19: "IDL_DRSGetReplInfo",
	20: "IDL_DRSAddSidHistory",
	21: "IDL_DRSGetMemberships2",
	22: "IDL_DRSReplicaVerifyObjects",
	23: "IDL_DRSGetObjectExistence",
	24: "IDL_DRSQuerySitesByCost",
	25: "IDL_DRSInitDemotion",
	26: "IDL_DRSReplicaDemotion",
	27: "IDL_DRSFinishDemotion",
	28: "IDL_DRSAddCloneDC",
	29: "IDL_DRSWriteNgcKey",
	30: "IDL_DRSReadNgcKey",
}

// operation names an opnum; "" for one the specification does not define.
func operation(opnum uint16) string {
	if int(opnum) < len(operations) {
		return operations[opnum]
	}
	return ""
}

// errorNames are the Windows errors that this interface returns (MS-ERREF §2.2).
var errorNames = map[uint32]string{
	5:    "ERROR_ACCESS_DENIED",
	8:    "ERROR_NOT_ENOUGH_MEMORY",
	50:   "ERROR_NOT_SUPPORTED",
	87:   "ERROR_INVALID_PARAMETER",
	8333: "ERROR_DS_OBJ_NOT_FOUND",
	8418: "ERROR_DS_DRA_SCHEMA_MISMATCH",
	8436: "ERROR_DS_DRA_GENERIC",
	8437: "ERROR_DS_DRA_INVALID_PARAMETER",
	8438: "ERROR_DS_DRA_BUSY",
	8439: "ERROR_DS_DRA_BAD_DN",
	8440: "ERROR_DS_DRA_BAD_NC",
	8441: "ERROR_DS_DRA_DN_EXISTS",
	8442: "ERROR_DS_DRA_INTERNAL_ERROR",
	8443: "ERROR_DS_DRA_INCONSISTENT_DIT",
	8444: "ERROR_DS_DRA_CONNECTION_FAILED",
	8445: "ERROR_DS_DRA_BAD_INSTANCE_TYPE",
	8446: "ERROR_DS_DRA_OUT_OF_MEM",
	8447: "ERROR_DS_DRA_MAIL_PROBLEM",
	8448: "ERROR_DS_DRA_REF_ALREADY_EXISTS",
	8449: "ERROR_DS_DRA_REF_NOT_FOUND",
	8450: "ERROR_DS_DRA_OBJ_IS_REP_SOURCE",
	8451: "ERROR_DS_DRA_DB_ERROR",
	8452: "ERROR_DS_DRA_NO_REPLICA",
	8453: "ERROR_DS_DRA_ACCESS_DENIED",
	8454: "ERROR_DS_DRA_NOT_SUPPORTED",
	8455: "ERROR_DS_DRA_RPC_CANCELLED",
	8456: "ERROR_DS_DRA_SOURCE_DISABLED",
	8457: "ERROR_DS_DRA_SINK_DISABLED",
	8458: "ERROR_DS_DRA_NAME_COLLISION",
	8459: "ERROR_DS_DRA_SOURCE_REINSTALLED",
	8460: "ERROR_DS_DRA_MISSING_PARENT",
	8461: "ERROR_DS_DRA_PREEMPTED",
	8462: "ERROR_DS_DRA_ABANDON_SYNC",
	8463: "ERROR_DS_DRA_SHUTDOWN",
	8464: "ERROR_DS_DRA_INCOMPATIBLE_PARTIAL_SET",
	8465: "ERROR_DS_DRA_SOURCE_IS_PARTIAL_REPLICA",
	8466: "ERROR_DS_DRA_EXTN_CONNECTION_FAILED",
}

// errorName is the error's own name, or its number.
func errorName(code uint32) string {
	if name, ok := errorNames[code]; ok {
		return name
	}
	return fmt.Sprintf("0x%08x", code)
}
