package dcerpc

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// wantCalls compares what was delivered, times and byte orders aside.
func (x *harness) wantCalls(want ...decode.RPCCall) {
	x.t.Helper()
	for i := range want {
		want[i].BindSeen = true
	}
	if diff := cmp.Diff(want, x.calls, cmpopts.IgnoreFields(decode.RPCCall{}, "Requested", "Time", "RequestOrder", "ResponseOrder")); diff != "" {
		x.t.Errorf("calls: -want +got:\n%s", diff)
	}
}

func TestCall(t *testing.T) {
	for _, big := range []bool{false, true} {
		p := pdu{big: big, callID: 7}
		x := newHarness(t).
			client(p.bind(ptypeBind, offered{id: 3, uuid: uuidRead})).
			server(p.ack(ptypeBindAck, result{})).
			client(p.request(3, 0x0102, "arguments")).
			server(p.response(3, "an answer, and 5"+string(p.order().AppendUint32(nil, 5))))
		x.wantCalls(decode.RPCCall{
			Opnum: 0x0102, CallID: 7, Outcome: activity.Success,
			Request: []byte("arguments"), RequestSize: 9, Response: []byte("an answe"), ResponseSize: 20,
			Return: 5, ReturnSeen: true,
		})
		c := x.calls[0]
		if c.Requested != start.Add(3*time.Millisecond) || c.Time != start.Add(4*time.Millisecond) {
			t.Errorf("times %v, %v", c.Requested, c.Time)
		}
		var order binary.ByteOrder = binary.LittleEndian
		if big {
			order = binary.BigEndian
		}
		if c.RequestOrder != order || c.ResponseOrder != order {
			t.Errorf("orders %v, %v", c.RequestOrder, c.ResponseOrder)
		}
		x.wantCounts(nil)
	}
}

func TestObject(t *testing.T) {
	p := pdu{callID: 7, flags: flagFirst | flagLast | flagObject}
	x := bound(t).client(p.request(0, 1, string(p.uuid(uuidOther))+"args")).server(pdu{callID: 7}.response(0, ""))
	object, _ := decode.ParseUUID(uuidOther)
	x.wantCalls(decode.RPCCall{Opnum: 1, CallID: 7, Object: object, Outcome: activity.Success, Request: []byte("args"), RequestSize: 4})

	x = bound(t).client(p.request(0, 1, "no room"))
	x.wantCalls()
	x.wantCounts(map[string]int{reasonShort: 1})
}

func TestFault(t *testing.T) {
	x := bound(t).client(pdu{callID: 7}.request(0, 99, "args")).server(pdu{callID: 7}.fault(0x1c010002)).
		client(pdu{callID: 8}.request(0, 99, "args")).server(pdu{callID: 8}.fault(8453))
	x.wantCalls(
		decode.RPCCall{Opnum: 99, CallID: 7, Outcome: activity.Failure, Fault: 0x1c010002, Error: "nca_s_op_rng_error", Request: []byte("args"), RequestSize: 4},
		decode.RPCCall{Opnum: 99, CallID: 8, Outcome: activity.Failure, Fault: 8453, Error: "0x00002105", Request: []byte("args"), RequestSize: 4},
	)
}

func TestFragments(t *testing.T) {
	first, middle, last := pdu{callID: 7, flags: flagFirst}, pdu{callID: 7, middle: true}, pdu{callID: 7, flags: flagLast}
	want := decode.RPCCall{
		Opnum: 4, CallID: 7, Outcome: activity.Success,
		Request: []byte("0123456789abcdef"), RequestSize: 20, Response: []byte("ABCDEFGH"), ResponseSize: 12,
		Return: 0x4c4b4a49, ReturnSeen: true,
	}
	x := bound(t).
		client(first.request(0, 4, "0123456789"), middle.request(0, 4, "abcde"), last.request(0, 4, "fghij")).
		server(first.response(0, "ABCDE"), middle.response(0, "FGHIJ"), last.response(0, "KL"))
	x.wantCalls(want)
	x.wantCounts(nil)

	// Answers may interleave with those of other calls.
	other := pdu{callID: 8}
	x = bound(t).
		client(first.request(0, 4, "0123456789"), middle.request(0, 4, "abcde"), last.request(0, 4, "fghij"), other.request(0, 5, "")).
		server(first.response(0, "ABCDE"), other.response(0, ""), middle.response(0, "FGHIJ"), last.response(0, "KL"))
	x.wantCalls(decode.RPCCall{Opnum: 5, CallID: 8, Outcome: activity.Success}, want)

	// Without the first fragments the beginnings are unknown, and the end is not.
	x = bound(t).client(last.request(0, 4, "fghij")).server(last.response(0, "IJKL"))
	x.wantCalls(decode.RPCCall{
		Opnum: 4, CallID: 7, Outcome: activity.Success, RequestSize: 5, ResponseSize: 4,
		Return: 0x4c4b4a49, ReturnSeen: true, Anomalies: []string{anomalyFirstFragment},
	})
	x.wantCounts(map[string]int{reasonFragment: 1})
}

