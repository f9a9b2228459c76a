package detecttest

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
	"github.com/verderer/verderer/counter"
)

// T0 is when played activities begin.
const T0 = activity.Time(1_700_000_000 * 1e9)

// Resolved starts an activity of a kind, seconds after T0, from 10.0.0.66 to the
// domain controller 10.0.0.1, both in packets. It succeeded, and its detail is
// the caller's to set.
func Resolved(kind activity.Kind, seconds float64) *resolve.Resolved {
	source, target := netip.MustParseAddr("10.0.0.66"), netip.MustParseAddr("10.0.0.1")
	return &resolve.Resolved{
		Activity: &activity.Activity{
			Kind: kind, Time: T0 + activity.Time(seconds*1e9), Requested: T0 + activity.Time(seconds*1e9) - 1,
			Outcome: activity.Success,
			Source:  activity.Endpoint{Addr: source}, Target: activity.Endpoint{Addr: target},
		},
		Source: resolve.Host{Addr: source},
		Target: resolve.Host{Addr: target, DC: "answered Kerberos requests"},
	}
}

// Account is a resolved account of the domain lab.
func Account(name string) resolve.Account {
	return resolve.Account{Name: name, Domain: "LAB", Key: name + "@lab", Method: "wire"}
}

// Play runs activities, in the order given, through a definition and returns
// its findings. What comes before its predecessor's time is marked late.
func Play(d detect.Definition, level detect.Level, acts []*resolve.Resolved) (all []detect.Finding) {
	e := detect.NewEngine([]*detect.Definition{&d}, level, 1, new(counter.Set))
	var latest activity.Time
	for i, r := range acts {
		binary.BigEndian.PutUint64(r.Activity.ID[:], uint64(i+1))
		r.Late = r.Time < latest
		latest = max(latest, r.Time)
		all = append(all, e.Process([]*resolve.Resolved{r})...)
	}
	return all
}

// Rule is a case for the rule of a definition: what is played, and how many acts
// its findings then tell of, 0 for silence.
type Rule struct {
	Name  string
	Level detect.Level // low when empty
	Acts  []*resolve.Resolved
	Count int
}

// Join puts lists of activities one after the other.
func Join(lists ...[]*resolve.Resolved) (all []*resolve.Resolved) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// Rules plays each case.
func Rules(t *testing.T, d detect.Definition, cases []Rule) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if c.Level == "" {
				c.Level = detect.LevelLow
			}
			count := 0
			for _, f := range Play(d, c.Level, c.Acts) {
				count += f.Count
				if f.Count != len(f.Activities) || f.Count == 0 || f.Start > f.End {
					t.Errorf("an odd finding: %+v", f)
				}
			}
			if count != c.Count {
				t.Errorf("findings of %d acts, want %d", count, c.Count)
			}
		})
	}
}
