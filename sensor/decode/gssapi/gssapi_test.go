package gssapi

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// reader reads tokens the way a carrier does, and notes what is handed on.
type reader struct {
	x        *decode.Context
	counters counter.Set
	handed   []handed
}

type handed struct {
	To    string
	Token string
}

// carrier is a conversation, the only way to a Context.
type carrier struct{ r *reader }

func (c *carrier) Reset(x *decode.Context)            { c.r.x = x }
func (*carrier) Feed(flow.Dir, []byte, activity.Time) {}
func (*carrier) Gap(flow.Dir, int, activity.Time)     {}
func (*carrier) Close(activity.Time)                  {}
func (*carrier) Held() int                            { return 0 }

func newReader(t testing.TB) *reader {
	t.Helper()
	r := new(reader)
	mechanism := func(name string) decode.Inner {
		return decode.Inner{Name: name, Read: func(_ *decode.Context, _ flow.Dir, token []byte, auth *activity.Auth) bool {
			r.handed = append(r.handed, handed{name, string(token)})
			auth.Mechanism = activity.Mechanism("read by " + name)
			if bytes.Equal(token, krbErr) {
				auth.Verdict, auth.Refusal = activity.Failure, "its reason"
			}
			return true
		}}
	}
	stage, err := decode.NewStage(decode.Set{
		Inner:     []decode.Inner{Inner, mechanism("ntlm"), mechanism("kerberos")},
		Protocols: []decode.Protocol{{Name: "carrier", TCP: []uint16{1}, New: func() decode.Decoder { return &carrier{r} }}},
	}, nil, &r.counters, func(*activity.Activity) {})
	if err != nil {
		t.Fatal(err)
	}
	stage.Open(&flow.Conn{Transport: activity.TCP, Server: netip.MustParseAddrPort("192.0.2.1:1")})
	return r
}

// el is a DER element around parts.
func el(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	if n := len(content); n > 127 {
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
	}
	return append([]byte{tag, byte(len(content))}, content...)
}

var (
	oidSPNEGO   = el(0x06, []byte{0x2b, 6, 1, 5, 5, 2})
	oidKerberos = el(0x06, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2})
	oidMS       = el(0x06, []byte{0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2})
	oidU2U      = el(0x06, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2, 3})
	oidNTLM     = el(0x06, []byte{0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10})

	apReq  = el(0x6e, bytes.Repeat([]byte("ticket"), 40))
	apRep  = el(0x6f, []byte("rep"))
	krbErr = el(0x7e, []byte("error"))
	ntlm   = []byte("NTLMSSP\x00\x01\x00\x00\x00")
)

func framed(oid []byte, content ...[]byte) []byte {
	return el(0x60, append([][]byte{oid}, content...)...)
}

func negInit(fields ...[]byte) []byte { return el(0xa0, el(0x30, fields...)) }
func negResp(fields ...[]byte) []byte { return el(0xa1, el(0x30, fields...)) }
func token(b []byte) []byte           { return el(0xa2, el(0x04, b)) }
func state(n byte) []byte             { return el(0xa0, el(0x0a, []byte{n})) }
func mechs(oids ...[]byte) []byte     { return el(0xa0, el(0x30, oids...)) }

