package dns

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// conversation feeds one decoder; each message comes a second after the one before.
type conversation struct {
	t        testing.TB
	conn     flow.Conn
	stage    *decode.Stage
	decoder  *Decoder
	handler  flow.Handler
	tcp      bool
	now      activity.Time
	counters counter.Set
	got      []*activity.Activity
}

const second = activity.Time(1e9)

func open(t testing.TB, c flow.Conn) *conversation {
	v := &conversation{t: t, conn: c, tcp: c.Transport == activity.TCP}
	p := Protocol
	p.New = func() decode.Decoder {
		v.decoder = newDecoder()
		return v.decoder
	}
	var err error
	v.stage, err = decode.NewStage(decode.Set{Protocols: []decode.Protocol{p}}, nil, &v.counters, func(a *activity.Activity) { v.got = append(v.got, a) })
	if err != nil {
		t.Fatal(err)
	}
	v.handler = v.stage.Open(&v.conn)
	return v
}

func udp(t testing.TB) *conversation { return open(t, between(activity.UDP, 40000, 53)) }
func tcp(t testing.TB) *conversation { return open(t, between(activity.TCP, 40000, 53)) }

func between(tr activity.Transport, client, server uint16) flow.Conn {
	return flow.Conn{
		Client:    netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), client),
		Server:    netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), server),
		Transport: tr,
	}
}

// bytes feeds one segment or datagram.
func (v *conversation) bytes(dir flow.Dir, b []byte) {
	v.now += second
	v.handler.Feed(dir, b, v.now)
}

// ask and reply feed one message, over TCP with its length.
func (v *conversation) ask(b []byte)   { v.bytes(flow.ToServer, v.frame(b)) }
func (v *conversation) reply(b []byte) { v.bytes(flow.ToClient, v.frame(b)) }

func (v *conversation) frame(b []byte) []byte {
	if !v.tcp {
		return b
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// close ends the conversation and returns what it gave.
func (v *conversation) close() []*activity.Activity {
	v.now += second
	v.handler.Close(v.now)
	return v.got
}

func (v *conversation) counted(reason string, want int64) {
	v.t.Helper()
	if got := v.counters.Of("dns", reason).Value(); got != want {
		v.t.Errorf("counted %d %s, want %d", got, reason, want)
	}
}

// expect compares all but id and addresses, which are the same everywhere.
func expect(t *testing.T, got []*activity.Activity, want ...activity.Activity) {
	t.Helper()
	var all []activity.Activity
	for _, a := range got {
		all = append(all, *a)
	}
	opts := []cmp.Option{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(activity.Activity{}, "ID", "Protocol", "Transport", "Source", "Target")}
	if diff := cmp.Diff(want, all, opts...); diff != "" {
		t.Errorf("activities differ (-want +got):\n%s", diff)
	}
}

// build packs a message.
func build(h dnsmessage.Header, m dnsmessage.Message) []byte {
	m.Header = h
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func question(name string, t dnsmessage.Type) []dnsmessage.Question {
	return []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: t, Class: dnsmessage.ClassINET}}
}

func rr(name string, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: 60}, Body: body}
}

func a4(name, addr string) dnsmessage.Resource {
	return rr(name, &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()})
}

func srv(name, target string) dnsmessage.Resource {
	return rr(name, &dnsmessage.SRVResource{Port: 389, Target: dnsmessage.MustNewName(target)})
}

func soa(name string, serial uint32) dnsmessage.Resource {
	return rr(name, &dnsmessage.SOAResource{NS: dnsmessage.MustNewName("dc1." + name), MBox: dnsmessage.MustNewName("h." + name), Serial: serial})
}

func ask(id uint16, name string, t dnsmessage.Type) []byte {
	return build(dnsmessage.Header{ID: id, RecursionDesired: true}, dnsmessage.Message{Questions: question(name, t)})
}

func reply(id uint16, name string, t dnsmessage.Type, code dnsmessage.RCode, answers ...dnsmessage.Resource) []byte {
	return build(dnsmessage.Header{ID: id, Response: true, RCode: code}, dnsmessage.Message{Questions: question(name, t), Answers: answers})
}

func record(name string, t uint16, data string) activity.DNSRecord {
	return activity.DNSRecord{Name: name, Type: t, Data: data}
}

