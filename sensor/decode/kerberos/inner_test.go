package kerberos

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/flow"
)

// carrier is a protocol that hands its bytes to the inner decoder, as is.
type carrier struct {
	x    *decode.Context
	auth activity.Auth
	ok   bool
}

func (c *carrier) Reset(x *decode.Context) { c.x = x }
func (c *carrier) Feed(dir flow.Dir, b []byte, _ activity.Time) {
	c.ok = c.x.Handoff("kerberos", dir, b, &c.auth)
}
func (*carrier) Gap(flow.Dir, int, activity.Time) {}
func (*carrier) Close(activity.Time)              {}
func (*carrier) Held() int                        { return 0 }

// handOff gives the inner decoder one token.
func handOff(t testing.TB, dir flow.Dir, token []byte) (activity.Auth, bool) {
	t.Helper()
	var c carrier
	proto := decode.Protocol{Name: "carrier", TCP: []uint16{1}, New: func() decode.Decoder { return &c }}
	stage, err := decode.NewStage(decode.Set{Protocols: []decode.Protocol{proto}, Inner: []decode.Inner{Inner}},
		nil, &counter.Set{}, func(*activity.Activity) {})
	if err != nil {
		t.Fatal(err)
	}
	stage.Open(&flow.Conn{Server: netip.MustParseAddrPort("10.77.0.10:1"), Transport: activity.TCP}).Feed(dir, token, 1)
	return c.auth, c.ok
}

func TestInner(t *testing.T) {
	const up, down = flow.ToServer, flow.ToClient
	req := apReq(ticket("LAB.EXAMPLE", cifs, keyed(18, 3, "cipher")))
	rep := app(15, seq(field(0, num(5)), field(1, num(15)), field(2, sealed(18, "x"))))
	id := func(b byte, token []byte) []byte { return append([]byte{b, 0}, token...) }
	kerberos := activity.Auth{Mechanism: activity.MechKerberos}
	withTicket := activity.Auth{Mechanism: activity.MechKerberos, Ticket: &activity.Ticket{
		ID: activity.NewTicketID([]byte("cipher")), Realm: "LAB.EXAMPLE", Service: "cifs/fs1.lab.example", EType: 18, KVNO: 3, Size: 6}}
	cut := withTicket
	cut.Anomalies = []string{"kerberos-message-cut"}
	granted, refused := kerberos, kerberos
	granted.Verdict = activity.Success
	refused.Verdict, refused.Refusal = activity.Failure, "KRB_AP_ERR_SKEW"
	for _, tt := range []struct {
		name  string
		dir   flow.Dir
		token []byte
		want  activity.Auth
		ok    bool
	}{
		{"AP-REQ", up, id(1, req), withTicket, true},
		{"AP-REQ bare, as in DCE style", up, req, withTicket, true},
		{"AP-REQ cut in its authenticator", up, req[:len(req)-5], cut, true},
		{"AP-REQ cut in its ticket", up, req[:80], activity.Auth{}, false},
		{"AP-REP", down, id(2, rep), granted, true},
		{"AP-REP bare", down, rep, granted, true},
		{"AP-REP of the client, as in DCE style", up, rep, kerberos, true},
		{"KRB-ERROR", down, id(3, krbError(37, cifs)), refused, true},
		{"user-to-user TGT-REQ", up, []byte{4, 0, 0x30, 0}, activity.Auth{}, false},
		{"a sealed message", up, []byte{0x05, 0x04, 0x00, 0xff}, activity.Auth{}, false},
		{"AS-REQ", up, asReq(1), activity.Auth{}, false},
		{"only an id", up, []byte{1, 0}, activity.Auth{}, false},
		{"empty", up, nil, activity.Auth{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := handOff(t, tt.dir, tt.token)
			if ok != tt.ok {
				t.Errorf("understood: %t, want %t", ok, tt.ok)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
