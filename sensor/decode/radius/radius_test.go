package radius

import (
	"encoding/binary"
	"net/netip"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/flow"
)

var set = decode.Set{Protocols: []decode.Protocol{Protocol}}

func TestGolden(t *testing.T) { decodetest.Golden(t, "testdata", set) }

func TestCounts(t *testing.T) {
	_, counters := decodetest.File(t, "testdata/gateways.pcap", set)
	for reason, want := range map[string]int64{reasonUnreadable: 1, reasonCode: 1, reasonDirection: 1, reasonStatus: 1, reasonUnasked: 1, reasonRepeated: 2, reasonPending: 0} {
		if got := counters.Of(Protocol.Name, reason).Value(); got != want {
			t.Errorf("%s: %d, want %d", reason, got, want)
		}
	}
}

// conversation feeds one decoder.
type conversation struct {
	flow.Handler
	counters counter.Set
	got      []*activity.Activity
}

func open(t testing.TB) *conversation {
	t.Helper()
	c := new(conversation)
	stage, err := decode.NewStage(set, nil, &c.counters, func(a *activity.Activity) { c.got = append(c.got, a) })
	if err != nil {
		t.Fatal(err)
	}
	c.Handler = stage.Open(&flow.Conn{Client: netip.MustParseAddrPort("10.77.0.30:50000"), Server: netip.MustParseAddrPort("10.77.0.10:1813"), Transport: activity.UDP})
	return c
}

// start is an Accounting-Request that begins a session.
func start(id uint8, session string) []byte {
	b := append([]byte{codeAccountingRequest, id, 0, 0}, make([]byte, 16)...)
	b = append(b, attrAcctStatusType, 6, 0, 0, 0, statusStart, attrAcctSessionID, byte(2+len(session)))
	b = append(b, session...)
	b = append(b, attrUserName, 7, 'a', 'l', 'i', 'c', 'e', attrFramedIPAddress, 6, 10, 77, 0, 21)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

func TestPendingIsBounded(t *testing.T) {
	c := open(t)
	for i := range maxPending {
		c.Feed(flow.ToServer, start(uint8(i), string(rune('a'+i))), 1)
	}
	if len(c.got) != 0 {
		t.Fatalf("%d activities at the cap", len(c.got))
	}
	c.Feed(flow.ToServer, start(0, "one more"), 2)
	if len(c.got) != 1 || c.got[0].VPN.Session != "a" || c.got[0].Outcome != activity.Attempt {
		t.Fatalf("one above the cap: %v", c.got)
	}
	if c.Close(3); len(c.got) != maxPending+1 {
		t.Errorf("%d activities", len(c.got))
	}
}

func TestOutside(t *testing.T) {
	for s, want := range map[string]string{
		"198.51.100.23": "198.51.100.23", "198.51.100.23:4500": "198.51.100.23", "::ffff:198.51.100.23": "198.51.100.23",
		"[2001:db8::1]:4500": "2001:db8::1", "2001:DB8::1": "2001:db8::1", "vpn.example": "", "aa-bb-cc-dd-ee-ff": "", "": "",
	} {
		if got, ok := outside(s); got != want || ok != (want != "") {
			t.Errorf("%s: %q", s, got)
		}
	}
}

func FuzzFeed(f *testing.F) {
	for _, path := range []string{"gateways.pcap", "sessions.pcap"} {
		r := new(recorder)
		p := Protocol
		p.New = func() decode.Decoder { return r }
		decodetest.File(f, filepath.Join("testdata", path), decode.Set{Protocols: []decode.Protocol{p}})
		for i, b := range r.fed {
			f.Add(b, r.fed[(i+1)%len(r.fed)], true)
		}
	}
	f.Fuzz(func(t *testing.T, first, second []byte, turn bool) {
		c := open(t)
		c.Feed(flow.ToServer, first, 1<<61)
		if turn {
			c.Feed(flow.ToClient, second, 1<<61+1)
		} else {
			c.Feed(flow.ToServer, second, 1<<61+1)
		}
		c.Close(1<<61 + 2)
		if len(c.got) > 2 {
			t.Errorf("%d activities of two packets", len(c.got))
		}
		for _, a := range c.got {
			v := a.VPN
			if a.Requested > a.Time || v.Act == "" || (a.Kind == activity.VPNEnd) != (v.Act == "stop") || v.Confirmed != (a.Outcome == activity.Success) {
				t.Errorf("%+v of %+v", v, a)
			}
			for _, s := range []string{a.Account.Name, v.Session, v.Assigned, v.Client, v.NAS, v.Station, v.Computer} {
				if len(s) > 3*253 || !utf8.ValidString(s) {
					t.Errorf("text %q", s)
				}
			}
		}
	})
}

// recorder writes down what a decoder is fed.
type recorder struct{ fed [][]byte }

func (*recorder) Reset(*decode.Context)            {}
func (*recorder) Gap(flow.Dir, int, activity.Time) {}
func (*recorder) Close(activity.Time)              {}
func (*recorder) Held() int                        { return 0 }
func (r *recorder) Feed(_ flow.Dir, b []byte, _ activity.Time) {
	r.fed = append(r.fed, append([]byte(nil), b...))
}

func BenchmarkExchange(b *testing.B) {
	c := open(b)
	request := start(1, "session")
	answer := append([]byte{codeAccountingResponse, 1, 0, headerSize}, make([]byte, 16)...)
	b.ReportAllocs()
	for b.Loop() {
		c.got = c.got[:0]
		c.Feed(flow.ToServer, request, 1)
		c.Feed(flow.ToClient, answer, 2)
	}
	if len(c.got) != 1 {
		b.Fatalf("%d activities", len(c.got))
	}
}
