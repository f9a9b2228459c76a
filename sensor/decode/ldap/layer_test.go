package ldap

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

// buffer puts a token behind its length.
func buffer(token []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)
}

var checksum = []byte("checksum1234") // of 12 bytes, as AES has it

// cfxToken is RFC 4121's wrap token: content and checksum rotated right by rrc.
func cfxToken(content []byte, flags byte, rrc int) []byte {
	body := join(content, checksum)
	head := []byte{0x05, 0x04, flags, 0xff, 0, byte(len(checksum)), 0, byte(rrc), 0, 0, 0, 0, 0, 0, 0, 1}
	return join(head, body[len(body)-rrc:], body[:len(body)-rrc])
}

// rc4Token is RFC 4757's, with pad bytes at the end.
func rc4Token(content []byte, seal uint16, pad int) []byte {
	inner := join([]byte{0x02, 0x01, 0x11, 0x00, byte(seal >> 8), byte(seal), 0xff, 0xff},
		[]byte("sequence"), []byte("checksum"), []byte("confound"), content, []byte("\x01\x01\x01\x01\x01\x01\x01\x01")[:pad])
	return tlv(0x60, krb5Mechanism, inner)
}

// ntlmToken is NTLM's signature before the content.
func ntlmToken(content []byte) []byte {
	return join([]byte("\x01\x00\x00\x00checksum\x00\x00\x00\x00"), content)
}

// wrappers put the layer of one mechanism around bytes.
var wrappers = map[string]func(content []byte) []byte{
	"RFC 4121, checksum first":  func(c []byte) []byte { return cfxToken(c, 4, 12) },
	"RFC 4121, checksum last":   func(c []byte) []byte { return cfxToken(c, 5, 0) },
	"RFC 4121, checksum around": func(c []byte) []byte { return cfxToken(c, 4, 5) },
	"RFC 4757, padded":          func(c []byte) []byte { return rc4Token(c, 0xffff, 1) },
	"RFC 4757, not padded":      func(c []byte) []byte { return rc4Token(c, 0xffff, 0) },
	"NTLM":                      ntlmToken,
}

func bindSASL(c *conversation) {
	c.client(saslBind(1, "GSS-SPNEGO", "?"))
	c.server(saslAnswer(1, 0, ""))
	c.got = nil
}

func TestSignedLayer(t *testing.T) {
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 7, 1460} { // of a segment
				c := open(t, setting{})
				bindSASL(c)
				cut := func(b []byte) (segments [][]byte) {
					return slices.Collect(slices.Chunk(b, size))
				}
				answer := join(entry(3, "CN=a", attribute("x", strings.Repeat("x", 10_000))), entry(3, "CN=b"))
				c.client(cut(join(buffer(wrap(searchFor(2, "one", anyObject))), buffer(wrap(searchFor(3, "two", anyObject)))))...)
				// One answer in two buffers, two in one.
				c.server(cut(join(buffer(wrap(answer[:9_000])), buffer(wrap(answer[9_000:])), buffer(wrap(join(done(3, 0), done(2, 0))))))...)
				got := c.close()
				if len(got) != 2 || got[0].LDAPSearch.Base != "two" || got[0].LDAPSearch.Entries != 2 ||
					got[0].Outcome != activity.Success || got[1].Outcome != activity.Success {
					t.Errorf("segments of %d: got %+v", size, got)
				}
				c.counted(sealed, 0)
				c.counted(skippedBytes, 0)
			}
		})
	}
}

func TestSealedLayer(t *testing.T) {
	cipher := []byte(strings.Repeat("\x9d", 500))
	for name, token := range map[string][]byte{
		"RFC 4121": cfxToken(cipher, 6, 12),
		"RFC 4757": rc4Token(cipher, 0x1000, 0),
		"NTLM":     ntlmToken(cipher),
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, setting{})
			bindSASL(c)
			c.client(join(buffer(token), buffer(token)))
			c.server(buffer(token)[:100])
			c.gap(flow.ToClient, len(buffer(token))-100)
			c.server(buffer(token))
			if got := c.close(); len(got) != 0 {
				t.Errorf("got %+v", got)
			}
			c.counted(sealed, 4)
			c.counted(skippedBytes, 0)
			if n := c.counters.Of("ldap", sealedBytes).Value(); n < 2000 || n > 2100 {
				t.Errorf("%d bytes sealed", n)
			}
		})
	}
}

// TestLayerWithoutBind: a connection picked up in its middle.
func TestLayerWithoutBind(t *testing.T) {
	for name, wrap := range wrappers {
		c := open(t, setting{midStream: true})
		c.client([]byte("the end of something"), buffer(wrap(searchFor(2, "base", anyObject))))
		c.server(buffer(wrap(done(2, 0))))
		if a := c.one(); a.LDAPSearch.Base != "base" || a.Outcome != activity.Success {
			t.Errorf("%s: got %+v", name, a)
		}
	}
}

