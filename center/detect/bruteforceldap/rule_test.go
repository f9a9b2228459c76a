package bruteforceldap_test

import (
	"fmt"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/bruteforceldap"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/resolve"
)

func bind(at float64, name string, tag int, ok bool) *resolve.Resolved {
	r := detecttest.Resolved(activity.LDAPSimple, at)
	r.Account = detecttest.Account(name)
	r.LDAPBind = &activity.LDAPBind{PasswordTag: uint16(tag)}
	if !ok {
		r.Outcome, r.LDAPBind.ResultCode = activity.Failure, 49
	}
	return r
}

// binds fail n times, one a second: account i%accounts with password i%passwords.
func binds(at float64, n, accounts, passwords int) (all []*resolve.Resolved) {
	for i := range n {
		all = append(all, bind(at+float64(i), fmt.Sprint("u", i%accounts), 1+i%passwords, false))
	}
	return all
}

func one(r *resolve.Resolved) []*resolve.Resolved { return []*resolve.Resolved{r} }

func TestRule(t *testing.T) {
	join := detecttest.Join
	locked := binds(0, 20, 1, 20)
	for _, r := range locked {
		r.LDAPBind.ResultCode = 53 // unwillingToPerform
	}
	anonymous := binds(0, 20, 1, 20)
	for _, r := range anonymous {
		r.LDAPBind.Anonymous = true
	}
	many := join(binds(0, 10, 1, 10), one(bind(20, "u0", 77, true)), one(bind(21, "u0", 77, true)))
	detecttest.Rules(t, bruteforceldap.Definition, []detecttest.Rule{
		{Name: "nine passwords", Acts: binds(0, 9, 1, 9)},
		{Name: "ten passwords", Acts: binds(0, 10, 1, 10), Count: 10},
		{Name: "the same nine again and again", Acts: binds(0, 90, 1, 9)},
		{Name: "in exactly an hour", Acts: join(binds(0, 9, 1, 9), one(bind(3600, "u0", 10, false))), Count: 10},
		{Name: "in more", Acts: join(binds(0, 9, 1, 9), one(bind(3600.001, "u0", 10, false)))},
		{Name: "nine accounts, one password", Acts: binds(0, 9, 9, 1)},
		{Name: "ten accounts, one password", Acts: binds(0, 10, 10, 1), Count: 10},
		{Name: "ten accounts, three passwords", Acts: binds(0, 10, 10, 3), Count: 10},
		{Name: "ten accounts, four passwords", Acts: binds(0, 10, 10, 4)},
		{Name: "ninety-nine pairs", Acts: binds(0, 99, 99, 99)},
		{Name: "a hundred pairs", Acts: binds(0, 100, 100, 100), Count: 100},
		{Name: "a hundred failures of fewer pairs", Acts: binds(0, 200, 99, 99)},
		{Name: "refused for other reasons", Acts: locked},
		{Name: "anonymous", Acts: anonymous},
		{Name: "guessed", Acts: many, Count: 12},
		{Name: "logged on before only", Acts: join(one(bind(-1, "u0", 77, true)), binds(0, 10, 1, 10)), Count: 10},
		{Name: "somebody else's logon", Acts: join(binds(0, 10, 1, 10), one(bind(20, "ann", 77, true))), Count: 10},
		{Name: "the missing one comes late", Acts: join(binds(1000, 9, 1, 9), one(bind(0, "u0", 10, false))), Count: 10},
	})
	found := detecttest.Play(bruteforceldap.Definition, detect.LevelLow, many)
	if last := found[len(found)-1]; last.Outcome != activity.Success || last.Accounts[0].Role != detect.Guessed {
		t.Errorf("the guess: %+v", last)
	}
}

// BenchmarkValidAccountFirst is the worst case that there was: many logons of an
// account that is then attacked.
func BenchmarkValidAccountFirst(b *testing.B) {
	d := bruteforceldap.Definition.New(bruteforceldap.Definition.Tune(detect.LevelLow))
	acts := make([]*resolve.Resolved, 0, b.N)
	for i := range b.N {
		acts = append(acts, bind(float64(i)/100, "ann", i%300, i%3000 < 1500))
		acts[i].Activity.ID = activity.ID{byte(i), byte(i >> 8), byte(i >> 16)}
	}
	b.ResetTimer()
	for _, r := range acts {
		d.Process(r, func(detect.Finding) {})
	}
}
