package decode

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
)

// TestTagKeys: the key of a day is the one given for it; without one it is made
// of the site's key until one is given.
func TestTagKeys(t *testing.T) {
	noon := activity.Time(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	midnight := noon.Add(12 * time.Hour)
	tag := func(key string) uint16 {
		m := hmac.New(sha256.New, []byte(key))
		m.Write([]byte("Winter2026"))
		return max(1, binary.BigEndian.Uint16(m.Sum(nil)))
	}
	made := func(now activity.Time) uint16 {
		m := hmac.New(sha256.New, []byte("site"))
		m.Write(binary.BigEndian.AppendUint64([]byte("password tag"), uint64(now)/uint64(24*time.Hour)))
		return tag(string(m.Sum(nil)))
	}
	s := &Stage{tags: tagKeys{site: []byte("site")}}
	x := &Context{stage: s}
	check := func(now activity.Time, want uint16, why string) {
		t.Helper()
		if got := x.PasswordTag([]byte("Winter2026"), now); got != want {
			t.Errorf("%s: tag %d, want %d", why, got, want)
		}
	}
	check(noon, made(noon), "no keys given")
	check(midnight, made(midnight), "the next day")
	check(noon, made(noon), "and back")

	keys := map[string][]byte{"2026-03-01": []byte("first")}
	asked := 0
	s.TagKeys(func(day string) []byte { asked++; return keys[day] })
	check(noon, tag("first"), "a key given")
	check(noon+1, tag("first"), "the same day")
	if asked != 1 {
		t.Errorf("asked %d times for the key of a day", asked)
	}
	check(midnight, made(midnight), "a day without a key")
	keys["2026-03-02"] = []byte("second")
	check(midnight, tag("second"), "it came later")
	check(midnight-1, tag("first"), "the last instant of the day before")
	s.TagKeys(nil)
	check(midnight, made(midnight), "none any more")
}