func TestQuery(t *testing.T) {
	for _, c := range []struct {
		name string
		feed func(v *conversation)
		want []activity.Activity
	}{
		{"answered", func(v *conversation) {
			v.ask(ask(7, "dc1.lab.example.", dnsmessage.TypeA))
			v.reply(reply(7, "dc1.lab.example.", dnsmessage.TypeA, 0, a4("dc1.lab.example.", "10.0.0.1")))
		}, []activity.Activity{{
			Time: 2 * second, Requested: second, Kind: activity.DNSQuery, Outcome: activity.Success,
			DNS: &activity.DNS{TxID: 7, Question: "dc1.lab.example", Type: 1, Class: 1, Answers: 1, Messages: 1,
				Records: []activity.DNSRecord{record("dc1.lab.example", 1, "10.0.0.1")}},
		}}},
		{"no such name", func(v *conversation) {
			v.ask(ask(8, "nosuch.lab.example.", dnsmessage.TypeAAAA))
			v.reply(reply(8, "nosuch.lab.example.", dnsmessage.TypeAAAA, dnsmessage.RCodeNameError))
		}, []activity.Activity{{
			Time: 2 * second, Requested: second, Kind: activity.DNSQuery, Outcome: activity.Failure, Error: "NXDOMAIN",
			DNS: &activity.DNS{TxID: 8, Question: "nosuch.lab.example", Type: 28, Class: 1, RCode: 3, Messages: 1},
		}}},
		{"refused, without the question", func(v *conversation) {
			v.ask(ask(8, "lab.example.", dnsmessage.TypeALL))
			v.reply(build(dnsmessage.Header{ID: 8, Response: true, RCode: dnsmessage.RCodeRefused}, dnsmessage.Message{}))
		}, []activity.Activity{{
			Time: 2 * second, Requested: second, Kind: activity.DNSQuery, Outcome: activity.Failure, Error: "REFUSED",
			DNS: &activity.DNS{TxID: 8, Question: "lab.example", Type: 255, Class: 1, RCode: 5, Messages: 1},
		}}},
		{"unanswered", func(v *conversation) {
			v.ask(ask(9, ".", dnsmessage.TypeNS))
		}, []activity.Activity{{
			Time: 2 * second, Requested: second, Kind: activity.DNSQuery, Outcome: activity.Attempt,
			DNS: &activity.DNS{TxID: 9, Type: 2, Class: 1, RCode: -1},
		}}},
		{"response alone", func(v *conversation) {
			v.reply(build(dnsmessage.Header{ID: 9, Response: true, Authoritative: true, Truncated: true}, dnsmessage.Message{Questions: question("x.y.", dnsmessage.TypePTR)}))
		}, []activity.Activity{{
			Time: second, Kind: activity.DNSQuery, Outcome: activity.Success,
			DNS: &activity.DNS{TxID: 9, Question: "x.y", Type: 12, Class: 1, Authoritative: true, Truncated: true, Messages: 1},
		}}},
		{"two at a time, answered in the other order", func(v *conversation) {
			v.ask(ask(1, "a.", dnsmessage.TypeA))
			v.ask(ask(1, "b.", dnsmessage.TypeA))
			v.reply(reply(1, "B.", dnsmessage.TypeA, 0))
			v.reply(reply(1, "A.", dnsmessage.TypeA, 0))
		}, []activity.Activity{
			{Time: 3 * second, Requested: 2 * second, Kind: activity.DNSQuery, Outcome: activity.Success,
				DNS: &activity.DNS{TxID: 1, Question: "b", Type: 1, Class: 1, Messages: 1}},
			{Time: 4 * second, Requested: second, Kind: activity.DNSQuery, Outcome: activity.Success,
				DNS: &activity.DNS{TxID: 1, Question: "a", Type: 1, Class: 1, Messages: 1}},
		}},
		{"asked twice, answered once", func(v *conversation) {
			v.ask(ask(1, "a.", dnsmessage.TypeA))
			v.ask(ask(1, "a.", dnsmessage.TypeA))
			v.reply(reply(1, "a.", dnsmessage.TypeA, 0))
		}, []activity.Activity{
			{Time: 3 * second, Requested: second, Kind: activity.DNSQuery, Outcome: activity.Success,
				DNS: &activity.DNS{TxID: 1, Question: "a", Type: 1, Class: 1, Messages: 1}},
		}},
		{"a response to another question is not the answer", func(v *conversation) {
			v.ask(ask(1, "a.", dnsmessage.TypeA))
			v.reply(reply(1, "a.", dnsmessage.TypeAAAA, 0))
		}, []activity.Activity{
			{Time: 2 * second, Kind: activity.DNSQuery, Outcome: activity.Success,
				DNS: &activity.DNS{TxID: 1, Question: "a", Type: 28, Class: 1, Messages: 1}},
			{Time: 3 * second, Requested: second, Kind: activity.DNSQuery, Outcome: activity.Attempt,
				DNS: &activity.DNS{TxID: 1, Question: "a", Type: 1, Class: 1, RCode: -1}},
		}},
	} {
		for _, v := range []*conversation{udp(t), tcp(t)} {
			t.Run(c.name, func(t *testing.T) {
				c.feed(v)
				expect(t, v.close(), c.want...)
			})
		}
	}
}

