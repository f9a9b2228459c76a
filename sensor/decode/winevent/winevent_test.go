package winevent

import (
	"net/netip"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
)

const now = activity.Time(1714564800e9)

// run reads one event.
func run(t testing.TB, e *decode.Event) (out []*activity.Activity, counts map[string]int64) {
	t.Helper()
	var counters counter.Set
	s, err := decode.NewStage(decode.Set{Events: []decode.Events{Events}}, nil, &counters, func(a *activity.Activity) { out = append(out, a) })
	if err != nil {
		t.Fatal(err)
	}
	s.Event(now, e)
	counts = make(map[string]int64)
	for _, r := range Events.Reasons {
		if n := counters.Of(Events.Name, r).Value(); n > 0 {
			counts[r] = n
		}
	}
	return out, counts
}

// security makes one of the security log from names and values.
func security(id uint32, fields ...string) *decode.Event {
	e := &decode.Event{Channel: "Security", Provider: "Microsoft-Windows-Security-Auditing", ID: id, Computer: "DC1.lab.example"}
	for i := 0; i < len(fields); i += 2 {
		e.Fields = append(e.Fields, decode.Field{Name: fields[i], Value: fields[i+1]})
	}
	return e
}

func client(addr string, port uint16) activity.Endpoint {
	return activity.Endpoint{Addr: netip.MustParseAddr(addr), Port: port}
}

