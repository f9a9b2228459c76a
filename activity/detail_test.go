package activity

import "testing"

func TestHasDetail(t *testing.T) {
	full := Activity{Kerberos: &Kerberos{}, Auth: &Auth{}, LDAPBind: &LDAPBind{}, LDAPSearch: &LDAPSearch{}, DNS: &DNS{}, DRS: &DRS{}, Access: &Access{},
		RPC: &RPC{}, SMB: &SMB{}, Change: &Change{}, Logon: &Logon{}, Service: &Service{}, Task: &Task{}, Execution: &Execution{}, Netlogon: &Netlogon{},
		Certificate: &Certificate{}, Setting: &Setting{}, VPN: &VPN{}, NetBIOS: &NetBIOS{}}
	for _, k := range Kinds {
		if a := (&Activity{Kind: k.Kind}); a.HasDetail() {
			t.Errorf("%s: needs no detail, so nobody notices one that is missing", k.Kind)
		}
		a := full
		if a.Kind = k.Kind; !a.HasDetail() {
			t.Errorf("%s: its detail is not found", k.Kind)
		}
	}
	if !(&Activity{Kind: "logon.newer"}).HasDetail() {
		t.Error("an unknown kind was refused")
	}
}
