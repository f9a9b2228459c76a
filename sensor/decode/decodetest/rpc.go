package decodetest

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// Connection is one connection on which calls are delivered to the reader of
// an interface, as their carrier does it.
type Connection struct {
	Counters counter.Set
	in       *decode.Interface
	x        *decode.Context
	state    decode.State
	out      []*activity.Activity
}

// Connect makes a connection to in.
func Connect(t testing.TB, in decode.Interface) *Connection {
	t.Helper()
	c := &Connection{}
	stage, err := decode.NewStage(decode.Set{
		Interfaces: []decode.Interface{in},
		Protocols:  []decode.Protocol{{Name: "carrier", TCP: []uint16{1}, New: func() decode.Decoder { return &carrier{&c.x} }}},
	}, nil, &c.Counters, func(a *activity.Activity) { c.out = append(c.out, a) })
	if err != nil {
		t.Fatal(err)
	}
	stage.Open(&flow.Conn{Transport: activity.TCP, Client: netip.MustParseAddrPort("192.0.2.9:50000"), Server: netip.MustParseAddrPort("192.0.2.1:1")})
	uuid, err := decode.ParseUUID(in.UUID)
	if err != nil {
		t.Fatal(err)
	}
	c.in = c.x.Interface(uuid, in.Version)
	if in.State != nil {
		c.state = in.State()
	}
	return c
}

// Deliver hands the call to the reader, with what it wants of the stubs, and
// returns the activities that came of it. A call that says nothing of its times,
// sizes and outcome gets those of one that was answered.
func (c *Connection) Deliver(call decode.RPCCall) []*activity.Activity {
	if call.Time == 0 {
		call.Requested, call.Time = 1_700_000_000_000_000_000, 1_700_000_000_001_000_000
	}
	if call.RequestSize == 0 {
		call.RequestSize, call.ResponseSize = len(call.Request), len(call.Response)
	}
	if call.Outcome == "" {
		call.Outcome, call.BindSeen = activity.Success, true
		if n := len(call.Response); n >= 4 && !call.ReturnSeen {
			o := call.ResponseOrder
			if o == nil {
				o = littleEndian
			}
			call.Return, call.ReturnSeen = o.Uint32(call.Response[n-4:]), true
		}
	}
	call.Request = call.Request[:min(len(call.Request), c.in.Request)]
	call.Response = call.Response[:min(len(call.Response), c.in.Response)]
	call.State = c.state
	c.out = nil
	c.x.Deliver(c.in, &call)
	return c.out
}

// Held is what the reader remembers.
func (c *Connection) Held() int {
	if c.state == nil {
		return 0
	}
	return c.state.Held()
}

// carrier is a conversation, the only way to a Context.
type carrier struct{ x **decode.Context }

func (c *carrier) Reset(x *decode.Context)            { *c.x = x }
func (*carrier) Feed(flow.Dir, []byte, activity.Time) {}
func (*carrier) Gap(flow.Dir, int, activity.Time)     {}
func (*carrier) Close(activity.Time)                  {}
func (*carrier) Held() int                            { return 0 }

// FuzzCalls fuzzes the reader of an interface with calls on one connection,
// beginning with seeds: it never panics, states one fact at most, within the
// caps, changes no stub, and what it remembers stays below a cap.
func FuzzCalls(f *testing.F, in decode.Interface, seeds []decode.RPCCall) {
	for _, c := range seeds {
		f.Add(c.Opnum, c.Request, c.Response, byte(0))
		f.Add(c.Opnum, c.Request, c.Response, byte(3))
	}
	conn := Connect(f, in)
	f.Fuzz(func(t *testing.T, opnum uint16, request, response []byte, how byte) {
		e := Encodings[int(how)%len(Encodings)]
		c := e.Call(opnum, &Stub{B: request}, &Stub{B: response})
		switch {
		case how&4 != 0: // the end was not captured
			c.RequestSize, c.ResponseSize = c.RequestSize+1, c.ResponseSize+1
		case how&8 != 0:
			c.Response, c.Outcome = nil, activity.Failure
		case how&16 != 0:
			c.Request = nil
		}
		before, beforeResponse := bytes.Clone(c.Request), bytes.Clone(c.Response)
		out := conn.Deliver(c)
		if !bytes.Equal(before, c.Request) || !bytes.Equal(beforeResponse, c.Response) {
			t.Error("a stub was changed")
		}
		if len(out) > 1 {
			t.Errorf("%d activities of one call", len(out))
		}
		for _, a := range out {
			if !a.HasDetail() || a.Details() != 1 {
				t.Errorf("not the detail of its kind: %+v", a)
			}
			if d := a.RPC; d != nil && max(len(d.RIDs), len(d.Names), len(d.Sessions)) > activity.MaxRPCNames {
				t.Errorf("%d RIDs, %d names, %d sessions", len(d.RIDs), len(d.Names), len(d.Sessions))
			}
			if _, err := (&wire.Batch{Entries: []wire.Entry{{Activity: a}}}).Append(nil); err != nil {
				t.Error(err)
			}
		}
		if held := conn.Held(); held > maxState {
			t.Errorf("%d bytes remembered", held)
		}
	})
}

