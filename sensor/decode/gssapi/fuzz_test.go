package gssapi

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

func FuzzRead(f *testing.F) {
	f.Add(framed(oidSPNEGO, negInit(mechs(oidMS, oidNTLM), token(framed(oidKerberos, []byte{1, 0}, apReq)))))
	f.Add(negResp(state(1), el(0xa1, oidNTLM), token(ntlm)))
	f.Add(negResp(state(2), token(krbErr)))
	r := newReader(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r.handed = r.handed[:0]
		var auth activity.Auth
		r.x.Handoff("gssapi", flow.ToClient, b, &auth)
		if len(r.handed) > 1 {
			t.Errorf("one token was handed on %d times", len(r.handed))
		}
		for _, h := range r.handed {
			if len(h.Token) > len(b) {
				t.Error("more was handed on than came")
			}
		}
	})
}
