package dcsync_test

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/dcsync"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/resolve"
)

func call(change func(r *resolve.Resolved)) []*resolve.Resolved {
	r := detecttest.Resolved(activity.Replication, 0)
	r.DRS = &activity.DRS{Opnum: activity.DRSGetNCChanges, BindSeen: true}
	change(r)
	return []*resolve.Resolved{r}
}

func TestRule(t *testing.T) {
	detecttest.Rules(t, dcsync.Definition, []detecttest.Rule{
		{Name: "a stranger", Acts: call(func(*resolve.Resolved) {}), Count: 1},
		{Name: "a domain controller", Acts: call(func(r *resolve.Resolved) { r.Source.DC = "answered Kerberos requests" })},
		{Name: "a new domain controller", Acts: call(func(r *resolve.Resolved) { r.Source.Promoted = true })},
		{Name: "who replicates by right", Acts: call(func(r *resolve.Resolved) { r.Account.Replicator = true })},
		{Name: "another call", Acts: call(func(r *resolve.Resolved) { r.DRS.Opnum = activity.DRSCrackNames })},
		{Name: "an interface that was guessed", Acts: call(func(r *resolve.Resolved) { r.DRS.BindSeen = false })},
		{Name: "a domain controller and itself", Acts: call(func(r *resolve.Resolved) { r.Source = r.Target })},
		{Name: "each call", Acts: detecttest.Join(call(func(*resolve.Resolved) {}), call(func(*resolve.Resolved) {})), Count: 2},
	})
	certain := func(acts []*resolve.Resolved) resolve.Certainty {
		return detecttest.Play(dcsync.Definition, detect.LevelLow, acts)[0].Certainty
	}
	if c := certain(call(func(*resolve.Resolved) {})); c != resolve.High {
		t.Errorf("at a known domain controller: certainty %s", c)
	}
	if c := certain(call(func(r *resolve.Resolved) { r.Target.DC = "" })); c != resolve.Low {
		t.Errorf("where nothing else says that the target is one: certainty %s", c)
	}
}
