// Package dnsrecon detects mapping of the network through the domain
// controllers' DNS: zone transfers, sweeps of reverse names, bulk look-ups.
package dnsrecon

import (
	_ "embed"
	"fmt"
	"slices"
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
	ID:          "dns-recon",
	Name:        "Network mapping reconnaissance (DNS)",
	MDIID:       2007,
	ATAIDs:      []int{2007},
	ATAKeys:     []string{"DnsReconnaissance"},
	Severity:    detect.Medium,
	Tactic:      "Discovery",
	Techniques:  []string{"T1018", "T1046", "T1087"},
	Consumes:    []activity.Kind{activity.DNSQuery},
	Learning:    8 * 24 * time.Hour,
	Retain:      24 * time.Hour,
	Exclusions:  []detect.ExclusionKind{detect.ExcludeComputer, detect.ExcludeAddress},
	Description: "A computer that is no DNS server asked for a whole zone, or for so many names that it draws a map of the network.",
	Needs:       []string{"DNS queries to the domain controllers and their answers"},
	BlindSpots: []string{
		"queries to DNS servers that are not watched, and encrypted DNS",
		"a sweep slower than the window",
	},
	Legitimate: "A secondary DNS server, an address management or vulnerability scanner: exclude it by its address.",
	KeyMeans:   "source address, zone transfers apart from look-ups",
	Tunables: []detect.Tunable{
		{Name: "names", Unit: "names of own zones", High: 300, Medium: 150, Low: 150, Min: 50, Max: 100_000,
			Why: "a workstation asks for a few dozen names in ten minutes; only names the server answers with authority count"},
		{Name: "reverse-names", Unit: "addresses of one network", High: 100, Medium: 50, Low: 50, Min: 10, Max: 10_000,
			Why: "a sweep walks through a network; half of a /24's usable size is far above what one host talks to"},
		{Name: "reverse-missing-share", Unit: "percent", High: 50, Medium: 50, Low: 50, Min: 0, Max: 100,
			Why: "a sweep hits addresses nobody uses; enrichment asks for those that talk, which have names"},
		{Name: "rare-types", Unit: "names asked for with ANY, SRV, TXT or DNSKEY", High: 100, Medium: 50, Low: 50, Min: 10, Max: 10_000,
			Why: "even a domain controller that registers itself asks for about thirty service names"},
		{Name: "window", Unit: "seconds", High: 600, Medium: 600, Low: 600, Min: 60, Max: 86_400,
			Why: "tools ask as fast as they can"},
	},
	README:  readme,
	Key:     key,
	New:     newDetector,
	Summary: summary,
}

// DNS types and codes (RFC 1035, RFC 1995, RFC 5936, RFC 2782, RFC 4034).
const (
	typePTR, typeTXT, typeSRV, typeDNSKEY, typeIXFR, typeAXFR, typeANY = 12, 16, 33, 48, 251, 252, 255
	nxDomain                                                           = 3
)

const day = activity.Time(24 * 3600 * 1e9)

// bits of an act; a name of an own zone has own
const (
	own     = 1
	reverse = 2
	missing = 4
	rare    = 8
)

// detector remembers, for one source, the last day's questions that count. Acts
// are added by Process and dropped by Recent after a day.
type detector struct {
	Recent    detect.Recent
	Transfers int // zone transfers asked for
	tuning    detect.Tuning
	tally     tally
	slide     *detect.Slide
}

func newDetector(t detect.Tuning) detect.Detector {
	d := &detector{tuning: t, tally: tally{thresholds: thresholds{
		names: t.Int("names"), rareNames: t.Int("rare-types"), addresses: t.Int("reverse-names"), missingShare: t.Int("reverse-missing-share"),
	}}}
	d.slide = d.Recent.Slide(activity.Time(t.Seconds("window")), &d.tally)
	return d
}

func key(r *resolve.Resolved) string {
	if r.Source.DC != "" || r.Source.DNSServer {
		return ""
	}
	source := detect.SourceAddress(r)
	switch {
	case source == "" || !transfer(r.DNS.Type) && bits(r.DNS) == 0:
		return ""
	case transfer(r.DNS.Type):
		return source + " transfer" // an alert of its own: it succeeds or fails as a whole
	}
	return source
}

func transfer(qtype uint16) bool { return qtype == typeAXFR || qtype == typeIXFR }

