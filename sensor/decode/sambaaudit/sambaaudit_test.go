package sambaaudit_test

import (
	"net/netip"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/decode/sambaaudit"
)

func TestGolden(t *testing.T) {
	decodetest.Golden(t, "testdata", decode.Set{Events: []decode.Events{sambaaudit.Events}})
}

const now = activity.Time(1714564800e9)

// run reads one record.
func run(t testing.TB, e *decode.Event) (out []*activity.Activity, counts map[string]int64) {
	t.Helper()
	var counters counter.Set
	s, err := decode.NewStage(decode.Set{Events: []decode.Events{sambaaudit.Events}}, nil, &counters, func(a *activity.Activity) { out = append(out, a) })
	if err != nil {
		t.Fatal(err)
	}
	s.Event(now, e)
	counts = make(map[string]int64)
	for _, r := range sambaaudit.Events.Reasons {
		if n := counters.Of(sambaaudit.Events.Name, r).Value(); n > 0 {
			counts[r] = n
		}
	}
	return out, counts
}

// record makes one from names and values.
func record(kind string, id uint32, fields ...string) *decode.Event {
	e := &decode.Event{Provider: decode.Samba, Channel: kind, ID: id}
	for i := 0; i < len(fields); i += 2 {
		e.Fields = append(e.Fields, decode.Field{Name: fields[i], Value: fields[i+1]})
	}
	return e
}

