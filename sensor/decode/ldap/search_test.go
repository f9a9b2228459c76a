package ldap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

var anyObject = present("objectClass")

func TestSearch(t *testing.T) {
	c := open(t, setting{})
	c.client(message(5, searchOp("DC=lab,DC=example", 1, equality("adminCount", "1"), "sAMAccountName", "memberOf"), "1.2.840.113556.1.4.319"))
	c.server(
		join(entry(5, "CN=a", attribute("cn", "a")), entry(5, "CN=b")),
		message(5, tlv(0x73, octets("ldap://other"))),
		join(entry(5, "CN=c"), done(5, 0)),
	)
	a := c.one()
	want := &activity.LDAPSearch{
		MessageID: 5, Base: "DC=lab,DC=example", Scope: 1, Filter: "(adminCount=1)",
		Attributes: []string{"sAMAccountName", "memberOf"}, Controls: []string{"1.2.840.113556.1.4.319"}, Entries: 3,
	}
	if d := cmp.Diff(want, a.LDAPSearch); d != "" {
		t.Error(d)
	}
	if a.Kind != activity.LDAPQuery || a.Protocol != activity.ProtoLDAP || a.Transport != activity.TCP || a.Outcome != activity.Success ||
		a.Requested != start || a.Time != start+3*second || a.Anomalies != nil {
		t.Errorf("got %+v", a)
	}
}

