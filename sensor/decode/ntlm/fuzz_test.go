package ntlm

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/flow"
)

func FuzzRead(f *testing.F) {
	f.Add(message{header: 88, nt: make([]byte, 60), user: utf16le("user"), domain: utf16le("LAB"), flags: flagUnicode}.bytes())
	f.Add(message{header: 52, nt: make([]byte, 24), user: []byte("USER")}.bytes())
	f.Add(challengeMessage(append(pair(avNbComputerName, utf16le("DC1")), pair(avEOL, nil)...)))
	r := newReader(f)
	f.Fuzz(func(t *testing.T, token []byte) {
		auth := activity.Auth{NTLM: &activity.NTLM{ServerName: "kept"}}
		before := auth.NTLM
		if !r.read(flow.ToServer, token, &auth) {
			return
		}
		if before.ServerName != "kept" || before.User != "" {
			t.Error("changed an NTLM that an activity may share")
		}
		n := auth.NTLM
		for _, s := range []string{n.User, n.Domain, n.Workstation, n.ServerName, n.ServerDNS, n.ServerDom, n.ServerDNSDomain, n.Target, string(n.Raw)} {
			if len(s) > activity.MaxText {
				t.Errorf("a text of %d bytes", len(s))
			}
		}
	})
}
