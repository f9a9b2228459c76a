package dnsrecon_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/dnsrecon"
	"github.com/verderer/verderer/center/resolve"
)

// Types of questions (RFC 1035, 1995, 2782, 4034).
const typeA, typePTR, typeTXT, typeSRV, typeDNSKEY, typeIXFR, typeAXFR, typeANY = 1, 12, 16, 33, 48, 251, 252, 255

func question(at float64, name string, qtype uint16, authoritative, missing bool) *resolve.Resolved {
	r := detecttest.Resolved(activity.DNSQuery, at)
	r.DNS = &activity.DNS{Question: name, Type: qtype, Class: 1, Authoritative: authoritative}
	if missing {
		r.DNS.RCode, r.Outcome = 3, activity.Failure
	}
	return r
}

// names asks for n names of own zones.
func names(at float64, n int, prefix string, qtype uint16) (all []*resolve.Resolved) {
	for i := range n {
		all = append(all, question(at+float64(i)/10, fmt.Sprintf("%s%d.lab.example", prefix, i), qtype, qtype == typeA, false))
	}
	return all
}

// sweep asks for the names of n addresses of a network, of which the first
// missing have none.
func sweep(at float64, network string, n, missing int) (all []*resolve.Resolved) {
	addr := netip.MustParsePrefix(network).Addr()
	for i := range n {
		all = append(all, question(at+float64(i)/10, reverse(addr), typePTR, true, i < missing))
		addr = addr.Next()
	}
	return all
}

// reverse is the name to ask for an address's name (RFC 1035 §3.5, RFC 3596 §2.5).
func reverse(a netip.Addr) string {
	b, suffix := a.AsSlice(), "in-addr.arpa"
	var labels []string
	for i := len(b) - 1; i >= 0; i-- {
		if a.Is4() {
			labels = append(labels, fmt.Sprint(b[i]))
		} else {
			labels, suffix = append(labels, fmt.Sprintf("%x.%x", b[i]&15, b[i]>>4)), "ip6.arpa"
		}
	}
	return strings.Join(labels, ".") + "." + suffix
}

func TestLookUps(t *testing.T) {
	join := detecttest.Join
	foreign := names(0, 300, "x", typeA)
	for _, r := range foreign {
		r.DNS.Authoritative = false
	}
	mixed := join(names(0, 13, "a", typeTXT), names(2, 13, "b", typeSRV), names(4, 12, "c", typeDNSKEY), names(6, 12, "d", typeANY))
	resolver := names(0, 300, "x", typeA)
	for _, r := range resolver {
		r.Source.DNSServer = true
	}
	controller := names(0, 300, "x", typeA)
	for _, r := range controller {
		r.Source.DC = "answered Kerberos requests"
	}
	detecttest.Rules(t, dnsrecon.Definition, []detecttest.Rule{
		{Name: "names: one below", Acts: names(0, 149, "x", typeA)},
		{Name: "names: at it", Acts: names(0, 150, "x", typeA), Count: 150},
		{Name: "names: high, one below", Level: detect.LevelHigh, Acts: names(0, 299, "x", typeA)},
		{Name: "names: high, at it", Level: detect.LevelHigh, Acts: names(0, 300, "x", typeA), Count: 300},
		{Name: "names: the same again, in other case", Acts: join(names(0, 149, "x", typeA), names(20, 149, "X", typeA))},
		{Name: "names: in exactly ten minutes", Acts: join(names(0, 149, "x", typeA), names(600, 1, "y", typeA)), Count: 150},
		{Name: "names: in more", Acts: join(names(0, 149, "x", typeA), names(600.001, 1, "y", typeA))},
		{Name: "names: the missing one comes late", Acts: join(names(500, 149, "x", typeA), names(0, 1, "y", typeA)), Count: 150},
		{Name: "names of foreign zones", Acts: foreign},
		{Name: "rare types: one below", Acts: mixed[:49]},
		{Name: "rare types: at it", Acts: mixed, Count: 50},
		{Name: "rare types: high, one below", Level: detect.LevelHigh, Acts: names(0, 99, "x", typeSRV)},
		{Name: "rare types: high, at it", Level: detect.LevelHigh, Acts: names(0, 100, "x", typeSRV), Count: 100},
		{Name: "a DNS server", Acts: resolver},
		{Name: "a domain controller", Acts: controller},
	})
}

