package asreproast_test

import (
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect/asreproast"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/resolve"
)

const aes, rc4 = 18, 23

// ticket is an AS exchange without pre-authentication that offers one
// encryption type and is answered with one.
func ticket(at float64, name string, offered, answered int32) *resolve.Resolved {
	r := detecttest.Resolved(activity.KerberosAS, at)
	r.Account = detecttest.Account(name)
	r.Kerberos = &activity.Kerberos{RequestSeen: true, ETypes: []int32{offered}, ReplyEType: answered}
	return r
}

func search(at float64, filter string) *resolve.Resolved {
	r := detecttest.Resolved(activity.LDAPQuery, at)
	r.LDAPSearch = &activity.LDAPSearch{Filter: filter}
	return r
}

const roastable = "(&(objectClass=user)(userAccountControl:1.2.840.113556.1.4.803:=4194304))"

func TestRule(t *testing.T) {
	acts := func(all ...*resolve.Resolved) []*resolve.Resolved { return all }
	authenticated := acts(ticket(0, "ann", aes, aes), ticket(1, "bob", aes, aes))
	for i, pa := range []int32{activity.PAEncTimestamp, activity.PAPKASReq} {
		authenticated[i].Kerberos.PAData, authenticated[i].Kerberos.PreAuthEType = []int32{pa}, aes
	}
	refused := acts(ticket(0, "ann", rc4, 0), ticket(1, "bob", rc4, 0))
	for _, r := range refused {
		r.Outcome, r.Kerberos.ErrorCode = activity.Failure, activity.KRBPreAuthRequired
	}
	unasked := acts(ticket(0, "ann", rc4, rc4))
	unasked[0].Kerberos.RequestSeen = false
	detecttest.Rules(t, asreproast.Definition, []detecttest.Rule{
		{Name: "one account with AES", Acts: acts(ticket(0, "ann", aes, aes))},
		{Name: "again and again", Acts: acts(ticket(0, "ann", aes, aes), ticket(1, "ann", aes, aes), ticket(2, "ann", aes, aes))},
		{Name: "two accounts", Acts: acts(ticket(0, "ann", aes, aes), ticket(1, "bob", aes, aes)), Count: 2},
		{Name: "in exactly ten minutes", Acts: acts(ticket(0, "ann", aes, aes), ticket(600, "bob", aes, aes)), Count: 2},
		{Name: "in more", Acts: acts(ticket(0, "ann", aes, aes), ticket(600.001, "bob", aes, aes))},
		{Name: "the first comes late", Acts: acts(ticket(500, "ann", aes, aes), ticket(0, "bob", aes, aes)), Count: 2},
		{Name: "RC4 only was offered", Acts: acts(ticket(0, "ann", rc4, rc4)), Count: 1},
		{Name: "RC4 was the answer", Acts: acts(ticket(0, "ann", aes, rc4)), Count: 1},
		{Name: "with pre-authentication", Acts: authenticated},
		{Name: "refused", Acts: refused},
		{Name: "whose request was not seen", Acts: unasked},
		{Name: "after a search for such accounts", Acts: acts(search(0, roastable), ticket(10, "ann", aes, aes)), Count: 1},
		{Name: "a day after it", Acts: acts(search(0, roastable), ticket(86_400, "ann", aes, aes)), Count: 1},
		{Name: "more than a day after it", Acts: acts(search(0, roastable), ticket(86_400.001, "ann", aes, aes))},
		{Name: "before it", Acts: acts(ticket(0, "ann", aes, aes), search(10, roastable))},
		{Name: "after a search for something else", Acts: acts(search(0, "(userAccountControl:1.2.840.113556.1.4.803:=2)"), ticket(10, "ann", aes, aes))},
		{Name: "a search alone", Acts: acts(search(0, roastable))},
	})
}
