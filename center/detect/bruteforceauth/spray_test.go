package bruteforceauth

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

func wrong(n int, user string, at activity.Time) *resolve.Resolved {
	a := &activity.Activity{Time: at, Kind: activity.KerberosAS, Outcome: activity.Failure,
		Kerberos: &activity.Kerberos{RequestSeen: true, ErrorCode: activity.KRBPreAuthFailed}}
	binary.BigEndian.PutUint64(a.ID[:], uint64(n))
	return &resolve.Resolved{Activity: a, Account: resolve.Account{Name: user, Key: user + "@lab"},
		Source: resolve.Host{Addr: netip.AddrFrom4([4]byte{10, 0, 0, 1})}}
}

// TestSprayAtLevelHigh: an account with many failures neither counts for a spray
// nor hides one.
func TestSprayAtLevelHigh(t *testing.T) {
	for _, c := range []struct {
		sprayed, hammered int
		alert             bool
	}{{14, 0, false}, {14, 1, false}, {15, 0, true}, {15, 1, true}} {
		d := Definition.New(Definition.Tune(detect.LevelHigh))
		findings, n := 0, 0
		try := func(user string) {
			n++
			d.Process(wrong(n, user, activity.Time(1e18)+activity.Time(n)*1e9), func(detect.Finding) { findings++ })
		}
		for i := range c.hammered * (perRound + 1) {
			try(fmt.Sprint("hammered", i/(perRound+1)))
		}
		for i := range c.sprayed {
			try(fmt.Sprint("user", i))
		}
		if findings > 0 != c.alert {
			t.Errorf("%d sprayed, %d hammered: %d findings, alert %v wanted", c.sprayed, c.hammered, findings, c.alert)
		}
	}
}

// BenchmarkLateInSpray is what one late failure costs amid a spray that fills
// the memory: it is judged at each act after it.
func BenchmarkLateInSpray(b *testing.B) {
	d := Definition.New(Definition.Tune(detect.LevelLow))
	none := func(detect.Finding) {}
	const start = activity.Time(1e18)
	for i := range 3000 {
		d.Process(wrong(i, fmt.Sprint("user", i), start+activity.Time(i)*1e6), none)
	}
	b.ResetTimer()
	for i := range b.N {
		d.Process(wrong(5000+i, fmt.Sprint("late", i), start+1), none)
	}
}