func TestRead(t *testing.T) {
	client, server := flow.ToServer, flow.ToClient
	kerberos, toNTLM := []handed{{"kerberos", string(apReq)}}, []handed{{"ntlm", string(ntlm)}}
	byKerberos, byNTLM := activity.Auth{Mechanism: "read by kerberos"}, activity.Auth{Mechanism: "read by ntlm"}
	for _, tt := range []struct {
		name   string
		dir    flow.Dir
		token  []byte
		handed []handed
		auth   activity.Auth
	}{
		{"raw NTLMSSP", client, ntlm, toNTLM, byNTLM},
		{"raw AP-REQ, DCE style", client, apReq, kerberos, byKerberos},
		{"Kerberos", client, framed(oidKerberos, []byte{1, 0}, apReq), kerberos, byKerberos},
		{"Kerberos, Microsoft's OID", client, framed(oidMS, []byte{1, 0}, apReq), kerberos, byKerberos},
		{"Kerberos, user to user", client, framed(oidU2U, []byte{1, 0}, apReq), kerberos, byKerberos},
		{"Kerberos without token id", client, framed(oidKerberos, apReq), kerberos, byKerberos},
		{"NTLM in framing", client, framed(oidNTLM, ntlm), toNTLM, byNTLM},
		{"SPNEGO with Kerberos", client, framed(oidSPNEGO, negInit(mechs(oidMS, oidKerberos, oidNTLM), token(framed(oidKerberos, []byte{1, 0}, apReq)))), kerberos, byKerberos},
		{"SPNEGO with NTLM", client, framed(oidSPNEGO, negInit(mechs(oidNTLM), token(ntlm))), toNTLM, byNTLM},
		{"SPNEGO with MIC and flags", client, framed(oidSPNEGO, negInit(mechs(oidNTLM), el(0xa1, el(0x03, []byte{1, 0})), token(ntlm), el(0xa3, el(0x04, []byte("mic"))))), toNTLM, byNTLM},
		{"hints of a server (negTokenInit2)", server, framed(oidSPNEGO, negInit(mechs(oidNTLM), el(0xa3, el(0x30, el(0xa0, el(0x1b, []byte("not_defined_in_RFC4178@please_ignore"))))))), nil, activity.Auth{}},
		{"no framing, NegTokenInit", client, negInit(mechs(oidNTLM), token(ntlm)), toNTLM, byNTLM},
		{"client's NegTokenResp", client, negResp(token(ntlm)), toNTLM, byNTLM},

		{"AP-REP", server, framed(oidKerberos, []byte{2, 0}, apRep), []handed{{"kerberos", string(apRep)}}, byKerberos},
		{"AP-REP, DCE style, in an incomplete SPNEGO", server, negResp(state(1), el(0xa1, oidKerberos), token(apRep)), []handed{{"kerberos", string(apRep)}}, byKerberos},
		{"KRB-ERROR", server, framed(oidKerberos, []byte{3, 0}, krbErr), []handed{{"kerberos", string(krbErr)}}, activity.Auth{Mechanism: "read by kerberos", Verdict: activity.Failure, Refusal: "its reason"}},
		{"accept-completed", server, negResp(state(0)), nil, activity.Auth{Verdict: activity.Success}},
		{"accept-incomplete", server, negResp(state(1), token(ntlm)), toNTLM, byNTLM},
		{"reject", server, negResp(state(2)), nil, activity.Auth{Verdict: activity.Failure, Refusal: "SPNEGO reject"}},
		{"reject and its reason", server, negResp(state(2), token(krbErr)), []handed{{"kerberos", string(krbErr)}}, activity.Auth{Mechanism: "read by kerberos", Verdict: activity.Failure, Refusal: "its reason"}},
		{"a client's accept-completed judges nothing", client, negResp(state(0)), nil, activity.Auth{}},

		{"cut by the carrier", client, framed(oidKerberos, []byte{1, 0}, apReq)[:100], []handed{{"kerberos", string(framed(oidKerberos, []byte{1, 0}, apReq)[17:100])}}, activity.Auth{Mechanism: "read by kerberos", Anomalies: []string{anomalyFraming}}},
		{"bytes after the token", client, append(framed(oidNTLM, ntlm), 0), toNTLM, activity.Auth{Mechanism: "read by ntlm", Anomalies: []string{anomalyFraming}}},
		{"a broken field after the token", client, negInit(token(ntlm), []byte{0xa3, 0x7f}), toNTLM, activity.Auth{Mechanism: "read by ntlm", Anomalies: []string{anomalySPNEGO}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReader(t)
			var auth activity.Auth
			if !r.x.Handoff("gssapi", tt.dir, tt.token, &auth) {
				t.Errorf("not understood: %v", r.counters.Rows())
			}
			if diff := cmp.Diff(tt.handed, r.handed); diff != "" {
				t.Errorf("handed on: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.auth, auth); diff != "" {
				t.Errorf("auth: -want +got:\n%s", diff)
			}
		})
	}
}

// TestRetry: a ticket presented again is a new authentication, whatever became
// of the one before.
func TestRetry(t *testing.T) {
	r := newReader(t)
	auth := activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: "u"}, Verdict: activity.Failure, Refusal: "KRB_AP_ERR_SKEW"}
	r.x.Handoff("gssapi", flow.ToServer, apReq, &auth)
	if auth.Verdict != "" || auth.Refusal != "" || auth.NTLM != nil {
		t.Errorf("kept of the one before: %+v", auth)
	}
}

func TestNotUnderstood(t *testing.T) {
	deep := ntlm
	for range maxDepth + 1 {
		deep = negInit(token(deep))
	}
	for _, tt := range []struct {
		name   string
		token  []byte
		reason string
	}{
		{"empty", nil, reasonMechanism},
		{"NegoEx", []byte("NEGOEXTS"), reasonMechanism},
		{"user-to-user TGT-REQ", framed(oidU2U, []byte{4, 0}, el(0x30)), reasonMechanism},
		{"framing without OID", el(0x60, ntlm), reasonFraming},
		{"framing of indefinite length", []byte{0x60, 0x80, 0}, reasonFraming},
		{"nested too deep", deep, reasonDepth},
	} {
		r := newReader(t)
		var auth activity.Auth
		if r.x.Handoff("gssapi", flow.ToClient, tt.token, &auth) || r.counters.Of("gssapi", tt.reason).Value() != 1 || len(r.handed) > 0 {
			t.Errorf("%s: handed %v, counted %v", tt.name, r.handed, r.counters.Rows())
		}
	}
	for _, broken := range [][]byte{{0xa0}, {0xa1, 5, 0}, el(0xa0, el(0x02)), negResp(el(0xa0, el(0x02, []byte{0}))), negResp(el(0xa2, ntlm)), negResp(el(0xa0, el(0x0a)))} {
		r := newReader(t)
		var auth activity.Auth
		if r.x.Handoff("gssapi", flow.ToClient, broken, &auth) || auth.Verdict != "" || len(auth.Anomalies) != 1 {
			t.Errorf("% x: auth %+v", broken, auth)
		}
	}
}
