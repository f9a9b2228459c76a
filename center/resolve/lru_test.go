package resolve

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/directory"
	"github.com/verderer/verderer/center/ingest"
	"github.com/verderer/verderer/counter"
)

// order lists the keys, oldest first.
func order(l *lru[string, int]) (keys []string) {
	for e := l.order.Front(); e != nil; e = e.Next() {
		keys = append(keys, e.Value.(*entry[string, int]).Key)
	}
	return keys
}

func TestLRU(t *testing.T) {
	l := newLRU[string, int](3)
	for i, k := range []string{"a", "b", "c"} {
		if l.put(k, i) {
			t.Errorf("%s pushed something out of a map with room", k)
		}
	}
	if v, ok := l.get("a"); v != 0 || !ok {
		t.Error("get a")
	}
	if l.put("b", 7) {
		t.Error("a new value for an old key pushed something out")
	}
	if got := order(l); !slices.Equal(got, []string{"a", "c", "b"}) {
		t.Errorf("oldest first: %v; put renews, get does not", got)
	}
	if !l.put("d", 9) {
		t.Error("a fourth was not told to push out")
	}
	if _, ok := l.get("a"); ok || len(l.m) != 3 {
		t.Errorf("left: %v", order(l))
	}
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	again := newLRU[string, int](3)
	again.put("left over", 1)
	if err := json.Unmarshal(b, again); err != nil || !slices.Equal(order(again), order(l)) {
		t.Errorf("restored %v, %v; want %v", order(again), err, order(l))
	}
	if v, _ := again.get("b"); v != 7 {
		t.Errorf("b is %d", v)
	}
	small := newLRU[string, int](1)
	if err := json.Unmarshal(b, small); err != nil || !slices.Equal(order(small), []string{"d"}) {
		t.Errorf("restored into a smaller cap: %v, %v", order(small), err)
	}
}

func TestLRURefusesEntriesWithoutValue(t *testing.T) {
	for _, s := range []string{`[null]`, `[{}]`, `[{"k":"10.0.0.1"}]`, `[{"k":"10.0.0.1","v":null}]`, `[{"v":{}}]`, `[{"k":null,"v":{}}]`, `{}`, ``} {
		if err := newLRU[netip.Addr, *host](3).UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
}

func TestResolverRefusesBrokenSnapshots(t *testing.T) {
	for _, s := range []string{
		``, `null`, `{}`, `[]`,
		`{"tickets":[],"hosts":[],"names":[]}`,
		`{"tickets":[],"hosts":null,"names":[],"realms":[]}`,
		`{"tickets":[{"k":"00","v":{}}],"hosts":[],"names":[],"realms":[]}`,
		`{"tickets":[],"hosts":[{"k":"10.0.0.1","v":null}],"names":[],"realms":[]}`,
	} {
		if err := New(new(counter.Set)).UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
}

// TestSnapshotRoundTrip restarts the resolver in the middle of random traffic:
// its answers stay those of one that ran through.
func TestSnapshotRoundTrip(t *testing.T) {
	addrs := []netip.Addr{dc1, dc2, client1, attacker, helper, resolver}
	hosts := []string{"dc1.lab.example", "dc2.lab.example", "ws01.lab.example"}
	realms := []string{"lab.example", "other.example"}
	random := func(rnd *rand.Rand, now activity.Time) *activity.Activity {
		from, to := addrs[rnd.IntN(len(addrs))], addrs[rnd.IntN(len(addrs))]
		who := []string{"ann", "WS01$", "", "WELLKNOWN/ANONYMOUS"}[rnd.IntN(4)]
		var a *activity.Activity
		switch rnd.IntN(7) {
		case 0:
			a = as(from, to, who, byte(rnd.IntN(20)))
		case 1:
			a = tgs(from, to, who, byte(rnd.IntN(20)), byte(rnd.IntN(20)))
		case 2:
			a = ap(from, to, byte(rnd.IntN(20)))
		case 3:
			a = replicate(from, to, uint16(rnd.IntN(20)))
		case 4:
			a = ping(from, to)
		case 5:
			a = ask(from, to, "lab.example", 252)
		case 6:
			h, x := hosts[rnd.IntN(len(hosts))], addrs[rnd.IntN(len(addrs))]
			a = ask(from, to, "", typeSRV, srv(realms[rnd.IntN(2)], h), addr(h, x), ns(realms[rnd.IntN(2)], h))
		}
		if rnd.IntN(5) == 0 {
			a.Outcome = activity.Attempt
		}
		a.Time = now - activity.Time(rnd.IntN(10))*hour
		a.Requested = a.Time * activity.Time(rnd.IntN(2))
		return a
	}
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		straight, restored := New(new(counter.Set)), New(new(counter.Set))
		dir := &directory.Snapshot{Schema: directory.Schema, Domains: []directory.Domain{{DNS: realms[1]}},
			Replicators: []directory.Replicator{{Account: "ann", Hosts: []netip.Addr{helper}}}}
		for i := range 400 {
			if i == 100 {
				straight.SetDirectory(dir)
				restored.SetDirectory(dir)
			}
			if i%50 == 49 {
				b, err := json.Marshal(restored)
				if err != nil {
					t.Fatal(err)
				}
				restored = New(new(counter.Set))
				if err := json.Unmarshal(b, restored); err != nil {
					t.Fatal(err)
				}
			}
			it := ingest.Item{Activity: random(rnd, t0+activity.Time(i)*hour/4), Late: rnd.IntN(2) == 0}
			want, got := straight.Resolve(it), restored.Resolve(it)
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("seed %d, activity %d: restored answers\n%+v\nwant\n%+v", seed, i, *got, *want)
			}
		}
		now := t0 + 100*hour
		if w, g := straight.DomainControllers(now), restored.DomainControllers(now); !reflect.DeepEqual(w, g) {
			t.Errorf("seed %d: domain controllers %v, want %v", seed, g, w)
		}
	}
}
