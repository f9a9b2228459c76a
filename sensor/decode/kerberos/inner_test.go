package kerberos

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

func TestInner(t *testing.T) {
	req := apReq(ticket("LAB.EXAMPLE", cifs, keyed(18, 3, "cipher")))
	rep := app(15, seq(field(0, num(5)), field(1, num(15)), field(2, sealed(18, "x"))))
	id := func(b byte, token []byte) []byte { return append([]byte{b, 0}, token...) }
	withTicket := activity.Auth{Mechanism: activity.MechKerberos, Ticket: &activity.Ticket{
		ID: activity.NewTicketID([]byte("cipher")), Realm: "LAB.EXAMPLE", Service: "cifs/fs1.lab.example", EType: 18, KVNO: 3}}
	for _, tt := range []struct {
		name  string
		token []byte
		want  activity.Auth
		ok    bool
	}{
		{"AP-REQ", id(1, req), withTicket, true},
		{"AP-REQ bare, as in DCE style", req, withTicket, true},
		{"AP-REQ cut in its authenticator", req[:len(req)-5], withTicket, true},
		{"AP-REQ cut in its ticket", req[:80], activity.Auth{}, false},
		{"AP-REP", id(2, rep), activity.Auth{Mechanism: activity.MechKerberos}, true},
		{"AP-REP bare", rep, activity.Auth{Mechanism: activity.MechKerberos}, true},
		{"KRB-ERROR", id(3, krbError(37, cifs)), activity.Auth{Mechanism: activity.MechKerberos}, true},
		{"user-to-user TGT-REQ", []byte{4, 0, 0x30, 0}, activity.Auth{}, false},
		{"a sealed message", []byte{0x05, 0x04, 0x00, 0xff}, activity.Auth{}, false},
		{"AS-REQ", asReq(1), activity.Auth{}, false},
		{"only an id", []byte{1, 0}, activity.Auth{}, false},
		{"empty", nil, activity.Auth{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got activity.Auth
			ok := Inner.Read(nil, flow.ToServer, tt.token, &got)
			if ok != tt.ok {
				t.Errorf("understood: %t, want %t", ok, tt.ok)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