func TestRecords(t *testing.T) {
	name := dnsmessage.MustNewName
	v := udp(t)
	v.reply(build(dnsmessage.Header{ID: 1, Response: true}, dnsmessage.Message{
		Questions: question("_ldap._tcp.lab.example.", dnsmessage.TypeSRV),
		Answers: []dnsmessage.Resource{
			srv("_ldap._tcp.lab.example.", "dc1.lab.example."),
			rr("alias.lab.example.", &dnsmessage.CNAMEResource{CNAME: name("dc1.lab.example.")}),
			rr("lab.example.", &dnsmessage.NSResource{NS: name("dc2.lab.example.")}),
			rr("4.3.2.1.in-addr.arpa.", &dnsmessage.PTRResource{PTR: name(".")}),
			rr("lab.example.", &dnsmessage.TXTResource{TXT: []string{"not kept"}}),
			rr("dc1.lab.example.", &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("fd00::1").As16()}),
			soa("lab.example.", 5),
		},
		Authorities: []dnsmessage.Resource{rr("lab.example.", &dnsmessage.NSResource{NS: name("not.kept.")})},
		Additionals: []dnsmessage.Resource{
			a4("dc1.lab.example.", "10.0.0.1"),
			rr("lab.example.", &dnsmessage.TXTResource{TXT: []string{"not kept"}}),
		},
	}))
	// Without an answer that names hosts, the additional section says nothing.
	v.reply(build(dnsmessage.Header{ID: 2, Response: true}, dnsmessage.Message{
		Questions:   question("x.", dnsmessage.TypeA),
		Additionals: []dnsmessage.Resource{a4("dc1.lab.example.", "10.0.0.1")},
	}))
	got := v.close()
	want := []activity.DNSRecord{
		record("_ldap._tcp.lab.example", 33, "dc1.lab.example"),
		record("alias.lab.example", 5, "dc1.lab.example"),
		record("lab.example", 2, "dc2.lab.example"),
		record("4.3.2.1.in-addr.arpa", 12, ""),
		record("dc1.lab.example", 28, "fd00::1"),
		record("lab.example", 6, "dc1.lab.example"),
		record("dc1.lab.example", 1, "10.0.0.1"),
	}
	if diff := cmp.Diff(want, got[0].DNS.Records); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
	if got[0].DNS.Answers != 7 {
		t.Errorf("%d answers, want 7", got[0].DNS.Answers)
	}
	if len(got[1].DNS.Records) != 0 {
		t.Errorf("records %v of a message without answers", got[1].DNS.Records)
	}
}

func TestRecordsAreCapped(t *testing.T) {
	answers := make([]dnsmessage.Resource, activity.MaxDNSRecords+1)
	for i := range answers {
		answers[i] = a4("x.", "10.0.0.1")
	}
	v := udp(t)
	v.reply(reply(1, "x.", dnsmessage.TypeA, 0, answers...))
	d := v.close()[0].DNS
	if len(d.Records) != activity.MaxDNSRecords || d.Answers != len(answers) {
		t.Errorf("%d records of %d answers", len(d.Records), d.Answers)
	}
}

