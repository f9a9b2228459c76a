package nbns

import (
	"net/netip"
	"path/filepath"
	"strings"
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
	_, counters := decodetest.File(t, "testdata/names.pcap", set)
	for reason, want := range map[string]int64{reasonShort: 1, reasonOpcode: 1, reasonWait: 1, reasonUnnamed: 1, reasonRepeated: 1, reasonPending: 0} {
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
	c.Handler = stage.Open(&flow.Conn{Client: netip.MustParseAddrPort("10.77.0.21:137"), Server: netip.MustParseAddrPort("10.77.0.30:137"), Transport: activity.UDP})
	return c
}

// query asks for the name FS1<20>.
func query(id byte) []byte {
	return []byte("\x00" + string(id) + "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x20EGFDDBCACACACACACACACACACACACACA\x00\x00\x20\x00\x01")
}

func TestPendingIsBounded(t *testing.T) {
	c := open(t)
	for i := range byte(maxPending) {
		c.Feed(flow.ToServer, query(i), 1)
	}
	if len(c.got) != 0 {
		t.Fatalf("%d activities at the cap", len(c.got))
	}
	c.Feed(flow.ToServer, query(maxPending), 2)
	if len(c.got) != 1 || c.got[0].NetBIOS.ID != 0 || c.got[0].NetBIOS.Name != "FS1" || c.got[0].NetBIOS.Suffix != 0x20 {
		t.Fatalf("one above the cap: %v", c.got)
	}
	if c.Close(3); len(c.got) != maxPending+1 {
		t.Errorf("%d activities", len(c.got))
	}
}

// TestLists: of very many names and addresses the first are kept.
func TestLists(t *testing.T) {
	var m message
	m.Response = true
	m.addresses([]byte(strings.Repeat("\x00\x00\x0a\x00\x00\x01", maxAnswers+1)))
	if len(m.Answers) != maxAnswers || len(m.anomalies) != 1 {
		t.Errorf("%d addresses, %v", len(m.Answers), m.anomalies)
	}
	m = message{Response: true}
	m.names([]byte("\xff" + strings.Repeat("FS1            \x20\x04\x00", 255)))
	if len(m.Answers) != maxAnswers || m.Answers[0] != "FS1<20>" || len(m.anomalies) != 1 {
		t.Errorf("%d names, %v", len(m.Answers), m.anomalies)
	}
}

func FuzzFeed(f *testing.F) {
	for _, path := range []string{"names.pcap", "registration.pcap"} {
		r := new(recorder)
		p := Protocol
		p.New = func() decode.Decoder { return r }
		decodetest.File(f, filepath.Join("testdata", path), decode.Set{Protocols: []decode.Protocol{p}})
		for _, b := range r.fed {
			f.Add(b, b, true)
		}
	}
	f.Fuzz(func(t *testing.T, first, second []byte, turn bool) {
		c := open(t)
		c.Feed(flow.ToServer, first, 1)
		if turn {
			c.Feed(flow.ToClient, second, 2)
		} else {
			c.Feed(flow.ToServer, second, 2)
		}
		c.Close(3)
		if len(c.got) > 2 {
			t.Errorf("%d activities of two packets", len(c.got))
		}
		for _, a := range c.got {
			n := a.NetBIOS
			if len(n.Answers) > maxAnswers || len(n.Claimed) > maxAnswers || a.Requested > a.Time {
				t.Errorf("%+v", n)
			}
			for _, s := range append(append([]string{n.Name, n.Unit}, n.Answers...), n.Claimed...) {
				if len(s) > 3*maxName || !utf8.ValidString(s) {
					t.Errorf("text %q", s)
				}
			}
		}
	})
}

// recorder writes down what a decoder is fed.
type recorder struct{ fed [][]byte }

func (*recorder) Reset(*decode.Context) {}
func (r *recorder) Feed(_ flow.Dir, b []byte, _ activity.Time) {
	r.fed = append(r.fed, append([]byte(nil), b...))
}
func (*recorder) Gap(flow.Dir, int, activity.Time) {}
func (*recorder) Close(activity.Time)              {}
func (*recorder) Held() int                        { return 0 }

func BenchmarkQuery(b *testing.B) {
	c := open(b)
	q := query(1)
	answer := append([]byte(nil), q...)
	answer[2] = 0x85
	b.ReportAllocs()
	for b.Loop() {
		c.got = c.got[:0]
		c.Feed(flow.ToServer, q, 1)
		c.Feed(flow.ToClient, answer, 2)
	}
	if len(c.got) != 1 {
		b.Fatalf("%d activities", len(c.got))
	}
}
