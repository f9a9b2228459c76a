package winevent

import "strings"

// Names of fields that many events share.
const (
	subjectFields = "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId "
	targetFields  = "TargetUserName TargetDomainName TargetSid " + subjectFields
	memberFields  = "MemberName MemberSid " + targetFields + "PrivilegeList"
	groupFields   = targetFields + "PrivilegeList SamAccountName SidHistory"
	accountFields = targetFields + "PrivilegeList SamAccountName DisplayName UserPrincipalName HomeDirectory HomePath ScriptPath " +
		"ProfilePath UserWorkstations PasswordLastSet AccountExpires PrimaryGroupId AllowedToDelegateTo OldUacValue NewUacValue " +
		"UserAccountControl UserParameters SidHistory LogonHours"
	computerFields = accountFields + " DnsHostName ServicePrincipalNames"
	objectFields   = "OpCorrelationID AppCorrelationID " + subjectFields + "DSName DSType "
	requestFields  = "RequestId Requester Attributes"
	encryption     = " ClientAdvertizedEncryptionTypes SessionKeyEncryptionType PreAuthEncryptionType "
)

// catalogue is what is read: by provider, as Windows spells it, and id.
var catalogue = map[string]log{
	"Microsoft-Windows-Security-Auditing": {"Security", withGroups(map[uint32]kind{
		4624: {logon, subjectFields + "TargetUserSid TargetUserName TargetDomainName TargetLogonId LogonType LogonProcessName AuthenticationPackageName " +
			"WorkstationName LogonGuid TransmittedServices LmPackageName KeyLength ProcessId ProcessName IpAddress IpPort ImpersonationLevel " +
			"RestrictedAdminMode TargetOutboundUserName TargetOutboundDomainName VirtualAccount TargetLinkedLogonId ElevatedToken"},
		4625: {logon, subjectFields + "TargetUserSid TargetUserName TargetDomainName Status FailureReason SubStatus LogonType LogonProcessName " +
			"AuthenticationPackageName WorkstationName TransmittedServices LmPackageName KeyLength ProcessId ProcessName IpAddress IpPort"},
		4768: {ticketRequest, "TargetUserName TargetDomainName TargetSid ServiceName ServiceSid TicketOptions Status TicketEncryptionType PreAuthType " +
			"IpAddress IpPort CertIssuerName CertSerialNumber CertThumbprint ResponseTicket AccountSupportedEncryptionTypes AccountAvailableKeys " +
			"ServiceSupportedEncryptionTypes ServiceAvailableKeys DCSupportedEncryptionTypes DCAvailableKeys" + encryption},
		4769: {serviceTicket, "TargetUserName TargetDomainName ServiceName ServiceSid TicketOptions TicketEncryptionType IpAddress IpPort Status " +
			"LogonGuid TransmittedServices RequestTicketHash ResponseTicketHash AccountSupportedEncryptionTypes AccountAvailableKeys " +
			"ServiceSupportedEncryptionTypes ServiceAvailableKeys DCSupportedEncryptionTypes DCAvailableKeys" + encryption},
		4770: {serviceTicket, "TargetUserName TargetDomainName ServiceName ServiceSid TicketOptions TicketEncryptionType IpAddress IpPort RequestTicketHash ResponseTicketHash"},
		4771: {preAuthFailure, "TargetUserName TargetSid ServiceName TicketOptions Status PreAuthType IpAddress IpPort CertIssuerName CertSerialNumber CertThumbprint"},
		4776: {validation, "PackageName TargetUserName Workstation Status"},

		4662: {directoryAccess, subjectFields + "ObjectServer ObjectType ObjectName OperationType HandleId AccessList AccessMask Properties AdditionalInfo AdditionalInfo2"},
		5136: {objectChange, objectFields + "ObjectDN ObjectGUID ObjectClass AttributeLDAPDisplayName AttributeSyntaxOID AttributeValue OperationType"},
		5137: {objectChange, objectFields + "ObjectDN ObjectGUID ObjectClass"},
		5138: {objectChange, objectFields + "OldObjectDN NewObjectDN ObjectGUID ObjectClass"},
		5139: {objectChange, objectFields + "OldObjectDN NewObjectDN ObjectGUID ObjectClass"},
		5141: {objectChange, objectFields + "ObjectDN ObjectGUID ObjectClass TreeDelete"},
		4928: {replica, "DestinationDRA SourceDRA SourceAddr NamingContext Options StatusCode"},
		4929: {replica, "DestinationDRA SourceDRA SourceAddr NamingContext Options StatusCode"},

		4720: {accountChange, accountFields},
		4722: {accountChange, targetFields},
		4723: {accountChange, targetFields + "PrivilegeList"},
		4724: {accountChange, targetFields},
		4725: {accountChange, targetFields},
		4726: {accountChange, targetFields + "PrivilegeList"},
		4738: {accountChange, "Dummy " + accountFields},
		4740: {accountChange, targetFields},
		4741: {accountChange, computerFields},
		4742: {accountChange, "ComputerAccountChange " + computerFields},
		4743: {accountChange, targetFields + "PrivilegeList"},
		4765: {accountChange, "SourceUserName SourceSid " + targetFields + "PrivilegeList SidList"},
		4766: {accountChange, "SourceUserName " + targetFields + "PrivilegeList"},
		4767: {accountChange, targetFields},
		4781: {accountChange, "OldTargetUserName NewTargetUserName TargetDomainName TargetSid " + subjectFields + "PrivilegeList"},
		4794: {accountChange, subjectFields + "Workstation Status"},

		4706: {accountChange, "DomainName DomainSid " + subjectFields + "TdoType TdoDirection TdoAttributes SidFilteringEnabled"},
		4707: {accountChange, "DomainName DomainSid " + subjectFields},
		4716: {accountChange, "DomainName DomainSid " + subjectFields + "TdoType TdoDirection TdoAttributes SidFilteringEnabled"},

		4697: {service, subjectFields + "ServiceName ServiceFileName ServiceType ServiceStartType ServiceAccount ClientProcessStartKey ClientProcessId ParentProcessId"},
		4698: {task, subjectFields + "TaskName TaskContent ClientProcessStartKey ClientProcessId ParentProcessId RpcCallClientLocality FQDN"},
		4702: {task, subjectFields + "TaskName TaskContentNew ClientProcessStartKey ClientProcessId ParentProcessId RpcCallClientLocality FQDN"},
		5140: {share, subjectFields + "ObjectType IpAddress IpPort ShareName ShareLocalPath AccessMask AccessList"},
		5145: {share, subjectFields + "ObjectType IpAddress IpPort ShareName ShareLocalPath RelativeTargetName AccessMask AccessList AccessReason"},

		4870: {certificate, "CertificateSerialNumber Reason " + subjectFields},
		4886: {certificate, requestFields},
		4887: {certificate, requestFields + " Disposition SubjectKeyIdentifier Subject"},
		4888: {certificate, requestFields + " Disposition SubjectKeyIdentifier Subject"},
		4882: {setting, "SecuritySettings " + subjectFields},
		4885: {setting, "AuditFilter " + subjectFields},
		4890: {setting, "EnableRestrictedPermissions RestrictedPermissions " + subjectFields},
		4892: {setting, ""},
		4896: {setting, "TableId Filter RowsDeleted " + subjectFields},
		4899: {setting, ""},
		4900: {setting, ""},
	})},
	"Service Control Manager": {"System", map[uint32]kind{
		7045: {service, "ServiceName ImagePath ServiceType StartType AccountName"},
	}},
	"NETLOGON": {"System", map[uint32]kind{
		5805: {secureChannel, ""}, 5827: {secureChannel, ""}, 5828: {secureChannel, ""},
		5829: {secureChannel, ""}, 5830: {secureChannel, ""}, 5831: {secureChannel, ""},
	}},
	"Microsoft-Windows-Security-Netlogon": {"Microsoft-Windows-NTLM/Operational", ntlmKinds},
	"Microsoft-Windows-NTLM":              {"Microsoft-Windows-NTLM/Operational", ntlmKinds},
	"Microsoft-Windows-ActiveDirectory_DomainService": {"Directory Service", map[uint32]kind{
		1644: {search, ""},
	}},
	"AD FS Auditing": {"Security", federationKinds},
	"AD FS":          {"AD FS/Admin", federationKinds},
	"Microsoft-Windows-PowerShell": {"Microsoft-Windows-PowerShell/Operational", map[uint32]kind{
		4103: {powerShell, "ContextInfo UserData Payload"},
		4104: {powerShell, "MessageNumber MessageTotal ScriptBlockText ScriptBlockId Path"},
	}},
	"PowerShellCore": {"PowerShellCore/Operational", map[uint32]kind{
		4103: {powerShell, "ContextInfo UserData Payload"},
		4104: {powerShell, "MessageNumber MessageTotal ScriptBlockText ScriptBlockId Path"},
	}},
	"Microsoft-Windows-WMI-Activity": {"Microsoft-Windows-WMI-Activity/Operational", map[uint32]kind{
		5857: {wmi, "ProviderName Code HostProcess ProcessID ProviderPath"},
		5858: {wmi, "Id ClientMachine User ClientProcessId Component Operation ResultCode PossibleCause"},
		5859: {wmi, "NamespaceName Query User processid providerName queryid PossibleCause"},
		5860: {wmi, "NamespaceName Query User Processid ClientMachine PossibleCause"},
		5861: {wmi, "Namespace ESS CONSUMER PossibleCause"},
	}},
	"Microsoft-Windows-DNSServer": {"Microsoft-Windows-DNSServer/Analytical", map[uint32]kind{
		256: {dnsQuestion, ""},
		257: {dnsAnswer, "TCP InterfaceIP Destination AA AD QNAME QTYPE XID DNSSEC RCODE Port Flags Scope Zone PolicyName BufferSize PacketData"},
		258: {dnsAnswer, ""},
	}},
}

var ntlmKinds = map[uint32]kind{
	8004: {netlogonAudit, "SChannelName UserName DomainName WorkstationName SChannelType"},
}

var federationKinds = map[uint32]kind{
	307: {federationSetting, ""}, 510: {federationSetting, ""},
	1200: {federationLogon, ""}, 1201: {federationLogon, ""}, 1202: {federationLogon, ""}, 1203: {federationLogon, ""},
}

// withGroups adds the events of groups: their scope, and whether they are for
// security, shows in the id only.
func withGroups(kinds map[uint32]kind) map[uint32]kind {
	for id, c := range changes {
		switch {
		case c.class != "group":
		case strings.HasPrefix(c.act, "member"):
			kinds[id] = kind{accountChange, memberFields}
		default:
			kinds[id] = kind{accountChange, groupFields}
		}
	}
	return kinds
}

// spelling is the providers' names in lower case: collectors fold them.
var spelling = func() map[string]string {
	m := make(map[string]string, len(catalogue))
	for name := range catalogue {
		m[strings.ToLower(name)] = name
	}
	return m
}()