func TestExtendedRCode(t *testing.T) {
	var h dnsmessage.ResourceHeader
	if err := h.SetEDNS0(1232, 16, false); err != nil { // BADVERS, whose low four bits are those of success
		t.Fatal(err)
	}
	v := udp(t)
	v.reply(build(dnsmessage.Header{ID: 1, Response: true}, dnsmessage.Message{
		Questions:   question("x.", dnsmessage.TypeA),
		Additionals: []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}},
	}))
	expect(t, v.close(), activity.Activity{Time: second, Kind: activity.DNSQuery, Outcome: activity.Failure, Error: "BADVERS",
		DNS: &activity.DNS{TxID: 1, Question: "x", Type: 1, Class: 1, Messages: 1}})
}

func TestUpdate(t *testing.T) {
	del := a4("old.lab.example.", "0.0.0.0")
	del.Header.Class = dnsmessage.ClassANY
	update := dnsmessage.Message{
		Questions: question("lab.example.", dnsmessage.TypeSOA),
		Answers:   []dnsmessage.Resource{a4("must.exist.", "10.0.0.9")}, // prerequisite
		Authorities: []dnsmessage.Resource{
			del,
			a4("wpad.lab.example.", "10.0.0.66"),
			rr("lab.example.", &dnsmessage.TXTResource{TXT: []string{"not kept"}}),
			rr("66.0.0.10.in-addr.arpa.", &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("wpad.lab.example.")}),
		},
		Additionals: []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("key."), Class: dnsmessage.ClassANY},
			Body:   &dnsmessage.UnknownResource{Type: 250, Data: []byte("TSIG")},
		}},
	}
	want := activity.Activity{
		Time: 2 * second, Requested: second, Kind: activity.DNSUpdate, Outcome: activity.Failure, Error: "REFUSED",
		DNS: &activity.DNS{TxID: 3, Question: "lab.example", Type: 6, Class: 1, OpCode: 5, RCode: 5, Messages: 1,
			Records: []activity.DNSRecord{
				record("wpad.lab.example", 1, "10.0.0.66"),
				record("66.0.0.10.in-addr.arpa", 12, "wpad.lab.example"),
			}},
	}
	for _, repeats := range []bool{false, true} {
		v := udp(t)
		v.ask(build(dnsmessage.Header{ID: 3, OpCode: opUpdate}, update))
		answer := dnsmessage.Message{Questions: update.Questions}
		if repeats {
			answer = update
		}
		v.reply(build(dnsmessage.Header{ID: 3, OpCode: opUpdate, Response: true, RCode: dnsmessage.RCodeRefused}, answer))
		expect(t, v.close(), want)
	}
}

func TestServersAskEachOther(t *testing.T) {
	v := open(t, between(activity.UDP, 53, 53))
	v.ask(ask(1, "a.", dnsmessage.TypeA))
	v.reply(ask(1, "a.", dnsmessage.TypeA))    // the server asks the same with the same id
	v.ask(reply(1, "a.", dnsmessage.TypeA, 0)) // and is answered first
	v.reply(reply(1, "a.", dnsmessage.TypeA, 0))
	got := v.close()
	if len(got) != 2 || got[0].Requested != 2*second || got[1].Requested != second {
		t.Fatalf("got %+v", got)
	}
	for i, source := range []string{"10.0.0.1", "10.0.0.2"} {
		if a := got[i]; a.Source.Addr.String() != source || a.Target.Addr == a.Source.Addr || a.Outcome != activity.Success {
			t.Errorf("activity %d: %v to %v %s, want source %s", i, a.Source.Addr, a.Target.Addr, a.Outcome, source)
		}
	}
}

