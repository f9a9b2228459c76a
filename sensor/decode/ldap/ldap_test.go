package ldap

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/flow"
)

func TestGolden(t *testing.T) {
	decodetest.Golden(t, "testdata", decode.Set{Protocols: []decode.Protocol{Protocol}})
}

// TestSegments: how a conversation is cut into segments does not show in what
// is read. Each golden's bytes come once more in pieces of any size.
func TestSegments(t *testing.T) {
	captures, _ := filepath.Glob(filepath.Join("testdata", "*.pcap"))
	for _, path := range captures {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want, _ := decodetest.File(t, path, decode.Set{Protocols: []decode.Protocol{Protocol}})
			for seed := range uint64(20) {
				rnd := rand.New(rand.NewPCG(seed, 0))
				size := []int{1, 2, 5, 100, 3000}[seed%5]
				p := Protocol
				p.New = func() decode.Decoder { return &chopper{Decoder: Protocol.New(), rnd: rnd, size: size} }
				got, _ := decodetest.File(t, path, decode.Set{Protocols: []decode.Protocol{p}})
				if !bytes.Equal(decodetest.Lines(t, want), decodetest.Lines(t, got)) {
					t.Fatalf("pieces of up to %d bytes (seed %d) give:\n%s", size, seed, decodetest.Lines(t, got))
				}
			}
		})
	}
}

// chopper feeds a decoder in pieces.
type chopper struct {
	decode.Decoder
	conn *flow.Conn
	rnd  *rand.Rand
	size int
}

func (c *chopper) Reset(x *decode.Context) { c.conn = x.Conn; c.Decoder.Reset(x) }

func (c *chopper) Feed(dir flow.Dir, data []byte, now activity.Time) {
	for c.conn.Transport == activity.TCP && len(data) > 0 {
		n := min(1+c.rnd.IntN(c.size), len(data))
		c.Decoder.Feed(dir, bytes.Clone(data[:n]), now)
		data = data[n:]
	}
	if len(data) > 0 {
		c.Decoder.Feed(dir, data, now)
	}
}

func TestOperationsCounted(t *testing.T) {
	c := open(t, setting{})
	c.client(join(
		message(1, tlv(0x66, integer(1))), message(2, tlv(0x68, integer(1))), message(4, tlv(0x6c, integer(1))),
		message(5, tlv(0x6e, octets("cn=x"))), message(6, tlv(0x77, tlv(0x80, []byte("1.3.6.1.1.8")))),
		message(7, tlv(0x50, []byte{1})), message(8, tlv(0x42)),
	))
	c.server(join(result(0x67, 1, 0, ""), result(0x69, 2, 0, ""), result(0x78, 6, 0, ""),
		result(0x78, 0, 52, "", tlv(0x8a, []byte("1.3.6.1.4.1.1466.20036"))), done(9, 0), entry(9, "x"), bindAnswer(9, 0, "")))
	if got := c.close(); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	for _, reason := range []string{compareRequests, extendedRequests, abandonRequests, unbindRequests, unsolicited} {
		c.counted(reason, 1)
	}
	c.counted(unnamed, 3)
	c.counted(unasked, 5)
	c.counted(unreadable, 0)
}

// TestReasonsListed: what is counted is announced, so that a zero can be shown.
func TestReasonsListed(t *testing.T) {
	listed := make(map[string]bool)
	for _, r := range Protocol.Reasons {
		if listed[r] {
			t.Errorf("%q twice", r)
		}
		listed[r] = true
	}
	if len(listed) != 25 {
		t.Errorf("%d reasons: bring this test and the list up to date", len(listed))
	}
}

