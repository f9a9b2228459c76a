package kpasswd

import (
	"bytes"
	"encoding/binary"
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

// tickets stands for the Kerberos decoder: "ticket NAME" is an AP-REQ with a
// ticket, and an error is refused for its code's name.
var tickets = decode.Inner{Name: "kerberos", Read: func(_ *decode.Context, dir flow.Dir, token []byte, auth *activity.Auth) bool {
	if name, ok := strings.CutPrefix(string(token), "ticket "); ok {
		auth.Mechanism = activity.MechKerberos
		auth.Ticket = &activity.Ticket{ID: activity.NewTicketID(token), Service: strings.ToValidUTF8(name, "?")}
		return true
	}
	if dir == flow.ToClient && isError(token) {
		auth.Verdict, auth.Refusal = activity.Failure, "KRB_AP_ERR_SKEW"
		return true
	}
	return false
}}

type conversation struct {
	flow.Handler
	stage    *decode.Stage
	counters counter.Set
	got      []*activity.Activity
}

func open(t testing.TB, transport activity.Transport) *conversation {
	t.Helper()
	c := new(conversation)
	var err error
	c.stage, err = decode.NewStage(decode.Set{Protocols: []decode.Protocol{Protocol}, Inner: []decode.Inner{tickets}}, nil, &c.counters,
		func(a *activity.Activity) { c.got = append(c.got, a) })
	if err != nil {
		t.Fatal(err)
	}
	c.begin(transport, false)
	return c
}

func (c *conversation) begin(transport activity.Transport, midStream bool) {
	c.Handler = c.stage.Open(&flow.Conn{
		Client: netip.MustParseAddrPort("10.77.0.21:40000"), Server: netip.MustParseAddrPort("10.77.0.10:464"),
		Transport: transport, MidStream: midStream,
	})
}

// pack makes a message.
func pack(version uint16, ap, rest string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(headerSize+len(ap)+len(rest)))
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint16(b, uint16(len(ap)))
	return append(append(b, ap...), rest...)
}

