package kerberos

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// conversation is a decoder at work, and what it made.
type conversation struct {
	flow.Handler
	stage *decode.Stage
	got   []*activity.Activity
}

func converse(t testing.TB, transport activity.Transport) *conversation {
	t.Helper()
	c := &conversation{}
	var err error
	c.stage, err = decode.NewStage(decode.Set{Protocols: []decode.Protocol{Protocol}}, nil, &counter.Set{}, func(a *activity.Activity) {
		c.got = append(c.got, a)
	})
	if err != nil {
		t.Fatal(err)
	}
	c.open(transport, false)
	return c
}

func (c *conversation) open(transport activity.Transport, midStream bool) {
	c.Handler = c.stage.Open(&flow.Conn{
		Client:    netip.MustParseAddrPort("10.77.0.21:50000"),
		Server:    netip.MustParseAddrPort("10.77.0.10:88"),
		Transport: transport,
		MidStream: midStream,
	})
}

func (c *conversation) count(reason string) int64 {
	return c.stage.Counters.Of("kerberos", reason).Value()
}

// summary is an activity in short: what happened, to whom, and how long the
// answer took.
func summary(a *activity.Activity) string {
	kind := strings.TrimPrefix(string(a.Kind), "logon.kerberos.")
	s := fmt.Sprintf("%s %s@%s %s", kind, a.Account.Name, a.Account.Domain, a.Outcome)
	if a.Error != "" {
		s += " " + a.Error
	}
	if a.Kerberos.Issued != nil {
		s += " issued " + a.Kerberos.Issued.Service
	}
	if a.Kerberos.RequestSeen {
		return s + fmt.Sprintf(" after %d", a.Time-a.Requested)
	}
	return s + " unasked"
}

func (c *conversation) summaries() (out []string) {
	for _, a := range c.got {
		out = append(out, summary(a))
	}
	return out
}

// step is one event of a conversation. Times count from 1.
type step struct {
	from byte // 'c' client, 'k' KDC, 'g' gap towards the client, 'h' gap towards the KDC
	data []byte
}

func c(b ...[]byte) step { return step{'c', slices.Concat(b...)} }
func k(b ...[]byte) step { return step{'k', slices.Concat(b...)} }

var preauthRequired = krbError(25, krbtgt)