func TestGapInsideStub(t *testing.T) {
	first, last := pdu{callID: 7, flags: flagFirst}, pdu{callID: 7, flags: flagLast}
	x := bound(t).client(first.request(0, 4, "01234"))
	x.h.Gap(flow.ToServer, 100, x.now)
	x.client(last.request(0, 4, "zzz")).server(first.response(0, "AB"))
	x.h.Gap(flow.ToClient, 0, x.now)
	x.server(last.response(0, "zz\x01\x00\x00\x00"))
	x.wantCalls(decode.RPCCall{
		Opnum: 4, CallID: 7, Outcome: activity.Success,
		Request: []byte("01234"), RequestSize: 8, Response: []byte("AB"), ResponseSize: 8, Return: 1, ReturnSeen: true,
	})
	x.wantCounts(map[string]int{reasonGap: 2})
}

func TestSealed(t *testing.T) {
	seal := pdu{callID: 7, kind: authNTLM, level: levelPrivacy, token: "0123456789abcdef", pad: 3}
	sign := seal
	sign.level = levelIntegrity
	x := bound(t).client(seal.request(0, 4, "sealed")).server(seal.response(0, "sealed too"))
	x.wantCalls(decode.RPCCall{Opnum: 4, CallID: 7, Outcome: activity.Success, Sealed: true, RequestSize: 6, ResponseSize: 10})
	x = bound(t).client(sign.request(0, 4, "signed")).server(seal.response(0, "sealed"))
	x.wantCalls(decode.RPCCall{Opnum: 4, CallID: 7, Outcome: activity.Success, Sealed: true, Request: []byte("signed"), RequestSize: 6, ResponseSize: 6})
	x = bound(t).client(sign.request(0, 4, "signed")).server(sign.response(0, "\x00\x00\x00\x00"))
	x.wantCalls(decode.RPCCall{
		Opnum: 4, CallID: 7, Outcome: activity.Success, Request: []byte("signed"), RequestSize: 6,
		Response: make([]byte, 4), ResponseSize: 4, ReturnSeen: true,
	})
}

func TestVerifierLies(t *testing.T) {
	whole := pdu{callID: 7, kind: authNTLM, level: levelPrivacy, token: "0123456789abcdef", pad: 4}.request(0, 4, "plain")
	for name, change := range map[string]func(b []byte){
		"token longer than the PDU":   func(b []byte) { binary.LittleEndian.PutUint16(b[10:], 0xffff) },
		"trailer inside the header":   func(b []byte) { binary.LittleEndian.PutUint16(b[10:], uint16(len(b)-sizeCall)) },
		"padding longer than the PDU": func(b []byte) { b[len(b)-16-sizeTrailer+2] = 0xff },
	} {
		b := append([]byte(nil), whole...)
		change(b)
		x := bound(t).client(b).server(pdu{callID: 7}.response(0, ""))
		if len(x.calls) != 1 || cmp.Diff(x.calls[0].Anomalies, []string{anomalyVerifier}) != "" || x.calls[0].RequestSize != len(b)-sizeCall {
			t.Errorf("%s: %+v", name, x.calls)
		}
		x.wantCounts(map[string]int{reasonVerifier: 1})
	}
}

