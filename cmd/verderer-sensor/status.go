package main

import (
	"runtime/metrics"
	"sync"

	"github.com/verderer/verderer/activity/wire"
)

// meter holds how the sensor is: one goroutine works, another asks.
type meter struct {
	mu     sync.Mutex
	status wire.Status
}

func (m *meter) set(f func(*wire.Status)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.status)
}

// status is what the sender reports.
func (s *sensing) status() wire.Status {
	s.now.mu.Lock()
	defer s.now.mu.Unlock()
	st := s.now.status
	st.Memory = memory()
	return st
}

// memory is what the Go runtime has of the system, which is all but some MiB of
// what is resident.
func memory() int64 {
	m := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(m)
	return int64(m[0].Value.Uint64() - m[1].Value.Uint64())
}

// tagKeys are the keys of password tags that the center gave: of today and
// tomorrow.
type tagKeys struct {
	mu   sync.Mutex
	keys map[string][]byte
}

// maxTagKeys caps the days that a center may give keys of; it gives two.
const maxTagKeys = 8

func (k *tagKeys) set(list []wire.TagKey) {
	keys := make(map[string][]byte)
	for _, key := range list[:min(len(list), maxTagKeys)] {
		if len(key.Key) >= 16 {
			keys[key.Day] = key.Key
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = keys
}

// of is the key of a day, nil without one.
func (k *tagKeys) of(day string) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[day]
}