func TestActivities(t *testing.T) {
	asked := func(name string, more ...string) []string {
		return append([]string{"TargetUserName", name, "TargetDomainName", "LAB.EXAMPLE", "TargetSid", "S-1-5-21-1-2-3-1104",
			"ServiceName", "krbtgt", "IpAddress", "::ffff:10.0.0.5", "IpPort", "49152", "TicketOptions", "0x40810010"}, more...)
	}
	alice := activity.Account{Name: "alice", Domain: "LAB.EXAMPLE", SID: "S-1-5-21-1-2-3-1104"}
	as := func(more activity.Activity, k activity.Kerberos) *activity.Activity {
		more.Kind, more.Protocol, more.Kerberos = activity.KerberosAS, activity.ProtoKerberos, &k
		k.Options, k.RequestSeen = 0x40810010, true
		more.Kerberos = &k
		return &more
	}
	for _, c := range []struct {
		name  string
		event *decode.Event
		want  *activity.Activity
	}{
		{"ticket for a password", security(4768, asked("alice", "Status", "0x0", "TicketEncryptionType", "0x12", "PreAuthType", "2")...),
			as(activity.Activity{Source: client("10.0.0.5", 49152), Account: alice, Outcome: activity.Success},
				activity.Kerberos{Realm: "LAB.EXAMPLE", Service: "krbtgt", PAData: []int32{2}, ReplyEType: 18})},
		{"the same with decimal numbers", security(4768, asked("alice", "Status", "0", "TicketEncryptionType", "18", "PreAuthType", "2")...),
			as(activity.Activity{Source: client("10.0.0.5", 49152), Account: alice, Outcome: activity.Success},
				activity.Kerberos{Realm: "LAB.EXAMPLE", Service: "krbtgt", PAData: []int32{2}, ReplyEType: 18})},
		{"ticket without pre-authentication", security(4768, asked("alice", "Status", "0x0", "TicketEncryptionType", "0x17", "PreAuthType", "0")...),
			as(activity.Activity{Source: client("10.0.0.5", 49152), Account: alice, Outcome: activity.Success},
				activity.Kerberos{Realm: "LAB.EXAMPLE", Service: "krbtgt", ReplyEType: 23})},
		{"ticket for a certificate", security(4768, asked("alice", "Status", "0x0", "TicketEncryptionType", "0x12", "PreAuthType", "15")...),
			as(activity.Activity{Source: client("10.0.0.5", 49152), Account: alice, Outcome: activity.Success},
				activity.Kerberos{Realm: "LAB.EXAMPLE", Service: "krbtgt", PAData: []int32{16}, ReplyEType: 18})},
		{"ticket through FAST", security(4768, asked("alice", "Status", "0x0", "TicketEncryptionType", "0x12", "PreAuthType", "138")...),
			as(activity.Activity{Source: client("10.0.0.5", 49152), Account: alice, Outcome: activity.Success},
				activity.Kerberos{Realm: "LAB.EXAMPLE", Service: "krbtgt", PAData: []int32{136}, ReplyEType: 18})},
		{"unknown name", security(4768, "TargetUserName", "bob", "TargetDomainName", "lab", "TargetSid", "S-1-0-0", "ServiceName", "krbtgt/lab",
			"IpAddress", "fe80::1%3", "IpPort", "0", "TicketOptions", "0x40810010", "Status", "0x6", "TicketEncryptionType", "0xffffffff", "PreAuthType", "-"),
			as(activity.Activity{Source: client("fe80::1", 0), Account: activity.Account{Name: "bob", Domain: "lab"}, Outcome: activity.Failure, Error: "KDC_ERR_C_PRINCIPAL_UNKNOWN"},
				activity.Kerberos{Realm: "lab", Service: "krbtgt/lab", ErrorCode: 6})},
		{"the controller itself", security(4768, "TargetUserName", "DC1$", "ServiceName", "krbtgt", "IpAddress", "::1", "IpPort", "0", "TicketOptions", "0x40810010", "PreAuthType", "2"),
			as(activity.Activity{Source: activity.Endpoint{Host: "DC1.lab.example"}, Account: activity.Account{Name: "DC1$"}, Outcome: activity.Success},
				activity.Kerberos{Service: "krbtgt", PAData: []int32{2}})},
		{"wrong password", security(4771, "TargetUserName", "alice", "TargetSid", "S-1-5-21-1-2-3-1104", "ServiceName", "krbtgt/LAB.EXAMPLE",
			"IpAddress", "10.0.0.5", "IpPort", "70000", "TicketOptions", "0x40810010", "Status", "0x18", "PreAuthType", "2"),
			as(activity.Activity{Source: client("10.0.0.5", 0), Account: alice, Outcome: activity.Failure, Error: "KDC_ERR_PREAUTH_FAILED"},
				activity.Kerberos{Realm: "LAB.EXAMPLE", Service: "krbtgt/LAB.EXAMPLE", PAData: []int32{2}, ErrorCode: 24})},
		{"replication right", security(4662, "SubjectUserName", "alice", "SubjectDomainName", "LAB", "SubjectUserSid", "S-1-5-21-1-2-3-1104", "ObjectServer", "DS",
			"ObjectType", "%{19195A5B-6da0-11d0-afd3-00c04fd930c9}", "ObjectName", "DC=lab,DC=example", "AccessMask", "0x100",
			"Properties", "%%7688\r\n\t\t{1131F6AD-9c07-11d1-f79f-00c04fc2dcd2}\r\n\t{not a guid}{19195a5b-6da0-11d0-afd3-00c04fd930c9"),
			&activity.Activity{Kind: activity.DirectoryAccess, Account: activity.Account{Name: "alice", Domain: "LAB", SID: "S-1-5-21-1-2-3-1104"}, Outcome: activity.Success,
				Access: &activity.Access{ObjectServer: "DS", ObjectType: "19195a5b-6da0-11d0-afd3-00c04fd930c9", ObjectName: "DC=lab,DC=example", AccessMask: 0x100,
					Properties: []string{activity.RightGetChangesAll}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, counts := run(t, c.event)
			if len(got) != 1 || len(counts) != 0 {
				t.Fatalf("%d activities, counts %v", len(got), counts)
			}
			c.want.Time, c.want.Via, c.want.Target.Host = now, activity.ViaEvent, "DC1.lab.example"
			if diff := gocmp.Diff(c.want, got[0], cmpopts.IgnoreFields(activity.Activity{}, "ID"), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestCounted has events that give no activity, and why.
func TestCounted(t *testing.T) {
	foreign := security(4768)
	foreign.Provider = "Sysmon"
	for _, c := range []struct {
		event *decode.Event
		want  string
	}{
		{foreign, otherProvider},
		{security(4688), otherID},
		{security(4768, "Status", "0x0"), noAccount},
		{security(4768, "TargetUserName", "-", "Status", "0x0"), noAccount},
		{security(4768, "TargetUserName", "a", "Status", "yes"), badNumber},
		{security(4768, "TargetUserName", "a", "Status", "0x100000000"), badNumber},
		{security(4768, "TargetUserName", "a", "TicketEncryptionType", "x"), badNumber},
		{security(4771, "TargetUserName", "a"), badNumber},
		{security(4662, "ObjectServer", "LSA"), otherServer},
		{security(4662, "ObjectServer", "DS", "AccessMask", "-1"), badNumber},
		{security(4662, "ObjectServer", "DS"), noAccount},
	} {
		got, counts := run(t, c.event)
		if len(got) != 0 || len(counts) != 1 || counts[c.want] != 1 {
			t.Errorf("%d %v: %d activities, counted %v, want %q", c.event.ID, c.event.Fields, len(got), counts, c.want)
		}
	}
	e := security(4771, "TargetUserName", "a", "Status", "24")
	e.Zoneless, e.Cut = true, 2
	if got, counts := run(t, e); len(got) != 1 || counts[zoneless] != 1 || counts[cut] != 1 {
		t.Errorf("%d activities, counted %v", len(got), counts)
	}
}

func TestProperties(t *testing.T) {
	many := ""
	for range 2 * activity.MaxProperties {
		many += "{" + activity.RightGetChanges + "}"
	}
	if n := len(guids(many)); n != activity.MaxProperties {
		t.Errorf("%d properties, want %d", n, activity.MaxProperties)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(uint32(4768), "alice", "0x0", "::ffff:10.0.0.5", "{"+activity.RightGetChangesAll+"}")
	f.Add(uint32(4771), "", "24", "::1", "")
	f.Add(uint32(4662), "-", "0x100", "fe80::1%eth0", "%{")
	f.Fuzz(func(t *testing.T, id uint32, name, number, addr, guid string) {
		out, _ := run(t, security(id, "TargetUserName", name, "SubjectUserName", name, "Status", number, "PreAuthType", number, "AccessMask", number,
			"TicketEncryptionType", number, "IpAddress", addr, "IpPort", number, "ObjectServer", "DS", "ObjectName", guid, "Properties", guid, "TargetSid", name, "ServiceName", name))
		for _, a := range out {
			if a.ID == (activity.ID{}) || a.Account.Zero() {
				t.Errorf("%+v", a)
			}
		}
	})
}
