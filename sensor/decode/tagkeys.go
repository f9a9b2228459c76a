package decode

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/verderer/verderer/activity"
)

// tagKeys knows the key of password tags for the day at hand.
type tagKeys struct {
	site []byte
	of   func(day string) []byte // nil: keys are made of site

	day     activity.Time // since 1970, of current
	current []byte
	made    bool // of site, though there is of: it may have one later
}

func (k *tagKeys) key(now activity.Time) []byte {
	const day = activity.Time(24 * time.Hour)
	d := now / day
	if d == k.day && k.current != nil && !k.made {
		return k.current
	}
	if k.of != nil {
		if given := k.of(now.Go().Format(time.DateOnly)); given != nil {
			k.day, k.current, k.made = d, given, false
			return given
		}
	}
	if d != k.day || k.current == nil {
		m := hmac.New(sha256.New, k.site)
		m.Write(binary.BigEndian.AppendUint64([]byte("password tag"), uint64(d)))
		k.day, k.current = d, m.Sum(nil)
	}
	k.made = k.of != nil
	return k.current
}
