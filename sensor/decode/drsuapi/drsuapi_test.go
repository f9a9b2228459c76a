package drsuapi

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// deliver gives one call to the reader, as package dcerpc does.
func deliver(t testing.TB, c *decode.RPCCall) (*activity.Activity, *counter.Set) {
	t.Helper()
	var (
		x        *decode.Context
		out      []*activity.Activity
		counters counter.Set
	)
	stage, err := decode.NewStage(decode.Set{
		Interfaces: []decode.Interface{Interface},
		Protocols:  []decode.Protocol{{Name: "carrier", TCP: []uint16{1}, New: func() decode.Decoder { return &carrier{&x} }}},
	}, nil, &counters, func(a *activity.Activity) { out = append(out, a) })
	if err != nil {
		t.Fatal(err)
	}
	stage.Open(&flow.Conn{Transport: activity.TCP, Server: netip.MustParseAddrPort("192.0.2.1:1")})
	uuid, _ := decode.ParseUUID(Interface.UUID)
	x.Deliver(x.Interface(uuid, Interface.Version), c)
	if len(out) != 1 {
		t.Fatalf("%d activities of one call", len(out))
	}
	return out[0], &counters
}

// carrier is a conversation, the only way to a Context.
type carrier struct{ x **decode.Context }

func (c *carrier) Reset(x *decode.Context)            { *c.x = x }
func (*carrier) Feed(flow.Dir, []byte, activity.Time) {}
func (*carrier) Gap(flow.Dir, int, activity.Time)     {}
func (*carrier) Close(activity.Time)                  {}
func (*carrier) Held() int                            { return 0 }

// ndr builds stubs, aligned as C706 §14 asks.
type ndr struct {
	b     []byte
	order interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
}

func (n *ndr) align(to int) {
	for len(n.b)%to != 0 {
		n.b = append(n.b, 0xab)
	}
}

func (n *ndr) u32(v ...uint32) {
	n.align(4)
	for _, x := range v {
		n.b = n.order.AppendUint32(n.b, x)
	}
}

func (n *ndr) u64(v ...uint64) {
	n.align(8)
	for _, x := range v {
		n.b = n.order.AppendUint64(n.b, x)
	}
}

func (n *ndr) raw(size int) { n.b = append(n.b, make([]byte, size)...) }
func (n *ndr) uuid()        { n.align(4); n.raw(16) }
func (n *ndr) pointer()     { n.u32(0x20000) }

// head is DRS_HANDLE, version and the union's discriminant.
func (n *ndr) head(version uint32, align int) {
	n.raw(20)
	n.u32(version)
	n.align(align)
	n.u32(version)
	n.align(align)
}

func (n *ndr) dsname(name string, guid byte) {
	units := utf16.Encode([]rune(name))
	n.u32(uint32(len(units)+1), uint32(58+2*len(units)), 0)
	n.raw(15)
	n.b = append(n.b, guid)
	n.raw(28)
	n.u32(uint32(len(units)))
	for _, u := range append(units, 0) {
		n.b = n.order.AppendUint16(n.b, u)
	}
}

// v3 is DRS_MSG_GETCHGREQ_V3, inside versions 4 and 7 (MS-DRSR §4.1.10.2.2).
func (n *ndr) v3() {
	n.align(8)
	n.uuid()
	n.uuid()
	n.pointer()
	n.u64(0, 0, 0)
	n.u32(0, 0)        // up-to-date vector, partial attributes
	n.u32(0, 0)        // prefix table
	n.u32(48, 1, 0, 6) // flags, objects, bytes, operation
}

// v5 is DRS_MSG_GETCHGREQ_V5, which versions 8 and 10 begin with.
func (n *ndr) v5() {
	n.uuid()
	n.uuid()
	n.pointer()
	n.u64(0, 0, 0)
	n.u32(0)
	n.u32(48, 1, 0, 6)
	n.u64(0)
}

