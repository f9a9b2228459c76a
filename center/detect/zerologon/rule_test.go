package zerologon_test

import (
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/zerologon"
	"github.com/verderer/verderer/center/resolve"
)

// call is a refused NetrServerAuthenticate3 as DC1$ with zeros, unless changed.
func call(at float64, change func(r *resolve.Resolved)) *resolve.Resolved {
	r := detecttest.Resolved(activity.NetlogonChannel, at)
	r.Outcome = activity.Failure
	r.Netlogon = &activity.Netlogon{Call: &activity.RPC{Interface: "netlogon", Opnum: 26, BindSeen: true, Object: "DC1$"}, Computer: "DC1", ZeroCredential: true}
	change(r)
	return r
}

func refused(*resolve.Resolved) {}

func accepted(r *resolve.Resolved) { r.Outcome = activity.Success }

func sealed(r *resolve.Resolved) {
	r.Outcome = activity.Success // it was answered
	r.Netlogon = &activity.Netlogon{Call: &activity.RPC{Interface: "netlogon", Opnum: 26, BindSeen: true, Sealed: true}}
}

// set changes the password of DC1$ through the channel.
func set(r *resolve.Resolved) {
	r.Outcome = activity.Success
	r.Netlogon.Call.Opnum, r.Netlogon.ZeroCredential = 30, false
}

// many makes n calls, a step apart.
func many(n int, step float64, change func(r *resolve.Resolved)) (all []*resolve.Resolved) {
	for i := range n {
		all = append(all, call(float64(i)*step, change))
	}
	return all
}

func one(change func(r *resolve.Resolved)) []*resolve.Resolved { return many(1, 0, change) }

// event is 4742 of dc1 about an account.
func event(at float64, account, host string) *resolve.Resolved {
	r := detecttest.Resolved(activity.DirectoryChange, at)
	r.Via, r.Source, r.Target = activity.ViaEvent, resolve.Host{}, resolve.Host{Name: host}
	r.Account = resolve.Account{Name: "ANONYMOUS LOGON", SID: "S-1-5-7"}
	r.Change = &activity.Change{Event: 4742, Act: "modify", Class: "computer", Object: account,
		Attributes: []activity.AttributeChange{{Name: "pwdLastSet", Act: "replace", Count: 1}}}
	return r
}

