package resolve

import (
	"container/list"
	"encoding/json"
	"errors"
	"fmt"
)

// lru is a map with a cap that forgets what was not put or touched for longest.
// Its order depends on the calls alone, so that a replay forgets the same.
type lru[K comparable, V any] struct {
	cap   int
	order list.List // of *entry, oldest first
	m     map[K]*list.Element
}

type entry[K comparable, V any] struct {
	Key   K `json:"k"`
	Value V `json:"v"`
}

func newLRU[K comparable, V any](cap int) *lru[K, V] {
	return &lru[K, V]{cap: cap, m: make(map[K]*list.Element)}
}

// get returns the value without touching it.
func (l *lru[K, V]) get(k K) (v V, ok bool) {
	if e := l.m[k]; e != nil {
		return e.Value.(*entry[K, V]).Value, true
	}
	return v, false
}

// put sets the value, makes it the youngest and reports whether another was
// forgotten for it.
func (l *lru[K, V]) put(k K, v V) (evicted bool) {
	if e := l.m[k]; e != nil {
		e.Value.(*entry[K, V]).Value = v
		l.order.MoveToBack(e)
		return false
	}
	l.m[k] = l.order.PushBack(&entry[K, V]{k, v})
	if len(l.m) > l.cap {
		old := l.order.Remove(l.order.Front()).(*entry[K, V])
		delete(l.m, old.Key)
		return true
	}
	return false
}

func (l *lru[K, V]) MarshalJSON() ([]byte, error) {
	all := make([]*entry[K, V], 0, len(l.m))
	for e := l.order.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*entry[K, V]))
	}
	return json.Marshal(all)
}

func (l *lru[K, V]) UnmarshalJSON(b []byte) error {
	// Pointers tell what is absent or null from what is zero.
	var all []*struct {
		Key   *K `json:"k"`
		Value *V `json:"v"`
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("reading bounded map: %w", err)
	}
	if all == nil {
		return errors.New("reading bounded map: null")
	}
	l.order.Init()
	clear(l.m)
	for _, e := range all {
		if e == nil || e.Key == nil || e.Value == nil {
			return errors.New("reading bounded map: an entry without key or value")
		}
		l.put(*e.Key, *e.Value)
	}
	return nil
}
