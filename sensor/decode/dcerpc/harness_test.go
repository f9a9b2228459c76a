package dcerpc

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// uuidRead is the interface that the tests read; uuidMgmt one that nobody does.
const (
	uuidRead  = "00112233-4455-6677-8899-aabbccddeeff"
	uuidMgmt  = "afa8bd80-7d8a-11c9-bef4-08002b102989"
	uuidOther = "deadbeef-0000-0000-0000-000000000000"
	uuidNDR   = "8a885d04-1ceb-11c9-9fe8-08002b104860"
	uuidNDR64 = "71710533-beba-4937-8319-b5dbef9ccc36"
	uuidBTFN  = "6cb71c2c-9812-4540-0300-000000000000"
)

const start = activity.Time(1_700_000_000_000_000_000)

// harness is one conversation and what comes out of it.
type harness struct {
	t        testing.TB
	h        flow.Handler
	now      activity.Time
	counters counter.Set
	calls    []decode.RPCCall // copies
	emitted  []*activity.Activity
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	x := &harness{t: t, now: start}
	stage, err := decode.NewStage(decode.Set{
		Protocols:  []decode.Protocol{Protocol},
		Inner:      []decode.Inner{{Name: "gssapi", Read: readToken}},
		Interfaces: []decode.Interface{{Name: "read", UUID: uuidRead, Version: 4, Request: 16, Response: 8, Call: x.call}},
	}, nil, &x.counters, func(a *activity.Activity) { x.emitted = append(x.emitted, a) })
	if err != nil {
		t.Fatal(err)
	}
	x.h = stage.Open(&flow.Conn{
		Transport: activity.TCP,
		Client:    netip.MustParseAddrPort("192.0.2.9:50000"), Server: netip.MustParseAddrPort("192.0.2.1:135"),
	})
	return x
}

// readToken stands for GSS-API: "ticket X" is an AP-REQ, "user X" an
// AUTHENTICATE, "proof", "accept" and "refuse X" are the server's.
func readToken(_ *decode.Context, dir flow.Dir, token []byte, auth *activity.Auth) bool {
	word, rest, _ := strings.Cut(string(token), " ")
	switch word {
	case "ticket":
		*auth = activity.Auth{Mechanism: activity.MechKerberos, Ticket: &activity.Ticket{ID: activity.NewTicketID([]byte(rest))}}
	case "negotiate":
		*auth = activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{}}
	case "challenge":
		*auth = activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{Challenge: true}}
	case "user":
		*auth = activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: rest, Domain: "LAB", Flags: 1}}
	case "accept", "proof":
		if dir == flow.ToClient {
			auth.Verdict = activity.Success
		}
	case "refuse":
		auth.Verdict, auth.Refusal = activity.Failure, rest
	case "more":
	default:
		return false
	}
	return true
}

func (x *harness) call(_ *decode.Context, c *decode.RPCCall) {
	kept := *c
	kept.Request, kept.Response = bytes.Clone(c.Request), bytes.Clone(c.Response)
	x.calls = append(x.calls, kept)
}

func (x *harness) client(pdus ...[]byte) *harness { return x.feed(flow.ToServer, pdus...) }
func (x *harness) server(pdus ...[]byte) *harness { return x.feed(flow.ToClient, pdus...) }

func (x *harness) feed(dir flow.Dir, pdus ...[]byte) *harness {
	for _, p := range pdus {
		x.now = x.now.Add(time.Millisecond)
		x.h.Feed(dir, p, x.now)
	}
	return x
}

func (x *harness) close() *harness {
	x.now = x.now.Add(time.Millisecond)
	x.h.Close(x.now)
	return x
}

func (x *harness) count(reason string) int { return int(x.counters.Of("dcerpc", reason).Value()) }

// wantCount checks all counters: pairs of reason and number; others are zero.
func (x *harness) wantCounts(want map[string]int) {
	x.t.Helper()
	for _, r := range x.counters.Rows() {
		if r.Stage == "dcerpc" && int(r.Count) != want[r.Name] {
			x.t.Errorf("counted %q %d times, want %d", r.Name, r.Count, want[r.Name])
		}
	}
	for reason, n := range want {
		if x.count(reason) != n {
			x.t.Errorf("counted %q %d times, want %d", reason, x.count(reason), n)
		}
	}
}

// pdu builds PDUs. The zero value is little-endian, first and last fragment.
type pdu struct {
	big     bool
	middle  bool // neither the first nor the last fragment
	flags   byte // instead of first and last, when not zero
	callID  uint32
	kind    byte // of the verifier; 0 is none
	level   byte
	context uint32
	token   string
	pad     int // before the verifier
}