func TestSweeps(t *testing.T) {
	join := detecttest.Join
	zone := sweep(0, "10.9.0.0/24", 60, 60)
	for _, r := range zone {
		_, r.DNS.Question, _ = strings.Cut(r.DNS.Question, ".")
	}
	detecttest.Rules(t, dnsrecon.Definition, []detecttest.Rule{
		{Name: "one below", Acts: sweep(0, "10.9.0.0/24", 49, 49)},
		{Name: "at it", Acts: sweep(0, "10.9.0.0/24", 50, 50), Count: 50},
		{Name: "high: one below", Level: detect.LevelHigh, Acts: sweep(0, "10.9.0.0/24", 99, 99)},
		{Name: "high: at it", Level: detect.LevelHigh, Acts: sweep(0, "10.9.0.0/24", 100, 100), Count: 100},
		{Name: "half of them missing", Acts: sweep(0, "10.9.0.0/24", 50, 25), Count: 50},
		{Name: "fewer", Acts: sweep(0, "10.9.0.0/24", 50, 24)},
		{Name: "two networks", Acts: join(sweep(0, "10.9.0.0/24", 49, 49), sweep(10, "10.9.1.0/24", 49, 49))},
		{Name: "across the border of two", Acts: sweep(0, "10.9.0.210/24", 90, 90)},
		{Name: "one of two", Acts: join(sweep(0, "10.9.1.0/24", 20, 20), sweep(10, "10.9.0.0/24", 50, 50)), Count: 70},
		{Name: "IPv6: one below", Acts: sweep(0, "2001:db8::/120", 49, 49)},
		{Name: "IPv6: at it", Acts: sweep(0, "2001:db8::/120", 50, 50), Count: 50},
		{Name: "IPv6: across the border of two", Acts: sweep(0, "2001:db8::d2/120", 90, 90)},
		{Name: "the same address again and again", Acts: join(sweep(0, "10.9.0.0/24", 30, 30), sweep(10, "10.9.0.0/24", 30, 30))},
		{Name: "in exactly ten minutes", Acts: join(sweep(0, "10.9.0.0/24", 49, 49), sweep(600, "10.9.0.200/24", 1, 1)), Count: 50},
		{Name: "in more", Acts: join(sweep(0, "10.9.0.0/24", 49, 49), sweep(600.001, "10.9.0.200/24", 1, 1))},
		{Name: "names registered meanwhile", Acts: join(sweep(0, "10.9.0.0/24", 49, 49), sweep(10, "10.9.0.0/24", 49, 0), sweep(20, "10.9.0.200/24", 1, 1))},
		{Name: "reverse zones, not addresses", Acts: zone},
	})
}

func TestTransfers(t *testing.T) {
	acts := func(all ...*resolve.Resolved) []*resolve.Resolved { return all }
	got := question(0, "lab.example", typeAXFR, true, false)
	got.DNS.Answers = 40
	known := question(0, "lab.example", typeAXFR, true, false)
	known.Source.DNSServer = true
	itself := question(0, "lab.example", typeAXFR, true, false)
	itself.Source = itself.Target
	detecttest.Rules(t, dnsrecon.Definition, []detecttest.Rule{
		{Name: "AXFR", Acts: acts(got), Count: 1},
		{Name: "IXFR", Acts: acts(question(0, "lab.example", typeIXFR, true, false)), Count: 1},
		{Name: "by a DNS server", Acts: acts(known)},
		{Name: "by itself", Acts: acts(itself)},
	})
	for _, c := range []struct {
		r       *resolve.Resolved
		answers int
		outcome activity.Outcome
	}{
		{question(0, "z", typeAXFR, true, false), 40, activity.Success},
		{question(0, "z", typeAXFR, true, false), 0, activity.Failure}, // Samba's way of refusing
		{question(0, "z", typeAXFR, true, true), 0, activity.Failure},
	} {
		c.r.DNS.Answers = c.answers
		f := detecttest.Play(dnsrecon.Definition, detect.LevelLow, acts(c.r))
		if len(f) != 1 || f[0].Outcome != c.outcome {
			t.Errorf("%d answers, %s: %+v", c.answers, c.r.Outcome, f)
		}
	}
}

// BenchmarkEnrichment is a log server that looks up the names of addresses all
// day, most of which have one: thousands of questions in each window, and quiet.
func BenchmarkEnrichment(b *testing.B) {
	d := dnsrecon.Definition.New(dnsrecon.Definition.Tune(detect.LevelLow))
	acts := make([]*resolve.Resolved, 0, b.N)
	for i := range b.N {
		addr := netip.AddrFrom4([4]byte{10, 9, byte(i / 97 % 4), byte(i)})
		r := question(float64(i)/100, reverse(addr), typePTR, true, byte(i)%5 == 0)
		r.Activity.ID = activity.ID{byte(i), byte(i >> 8), byte(i >> 16)}
		acts = append(acts, r)
	}
	b.ResetTimer()
	for _, r := range acts {
		d.Process(r, func(detect.Finding) { b.Fatal("an alert") })
	}
}