// maxState is what FuzzCalls lets a reader remember: 64 handles with the longest
// texts.
const maxState = 64 * (activity.MaxText + 512)

// Stubs reads a file of recorded calls: a line each of opnum, request and
// response in hex, "-" for a response that was not seen. Lines that begin with #
// are about it.
func Stubs(t testing.TB, path string) (calls []decode.RPCCall) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		opnum, err := strconv.ParseUint(f[0], 10, 16)
		if err != nil || len(f) != 3 {
			t.Fatalf("%s: %q: want opnum, request, response", path, line)
		}
		c := decode.RPCCall{Opnum: uint16(opnum), CallID: uint32(len(calls) + 1), BindSeen: true, Outcome: activity.Attempt,
			RequestOrder: littleEndian, ResponseOrder: littleEndian}
		if c.Request, err = hex.DecodeString(f[1]); err != nil {
			t.Fatal(err)
		}
		c.RequestSize = len(c.Request)
		if f[2] != "-" {
			if c.Response, err = hex.DecodeString(f[2]); err != nil {
				t.Fatal(err)
			}
			c.Outcome, c.ResponseSize = activity.Success, len(c.Response)
			if n := len(c.Response); n >= 4 {
				c.Return, c.ReturnSeen = littleEndian.Uint32(c.Response[n-4:]), true
			}
		}
		calls = append(calls, c)
	}
	return calls
}

// GoldenStubs delivers the recorded calls of each NAME.stubs in dir, as one
// connection, to the interface named for it, and compares what comes of it with
// NAME.golden.jsonl beside it. Every file must be named.
func GoldenStubs(t *testing.T, dir string, files map[string]decode.Interface) {
	found, _ := filepath.Glob(filepath.Join(dir, "*.stubs"))
	for _, path := range found {
		name := strings.TrimSuffix(filepath.Base(path), ".stubs")
		in, ok := files[name]
		if !ok {
			t.Errorf("%s: no interface is named for it", path)
			continue
		}
		delete(files, name)
		t.Run(name, func(t *testing.T) {
			GoldenCalls(t, strings.TrimSuffix(path, ".stubs")+".golden.jsonl", in, Stubs(t, path))
		})
	}
	for name := range files {
		t.Errorf("%s has no %s.stubs", dir, name)
	}
}

// GoldenCalls delivers calls that a test made, as one connection, and compares
// what comes of it with a golden.
func GoldenCalls(t *testing.T, path string, in decode.Interface, calls []decode.RPCCall) {
	t.Helper()
	conn := Connect(t, in)
	var out []*activity.Activity
	for _, c := range calls {
		out = append(out, conn.Deliver(c)...)
	}
	golden(t, path, Lines(t, out))
}

// MadeCalls delivers calls that build makes, as one connection, in every
// encoding, and compares what comes of them with a golden; sizes apart, it must
// not depend on the encoding. Calls of which only the beginning was captured must
// give no anomalies.
func MadeCalls(t *testing.T, path string, in decode.Interface, build func(e Encoding) []decode.RPCCall) {
	t.Helper()
	GoldenCalls(t, path, in, build(Encoding{}))
	var want []*activity.Activity
	for i, e := range Encodings {
		conn := Connect(t, in)
		var out []*activity.Activity
		for _, c := range build(e) {
			for _, a := range conn.Deliver(c) {
				unsized(a)
				out = append(out, a)
			}
		}
		if i == 0 {
			want = out
		} else if d := cmp.Diff(want, out, cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Errorf("%v differs (-NDR +it):\n%s", e, d)
		}
	}
	conn := Connect(t, in)
	for _, c := range build(Encoding{}) {
		whole, full := c.Request, conn.Deliver(c)
		for n := range whole {
			c.Request = whole[:n]
			for _, a := range conn.Deliver(c) {
				if len(a.Anomalies) > 0 && (len(full) == 0 || len(full[0].Anomalies) == 0) {
					t.Errorf("opnum %d, captured up to byte %d of %d: %v", c.Opnum, n, len(whole), a.Anomalies)
				}
			}
		}
	}
}

// unsized takes off an activity what depends on the encoding of its call.
func unsized(a *activity.Activity) {
	a.ID = activity.ID{}
	var call *activity.RPC
	switch {
	case a.RPC != nil:
		call = a.RPC
	case a.Change != nil:
		call = a.Change.Call
	case a.Service != nil:
		call = a.Service.Call
	case a.Task != nil:
		call = a.Task.Call
	case a.Execution != nil:
		call = a.Execution.Call
	case a.Netlogon != nil:
		call = a.Netlogon.Call
	case a.Certificate != nil:
		call = a.Certificate.Call
	}
	call.RequestSize, call.ResponseSize = 0, 0
}
