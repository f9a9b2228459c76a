package ingest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
)

// randomLog is what several sensors send whose clocks, delays and connections
// differ: attach, activities more or less out of order, progress that keeps its
// promise mostly, detach, attach again.
func randomLog(rnd *rand.Rand) []Record {
	sensors := []string{"a", "b", "c"}
	clock := make(map[string]float64) // what each has promised
	on := make(map[string]bool)
	var log []Record
	var sent []*activity.Activity
	now := 0.0
	for range 300 {
		now += rnd.Float64()
		s := sensors[rnd.IntN(len(sensors))]
		switch n := rnd.IntN(20); {
		case !on[s]:
			on[s] = true
			clock[s] = now - rnd.Float64()
			log = append(log, Record{Sensor: s, Ingest: at(now), Attach: at(clock[s])})
		case n == 0:
			on[s] = false
			log = append(log, detach(s, now))
		case n == 1: // a bad clock
			log = append(log, Record{Sensor: s, Ingest: at(now), Progress: at(now + 1000)})
		case n == 2: // late, at times by much
			log = append(log, bind(rnd, s, now, clock[s]-rnd.Float64()*rnd.Float64()*100))
		case n == 3 && len(sent) > 0: // the same again
			log = append(log, Record{Sensor: s, Ingest: at(now), Activity: sent[rnd.IntN(len(sent))]})
		case n == 4:
			log = append(log, bind(rnd, s, now, now+1000*rnd.Float64())) // ahead, quarantined or not
		case n < 15:
			log = append(log, bind(rnd, s, now, clock[s]+rnd.Float64()*3))
		default:
			clock[s] = now - rnd.Float64()
			log = append(log, Record{Sensor: s, Ingest: at(now), Progress: at(clock[s])})
		}
		if a := log[len(log)-1].Activity; a != nil {
			sent = append(sent, a)
		}
	}
	return log
}

// bind has a coarse time, so that several fall together, and a password tag.
func bind(rnd *rand.Rand, sensor string, ingest, seconds float64) Record {
	a := act(float64(int(seconds*4))/4, fmt.Sprint(rnd.IntN(50)))
	a.LDAPBind.PasswordTag = uint16(rnd.IntN(1 << 16))
	return send(sensor, ingest, a)
}

type released struct {
	id   activity.ID
	tag  uint16
	late bool
}

func run(t *testing.T, log []Record, restoreAt func(i int) bool) ([]released, []counter.Row) {
	t.Helper()
	var counters counter.Set
	o := NewOrder(&counters)
	var got []released
	note := func(items []Item) {
		for _, it := range items {
			got = append(got, released{it.Activity.ID, it.Activity.LDAPBind.PasswordTag, it.Late})
		}
	}
	for i := range log {
		if restoreAt(i) {
			b, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			o = NewOrder(&counters)
			if err := json.Unmarshal(b, o); err != nil {
				t.Fatal(err)
			}
		}
		note(o.Add(&log[i], nil))
	}
	note(o.Drain(nil))
	return got, counters.Rows()
}

// TestOrderProperties runs random logs: everything that is neither quarantined
// nor a repetition comes out once; in order unless late; and a restart anywhere
// changes nothing, password tags included, which JSON leaves out elsewhere.
func TestOrderProperties(t *testing.T) {
	var late, twice, ahead int64
	for seed := range uint64(200) {
		log := randomLog(rand.New(rand.NewPCG(seed, 1)))
		want, rows := run(t, log, func(int) bool { return false })

		counts := make(map[string]int64)
		for _, r := range rows {
			counts[r.Name] = r.Count
		}
		sent := int64(0)
		times := make(map[activity.ID]activity.Time)
		for _, r := range log {
			if r.Activity != nil {
				sent++
				times[r.Activity.ID] = r.Activity.Time
			}
		}
		if out := int64(len(want)) + counts["activities seen twice"] + counts["activities quarantined: clock ahead of ingest time"]; out != sent {
			t.Fatalf("seed %d: %d of %d activities accounted for", seed, out, sent)
		}
		late += counts["activities late"]
		twice += counts["activities seen twice"]
		ahead += counts["activities quarantined: clock ahead of ingest time"]

		var last released
		marked := int64(0)
		for _, r := range want {
			if r.late {
				marked++
				continue
			}
			before := &activity.Activity{Time: times[last.id], ID: last.id}
			if compare(before, &activity.Activity{Time: times[r.id], ID: r.id}) >= 0 && last.id != (activity.ID{}) {
				t.Fatalf("seed %d: %v at %v after %v at %v", seed, r.id, times[r.id], last.id, times[last.id])
			}
			last = r
		}
		if marked != counts["activities late"] {
			t.Fatalf("seed %d: %d marked late, %d counted", seed, marked, counts["activities late"])
		}

		rnd := rand.New(rand.NewPCG(seed, 2))
		again, againRows := run(t, log, func(int) bool { return rnd.IntN(30) == 0 })
		if !reflect.DeepEqual(want, again) || !reflect.DeepEqual(rows, againRows) {
			t.Fatalf("seed %d: a restored order goes on otherwise", seed)
		}
	}
	if late == 0 || twice == 0 || ahead == 0 {
		t.Errorf("late %d, twice %d, ahead %d: the logs show too little", late, twice, ahead)
	}
}

func TestOrderRefusesBrokenSnapshots(t *testing.T) {
	for _, s := range []string{
		``,
		`[]`,
		`{"held":[null],"tags":[0]}`,
		`{"held":[{"id":"00000000000000000000000000000000","time":"","kind":"logon.ldap.simple","source":{"addr":""},"target":{"addr":""}}],"tags":[0]}`,
		`{"held":[],"tags":[1]}`,
		`{"watermark":"yesterday"}`,
		`{"sensors":{"a":7}}`,
	} {
		if err := NewOrder(new(counter.Set)).UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
}
