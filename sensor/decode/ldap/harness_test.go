package ldap

import (
	"net/netip"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// conversation feeds bytes to a decoder as a flow would.
type conversation struct {
	t        testing.TB
	stage    *decode.Stage
	counters counter.Set
	handler  flow.Handler
	d        *decoder // behind handler
	now      activity.Time
	got      []*activity.Activity
}

// start is the time of every test's first packet.
const start = activity.Time(1_700_000_000_000_000_000)

// second of packet time.
const second = activity.Time(1e9)

type setting struct {
	transport activity.Transport
	port      uint16
	midStream bool
	inner     []decode.Inner
}

func open(t testing.TB, s setting) *conversation {
	t.Helper()
	c := &conversation{t: t, now: start}
	var err error
	p := Protocol
	p.New = func() decode.Decoder { c.d = newDecoder(); return c.d }
	set := decode.Set{Protocols: []decode.Protocol{p}, Inner: s.inner}
	c.stage, err = decode.NewStage(set, []byte("test"), &c.counters, func(a *activity.Activity) { c.got = append(c.got, a) })
	if err != nil {
		t.Fatal(err)
	}
	c.open(s)
	return c
}

func (c *conversation) open(s setting) {
	if s.port == 0 {
		s.port = 389
	}
	if s.transport == "" {
		s.transport = activity.TCP
	}
	c.handler = c.stage.Open(&flow.Conn{
		Client:    netip.MustParseAddrPort("10.0.0.21:50000"),
		Server:    netip.AddrPortFrom(netip.MustParseAddr("10.0.0.10"), s.port),
		Transport: s.transport,
		MidStream: s.midStream,
	})
}

// client feeds what the client sends, one segment an argument, a second apart.
func (c *conversation) client(segments ...[]byte) { c.feed(flow.ToServer, segments) }

// server feeds what the server sends.
func (c *conversation) server(segments ...[]byte) { c.feed(flow.ToClient, segments) }

func (c *conversation) feed(dir flow.Dir, segments [][]byte) {
	for _, s := range segments {
		c.handler.Feed(dir, s, c.now)
		c.now += second
	}
}

func (c *conversation) gap(dir flow.Dir, n int) { c.handler.Gap(dir, n, c.now) }

func (c *conversation) close() []*activity.Activity {
	c.handler.Close(c.now)
	return c.got
}

// one closes the conversation and returns its only activity.
func (c *conversation) one() *activity.Activity {
	c.t.Helper()
	if got := c.close(); len(got) == 1 {
		return got[0]
	}
	c.t.Fatalf("%d activities, want 1: %+v", len(c.got), c.got)
	return nil
}

// counted checks a counter.
func (c *conversation) counted(reason string, want int64) {
	c.t.Helper()
	if got := c.counters.Of("ldap", reason).Value(); got != want {
		c.t.Errorf("%s: %d, want %d", reason, got, want)
	}
}

// The functions below build BER, always with definite lengths; long forms take
// the four octets AD uses.

func encode(tag byte, long bool, content ...[]byte) []byte {
	var c []byte
	for _, x := range content {
		c = append(c, x...)
	}
	n := len(c)
	if !long && n < 0x80 {
		return append([]byte{tag, byte(n)}, c...)
	}
	return append([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, c...)
}

func tlv(tag byte, content ...[]byte) []byte { return encode(tag, false, content...) }

func octets(s string) []byte  { return tlv(0x04, []byte(s)) }
func integer(n int) []byte    { return tlv(0x02, intBytes(n)) }
func enumerated(n int) []byte { return tlv(0x0a, intBytes(n)) }
func seq(c ...[]byte) []byte  { return tlv(0x30, c...) }
func octetsList(s ...string) (list []byte) {
	for _, x := range s {
		list = append(list, octets(x)...)
	}
	return tlv(0x30, list)
}

func intBytes(n int) []byte {
	switch {
	case n < 0x80:
		return []byte{byte(n)}
	case n < 0x8000:
		return []byte{byte(n >> 8), byte(n)}
	}
	return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

func message(id int, op []byte, controls ...string) []byte {
	m := append(integer(id), op...)
	if len(controls) > 0 {
		var list []byte
		for _, oid := range controls {
			list = append(list, seq(octets(oid), tlv(0x01, []byte{0xff}))...)
		}
		m = append(m, tlv(0xa0, list)...)
	}
	return seq(m)
}

func simpleBind(id int, name, password string) []byte {
	return message(id, tlv(0x60, integer(3), octets(name), tlv(0x80, []byte(password))))
}

func saslBind(id int, mechanism, token string) []byte {
	return message(id, tlv(0x60, integer(3), octets(""), tlv(0xa3, octets(mechanism), octets(token))))
}

func result(op byte, id, code int, diagnostic string, more ...[]byte) []byte {
	return message(id, tlv(op, append([][]byte{enumerated(code), octets(""), octets(diagnostic)}, more...)...))
}

func bindAnswer(id, code int, diagnostic string) []byte { return result(0x61, id, code, diagnostic) }

func saslAnswer(id, code int, token string) []byte {
	return result(0x61, id, code, "", tlv(0x87, []byte(token)))
}

func searchFor(id int, base string, filter []byte, attributes ...string) []byte {
	return message(id, searchOp(base, 2, filter, attributes...))
}

func searchOp(base string, scope int, filter []byte, attributes ...string) []byte {
	return tlv(0x63, octets(base), enumerated(scope), enumerated(0), integer(0), integer(0),
		tlv(0x01, []byte{0}), filter, octetsList(attributes...))
}

func entry(id int, dn string, attributes ...[]byte) []byte {
	return message(id, tlv(0x64, octets(dn), seq(attributes...)))
}

func attribute(name, value string) []byte {
	return seq(octets(name), tlv(0x31, octets(value)))
}

func done(id, code int) []byte { return result(0x65, id, code, "") }

func equality(attribute, value string) []byte {
	return tlv(0xa3, octets(attribute), octets(value))
}

func present(attribute string) []byte { return tlv(0x87, []byte(attribute)) }

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
