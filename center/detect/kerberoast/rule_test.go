package kerberoast_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/kerberoast"
	"github.com/verderer/verderer/center/resolve"
)

const aes, rc4 = 18, 23

func ticket(at float64, service string, etypes ...int32) *resolve.Resolved {
	r := detecttest.Resolved(activity.KerberosTGS, at)
	r.Account = detecttest.Account("ann")
	r.Kerberos = &activity.Kerberos{RequestSeen: true, Service: service, ETypes: etypes, Issued: &activity.Ticket{EType: rc4}}
	return r
}

// tickets asks for n services, a step apart.
func tickets(n int, step float64, name string, etypes ...int32) (all []*resolve.Resolved) {
	for i := range n {
		all = append(all, ticket(float64(i)*step, strings.ReplaceAll(name, "%d", strconv.Itoa(i)), etypes...))
	}
	return all
}

func search(at float64, filter string) *resolve.Resolved {
	r := detecttest.Resolved(activity.LDAPQuery, at)
	r.LDAPSearch = &activity.LDAPSearch{Filter: filter}
	return r
}

// event is what 4769 says: an account, and the ticket's encryption type.
func event(at float64, account string, etype int32) *resolve.Resolved {
	r := ticket(at, account)
	r.Via, r.Kerberos.Issued.EType = activity.ViaEvent, etype
	return r
}

func with(all []*resolve.Resolved, more ...*resolve.Resolved) []*resolve.Resolved {
	return append(more, all...)
}

func TestRule(t *testing.T) {
	refused := tickets(3, 1, "svc-%d", rc4)
	for _, r := range refused {
		r.Outcome, r.Kerberos.Issued = activity.Failure, nil
	}
	unanswered := tickets(3, 1, "svc-%d", rc4)
	for _, r := range unanswered {
		r.Outcome = activity.Attempt
	}
	ofDC := tickets(5, 1, "svc-%d", rc4)
	for _, r := range ofDC {
		r.Source.DC = "directory"
	}
	var events, aesEvents, computers []*resolve.Resolved
	for i := range 5 {
		events = append(events, event(float64(i), fmt.Sprintf("svc-%d", i), rc4))
		aesEvents = append(aesEvents, event(float64(20*i), fmt.Sprintf("svc-%d", i), aes))
		computers = append(computers, event(float64(i), fmt.Sprintf("SRV%d$", i), rc4))
	}
	const all = "(&(objectCategory=person)(servicePrincipalName=*))"
	detecttest.Rules(t, kerberoast.Definition, []detecttest.Rule{
		{Name: "two by account name without AES", Acts: tickets(2, 1, "svc-%d", rc4)},
		{Name: "three", Acts: tickets(3, 1, "svc-%d", rc4), Count: 3},
		{Name: "the same one three times", Acts: tickets(3, 1, "svc", rc4)},
		{Name: "three in exactly ten minutes", Acts: tickets(3, 300, "svc-%d", rc4), Count: 3},
		{Name: "three in more", Acts: tickets(3, 300.001, "svc-%d", rc4)},
		{Name: "three refused", Acts: refused, Count: 3},
		{Name: "three unanswered", Acts: unanswered},
		{Name: "three with AES", Acts: tickets(3, 1, "svc-%d", aes, rc4)},
		{Name: "its own name", Acts: tickets(3, 1, "ann", rc4)},
		{Name: "computers by name", Acts: tickets(5, 1, "ws%d$", rc4)},
		{Name: "four by class and host without AES", Acts: tickets(4, 20, "MSSQLSvc/db%d.lab.example:1433", rc4)},
		{Name: "five", Acts: tickets(5, 20, "MSSQLSvc/db%d.lab.example:1433", rc4), Count: 5},
		{Name: "five of computers", Acts: tickets(5, 1, "cifs/srv%d.lab.example", rc4)},
		{Name: "five with AES, slowly", Acts: tickets(5, 20, "MSSQLSvc/db%d.lab.example:1433", aes)},
		{Name: "five with AES, slowly, after a search", Acts: with(tickets(5, 20, "MSSQLSvc/db%d.lab.example:1433", aes), search(-3520, all)), Count: 5},
		{Name: "after an older search", Acts: with(tickets(5, 20, "MSSQLSvc/db%d.lab.example:1433", aes), search(-3520.001, all))},
		{Name: "after a search for one of them", Acts: with(tickets(5, 20, "MSSQLSvc/db%d.lab.example:1433", aes), search(-1, "(servicePrincipalName=MSSQLSvc/db1.lab.example:1433)"))},
		{Name: "five with AES within a minute", Acts: tickets(5, 15, "HTTP/w%d.lab.example", aes), Count: 5},
		{Name: "four within a minute", Acts: tickets(4, 15, "HTTP/w%d.lab.example", aes)},
		{Name: "five in more than a minute", Acts: tickets(5, 15.001, "HTTP/w%d.lab.example", aes)},
		{Name: "by a domain controller", Acts: ofDC},
		{Name: "events of RC4 tickets for accounts", Acts: events, Count: 5},
		{Name: "events of AES tickets for accounts, slowly", Acts: aesEvents},
		{Name: "events of RC4 tickets for computers", Acts: computers},
		{Name: "a search alone", Acts: []*resolve.Resolved{search(0, all)}},
	})
}