func TestRule(t *testing.T) {
	elsewhere := func(r *resolve.Resolved) {
		set(r)
		r.Source = r.Target
		r.Target = resolve.Host{}
	}
	opnum := func(n uint16) func(r *resolve.Resolved) {
		return func(r *resolve.Resolved) { r.Netlogon.Call.Opnum = n }
	}
	detecttest.Rules(t, zerologon.Definition, []detecttest.Rule{
		{Name: "one attempt", Acts: one(refused), Count: 1},
		{Name: "one by the second form", Acts: one(opnum(15)), Count: 1},
		{Name: "one by the first form", Acts: one(opnum(5)), Count: 1},
		{Name: "one by the form without a credential", Acts: one(opnum(59))},
		{Name: "one, learning nothing", Level: detect.LevelMedium, Acts: one(refused), Count: 1},
		{Name: "four of five", Level: detect.LevelHigh, Acts: many(4, 1, refused)},
		{Name: "five", Level: detect.LevelHigh, Acts: many(5, 1, refused), Count: 5},
		{Name: "five in exactly a minute", Level: detect.LevelHigh, Acts: many(5, 15, refused), Count: 5},
		{Name: "five in more", Level: detect.LevelHigh, Acts: many(5, 15.001, refused)},
		{Name: "three each of two sources", Level: detect.LevelHigh, Acts: many(6, 1, func(r *resolve.Resolved) {
			if r.Time/1e9%2 == 0 {
				r.Source = resolve.Host{Name: "other"}
			}
		})},
		{Name: "one accepted", Level: detect.LevelHigh, Acts: one(accepted), Count: 1},
		{Name: "another credential", Acts: one(func(r *resolve.Resolved) { r.Netlogon.ZeroCredential = false })},
		{Name: "zeros as challenge only", Acts: one(func(r *resolve.Resolved) {
			r.Netlogon.ZeroChallenge, r.Netlogon.ZeroCredential, r.Netlogon.Call.Opnum = true, false, 4
		})},
		{Name: "an interface that was guessed", Acts: one(func(r *resolve.Resolved) { r.Netlogon.Call.BindSeen = false })},
		{Name: "an event of a refused channel", Acts: one(func(r *resolve.Resolved) { r.Netlogon.Call = nil })},
		{Name: "a member changes its password", Acts: one(set)},
		{Name: "accepted, then changed", Acts: []*resolve.Resolved{call(0, accepted), call(60, set)}, Count: 2},
		{Name: "accepted, then changed later", Acts: []*resolve.Resolved{call(0, accepted), call(60.001, set)}, Count: 1},
		{Name: "accepted, told of late", Acts: []*resolve.Resolved{call(1, set), call(0, accepted)}, Count: 2},
		{Name: "refused, then changed", Acts: []*resolve.Resolved{call(0, refused), call(1, set)}, Count: 1},
		{Name: "accepted, then changed by another", Acts: []*resolve.Resolved{call(0, accepted), call(1, elsewhere)}, Count: 1},
		{Name: "set to plain zeros", Level: detect.LevelHigh, Acts: one(func(r *resolve.Resolved) { set(r); r.Netlogon.ZeroPassword = true }), Count: 1},
		{Name: "49 sealed", Acts: many(49, 1, sealed)},
		{Name: "50 sealed", Acts: many(50, 1, sealed), Count: 50},
		{Name: "50 sealed, slowly", Acts: many(50, 1.3, sealed)},
		{Name: "event of its own account", Level: detect.LevelHigh, Acts: []*resolve.Resolved{event(0, "DC1$", "dc1.lab.example")}, Count: 1},
		{Name: "event of a long name", Acts: []*resolve.Resolved{event(0, "DOMAINCONTROLLE$", "domaincontroller1.lab.example")}, Count: 1},
		{Name: "event of another with the same beginning", Acts: []*resolve.Resolved{event(0, "DC1$", "dc10.lab.example")}},
		{Name: "event of a user", Acts: []*resolve.Resolved{event(0, "dc1", "dc1.lab.example")}},
		{Name: "attempts, then the event", Acts: append(many(3, 1, refused), event(4, "dc1$", "dc1.lab.example")), Count: 4},
	})
}

func TestCertainty(t *testing.T) {
	own := event(4, "DC1$", "dc1.lab.example")
	for name, c := range map[string]struct {
		acts []*resolve.Resolved
		want resolve.Certainty
	}{
		"event alone":          {[]*resolve.Resolved{own}, resolve.Low},
		"event after attempts": {append(many(2, 1, refused), own), resolve.High},
	} {
		all := detecttest.Play(zerologon.Definition, detect.LevelLow, c.acts)
		if got := all[len(all)-1].Certainty; got != c.want {
			t.Errorf("%s: certainty %s, want %s", name, got, c.want)
		}
	}
}

// TestSummary: the summary tells how far the attack came.
func TestSummary(t *testing.T) {
	number := func(names ...string) (all []detect.Number) {
		for _, n := range names {
			all = append(all, detect.Number{Name: n})
		}
		return all
	}
	const tries, accepted, event = "authentications with an all-zero credential", "all-zero credentials accepted",
		"password changes of a domain controller's account by ANONYMOUS LOGON"
	for want, f := range map[string]detect.Facts{
		"tried to set up":      {Numbers: number(tries)},
		"was accepted":         {Numbers: number(tries, accepted)},
		"set or read":          {Numbers: number(tries, accepted, "passwords set or read through the channel")},
		"ANONYMOUS LOGON":      {Numbers: number(event)},
		"password was changed": {Numbers: number(tries, event)},
		"plain zeros":          {Numbers: number("passwords sent as plain zeros")},
		"sealed Netlogon":      {Numbers: number("sealed Netlogon authentications")},
	} {
		if s := zerologon.Definition.Summary(f); !strings.Contains(s, want) {
			t.Errorf("%q says nothing of %q", s, want)
		}
	}
}
