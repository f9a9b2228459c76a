package names

import (
	"math"
	"testing"
	"time"
)

func TestFiletimeToUnixNano(t *testing.T) {
	for _, c := range []struct {
		ft   uint64
		want string // RFC 3339, "" when not a time
	}{
		{116444736000000000, "1970-01-01T00:00:00Z"},
		{116444736000000001, "1970-01-01T00:00:00.0000001Z"},
		{116444735999999999, "1969-12-31T23:59:59.9999999Z"},
		{132223104000000000, "2020-01-01T00:00:00Z"},
		{116444736000000000 + math.MaxInt64/100, "2262-04-11T23:47:16.8547758Z"},
		{116444736000000000 - math.MaxInt64/100, "1677-09-21T00:12:43.1452242Z"},
		{116444736000000000 + math.MaxInt64/100 + 1, ""},
		{116444736000000000 - math.MaxInt64/100 - 1, ""},
		{0, ""},
		{1, ""}, // 1601
		{0x7FFFFFFFFFFFFFFF, ""},
		{0x7FFFFFFFFFFFFFFE, ""}, // year 30828
		{0x8000000000000000, ""},
		{math.MaxUint64, ""},
	} {
		ns, ok := FiletimeToUnixNano(c.ft)
		if got := time.Unix(0, ns).UTC().Format(time.RFC3339Nano); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("FiletimeToUnixNano(%d) = %s, %v; want %q", c.ft, got, ok, c.want)
		}
	}
}
