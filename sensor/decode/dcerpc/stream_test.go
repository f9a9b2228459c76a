package dcerpc

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// decoderOf finds the decoder behind the stage's handler.
func decoderOf(x *harness) *Decoder {
	return reflect.ValueOf(x.h).Elem().FieldByName("Decoder").Interface().(*Decoder)
}

// turn is bytes of one side, as many PDUs as it sends at once.
type turn struct {
	dir   flow.Dir
	bytes []byte
}

// conversation has a bit of everything that a connection of a domain
// controller has.
func conversation() []turn {
	krb := func(id uint32, token string) pdu {
		return pdu{callID: id, kind: authSPNEGO, level: levelPrivacy, token: token, pad: 4}
	}
	join := func(b ...[]byte) (all []byte) {
		for _, p := range b {
			all = append(all, p...)
		}
		return all
	}
	long := string(make([]byte, 5000))
	frag := func(flags byte) pdu {
		p := krb(3, "signature of 16b")
		p.flags = flags
		p.middle = flags == 0
		return p
	}
	return []turn{
		{flow.ToServer, krb(1, "ticket "+long).bind(ptypeBind, offered{id: 0, uuid: uuidRead}, offered{id: 1, uuid: uuidMgmt, version: 3}, offered{id: 2, uuid: uuidRead, syntaxes: []string{uuidBTFN}})},
		{flow.ToClient, krb(1, "proof").ack(ptypeBindAck, result{}, result{}, result{result: resultNegotiated})},
		{flow.ToServer, krb(1, "more").bind(ptypeAlterContext, offered{id: 0, uuid: uuidRead})},
		{flow.ToClient, krb(1, "accept").ack(ptypeAlterContextResp, result{})},
		{flow.ToServer, join(pdu{callID: 2}.request(0, 3, "in the clear"), pdu{callID: 9}.request(1, 3, long))},
		{flow.ToClient, join(pdu{callID: 9}.response(1, long), pdu{callID: 2}.response(0, "\x01\x00\x00\x00"))},
		{flow.ToServer, join(frag(flagFirst).request(0, 3, long), frag(0).request(0, 3, long), frag(flagLast).request(0, 3, "x"))},
		{flow.ToClient, join(frag(flagFirst).response(0, long), frag(0).response(0, long), frag(flagLast).response(0, "x"))},
		{flow.ToServer, join(pdu{big: true, callID: 4}.request(0, 99, "args"), pdu{callID: 5}.request(1, 3, ""), pdu{callID: 6}.request(7, 3, long))},
		{flow.ToClient, pdu{big: true, callID: 4}.fault(0x1c010002)},
		{flow.ToServer, pdu{callID: 7}.request(0, 20, "never answered")},
	}
}

// play feeds the conversation in pieces of at most size bytes, all at one
// instant, so that times do not depend on the pieces.
func play(x *harness, turns []turn, size int, r *rand.Rand) {
	for _, turn := range turns {
		b := turn.bytes
		for len(b) > 0 {
			n := min(len(b), size)
			if r != nil {
				n = min(len(b), 1+r.IntN(size))
			}
			x.h.Feed(turn.dir, b[:n], x.now)
			b = b[n:]
		}
	}
	x.h.Close(x.now)
}

func TestSegmentation(t *testing.T) {
	whole := newHarness(t)
	play(whole, conversation(), 1<<20, nil)
	if len(whole.calls) != 4 || len(whole.emitted) != 1 {
		t.Fatalf("%d calls, %d logons", len(whole.calls), len(whole.emitted))
	}
	for seed := range uint64(300) {
		size := []int{1, 7, 100, 1460}[seed%4]
		x := newHarness(t)
		play(x, conversation(), size, rand.New(rand.NewPCG(seed, 0)))
		if diff := cmp.Diff(whole.calls, x.calls); diff != "" {
			t.Fatalf("pieces of up to %d bytes (seed %d): -whole +pieces:\n%s", size, seed, diff)
		}
		if diff := cmp.Diff(whole.emitted, x.emitted, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Fatalf("pieces of up to %d bytes (seed %d): -whole +pieces:\n%s", size, seed, diff)
		}
		if diff := cmp.Diff(whole.counters.Rows(), x.counters.Rows()); diff != "" {
			t.Fatalf("pieces of up to %d bytes (seed %d): -whole +pieces:\n%s", size, seed, diff)
		}
	}
}

// TestReset: a pooled decoder knows nothing of the conversation before.
func TestReset(t *testing.T) {
	x := bound(t)
	d := decoderOf(x)
	for id := range uint32(maxCalls) {
		x.client(pdu{callID: id}.request(0, 1, "args"))
	}
	x.client(pdu{kind: authNTLM, level: 6, token: "user u"}.auth3(), pdu{callID: 1}.request(0, 1, "begun")[:30])
	x.close()
	if len(d.free) > keepFree || len(d.framers.Of(flow.ToServer).Begun()) > 0 {
		t.Errorf("%d calls and half a PDU wait in the pool", len(d.free))
	}
	d.Reset(d.x)
	x.calls, x.emitted = nil, nil
	x.client(pdu{callID: 1}.request(0, 1, "args")).server(pdu{callID: 1}.response(0, "")).close()
	x.wantCalls()
	x.wantLogons()
	if x.count(reasonNoBind) != 1 {
		t.Errorf("counted %v", x.counters.Rows())
	}
}

