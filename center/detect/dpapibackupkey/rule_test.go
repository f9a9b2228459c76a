package dpapibackupkey_test

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/dpapibackupkey"
	"github.com/verderer/verderer/center/resolve"
)

func call(opnum uint16, object string, change func(r *resolve.Resolved)) []*resolve.Resolved {
	r := detecttest.Resolved(activity.SecretQuery, 0)
	r.RPC = &activity.RPC{Interface: "lsarpc", Opnum: opnum, Object: object, BindSeen: true}
	change(r)
	return []*resolve.Resolved{r}
}

func event(object string, change func(r *resolve.Resolved)) []*resolve.Resolved {
	r := detecttest.Resolved(activity.DirectoryAccess, 0)
	r.Via = activity.ViaEvent
	r.Source = resolve.Host{}
	r.Account = detecttest.Account("mallory")
	r.Access = &activity.Access{ObjectServer: "LSA", ObjectType: "SecretObject", ObjectName: object, AccessMask: 2}
	change(r)
	return []*resolve.Resolved{r}
}

func as(*resolve.Resolved) {}

const guid = "G$BCKUPKEY_5a2f0c1e-8f3b-4f60-9c59-0d4b4b1d9a11"

func TestRule(t *testing.T) {
	detecttest.Rules(t, dpapibackupkey.Definition, []detecttest.Rule{
		{Name: "read at once", Acts: call(43, guid, as), Count: 1},
		{Name: "opened and read", Acts: detecttest.Join(call(28, guid, as), call(30, guid, as)), Count: 2},
		{Name: "the name of the current key", Acts: call(43, "G$BCKUPKEY_PREFERRED", as), Count: 1},
		{Name: "the name of the current key of old", Acts: call(43, "g$bckupkey_P", as), Count: 1},
		{Name: "refused", Acts: call(28, guid, func(r *resolve.Resolved) { r.Outcome = activity.Failure }), Count: 1},
		{Name: "another secret", Acts: call(43, "$MACHINE.ACC", as)},
		{Name: "a secret called alike", Acts: call(43, "G$MYBCKUPKEY_1", as)},
		{Name: "a handle whose opening was not seen", Acts: call(30, "", as)},
		{Name: "a domain controller", Acts: call(43, guid, func(r *resolve.Resolved) { r.Source.DC = "directory" })},
		{Name: "a new domain controller", Acts: call(43, guid, func(r *resolve.Resolved) { r.Source.Promoted = true })},
		{Name: "a domain controller and itself", Acts: call(43, guid, func(r *resolve.Resolved) { r.Source = r.Target })},

		{Name: "an event", Acts: event(`Policy\Secrets\`+guid, as), Count: 1},
		{Name: "an event without the path", Acts: event("BCKUPKEY_PREFERRED Secret", as), Count: 1},
		{Name: "an event of a SID", Acts: event(guid, func(r *resolve.Resolved) { r.Account = resolve.Account{SID: "S-1-5-21-1-2-3-1105"} }), Count: 1},
		{Name: "an event of another secret", Acts: event(`Policy\Secrets\$MACHINE.ACC`, as)},
		{Name: "an event of writing", Acts: event(guid, func(r *resolve.Resolved) { r.Access.AccessMask = 1 })},
		{Name: "an event of the directory", Acts: event(guid, func(r *resolve.Resolved) { r.Access.ObjectServer = "DS" })},
		{Name: "an event of a domain controller", Acts: event(guid, func(r *resolve.Resolved) { r.Account.DC = true })},
		{Name: "an event of the system", Acts: event(guid, func(r *resolve.Resolved) { r.Account.SID = "S-1-5-18" })},
	})
}

// TestOutcome: opening a secret is not reading it, and what names the key is not
// the key.
func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		opnum     uint16
		was, want activity.Outcome
	}{
		{28, activity.Success, activity.Attempt},
		{136, activity.Success, activity.Attempt},
		{28, activity.Failure, activity.Failure},
		{30, activity.Success, activity.Success},
		{43, activity.Success, activity.Success},
		{43, activity.Failure, activity.Failure},
		{43, activity.Attempt, activity.Attempt},
	} {
		f := detecttest.Play(dpapibackupkey.Definition, detect.LevelLow, call(c.opnum, guid, func(r *resolve.Resolved) { r.Outcome = c.was }))[0]
		if f.Outcome != c.want {
			t.Errorf("opnum %d with %s: %s, want %s", c.opnum, c.was, f.Outcome, c.want)
		}
	}
	for secret, want := range map[string]activity.Outcome{
		guid:                   activity.Success,
		"G$BCKUPKEY_PREFERRED": activity.Attempt,
		"G$BCKUPKEY_P":         activity.Attempt,
		"G$BCKUPKEY_P2":        activity.Success,
	} {
		for what, acts := range map[string][]*resolve.Resolved{"call": call(43, secret, as), "event": event(`Policy\Secrets\`+secret, as)} {
			if f := detecttest.Play(dpapibackupkey.Definition, detect.LevelLow, acts)[0]; f.Outcome != want {
				t.Errorf("%s of %s: %s, want %s", what, secret, f.Outcome, want)
			}
		}
	}
}
