package template

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/flow"
)

var set = decode.Set{Protocols: []decode.Protocol{Protocol}}

func TestGolden(t *testing.T) { decodetest.Golden(t, "testdata", set) }

// TestCounts: what the recording holds beside its activities is counted.
func TestCounts(t *testing.T) {
	_, counters := decodetest.File(t, "testdata/lookups.pcap", set)
	for reason, want := range map[string]int64{reasonSkipped: 16, reasonDirection: 1, reasonUnasked: 1, reasonPending: 0} {
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

func open(t testing.TB, midStream bool) *conversation {
	t.Helper()
	c := new(conversation)
	stage, err := decode.NewStage(set, nil, &c.counters, func(a *activity.Activity) { c.got = append(c.got, a) })
	if err != nil {
		t.Fatal(err)
	}
	c.Handler = stage.Open(&flow.Conn{
		Client:    netip.MustParseAddrPort("192.0.2.21:40000"),
		Server:    netip.AddrPortFrom(netip.MustParseAddr("192.0.2.10"), Protocol.TCP[0]),
		Transport: activity.TCP,
		MidStream: midStream,
	})
	return c
}

func frame(id, kind uint8, text string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(2+len(text)))
	return append(append(b, id, kind), text...)
}

// TestPendingIsBounded: one more request than may wait gives up the oldest.
func TestPendingIsBounded(t *testing.T) {
	c := open(t, false)
	for i := range maxPending {
		c.Feed(flow.ToServer, frame(uint8(i), typeRequest, "ws01"), 1)
	}
	if len(c.got) != 0 {
		t.Fatalf("%d activities at the cap", len(c.got))
	}
	c.Feed(flow.ToServer, frame(maxPending, typeRequest, "ws01"), 2)
	if len(c.got) != 1 || c.got[0].DNS.TxID != 0 || c.got[0].Outcome != activity.Attempt {
		t.Fatalf("one above the cap: %v", c.got)
	}
	if n := c.counters.Of(Protocol.Name, reasonPending).Value(); n != 1 {
		t.Errorf("counted %d given up", n)
	}
	if c.Close(3); len(c.got) != maxPending+1 {
		t.Errorf("%d activities of %d requests", len(c.got), maxPending+1)
	}
}

// TestGap: a lost answer costs that answer alone.
func TestGap(t *testing.T) {
	c := open(t, true)
	c.Feed(flow.ToServer, frame(1, typeRequest, "ws01"), 1)
	c.Feed(flow.ToServer, frame(2, typeRequest, "ws02"), 2)
	c.Gap(flow.ToClient, 14, 3)
	c.Feed(flow.ToClient, frame(2, typeAnswer, "192.0.2.22"), 4)
	c.Close(5)
	var got []activity.Outcome
	for _, a := range c.got {
		got = append(got, a.Outcome)
	}
	if d := cmp.Diff([]activity.Outcome{activity.Success, activity.Attempt}, got); d != "" {
		t.Error(d)
	}
}

// FuzzFeed feeds both directions in turn, in pieces of the given size.
func FuzzFeed(f *testing.F) {
	f.Add(append(frame(1, typeRequest, "ws01"), frame(2, typeRequest, "jos\xe9")...), append(frame(1, typeAnswer, "192.0.2.21"), frame(2, typeRefusal, "")...), uint8(7), false)
	f.Add(frame(1, typeRequest, string(make([]byte, 2*maxMessage))), []byte("GET / HTTP/1.1\r\n"), uint8(255), true)
	f.Fuzz(func(t *testing.T, client, server []byte, piece uint8, midStream bool) {
		c := open(t, midStream)
		for rest := [2][]byte{client, server}; len(rest[0])+len(rest[1]) > 0; {
			for dir := range rest {
				n := min(int(piece)+1, len(rest[dir]))
				c.Feed(flow.Dir(dir), rest[dir][:n], 1)
				rest[dir] = rest[dir][n:]
			}
		}
		c.Close(2)
		if len(c.got) > len(client)/headerSize {
			t.Errorf("%d activities of %d bytes asked", len(c.got), len(client))
		}
		for _, a := range c.got {
			if len(a.DNS.Question) > activity.MaxText || a.Requested > a.Time {
				t.Errorf("%+v of %+v", a.DNS, a)
			}
		}
	})
}
