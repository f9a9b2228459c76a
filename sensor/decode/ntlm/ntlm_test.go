package ntlm

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/decodetest"
	"github.com/verderer/verderer/sensor/flow"
)

// reader reads tokens the way a carrier does.
type reader struct {
	x        *decode.Context
	counters counter.Set
}

func newReader(t testing.TB) *reader {
	t.Helper()
	r := new(reader)
	stage, err := decode.NewStage(decode.Set{
		Inner: []decode.Inner{Inner},
		// A conversation is the only way to a Context.
		Protocols: []decode.Protocol{{Name: "carrier", TCP: []uint16{1}, New: func() decode.Decoder { return &carrier{r: r} }}},
	}, nil, &r.counters, func(*activity.Activity) {})
	if err != nil {
		t.Fatal(err)
	}
	stage.Open(&flow.Conn{Transport: activity.TCP, Server: netip.MustParseAddrPort("192.0.2.1:1")})
	return r
}

func (r *reader) read(dir flow.Dir, token []byte, auth *activity.Auth) bool {
	return r.x.Handoff("ntlm", dir, token, auth)
}

// carrier hands its Context to the reader under test.
type carrier struct{ r *reader }

func (c *carrier) Reset(x *decode.Context)            { c.r.x = x }
func (*carrier) Feed(flow.Dir, []byte, activity.Time) {}
func (*carrier) Gap(flow.Dir, int, activity.Time)     {}
func (*carrier) Close(activity.Time)                  {}
func (*carrier) Held() int                            { return 0 }

// utf16le encodes s as the protocol does.
func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = le.AppendUint16(b, u)
	}
	return b
}

// message is an AUTHENTICATE to be built; header is where its payload begins.
type message struct {
	header                            int
	lm, nt, domain, user, workstation []byte
	flags                             uint32
	mic                               []byte
}

func (m message) bytes() []byte {
	b := make([]byte, m.header)
	copy(b, signature)
	le.PutUint32(b[8:], typeAuthenticate)
	if m.header >= endAuthenticateFlags {
		le.PutUint32(b[60:], m.flags)
	}
	if m.header >= endAuthenticateMIC {
		copy(b[offsetMIC:], m.mic)
	}
	for i, f := range [][]byte{m.lm, m.nt, m.domain, m.user, m.workstation} {
		at := 12 + 8*i
		le.PutUint16(b[at:], uint16(len(f)))
		le.PutUint16(b[at+2:], uint16(len(f)))
		le.PutUint32(b[at+4:], uint32(len(b)))
		b = append(b, f...)
	}
	return b
}

func challengeMessage(info []byte) []byte {
	b := make([]byte, 56)
	copy(b, signature)
	le.PutUint32(b[8:], typeChallenge)
	le.PutUint16(b[40:], uint16(len(info)))
	le.PutUint32(b[44:], 56)
	return append(b, info...)
}