// stubs builds each kind of request that is read, about name.
var stubs = []struct {
	what   string
	opnum  uint16
	build  func(n *ndr, name string)
	tshark bool // tshark 4.0 reads it too
}{
	{"GetNCChanges 4", 3, func(n *ndr, name string) {
		n.head(4, 8)
		n.uuid()
		n.pointer()
		n.v3()
		n.u32(5, 5)
		n.b = append(n.b, "mail\x00"...)
		n.dsname(name, 0)
	}, false},
	{"GetNCChanges 5", 3, func(n *ndr, name string) { n.head(5, 8); n.v5(); n.dsname(name, 0) }, true},
	{"GetNCChanges 7", 3, func(n *ndr, name string) {
		n.head(7, 8)
		n.uuid()
		n.pointer()
		n.v3()
		n.u32(0, 0, 0, 0)
		n.u32(1, 1)
		n.raw(1)
		n.dsname(name, 0)
	}, false},
	{"GetNCChanges 8", 3, func(n *ndr, name string) { n.head(8, 8); n.v5(); n.u32(0, 0, 0, 0); n.dsname(name, 0) }, true},
	{"GetNCChanges 10", 3, func(n *ndr, name string) { n.head(10, 8); n.v5(); n.u32(0, 0, 0, 0, 0); n.dsname(name, 0) }, false},
	{"ReplicaSync 1", 2, func(n *ndr, name string) {
		n.head(1, 4)
		n.pointer()
		n.uuid()
		n.u32(0, 0)
		n.dsname(name, 0)
	}, true},
	{"UpdateRefs 1", 4, func(n *ndr, name string) {
		n.head(1, 4)
		n.pointer()
		n.pointer()
		n.uuid()
		n.u32(0)
		n.dsname(name, 0)
		n.u32(2, 0, 2)
		n.b = append(n.b, "d\x00"...)
	}, false},
	{"ReplicaAdd 1", 5, func(n *ndr, name string) {
		n.head(1, 4)
		n.pointer()
		n.pointer()
		n.raw(84)
		n.u32(0)
		n.dsname(name, 0)
		n.u32(2, 0, 2)
		n.b = append(n.b, "d\x00"...)
	}, false},
	{"ReplicaAdd 2", 5, func(n *ndr, name string) {
		n.head(1+1, 4)
		n.pointer()
		n.u32(0, 0)
		n.pointer()
		n.raw(84)
		n.u32(0)
		n.dsname(name, 0)
		n.u32(2, 0, 2)
		n.b = append(n.b, "d\x00"...)
	}, false},
	{"ReplicaDel 1", 6, func(n *ndr, name string) {
		n.head(1, 4)
		n.pointer()
		n.pointer()
		n.u32(0)
		n.dsname(name, 0)
		n.u32(2, 0, 2)
		n.b = append(n.b, "d\x00"...)
	}, false},
}

func TestContext(t *testing.T) {
	const name = "CN=Schöngärten,DC=lab,DC=example"
	for _, s := range stubs {
		for _, n := range []*ndr{{order: binary.LittleEndian}, {order: binary.BigEndian}} {
			s.build(n, name)
			got, known, ok := context(s.opnum, n.b, n.order)
			if got != name || !known || !ok {
				t.Errorf("%s, %v: %q, known %v, ok %v", s.what, n.order, got, known, ok)
			}
			for cut := range n.b[:len(n.b)-12] { // the last bytes may belong to another argument
				if got, known, _ := context(s.opnum, n.b[:cut], n.order); known && got != "" && got != name {
					t.Fatalf("%s cut to %d bytes: %q", s.what, cut, got)
				}
			}
		}
	}
}

func TestContextRecorded(t *testing.T) {
	text, err := os.ReadFile("testdata/getncchanges-v8.hex")
	if err != nil {
		t.Fatal(err)
	}
	stub, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if name, known, ok := context(3, stub, binary.LittleEndian); name != "CN=krbtgt,CN=Users,DC=lab,DC=example" || !known || !ok {
		t.Errorf("%q, known %v, ok %v", name, known, ok)
	}
}

