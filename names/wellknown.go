package names

// Relative identifiers that every domain has (MS-DTYP §2.4.2.4).
const (
	RIDEnterpriseReadOnlyDCs = 498 // root domain only
	RIDAdministrator         = 500
	RIDGuest                 = 501
	RIDKrbtgt                = 502
	RIDDomainAdmins          = 512
	RIDDomainUsers           = 513
	RIDDomainGuests          = 514
	RIDDomainComputers       = 515
	RIDDomainControllers     = 516
	RIDCertPublishers        = 517
	RIDSchemaAdmins          = 518 // root domain only
	RIDEnterpriseAdmins      = 519 // root domain only
	RIDGroupPolicyCreators   = 520
	RIDReadOnlyDCs           = 521
	RIDCloneableDCs          = 522
	RIDProtectedUsers        = 525
	RIDKeyAdmins             = 526
	RIDEnterpriseKeyAdmins   = 527 // root domain only
	RIDRASServers            = 553
)

// SIDs that mean the same in every domain (MS-DTYP §2.4.2.4).
var (
	SIDEveryone           = mustSID("S-1-1-0")
	SIDAnonymous          = mustSID("S-1-5-7")
	SIDEnterpriseDCs      = mustSID("S-1-5-9")
	SIDSelf               = mustSID("S-1-5-10")
	SIDAuthenticatedUsers = mustSID("S-1-5-11")
	SIDLocalSystem        = mustSID("S-1-5-18")
	SIDLocalService       = mustSID("S-1-5-19")
	SIDNetworkService     = mustSID("S-1-5-20")
	SIDAdministrators     = mustSID("S-1-5-32-544")
	SIDUsers              = mustSID("S-1-5-32-545")
	SIDGuests             = mustSID("S-1-5-32-546")
	SIDAccountOperators   = mustSID("S-1-5-32-548")
	SIDServerOperators    = mustSID("S-1-5-32-549")
	SIDPrintOperators     = mustSID("S-1-5-32-550")
	SIDBackupOperators    = mustSID("S-1-5-32-551")
	SIDReplicator         = mustSID("S-1-5-32-552")
	SIDPreWindows2000     = mustSID("S-1-5-32-554")
	SIDRemoteDesktopUsers = mustSID("S-1-5-32-555")
	SIDNetworkConfigOps   = mustSID("S-1-5-32-556")
	SIDTrustBuilders      = mustSID("S-1-5-32-557")
	SIDDCOMUsers          = mustSID("S-1-5-32-562")
	SIDHyperVAdmins       = mustSID("S-1-5-32-578")
	SIDRemoteManagement   = mustSID("S-1-5-32-580")
)

var sidNames = map[SID]string{
	SIDEveryone:           "Everyone",
	SIDAnonymous:          "Anonymous Logon",
	SIDEnterpriseDCs:      "Enterprise Domain Controllers",
	SIDSelf:               "Self",
	SIDAuthenticatedUsers: "Authenticated Users",
	SIDLocalSystem:        "Local System",
	SIDLocalService:       "Local Service",
	SIDNetworkService:     "Network Service",
	SIDAdministrators:     "Administrators",
	SIDUsers:              "Users",
	SIDGuests:             "Guests",
	SIDAccountOperators:   "Account Operators",
	SIDServerOperators:    "Server Operators",
	SIDPrintOperators:     "Print Operators",
	SIDBackupOperators:    "Backup Operators",
	SIDReplicator:         "Replicator",
	SIDPreWindows2000:     "Pre-Windows 2000 Compatible Access",
	SIDRemoteDesktopUsers: "Remote Desktop Users",
	SIDNetworkConfigOps:   "Network Configuration Operators",
	SIDTrustBuilders:      "Incoming Forest Trust Builders",
	SIDDCOMUsers:          "Distributed COM Users",
	SIDHyperVAdmins:       "Hyper-V Administrators",
	SIDRemoteManagement:   "Remote Management Users",
}

var ridNames = map[uint32]string{
	RIDEnterpriseReadOnlyDCs: "Enterprise Read-only Domain Controllers",
	RIDAdministrator:         "Administrator",
	RIDGuest:                 "Guest",
	RIDKrbtgt:                "krbtgt",
	RIDDomainAdmins:          "Domain Admins",
	RIDDomainUsers:           "Domain Users",
	RIDDomainGuests:          "Domain Guests",
	RIDDomainComputers:       "Domain Computers",
	RIDDomainControllers:     "Domain Controllers",
	RIDCertPublishers:        "Cert Publishers",
	RIDSchemaAdmins:          "Schema Admins",
	RIDEnterpriseAdmins:      "Enterprise Admins",
	RIDGroupPolicyCreators:   "Group Policy Creator Owners",
	RIDReadOnlyDCs:           "Read-only Domain Controllers",
	RIDCloneableDCs:          "Cloneable Domain Controllers",
	RIDProtectedUsers:        "Protected Users",
	RIDKeyAdmins:             "Key Admins",
	RIDEnterpriseKeyAdmins:   "Enterprise Key Admins",
	RIDRASServers:            "RAS and IAS Servers",
}

// WellKnown is the English name that a new domain gives to s, "" when s is not
// well known. Installations in other languages, and administrators, name them
// otherwise: the name is for reading, the SID for deciding.
func (s SID) WellKnown() string {
	if s.isAccount() {
		return ridNames[s.sub[4]]
	}
	return sidNames[s]
}
