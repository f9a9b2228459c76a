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

// BenchmarkChattySource is one busy source that is no attacker: a terminal
// server on which some mistype. Its memory is full.
func BenchmarkChattySource(b *testing.B) {
	d := Definition.New(Definition.Tune(detect.LevelLow))
	findings := 0
	for i := range b.N + 5000 {
		if i == 5000 {
			b.ResetTimer()
		}
		r := &resolve.Resolved{Activity: &activity.Activity{
			Time: activity.Time(1e18) + activity.Time(i)*10e9, Kind: activity.KerberosAS, Outcome: activity.Success,
			Kerberos: &activity.Kerberos{RequestSeen: true}},
			Source:  resolve.Host{Addr: netip.AddrFrom4([4]byte{10, 0, 0, 1})},
			Account: resolve.Account{Name: "u", Key: fmt.Sprintf("user%d@lab", i%500)},
		}
		binary.BigEndian.PutUint64(r.Activity.ID[:], uint64(i))
		if i%50 == 0 {
			r.Outcome, r.Activity.Kerberos.ErrorCode = activity.Failure, activity.KRBPreAuthFailed
		}
		d.Process(r, func(detect.Finding) { findings++ })
	}
	b.ReportMetric(float64(findings)/float64(b.N), "findings/op")
}
