package ldap

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ber"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/flow"
)

// FuzzDecoder drives a conversation by a script: what to do, how many bytes,
// the bytes. It must neither panic nor hold more than its caps, and whatever it
// emits must keep to the limits of an activity.
func FuzzDecoder(f *testing.F) {
	for _, script := range recorded(f) {
		f.Add(byte(0), script)
		f.Add(byte(6), script)
	}
	for _, wrap := range wrappers {
		f.Add(byte(0), join(step(0, buffer(wrap(searchFor(1, "b", anyObject)))), step(1, buffer(wrap(done(1, 0))))))
	}
	f.Add(byte(1), join(step(0, ping(1, "alice")), step(1, join(entry(1, "", netlogon(23)), done(1, 0)))))
	f.Add(byte(0), join(step(0, saslBind(1, "GSS-SPNEGO", "NTLMSSP\x00negotiate")), step(1, saslAnswer(1, 14, "challenge")),
		step(0, saslBind(2, "GSS-SPNEGO", "NTLMSSP\x00authenticate x")), step(1, saslAnswer(2, 0, ""))))
	f.Add(byte(0), join(step(0, join(modify(1, "CN=a,DC=x", mod(0, "member", "CN=b"), mod(2, "unicodePwd", "x")), addFor(2, "CN=c,DC=x", attribute("objectClass", "user")),
		message(3, tlv(0x4a, []byte("CN=d"))), renameTo(4, "CN=e,DC=x", "CN=f", "OU=g"), passwordModify(5, "u", "old"))),
		step(1, join(result(0x67, 1, 0, ""), result(0x69, 2, 50, ""), result(0x6b, 3, 0, ""), result(0x6d, 4, 0, ""), result(0x78, 5, 0, "")))))
	f.Fuzz(func(t *testing.T, kind byte, script []byte) {
		s := setting{midStream: kind&2 != 0, inner: fakes()}
		switch {
		case kind&1 != 0:
			s.transport = activity.UDP
		case kind&4 != 0:
			s.port = 636
		}
		c := open(t, s)
		d := c.d
		for len(script) >= 3 {
			do, n := script[0], int(script[1])<<8|int(script[2])
			script = script[3:]
			data := script[:min(n, len(script))]
			dir := flow.Dir(do & 1)
			switch {
			case do&0x0e != 0x02:
				c.feed(dir, [][]byte{data})
				script = script[len(data):]
			case s.transport != activity.UDP:
				c.gap(dir, n)
			}
			if len(d.changes) > maxChanges || d.changeText > maxChangeText {
				t.Fatalf("%d changes pending, %d bytes", len(d.changes), d.changeText)
			}
			if len(d.pending) > maxPending || d.held > maxHeld {
				t.Fatalf("%d searches pending, %d bytes", len(d.pending), d.held)
			}
		}
		for _, a := range c.close() {
			check(t, a)
		}
		if len(d.changes) != 0 || d.changeText != 0 {
			t.Errorf("left open: %d changes, %d bytes", len(d.changes), d.changeText)
		}
		if len(d.pending) != 0 || d.held != 0 || d.bind.open {
			t.Errorf("left open: %d searches, %d bytes, bind %v", len(d.pending), d.held, d.bind.open)
		}
	})
}