// TestActivities has what the lab's log has not.
func TestActivities(t *testing.T) {
	from := activity.Endpoint{Addr: netip.MustParseAddr("fd00::66"), Port: 40000}
	to := activity.Endpoint{Addr: netip.MustParseAddr("10.77.0.10"), Port: 445}
	asked := func(more ...string) []string {
		return append([]string{"clientAccount", "alice", "clientDomain", "LAB", "remoteAddress", "ipv6:fd00::66:40000", "localAddress", "ipv4:10.77.0.10:445"}, more...)
	}
	for _, c := range []struct {
		name  string
		event *decode.Event
		want  *activity.Activity
	}{
		{"NTLM passed on by a server", record("Authentication", 4625, asked("status", "NT_STATUS_ACCOUNT_LOCKED_OUT", "serviceDescription", "NETLOGON",
			"authDescription", "network", "passwordType", "NTLMv1", "workstation", `\\WS1`, "netlogonComputer", "FILES1")...),
			&activity.Activity{Kind: activity.NTLMLogon, Protocol: activity.ProtoNTLM, Source: activity.Endpoint{Host: "WS1"}, Target: to,
				Account: activity.Account{Name: "alice", Domain: "LAB"}, Outcome: activity.Failure, Error: "STATUS_ACCOUNT_LOCKED_OUT",
				Auth: &activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: "alice", Domain: "LAB", Workstation: "WS1", Version: 1, ServerName: "FILES1"}}}},
		{"a status that is not listed", record("Authentication", 4625, asked("status", "NT_STATUS_FROM_TOMORROW", "serviceDescription", "SMB2", "authDescription", "NTLMSSP")...),
			&activity.Activity{Kind: activity.NTLMLogon, Protocol: activity.ProtoSMB, Source: from, Target: to,
				Account: activity.Account{Name: "alice", Domain: "LAB"}, Outcome: activity.Failure, Error: "STATUS_FROM_TOMORROW",
				Auth: &activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: "alice", Domain: "LAB"}}}},
		{"the old password was wrong", record("Authentication", 4625, asked("status", "NT_STATUS_WRONG_PASSWORD", "serviceDescription", "SAMR Password Change", "authDescription", "samr_ChangePasswordUser3")...),
			&activity.Activity{Kind: activity.DirectoryChange, Protocol: activity.ProtoDCERPC, Source: from, Target: to,
				Account: activity.Account{Name: "alice", Domain: "LAB"}, Outcome: activity.Failure, Error: "STATUS_WRONG_PASSWORD",
				Change: &activity.Change{Event: 4723, Act: "password-change", Class: "user", Object: "alice", Domain: "LAB"}}},
		{"an enterprise name", record("Authentication", 4625, "clientAccount", `alice\@example.org@LAB.EXAMPLE`, "status", "NT_STATUS_ACCOUNT_DISABLED",
			"serviceDescription", "Kerberos KDC", "authDescription", "PK-INIT(ietf) Pre-authentication", "remoteAddress", "ipv6:fd00::66:40000"),
			&activity.Activity{Kind: activity.KerberosAS, Protocol: activity.ProtoKerberos, Source: from,
				Account: activity.Account{Name: "alice@example.org", Domain: "LAB.EXAMPLE"}, Outcome: activity.Failure, Error: "KDC_ERR_CLIENT_REVOKED",
				Kerberos: &activity.Kerberos{Realm: "LAB.EXAMPLE", PAData: []int32{16}, ErrorCode: 18, Status: 0xc0000072, RequestSeen: true}}},
		{"secrets and bytes", record("dsdbChange", 0, "attributes.jpegPhoto.actions.0.action", "replace", "attributes.jpegPhoto.actions.0.values.0.base64", "true",
			"attributes.jpegPhoto.actions.0.values.0.value", "AAAA", "attributes.unicodePwd.actions.0.action", "delete", "attributes.unicodePwd.actions.0.values.0.value", "secret",
			"attributes.unicodePwd.actions.1.action", "add", "attributes.unicodePwd.redacted", "true", "dn", "CN=a", "operation", "Modify", "statusCode", "50", "userSid", "S-1-5-18"),
			&activity.Activity{Kind: activity.DirectoryChange, Account: activity.Account{SID: "S-1-5-18"}, Outcome: activity.Failure, Error: "insufficientAccessRights",
				Change: &activity.Change{Act: "modify", Object: "CN=a", ResultCode: 50, Attributes: []activity.AttributeChange{
					{Name: "jpegPhoto", Act: "replace", Count: 1}, {Name: "unicodePwd", Act: "delete", Count: 1}, {Name: "unicodePwd", Act: "add"}}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := run(t, c.event)
			if len(got) != 1 {
				t.Fatalf("%d activities", len(got))
			}
			c.want.Time, c.want.Via = now, activity.ViaEvent
			if diff := gocmp.Diff(c.want, got[0], cmpopts.IgnoreFields(activity.Activity{}, "ID"), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestCounted has records that give no activity, and why.
func TestCounted(t *testing.T) {
	ok := []string{"status", "NT_STATUS_OK", "remoteAddress", "ipv4:10.0.0.5:1"}
	for _, c := range []struct {
		event *decode.Event
		want  string
	}{
		{record("dsdbTransaction", 0), "transactions"},
		{record("something", 0), "records of other types"},
		{record("Authentication", 4624, "status", "NT_STATUS_OK", "remoteAddress", "unix:"), "authentications and authorizations of the domain controller's own"},
		{record("Authentication", 4624, append(ok, "serviceDescription", "SMB2")...), "records that name no account"},
		{record("Authentication", 4624, append(ok, "serviceDescription", "LDAP", "authDescription", "simple bind")...), "records that name no account"},
		{record("Authentication", 4624, append(ok, "serviceDescription", "Kerberos KDC")...), "records that name no account"},
		{record("Authentication", 4624, append(ok, "serviceDescription", "NETLOGON", "authDescription", "ServerAuthenticate")...), "records that name no account"},
		{record("Authentication", 4624, append(ok, "serviceDescription", "Kerberos KDC", "clientAccount", "a@B", "authDescription", "GSS Pre-authentication")...), "Kerberos authentications in a way that is not known"},
		{record("Authentication", 4624, append(ok, "serviceDescription", "SAMR Password Change", "clientAccount", "a")...), "password changes that another record tells"},
		{record("Authorization", 0, "authType", "krb5", "sid", "S-1-5-18", "remoteAddress", "ipv4:10.0.0.5:1"), "authentications and authorizations of the domain controller's own"},
		{record("Authorization", 0, "authType", "NTLMSSP", "account", "a", "remoteAddress", "ipv4:10.0.0.5:1"), "authorizations that follow an authentication"},
		{record("dsdbChange", 0, "operation", "Modify"), "records that do not say what they are about"},
		{record("dsdbChange", 0, "operation", "Modify", "dn", "CN=a", "attributes.lastLogon.actions.0.action", "replace"), "changes of what the domain controller notes of logons"},
		{record("groupChange", 0, "action", "Added", "group", "CN=g"), "records that do not say what they are about"},
		{record("passwordChange", 0, "dn", "CN=a"), "records that do not say what they are about"},
	} {
		got, counts := run(t, c.event)
		if len(got) != 0 || len(counts) != 1 || counts[c.want] != 1 {
			t.Errorf("%s %v: %d activities, counted %v, want %q", c.event.Channel, c.event.Fields, len(got), counts, c.want)
		}
	}
	other := record("Authentication", 4624)
	other.Provider = "Microsoft-Windows-Security-Auditing"
	if got, counts := run(t, other); len(got)+len(counts) != 0 {
		t.Errorf("of another provider: %v, %v", got, counts)
	}
}

func FuzzRead(f *testing.F) {
	for _, kind := range []string{"Authentication", "Authorization", "dsdbChange", "groupChange", "passwordChange"} {
		f.Add(kind, uint32(4624), "alice@LAB", "NT_STATUS_OK", "ipv4:10.0.0.5:1", "Kerberos KDC", "attributes.member.actions.0.values.0.value")
		f.Add(kind, uint32(4723), "", "NT_STATUS_X", "ipv6:::::0", "NETLOGON", "attributes..actions..")
	}
	f.Fuzz(func(t *testing.T, kind string, id uint32, name, status, addr, service, path string) {
		out, _ := run(t, record(kind, id, "clientAccount", name, "account", name, "dn", name, "group", name, "user", name, "status", status, "statusCode", status,
			"remoteAddress", addr, "localAddress", addr, "serviceDescription", service, "authDescription", service, "authType", service, "passwordType", status,
			"operation", service, "action", service, "userSid", name, "sid", name, path, status))
		for _, a := range out {
			if a.ID == (activity.ID{}) || !a.HasDetail() || a.Details() != 1 {
				t.Errorf("%+v", a)
			}
		}
	})
}