func TestStartTLS(t *testing.T) {
	const oid = "1.3.6.1.4.1.1466.20037"
	request := message(1, tlv(0x77, tlv(0x80, []byte(oid))))
	record := join([]byte{22, 3, 1, 0x01, 0x00}, make([]byte, 256))
	t.Run("granted", func(t *testing.T) {
		c := open(t, setting{})
		c.client(request)
		c.server(join(result(0x78, 1, 0, ""), record[:100]), record[100:])
		c.client(record[:3], record[3:], record)
		if got := c.close(); len(got) != 0 {
			t.Errorf("got %+v", got)
		}
		c.counted(tlsConversations, 1)
		c.counted(tlsRecords, 3)
		c.counted(tlsBytes, 3*256)
		c.counted(skippedBytes, 0)
	})
	t.Run("refused", func(t *testing.T) {
		c := open(t, setting{})
		c.client(request)
		c.server(result(0x78, 1, 52, "", tlv(0x8a, []byte(oid))))
		c.client(searchFor(2, "base", anyObject))
		c.one()
		c.counted(tlsConversations, 0)
	})
	t.Run("from the first byte", func(t *testing.T) {
		c := open(t, setting{port: 636})
		c.client(record)
		c.server(record)
		c.close()
		c.counted(tlsConversations, 1)
		c.counted(tlsRecords, 2)
	})
	t.Run("picked up on 389", func(t *testing.T) {
		c := open(t, setting{midStream: true})
		c.server([]byte("the rest of a record"), join([]byte{23, 3, 3, 0, 4}, []byte("data")))
		c.client(join([]byte{23, 3, 3, 0, 4}, []byte("data")))
		c.close()
		c.counted(tlsConversations, 1)
		c.counted(tlsRecords, 2)
	})
	t.Run("only a first header", func(t *testing.T) {
		c := open(t, setting{midStream: true})
		c.server(join([]byte{23, 3, 3, 0, 4}, []byte("data, but then no record")), entry(1, "x"))
		c.close()
		c.counted(tlsConversations, 0)
		c.counted(unasked, 1)
	})
	t.Run("no LDAP on a TLS port", func(t *testing.T) {
		c := open(t, setting{port: 3269})
		c.client(searchFor(1, "", anyObject))
		if got := c.close(); len(got) != 0 {
			t.Errorf("got %+v", got)
		}
		c.counted(unreadable, 1)
	})
}

// TestCaptureEnds: a request of which only the beginning was captured.
func TestCaptureEnds(t *testing.T) {
	whole := searchFor(1, "base", equality("cn", "value"))
	c := open(t, setting{})
	c.client(whole[:len(whole)-8])
	if a := c.one(); a.LDAPSearch.Base != "base" || !slices.Contains(a.Anomalies, anomalyCut) {
		t.Errorf("got %+v", a)
	}
	c.counted(cut, 1)

	for _, n := range []int{4, 8} { // without and with the operation
		for _, b := range [][]byte{whole, simpleBind(1, "cn=x", "y")} {
			c = open(t, setting{})
			c.client(b[:n])
			if got := c.close(); len(got) != 0 {
				t.Errorf("%d bytes: got %+v", n, got)
			}
			if n == 4 {
				c.counted(skippedBytes, 4)
			} else {
				c.counted(cut, 1)
			}
		}
	}
}

// TestPoolForgets: a decoder used again knows nothing of before.
func TestPoolForgets(t *testing.T) {
	c := open(t, setting{inner: fakes()})
	c.client(simpleBind(1, "cn=x", "y"))
	c.server(bindAnswer(1, 0, ""))
	c.client(join(searchFor(2, "left", anyObject), saslBind(3, "GSS-SPNEGO", "negotiate"), []byte("\x30\x84\x00")))
	c.server(buffer(ntlmToken(entry(2, "x"))), buffer(rc4Token([]byte("xx"), 0xffff, 0)), buffer(ntlmToken(entry(2, "x")))[:30])
	c.close()
	c.got = nil
	c.open(setting{})
	for _, s := range c.d.streams {
		if s.mode != plain || s.signs || s.unpadded || !s.framer.Idle() || s.layer.n != 0 {
			t.Errorf("stream keeps %+v", s)
		}
	}
	c.server(done(2, 0))
	c.client(searchFor(2, "new", anyObject))
	c.server(done(2, 0))
	if a := c.one(); a.LDAPSearch.Base != "new" || a.Account.Name != "" || a.Outcome != activity.Success {
		t.Errorf("got %+v", a)
	}
}

// TestOneDirection: requests without answers are attempts, answers without
// requests are counted.
func TestOneDirection(t *testing.T) {
	c := open(t, setting{midStream: true})
	c.client(simpleBind(1, "cn=x", "y"), searchFor(2, "a", anyObject), searchFor(3, "b", anyObject), message(4, tlv(0x42)))
	got := c.close()
	if len(got) != 3 {
		t.Errorf("got %+v", got)
	}
	for _, a := range got {
		if a.Outcome != activity.Attempt {
			t.Errorf("got %+v", a)
		}
	}
	c = open(t, setting{midStream: true})
	c.server(bindAnswer(1, 0, ""), join(entry(2, "x"), done(2, 0)))
	if got := c.close(); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	c.counted(unasked, 3)
}

