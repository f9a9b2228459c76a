#!/usr/bin/env python3
"""Writes catalogue.events.json: an event of each kind that is read, in the flat
shape of NXLog, with the field names and forms of values that Windows documents."""

import json

DOMAIN = "S-1-5-21-1-2-3-"
SECURITY = "Microsoft-Windows-Security-Auditing"
DC = "dc1.lab.example"

n = 0


def event(ident, fields, provider=SECURITY, channel="Security", host=DC, **more):
    global n
    n += 1
    print(json.dumps({
        "@timestamp": "2026-11-23T20:%02d:%02d.123Z" % divmod(n, 60), "Channel": channel, "SourceName": provider,
        "Hostname": host, "RecordNumber": 200 + n, "EventID": ident, **fields, **more}))


def subject(name="adm-carla", rid=1137):
    return {"SubjectUserSid": DOMAIN + str(rid), "SubjectUserName": name, "SubjectDomainName": "LAB", "SubjectLogonId": "0x3e7a1"}


def target(name, rid, **more):
    return {"TargetUserName": name, "TargetDomainName": "LAB", "TargetSid": DOMAIN + str(rid), **more}


def client(port="51000", host="10.77.0.66"):
    return {"IpAddress": host, "IpPort": port}


FAILED = {"EventType": "AUDIT_FAILURE", "Keywords": -9218868437227405312}

# Logons.
event(4624, {**subject("DC1$", 1000), "TargetUserSid": DOMAIN + "1103", "TargetUserName": "alice.moreau", "TargetDomainName": "LAB",
             "TargetLogonId": "0x51a2b", "LogonType": "3", "LogonProcessName": "NtLmSsp ", "AuthenticationPackageName": "NTLM",
             "WorkstationName": "CLIENT1", "LmPackageName": "NTLM V2", "KeyLength": "128", **client("50123"), "ElevatedToken": "%%1843"})
event(4624, {**subject("DC1$", 1000), "TargetUserSid": DOMAIN + "1137", "TargetUserName": "adm-carla", "TargetDomainName": "LAB",
             "TargetLogonId": "0x51a2c", "LogonType": "10", "LogonProcessName": "User32 ", "AuthenticationPackageName": "Negotiate",
             "WorkstationName": "DC1", "LmPackageName": "-", **client("0", "10.77.0.21"), "ElevatedToken": "%%1842"})
event(4625, {**subject("-", 0), "TargetUserSid": "S-1-0-0", "TargetUserName": "bob", "TargetDomainName": "LAB", "Status": "0xc000006d",
             "FailureReason": "%%2313", "SubStatus": "0xc0000064", "LogonType": "3", "LogonProcessName": "NtLmSsp ",
             "AuthenticationPackageName": "NTLM", "WorkstationName": "KALI", "LmPackageName": "-", **client("50124")}, **FAILED)
event(4769, {"TargetUserName": "alice.moreau@LAB.EXAMPLE", "TargetDomainName": "LAB.EXAMPLE", "ServiceName": "svc-sql",
             "ServiceSid": DOMAIN + "1120", "TicketOptions": "0x40810000", "TicketEncryptionType": "0x17", **client("51003", "::ffff:10.77.0.66"),
             "Status": "0x0", "TransmittedServices": "-"})
event(4769, {"TargetUserName": "alice.moreau@LAB.EXAMPLE", "TargetDomainName": "LAB.EXAMPLE", "ServiceName": "FILES1$",
             "TicketOptions": "0x40830000", "TicketEncryptionType": "0x12", **client("51004"), "Status": "0x0",
             "TransmittedServices": "websvc/web1.lab.example@LAB.EXAMPLE"})
event(4769, {"TargetUserName": "eve@LAB.EXAMPLE", "TargetDomainName": "LAB.EXAMPLE", "ServiceName": "krbtgt/OTHER", "TicketOptions": "0x40810000",
             "TicketEncryptionType": "0xffffffff", **client("51005"), "Status": "0x1b", "TransmittedServices": "-"}, **FAILED)
event(4770, {"TargetUserName": "CLIENT1$@LAB.EXAMPLE", "TargetDomainName": "LAB.EXAMPLE", "ServiceName": "krbtgt", "TicketOptions": "0x10002",
             "TicketEncryptionType": "0x12", **client("51006")})
event(4776, {"PackageName": "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName": "alice.moreau", "Workstation": "CLIENT1", "Status": "0x0"})
event(4776, {"PackageName": "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName": "alice.moreau", "Workstation": r"\\KALI", "Status": "0xc000006a"}, **FAILED)
event(8004, {"SChannelName": "FILES1", "UserName": "alice.moreau", "DomainName": "LAB", "WorkstationName": "KALI", "SChannelType": "2"},
      "Microsoft-Windows-Security-Netlogon", "Microsoft-Windows-NTLM/Operational")