func TestWrongDirection(t *testing.T) {
	v := udp(t)
	v.reply(ask(1, "a.", dnsmessage.TypeA))
	v.ask(reply(1, "a.", dnsmessage.TypeA, 0, a4("a.", "10.0.0.66")))
	got := v.close()
	expect(t, got,
		activity.Activity{Time: second, Kind: activity.DNSQuery, Outcome: activity.Attempt, Anomalies: []string{AnomalyDirection},
			DNS: &activity.DNS{TxID: 1, Question: "a", Type: 1, Class: 1, RCode: -1}},
		activity.Activity{Time: 2 * second, Kind: activity.DNSQuery, Outcome: activity.Attempt, Anomalies: []string{AnomalyDirection},
			DNS: &activity.DNS{TxID: 1, Question: "a", Type: 1, Class: 1, RCode: -1}},
	)
	if a, b := got[0].Source.Addr.String(), got[1].Source.Addr.String(); a != "10.0.0.1" || b != "10.0.0.2" {
		t.Errorf("sources %s and %s, want the senders", a, b)
	}
}

func TestNotFollowed(t *testing.T) {
	v := tcp(t)
	v.ask(build(dnsmessage.Header{ID: 1, OpCode: 4}, dnsmessage.Message{Questions: question("lab.", dnsmessage.TypeSOA)})) // NOTIFY
	v.ask(nil)                                                                                                             // of length zero
	v.ask([]byte("short"))
	v.reply(build(dnsmessage.Header{ID: 1, Response: true}, dnsmessage.Message{}))
	expect(t, v.close())
	v.counted(countOpCode, 1)
	v.counted(countShort, 2)
	v.counted(countUnasked, 1)
}

func TestPendingIsBounded(t *testing.T) {
	v := udp(t)
	for i := range maxPending + 3 {
		v.ask(ask(uint16(i), "a.", dnsmessage.TypeA))
	}
	if len(v.got) != 3 {
		t.Fatalf("%d queries given up on, want 3", len(v.got))
	}
	for i, a := range v.got {
		if a.DNS.TxID != uint16(i) || a.Outcome != activity.Attempt {
			t.Errorf("gave up on query %d: %s", a.DNS.TxID, a.Outcome)
		}
	}
	v.counted(countGivenUp, 3)
	if got := v.close(); len(got) != maxPending+3 {
		t.Errorf("%d activities, want %d", len(got), maxPending+3)
	}
}

func TestHeldTextIsBounded(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 60)+".", 4)
	var updates []dnsmessage.Resource
	for range activity.MaxDNSRecords {
		updates = append(updates, a4(long, "10.0.0.1"))
	}
	v := udp(t)
	d := v.decoder
	for i := range 10 {
		v.ask(build(dnsmessage.Header{ID: uint16(i), OpCode: opUpdate}, dnsmessage.Message{Questions: question("lab.", dnsmessage.TypeSOA), Authorities: updates}))
		held := 0
		for i := range d.pending {
			held += d.pending[i].size()
		}
		if held != d.held {
			t.Fatalf("held is %d, pending queries hold %d", d.held, held)
		}
		if held > maxHeld && len(d.pending) > 1 {
			t.Fatalf("%d queries hold %d bytes", len(d.pending), held)
		}
	}
	if len(d.pending) != 1 || len(v.got) != 9 {
		t.Errorf("%d pending, %d given up on; want the last one alone", len(d.pending), len(v.got))
	}
}

func TestResetForgets(t *testing.T) {
	v := tcp(t)
	v.ask(ask(1, "a.", dnsmessage.TypeA))
	v.bytes(flow.ToClient, []byte{0, 99, 1}) // a message begins
	v.close()
	old := v.decoder
	v.handler = v.stage.Open(&v.conn)
	if v.decoder != old {
		t.Fatal("the decoder was not used again")
	}
	v.reply(reply(1, "a.", dnsmessage.TypeA, 0))
	if got := v.close(); len(got) != 2 || got[1].Requested != 0 {
		t.Errorf("the conversation before shows in this one: %+v", got)
	}
}