// TestLengthBombs: lengths that promise more than comes.
func TestLengthBombs(t *testing.T) {
	for name, b := range map[string]string{
		"message":           "\x30\x84\x7f\xff\xff\xff\x02\x01\x01\x63",
		"message, believed": "\x30\x84\x00\xff\xff\xff\x02\x01\x01\x63\x84\x7f\xff\xff\xff",
		"indefinite":        "\x30\x80\x02\x01\x01",
		"eight octets":      "\x30\x88\x00\x00\x00\x00\x00\x00\x00\x05",
		"inner":             "\x30\x10\x02\x01\x01\x63\x84\x00\xff\xff\xff\x04\x84\xff\xff\xff\xff",
		"buffer":            "\x00\xff\xff\xff\x05\x04\x04\xff\x00\x0c\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x01checksum1234\x30\x84\x00\xff",
		"record":            "\x16\x03\x01\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range []setting{{}, {transport: activity.UDP}, {midStream: true}, {port: 636}} {
				c := open(t, s)
				for range 3 {
					c.client([]byte(b))
					c.server([]byte(b))
				}
				c.client([]byte(strings.Repeat(b, 1000)))
				c.close()
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	c := open(t, setting{midStream: true})
	c.client([]byte("GET / HTTP/1.0\r\n\r\n"))
	c.server([]byte("HTTP/1.0 400 Bad Request\r\n\r\n"))
	c.close()
	c.counted(unreadable, 1)
	c.counted(skippedBytes, 46)

	// In step, a message of an unknown operation costs only itself.
	c = open(t, setting{})
	c.client(join(message(1, tlv(0x7e, []byte("?"))), searchFor(2, "base", anyObject)))
	c.one()
	c.counted(malformed, 1)
	c.counted(unreadable, 0)

	// Message IDs outside their range.
	c = open(t, setting{})
	c.client(seq(tlv(0x02, []byte{0xff}), searchOp("", 0, anyObject)), seq(tlv(0x02, []byte{0, 0x80, 0, 0, 0}), searchOp("", 0, anyObject)))
	c.counted(malformed, 2)

	// Out of step, a byte that could begin a message is not enough.
	c = open(t, setting{midStream: true})
	c.client([]byte("0123456789"), searchFor(1, "base", anyObject))
	c.one()
	c.counted(skippedBytes, 10)

	// Messages that go the other way.
	c = open(t, setting{})
	c.client(done(1, 0))
	c.server(simpleBind(1, "cn=x", "y"))
	if got := c.close(); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	c.counted(wrongWay, 2)
}

func BenchmarkSearch(b *testing.B) {
	request := searchFor(2, "DC=lab,DC=example", tlv(0xa0, equality("objectCategory", "person"), equality("sAMAccountName", "alice")), "cn", "memberOf", "userAccountControl")
	answer := join(entry(2, "CN=alice,OU=Staff,DC=lab,DC=example", attribute("cn", "alice")), done(2, 0))
	benchmark(b, request, answer)
}

func BenchmarkSignedSearch(b *testing.B) {
	request := buffer(cfxToken(searchFor(2, "DC=lab,DC=example", equality("sAMAccountName", "alice"), "cn"), 4, 12))
	answer := buffer(cfxToken(join(entry(2, "CN=alice,OU=Staff,DC=lab,DC=example", attribute("cn", "alice")), done(2, 0)), 5, 12))
	benchmark(b, request, answer)
}

func BenchmarkBind(b *testing.B) {
	benchmark(b, simpleBind(1, "CN=alice,OU=Staff,DC=lab,DC=example", "secret"), bindAnswer(1, 49, samba))
}

// benchmark feeds one pair again and again.
func benchmark(b *testing.B, request, answer []byte) {
	c := open(b, setting{})
	b.ReportAllocs()
	b.SetBytes(int64(len(request) + len(answer)))
	for b.Loop() {
		c.handler.Feed(flow.ToServer, request, start)
		c.handler.Feed(flow.ToClient, answer, start)
		if len(c.got) != 1 {
			b.Fatalf("%d activities", len(c.got))
		}
		c.got = c.got[:0]
	}
}