type appender interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func (p pdu) order() appender {
	if p.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// build puts header and verifier around body.
func (p pdu) build(ptype byte, body []byte) []byte {
	flags := byte(flagFirst | flagLast)
	if p.flags != 0 {
		flags = p.flags
	}
	if p.middle {
		flags = 0
	}
	drep := byte(0x10)
	if p.big {
		drep = 0
	}
	o := p.order()
	b := append([]byte{5, 0, ptype, flags, drep, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 4)...)
	o.PutUint32(b[12:], p.callID)
	b = append(b, body...)
	if p.kind != 0 {
		b = append(b, make([]byte, p.pad)...)
		b = append(b, p.kind, p.level, byte(p.pad), 0)
		b = o.AppendUint32(b, p.context)
		b = append(b, p.token...)
		o.PutUint16(b[10:], uint16(len(p.token)))
	}
	o.PutUint16(b[8:], uint16(len(b)))
	return b
}

func (p pdu) uuid(s string) []byte {
	u, err := decode.ParseUUID(s)
	if err != nil {
		panic(err)
	}
	o := p.order()
	b := o.AppendUint32(nil, binary.BigEndian.Uint32(u[0:]))
	b = o.AppendUint16(b, binary.BigEndian.Uint16(u[4:]))
	b = o.AppendUint16(b, binary.BigEndian.Uint16(u[6:]))
	return append(b, u[8:]...)
}

// offered is one element of a presentation context list; version 4 when 0.
type offered struct {
	id       uint16
	uuid     string
	version  uint32
	syntaxes []string // NDR when nil
}

func (p pdu) bind(ptype byte, list ...offered) []byte {
	o := p.order()
	body := append([]byte{0xd0, 0x16, 0xd0, 0x16, 0, 0, 0, 0}, byte(len(list)), 0, 0, 0)
	for _, c := range list {
		if c.syntaxes == nil {
			c.syntaxes = []string{uuidNDR}
		}
		if c.version == 0 {
			c.version = 4
		}
		body = o.AppendUint16(body, c.id)
		body = append(body, byte(len(c.syntaxes)), 0)
		body = append(body, p.uuid(c.uuid)...)
		body = o.AppendUint32(body, c.version)
		for _, s := range c.syntaxes {
			body = append(append(body, p.uuid(s)...), 2, 0, 0, 0)
		}
	}
	return p.build(ptype, body)
}

// ack answers the offers in order: acceptances of NDR, unless the result is
// not 0 or the syntax is given.
func (p pdu) ack(ptype byte, results ...result) []byte {
	o := p.order()
	body := []byte{0xd0, 0x16, 0xd0, 0x16, 0, 0, 0, 0}
	body = append(o.AppendUint16(body, 4), "135\x00"...)
	for (sizeHeader+len(body))%4 != 0 {
		body = append(body, 0)
	}
	body = append(body, byte(len(results)), 0, 0, 0)
	for _, r := range results {
		if r.syntax == "" {
			r.syntax = uuidNDR
		}
		body = o.AppendUint16(body, r.result)
		body = o.AppendUint16(body, 0)
		body = append(append(body, p.uuid(r.syntax)...), 2, 0, 0, 0)
	}
	return p.build(ptype, body)
}

type result struct {
	result uint16
	syntax string
}

func (p pdu) request(context, opnum uint16, stub string) []byte {
	return p.build(ptypeRequest, p.callBody(context, opnum, stub))
}

func (p pdu) response(context uint16, stub string) []byte {
	return p.build(ptypeResponse, p.callBody(context, 0, stub))
}

func (p pdu) fault(status uint32) []byte {
	return p.build(ptypeFault, append(p.order().AppendUint32(p.callBody(0, 0, ""), status), 0, 0, 0, 0))
}

func (p pdu) nak(reason uint16) []byte {
	return p.build(ptypeBindNak, append(p.order().AppendUint16(nil, reason), 0, 0, 0, 0))
}

func (p pdu) auth3() []byte { return p.build(ptypeAuth3, make([]byte, 4)) }

func (p pdu) callBody(context, opnum uint16, stub string) []byte {
	o := p.order()
	b := o.AppendUint32(nil, uint32(len(stub)))
	b = o.AppendUint16(b, context)
	b = o.AppendUint16(b, opnum)
	return append(b, stub...)
}

// bound is a harness whose context 0 is the interface that is read.
func bound(t testing.TB) *harness {
	return newHarness(t).
		client(pdu{callID: 1}.bind(ptypeBind, offered{id: 0, uuid: uuidRead})).
		server(pdu{callID: 1}.ack(ptypeBindAck, result{}))
}
