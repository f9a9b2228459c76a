package accountenum_test

import (
	"fmt"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/accountenum"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/resolve"
)

// asks asks for n names from the second at on, one each step seconds.
func asks(at, step float64, n int, prefix string, code int32) (all []*resolve.Resolved) {
	for i := range n {
		r := detecttest.Resolved(activity.KerberosAS, at+float64(i)*step)
		r.Account = detecttest.Account(fmt.Sprint(prefix, i))
		r.Outcome, r.Kerberos = activity.Failure, &activity.Kerberos{RequestSeen: true, ErrorCode: code}
		all = append(all, r)
	}
	return all
}

const (
	missing = activity.KRBPrincipalUnknown
	exists  = activity.KRBPreAuthRequired
)

func TestRule(t *testing.T) {
	join := detecttest.Join
	former := asks(0, 1, 12, "x", missing)
	for _, r := range former {
		r.Account.Former = true
	}
	detecttest.Rules(t, accountenum.Definition, []detecttest.Rule{
		{Name: "one below", Acts: asks(0, 1, 9, "x", missing)},
		{Name: "at it", Acts: asks(0, 1, 10, "x", missing), Count: 10},
		{Name: "above it each is told of", Acts: asks(0, 1, 15, "x", missing), Count: 15},
		{Name: "high: one below", Level: detect.LevelHigh, Acts: asks(0, 1, 19, "x", missing)},
		{Name: "high: at it", Level: detect.LevelHigh, Acts: asks(0, 1, 20, "x", missing), Count: 20},
		{Name: "in exactly ten minutes", Acts: join(asks(0, 1, 9, "x", missing), asks(600, 0, 1, "y", missing)), Count: 10},
		{Name: "in more", Acts: join(asks(0, 1, 9, "x", missing), asks(600.001, 0, 1, "y", missing))},
		{Name: "the same names again and again", Acts: join(asks(0, 1, 9, "x", missing), asks(10, 1, 9, "x", missing), asks(20, 1, 9, "x", missing))},
		{Name: "half of the names exist", Acts: join(asks(0, 1, 10, "e", exists), asks(20, 1, 10, "x", missing)), Count: 20},
		{Name: "more than half exist", Acts: join(asks(0, 1, 11, "e", exists), asks(20, 1, 10, "x", missing))},
		{Name: "names confirmed after the alarm", Acts: join(asks(0, 1, 10, "x", missing), asks(20, 1, 3, "e", exists)), Count: 13},
		{Name: "names created meanwhile", Acts: join(asks(0, 1, 9, "x", missing), asks(10, 1, 1, "x", exists), asks(20, 1, 1, "y", missing))},
		{Name: "accounts removed lately", Acts: former},
		{Name: "answers that do not tell", Acts: asks(0, 1, 30, "x", activity.KRBWrongRealm)},
		{Name: "a day's list, one below", Acts: asks(0, 800, 99, "x", missing)},
		{Name: "a day's list", Acts: asks(0, 800, 100, "x", missing), Count: 100},
		{Name: "a list of exactly a day", Acts: join(asks(0, 800, 99, "x", missing), asks(86_400, 0, 1, "y", missing)), Count: 100},
		{Name: "a list of more than a day", Acts: join(asks(0, 800, 99, "x", missing), asks(86_400.001, 0, 1, "y", missing))},
		{Name: "the missing one comes late", Acts: join(asks(500, 1, 9, "x", missing), asks(0, 1, 1, "y", missing)), Count: 10},
		{Name: "late, and too early for the window", Acts: join(asks(700, 1, 9, "x", missing), asks(0, 1, 1, "y", missing))},
		{Name: "late, completing a window of its own time", Acts: join(asks(0, 1, 9, "x", missing), asks(5000, 1, 1, "z", exists), asks(300, 1, 1, "y", missing)), Count: 10},
	})
}