func pair(id uint16, value []byte) []byte {
	b := le.AppendUint16(nil, id)
	b = le.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

func TestAuthenticate(t *testing.T) {
	mic := bytes.Repeat([]byte{7}, 16)
	info := append(bytes.Repeat([]byte{1}, 16+28), append(pair(avFlags, []byte{2, 0, 0, 0}), pair(avEOL, nil)...)...)
	for _, tt := range []struct {
		name  string
		token []byte
		want  activity.Auth
	}{
		{"version 2, signed and sealed, with MIC",
			message{header: 88, nt: info, lm: make([]byte, 24), user: utf16le("jörg"), domain: utf16le("LAB"), workstation: utf16le("WS1"), flags: flagUnicode | flagSign | flagSeal, mic: mic}.bytes(),
			activity.Auth{Protection: "privacy", NTLM: &activity.NTLM{User: "jörg", Domain: "LAB", Workstation: "WS1", Version: 2, Flags: 0x31, MIC: true}}},
		{"MIC promised and zero",
			message{header: 88, nt: info, user: utf16le("u"), flags: flagUnicode | flagSign}.bytes(),
			activity.Auth{Protection: "integrity", Anomalies: []string{anomalyMIC}, NTLM: &activity.NTLM{User: "u", Version: 2, Flags: 0x11}}},
		{"MIC promised and no room for it",
			message{header: 72, nt: info, user: utf16le("u"), flags: flagUnicode}.bytes(),
			activity.Auth{Anomalies: []string{anomalyMIC}, NTLM: &activity.NTLM{User: "u", Version: 2, Flags: 1}}},
		{"version 1, OEM",
			message{header: 72, nt: make([]byte, 24), lm: make([]byte, 24), user: []byte("bob"), domain: []byte("LAB"), flags: 2}.bytes(),
			activity.Auth{NTLM: &activity.NTLM{User: "bob", Domain: "LAB", Version: 1, Flags: 2}}},
		{"OEM in a code page that is not told",
			message{header: 72, nt: make([]byte, 24), user: []byte("j\x94rg"), flags: 2}.bytes(),
			activity.Auth{Anomalies: []string{anomalyText}, NTLM: &activity.NTLM{User: "j\uFFFDrg", Version: 1, Flags: 2, Raw: []byte("j\x94rg")}}},
		{"lone surrogate in the user name",
			message{header: 72, nt: make([]byte, 24), user: []byte{'a', 0, 0, 0xd8, 'b', 0}, flags: flagUnicode}.bytes(),
			activity.Auth{Anomalies: []string{anomalyText}, NTLM: &activity.NTLM{User: "a\uFFFDb", Version: 1, Flags: 1, Raw: []byte{'a', 0, 0, 0xd8, 'b', 0}}}},
		{"lone surrogate in the domain leaves no bytes behind",
			message{header: 72, nt: make([]byte, 24), user: utf16le("u"), domain: []byte{0, 0xd8}, flags: flagUnicode}.bytes(),
			activity.Auth{Anomalies: []string{anomalyText}, NTLM: &activity.NTLM{User: "u", Domain: "\uFFFD", Version: 1, Flags: 1}}},
		{"anonymous: no NT response, one byte of LM",
			message{header: 72, lm: []byte{0}, flags: flagUnicode}.bytes(),
			activity.Auth{NTLM: &activity.NTLM{Anonymous: true, Flags: 1}}},
		{"LM response alone is no anonymous logon",
			message{header: 72, lm: make([]byte, 24), user: utf16le("u"), flags: flagUnicode}.bytes(),
			activity.Auth{NTLM: &activity.NTLM{User: "u", Flags: 1}}},
		{"NT response of an odd length",
			message{header: 72, nt: make([]byte, 23), user: utf16le("u"), flags: flagUnicode}.bytes(),
			activity.Auth{Anomalies: []string{anomalyResponse}, NTLM: &activity.NTLM{User: "u", Flags: 1}}},
		{"Windows NT: no flags, two-byte characters",
			message{header: 52, nt: make([]byte, 24), user: utf16le("old")}.bytes(),
			activity.Auth{NTLM: &activity.NTLM{User: "old", Version: 1}}},
		{"Windows 95: no flags, one-byte characters",
			message{header: 52, nt: make([]byte, 24), user: []byte("OLD")}.bytes(),
			activity.Auth{NTLM: &activity.NTLM{User: "OLD", Version: 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var auth activity.Auth
			if !newReader(t).read(flow.ToServer, tt.token, &auth) {
				t.Fatal("not understood")
			}
			tt.want.Mechanism = activity.MechNTLM
			if diff := cmp.Diff(tt.want, auth); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFields(t *testing.T) {
	build := func(change func(b []byte)) activity.Auth {
		t.Helper()
		b := message{header: 72, nt: make([]byte, 24), user: utf16le("user"), domain: utf16le("LAB"), flags: flagUnicode}.bytes()
		change(b)
		var auth activity.Auth
		if !newReader(t).read(flow.ToServer, b, &auth) {
			t.Fatal("not understood")
		}
		return auth
	}
	if auth := build(func(b []byte) { copy(b[36:44], b[28:36]) }); auth.NTLM.User != "LAB" || auth.NTLM.Domain != "LAB" || auth.Anomalies != nil {
		t.Errorf("overlapping fields: %+v %v", auth.NTLM, auth.Anomalies)
	}
	for _, offset := range []uint32{72 + 24 + 6 + 8 - 1, 1 << 20, 1<<32 - 1} {
		auth := build(func(b []byte) { le.PutUint32(b[40:], offset) })
		if auth.NTLM.User != "" || auth.NTLM.Domain != "LAB" || cmp.Diff(auth.Anomalies, []string{anomalyField}) != "" {
			t.Errorf("user at offset %d: %+v %v", offset, auth.NTLM, auth.Anomalies)
		}
	}
}

func TestChallengeThenAuthenticate(t *testing.T) {
	r := newReader(t)
	info := bytes.Join([][]byte{
		pair(avNbDomainName, utf16le("LAB")), pair(avNbComputerName, utf16le("DC1")), pair(4, utf16le("lab.example")),
		pair(avDNSComputer, utf16le("dc1.lab.example")), pair(7, make([]byte, 8)), pair(avEOL, nil),
	}, nil)
	negotiate := append([]byte("NTLMSSP\x00\x01\x00\x00\x00"), make([]byte, 28)...)
	ticket := &activity.Ticket{Service: "offered before"}
	auth := activity.Auth{Mechanism: activity.MechKerberos, Ticket: ticket, Verdict: activity.Success}
	r.read(flow.ToServer, negotiate, &auth)
	if diff := cmp.Diff(activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{}}, auth); diff != "" {
		t.Errorf("after NEGOTIATE: -want +got:\n%s", diff)
	}
	r.read(flow.ToClient, challengeMessage(info), &auth)
	shared := auth
	before := *auth.NTLM
	want := activity.NTLM{Challenge: true, ServerName: "DC1", ServerDom: "LAB", ServerDNS: "dc1.lab.example", ServerDNSDomain: "lab.example"}
	if diff := cmp.Diff(want, before); diff != "" {
		t.Errorf("after CHALLENGE: -want +got:\n%s", diff)
	}
	r.read(flow.ToServer, message{header: 72, nt: make([]byte, 24), user: utf16le("u"), flags: flagUnicode}.bytes(), &auth)
	want.User, want.Version, want.Flags = "u", 1, 1
	if diff := cmp.Diff(want, *auth.NTLM); diff != "" {
		t.Errorf("after AUTHENTICATE: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(before, *shared.NTLM); diff != "" {
		t.Errorf("what an earlier activity shares changed: -want +got:\n%s", diff)
	}
	r.read(flow.ToClient, challengeMessage(nil), &auth)
	if auth.NTLM.User != "" || auth.NTLM.ServerName != "" {
		t.Errorf("a new CHALLENGE keeps the exchange before: %+v", auth.NTLM)
	}
}

// TestClientChallenge: what an NTLMv2 response says beside the proof.
func TestClientChallenge(t *testing.T) {
	says := func(pairs ...[]byte) []byte {
		return append(bytes.Repeat([]byte{1}, 16+28), append(bytes.Join(pairs, nil), pair(avEOL, nil)...)...)
	}
	server := bytes.Join([][]byte{pair(avNbDomainName, utf16le("OTHER")), pair(avNbComputerName, utf16le("SRV")), pair(avDNSDomain, utf16le("other.example")), pair(avDNSComputer, utf16le("srv.other.example"))}, nil)
	for _, tt := range []struct {
		name      string
		challenge []byte
		nt        []byte
		lm        []byte
		want      activity.NTLM
	}{
		{"service and channel", nil, says(pair(avTargetName, utf16le("cifs/dc1")), pair(avChannelBindings, bytes.Repeat([]byte{9}, 16))), make([]byte, 24),
			activity.NTLM{Target: "cifs/dc1", Bound: true}},
		{"no channel", nil, says(pair(avTargetName, nil), pair(avChannelBindings, make([]byte, 16))), []byte{0, 1},
			activity.NTLM{LM: true}},
		{"server's names, CHALLENGE not captured", nil, says(server), nil,
			activity.NTLM{ServerName: "SRV", ServerDom: "OTHER", ServerDNS: "srv.other.example", ServerDNSDomain: "other.example"}},
		{"server's names are those of CHALLENGE", challengeMessage(append(pair(avNbComputerName, utf16le("DC1")), pair(avEOL, nil)...)), says(server), nil,
			activity.NTLM{Challenge: true, ServerName: "DC1"}},
	} {
		r := newReader(t)
		var auth activity.Auth
		if tt.challenge != nil {
			r.read(flow.ToClient, tt.challenge, &auth)
		}
		r.read(flow.ToServer, message{header: 72, lm: tt.lm, nt: tt.nt, user: utf16le("u"), flags: flagUnicode}.bytes(), &auth)
		tt.want.User, tt.want.Version, tt.want.Flags = "u", 2, flagUnicode
		if diff := cmp.Diff(tt.want, *auth.NTLM); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
	}
}

func TestTargetInfo(t *testing.T) {
	name := pair(avNbComputerName, utf16le("DC1"))
	for _, tt := range []struct {
		name string
		info []byte
	}{
		{"no end", name},
		{"pair beyond the end", append(name[:len(name):len(name)], 2, 0, 0xff, 0xff)},
		{"cut inside a pair's head", append(name[:len(name):len(name)], 2, 0, 1)},
		{"endless", append(name[:len(name):len(name)], bytes.Repeat(pair(9, nil), 100)...)},
	} {
		var auth activity.Auth
		newReader(t).read(flow.ToClient, challengeMessage(tt.info), &auth)
		if auth.NTLM.ServerName != "DC1" || cmp.Diff(auth.Anomalies, []string{anomalyTargetInfo}) != "" {
			t.Errorf("%s: %+v %v", tt.name, auth.NTLM, auth.Anomalies)
		}
	}
}

func TestNotUnderstood(t *testing.T) {
	whole := message{header: 72, nt: make([]byte, 24), user: utf16le("u")}.bytes()
	for _, tt := range []struct {
		token  []byte
		reason string
	}{
		{nil, reasonOther},
		{[]byte("NTLMSSP"), reasonOther},
		{[]byte("NTLMSSP\x00\x03\x00\x00"), reasonShort},
		{whole[:minAuthenticate-1], reasonShort},
		{challengeMessage(nil)[:minChallenge-1], reasonShort},
		{[]byte("NTLMSSP\x00\x04\x00\x00\x00"), reasonType},
	} {
		r := newReader(t)
		auth := activity.Auth{Mechanism: "before"}
		if r.read(flow.ToServer, tt.token, &auth) || r.counters.Of("ntlm", tt.reason).Value() != 1 || auth.Mechanism != "before" {
			t.Errorf("token %q: auth %+v, counted %v", tt.token, auth, r.counters.Rows())
		}
	}
}

// TestAgainstTshark compares every AUTHENTICATE that lies whole in one TCP segment of
// the corpus, whatever carries it, with what tshark reads.
func TestAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("compares with tshark over the whole corpus: not in short mode")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	r := newReader(t)
	agreed := 0
	for _, file := range decodetest.Corpus(t, 3) {
		out, _ := exec.Command("tshark", "-r", file, "-Y", "ntlmssp.messagetype == 3 && tcp", "-T", "fields",
			"-e", "frame.number", "-e", "ntlmssp.auth.username", "-e", "ntlmssp.auth.domain", "-e", "ntlmssp.auth.hostname", "-e", "tcp.payload").Output()
		for _, line := range strings.Split(strings.TrimRight(string(out), "\n"), "\n") {
			f := strings.Split(line, "\t")
			if len(f) != 5 {
				continue
			}
			payload, _ := hex.DecodeString(f[4])
			at := bytes.Index(payload, append(signature[:8:8], typeAuthenticate, 0, 0, 0))
			if at < 0 {
				continue
			}
			null := func(s string) string { return strings.TrimPrefix(s, "NULL") } // tshark's word for an empty field
			var auth activity.Auth
			if !r.read(flow.ToServer, payload[at:], &auth) {
				t.Errorf("%s frame %s: not understood", file, f[0])
				continue
			}
			got := []string{auth.NTLM.User, auth.NTLM.Domain, auth.NTLM.Workstation}
			if want := []string{null(f[1]), null(f[2]), null(f[3])}; cmp.Diff(want, got) != "" {
				t.Errorf("%s frame %s: read %q, tshark %q", file, f[0], got, want)
				continue
			}
			agreed++
		}
	}
	t.Logf("%d messages agree", agreed)
}