# The directory.
event(4662, {**subject(), "ObjectServer": "LSA", "ObjectType": "SecretObject", "ObjectName": "BCKUPKEY_PREFERRED", "OperationType": "Query",
             "AccessMask": "0x2", "Properties": "-"})
event(5136, {"OpCorrelationID": "{7F2B0A11-0000-4000-8000-000000000001}", "AppCorrelationID": "-", **subject(), "DSName": "lab.example", "DSType": "%%14676",
             "ObjectDN": "CN=FILES1,CN=Computers,DC=lab,DC=example", "ObjectGUID": "{C0FFEE00-0000-4000-8000-000000000002}", "ObjectClass": "computer",
             "AttributeLDAPDisplayName": "servicePrincipalName", "AttributeSyntaxOID": "2.5.5.12", "AttributeValue": "cifs/files1", "OperationType": "%%14674"})
event(5136, {"OpCorrelationID": "{7F2B0A11-0000-4000-8000-000000000002}", **subject(), "DSName": "lab.example",
             "ObjectDN": "CN=alice.moreau,OU=Staff,DC=lab,DC=example", "ObjectGUID": "{C0FFEE00-0000-4000-8000-000000000003}", "ObjectClass": "user",
             "AttributeLDAPDisplayName": "userParameters", "AttributeSyntaxOID": "2.5.5.10", "AttributeValue": "<Binary>", "OperationType": "%%14675"})
event(5137, {**subject(), "DSName": "lab.example", "ObjectDN": "CN=EVIL01,CN=Computers,DC=lab,DC=example", "ObjectGUID": "{C0FFEE00-0000-4000-8000-000000000004}", "ObjectClass": "computer"})
event(5138, {**subject(), "DSName": "lab.example", "OldObjectDN": r"CN=temp01\0ADEL:c0ffee00,CN=Deleted Objects,DC=lab,DC=example", "NewObjectDN": "CN=temp01,OU=Scratch,DC=lab,DC=example",
             "ObjectGUID": "{C0FFEE00-0000-4000-8000-000000000005}", "ObjectClass": "user"})
event(5139, {**subject(), "DSName": "lab.example", "OldObjectDN": "CN=temp01,OU=Scratch,DC=lab,DC=example", "NewObjectDN": "CN=temp01,OU=Staff,DC=lab,DC=example",
             "ObjectGUID": "{C0FFEE00-0000-4000-8000-000000000005}", "ObjectClass": "user"})
event(5141, {**subject(), "DSName": "lab.example", "ObjectDN": "CN=temp01,OU=Staff,DC=lab,DC=example", "ObjectGUID": "{C0FFEE00-0000-4000-8000-000000000005}",
             "ObjectClass": "user", "TreeDelete": "%%14679"})
event(4928, {"DestinationDRA": "CN=NTDS Settings,CN=DC1,CN=Servers", "SourceDRA": "CN=NTDS Settings,CN=ROGUE,CN=Servers", "SourceAddr": "rogue.lab.example",
             "NamingContext": "DC=lab,DC=example", "Options": "0", "StatusCode": "0"})
event(4929, {"DestinationDRA": "CN=NTDS Settings,CN=DC1,CN=Servers", "SourceDRA": "-", "SourceAddr": "rogue.lab.example",
             "NamingContext": "DC=lab,DC=example", "Options": "16640", "StatusCode": "8452"})

# Accounts and groups.
event(4720, {**target("new.starter", 1150), **subject(), "SamAccountName": "new.starter", "DisplayName": "New Starter", "UserPrincipalName": "new.starter@lab.example",
             "HomeDirectory": "-", "ScriptPath": "%%1793", "PasswordLastSet": "%%1794", "AccountExpires": "%%1794", "PrimaryGroupId": "513",
             "AllowedToDelegateTo": "-", "OldUacValue": "0x0", "NewUacValue": "0x15", "UserAccountControl": "\n\t\t%%2080\n\t\t%%2082\n\t\t%%2084", "SidHistory": "-"})
event(4722, {**target("new.starter", 1150), **subject()})
event(4723, {**target("alice.moreau", 1103), **subject("alice.moreau", 1103)})
event(4724, {**target("krbtgt", 502), **subject()}, **FAILED)
event(4725, {**target("new.starter", 1150), **subject()})
event(4726, {**target("new.starter", 1150), **subject()})
event(4738, {"Dummy": "-", **target("app-scanner", 1135), **subject(), "SamAccountName": "-", "PasswordLastSet": "-", "OldUacValue": "0x210", "NewUacValue": "0x10210",
             "UserAccountControl": "\n\t\t%%2096", "SidHistory": "-"})