func TestUnanswered(t *testing.T) {
	ask := func(id uint32) []byte { return pdu{callID: id}.request(0, 3, "") }
	attempt := func(id uint32, anomalies ...string) decode.RPCCall {
		return decode.RPCCall{Opnum: 3, CallID: id, Outcome: activity.Attempt, Anomalies: anomalies}
	}
	t.Run("at the end", func(t *testing.T) {
		x := bound(t).client(ask(2), ask(3)).close()
		x.wantCalls(attempt(2), attempt(3))
		x.wantCounts(map[string]int{reasonUnanswered: 2})
	})
	t.Run("after a while", func(t *testing.T) {
		x := bound(t).client(ask(2))
		x.now = x.now.Add(answerWait - 2*time.Millisecond)
		x.client(ask(3))
		x.wantCalls()
		x.client(ask(4), ask(5))
		x.wantCalls(attempt(2))
		x.server(pdu{callID: 2}.response(0, "")) // too late
		x.wantCounts(map[string]int{reasonUnanswered: 1, reasonNoRequest: 1})
	})
	t.Run("begun", func(t *testing.T) {
		x := bound(t).client(ask(2)).server(pdu{callID: 2, flags: flagFirst}.response(0, "part"))
		x.now = x.now.Add(answerWait - time.Millisecond)
		x.server(pdu{callID: 2, middle: true}.response(0, "part")) // still coming
		x.wantCalls()
		x.close()
		x.wantCalls(decode.RPCCall{Opnum: 3, CallID: 2, Outcome: activity.Success, Response: []byte("partpart"), ResponseSize: 8})
		x.wantCounts(nil)
	})
	t.Run("orphaned", func(t *testing.T) {
		x := bound(t).client(ask(2), pdu{callID: 2}.build(ptypeOrphaned, nil), pdu{callID: 9}.build(ptypeOrphaned, nil))
		x.wantCalls(attempt(2))
		x.wantCounts(map[string]int{reasonOrphaned: 2})
	})
	t.Run("call id reused", func(t *testing.T) {
		x := bound(t).client(ask(2), ask(2)).close()
		x.wantCalls(attempt(2), attempt(2, anomalyCallID))
		x.wantCounts(map[string]int{reasonCallID: 1, reasonUnanswered: 1})
	})
	t.Run("too many", func(t *testing.T) {
		x := bound(t)
		for id := range uint32(maxCalls + 2) {
			x.client(ask(id))
		}
		x.wantCalls(attempt(0), attempt(1))
		x.wantCounts(map[string]int{reasonEvicted: 2})
	})
}

func TestNotOurs(t *testing.T) {
	ask, answer := pdu{callID: 7}.request(5, 3, "x"), pdu{callID: 7}.response(5, "x")
	for _, tt := range []struct {
		name   string
		bind   func(x *harness)
		counts map[string]int
	}{
		{"no bind", func(*harness) {}, map[string]int{reasonNoBind: 1}},
		{"another id", func(x *harness) { x.client(pdu{}.bind(ptypeBind, offered{id: 4, uuid: uuidRead})) }, map[string]int{reasonNoContext: 1}},
		{"management", func(x *harness) { x.client(pdu{}.bind(ptypeBind, offered{id: 5, uuid: uuidMgmt, version: 3})) }, map[string]int{"calls on mgmt": 1}},
		{"unknown interface", func(x *harness) { x.client(pdu{}.bind(ptypeBind, offered{id: 5, uuid: uuidOther})) }, map[string]int{reasonOther: 1}},
		{"another version", func(x *harness) { x.client(pdu{}.bind(ptypeBind, offered{id: 5, uuid: uuidRead, version: 1})) }, map[string]int{reasonOther: 1}},
		{"feature negotiation", func(x *harness) {
			x.client(pdu{}.bind(ptypeBind, offered{id: 5, uuid: uuidRead, syntaxes: []string{uuidBTFN}}))
		}, map[string]int{reasonNoContext: 1}},
		{"rejected", func(x *harness) {
			x.client(pdu{}.bind(ptypeBind, offered{id: 5, uuid: uuidRead})).server(pdu{}.ack(ptypeBindAck, result{result: 2}))
		}, map[string]int{reasonRejected: 1}},
		{"bind refused", func(x *harness) {
			x.client(pdu{}.bind(ptypeBind, offered{id: 5, uuid: uuidRead})).server(pdu{}.nak(4))
		}, map[string]int{reasonRejected: 1}},
		{"bind cut", func(x *harness) {
			b := pdu{}.bind(ptypeBind, offered{id: 5, uuid: uuidRead})
			b = b[:len(b)-1]
			binary.LittleEndian.PutUint16(b[8:], uint16(len(b)))
			x.client(b)
		}, map[string]int{reasonNoContext: 1, reasonShort: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newHarness(t)
			tt.bind(x)
			x.client(ask).server(answer).close()
			x.wantCalls()
			x.wantCounts(tt.counts)
		})
	}
}