// check holds an activity to what every consumer may rely on.
func check(t *testing.T, a *activity.Activity) {
	texts := []string{a.Account.Name, a.Error}
	if s := a.LDAPSearch; s != nil && s.Ping != nil {
		texts = append(texts, s.Ping.User, s.Ping.Host, s.Ping.DNSDomain)
	}
	set := 0
	if b := a.LDAPBind; b != nil {
		set++
		texts = append(texts, b.Mechanism, b.Data)
	}
	if s := a.LDAPSearch; s != nil {
		set++
		texts = append(append(append(texts, s.Base, s.Filter), s.Attributes...), s.Controls...)
		if len(s.Attributes) > maxAttributes || len(s.Controls) > maxControls {
			t.Errorf("%d attributes, %d controls", len(s.Attributes), len(s.Controls))
		}
	}
	if a.Auth != nil {
		set++
	}
	if g := a.Change; g != nil {
		set++
		texts = append(append(texts, g.Act, g.Class, g.Object, g.NewName, g.SID, g.GUID), g.Controls...)
		if len(g.Attributes) > activity.MaxChanges || len(g.Controls) > maxControls {
			t.Errorf("%d attributes, %d controls", len(g.Attributes), len(g.Controls))
		}
		for _, c := range g.Attributes {
			texts = append(append(texts, c.Name, c.Act), c.Values...)
			if len(c.Values) > activity.MaxValues || len(c.Values) > c.Count || isSecret(c.Name) && c.Values != nil {
				t.Errorf("%d values of %d in %q", len(c.Values), c.Count, c.Name)
			}
		}
	}
	if set != 1 {
		t.Errorf("%d details", set)
	}
	for _, s := range texts {
		if len(s) > activity.MaxText || strings.ToValidUTF8(s, "") != s {
			t.Errorf("text %.40q of %d bytes", s, len(s))
		}
	}
	if (a.Outcome == activity.Failure) != (a.Error != "") {
		t.Errorf("outcome %s with error %q", a.Outcome, a.Error)
	}
}

// step is one Feed of FuzzDecoder's script.
func step(dir flow.Dir, data []byte) []byte {
	return join([]byte{byte(dir), byte(len(data) >> 8), byte(len(data))}, data)
}

// recorded turns the first conversations of the test captures into scripts.
func recorded(f *testing.F) (scripts [][]byte) {
	captures, _ := filepath.Glob(filepath.Join("testdata", "*.pcap"))
	for _, path := range captures {
		r := new(recorder)
		p := Protocol
		p.New = func() decode.Decoder { return r }
		decodetest.File(f, path, decode.Set{Protocols: []decode.Protocol{p}})
		scripts = append(scripts, r.script[:min(len(r.script), 20_000)])
	}
	return scripts
}

// recorder writes down what a decoder is fed.
type recorder struct{ script []byte }

func (r *recorder) Reset(*decode.Context) {}
func (r *recorder) Feed(dir flow.Dir, data []byte, _ activity.Time) {
	r.script = append(r.script, step(dir, data)...)
}
func (r *recorder) Gap(flow.Dir, int, activity.Time) {}
func (r *recorder) Close(activity.Time)              {}
func (*recorder) Held() int                          { return 0 }

// FuzzFilter: the text of a filter that was read whole says exactly what the
// filter said.
func FuzzFilter(f *testing.F) {
	user := equality("objectClass", "user")
	f.Add(tlv(0xa0, user, tlv(0xa2, present("cn")), tlv(0xa1)))
	f.Add(tlv(0xa4, octets("cn"), seq(tlv(0x80, []byte("a")), tlv(0x81, []byte("b*")), tlv(0x82, []byte("\x01")))))
	f.Add(tlv(0xa9, tlv(0x81, []byte("1.2.840.113556.1.4.803")), tlv(0x82, []byte("userAccountControl")), tlv(0x83, []byte("2")), tlv(0x84, []byte{1})))
	f.Add(encode(0xa3, true, octets("objectSid"), octets("\x01\x05\x00\x00")))
	f.Add(nested(70, user))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, w := textOf(b)
		if len(text) > activity.MaxText || strings.ToValidUTF8(text, "") != text {
			t.Fatalf("%d bytes: %q", len(text), text)
		}
		if w.broken || w.deep || w.cut {
			return
		}
		again, err := compile(text)
		if err != nil {
			t.Fatalf("%x gives %q: %v", b, text, err)
		}
		r := ber.New(b) // what follows the filter is not part of it
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if want := shortest(b[:len(b)-len(r.Rest())]); !bytes.Equal(again, want) {
			t.Errorf("%q\n is %x\nnot %x", text, again, want)
		}
	})
}
