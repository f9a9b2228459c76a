package activity

// HasDetail tells that the detail which the activity's kind promises is there.
// A decoder always sets it; what comes out of a file or over a network may not.
// A kind that this version does not know promises nothing.
func (a *Activity) HasDetail() bool {
	switch a.Kind {
	case KerberosAS, KerberosTGS:
		return a.Kerberos != nil
	case KerberosAP, NTLMLogon:
		return a.Auth != nil
	case LDAPSimple, LDAPSASL:
		return a.LDAPBind != nil
	case LDAPQuery:
		return a.LDAPSearch != nil
	case DNSQuery, DNSUpdate:
		return a.DNS != nil
	case Replication:
		return a.DRS != nil
	case DirectoryAccess:
		return a.Access != nil
	case DirectoryChange:
		return a.Change != nil
	case LocalLogon, ADFSLogon:
		return a.Logon != nil
	case VPNConnect, VPNEnd:
		return a.VPN != nil
	case SAMRQuery, SessionQuery, SecretQuery, RPCCall:
		return a.RPC != nil
	case NetBIOSQuery:
		return a.NetBIOS != nil
	case SMBSession, SMBTree, SMBFile:
		return a.SMB != nil
	case NetlogonChannel:
		return a.Netlogon != nil
	case ServiceControl:
		return a.Service != nil
	case TaskScheduling:
		return a.Task != nil
	case WMIExecution, PowerShell:
		return a.Execution != nil
	case CertificateRequest:
		return a.Certificate != nil
	case ServerSetting:
		return a.Setting != nil
	}
	return true
}

// Details counts the details that are set: one, unless somebody made a up.
func (a *Activity) Details() int {
	n := 0
	for _, is := range [...]bool{
		a.Kerberos != nil, a.Auth != nil, a.LDAPBind != nil, a.LDAPSearch != nil, a.DNS != nil, a.DRS != nil, a.Access != nil,
		a.RPC != nil, a.SMB != nil, a.Change != nil, a.Logon != nil, a.Service != nil, a.Task != nil,
		a.Execution != nil, a.Netlogon != nil, a.Certificate != nil, a.Setting != nil, a.VPN != nil, a.NetBIOS != nil,
	} {
		if is {
			n++
		}
	}
	return n
}