// TestHostile: whatever is sent, what is kept stays below the caps.
func TestHostile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := bound(t)
	d := decoderOf(x)
	for range 20_000 {
		p := pdu{callID: uint32(r.IntN(200)), big: r.IntN(2) == 0, middle: r.IntN(3) == 0, context: uint32(r.IntN(20)), pad: r.IntN(8)}
		if r.IntN(2) == 0 {
			p.kind, p.level, p.token = []byte{9, 10, 16, 68, 99}[r.IntN(5)], byte(r.IntN(8)), []string{"user a", "ticket b", "negotiate", "accept", ""}[r.IntN(5)]
		}
		id := uint16(r.IntN(50))
		var b []byte
		switch r.IntN(8) {
		case 0:
			b = p.bind(ptypeAlterContext, offered{id: id, uuid: uuidRead}, offered{id: id + 1, uuid: uuidMgmt})
		case 1:
			b = p.ack(ptypeAlterContextResp, result{result: uint16(r.IntN(4))}, result{})
		case 2:
			b = p.auth3()
		case 3:
			b = p.response(id, "response")
		case 4:
			b = p.fault(5)
		case 5:
			b = p.build(byte(r.IntN(20)), []byte("body"))
		default:
			b = p.request(id, 3, "request")
		}
		if r.IntN(4) == 0 {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
		dir := flow.Dir(r.IntN(2))
		if r.IntN(100) == 0 {
			x.h.Gap(dir, r.IntN(100), x.now)
		}
		x.feed(dir, b)
		if len(d.calls) > maxCalls || len(d.contexts) > maxContexts || len(d.offers) > maxContexts || d.securities > maxSecurity || len(d.calls)+len(d.free) > maxCalls+1 {
			t.Fatalf("%d calls, %d free, %d contexts, %d offers, %d security contexts", len(d.calls), len(d.free), len(d.contexts), len(d.offers), d.securities)
		}
	}
	x.close()
	if len(x.calls) == 0 || len(x.emitted) == 0 {
		t.Error("nothing came out: the test does not reach what it tests")
	}
}

func FuzzFeed(f *testing.F) {
	for _, turn := range conversation() {
		f.Add(turn.bytes, byte(0))
		f.Add(turn.bytes, byte(3))
	}
	x := newHarness(f)
	d := decoderOf(x)
	f.Fuzz(func(t *testing.T, b []byte, how byte) {
		d.Reset(d.x)
		x.calls, x.emitted = nil, nil
		x.client(pdu{callID: 1}.bind(ptypeBind, offered{id: 0, uuid: uuidRead}))
		x.client(pdu{callID: 1}.request(0, 1, "args"))
		dir := flow.Dir(how & 1)
		half := len(b) / 2
		x.feed(dir, b[:half])
		if how&2 != 0 {
			x.h.Gap(dir, int(how), x.now)
		}
		x.feed(dir, b[half:])
		x.feed(1-dir, b)
		x.close()
		for _, c := range x.calls {
			if len(c.Request) > 16 || len(c.Response) > 8 || len(c.Request) > c.RequestSize || len(c.Response) > c.ResponseSize {
				t.Errorf("kept more than wanted or sent: %+v", c)
			}
			if !c.BindSeen || c.Outcome == "" || c.Sealed && c.ReturnSeen && c.Response != nil {
				t.Errorf("call %+v", c)
			}
		}
	})
}

// BenchmarkUnread is a call on an interface that nobody reads, with its answer.
func BenchmarkUnread(b *testing.B) {
	x := newHarness(b).client(pdu{}.bind(ptypeBind, offered{id: 1, uuid: uuidMgmt, version: 3}))
	ask, answer := pdu{callID: 2}.request(1, 3, string(make([]byte, 132))), pdu{callID: 2}.response(1, string(make([]byte, 4000)))
	b.SetBytes(int64(len(ask) + len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		x.h.Feed(flow.ToServer, ask, x.now)
		x.h.Feed(flow.ToClient, answer[:1460], x.now)
		x.h.Feed(flow.ToClient, answer[1460:2920], x.now)
		x.h.Feed(flow.ToClient, answer[2920:], x.now)
	}
}

// BenchmarkRead is a call that is delivered.
func BenchmarkRead(b *testing.B) {
	x := bound(b)
	decoderOf(x).context(0).in.Call = func(*decode.Context, *decode.RPCCall) {}
	ask, answer := pdu{callID: 2}.request(0, 3, string(make([]byte, 132))), pdu{callID: 2}.response(0, string(make([]byte, 1000)))
	b.SetBytes(int64(len(ask) + len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		x.h.Feed(flow.ToServer, ask, x.now)
		x.h.Feed(flow.ToClient, answer, x.now)
	}
}

// BenchmarkSignature is every first payload of a conversation between two
// unknown ports.
func BenchmarkSignature(b *testing.B) {
	other := []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefghijklmnop")
	ours := pdu{}.request(0, 1, "")
	b.ReportAllocs()
	for b.Loop() {
		signature(other)
		signature(ours)
	}
}

func TestUnreadCallsDoNotAllocate(t *testing.T) {
	x := newHarness(t).client(pdu{}.bind(ptypeBind, offered{id: 1, uuid: uuidMgmt, version: 3}))
	ask, answer := pdu{callID: 2}.request(1, 3, "args"), pdu{callID: 2}.response(1, string(make([]byte, 4000)))
	now := x.now
	n := testing.AllocsPerRun(100, func() {
		x.h.Feed(flow.ToServer, ask, now)
		x.h.Feed(flow.ToClient, answer[:1000], now)
		x.h.Feed(flow.ToClient, answer[1000:], now)
	})
	if n != 0 {
		t.Errorf("a call that nobody reads allocates %v times", n)
	}
}