// TestGapInLayer: bytes lost within a buffer cost the messages they are of.
func TestGapInLayer(t *testing.T) {
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			c := open(t, setting{})
			bindSASL(c)
			c.client(buffer(wrap(searchFor(2, "base", anyObject))))
			big := buffer(wrap(entry(2, "CN=a", attribute("x", strings.Repeat("x", 20_000)))))
			c.server(big[:12_000]) // above maxResponse: the rest is not wanted
			c.gap(flow.ToClient, 4_000)
			c.server(big[16_000:])
			c.server(buffer(wrap(entry(2, "CN=b")))[:40])
			c.gap(flow.ToClient, 0)
			c.server([]byte("rest"), buffer(wrap(entry(2, "CN=c"))), buffer(wrap(done(2, 0))))
			a := c.one()
			if a.Outcome != activity.Success || a.LDAPSearch.Entries < 2 {
				t.Errorf("got %+v", a.LDAPSearch)
			}
		})
	}
}

// TestLostInBuffer: messages are looked for where buffers begin, and not within
// one, where a value may hold anything.
func TestLostInBuffer(t *testing.T) {
	c := open(t, setting{})
	bindSASL(c)
	c.client(buffer(ntlmToken(searchFor(2, "base", anyObject))))
	forged := strings.Repeat("x", 1000) + string(done(2, 49)) + strings.Repeat("x", 100)
	b := buffer(ntlmToken(entry(2, "CN=a", attribute("x", forged))))
	at := strings.Index(string(b), string(done(2, 49)))
	c.server(b[:500])
	c.gap(flow.ToClient, 200)
	c.server(b[700:at], b[at:])
	c.server(buffer(ntlmToken(done(2, 0))))
	if a := c.one(); a.Outcome != activity.Success || a.LDAPSearch.Entries != 1 {
		t.Errorf("got %+v", a)
	}
}

// TestNoLengthOutOfStep: after a gap any bytes may begin a segment, and four of
// them must not pass for the length of a buffer.
func TestNoLengthOutOfStep(t *testing.T) {
	c := open(t, setting{})
	bindSASL(c)
	c.client(buffer(ntlmToken(searchFor(2, "base", anyObject))))
	c.server(buffer(cfxToken(make([]byte, 1000), 6, 12))[:200])
	c.gap(flow.ToClient, 0)
	c.server([]byte("\x00\x10\x00\x00 would be a megabyte"), buffer(ntlmToken(done(2, 0))))
	if a := c.one(); a.Outcome != activity.Success {
		t.Errorf("got %+v", a)
	}
	c.counted(layerUnknown, 0)
}

func TestLayerOfAnotherMechanism(t *testing.T) {
	c := open(t, setting{})
	c.client(saslBind(1, "SRP", "?"))
	c.server(saslAnswer(1, 0, ""))
	c.client(buffer([]byte("something with a MAC")), join(buffer([]byte("x")), buffer([]byte("yy"))))
	c.counted(layerUnknown, 3)
	c.counted(layerUnknownBytes, 23)
	c.counted(skippedBytes, 0)
	c.one()
}

// TestNoLayer: bytes that only look like a length.
func TestNoLayer(t *testing.T) {
	for _, b := range [][]byte{
		{0, 0, 0, 0},
		{0, 0, 0, 5, 1, 2, 3, 4, 5},
		{0, 0, 0, 2, 5, 4},
		buffer([]byte("\x05\x04\x04\xee\x00\x0c\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x01xxxxxxxxxxxxxxxx")), // filler
		buffer(cfxToken(nil, 4, 0)[:16]),                                                          // the checksum is not there
		buffer(cfxToken(join(checksum, checksum), 4, 20)),                                         // rotated by more than the checksum
		buffer(tlv(0x60, []byte("\x06\x06\x2b\x06\x01\x05\x05\x02 is SPNEGO and wraps nothing"))), // another mechanism
		buffer([]byte("\x60\x80")),
	} {
		c := open(t, setting{})
		c.client(b, []byte("more"), searchFor(1, "base", anyObject))
		if a := c.one(); a.LDAPSearch.Base != "base" {
			t.Errorf("%x: got %+v", b, a)
		}
		c.counted(skippedBytes, int64(len(b)+4))
		c.counted(sealed, 0)
	}
}

// TestPlainAfterBind: a SASL bind without a layer.
func TestPlainAfterBind(t *testing.T) {
	c := open(t, setting{})
	bindSASL(c)
	c.client(searchFor(2, "base", anyObject))
	c.server(done(2, 0))
	if a := c.one(); a.Outcome != activity.Success {
		t.Errorf("got %+v", a)
	}
}

func TestPlausible(t *testing.T) {
	whole := searchFor(0x12345678, "base", anyObject)
	for n := range len(whole) {
		if got := plausible(whole[:n]); got != 0 && (n < 9 || got != len(whole)) {
			t.Errorf("first %d bytes: %d", n, got)
		}
	}
	long := encode(0x30, true, tlv(0x02, []byte{0, 0, 0, 0, 1}), tlv(0x42))
	if plausible(long[:maxLDAPHead]) <= 0 {
		t.Error("maxLDAPHead bytes do not suffice")
	}
	for _, b := range []string{"\x31\x05\x02\x01\x01\x42\x00", "\x30\x80", "\x30\x05\x04\x01\x01\x42\x00",
		"\x30\x05\x02\x00\x42\x00", "\x30\x09\x02\x06", "\x30\x05\x02\x01\x01\x62\x00", "\x30\x84\x02\x00\x00\x00"} {
		if got := plausible([]byte(b)); got != -1 {
			t.Errorf("%x: %d, want −1", b, got)
		}
	}
}
