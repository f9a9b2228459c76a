package smbsessionenum_test

import (
	"slices"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/smbsessionenum"
	"github.com/verderer/verderer/center/resolve"
)

const day = 24 * 3600

// on is a call on each of the days.
func on(days ...int) (all []*resolve.Resolved) {
	for _, d := range days {
		r := detecttest.Resolved(activity.SessionQuery, float64(d*day))
		r.RPC = &activity.RPC{Interface: "srvsvc", Opnum: 12, BindSeen: true}
		all = append(all, r)
	}
	return all
}

func call(change func(r *resolve.Resolved)) []*resolve.Resolved {
	all := on(0)
	change(all[0])
	return all
}

func TestRule(t *testing.T) {
	detecttest.Rules(t, smbsessionenum.Definition, []detecttest.Rule{
		{Name: "a stranger", Acts: on(0), Count: 1},
		{Name: "each call", Acts: on(0, 0), Count: 2},
		{Name: "refused", Acts: call(func(r *resolve.Resolved) { r.Outcome = activity.Failure }), Count: 1},
		{Name: "an interface that was guessed", Acts: call(func(r *resolve.Resolved) { r.RPC.BindSeen = false })},
		{Name: "a domain controller", Acts: call(func(r *resolve.Resolved) { r.Source.DC = "directory" })},
		{Name: "a new domain controller", Acts: call(func(r *resolve.Resolved) { r.Source.Promoted = true })},
		{Name: "a domain controller and itself", Acts: call(func(r *resolve.Resolved) { r.Source = r.Target })},

		{Name: "four days before", Level: detect.LevelHigh, Acts: on(0, 1, 2, 3, 4), Count: 5},
		{Name: "five days before", Level: detect.LevelHigh, Acts: on(0, 1, 2, 3, 4, 5, 5), Count: 5},
		{Name: "often on one day", Level: detect.LevelHigh, Acts: on(0, 0, 0, 0, 0, 0), Count: 6},
		{Name: "five of exactly two weeks", Level: detect.LevelHigh, Acts: on(0, 3, 6, 9, 12, 14), Count: 5},
		{Name: "five of more", Level: detect.LevelHigh, Acts: on(0, 3, 6, 9, 12, 15), Count: 6},
		{Name: "a habit without learning", Level: detect.LevelMedium, Acts: on(0, 1, 2, 3, 4, 5), Count: 6},
		{Name: "every day of two weeks, without learning", Acts: on(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), Count: 16},
		{Name: "a late one does not know of later days", Level: detect.LevelHigh, Acts: on(1, 2, 3, 4, 5, 0), Count: 6},
	})
}

// TestLearned: whose sessions were told, by the answer.
func TestLearned(t *testing.T) {
	play := func(change func(r *resolve.Resolved)) detect.Finding {
		return detecttest.Play(smbsessionenum.Definition, detect.LevelLow, call(func(r *resolve.Resolved) {
			r.Account = detecttest.Account("mallory")
			r.RPC.Sessions = []activity.SessionInfo{
				{User: "mallory", Client: `\\10.0.0.66`},
				{User: "ann", Client: `\\10.0.0.7`},
				{User: "ann", Client: `\\10.0.0.7`},
				{User: "bob", Client: `\\10.0.0.66`},
				{Client: `\\10.0.0.8`},
			}
			change(r)
		}))[0]
	}
	told := func(f detect.Finding) (list []string) {
		for _, p := range f.Accounts {
			if p.Role == detect.Exists && !slices.Contains(list, p.Name) {
				list = append(list, p.Name)
			}
		}
		return list
	}
	f := play(func(*resolve.Resolved) {})
	if got := told(f); !slices.Equal(got, []string{"ann", "bob"}) {
		t.Errorf("learned of %q", got)
	}
	if want := "It learned of ann at 10.0.0.7, bob at 10.0.0.66."; !slices.Contains(f.Notes, want) {
		t.Errorf("notes %q", f.Notes)
	}
	asker := play(func(r *resolve.Resolved) {
		r.RPC.Sessions = []activity.SessionInfo{{User: `LAB.example\Mallory`, Client: "10.0.0.7"}}
	})
	if len(asker.Accounts) != 2 || asker.Accounts[0].Key != asker.Accounts[1].Key {
		t.Errorf("the asker elsewhere is somebody else: %+v", asker.Accounts)
	}
	if f.Certainty != resolve.High {
		t.Errorf("at a known domain controller: certainty %s", f.Certainty)
	}
	if f := play(func(r *resolve.Resolved) { r.Target.DC = "" }); f.Certainty != resolve.Low {
		t.Errorf("at a server not known as one: certainty %s", f.Certainty)
	}
	if got := told(play(func(r *resolve.Resolved) { r.Outcome = activity.Failure })); got != nil {
		t.Errorf("refused, and learned of %q", got)
	}
	// The last of those spelled out, and the first that is not.
	for n, want := range map[int]bool{20: false, 21: true} {
		f := play(func(r *resolve.Resolved) {
			r.RPC.Sessions = nil
			for i := range n {
				r.RPC.Sessions = append(r.RPC.Sessions, activity.SessionInfo{User: "u" + string(rune('a'+i)), Client: "10.0.0.9"})
			}
		})
		if got := len(f.Notes) == 1 && len(f.Notes[0]) > 12 && f.Notes[0][len(f.Notes[0])-12:] == " and 1 more."; got != want {
			t.Errorf("%d sessions: %q", n, f.Notes)
		}
	}
}
