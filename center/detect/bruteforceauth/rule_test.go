package bruteforceauth_test

import (
	"fmt"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/bruteforceauth"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/resolve"
)

func logon(at float64, name string, ok bool) *resolve.Resolved {
	r := detecttest.Resolved(activity.KerberosAS, at)
	r.Account = detecttest.Account(name)
	r.Kerberos = &activity.Kerberos{RequestSeen: true, PAData: []int32{activity.PAEncTimestamp}, PreAuthEType: 18}
	if !ok {
		r.Outcome, r.Kerberos.ErrorCode = activity.Failure, activity.KRBPreAuthFailed
	}
	return r
}

// guesses are n wrong passwords on one account.
func guesses(at, step float64, n int, name string) (all []*resolve.Resolved) {
	for i := range n {
		all = append(all, logon(at+float64(i)*step, name, false))
	}
	return all
}

// each tries, or logs on, n accounts once.
func each(at, step float64, n int, prefix string, ok bool) (all []*resolve.Resolved) {
	for i := range n {
		all = append(all, logon(at+float64(i)*step, fmt.Sprint(prefix, i), ok))
	}
	return all
}

// ntlm is a logon that SMB or an event tells of; refusal is "" for none.
func ntlm(at float64, name, refusal string) *resolve.Resolved {
	r := detecttest.Resolved(activity.NTLMLogon, at)
	r.Account = detecttest.Account(name)
	r.Auth = &activity.Auth{Mechanism: activity.MechNTLM, NTLM: &activity.NTLM{User: name}}
	if r.Error = refusal; refusal != "" {
		r.Outcome = activity.Failure
	}
	return r
}

func TestNTLM(t *testing.T) {
	spray := func(refusal string) (all []*resolve.Resolved) {
		for i := range 10 {
			all = append(all, ntlm(float64(i), fmt.Sprint("user", i), refusal))
		}
		return all
	}
	anonymous := spray("STATUS_LOGON_FAILURE")
	for _, r := range anonymous {
		r.Auth.NTLM.Anonymous = true
	}
	detecttest.Rules(t, bruteforceauth.Definition, []detecttest.Rule{
		{Name: "ten accounts over SMB", Acts: spray("STATUS_LOGON_FAILURE"), Count: 10},
		{Name: "nine", Acts: spray("STATUS_LOGON_FAILURE")[:9]},
		{Name: "ten in the domain controller's log", Acts: spray("STATUS_WRONG_PASSWORD"), Count: 10},
		{Name: "ten over LDAP", Acts: spray("invalidCredentials"), Count: 10},
		{Name: "ten whose password expired", Acts: spray("STATUS_PASSWORD_EXPIRED")},
		{Name: "ten that nobody has", Acts: spray("STATUS_NO_SUCH_USER")},
		{Name: "ten that log on", Acts: spray("")},
		{Name: "nobody", Acts: anonymous},
		{Name: "half of each", Acts: detecttest.Join(spray("STATUS_LOGON_FAILURE")[:5], each(5, 1, 5, "other", false)), Count: 10},
	})
}

func one(r *resolve.Resolved) []*resolve.Resolved { return []*resolve.Resolved{r} }

func code(all []*resolve.Resolved, code int32, pa ...int32) []*resolve.Resolved {
	for _, r := range all {
		r.Kerberos.ErrorCode, r.Kerberos.PAData = code, pa
	}
	return all
}

func TestOneAccount(t *testing.T) {
	join := detecttest.Join
	detecttest.Rules(t, bruteforceauth.Definition, []detecttest.Rule{
		{Name: "one below", Acts: guesses(0, 1, 9, "ann")},
		{Name: "at it", Acts: guesses(0, 1, 10, "ann"), Count: 10},
		{Name: "above it", Acts: guesses(0, 1, 25, "ann"), Count: 25},
		{Name: "high: one below", Level: detect.LevelHigh, Acts: guesses(0, 1, 19, "ann")},
		{Name: "high: at it", Level: detect.LevelHigh, Acts: guesses(0, 1, 20, "ann"), Count: 20},
		{Name: "in exactly an hour", Acts: join(guesses(0, 1, 9, "ann"), guesses(3600, 1, 1, "ann")), Count: 10},
		{Name: "in more", Acts: join(guesses(0, 1, 9, "ann"), guesses(3600.001, 1, 1, "ann"))},
		{Name: "two accounts", Acts: join(guesses(0, 1, 9, "ann"), guesses(0.5, 1, 9, "bob"))},
		{Name: "what other accounts do is not told of", Acts: join(guesses(0, 1, 3, "bob"), guesses(10, 1, 10, "ann")), Count: 10},
		{Name: "the missing one comes late", Acts: join(guesses(3000, 1, 9, "ann"), guesses(0, 1, 1, "ann")), Count: 10},
		{Name: "locked meanwhile", Acts: join(guesses(0, 1, 5, "ann"), code(guesses(10, 1, 5, "ann"), activity.KRBClientRevoked, activity.PAEncTimestamp)), Count: 10},
		{Name: "disabled, and no password sent", Acts: code(guesses(0, 1, 50, "ann"), activity.KRBClientRevoked)},
		{Name: "expired passwords", Acts: code(guesses(0, 1, 50, "ann"), activity.KRBKeyExpired, activity.PAEncTimestamp)},
	})
}