func TestContextInDoubt(t *testing.T) {
	build := func(change func(n *ndr)) []byte {
		n := &ndr{order: binary.LittleEndian}
		n.head(8, 8)
		n.v5()
		n.u32(0, 0, 0, 0)
		n.dsname("DC=lab", 0)
		change(n)
		return n.b
	}
	const dsname = 144 // where the DSNAME begins
	put := func(at int, v uint32) func(n *ndr) {
		return func(n *ndr) { binary.LittleEndian.PutUint32(n.b[at:], v) }
	}
	for _, tt := range []struct {
		what  string
		stub  []byte
		known bool
	}{
		{"empty", nil, true},
		{"no union", make([]byte, 24), true},
		{"another discriminant", build(put(unionAt, 5)), true},
		{"a version of the future", build(func(n *ndr) { put(versionAt, 99)(n); put(unionAt, 99)(n) }), false},
		{"null pointer", build(put(64, 0)), true},
		{"array smaller than the name", build(put(dsname, 6)), true},
		{"name longer than the array", build(put(dsname+56, 8)), true},
		{"name longer than any", build(func(n *ndr) { put(dsname, 0)(n); put(dsname+56, 0xffffffff)(n) }), true},
		{"SID longer than its place", build(put(dsname+8, 29)), true},
		{"no NUL at the end", build(func(n *ndr) { n.b[len(n.b)-1] = 1 }), true},
	} {
		name, known, ok := context(3, tt.stub, binary.LittleEndian)
		if name != "" || known != tt.known || ok == tt.known {
			t.Errorf("%s: %q, known %v, ok %v", tt.what, name, known, ok)
		}
	}
	n := &ndr{order: binary.LittleEndian}
	n.head(8, 8)
	n.v5()
	n.u32(0, 0, 0, 0)
	n.dsname("", 7)
	if name, _, ok := context(3, n.b, n.order); name != "<GUID=00000000-0000-0000-0000-000000000007>" || !ok {
		t.Errorf("a GUID without a name: %q, %v", name, ok)
	}
}

