package samrrecon_test

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/samrrecon"
	"github.com/verderer/verderer/center/resolve"
)

const (
	domain  = "S-1-5-21-1-2-3"
	builtin = "S-1-5-32"
)

func call(at float64, opnum uint16, sid string, rids ...uint32) *resolve.Resolved {
	r := detecttest.Resolved(activity.SAMRQuery, at)
	r.Account = detecttest.Account("ann")
	r.RPC = &activity.RPC{Interface: "samr", Opnum: opnum, BindSeen: true, SID: sid, RIDs: rids}
	return r
}

func changed(r *resolve.Resolved, change func(r *resolve.Resolved)) *resolve.Resolved {
	change(r)
	return r
}

func TestRule(t *testing.T) {
	one := func(r *resolve.Resolved) []*resolve.Resolved { return []*resolve.Resolved{r} }
	cases := []detecttest.Rule{
		{Name: "names looked up, an ordinary one", Acts: one(call(0, 17, domain, 1104))},
		{Name: "names looked up, a privileged one among them", Acts: one(call(0, 17, domain, 1104, 512)), Count: 1},
		{Name: "aliases of Builtin looked up", Acts: one(call(0, 17, builtin, 544)), Count: 1},
		{Name: "an ordinary alias of Builtin", Acts: one(call(0, 17, builtin, 545))},
		{Name: "the RID of a domain's in Builtin", Acts: one(call(0, 17, builtin, 512))},
		{Name: "members of an ordinary group", Acts: one(call(0, 25, domain+"-1200", 1200))},
		{Name: "members of the users", Acts: one(call(0, 25, domain+"-513", 513))},
		{Name: "a group opened", Acts: one(call(0, 19, domain+"-512", 512))},
		{Name: "sealed", Acts: one(call(0, 25, ""))},
		{Name: "a list, sealed", Acts: one(call(0, 13, "")), Count: 1},
		{Name: "a refused list", Acts: one(changed(call(0, 13, domain), func(r *resolve.Resolved) { r.Outcome = activity.Failure })), Count: 1},
		{Name: "by a domain controller", Acts: one(changed(call(0, 13, domain), func(r *resolve.Resolved) { r.Source.DC = "directory" }))},
		{Name: "by a new domain controller", Acts: one(changed(call(0, 13, domain), func(r *resolve.Resolved) { r.Source.Promoted = true }))},
		{Name: "on an unknown interface", Acts: one(changed(call(0, 13, domain), func(r *resolve.Resolved) { r.RPC.BindSeen = false }))},
		{Name: "on the pipe samr", Acts: one(changed(call(0, 13, domain), func(r *resolve.Resolved) { r.RPC.BindSeen, r.RPC.Pipe = false, "samr" })), Count: 1},

		{Name: "one kind of list, pages of it", Level: detect.LevelHigh, Acts: []*resolve.Resolved{call(0, 13, domain), call(1, 13, domain), call(2, 13, domain)}},
		{Name: "two kinds within an hour", Level: detect.LevelHigh, Acts: []*resolve.Resolved{call(0, 13, domain), call(3600, 11, domain)}, Count: 2},
		{Name: "two kinds in more", Level: detect.LevelHigh, Acts: []*resolve.Resolved{call(0, 13, domain), call(3600.001, 11, domain)}},
		{Name: "two forms of one list", Level: detect.LevelHigh, Acts: []*resolve.Resolved{call(0, 40, domain), call(1, 51, domain)}},
		{Name: "aliases of the domain and of Builtin", Level: detect.LevelHigh, Acts: []*resolve.Resolved{call(0, 15, domain), call(1, 15, builtin)}, Count: 2},
		{Name: "two privileged groups, one twice", Level: detect.LevelHigh,
			Acts: []*resolve.Resolved{call(0, 25, domain+"-512"), call(1, 25, domain+"-519"), call(2, 25, domain+"-519")}},
		{Name: "three", Level: detect.LevelHigh,
			Acts: []*resolve.Resolved{call(0, 25, domain+"-512"), call(1, 25, domain+"-519"), call(2, 33, builtin+"-544")}, Count: 3},
		{Name: "a list and two privileged groups", Level: detect.LevelHigh,
			Acts: []*resolve.Resolved{call(0, 13, domain), call(1, 25, domain+"-512"), call(2, 25, domain+"-519")}},
		{Name: "one without learning", Level: detect.LevelMedium, Acts: one(call(0, 36, domain+"-500")), Count: 1},
	}
	for _, opnum := range []uint16{11, 13, 15, 40, 48, 51} {
		cases = append(cases, detecttest.Rule{Name: "a list", Acts: one(call(0, opnum, domain)), Count: 1})
	}
	for _, opnum := range []uint16{25, 36, 39, 47} {
		for _, rid := range []string{"500", "502", "512", "516", "518", "519", "520", "526", "527", "521", "498"} {
			cases = append(cases, detecttest.Rule{Name: "privileged " + rid, Acts: one(call(0, opnum, domain+"-"+rid)), Count: 1})
		}
	}
	for _, rid := range []string{"544", "548", "549", "550", "551", "552", "556", "557"} {
		cases = append(cases, detecttest.Rule{Name: "privileged alias " + rid, Acts: one(call(0, 33, builtin+"-"+rid)), Count: 1})
	}
	detecttest.Rules(t, samrrecon.Definition, cases)
}
