// Package kerberoast detects service tickets collected to guess the passwords
// of the accounts behind the services.
package kerberoast

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/names"
)

//go:embed README.md
var readme string

// Definition of the detection.
var Definition = detect.Definition{
	ID:          "kerberoast",
	Name:        "Suspected Kerberos SPN exposure",
	MDIID:       2410,
	Severity:    detect.High,
	Tactic:      "Credential access",
	Techniques:  []string{"T1558.003"},
	Consumes:    []activity.Kind{activity.KerberosTGS, activity.KerberosAS, activity.LDAPQuery},
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeAccount, detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A computer collected tickets for many services that run under people-made accounts, in a form that allows guessing their passwords offline.",
	Needs:       []string{"Kerberos TGS exchanges with request and answer, or Windows event 4769 of domain controllers"},
	BlindSpots: []string{
		"a few services asked for with AES, slowly: nothing tells it from use",
		"which services run under accounts of people: without a directory that is inferred from their names",
		"the search that finds such services, when LDAP is sealed or only events are read",
		"from events: a request that left out AES and was answered with it all the same",
	},
	Legitimate: "Monitoring that polls services, or an administrator's console that opens many database servers at once.",
	KeyMeans:   "source address",
	Tunables: []detect.Tunable{
		{Name: "bare-services", Unit: "services", High: 3, Medium: 3, Low: 3, Min: 1, Max: 1000,
			Why: "clients ask for a service by class and host; only tools ask by account name, and leave AES out"},
		{Name: "services", Unit: "services", High: 5, Medium: 5, Low: 5, Min: 2, Max: 1000,
			Why: "with AES left out, or right after a search for accounts with service names, five are no coincidence"},
		{Name: "burst", Unit: "services within a minute", High: 30, Medium: 15, Low: 5, Min: 2, Max: 1000,
			Why: "an administrator's console opens a morning's database servers in a minute; tools ask for all there are"},
		{Name: "window", Unit: "seconds", High: 600, Medium: 600, Low: 600, Min: 60, Max: 86_400,
			Why: "tools ask for all services in one go"},
		{Name: "search-window", Unit: "seconds", High: 3600, Medium: 3600, Low: 3600, Min: 60, Max: 86_400,
			Why: "who searched is about to ask"},
	},
	README:  readme,
	Key:     key,
	New:     newDetector,
	Summary: summary,
}

// bits of an act
const (
	weak    = 1 << iota // AES was left out, or an event tells of an RC4 ticket
	bare                // asked for by account name rather than by class and host
	search              // an LDAP search for all accounts with service names
	granted             // a ticket was issued
)

const (
	minute = activity.Time(60 * 1e9)
	day    = activity.Time(24 * 3600 * 1e9)
)

// ofComputers are the service classes of computer accounts, whose passwords
// nobody guesses (MS-ADTS §2.2.21 sPNMappings, without http, which accounts of
// people have too).
var ofComputers = map[string]bool{
	"host": true, "cifs": true, "ldap": true, "gc": true, "dns": true, "rpc": true, "rpcss": true, "restrictedkrbhost": true,
	"termsrv": true, "wsman": true, "krbtgt": true, "kadmin": true, "dhcp": true, "wins": true, "spooler": true, "schedule": true,
	"netlogon": true, "nfs": true, "e3514235-4b06-11d1-ab04-00c04fc2dcd2": true,
}

// detector remembers, for one source, the last day's tickets for services of
// accounts, and searches. Acts are added by Process and dropped by Recent after
// a day.
type detector struct {
	Recent detect.Recent
	tuning detect.Tuning
	wide   tally
	narrow tally
	slides [2]*detect.Slide
}

func newDetector(t detect.Tuning) detect.Detector {
	d := &detector{tuning: t}
	d.slides[0] = d.Recent.Slide(activity.Time(t.Seconds("window")), &d.wide)
	d.slides[1] = d.Recent.Slide(minute, &d.narrow)
	return d
}

// tally counts a window's distinct services, and of these the weak and bare ones.
type tally struct{ all, weak, bare map[string]int }

func (t *tally) Reset() {
	*t = tally{make(map[string]int), make(map[string]int), make(map[string]int)}
}

func (t *tally) Enter(a *detect.Act) { t.count(a, 1) }
func (t *tally) Leave(a *detect.Act) { t.count(a, -1) }

func (t *tally) count(a *detect.Act, n int) {
	if a.Bits&search != 0 {
		return
	}
	add := func(m map[string]int, ok bool) {
		if !ok {
			return
		}
		if m[a.Key] += n; m[a.Key] == 0 {
			delete(m, a.Key)
		}
	}
	add(t.all, a.Bits&granted != 0)
	add(t.weak, a.Bits&weak != 0)
	add(t.bare, a.Bits&(weak|bare) == weak|bare)
}

func key(r *resolve.Resolved) string {
	if _, ok := reads(r); !ok {
		return ""
	}
	return detect.SourceAddress(r)
}

