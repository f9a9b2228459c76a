package kerberos

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/flow"
)

// A script is a conversation as bytes, for fuzzing: the transport, then steps
// of an operation, a length of two bytes and that many bytes.
const (
	opUDP = 0x01 // of the first byte; else TCP
	opMid = 0x02 // of the first byte: picked up within

	opToServer  = 0
	opToClient  = 1
	opGapServer = 2
	opGapClient = 3
)

// play runs a script, with the bytes of each step in pieces of at most piece.
func (c *conversation) play(script []byte, piece int) {
	if len(script) == 0 {
		return
	}
	transport := activity.TCP
	if script[0]&opUDP != 0 {
		transport, piece = activity.UDP, len(script)
	}
	c.open(transport, script[0]&opMid != 0)
	now := activity.Time(1)
	for script = script[1:]; len(script) >= 3; now++ {
		op := script[0] & 3
		n := int(binary.BigEndian.Uint16(script[1:]))
		if op == opGapServer || op == opGapClient {
			c.Gap(flow.Dir(op-opGapServer), n, now)
			script = script[3:]
			continue
		}
		data := script[3:]
		data = data[:min(n, len(data))]
		script = script[3+len(data):]
		for len(data) > 0 {
			k := min(piece, len(data))
			c.Feed(flow.Dir(op), data[:k], now)
			data = data[k:]
		}
	}
	c.Close(now)
}

// recorder is a decoder that writes the script of its conversation.
type recorder struct {
	script []byte
	done   func(script []byte)
}

func (r *recorder) Reset(x *decode.Context) {
	r.script = []byte{0}
	if x.Conn.Transport == activity.UDP {
		r.script[0] |= opUDP
	}
	if x.Conn.MidStream {
		r.script[0] |= opMid
	}
}

func (r *recorder) Feed(dir flow.Dir, data []byte, _ activity.Time) {
	r.step(byte(dir), len(data))
	r.script = append(r.script, data...)
}

func (r *recorder) Gap(dir flow.Dir, n int, _ activity.Time) { r.step(opGapServer+byte(dir), n) }
func (r *recorder) Close(activity.Time)                      { r.done(bytes.Clone(r.script)) }
func (*recorder) Held() int                                  { return 0 }
func (r *recorder) step(op byte, n int)                      { r.script = append(r.script, op, byte(n>>8), byte(n)) }

// scripts are the conversations in testdata.
func scripts(t testing.TB) (out [][]byte) {
	t.Helper()
	p := Protocol
	p.New = func() decode.Decoder {
		return &recorder{done: func(s []byte) { out = append(out, s) }}
	}
	captures, _ := filepath.Glob(filepath.Join("testdata", "*.pcap"))
	for _, path := range captures {
		decodetest.File(t, path, decode.Set{Protocols: []decode.Protocol{p}})
	}
	if len(out) == 0 {
		t.Fatal("no conversation in testdata")
	}
	return out
}

// How TCP cut the messages must not matter.
func TestSegmentsDoNotMatter(t *testing.T) {
	for _, script := range scripts(t) {
		whole, bytewise := converse(t, activity.TCP), converse(t, activity.TCP)
		whole.play(script, len(script))
		bytewise.play(script, 1)
		if want, got := decodetest.Lines(t, whole.got), decodetest.Lines(t, bytewise.got); !bytes.Equal(want, got) {
			t.Errorf("in segments as captured:\n%sbyte by byte:\n%s", want, got)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, s := range scripts(f) {
		f.Add(s, uint16(1460))
	}
	certificate, sid := newCertificate(f)
	armor := field(0, seq(field(0, num(1)), field(1, octets(apReq(ticket("R", krbtgt, sealed(18, "t")))))))
	workstation := field(9, seq(seq(field(0, num(20)), field(1, octets([]byte("WS01"))))))
	for _, m := range [][]byte{
		kdcReq(10, seq(padata(16, pkasReq(seq(sid), certificate)), padata(136, field(0, seq(armor)))), body(alice, krbtgt, 1, workstation)),
		kdcReq(12, seq(tgt, padata(129, seq(field(0, admin), field(1, str("R")))), padata(130, seq(field(0, seq(field(1, admin), field(3, octets(certificate)))))),
			padata(167, seq(field(0, flags(1))))), body(nil, cifs, 1, field(11, seq(ticket("R", krbtgt, sealed(18, "t")))))),
	} {
		f.Add(append([]byte{opUDP, opToServer, byte(len(m) >> 8), byte(len(m))}, m...), uint16(0))
	}
	f.Fuzz(func(t *testing.T, script []byte, piece uint16) {
		cv := converse(t, activity.TCP)
		cv.play(script, int(piece)+1)
		// A message takes 2 bytes at least, with its length over TCP 6; a request
		// and its answer make two activities at most.
		if len(cv.got) > len(script)/2 {
			t.Errorf("%d activities out of %d bytes", len(cv.got), len(script))
		}
		for _, a := range cv.got {
			check(t, a)
		}
		again := len(cv.got)
		cv.play(script, int(piece)+1) // on the pooled decoder
		if !bytes.Equal(decodetest.Lines(t, cv.got[:again]), decodetest.Lines(t, cv.got[again:])) {
			t.Error("a used decoder reads another story than a new one")
		}
	})
}

// check is what every activity keeps to, whatever came in.
func check(t *testing.T, a *activity.Activity) {
	t.Helper()
	k := a.Kerberos
	texts := []string{a.Account.Name, a.Account.Domain, string(a.Account.Raw), k.Realm, k.Service, k.ForUser, k.ForRealm, k.Workstation, k.Referral}
	if c := k.PKINIT; c != nil {
		texts = append(append(append(texts, c.Subject, c.Issuer, c.Serial, c.Template, c.SKI, c.AKI), c.Names...), c.Usages...)
		if len(c.Names) > maxNames || len(c.Usages) > maxUsages {
			t.Errorf("%d names, %d usages", len(c.Names), len(c.Usages))
		}
	}
	for _, ticket := range []*activity.Ticket{k.Issued, k.Presented, k.Armor, k.Additional} {
		if ticket != nil {
			texts = append(texts, ticket.Realm, ticket.Service)
			if ticket.ID == (activity.TicketID{}) {
				t.Error("a ticket without an id")
			}
		}
	}
	for _, s := range texts {
		if len(s) > activity.MaxText || s != string(a.Account.Raw) && !utf8.ValidString(s) {
			t.Errorf("text %.40q of %d bytes", s, len(s))
		}
	}
	if len(k.ETypes) > maxList || len(k.PAData) > maxList || len(k.OfferedETypes) > maxList {
		t.Errorf("lists of %d, %d and %d", len(k.ETypes), len(k.PAData), len(k.OfferedETypes))
	}
	if (a.Outcome == activity.Attempt) && !k.RequestSeen {
		t.Error("neither a request nor an answer")
	}
	if k.RequestSeen != (a.Requested != 0) || a.Requested > a.Time {
		t.Errorf("requested at %d, answered at %d", a.Requested, a.Time)
	}
}

func FuzzToken(f *testing.F) {
	req := apReq(ticket("LAB.EXAMPLE", cifs, keyed(18, 3, "cipher")))
	f.Add(req)
	f.Add(append([]byte{1, 0}, req...))
	f.Add(append([]byte{3, 0}, krbError(37, cifs)...))
	f.Fuzz(func(t *testing.T, token []byte) {
		auth, ok := handOff(t, flow.ToClient, token)
		if ok != (auth.Mechanism == activity.MechKerberos) || auth.Ticket != nil && !ok {
			t.Errorf("understood %t, but says %+v", ok, auth)
		}
	})
}
