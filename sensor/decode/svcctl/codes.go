package svcctl

import "github.com/verderer/verderer/sensor/decode"

// Opnums (MS-SCMR §3.1.4).
const (
	opCloseHandle  = 0
	opControl      = 1
	opDelete       = 2
	opChangeW      = 11
	opCreateW      = 12
	opOpenManagerW = 15
	opOpenServiceW = 16
	opStartW       = 19
	opChangeA      = 23
	opCreateA      = 24
	opOpenManagerA = 27
	opOpenServiceA = 28
	opStartA       = 31
	opCreateWOW64A = 44
	opCreateWOW64W = 45
	opCreateWow    = 60
	opOpenManager2 = 64
)

var operations = decode.Operations{
	0:  "RCloseServiceHandle",
	1:  "RControlService",
	2:  "RDeleteService",
	3:  "RLockServiceDatabase",
	4:  "RQueryServiceObjectSecurity",
	5:  "RSetServiceObjectSecurity",
	6:  "RQueryServiceStatus",
	7:  "RSetServiceStatus",
	8:  "RUnlockServiceDatabase",
	9:  "RNotifyBootConfigStatus",
	11: "RChangeServiceConfigW",
	12: "RCreateServiceW",
	13: "REnumDependentServicesW",
	14: "REnumServicesStatusW",
	15: "ROpenSCManagerW",
	16: "ROpenServiceW",
	17: "RQueryServiceConfigW",
	18: "RQueryServiceLockStatusW",
	19: "RStartServiceW",
	20: "RGetServiceDisplayNameW",
	21: "RGetServiceKeyNameW",
	23: "RChangeServiceConfigA",
	24: "RCreateServiceA",
	25: "REnumDependentServicesA",
	26: "REnumServicesStatusA",
	27: "ROpenSCManagerA",
	28: "ROpenServiceA",
	29: "RQueryServiceConfigA",
	30: "RQueryServiceLockStatusA",
	31: "RStartServiceA",
	32: "RGetServiceDisplayNameA",
	33: "RGetServiceKeyNameA",
	35: "REnumServiceGroupW",
	36: "RChangeServiceConfig2A",
	37: "RChangeServiceConfig2W",
	38: "RQueryServiceConfig2A",
	39: "RQueryServiceConfig2W",
	40: "RQueryServiceStatusEx",
	41: "REnumServicesStatusExA",
	42: "REnumServicesStatusExW",
	44: "RCreateServiceWOW64A",
	45: "RCreateServiceWOW64W",
	47: "RNotifyServiceStatusChange",
	48: "RGetNotifyResults",
	49: "RCloseNotifyHandle",
	50: "RControlServiceExA",
	51: "RControlServiceExW",
	56: "RQueryServiceConfigEx",
	60: "RCreateWowService",
	64: "ROpenSCManager2",
}

// act is what a call does to a service; "" nothing that rules look at.
func act(opnum uint16) string {
	switch opnum {
	case opCreateW, opCreateA, opCreateWOW64A, opCreateWOW64W, opCreateWow:
		return "create"
	case opChangeW, opChangeA:
		return "change"
	case opStartW, opStartA:
		return "start"
	}
	return ""
}

// narrow tells the forms whose strings have 8-bit characters.
func narrow(opnum uint16) bool {
	switch opnum {
	case opChangeA, opCreateA, opOpenManagerA, opOpenServiceA, opStartA, opCreateWOW64A:
		return true
	}
	return false
}