event(4740, {"TargetUserName": "alice.moreau", "TargetDomainName": "KALI", "TargetSid": DOMAIN + "1103", "SubjectUserSid": "S-1-5-18",
             "SubjectUserName": "DC1$", "SubjectDomainName": "LAB", "SubjectLogonId": "0x3e7"})
event(4741, {**target("EVIL01$", 1160), **subject("oscar.nilsson", 1117), "SamAccountName": "EVIL01$", "PrimaryGroupId": "515", "OldUacValue": "0x0", "NewUacValue": "0x80",
             "DnsHostName": "-", "ServicePrincipalNames": "\n\t\tHOST/EVIL01\n\t\tRestrictedKrbHost/EVIL01"})
event(4742, {"ComputerAccountChange": "-", **target("DC1$", 1000), "SubjectUserSid": "S-1-5-7", "SubjectUserName": "ANONYMOUS LOGON", "SubjectDomainName": "NT AUTHORITY",
             "PasswordLastSet": "11/23/2026 8:20:11 PM", "OldUacValue": "-", "NewUacValue": "-", "AllowedToDelegateTo": "-", "DnsHostName": "-", "ServicePrincipalNames": "-"})
event(4743, {**target("EVIL01$", 1160), **subject()})
event(4765, {"SourceUserName": r"LAB\Domain Admins", "SourceSid": DOMAIN + "512", **target("eve", 1170), **subject()})
event(4766, {"SourceUserName": r"LAB\Domain Admins", **target("eve", 1170), **subject()}, **FAILED)
event(4767, {**target("alice.moreau", 1103), **subject()})
event(4781, {"OldTargetUserName": "EVIL01$", "NewTargetUserName": "DC1", "TargetDomainName": "LAB", "TargetSid": DOMAIN + "1160", **subject("oscar.nilsson", 1117)})
event(4794, {**subject(), "Workstation": "DC1", "Status": "0x0"})
event(4728, {"MemberName": "CN=eve,OU=Staff,DC=lab,DC=example", "MemberSid": DOMAIN + "1170", **target("Domain Admins", 512), **subject()})
event(4733, {"MemberName": "-", "MemberSid": DOMAIN + "1170", "TargetUserName": "Administrators", "TargetDomainName": "Builtin", "TargetSid": "S-1-5-32-544", **subject()})
event(4761, {"MemberName": "CN=eve,OU=Staff,DC=lab,DC=example", "MemberSid": DOMAIN + "1170", **target("All Staff", 1180), **subject()})
event(4727, {**target("ESX Admins", 1190), **subject(), "SamAccountName": "ESX Admins", "SidHistory": "-"})
event(4763, {**target("All Staff", 1180), **subject()})
event(4706, {"DomainName": "other.example", "DomainSid": "S-1-5-21-9-9-9", **subject(), "TdoType": "2", "TdoDirection": "3", "TdoAttributes": "8", "SidFilteringEnabled": "%%1796"})

# Servers.
event(7045, {"ServiceName": "PSEXESVC", "ImagePath": r"%SystemRoot%\PSEXESVC.exe", "ServiceType": "user mode service", "StartType": "demand start", "AccountName": "LocalSystem"},
      "Service Control Manager", "System", UserID=DOMAIN + "1137")
event(4697, {**subject(), "ServiceName": "PSEXESVC", "ServiceFileName": r"%SystemRoot%\PSEXESVC.exe", "ServiceType": "0x10", "ServiceStartType": "3", "ServiceAccount": "LocalSystem"})
event(4698, {**subject(), "TaskName": r"\updater", "TaskContent": '<?xml version="1.0" encoding="UTF-16"?>\r\n<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">'
             "<Principals><Principal id=\"Author\"><UserId>S-1-5-18</UserId></Principal></Principals><Settings><Hidden>true</Hidden></Settings>"
             "<Actions><Exec><Command>cmd.exe</Command><Arguments>/c whoami &gt; c:\\x</Arguments></Exec></Actions></Task>"})
