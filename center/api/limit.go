package api

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A limiter allows each key a number of tries at once, and more as time passes.
// Its memory is bounded: when maxKeys are being counted, further ones share one
// count, so that whoever has many addresses locks out newcomers at worst, and
// is not let through.
type limiter struct {
	every rate.Limit
	burst int
	now   func() time.Time

	mu    sync.Mutex
	keys  map[string]*rate.Limiter
	rest  *rate.Limiter
	swept time.Time
}

// maxKeys caps a limiter, at about 150 bytes a key. Keys whose tries are all
// back are forgotten before it is said to be full.
const maxKeys = 10_000

func newLimiter(every time.Duration, burst int, now func() time.Time) *limiter {
	l := &limiter{every: rate.Every(every), burst: burst, now: now, keys: make(map[string]*rate.Limiter)}
	l.rest = rate.NewLimiter(l.every, burst)
	return l
}

// allow takes a try of the key, if there is one.
func (l *limiter) allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	k := l.keys[key]
	if k == nil {
		if len(l.keys) >= maxKeys {
			l.sweep(now)
		}
		if len(l.keys) >= maxKeys {
			return l.rest.AllowN(now, 1)
		}
		k = rate.NewLimiter(l.every, l.burst)
		l.keys[key] = k
	}
	return k.AllowN(now, 1)
}

// forget gives a key all its tries back.
func (l *limiter) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.keys, key)
}

// sweep forgets keys of which nothing needs to be remembered. At most once a
// second: it looks at every key.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for key, k := range l.keys {
		if k.TokensAt(now) >= float64(l.burst) {
			delete(l.keys, key)
		}
	}
}

// client is what an address is counted by: itself, or the /64 that one IPv6
// host commands.
func client(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote // a test's or a proxy's: all of them are one
	}
	a := ap.Addr().Unmap()
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