func TestSearchesAtOnce(t *testing.T) {
	c := open(t, setting{})
	c.client(join(searchFor(1, "a", anyObject), searchFor(2, "b", anyObject), searchFor(3, "c", anyObject)))
	c.server(join(entry(3, "x"), entry(2, "x"), entry(3, "x"), done(3, 0), done(1, 32), entry(2, "x"), done(2, 4)))
	var got []string
	for _, a := range c.close() {
		got = append(got, fmt.Sprint(a.LDAPSearch.Base, a.LDAPSearch.Entries, a.Outcome, a.Error))
	}
	if want := []string{"c2success", "a0failurenoSuchObject", "b2failuresizeLimitExceeded"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSearchWithoutResult(t *testing.T) {
	tests := []struct {
		name string
		do   func(c *conversation)
	}{
		{"connection ends", func(c *conversation) {}},
		{"unbind", func(c *conversation) { c.client(message(2, tlv(0x42))) }},
		{"abandon", func(c *conversation) {
			c.client(message(2, tlv(0x50, []byte{1})))
			if len(c.got) != 1 {
				t.Error("not given up at once")
			}
		}},
		{"patience", func(c *conversation) {
			c.now = start + patience
			c.client(message(2, tlv(0x42)))
			if len(c.got) != 0 {
				t.Error("given up too early")
			}
			c.now = start + patience + 1
			c.client(message(3, tlv(0x42)))
			if len(c.got) != 1 {
				t.Error("not given up")
			}
		}},
		{"the same request again", func(c *conversation) {
			c.client(searchFor(1, "first", anyObject))
			c.server(done(1, 0))
			if len(c.got) != 2 {
				t.Errorf("got %+v", c.got)
			}
			c.got = c.got[:1]
		}},
		{"the message ID again", func(c *conversation) {
			c.client(searchFor(1, "again", anyObject))
			c.server(done(1, 0))
			again := c.got[1]
			if again.LDAPSearch.Base != "again" || !slices.Equal(again.Anomalies, []string{anomalyMessageID}) {
				t.Errorf("got %+v", again)
			}
			c.got = c.got[:1]
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, setting{})
			c.client(searchFor(1, "first", anyObject))
			c.now = start
			tt.do(c)
			if a := c.one(); a.Outcome != activity.Attempt || a.LDAPSearch.Base != "first" || a.LDAPSearch.ResultCode != -1 {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// TestEntriesKeepASearchAlive: what still answers is waited for.
func TestEntriesKeepASearchAlive(t *testing.T) {
	c := open(t, setting{})
	c.client(searchFor(1, "", anyObject))
	c.now = start + patience - second
	c.server(entry(1, "x"))
	c.now = start + patience + second
	c.client(searchFor(2, "", anyObject))
	c.server(done(1, 0))
	if len(c.got) != 1 || c.got[0].Outcome != activity.Success {
		t.Errorf("got %+v", c.got)
	}
}

func TestPendingSearches(t *testing.T) {
	c := open(t, setting{})
	var all []byte
	const n = 10_000
	for i := range n {
		all = append(all, searchFor(i+1, fmt.Sprint("b", i), anyObject)...)
	}
	c.client(all)
	if len(c.got) != n-maxPending {
		t.Errorf("%d given up, want %d", len(c.got), n-maxPending)
	}
	c.counted(pendingFull, n-maxPending)
	got := c.close()
	for i, a := range got {
		if a.LDAPSearch.Base != fmt.Sprint("b", i) || a.Outcome != activity.Attempt {
			t.Fatalf("activity %d: %+v", i, a.LDAPSearch)
		}
	}
	if len(got) != n {
		t.Errorf("%d activities, want %d", len(got), n)
	}
}

// TestPendingText: few searches with much text are bounded too.
func TestPendingText(t *testing.T) {
	c := open(t, setting{})
	long := make([]string, maxAttributes)
	for i := range long {
		long[i] = strings.Repeat("a", 250)
	}
	for i := range 20 {
		c.client(searchFor(i+1, strings.Repeat("b", 4000), anyObject, long...))
	}
	if left := 20 - len(c.got); left != 3 {
		t.Errorf("%d pending, want the 3 that fit %d bytes", left, maxHeld)
	}
}

func TestSearchOddities(t *testing.T) {
	many := make([]string, maxAttributes+1)
	for i := range many {
		many[i] = fmt.Sprint("a", i)
	}
	tests := []struct {
		name    string
		request []byte
		want    []string
	}{
		{"scope", message(1, searchOp("", 3, anyObject)), []string{anomalyScope}},
		{"base", searchFor(1, "\xff", anyObject), []string{anomalyText}},
		{"message ID", searchFor(0, "", anyObject), []string{anomalyMessageID}},
		{"attributes", searchFor(1, "", anyObject, many...), []string{anomalyListCut}},
		{"controls", message(1, searchOp("", 0, anyObject), many[:maxControls+1]...), []string{anomalyListCut}},
		{"deep", searchFor(1, "", nested(100, anyObject)), []string{anomalyFilterDepth}},
		{"long", searchFor(1, strings.Repeat("b", 5000), equality("cn", strings.Repeat("x", 5000))), []string{anomalyFilterCut}},
		{"no filter", message(1, tlv(0x63, octets("b"), enumerated(0))), []string{anomalyRequest}},
		{"broken filter", searchFor(1, "b", tlv(0xa3, octets("cn"))), []string{anomalyFilter}},
		{"broken attributes", message(1, tlv(0x63, octets("b"), enumerated(0), enumerated(0), integer(0), integer(0),
			tlv(0x01, []byte{0}), anyObject, seq(octets("cn"), integer(4)))), []string{anomalyRequest}},
		{"longer than kept", searchFor(1, "b", equality("cn", strings.Repeat("x", maxRequest)), "cn"), []string{anomalyCut, anomalyFilter, anomalyFilterCut}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, setting{})
			c.client(tt.request)
			c.server(done(1, 0))
			a := c.one()
			s := a.LDAPSearch
			if !slices.Equal(a.Anomalies, tt.want) || len(s.Base) > activity.MaxText || len(s.Filter) > activity.MaxText ||
				len(s.Attributes) > maxAttributes || len(s.Controls) > maxControls {
				t.Errorf("anomalies %q, want %q: %+v", a.Anomalies, tt.want, s)
			}
		})
	}
}

// TestBulkEntries: values are skipped by their length, lost bytes in them cost
// nothing, and nothing of them is buffered.
func TestBulkEntries(t *testing.T) {
	const size = 5 << 20
	big := entry(1, "CN=photo", attribute("thumbnailPhoto", strings.Repeat("x", size)))
	for _, lost := range []int{0, 1 << 20} {
		c := open(t, setting{})
		c.client(searchFor(1, "", anyObject))
		at := 0
		for at < len(big) {
			if at == 1460*100 && lost > 0 {
				c.gap(flow.ToClient, lost)
				at += lost
			}
			n := min(1460, len(big)-at)
			c.server(big[at : at+n])
			at += n
		}
		c.server(join(entry(1, "CN=b"), done(1, 0)))
		a := c.one()
		if a.LDAPSearch.Entries != 2 || a.Outcome != activity.Success {
			t.Errorf("%d bytes lost: %+v", lost, a.LDAPSearch)
		}
		c.counted(cut, 1)
		c.counted(skippedBytes, 0)
	}
}

func TestGaps(t *testing.T) {
	first, second := searchFor(1, "first", equality("cn", "longer than it looks"), "cn"), searchFor(2, "second", anyObject)
	c := open(t, setting{})
	c.client(first[:40])
	c.gap(flow.ToServer, len(first)-40)
	c.client(second)
	c.gap(flow.ToClient, 0)
	c.server([]byte("the rest of a message"), join(done(1, 0), done(2, 0)))
	got := c.close()
	if len(got) != 2 || got[0].LDAPSearch.Base != "first" || got[0].LDAPSearch.Filter != "(cn=lon…)" ||
		!slices.Equal(got[0].Anomalies, []string{anomalyCut, anomalyFilter}) ||
		got[1].LDAPSearch.Base != "second" || got[0].Outcome != activity.Success || got[1].Outcome != activity.Success {
		t.Errorf("got %+v %+v", got[0].LDAPSearch, got[1])
	}
	c.counted(skippedBytes, 21)
}

// netlogon is a NETLOGON_SAM_LOGON_RESPONSE_EX's beginning.
func netlogon(op byte) []byte {
	return attribute("Netlogon", string([]byte{op, 0, 0, 0, 0xfd, 0x31, 0, 0}))
}

func ping(id int, user string) []byte {
	filter := tlv(0xa0, equality("DnsDomain", "lab.example"), equality("User", user), equality("NtVer", "\x06\x00\x00\x00"))
	return message(id, searchOp("", 0, filter, "Netlogon"))
}

func TestLocatorPing(t *testing.T) {
	for _, s := range []setting{{transport: activity.UDP}, {}} {
		for _, op := range []byte{19, 21, 23, 25} {
			c := open(t, s)
			c.client(ping(1, "alice"))
			c.server(join(entry(1, "", attribute("cn", "x"), netlogon(op)), done(1, 0)))
			a := c.one()
			proto := activity.ProtoLDAP
			if s.transport == activity.UDP {
				proto = activity.ProtoCLDAP
			}
			if a.LDAPSearch.NetlogonOp != uint16(op) || a.Protocol != proto || a.LDAPSearch.Entries != 1 ||
				a.LDAPSearch.Filter != `(&(DnsDomain=lab.example)(User=alice)(NtVer=\06\00\00\00))` {
				t.Errorf("opcode %d: %+v %+v", op, a, a.LDAPSearch)
			}
		}
	}
}

// TestNetlogonUnasked: only an answer to a ping is read as one.
func TestNetlogonUnasked(t *testing.T) {
	c := open(t, setting{})
	c.client(searchFor(1, "", anyObject, "cn"))
	c.server(join(entry(1, "", netlogon(23)), done(1, 0)))
	if a := c.one(); a.LDAPSearch.NetlogonOp != 0 {
		t.Errorf("opcode %d", a.LDAPSearch.NetlogonOp)
	}
}

func TestRepeatedDatagram(t *testing.T) {
	c := open(t, setting{transport: activity.UDP})
	c.client(ping(1, "alice"), ping(1, "alice"), ping(1, "bob"))
	c.server(join(entry(1, "", netlogon(25)), done(1, 0)))
	got := c.close()
	if len(got) != 2 || got[0].Outcome != activity.Attempt || got[1].LDAPSearch.NetlogonOp != 25 {
		t.Errorf("got %+v", got)
	}
	c.counted(repeated, 1)
}

func TestDatagramRubbish(t *testing.T) {
	c := open(t, setting{transport: activity.UDP})
	c.client([]byte("rubbish"), join(ping(1, "a"), []byte("tail")), seq(octets("?")))
	c.one()
	c.counted(skippedBytes, 11)
	c.counted(malformed, 1)
}