// A response is read to its end whatever way TCP cut it.
func TestSegmentation(t *testing.T) {
	var toServer, toClient []byte
	v := tcp(t)
	for i := range 20 {
		name := strings.Repeat("n", i+1) + ".lab.example."
		toServer = append(toServer, v.frame(ask(uint16(i), name, dnsmessage.TypeA))...)
		toClient = append(toClient, v.frame(reply(uint16(i), name, dnsmessage.TypeA, 0, a4(name, "10.0.0.1")))...)
	}
	zone := transferOf("lab.example.", 300)
	toServer = append(toServer, v.frame(ask(99, "lab.example.", dnsmessage.TypeAXFR))...)
	for _, m := range zone {
		toClient = append(toClient, v.frame(m)...)
	}
	feed := func(cut func(n int) int) []*activity.Activity {
		v := tcp(t)
		for _, s := range []struct {
			dir flow.Dir
			b   []byte
		}{{flow.ToServer, toServer}, {flow.ToClient, toClient}} {
			for b := s.b; len(b) > 0; {
				n := cut(len(b))
				v.handler.Feed(s.dir, b[:n], second)
				b = b[n:]
			}
		}
		v.now = 0
		return v.close()
	}
	whole := feed(func(n int) int { return n })
	if len(whole) != 21 || whole[20].DNS.Messages != len(zone) {
		t.Fatalf("%d activities, the last %+v", len(whole), whole[len(whole)-1].DNS)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		limit := 1 + rnd.IntN(200)
		got := feed(func(n int) int { return min(n, 1+rnd.IntN(limit)) })
		if !slices.EqualFunc(got, whole, func(a, b *activity.Activity) bool { return a.ID == b.ID }) {
			t.Fatalf("segments of up to %d bytes: %s", limit, cmp.Diff(whole, got))
		}
	}
}

func TestGapThenPlaceFound(t *testing.T) {
	v := tcp(t)
	v.ask(ask(1, "a.", dnsmessage.TypeA))
	v.ask(ask(2, "b.", dnsmessage.TypeA))
	first := v.frame(reply(1, "a.", dnsmessage.TypeA, 0))
	v.bytes(flow.ToClient, first[:10])
	v.handler.Gap(flow.ToClient, len(first)-10, v.now)
	v.bytes(flow.ToClient, []byte("not a message start")) // continuation of something lost
	v.reply(reply(2, "b.", dnsmessage.TypeA, 0))
	got := v.close()
	if len(got) != 2 || got[0].DNS.Question != "b" || got[0].Outcome != activity.Success || got[1].Outcome != activity.Attempt {
		t.Errorf("got %+v", got)
	}
	v.counted(countSkipped, 19)
}

func TestFrameLength(t *testing.T) {
	whole := append([]byte{0, 30}, ask(1, "lab.example.", dnsmessage.TypeA)...)
	changed := func(at int, c byte) []byte {
		b := slices.Clone(whole)
		b[at] = c
		return b
	}
	for _, c := range []struct {
		name         string
		b            []byte
		inStep, lost int
	}{
		{"message", whole, 32, 32},
		{"half a length", whole[:1], 0, 0},
		{"length alone", whole[:2], 32, 0},
		{"length zero", make([]byte, 20), 2, -1},
		{"shorter than its counts", changed(1, 16), 18, -1},
		{"many answers for its length", changed(9, 2), 32, -1},
		{"two questions", changed(7, 2), 32, -1},
		{"opcode that is not followed", changed(4, 4<<3), 32, -1},
		{"update", changed(4, opUpdate<<3), 32, 32},
		{"reserved bit", changed(5, 0x40), 32, -1},
	} {
		if got := frameLength(c.b, false); got != c.inStep {
			t.Errorf("%s: in step %d, want %d", c.name, got, c.inStep)
		}
		if got := frameLength(c.b, true); got != c.lost {
			t.Errorf("%s: lost %d, want %d", c.name, got, c.lost)
		}
	}
}

func TestMidStream(t *testing.T) {
	c := between(activity.TCP, 40000, 53)
	c.MidStream = true
	v := open(t, c)
	v.bytes(flow.ToClient, []byte("the end of a message"))
	v.reply(reply(2, "b.", dnsmessage.TypeA, 0, a4("b.", "10.0.0.1")))
	if got := v.close(); len(got) != 1 || got[0].DNS.Answers != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestRepeatedQueryIsOne(t *testing.T) {
	v := udp(t)
	for range 3 {
		v.ask(ask(7, "a.", dnsmessage.TypeA))
	}
	v.ask(ask(7, "b.", dnsmessage.TypeA))
	v.counted(countRepeated, 2)
	got := v.close()
	if len(got) != 2 || got[0].Requested != second || got[0].DNS.Question != "a" || got[1].DNS.Question != "b" {
		t.Errorf("got %d activities: %v", len(got), got)
	}
}
