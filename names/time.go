package names

import "math"

const (
	// filetimeEpoch is 1970-01-01 in FILETIME: 100 ns ticks since 1601-01-01
	// UTC (MS-DTYP §2.3.3).
	filetimeEpoch = 116444736000000000
	// filetimeNever stands for "never" wherever the directory keeps a time
	// (MS-ADA1 accountExpires).
	filetimeNever = 0x7FFFFFFFFFFFFFFF
)

// FiletimeToUnixNano converts a FILETIME to nanoseconds since 1970 UTC,
// exactly. It is false for what is not a time: 0 (not set), 0x7FFFFFFFFFFFFFFF
// (never) and above, and for instants outside of what int64 nanoseconds hold,
// 1677-09-21 to 2262-04-11.
func FiletimeToUnixNano(ft uint64) (int64, bool) {
	if ft == 0 || ft >= filetimeNever {
		return 0, false
	}
	ticks := int64(ft) - filetimeEpoch // cannot overflow: 0 < ft < 2^63
	if ticks > math.MaxInt64/100 || ticks < math.MinInt64/100 {
		return 0, false
	}
	return ticks * 100, true
}
