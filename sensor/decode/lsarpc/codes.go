package lsarpc

import "github.com/verderer/verderer/sensor/decode"

// Opnums (MS-LSAD §3.1.4, MS-LSAT §3.1.4).
const (
	opClose                    = 0
	opQueryInformationPolicy   = 7
	opSetInformationPolicy     = 8
	opCreateAccount            = 10
	opLookupNames              = 14
	opLookupSids               = 15
	opCreateSecret             = 16
	opOpenAccount              = 17
	opOpenTrustedDomain        = 25
	opOpenSecret               = 28
	opSetSecret                = 29
	opQuerySecret              = 30
	opDeleteObject             = 34
	opAccountsWithUserRight    = 35
	opEnumerateAccountRights   = 36
	opAddAccountRights         = 37
	opRemoveAccountRights      = 38
	opQueryTrustedDomainInfo   = 39
	opSetTrustedDomainInfo     = 40
	opDeleteTrustedDomain      = 41
	opStorePrivateData         = 42
	opRetrievePrivateData      = 43
	opQueryInformationPolicy2  = 46
	opSetInformationPolicy2    = 47
	opQueryTrustedDomainByName = 48
	opSetTrustedDomainByName   = 49
	opOpenTrustedDomainByName  = 55
	opLookupSids2              = 57
	opLookupNames2             = 58
	opLookupNames3             = 68
	opQueryForestTrust         = 73
	opSetForestTrust           = 74
	opLookupSids3              = 76
	opLookupNames4             = 77
	opOpenSecret2              = 136
	opQuerySecret2             = 139
	opStorePrivateData2        = 140
	opRetrievePrivateData2     = 141
)

var operations = decode.Operations{
	0:   "LsarClose",
	2:   "LsarEnumeratePrivileges",
	3:   "LsarQuerySecurityObject",
	4:   "LsarSetSecurityObject",
	6:   "LsarOpenPolicy",
	7:   "LsarQueryInformationPolicy",
	8:   "LsarSetInformationPolicy",
	10:  "LsarCreateAccount",
	11:  "LsarEnumerateAccounts",
	12:  "LsarCreateTrustedDomain",
	13:  "LsarEnumerateTrustedDomains",
	14:  "LsarLookupNames",
	15:  "LsarLookupSids",
	16:  "LsarCreateSecret",
	17:  "LsarOpenAccount",
	18:  "LsarEnumeratePrivilegesAccount",
	19:  "LsarAddPrivilegesToAccount",
	20:  "LsarRemovePrivilegesFromAccount",
	23:  "LsarGetSystemAccessAccount",
	24:  "LsarSetSystemAccessAccount",
	25:  "LsarOpenTrustedDomain",
	26:  "LsarQueryInfoTrustedDomain",
	27:  "LsarSetInformationTrustedDomain",
	28:  "LsarOpenSecret",
	29:  "LsarSetSecret",
	30:  "LsarQuerySecret",
	31:  "LsarLookupPrivilegeValue",
	32:  "LsarLookupPrivilegeName",
	33:  "LsarLookupPrivilegeDisplayName",
	34:  "LsarDeleteObject",
	35:  "LsarEnumerateAccountsWithUserRight",
	36:  "LsarEnumerateAccountRights",
	37:  "LsarAddAccountRights",
	38:  "LsarRemoveAccountRights",
	39:  "LsarQueryTrustedDomainInfo",
	40:  "LsarSetTrustedDomainInfo",
	41:  "LsarDeleteTrustedDomain",
	42:  "LsarStorePrivateData",
	43:  "LsarRetrievePrivateData",
	44:  "LsarOpenPolicy2",
	45:  "LsarGetUserName",
	46:  "LsarQueryInformationPolicy2",
	47:  "LsarSetInformationPolicy2",
	48:  "LsarQueryTrustedDomainInfoByName",
	49:  "LsarSetTrustedDomainInfoByName",
	50:  "LsarEnumerateTrustedDomainsEx",
	51:  "LsarCreateTrustedDomainEx",
	53:  "LsarQueryDomainInformationPolicy",
	54:  "LsarSetDomainInformationPolicy",
	55:  "LsarOpenTrustedDomainByName",
	57:  "LsarLookupSids2",
	58:  "LsarLookupNames2",
	59:  "LsarCreateTrustedDomainEx2",
	68:  "LsarLookupNames3",
	73:  "LsarQueryForestTrustInformation",
	74:  "LsarSetForestTrustInformation",
	76:  "LsarLookupSids3",
	77:  "LsarLookupNames4",
	129: "LsarCreateTrustedDomainEx3",
	130: "LsarOpenPolicy3",
	132: "LsarQueryForestTrustInformation2",
	133: "LsarSetForestTrustInformation2",
	135: "LsarOpenPolicyWithCreds",
	136: "LsarOpenSecret2",
	137: "LsarCreateSecret2",
	138: "LsarSetSecret2",
	139: "LsarQuerySecret2",
	140: "LsarStorePrivateData2",
	141: "LsarRetrievePrivateData2",
}
