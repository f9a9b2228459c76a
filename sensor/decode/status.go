package decode

import (
	"fmt"

	"github.com/verderer/verderer/activity"
)

// Status reads a return value: whether it refuses what was asked, and its name
// in MS-ERREF, or its number.
type Status func(code uint32) (refused bool, name string)

// NTStatus reads an NTSTATUS (MS-ERREF §2.3): a refusal is of severity error.
// STATUS_MORE_ENTRIES and STATUS_SOME_NOT_MAPPED are answers.
func NTStatus(code uint32) (refused bool, name string) {
	return code>>30 == 3, activity.StatusName(code)
}

// Win32 reads a Win32 error (MS-ERREF §2.2), NERR_* codes among them. That there
// is more to read, or no more, is an answer.
func Win32(code uint32) (refused bool, name string) {
	switch code {
	case 0, 234, 259, 997: // ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, ERROR_IO_PENDING
		return false, nameOf(win32Names, code)
	}
	return true, nameOf(win32Names, code)
}

// HResult reads an HRESULT (MS-ERREF §2.1): a refusal has the highest bit set.
// One that wraps a Win32 error goes by that one's name.
func HResult(code uint32) (refused bool, name string) {
	if code>>16 == 0x8007 {
		if name, ok := win32Names[code&0xffff]; ok {
			return true, name
		}
	}
	return code>>31 == 1, nameOf(hresultNames, code)
}

func nameOf(names map[uint32]string, code uint32) string {
	if name, ok := names[code]; ok {
		return name
	}
	return fmt.Sprintf("0x%08x", code)
}

// Names of what the interfaces of a domain controller return in practice.
var (
	win32Names = map[uint32]string{
		2:    "ERROR_FILE_NOT_FOUND",
		3:    "ERROR_PATH_NOT_FOUND",
		5:    "ERROR_ACCESS_DENIED",
		6:    "ERROR_INVALID_HANDLE",
		8:    "ERROR_NOT_ENOUGH_MEMORY",
		13:   "ERROR_INVALID_DATA",
		50:   "ERROR_NOT_SUPPORTED",
		53:   "ERROR_BAD_NETPATH",
		67:   "ERROR_BAD_NET_NAME",
		80:   "ERROR_FILE_EXISTS",
		87:   "ERROR_INVALID_PARAMETER",
		120:  "ERROR_CALL_NOT_IMPLEMENTED",
		122:  "ERROR_INSUFFICIENT_BUFFER",
		123:  "ERROR_INVALID_NAME",
		124:  "ERROR_INVALID_LEVEL",
		161:  "ERROR_BAD_PATHNAME",
		183:  "ERROR_ALREADY_EXISTS",
		234:  "ERROR_MORE_DATA",
		259:  "ERROR_NO_MORE_ITEMS",
		997:  "ERROR_IO_PENDING",
		1009: "ERROR_BADDB",
		1018: "ERROR_KEY_DELETED",
		1051: "ERROR_DEPENDENT_SERVICES_RUNNING",
		1053: "ERROR_SERVICE_REQUEST_TIMEOUT",
		1056: "ERROR_SERVICE_ALREADY_RUNNING",
		1057: "ERROR_INVALID_SERVICE_ACCOUNT",
		1058: "ERROR_SERVICE_DISABLED",
		1060: "ERROR_SERVICE_DOES_NOT_EXIST",
		1062: "ERROR_SERVICE_NOT_ACTIVE",
		1065: "ERROR_DATABASE_DOES_NOT_EXIST",
		1069: "ERROR_SERVICE_LOGON_FAILED",
		1072: "ERROR_SERVICE_MARKED_FOR_DELETE",
		1073: "ERROR_SERVICE_EXISTS",
		1078: "ERROR_DUPLICATE_SERVICE_NAME",
		1168: "ERROR_NOT_FOUND",
		1314: "ERROR_PRIVILEGE_NOT_HELD",
		1326: "ERROR_LOGON_FAILURE",
		1332: "ERROR_NONE_MAPPED",
		1355: "ERROR_NO_SUCH_DOMAIN",
		1722: "RPC_S_SERVER_UNAVAILABLE",
		1764: "RPC_S_CANNOT_SUPPORT",
		1801: "ERROR_INVALID_PRINTER_NAME",
		1802: "ERROR_PRINTER_ALREADY_EXISTS",
		1804: "ERROR_INVALID_DATATYPE",
		1805: "ERROR_INVALID_ENVIRONMENT",
		2102: "NERR_NetNotStarted",
		2116: "NERR_UnknownDevDir",
		2118: "NERR_DuplicateShare",
		2123: "NERR_BufTooSmall",
		2221: "NERR_UserNotFound",
		2310: "NERR_NetNameNotFound",
		2311: "NERR_DeviceNotShared",
		2312: "NERR_ClientNameNotFound",
		6000: "ERROR_ENCRYPTION_FAILED",
		6001: "ERROR_DECRYPTION_FAILED",

		0x16c9a0d6: "ept_s_not_registered", // C706 appendix E: of the endpoint mapper alone
	}

	hresultNames = map[uint32]string{
		0x00041303: "SCHED_S_TASK_HAS_NOT_RUN",
		0x0004131c: "SCHED_S_BATCH_LOGON_PROBLEM",
		0x80004001: "E_NOTIMPL",
		0x80004002: "E_NOINTERFACE",
		0x80004005: "E_FAIL",
		0x80010108: "RPC_E_DISCONNECTED",
		0x80040154: "REGDB_E_CLASSNOTREG",
		0x80041001: "WBEM_E_FAILED",
		0x80041002: "WBEM_E_NOT_FOUND",
		0x80041003: "WBEM_E_ACCESS_DENIED",
		0x80041008: "WBEM_E_INVALID_PARAMETER",
		0x8004100e: "WBEM_E_INVALID_NAMESPACE",
		0x80041010: "WBEM_E_INVALID_CLASS",
		0x8004102e: "WBEM_E_INVALID_METHOD",
		0x8004130f: "SCHED_E_ACCOUNT_INFORMATION_NOT_SET",
		0x80041310: "SCHED_E_ACCOUNT_NAME_NOT_FOUND",
		0x80041316: "SCHED_E_UNEXPECTEDNODE",
		0x80041317: "SCHED_E_NAMESPACE",
		0x80041318: "SCHED_E_INVALIDVALUE",
		0x80041319: "SCHED_E_MISSINGNODE",
		0x8004131a: "SCHED_E_MALFORMEDXML",
		0x80080005: "CO_E_SERVER_EXEC_FAILURE",
		0x80094011: "CERTSRV_E_ENROLL_DENIED",
		0x80094012: "CERTSRV_E_TEMPLATE_DENIED",
		0x80094800: "CERTSRV_E_UNSUPPORTED_CERT_TYPE",
		0x8009480f: "CERTSRV_E_SUBJECT_DNS_REQUIRED",
	}
)