func TestContexts(t *testing.T) {
	ask := func(x *harness, id uint16) int {
		x.calls = nil
		x.client(pdu{callID: 7}.request(id, 3, "")).server(pdu{callID: 7}.response(id, ""))
		return len(x.calls)
	}
	read, epm := offered{id: 0, uuid: uuidRead}, offered{id: 0, uuid: uuidMgmt, version: 3}
	t.Run("alter_context after a bind that was not captured", func(t *testing.T) {
		x := newHarness(t).server(pdu{callID: 1}.ack(ptypeBindAck, result{}, result{result: resultNegotiated}))
		if ask(x, 0) != 0 {
			t.Error("a call was read before anything was offered")
		}
		x.client(pdu{callID: 2}.bind(ptypeAlterContext, read))
		if ask(x, 0) != 1 {
			t.Error("the context of alter_context is not used")
		}
	})
	t.Run("a rejected offer does not replace what is accepted", func(t *testing.T) {
		x := bound(t).client(pdu{callID: 2}.bind(ptypeAlterContext, epm))
		if ask(x, 0) != 1 {
			t.Error("replaced before the answer")
		}
		x.server(pdu{callID: 2}.ack(ptypeAlterContextResp, result{result: 2}))
		if ask(x, 0) != 1 {
			t.Error("replaced by what was rejected")
		}
		x.client(pdu{callID: 3}.bind(ptypeAlterContext, epm)).server(pdu{callID: 3}.ack(ptypeAlterContextResp, result{}))
		if ask(x, 0) != 0 {
			t.Error("not replaced by what was accepted")
		}
	})
	t.Run("results go by order, and to their own call", func(t *testing.T) {
		x := newHarness(t).client(pdu{callID: 1}.bind(ptypeBind,
			offered{id: 0, uuid: uuidRead}, offered{id: 1, uuid: uuidRead, syntaxes: []string{uuidNDR64}}, offered{id: 2, uuid: uuidRead, syntaxes: []string{uuidBTFN}}))
		x.server(pdu{callID: 99}.ack(ptypeBindAck, result{result: 2}, result{result: 2}))
		if ask(x, 0) != 1 || ask(x, 1) != 1 {
			t.Error("the answer to another bind was taken for this one's")
		}
		x.server(pdu{callID: 1}.ack(ptypeBindAck, result{result: 2}, result{syntax: uuidNDR64}, result{result: resultNegotiated}))
		if ask(x, 0) != 0 || ask(x, 2) != 0 {
			t.Error("a call on a context that was not accepted was read")
		}
		if ask(x, 1) != 1 || !x.calls[0].NDR64 {
			t.Errorf("the NDR64 context: %+v", x.calls)
		}
	})
	t.Run("which syntax was chosen", func(t *testing.T) {
		x := newHarness(t).client(pdu{callID: 1}.bind(ptypeBind, offered{id: 0, uuid: uuidRead, syntaxes: []string{uuidNDR, uuidNDR64}}))
		if ask(x, 0) != 1 || !x.calls[0].NDR64 {
			t.Error("before the answer it may be NDR64")
		}
		x.server(pdu{callID: 1}.ack(ptypeBindAck, result{}))
		if ask(x, 0) != 1 || x.calls[0].NDR64 {
			t.Error("NDR was chosen")
		}
	})
	t.Run("more than the cap", func(t *testing.T) {
		x := newHarness(t)
		for i := range 10_000 / 100 {
			var list []offered
			for j := range 100 {
				list = append(list, offered{id: uint16(100*i + j), uuid: uuidRead})
			}
			x.client(pdu{callID: 1}.bind(ptypeAlterContext, list...))
		}
		if ask(x, maxContexts-1) != 1 || ask(x, maxContexts) != 0 {
			t.Error("the first contexts up to the cap should be kept, and no more")
		}
		if n := x.count(reasonContexts); n != 10_000-maxContexts {
			t.Errorf("counted %d contexts above the cap", n)
		}
	})
}