event(4702, {**subject(), "TaskName": r"\updater", "TaskContentNew": "<Task><Actions><ComHandler><ClassId>{C0FFEE00-0000-4000-8000-000000000006}</ClassId></ComHandler></Actions></Task>"})
event(5140, {**subject(), "ObjectType": "File", **client("50555"), "ShareName": r"\\*\ADMIN$", "ShareLocalPath": r"\??\C:\Windows", "AccessMask": "0x1", "AccessList": "%%4416"})
event(5145, {**subject(), "ObjectType": "File", **client("50555"), "ShareName": r"\\*\IPC$", "ShareLocalPath": "", "RelativeTargetName": "svcctl", "AccessMask": "0x12019f", "AccessList": "%%1538"})
event(5145, {**subject(), "ObjectType": "File", **client("50556"), "ShareName": r"\\*\SYSVOL", "RelativeTargetName": r"lab.example\Policies\GPT.INI", "AccessMask": "0x2", "AccessList": "%%4417"}, **FAILED)
event(4103, {"ContextInfo": "", "Payload": 'CommandInvocation(Get-ADUser): "Get-ADUser"\r\nParameterBinding(Get-ADUser): name="Filter"; value="*"\r\nCommandInvocation(Out-File): "Out-File"\r\n'},
      "Microsoft-Windows-PowerShell", "Microsoft-Windows-PowerShell/Operational", UserID=DOMAIN + "1137", AccountName="adm-carla", Domain="LAB")
event(4104, {"MessageNumber": "1", "MessageTotal": "1", "ScriptBlockText": "Get-ADReplAccount -All", "ScriptBlockId": "c0ffee00-0000-4000-8000-000000000007", "Path": ""},
      "Microsoft-Windows-PowerShell", "Microsoft-Windows-PowerShell/Operational", UserID=DOMAIN + "1137")
event(5857, {"ProviderName": "Win32_Process_Prov", "Code": "0x0", "HostProcess": "wmiprvse.exe", "ProcessID": "4204", "ProviderPath": r"%systemroot%\system32\wbem\cimwin32.dll"},
      "Microsoft-Windows-WMI-Activity", "Microsoft-Windows-WMI-Activity/Operational", UserID="S-1-5-20")
event(5858, {"Id": "{00000000-0000-0000-0000-000000000000}", "ClientMachine": "KALI", "User": r"LAB\adm-carla", "ClientProcessId": "100", "Component": "Unknown",
             "Operation": r"Start IWbemServices::ExecMethod - root\cimv2 : Win32_Process::Create", "ResultCode": "0x80041003", "PossibleCause": "Unknown"},
      "Microsoft-Windows-WMI-Activity", "Microsoft-Windows-WMI-Activity/Operational")
event(5861, {"Namespace": r"//./root/subscription", "ESS": "evil", "CONSUMER": 'CommandLineEventConsumer="evil"', "PossibleCause": "Binding"},
      "Microsoft-Windows-WMI-Activity", "Microsoft-Windows-WMI-Activity/Operational", UserID="S-1-5-18")
event(257, {"TCP": "1", "InterfaceIP": "10.77.0.10", "Destination": "10.77.0.66", "AA": "1", "AD": "0", "QNAME": "lab.example.", "QTYPE": "252", "XID": "4711", "DNSSEC": "0",
            "RCODE": "5", "Port": "40123", "Flags": "34181", "Scope": "Default", "Zone": "lab.example"}, "Microsoft-Windows-DNSServer", "Microsoft-Windows-DNSServer/Analytical")
event(256, {"TCP": "1", "InterfaceIP": "10.77.0.10", "Source": "10.77.0.66", "QNAME": "lab.example.", "QTYPE": "252", "XID": "4711", "Port": "40123"},
      "Microsoft-Windows-DNSServer", "Microsoft-Windows-DNSServer/Analytical")

# Certification authority.
CA = "ca1.lab.example"
event(4886, {"RequestId": "17", "Requester": r"LAB\oscar.nilsson", "Attributes": "CertificateTemplate:User\r\nccm:CLIENT1\r\nSAN:upn=administrator@lab.example&dns=dc1.lab.example"}, host=CA)
event(4887, {"RequestId": "17", "Requester": r"LAB\oscar.nilsson", "Attributes": "CertificateTemplate:User", "Disposition": "3", "SubjectKeyIdentifier": "5B 1C 00 ff", "Subject": "CN=oscar.nilsson"}, host=CA)
event(4888, {"RequestId": "18", "Requester": r"LAB\oscar.nilsson", "Attributes": "CertificateTemplate:DomainController", "Disposition": "2", "SubjectKeyIdentifier": "-", "Subject": "CN=oscar.nilsson"}, host=CA, **FAILED)
event(4870, {"CertificateSerialNumber": "61 00 00 17", "Reason": "1", **subject()}, host=CA)
event(4882, {"SecuritySettings": "Allow(0x00000200)\tNT AUTHORITY\\Authenticated Users", **subject()}, host=CA)
event(4885, {"AuditFilter": "0", **subject()}, host=CA)
event(4890, {"EnableRestrictedPermissions": "1", "RestrictedPermissions": "allow", **subject()}, host=CA)
event(4896, {"TableId": "0", "Filter": "-", "RowsDeleted": "12", **subject()}, host=CA)