func record(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// refusal is a KRB-ERROR with e-data; nil leaves it out.
func refusal(edata []byte) string {
	body := []byte{0xa6, 3, 2, 1, 37}
	if edata != nil {
		body = append(body, 0xac, byte(len(edata)+2), 0x04, byte(len(edata)))
		body = append(body, edata...)
	}
	return string(append([]byte{0x7e, byte(len(body) + 2), 0x30, byte(len(body))}, body...))
}

// summary is an activity in short.
func summary(a *activity.Activity) string {
	s := a.Change.Act + " " + string(a.Outcome)
	if a.Error != "" {
		s += " " + a.Error
	}
	if a.Change.Auth != nil {
		s += " by " + a.Change.Auth.Ticket.Service
	}
	if len(a.Anomalies) > 0 {
		s += " " + strings.Join(a.Anomalies, ",")
	}
	return s
}

func TestConversations(t *testing.T) {
	change := pack(versionChange, "ticket alice", "sealed")
	sealed := pack(versionChange, "ap-rep", "sealed")
	const c, s = flow.ToServer, flow.ToClient
	type step struct {
		dir  flow.Dir
		data []byte
	}
	for _, tt := range []struct {
		name   string
		udp    bool
		steps  []step
		want   []string
		counts map[string]int64
	}{
		{"change, sealed reply", false, []step{{c, record(change)}, {s, record(sealed)}},
			[]string{"password-change attempt by alice"}, map[string]int64{reasonSealed: 1}},
		{"set, over UDP", true, []step{{c, pack(versionSet, "ticket bob", "sealed")}, {s, pack(versionSet, "ap-rep", "sealed")}},
			[]string{"password-reset attempt by bob"}, map[string]int64{reasonSealed: 1}},
		{"refused with a code", true, []step{{c, change}, {s, pack(versionChange, "", refusal([]byte("\x00\x05no")))}},
			[]string{"password-change failure KRB5_KPASSWD_ACCESSDENIED by alice"}, nil},
		{"an error that says success", true, []step{{c, change}, {s, pack(versionChange, "", refusal([]byte("\x00\x00")))}},
			[]string{"password-change success by alice"}, nil},
		{"refused with an unknown code", true, []step{{c, change}, {s, pack(versionChange, "", refusal([]byte("\x00\x99")))}},
			[]string{"password-change failure KRB_AP_ERR_SKEW by alice"}, nil},
		{"a bare error", false, []step{{c, record(change)}, {s, record([]byte(refusal(nil)))}},
			[]string{"password-change failure KRB_AP_ERR_SKEW by alice"}, nil},
		{"no answer", false, []step{{c, record(change)}}, []string{"password-change attempt by alice"}, nil},
		{"sent again", true, []step{{c, change}, {c, change}, {s, sealed}},
			[]string{"password-change attempt by alice"}, map[string]int64{reasonRepeated: 1, reasonSealed: 1}},
		{"another ends the one before", true, []step{{c, change}, {c, pack(versionSet, "ticket bob", "")}},
			[]string{"password-change attempt by alice", "password-reset attempt by bob"}, nil},
		{"too many", false, []step{{c, record(change)}, {c, bytes.Repeat(record(pack(versionSet, "ticket bob", "")), maxPending)}},
			append([]string{"password-change attempt by alice"}, slices.Repeat([]string{"password-reset attempt by bob"}, maxPending)...),
			map[string]int64{reasonPending: 1}},
		{"no ticket", true, []step{{c, pack(versionChange, "nonsense", "x")}}, []string{"password-change attempt " + AnomalyTicket}, nil},
		{"cut", true, []step{{c, change[:len(change)-2]}}, []string{"password-change attempt by alice " + AnomalyCut}, nil},
		{"too long", true, []step{{c, append(slices.Clone(change), 0)}}, []string{"password-change attempt by alice " + AnomalyLength}, nil},
		{"a segment boundary within", false, []step{{c, record(change)[:9]}, {c, record(change)[9:]}, {s, record(sealed)}},
			[]string{"password-change attempt by alice"}, map[string]int64{reasonSealed: 1}},
		{"unasked", true, []step{{s, sealed}}, nil, map[string]int64{reasonUnasked: 1}},
		{"something else", true, []step{{c, []byte("hello you")}, {c, nil}}, nil, map[string]int64{reasonUnreadable: 2}},
		{"something else over TCP", false, []step{{c, []byte("GET / HTTP/1.1\r\n")}}, nil, map[string]int64{reasonSkipped: 16}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			transport := activity.TCP
			if tt.udp {
				transport = activity.UDP
			}
			cv := open(t, transport)
			for i, st := range tt.steps {
				cv.Feed(st.dir, st.data, activity.Time(i+1))
			}
			cv.Close(99)
			var got []string
			for _, a := range cv.got {
				got = append(got, summary(a))
				if a.Requested == 0 || a.Requested > a.Time || a.Change.ResultCode == 0 && a.Outcome != activity.Success {
					t.Errorf("%+v, result %d", a, a.Change.ResultCode)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, r := range Protocol.Reasons {
				if n := cv.counters.Of("kpasswd", r).Value(); n != tt.counts[r] {
					t.Errorf("%s: %d, want %d", r, n, tt.counts[r])
				}
			}
		})
	}
}

// TestGap: what had come of a request before a gap is told.
func TestGap(t *testing.T) {
	cv := open(t, activity.TCP)
	request := record(pack(versionSet, "ticket alice", strings.Repeat("x", 100)))
	cv.Feed(flow.ToServer, request[:50], 1)
	cv.Gap(flow.ToServer, 100, 2)
	cv.Feed(flow.ToClient, record(pack(versionSet, "ap-rep", "sealed")), 3)
	cv.Close(4)
	if len(cv.got) != 1 || summary(cv.got[0]) != "password-reset attempt by alice "+AnomalyCut {
		t.Errorf("%v", cv.got)
	}
}

func FuzzFeed(f *testing.F) {
	f.Add(record(pack(versionChange, "ticket alice", "sealed")), record(pack(versionChange, "", refusal([]byte("\x00\x05")))), uint8(3), false)
	f.Add(pack(versionSet, "ticket alice", "sealed"), []byte(refusal(nil)), uint8(255), true)
	f.Fuzz(func(t *testing.T, client, server []byte, piece uint8, udp bool) {
		transport := activity.TCP
		if udp {
			transport = activity.UDP
		}
		c := open(t, transport)
		for range 2 {
			c.begin(transport, piece&1 != 0)
			for rest := [2][]byte{client, server}; len(rest[0])+len(rest[1]) > 0; {
				for dir := range rest {
					n := min(int(piece)+1, len(rest[dir]))
					c.Feed(flow.Dir(dir), rest[dir][:n], 1)
					rest[dir] = rest[dir][n:]
				}
				if piece == 7 {
					c.Gap(flow.ToServer, 1, 1)
				}
			}
			c.Close(2)
		}
		if len(c.got) > 2*(len(client)/headerSize+1) {
			t.Errorf("%d activities of %d bytes asked", len(c.got), len(client))
		}
		for _, a := range c.got {
			if a.Change == nil || a.Requested > a.Time {
				t.Errorf("%+v", a)
			}
		}
	})
}