func TestPDUs(t *testing.T) {
	x := bound(t).
		client(pdu{callID: 1}.response(0, "")).
		server(pdu{callID: 1}.request(0, 1, "")).
		server(pdu{}.build(ptypeShutdown, nil)).
		client(pdu{}.build(ptypeCancel, nil)).
		client(pdu{}.build(ptypeRequest, []byte("short"))).
		server(pdu{}.build(ptypeFault, []byte("12345678"))).
		server(pdu{}.build(ptypeBindNak, nil)).
		server(pdu{}.build(ptypeBindAck, nil)).
		client(pdu{}.build(ptypeBind, nil)).
		client([]byte("GET / HTTP/1.1\r\n"))
	x.wantCalls()
	x.wantCounts(map[string]int{
		reasonDirection: 2, reasonShutdown: 1, reasonCancel: 1, reasonShort: 5, reasonSkipped: 16,
	})
	// The place is found again at the next segment that begins with a PDU.
	x.client(pdu{callID: 2}.bind(ptypeAlterContext, offered{id: 1, uuid: uuidRead}), pdu{callID: 2}.request(1, 3, ""))
	if x.close(); len(x.calls) != 1 {
		t.Errorf("calls after the place was lost: %+v", x.calls)
	}
}

func TestUnreadStubsAreNotKept(t *testing.T) {
	x := newHarness(t).client(pdu{}.bind(ptypeBind, offered{id: 0, uuid: uuidMgmt, version: 3}))
	p, body := pdu{callID: 1}, strings.Repeat("x", 60_000)
	for dir, b := range [][]byte{flow.ToServer: p.request(0, 3, body), flow.ToClient: p.response(0, body)} {
		dir := flow.Dir(dir)
		x.feed(dir, b[:1000])
		if n := len(decoderOf(x).framers.Of(dir).Begun()); n > decode.MaxHeader {
			t.Errorf("direction %d: %d bytes of a call that nobody reads are kept", dir, n)
		}
		x.feed(dir, b[1000:])
	}
	x.wantCounts(map[string]int{"calls on mgmt": 1})
}

func TestSignature(t *testing.T) {
	p := pdu{callID: 1, kind: authSPNEGO, level: levelPrivacy, token: "token"}
	for _, tt := range []struct {
		name   string
		b      []byte
		follow bool
		dir    flow.Dir
	}{
		{"bind", p.bind(ptypeBind, offered{uuid: uuidRead}), true, flow.ToServer},
		{"bind, big-endian", pdu{big: true}.bind(ptypeBind, offered{uuid: uuidRead}), true, flow.ToServer},
		{"alter_context", p.bind(ptypeAlterContext, offered{uuid: uuidRead}), true, flow.ToServer},
		{"auth3", p.auth3(), true, flow.ToServer},
		{"request", p.request(0, 1, ""), true, flow.ToServer},
		{"middle of a request", pdu{middle: true}.request(0, 1, ""), true, flow.ToServer},
		{"bind_ack", p.ack(ptypeBindAck, result{}), true, flow.ToClient},
		{"bind_nak", pdu{}.nak(1), true, flow.ToClient},
		{"alter_context_resp", p.ack(ptypeAlterContextResp, result{}), true, flow.ToClient},
		{"response", p.response(0, ""), true, flow.ToClient},
		{"fault", pdu{}.fault(5), true, flow.ToClient},
		{"only the beginning of a PDU", p.request(0, 1, strings.Repeat("x", 5000))[:1460], true, flow.ToServer},
		{"cut header", p.bind(ptypeBind, offered{uuid: uuidRead})[:sizeHeader-1], false, 0},
		{"orphaned", pdu{}.build(ptypeOrphaned, make([]byte, 8)), false, 0},
		{"connectionless ping", pdu{}.build(1, make([]byte, 80)), false, 0},
		{"reserved flag", pdu{flags: 0x0b}.request(0, 1, ""), false, 0},
		{"shorter than its type", pdu{}.build(ptypeRequest, nil), false, 0},
		{"shorter than its verifier", append(p.request(0, 1, "")[:10], append([]byte{0xff, 0xff}, make([]byte, 40)...)...), false, 0},
		{"SOCKS5", []byte{5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, false, 0},
		{"TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh"), false, 0},
		{"empty", nil, false, 0},
	} {
		if follow, dir := signature(tt.b); follow != tt.follow || follow && dir != tt.dir {
			t.Errorf("%s: follow %v, dir %v", tt.name, follow, dir)
		}
	}
}