// reads tells whether the activity is of interest, and its bits.
func reads(r *resolve.Resolved) (bits uint32, ok bool) {
	if r.Kind == activity.LDAPQuery {
		// Clients look for one name they know; tools for all there are.
		return search, strings.Contains(strings.ToLower(r.LDAPSearch.Filter), "serviceprincipalname=*")
	}
	k := r.Kerberos
	if !k.RequestSeen || k.Service == "" || r.Outcome == activity.Attempt || r.Source.DC != "" {
		return 0, false
	}
	class, _, spn := strings.Cut(k.Service, "/")
	switch {
	case spn && ofComputers[names.Fold(class)]:
		return 0, false
	case !spn:
		// Its own name: S4U2self and user-to-user.
		name, _, _ := strings.Cut(k.Service, "@")
		if strings.HasSuffix(name, "$") || ofComputers[names.Fold(name)] || names.Fold(name) == names.Fold(r.Account.Name) {
			return 0, false
		}
		if r.Via != activity.ViaEvent { // which names accounts always
			bits |= bare
		}
	}
	if r.Outcome == activity.Success {
		bits |= granted
	}
	switch {
	case r.Via == activity.ViaEvent:
		if k.Issued != nil && !aes(k.Issued.EType) && k.Issued.EType != 0 {
			bits |= weak
		}
	case len(k.ETypes) > 0 && !slices.ContainsFunc(k.ETypes, aes):
		bits |= weak
	}
	return bits, bits&(granted|weak) != 0
}

// aes tells whether an encryption type is one of the AES ones (RFC 3962, RFC 8009).
func aes(etype int32) bool { return etype >= 17 && etype <= 20 }

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	bits, _ := reads(r)
	act := detect.ActOf(r, "")
	act.Bits = bits
	if bits&search == 0 {
		act.Key = names.Fold(r.Kerberos.Service)
		act.Account = detect.Party{Name: r.Kerberos.Service, Role: detect.Exposed, Key: "service:" + act.Key}
	}
	i := d.Recent.Add(act, day)
	if i < 0 || bits&search != 0 {
		return
	}
	d.slides[0].To(i, func(end int) { d.judge(r, end, false, emit) })
	d.slides[1].To(i, func(end int) { d.judge(r, end, true, emit) })
}

func (d *detector) judge(r *resolve.Resolved, end int, burst bool, emit func(detect.Finding)) {
	var (
		window  = d.tuning.Seconds("window")
		numbers []detect.Number
		notes   []string
		pick    = func(a *detect.Act) bool { return a.Bits&search == 0 }
	)
	if burst {
		window = time.Minute
		n, threshold := len(d.narrow.all), d.tuning.Int("burst")
		if n < threshold {
			return
		}
		numbers = append(numbers, detect.Number{Name: "services asked for", Value: n, Threshold: threshold, Window: window})
	} else {
		services := d.tuning.Int("services")
		if n, threshold := len(d.wide.bare), d.tuning.Int("bare-services"); n >= threshold {
			numbers = append(numbers, detect.Number{Name: "services asked for by account name and without AES", Value: n, Threshold: threshold, Window: window})
		}
		if n := len(d.wide.weak); n >= services {
			numbers = append(numbers, detect.Number{Name: "services asked for without AES", Value: n, Threshold: services, Window: window})
		}
		if n := len(d.wide.all); n >= services && d.searched(end) {
			numbers = append(numbers, detect.Number{Name: "services asked for after the search", Value: n, Threshold: services, Window: window})
		} else if len(numbers) > 0 {
			pick = func(a *detect.Act) bool { return a.Bits&weak != 0 }
		}
	}
	if numbers == nil {
		return
	}
	if d.searched(end) {
		notes = append(notes, "The same source searched LDAP for all accounts with service names shortly before.")
	}
	f := detect.FindingOf(r)
	f.Outcome = activity.Failure
	if !detect.Report(d.Recent.Window(end, activity.Time(window)), &f, func(a *detect.Act) bool {
		if !pick(a) {
			return false
		}
		if a.Bits&granted != 0 {
			f.Outcome = activity.Success
		}
		return true
	}) {
		return
	}
	if !r.Account.Zero() {
		f.Accounts = append(f.Accounts, detect.PartyOf(r.Account, detect.Actor))
	}
	f.Numbers, f.Notes = numbers, notes
	emit(f)
}

// searched tells whether the source searched for services before the act at end.
func (d *detector) searched(end int) bool {
	return slices.ContainsFunc(d.Recent.Window(end, activity.Time(d.tuning.Seconds("search-window"))),
		func(a detect.Act) bool { return a.Bits&search != 0 })
}

func summary(f detect.Facts) string {
	who := f.Source
	if name := f.First[detect.Actor]; name != "" {
		who += " as " + name
	}
	n, what := f.Accounts[detect.Exposed], "services"
	if n == 1 {
		what = "service"
	}
	verb := "obtained"
	if f.Outcome != activity.Success {
		verb = "asked for, and did not get,"
	}
	return fmt.Sprintf("%s %s tickets for %d %s from %s: the passwords of the accounts behind them can be guessed offline.", who, verb, n, what, f.Target)
}
