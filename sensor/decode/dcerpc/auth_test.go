package dcerpc

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
)

// logon is what an authentication's activity says.
type logon struct {
	Kind       activity.Kind
	Who        string // account, or "ticket"
	Outcome    activity.Outcome
	Error      string
	Protection string
}

func (x *harness) wantLogons(want ...logon) {
	x.t.Helper()
	var got []logon
	for _, a := range x.emitted {
		l := logon{a.Kind, a.Account.Domain + `\` + a.Account.Name, a.Outcome, a.Error, a.Auth.Protection}
		if a.Auth.Ticket != nil {
			l.Who = "ticket"
		}
		if a.Protocol != activity.ProtoDCERPC || a.Requested == 0 || a.Requested > a.Time {
			x.t.Errorf("activity %+v", a)
		}
		got = append(got, l)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("logons: -want +got:\n%s", diff)
	}
}

func TestLogon(t *testing.T) {
	ntlm := func(token string) pdu {
		return pdu{callID: 1, kind: authNTLM, level: levelPrivacy, token: token}
	}
	spnego := func(token string) pdu {
		return pdu{callID: 1, kind: authSPNEGO, level: levelIntegrity, token: token}
	}
	krb := func(token string) pdu {
		return pdu{callID: 1, kind: authKerberos, level: levelConnect, token: token}
	}
	offer := offered{uuid: uuidMgmt, version: 3}
	plain := pdu{callID: 1}
	ask, signed := pdu{callID: 2}.request(0, 1, ""), pdu{callID: 2, kind: authNTLM, level: levelPrivacy, token: "signature"}

	bound := func(p func(string) pdu, tokens ...string) func(x *harness) {
		return func(x *harness) {
			x.client(p(tokens[0]).bind(ptypeBind, offer)).server(p(tokens[1]).ack(ptypeBindAck, result{}))
			if len(tokens) > 2 {
				x.client(p(tokens[2]).auth3())
			}
		}
	}
	ntlmBound := bound(ntlm, "negotiate", "challenge", "user u")
	success := logon{activity.NTLMLogon, `LAB\u`, activity.Success, "", "privacy"}
	ticket := func(o activity.Outcome, err, protection string) logon {
		return logon{activity.KerberosAP, "ticket", o, err, protection}
	}
	for _, tt := range []struct {
		name string
		play func(x *harness)
		want []logon
	}{
		{"NTLM, a response", func(x *harness) { ntlmBound(x); x.client(ask).server(signed.response(0, "")) }, []logon{success}},
		{"NTLM, a signed fault", func(x *harness) { ntlmBound(x); x.client(ask).server(signed.fault(5)) }, []logon{success}},
		{"NTLM, access denied unsigned", func(x *harness) { ntlmBound(x); x.client(ask).server(pdu{callID: 2}.fault(5)) },
			[]logon{{activity.NTLMLogon, `LAB\u`, activity.Failure, "nca_s_fault_access_denied", "privacy"}}},
		{"NTLM, access denied unsigned to the bind's own call id", func(x *harness) {
			ntlmBound(x)
			x.client(pdu{callID: 1}.request(0, 1, "")).server(pdu{callID: 1}.fault(5))
		}, []logon{{activity.NTLMLogon, `LAB\u`, activity.Failure, "nca_s_fault_access_denied", "privacy"}}},
		{"NTLM, a fault about something else, then the end", func(x *harness) { ntlmBound(x); x.client(ask).server(pdu{callID: 2}.fault(0x1c010002)).close() },
			[]logon{{activity.NTLMLogon, `LAB\u`, activity.Attempt, "", "privacy"}}},
		{"NTLM, once and no more", func(x *harness) {
			ntlmBound(x)
			for range 3 {
				x.client(ask).server(signed.response(0, ""))
			}
			x.close()
		}, []logon{success}},
		{"NTLM, silence", func(x *harness) { ntlmBound(x); x.close() }, []logon{{activity.NTLMLogon, `LAB\u`, activity.Attempt, "", "privacy"}}},
		{"NTLM, silence for long", func(x *harness) {
			ntlmBound(x)
			x.now = x.now.Add(answerWait + time.Second)
			x.client(ask)
		}, []logon{{activity.NTLMLogon, `LAB\u`, activity.Attempt, "", "privacy"}}},
		{"NTLM, no AUTHENTICATE", func(x *harness) { bound(ntlm, "negotiate", "challenge")(x); x.close() }, nil},
		{"NTLM by alter_context, accepted without a token", func(x *harness) {
			bound(ntlm, "negotiate", "challenge")(x)
			x.client(ntlm("user u").bind(ptypeAlterContext, offer)).server(plain.ack(ptypeAlterContextResp, result{}))
		}, []logon{success}},
		{"NTLM by alter_context, faulted", func(x *harness) {
			bound(ntlm, "negotiate", "challenge")(x)
			x.client(ntlm("user u").bind(ptypeAlterContext, offer)).server(plain.fault(0x721))
		}, []logon{{activity.NTLMLogon, `LAB\u`, activity.Failure, "nca_s_fault_sec_pkg_error", "privacy"}}},
		{"SPNEGO and NTLM, completed", func(x *harness) {
			bound(spnego, "negotiate", "challenge")(x)
			x.client(spnego("user u").bind(ptypeAlterContext, offer)).server(spnego("accept").ack(ptypeAlterContextResp, result{}))
		}, []logon{{activity.NTLMLogon, `LAB\u`, activity.Success, "", "integrity"}}},
		{"SPNEGO and NTLM, not completed", func(x *harness) {
			bound(spnego, "negotiate", "challenge")(x)
			x.client(spnego("user u").bind(ptypeAlterContext, offer)).server(spnego("more").ack(ptypeAlterContextResp, result{})).close()
		}, []logon{{activity.NTLMLogon, `LAB\u`, activity.Attempt, "", "integrity"}}},

		{"Kerberos, the server proves itself", bound(krb, "ticket A", "proof", "more"), []logon{ticket(activity.Success, "", "")}},
		{"SPNEGO and Kerberos in three legs", func(x *harness) {
			bound(spnego, "ticket A", "proof")(x)
			x.client(spnego("more").bind(ptypeAlterContext, offer)).server(spnego("accept").ack(ptypeAlterContextResp, result{})).close()
		}, []logon{ticket(activity.Success, "", "integrity")}},
		{"Kerberos refused in a token", bound(krb, "ticket A", "refuse KRB_AP_ERR_SKEW"), []logon{ticket(activity.Failure, "KRB_AP_ERR_SKEW", "")}},
		{"Kerberos refused, then tried again with the same ticket", func(x *harness) {
			bound(spnego, "ticket A", "refuse KRB_AP_ERR_SKEW")(x)
			x.client(spnego("ticket A").bind(ptypeAlterContext, offer)).server(spnego("proof").ack(ptypeAlterContextResp, result{}))
		}, []logon{ticket(activity.Failure, "KRB_AP_ERR_SKEW", "integrity"), ticket(activity.Success, "", "integrity")}},
		{"Kerberos refused by bind_nak", func(x *harness) { x.client(krb("ticket A").bind(ptypeBind, offer)).server(plain.nak(9)) },
			[]logon{ticket(activity.Failure, "invalid_checksum", "")}},
		{"bind_nak of another bind", func(x *harness) {
			x.client(krb("ticket A").bind(ptypeBind, offer)).server(pdu{callID: 5}.nak(9)).close()
		}, []logon{ticket(activity.Attempt, "", "")}},
		{"Kerberos not taken, NTLM then", func(x *harness) {
			x.client(spnego("ticket A").bind(ptypeBind, offer)).server(spnego("more").ack(ptypeBindAck, result{}))
			x.client(spnego("negotiate").bind(ptypeAlterContext, offer)).server(spnego("challenge").ack(ptypeAlterContextResp, result{}))
			x.client(spnego("user u").bind(ptypeAlterContext, offer)).server(spnego("accept").ack(ptypeAlterContextResp, result{}))
		}, []logon{ticket(activity.Attempt, "", "integrity"), {activity.NTLMLogon, `LAB\u`, activity.Success, "", "integrity"}}},
		{"Netlogon's secure channel is no logon", func(x *harness) {
			x.client(pdu{callID: 1, kind: authNetlogon, level: levelPrivacy, token: "\x00"}.bind(ptypeBind, offer)).close()
		}, nil},
		{"AUTHENTICATE alone, the rest not captured", func(x *harness) { x.client(ntlm("user u").auth3(), ask).server(signed.response(0, "")) }, []logon{success}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newHarness(t)
			tt.play(x)
			x.wantLogons(tt.want...)
		})
	}
}

// TestSecurityContexts: one connection, several identities (MS-RPCE
// §3.3.1.5.2.1); each call belongs to the one its verifier names.
func TestSecurityContexts(t *testing.T) {
	as := func(context uint32, callID uint32, token string) pdu {
		return pdu{callID: callID, kind: authNTLM, level: levelIntegrity, context: context, token: token}
	}
	x := newHarness(t)
	for id := range uint32(maxSecurity + 1) {
		x.client(as(id, id, "negotiate").bind(ptypeAlterContext, offered{uuid: uuidRead}))
		x.server(as(id, id, "challenge").ack(ptypeAlterContextResp, result{}))
		x.client(as(id, id, fmt.Sprintf("user %d", id)).auth3())
	}
	if n := x.count(reasonSecurity); n != 3 {
		t.Errorf("counted %d tokens above the cap", n)
	}
	for _, id := range []uint32{2, maxSecurity, 0} {
		x.client(as(id, 100, "signature").request(0, 3, "")).server(as(id, 100, "signature").response(0, ""))
	}
	x.client(pdu{callID: 101}.request(0, 3, "")).server(pdu{callID: 101}.response(0, ""))
	if len(x.calls) != 4 {
		t.Fatalf("calls %+v", x.calls)
	}
	for i, want := range []string{"2", "", "0", ""} {
		if c := x.calls[i]; c.Account.Name != want || (c.Auth != nil) != (want != "") {
			t.Errorf("call %d is made as %q", i, c.Account.Name)
		}
	}
	if x.calls[2].Auth.Protection != "integrity" {
		t.Errorf("auth %+v", x.calls[2].Auth)
	}
	two := x.emitted[0].Auth
	if two != x.calls[0].Auth {
		t.Error("the logon and its calls do not share one Auth")
	}
	// What was shared stays as it was when the identity changes.
	x.client(as(2, 200, "user other").bind(ptypeAlterContext, offered{uuid: uuidRead}))
	if two.NTLM.User != "2" {
		t.Error("an Auth that activities point to was changed")
	}
}

// TestCallsWithoutVerifier: at level connect requests carry none.
func TestCallsWithoutVerifier(t *testing.T) {
	x := newHarness(t).
		client(pdu{callID: 1, kind: authKerberos, level: levelPrivacy, context: 1, token: "ticket A"}.bind(ptypeBind, offered{uuid: uuidRead})).
		client(pdu{callID: 2, kind: authNTLM, level: levelConnect, context: 2, token: "user u"}.bind(ptypeAlterContext, offered{uuid: uuidRead})).
		client(pdu{callID: 3}.request(0, 1, "")).server(pdu{callID: 3}.response(0, ""))
	if len(x.calls) != 1 || x.calls[0].Account.Name != "u" {
		t.Errorf("calls %+v", x.calls)
	}
	x.wantLogons(logon{activity.NTLMLogon, `LAB\u`, activity.Success, "", ""})
}

func TestTokensNotUnderstood(t *testing.T) {
	x := newHarness(t).
		client(pdu{kind: authSPNEGO, level: 6, token: "???"}.bind(ptypeBind, offered{uuid: uuidRead})).
		client(pdu{kind: 33, level: 6, context: 1, token: "???"}.bind(ptypeAlterContext, offered{uuid: uuidRead})).
		close()
	x.wantLogons()
	x.wantCounts(map[string]int{reasonToken: 1, reasonAuthType: 1})
}
