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
	}
	return true
}
