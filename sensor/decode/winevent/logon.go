package winevent

import (
	"strings"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// logon reads events 4624 and 4625, which the computer writes that an account
// logs on to, domain controllers among them.
func logon(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	n, ok1 := f.numbers("LogonType", "Status", "SubStatus")
	id, ok2 := f.long("TargetLogonId")
	if !ok1 || !ok2 {
		x.Count(badNumber, 1)
		return nil
	}
	account := f.account("Target", "TargetUserSid")
	if account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	a := event(x, activity.LocalLogon, now, f)
	a.Account = account
	a.Source = f.source(f.text("WorkstationName"))
	l := &activity.Logon{
		Event: f.ID, Type: n[0], Package: f.text("AuthenticationPackageName"), Process: f.text("LogonProcessName"),
		Workstation: f.text("WorkstationName"), LogonID: id, Elevated: f.yes("ElevatedToken"), Status: n[1],
	}
	a.Logon = l
	switch f.text("LmPackageName") {
	case "NTLM V1", "LM":
		l.NTLMVersion = 1
	case "NTLM V2":
		l.NTLMVersion = 2
	}
	switch strings.ToLower(l.Package) {
	case "kerberos":
		a.Protocol = activity.ProtoKerberos
	case "ntlm":
		a.Protocol = activity.ProtoNTLM
	}
	if s := f.subject(); s.Name != "" {
		l.Subject = s.Name
		if s.Domain != "" {
			l.Subject = s.Domain + `\` + s.Name
		}
	}
	if f.ID == 4625 {
		// Status says that it failed, SubStatus why, where there is more to say.
		if n[2] != 0 {
			l.Status = n[2]
		}
		a.Outcome, a.Error = activity.Failure, activity.StatusName(l.Status)
	}
	return a
}

// validation reads event 4776: a domain controller checked an NTLM answer, for
// itself or for the server that the client logs on to. Which, it does not say.
func validation(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	status, ok := f.number("Status")
	if !ok {
		x.Count(badNumber, 1)
		return nil
	}
	account := logonName(f.text("TargetUserName"))
	if account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	a := ntlm(x, now, f, account, f.text("Workstation"))
	refused(a, status)
	return a
}

// netlogonAudit reads event 8004 of the NTLM log: which server asked a domain
// controller to check an NTLM answer. Whether it was right is in 4776.
func netlogonAudit(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	account := activity.Account{Name: f.text("UserName"), Domain: f.text("DomainName")}
	if account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	a := ntlm(x, now, f, account, f.text("WorkstationName"))
	a.Auth.NTLM.ServerName = f.text("SChannelName")
	a.Outcome = activity.Attempt
	return a
}

func ntlm(x *decode.Context, now activity.Time, f fields, account activity.Account, workstation string) *activity.Activity {
	a := event(x, activity.NTLMLogon, now, f)
	a.Protocol = activity.ProtoNTLM
	a.Account = account
	workstation = strings.TrimPrefix(workstation, `\\`)
	a.Source.Host = workstation
	a.Auth = &activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: account.Name, Domain: account.Domain, Workstation: workstation}}
	return a
}

// secureChannel reads NETLOGON's events 5805 and 5827 to 5831 of the System
// log, whose values have no names.
func secureChannel(x *decode.Context, now activity.Time, f fields) *activity.Activity {
	data := f.data()
	a := event(x, activity.NetlogonChannel, now, f)
	a.Protocol = activity.ProtoDCERPC
	a.Netlogon = &activity.Netlogon{}
	switch f.ID {
	case 5805: // a computer failed to authenticate; the NTSTATUS is in the binary data
		a.Netlogon.Computer = at(data, 0)
		a.Account.Name = a.Netlogon.Computer
		a.Source.Host = a.Netlogon.Computer
		a.Outcome = activity.Failure
		a.Error = activity.StatusName(littleEndian(f.Get("Binary")))
	case 5828, 5831: // a trust: account type, name, target, client's address
		a.Account.Name = at(data, 1)
		a.Netlogon.Computer = at(data, 2)
		a.Source = f.client(at(data, 3), "", "")
	default: // a machine: account, domain, account type, operating system, build, service pack
		a.Account.Name, a.Account.Domain = at(data, 0), at(data, 1)
		a.Netlogon.Computer = strings.TrimSuffix(at(data, 0), "$")
		a.Source.Host = a.Netlogon.Computer
	}
	switch f.ID {
	case 5827, 5828:
		a.Outcome, a.Error = activity.Failure, activity.StatusName(0xc0000022)
	case 5829, 5830, 5831:
		a.Outcome = activity.Success
	}
	if a.Account.Zero() {
		x.Count(noAccount, 1)
		return nil
	}
	return a
}

// littleEndian reads the first 4 bytes of a value in hex.
func littleEndian(s string) (n uint32) {
	if len(s) < 8 {
		return 0
	}
	for i := 6; i >= 0; i -= 2 {
		b, ok := parse("0x"+s[i:i+2], 8)
		if !ok {
			return 0
		}
		n = n<<8 | uint32(b)
	}
	return n
}
