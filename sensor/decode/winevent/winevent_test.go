package winevent

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
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

// of makes an event of another log.
func of(provider, channel string, id uint32, fields ...string) *decode.Event {
	e := security(id, fields...)
	e.Provider, e.Channel = provider, channel
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
		{security(4662, "ObjectServer", "DS", "AccessMask", "-2147483649"), badNumber},
		{security(4662, "ObjectServer", "DS"), noAccount},
		{security(4624, "TargetUserName", "a", "LogonType", "net"), badNumber},
		{security(4624, "TargetUserName", "-"), noAccount},
		{security(4769, "TargetUserName", "a", "TicketOptions", "x"), badNumber},
		{security(4769), noAccount},
		{security(4776, "Status", "0x0"), noAccount},
		{security(4728, "TargetUserName", "g"), noObject},
		{security(4720), noObject},
		{security(4794, "Status", "none"), badNumber},
		{security(5136, "ObjectDN", "CN=a"), noObject},
		{security(5141), noObject},
		{security(4928), noObject},
		{security(4697), noObject},
		{security(4698), noObject},
		{security(5145), noObject},
		{security(4887), noObject},
		{security(4885), noObject},
		{of("NETLOGON", "System", 5805), noAccount},
		{of("Service Control Manager", "Security", 7045, "ServiceName", "a"), otherChannel},
		{of("AD FS Auditing", "Security", 1200, "Data", "id", "Data", "text"), badXML},
		{of("AD FS Auditing", "Security", 1200, "Data", "id", "Data", "<a>b</a>"), noAccount},
		{of("AD FS Auditing", "Security", 307), noObject},
		{of("Microsoft-Windows-DNSServer", "", 256), dnsQuestions},
		{of("microsoft-windows-powershell", "", 4104), noObject},
		{of("Microsoft-Windows-WMI-Activity", "", 5858), noObject},
		{of("Microsoft-Windows-ActiveDirectory_DomainService", "Directory Service", 1644, "Data", "DC=a"), noObject},
		{security(4776, "Data", "1", "Data", "2", "Data", "3", "Data", "4", "Data", "5"), nameless},
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

// TestAccountControl has the bits of an account event and those of the directory.
func TestAccountControl(t *testing.T) {
	for sam, want := range map[uint32]string{0: "0", 0x10: "512", 0x15: "546", 0x10010: "4194816", 0x2010: "524800", 0x40010: "16777728", 0x200000: "134217728"} {
		if got := userAccountControl(sam); got != want {
			t.Errorf("%#x: %s, want %s", sam, got, want)
		}
	}
}

func TestFilter(t *testing.T) {
	for in, want := range map[string]string{
		" ( &  ( |  (a=b c)  (UNDEFINED) ( ! (d=*) ) ) ) ": "(&(|(a=b c)(UNDEFINED)(!(d=*))))",
		"(userAccountControl&4194304)":                     "(userAccountControl:1.2.840.113556.1.4.803:=4194304)",
		" ( |  (groupType|2)  (a=x&3) ) ":                  "(|(groupType:1.2.840.113556.1.4.804:=2)(a=x&3))",
		"":                                                 "",
	} {
		if got := compact(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestXML has XML that is none, or too much.
func TestXML(t *testing.T) {
	for in, want := range map[string]bool{
		"": false, "text": false, "<a/>": true, "<a>": false, "<a></b>": false, "<a><b>c</b></a>": true, "&lt;a&gt;&amp;amp;&lt;/a&gt;": true,
		strings.Repeat("<a>", maxXMLDepth+1) + strings.Repeat("</a>", maxXMLDepth+1): false,
		"<a>" + strings.Repeat("<b/>", maxXMLTokens) + "</a>":                        false,
		"<!DOCTYPE a [<!ENTITY e \"e\">]><a>&e;</a>":                                 false,
	} {
		if got := elements(in, func([]string, string) {}); got != want {
			t.Errorf("%.40q: %v, want %v", in, got, want)
		}
	}
}

// FuzzRead gives every kind of event the same few values.
func FuzzRead(f *testing.F) {
	f.Add(uint8(0), uint32(4768), "alice", "0x0", "::ffff:10.0.0.5", "{"+activity.RightGetChangesAll+"}")
	f.Add(uint8(0), uint32(4771), "", "24", "::1", "")
	f.Add(uint8(0), uint32(4662), "-", "0x100", "fe80::1%eth0", "%{")
	for i, p := range providers {
		for id := range catalogue[p].kinds {
			f.Add(uint8(i), id, "a", "1", "10.0.0.5", "<a><UserId>b</UserId></a>")
		}
	}
	f.Fuzz(func(t *testing.T, p uint8, id uint32, name, number, addr, text string) {
		l := catalogue[providers[int(p)%len(providers)]]
		all := []string{name, number, addr, text}
		var named, data []string
		for i, field := range strings.Fields(l.kinds[id].names) {
			v := all[(i+len(name))%4]
			switch {
			case strings.Contains(field, "User") || strings.Contains(field, "Name"):
				v = name
			case strings.HasPrefix(field, "Ip"):
				v = addr
			case strings.HasSuffix(field, "Sid") || strings.HasPrefix(field, "Object") || strings.HasPrefix(field, "Task"):
				v = text
			}
			named, data = append(named, field, v), append(data, "Data", v)
		}
		data = append(data, "Data", text, "Data", addr, "param3", number, "Binary", number)
		for _, fields := range [][]string{named, data, data[len(data)-8:]} {
			out, _ := run(t, of(providers[int(p)%len(providers)], "", id, fields...))
			for _, a := range out {
				if a.ID == (activity.ID{}) || !a.HasDetail() || a.Details() != 1 || a.Outcome == "" {
					t.Errorf("%+v", a)
				}
			}
		}
	})
}

var providers = slices.Sorted(maps.Keys(catalogue))