func TestManyAccounts(t *testing.T) {
	join := detecttest.Join
	detecttest.Rules(t, bruteforceauth.Definition, []detecttest.Rule{
		{Name: "one below", Acts: each(0, 1, 9, "u", false)},
		{Name: "at it", Acts: each(0, 1, 10, "u", false), Count: 10},
		{Name: "high: one below", Level: detect.LevelHigh, Acts: each(0, 1, 14, "u", false)},
		{Name: "high: at it", Level: detect.LevelHigh, Acts: each(0, 1, 15, "u", false), Count: 15},
		{Name: "high: two each", Level: detect.LevelHigh, Acts: join(each(0, 0.1, 14, "u", false), each(10, 0.1, 15, "u", false)), Count: 29},
		{Name: "high: three of one account are no spray", Level: detect.LevelHigh, Acts: join(guesses(0, 0.1, 3, "u0"), each(10, 0.1, 15, "u", false))},
		{Name: "in exactly half an hour", Acts: join(each(0, 1, 9, "u", false), each(1800, 1, 1, "v", false)), Count: 10},
		{Name: "in more", Acts: join(each(0, 1, 9, "u", false), each(1800.001, 1, 1, "v", false))},
		{Name: "who logs on after a typo", Acts: join(each(0, 1, 9, "u", false), one(logon(10, "u0", true)), each(20, 1, 1, "v", false))},
		{Name: "who logged on before it", Acts: join(one(logon(0, "u0", true)), each(10, 1, 10, "u", false)), Count: 10},
		{Name: "two others use the source", Acts: join(each(0, 1, 2, "clean", true), each(100, 1, 10, "u", false)), Count: 10},
		{Name: "three others, three times as many", Acts: join(each(0, 1, 3, "clean", true), each(100, 1, 9, "u", false))},
		{Name: "three others, one more than that", Acts: join(each(0, 1, 3, "clean", true), each(100, 1, 10, "u", false)), Count: 10},
		{Name: "four others, twelve", Acts: join(each(0, 1, 4, "clean", true), each(100, 1, 12, "u", false))},
		{Name: "four others, thirteen", Acts: join(each(0, 1, 4, "clean", true), each(100, 1, 13, "u", false)), Count: 13},
		{Name: "the others were here a day before", Acts: join(each(0, 1, 4, "clean", true), each(86_405, 0, 12, "u", false)), Count: 12},
		{Name: "the missing one comes late", Acts: join(each(1000, 1, 9, "u", false), each(0, 1, 1, "v", false)), Count: 10},
	})
}

// TestRounds is a spray so slow that half an hour shows less than ten accounts.
func TestRounds(t *testing.T) {
	join := detecttest.Join
	interleaved := func(n int, gap float64) (all []*resolve.Resolved) {
		for step := 0.0; step < 12_000; step += 0.5 { // in order of time
			for i := range n {
				first := float64(i) * 600
				if step == first || step == first+gap {
					all = append(all, logon(step, fmt.Sprint("u", i), false))
				}
			}
		}
		return all
	}
	detecttest.Rules(t, bruteforceauth.Definition, []detecttest.Rule{
		{Name: "one round", Acts: each(0, 600, 10, "u", false)},
		{Name: "two rounds of nine", Acts: join(each(0, 600, 9, "u", false), each(10_000, 600, 9, "u", false))},
		{Name: "two rounds of ten", Acts: join(each(0, 600, 10, "u", false), each(10_000, 600, 10, "u", false)), Count: 20},
		{Name: "three rounds", Acts: join(each(0, 600, 10, "u", false), each(10_000, 600, 10, "u", false), each(20_000, 600, 10, "u", false)), Count: 30},
		{Name: "rounds exactly half an hour apart", Acts: interleaved(10, 1800), Count: 20},
		{Name: "closer", Acts: interleaved(10, 1799.5)},
		{Name: "with a logon between", Acts: join(each(0, 600, 10, "u", false), one(logon(9000, "u3", true)), each(10_000, 600, 10, "u", false)), Count: 20},
		{Name: "logged on in the end", Acts: join(each(0, 600, 10, "u", false), each(10_000, 600, 9, "u", false), one(logon(15_395, "u3", true)), each(15_400, 600, 1, "u9", false))},
	})
}

func TestGuessedPasswords(t *testing.T) {
	join := detecttest.Join
	attack := guesses(0, 1, 10, "ann") // the last at 9
	detecttest.Rules(t, bruteforceauth.Definition, []detecttest.Rule{
		{Name: "of the account, within ten minutes", Acts: join(attack, one(logon(609, "ann", true))), Count: 11},
		{Name: "later", Acts: join(attack, one(logon(609.001, "ann", true)))[:11], Count: 10},
		{Name: "of another account, by the same tool", Acts: join(attack, one(logon(100, "bob", true))), Count: 11},
		{Name: "of another account where others are at home", Acts: join(each(-100, 1, 3, "clean", true), attack, one(logon(100, "bob", true))), Count: 10},
		{Name: "before the attack", Acts: join(one(logon(-5, "ann", true)), attack), Count: 10},
		{Name: "each once", Acts: join(attack, one(logon(20, "ann", true)), guesses(21, 1, 2, "ann")), Count: 13},
	})
	found := detecttest.Play(bruteforceauth.Definition, detect.LevelLow, join(attack, one(logon(20, "ann", true))))
	last := found[len(found)-1]
	if last.Outcome != activity.Success || len(last.Accounts) != 1 || last.Accounts[0].Role != detect.Guessed {
		t.Errorf("the guess: %+v", last)
	}
}