func TestPairing(t *testing.T) {
	other := kdcReq(10, nil, body(principal(1, "bob"), krbtgt, 7))
	for _, tt := range []struct {
		name      string
		transport activity.Transport
		midStream bool
		steps     []step
		want      []string
		counts    map[string]int64
	}{
		{name: "UDP request and reply", transport: activity.UDP,
			steps: []step{c(asReq(1)), k(asRep("a"))},
			want:  []string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1"}},
		{name: "UDP two exchanges on one pair of ports", transport: activity.UDP,
			steps: []step{c(asReq(1)), k(preauthRequired), c(asReq(2)), k(asRep("a"))},
			want: []string{"as alice@LAB.EXAMPLE failure KDC_ERR_PREAUTH_REQUIRED after 1",
				"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1"}},
		{name: "UDP request sent again counts from the first", transport: activity.UDP,
			steps:  []step{c(asReq(1)), c(asReq(1)), k(asRep("a"))},
			want:   []string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 2"},
			counts: map[string]int64{reasonRepeatedRequest: 1}},
		{name: "UDP both seen twice, as on a mirror port", transport: activity.UDP,
			steps:  []step{c(asReq(1)), c(asReq(1)), k(asRep("a")), k(asRep("a"))},
			want:   []string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 2"},
			counts: map[string]int64{reasonRepeatedRequest: 1, reasonRepeatedReply: 1}},
		{name: "UDP another ticket is another reply", transport: activity.UDP,
			steps: []step{c(asReq(1)), k(asRep("a")), k(asRep("b"))},
			want: []string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1",
				"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE unasked"}},
		{name: "UDP equal refusals of two requests", transport: activity.UDP,
			steps: []step{c(asReq(1)), k(preauthRequired), c(asReq(2)), k(preauthRequired)},
			want: []string{"as alice@LAB.EXAMPLE failure KDC_ERR_PREAUTH_REQUIRED after 1",
				"as alice@LAB.EXAMPLE failure KDC_ERR_PREAUTH_REQUIRED after 1"}},
		{name: "UDP another request ends the one before", transport: activity.UDP,
			steps: []step{c(asReq(1)), c(asReq(2)), k(asRep("a"))},
			want: []string{"as alice@LAB.EXAMPLE attempt after 1",
				"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1"}},
		{name: "UDP the same nonce for another client is no repetition", transport: activity.UDP,
			steps: []step{c(asReq(7)), c(other)},
			want:  []string{"as alice@LAB.EXAMPLE attempt after 1", "as bob@LAB.EXAMPLE attempt after 1"}},
		{name: "UDP the same nonce with more pre-authentication is no repetition", transport: activity.UDP,
			steps: []step{c(asReq(7)), c(kdcReq(10, seq(padata(2, sealed(18, "t"))), body(alice, krbtgt, 7)))},
			want:  []string{"as alice@LAB.EXAMPLE attempt after 1", "as alice@LAB.EXAMPLE attempt after 1"}},
		{name: "TCP several exchanges on one connection", transport: activity.TCP,
			steps: []step{c(record(asReq(1))), k(record(asRep("a"))), c(record(tgsReq(2))), k(record(tgsRep("b")))},
			want: []string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1",
				"tgs alice@LAB.EXAMPLE success issued cifs/fs1.lab.example after 1"}},
		{name: "TCP pipelined in one segment", transport: activity.TCP,
			steps: []step{c(record(asReq(1)), record(tgsReq(2))), k(record(asRep("a")), record(tgsRep("b")))},
			want: []string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1",
				"tgs alice@LAB.EXAMPLE success issued cifs/fs1.lab.example after 1"}},
		{name: "TCP a reply ends the oldest of its kind, an error the oldest of any", transport: activity.TCP,
			steps: []step{c(record(asReq(1))), c(record(tgsReq(2))), k(record(tgsRep("b"))), k(record(krbError(24, krbtgt)))},
			want: []string{"tgs alice@LAB.EXAMPLE success issued cifs/fs1.lab.example after 1",
				"as alice@LAB.EXAMPLE failure KDC_ERR_PREAUTH_FAILED after 3"}},
		{name: "TCP a message over several segments", transport: activity.TCP,
			steps: []step{c(record(asReq(1))[:3]), c(record(asReq(1))[3:50]), c(record(asReq(1))[50:]), k(record(asRep("a")))},
			want:  []string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1"}},
		{name: "TCP nothing answered", transport: activity.TCP,
			steps: []step{c(record(asReq(1)), record(tgsReq(2)))},
			want:  []string{"as alice@LAB.EXAMPLE attempt after 1", "tgs @ attempt after 1"}},
		{name: "TCP replies alone", transport: activity.TCP,
			steps: []step{k(record(tgsRep("b"))), k(record(krbError(7, cifs))), k(record(krbError(6, krbtgt)))},
			want: []string{"tgs alice@LAB.EXAMPLE success issued cifs/fs1.lab.example unasked",
				"tgs @ failure KDC_ERR_S_PRINCIPAL_UNKNOWN unasked", "as @ failure KDC_ERR_C_PRINCIPAL_UNKNOWN unasked"}},
		{name: "TCP too many unanswered", transport: activity.TCP,
			steps: []step{c(record(other)), c(slices.Repeat(record(asReq(1)), maxPending))},
			want: append([]string{"as bob@LAB.EXAMPLE attempt after 1"},
				slices.Repeat([]string{"as alice@LAB.EXAMPLE attempt after 1"}, maxPending)...),
			counts: map[string]int64{reasonPending: 1}},
		{name: "TCP an answer in a gap is not the next one", transport: activity.TCP,
			steps: []step{c(record(other)), {'g', nil}, c(record(asReq(1))), k(record(asRep("a")))},
			want: []string{"as bob@LAB.EXAMPLE attempt after 1",
				"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1"},
			counts: map[string]int64{reasonGap: 1}},
		{name: "TCP a gap within a reply", transport: activity.TCP,
			steps:  []step{c(record(asReq(1))), k(record(asRep("a"))[:100]), {'g', nil}, k([]byte("the rest of it"))},
			want:   []string{"as alice@LAB.EXAMPLE success after 2"},
			counts: map[string]int64{reasonGap: 1, reasonCut: 1, reasonSkipped: 14}},
		{name: "TCP a gap within a request", transport: activity.TCP,
			steps:  []step{c(record(asReq(1))[:120]), {'h', nil}, k(record(asRep("a")))},
			want:   []string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1"},
			counts: map[string]int64{reasonGap: 1, reasonCut: 1}},
		{name: "TCP the end of the capture within a reply", transport: activity.TCP,
			steps:  []step{c(record(asReq(1))), k(record(asRep("a"))[:100])},
			want:   []string{"as alice@LAB.EXAMPLE success after 2"},
			counts: map[string]int64{reasonCut: 1}},
		{name: "TCP the place is lost on the KDC's side", transport: activity.TCP,
			steps: []step{c(record(other)), k([]byte("\xff\xff\xff\xff no message")), c(record(asReq(1))), k(record(asRep("a")))},
			want: []string{"as bob@LAB.EXAMPLE attempt after 1",
				"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1"},
			counts: map[string]int64{reasonSkipped: 15}},
		{name: "TCP picked up within a message", transport: activity.TCP, midStream: true,
			steps:  []step{c([]byte("the end of a request")), k([]byte("the end of a reply")), c(record(asReq(1))), k(record(asRep("a")))},
			want:   []string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE after 1"},
			counts: map[string]int64{reasonSkipped: 38}},
		{name: "TCP the reserved bit of the length", transport: activity.TCP,
			steps:  []step{c([]byte{0x80, 0, 0, 1, 0})},
			counts: map[string]int64{reasonSkipped: 5}},
		{name: "TCP a length beyond all messages", transport: activity.TCP,
			steps:  []step{c([]byte{0, 0x20, 0, 0, 0x6a})},
			counts: map[string]int64{reasonSkipped: 5}},
		{name: "TCP a tag that begins no message", transport: activity.TCP,
			steps:  []step{c([]byte{0, 0, 0, 2, 'G', 'E'})},
			counts: map[string]int64{reasonSkipped: 6}},
		{name: "against the direction", transport: activity.UDP,
			steps:  []step{k(asReq(1)), c(asRep("a")), c(preauthRequired)},
			counts: map[string]int64{reasonDirection: 3}},
		{name: "other messages", transport: activity.UDP,
			steps:  []step{c(apReq(ticket("R", cifs, sealed(18, "x")))), c(app(21)), c(app(9)), c(seq()), c([]byte{0x6a}), c([]byte{0x6a, 0x80})},
			counts: map[string]int64{reasonOther: 2, reasonUnknown: 2, reasonCut: 1, reasonUnreadable: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cv := converse(t, tt.transport)
			cv.open(tt.transport, tt.midStream)
			now := activity.Time(0)
			for _, s := range tt.steps {
				now++
				switch s.from {
				case 'c':
					cv.Feed(flow.ToServer, s.data, now)
				case 'k':
					cv.Feed(flow.ToClient, s.data, now)
				case 'g':
					cv.Gap(flow.ToClient, 500, now)
				case 'h':
					cv.Gap(flow.ToServer, 500, now)
				}
			}
			cv.Close(now + 1)
			if d := cmp.Diff(tt.want, cv.summaries()); d != "" {
				t.Errorf("activities (-want +got):\n%s", d)
			}
			got := map[string]int64{}
			for _, r := range Protocol.Reasons {
				if n := cv.count(r); n != 0 {
					got[r] = n
				}
			}
			delete(got, reasonPart)
			if tt.counts == nil {
				tt.counts = map[string]int64{}
			}
			if d := cmp.Diff(tt.counts, got); d != "" {
				t.Errorf("counts (-want +got):\n%s", d)
			}
		})
	}
}

// A conversation on a used decoder does not know the one before.
func TestReset(t *testing.T) {
	cv := converse(t, activity.UDP)
	for range 2 {
		cv.open(activity.UDP, false)
		cv.Feed(flow.ToClient, asRep("a"), 1)
		cv.Close(2)
	}
	cv.open(activity.TCP, false)
	cv.Feed(flow.ToClient, []byte("no message"), 3)
	cv.Close(4)
	cv.open(activity.TCP, false)
	cv.Feed(flow.ToClient, record(asRep("a"))[:9], 5)
	cv.Feed(flow.ToClient, record(asRep("a"))[9:], 6)
	cv.Close(7)
	want := slices.Repeat([]string{"as alice@LAB.EXAMPLE success issued krbtgt/LAB.EXAMPLE unasked"}, 3)
	if d := cmp.Diff(want, cv.summaries()); d != "" {
		t.Errorf("activities (-want +got):\n%s", d)
	}
}