// bits tells what a question counts as.
func bits(d *activity.DNS) uint32 {
	var b uint32
	switch d.Type {
	case typePTR:
		if _, ok := names.PTRAddr(d.Question); !ok {
			return 0
		}
		b = reverse
		if d.RCode == nxDomain {
			b |= missing
		}
	case typeANY, typeSRV, typeTXT, typeDNSKEY:
		b = rare
	}
	if d.Authoritative && b&reverse == 0 {
		b |= own
	}
	return b
}

func (d *detector) Size() int { return d.Recent.Size() }

func (d *detector) Process(r *resolve.Resolved, emit func(detect.Finding)) {
	if transfer(r.DNS.Type) {
		d.Transfers++
		emit(d.zoneTransfer(r))
		return
	}
	act := detect.ActOf(r, names.HostKey(r.DNS.Question))
	act.Account = detect.Party{}
	act.Bits = bits(r.DNS)
	if i := d.Recent.Add(act, day); i >= 0 {
		d.slide.To(i, func(end int) { d.judge(r, end, emit) })
	}
}

// transfers names the number by which summary knows a zone transfer.
const transfers = "zone transfers asked for by a computer that is no DNS server"

func (d *detector) zoneTransfer(r *resolve.Resolved) detect.Finding {
	f := detect.FindingOf(r)
	f.Start, f.End, f.Count = r.Time, r.Time, 1
	f.Outcome = r.Outcome
	f.Activities = []activity.ID{r.ID}
	f.Targets = []detect.Computer{detect.ComputerOf(r.Target)}
	f.Numbers = []detect.Number{{Name: transfers, Value: d.Transfers, Threshold: 1}}
	note := fmt.Sprintf("Asked for the zone %s", r.DNS.Question)
	switch {
	case r.Outcome == activity.Success && r.DNS.Answers == 0:
		f.Outcome = activity.Failure // Samba's way of refusing
		note += " and got an answer without any record."
	case r.Outcome == activity.Success:
		note += fmt.Sprintf(" and got %d records.", r.DNS.Answers)
	case r.Error != "":
		note += ": " + r.Error + "."
	default:
		note += "; no answer was seen."
	}
	f.Notes = []string{note, r.Source.Label() + " is not known as a DNS server: it answered no DNS query, and no name server record of a domain controller's DNS names it."}
	return f
}

func (d *detector) judge(r *resolve.Resolved, end int, emit func(detect.Finding)) {
	window := d.tuning.Seconds("window")
	var numbers []detect.Number
	var counted uint32
	if n, t := len(d.tally.own), d.tally.names; n >= t {
		counted |= own
		numbers = append(numbers, detect.Number{Name: "distinct names of own zones", Value: n, Threshold: t, Window: window})
	}
	if n, t := len(d.tally.rare), d.tally.rareNames; n >= t {
		counted |= rare
		numbers = append(numbers, detect.Number{Name: "distinct names asked for with ANY, SRV, TXT or DNSKEY", Value: n, Threshold: t, Window: window})
	}
	t, asked, gone := d.tally.addresses, 0, 0
	if d.tally.swept > 0 {
		for _, n := range d.tally.networks {
			if d.tally.sweep(n) && (n.asked > asked || n.asked == asked && n.missing > gone) {
				asked, gone = n.asked, n.missing
			}
		}
	}
	if asked > 0 {
		counted |= reverse
		numbers = append(numbers,
			detect.Number{Name: "addresses of one network asked for their names", Value: asked, Threshold: t, Window: window},
			detect.Number{Name: "of these without a name", Value: gone, Window: window})
	}
	if counted == 0 {
		return
	}
	f := detect.FindingOf(r)
	if !detect.Report(d.Recent.Window(end, activity.Time(window)), &f, func(a *detect.Act) bool { return a.Bits&counted != 0 }) {
		return
	}
	f.Accounts = nil
	f.Outcome = activity.Success
	f.Numbers = numbers
	emit(f)
}

func summary(f detect.Facts) string {
	if slices.ContainsFunc(f.Numbers, func(n detect.Number) bool { return n.Name == transfers }) {
		s := fmt.Sprintf("%s, which is no DNS server, asked %s to transfer a zone", f.Source, f.Target)
		switch f.Outcome {
		case activity.Success:
			return s + " and got it."
		case activity.Failure:
			return s + " and was refused."
		}
		return s + "."
	}
	return fmt.Sprintf("%s drew a map of the network from the DNS of %s, with %d questions.", f.Source, f.Target, f.Count)
}
