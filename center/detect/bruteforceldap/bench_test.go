package bruteforceldap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/center/resolve"
)

// BenchmarkLateInSpray is what one late bind costs amid a spray that fills the
// memory: it is judged at each bind after it.
func BenchmarkLateInSpray(b *testing.B) {
	d := Definition.New(Definition.Tune(detect.LevelLow))
	mk := func(n int, at activity.Time) *resolve.Resolved {
		a := &activity.Activity{Time: at, Kind: activity.LDAPSimple, Outcome: activity.Failure, LDAPBind: &activity.LDAPBind{ResultCode: 49, PasswordTag: uint16(n)}}
		binary.BigEndian.PutUint64(a.ID[:], uint64(n))
		u := fmt.Sprint("u", n)
		return &resolve.Resolved{Activity: a, Account: resolve.Account{Name: u, Key: u}, Source: resolve.Host{Addr: netip.AddrFrom4([4]byte{10, 0, 0, 1})}}
	}
	for i := range 3000 {
		d.Process(mk(i, activity.Time(1e18)+activity.Time(i)*1e6), func(detect.Finding) {})
	}
	b.ResetTimer()
	for i := range b.N {
		d.Process(mk(i+5000, activity.Time(1e18)+1), func(detect.Finding) {})
	}
}