func TestCall(t *testing.T) {
	good := &ndr{order: binary.LittleEndian}
	stubs[3].build(good, "DC=lab")
	request := good.b
	auth := &activity.Auth{Mechanism: activity.MechNTLM}
	for _, tt := range []struct {
		what string
		call decode.RPCCall
		// want of the activity
		outcome   activity.Outcome
		err       string
		drs       activity.DRS
		anomalies []string
		counts    []counter.Row
	}{
		{what: "answered",
			call:    decode.RPCCall{Opnum: 3, Request: request, RequestSize: len(request), ResponseSize: 100, ReturnSeen: true, Outcome: activity.Success},
			outcome: activity.Success,
			drs:     activity.DRS{Operation: "IDL_DRSGetNCChanges", Context: "DC=lab", RequestSize: len(request), ResponseSize: 100}},
		{what: "refused by its return value",
			call:    decode.RPCCall{Opnum: 3, Return: 8453, ReturnSeen: true, Outcome: activity.Success},
			outcome: activity.Failure, err: "ERROR_DS_DRA_ACCESS_DENIED", drs: activity.DRS{Operation: "IDL_DRSGetNCChanges"}},
		{what: "refused by a return value without a name",
			call:    decode.RPCCall{Opnum: 12, Return: 0x80004005, ReturnSeen: true, Outcome: activity.Success},
			outcome: activity.Failure, err: "0x80004005", drs: activity.DRS{Operation: "IDL_DRSCrackNames"}},
		{what: "sealed",
			call:    decode.RPCCall{Opnum: 3, Sealed: true, RequestSize: 300, ResponseSize: 4000, Outcome: activity.Success, Auth: auth},
			outcome: activity.Success, drs: activity.DRS{Operation: "IDL_DRSGetNCChanges", Sealed: true, RequestSize: 300, ResponseSize: 4000, Auth: auth}},
		{what: "faulted",
			call:    decode.RPCCall{Opnum: 3, Fault: 5, Error: "nca_s_fault_access_denied", Outcome: activity.Failure},
			outcome: activity.Failure, err: "nca_s_fault_access_denied", drs: activity.DRS{Operation: "IDL_DRSGetNCChanges", Fault: 5}},
		{what: "faulted by a directory error",
			call:    decode.RPCCall{Opnum: 3, Fault: 8453, Error: "0x00002105", Outcome: activity.Failure},
			outcome: activity.Failure, err: "ERROR_DS_DRA_ACCESS_DENIED", drs: activity.DRS{Operation: "IDL_DRSGetNCChanges", Fault: 8453}},
		{what: "unanswered, unknown opnum, anomaly of the carrier",
			call:    decode.RPCCall{Opnum: 31, Outcome: activity.Attempt, Anomalies: []string{"carrier's"}},
			outcome: activity.Attempt, anomalies: []string{"carrier's"}},
		{what: "malformed",
			call:    decode.RPCCall{Opnum: 3, Request: request[:len(request)-2], RequestSize: len(request) - 2, Outcome: activity.Attempt, Anomalies: []string{"carrier's"}},
			outcome: activity.Attempt, drs: activity.DRS{Operation: "IDL_DRSGetNCChanges", RequestSize: len(request) - 2}, anomalies: []string{"carrier's", anomalyName}},
		{what: "cut by the sensor's own cap",
			call:    decode.RPCCall{Opnum: 3, Request: request[:len(request)-2], RequestSize: maxRequest + 1, Outcome: activity.Attempt},
			outcome: activity.Attempt, drs: activity.DRS{Operation: "IDL_DRSGetNCChanges", RequestSize: maxRequest + 1}},
		{what: "an operation without a naming context",
			call:    decode.RPCCall{Opnum: 12, Request: request, RequestSize: len(request), Outcome: activity.Attempt},
			outcome: activity.Attempt, drs: activity.DRS{Operation: "IDL_DRSCrackNames", RequestSize: len(request)}},
		{what: "NDR64",
			call:    decode.RPCCall{Opnum: 3, Request: request, RequestSize: len(request), NDR64: true, Outcome: activity.Attempt},
			outcome: activity.Attempt, drs: activity.DRS{Operation: "IDL_DRSGetNCChanges", RequestSize: len(request)},
			counts: []counter.Row{{Stage: "drsuapi", Name: reasonNDR64, Count: 1}}},
		{what: "a version that is not read",
			call:    decode.RPCCall{Opnum: 5, Request: request, RequestSize: len(request), Outcome: activity.Attempt},
			outcome: activity.Attempt, drs: activity.DRS{Operation: "IDL_DRSReplicaAdd", RequestSize: len(request)},
			counts: []counter.Row{{Stage: "drsuapi", Name: reasonVersion, Count: 1}}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			c := tt.call
			c.Request = bytes.Clone(c.Request)
			c.CallID, c.BindSeen, c.RequestOrder, c.Account = 9, true, binary.LittleEndian, activity.Account{Name: "u"}
			a, counters := deliver(t, &c)
			if a.Kind != activity.Replication || a.Protocol != activity.ProtoDRSR || a.Account.Name != "u" || a.Outcome != tt.outcome || a.Error != tt.err {
				t.Errorf("activity %+v", a)
			}
			tt.drs.Opnum, tt.drs.CallID, tt.drs.BindSeen = c.Opnum, 9, true
			if diff := cmp.Diff(tt.drs, *a.DRS); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.anomalies, a.Anomalies); diff != "" {
				t.Errorf("anomalies: -want +got:\n%s", diff)
			}
			var counts []counter.Row
			for _, r := range counters.Rows() {
				if r.Stage == "drsuapi" {
					counts = append(counts, r)
				}
			}
			if diff := cmp.Diff(tt.counts, counts); diff != "" {
				t.Errorf("counters: -want +got:\n%s", diff)
			}
		})
	}
}

func FuzzContext(f *testing.F) {
	for _, s := range stubs {
		n := &ndr{order: binary.LittleEndian}
		s.build(n, "DC=lab")
		f.Add(s.opnum, n.b)
	}
	f.Fuzz(func(t *testing.T, opnum uint16, b []byte) {
		b = b[:min(len(b), maxRequest)]
		before := bytes.Clone(b)
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			name, known, ok := context(opnum, b, order)
			if name != "" && (!known || !ok) || len(name) > activity.MaxText {
				t.Errorf("%q, known %v, ok %v", name, known, ok)
			}
		}
		if !bytes.Equal(b, before) {
			t.Error("the stub was changed")
		}
	})
}
