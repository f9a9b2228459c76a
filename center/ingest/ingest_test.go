package ingest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
)

// base is far from zero, since zero means unknown.
const base = activity.Time(1_700_000_000 * 1e9)

func at(seconds float64) activity.Time { return base + activity.Time(seconds*1e9) }

// act is an activity of its own at a time; who tells several of one time apart.
func act(seconds float64, who string) *activity.Activity {
	a := &activity.Activity{
		Time: at(seconds), Kind: activity.LDAPSimple, Account: activity.Account{Name: who},
		Source:   activity.Endpoint{Addr: netip.MustParseAddr("10.0.0.1")},
		LDAPBind: &activity.LDAPBind{ResultCode: 49},
	}
	a.Seal()
	return a
}

func send(sensor string, ingest float64, a *activity.Activity) Record {
	return Record{Sensor: sensor, Ingest: at(ingest), Activity: a}
}

func attach(sensor string, from float64) Record {
	return Record{Sensor: sensor, Ingest: at(from), Attach: at(from)}
}

func progress(sensor string, to float64) Record {
	return Record{Sensor: sensor, Ingest: at(to), Progress: at(to)}
}

func detach(sensor string, ingest float64) Record {
	return Record{Sensor: sensor, Ingest: at(ingest), Detach: true}
}

// names runs the records and lists the accounts released, "late" where marked,
// with "|" after each record that released any.
func names(o *Order, records ...Record) string {
	var b strings.Builder
	for i := range records {
		out := o.Add(&records[i], nil)
		for _, it := range out {
			if it.Late {
				b.WriteString("late ")
			}
			b.WriteString(it.Activity.Account.Name + " ")
		}
		if len(out) > 0 {
			b.WriteString("| ")
		}
	}
	return strings.TrimSpace(b.String())
}

func TestOrder(t *testing.T) {
	twice := act(1, "twice")
	for _, c := range []struct {
		name    string
		records []Record
		want    string
		counted string // the one counter that must be above zero
	}{
		{"held until progress, then by time", []Record{
			attach("a", 0), send("a", 2, act(2, "second")), send("a", 2, act(1, "first")), progress("a", 3),
		}, "first second |", ""},
		{"up to and including the watermark", []Record{
			attach("a", 0), send("a", 1, act(1, "at")), send("a", 1, act(1.000000001, "after")), progress("a", 1),
		}, "at |", ""},
		{"the slowest sensor decides", []Record{
			attach("a", 0), attach("b", 0), send("a", 1, act(1, "one")), progress("a", 5), send("b", 2, act(0.5, "half")), progress("b", 0.7), progress("b", 1),
		}, "half | one |", ""},
		{"a sensor that goes lets the others go on", []Record{
			attach("a", 0), attach("b", 0), send("a", 1, act(1, "one")), progress("a", 5), detach("b", 6),
		}, "one |", ""},
		{"without a sensor nothing moves", []Record{
			attach("a", 0), send("a", 1, act(1, "one")), detach("a", 2), progress("a", 3),
		}, "", "progress of a sensor not attached"},
		{"a sensor attached again from an earlier time holds back what is to come only", []Record{
			attach("a", 0), send("a", 1, act(1, "one")), progress("a", 2), attach("b", 1), send("b", 2, act(1.5, "late one")), send("a", 3, act(3, "three")), progress("a", 4), progress("b", 4),
		}, "one | late late one | three |", "activities late"},
		{"a single sensor that was cut off, works off what it kept, and is attached again: all in order, nothing late", []Record{
			attach("a", 0), send("a", 1, act(1, "one")), progress("a", 2), send("a", 3, act(2.5, "held")), detach("a", 12),
			send("a", 40, act(3.5, "kept")), send("a", 40, act(3, "kept first")), send("a", 41, act(39, "now")),
			{Sensor: "a", Ingest: at(41), Attach: at(40)}, send("a", 41, act(40.5, "next")), progress("a", 40), progress("a", 41),
		}, "one | held kept first kept now next |", ""},
		{"a sensor cut off while another goes on: what it kept is late, what it states once attached again is not", []Record{
			attach("a", 0), attach("b", 0), progress("a", 2), progress("b", 2), detach("a", 12), progress("b", 40), send("a", 40, act(3, "kept")),
			attach("a", 41), send("a", 42, act(41.5, "now")), progress("b", 43), progress("a", 42),
		}, "late kept | now |", "activities late"},
		{"what is read from files while others are attached is late, and holds nobody back", []Record{
			attach("a", 0), progress("a", 100), send("files", 101, act(7, "old")), send("a", 101, act(101, "now")), send("files", 101, act(8, "older")), progress("a", 102),
		}, "late old | late older | now |", "activities late"},
		{"quarantine is by the time that each record was stored", []Record{
			attach("a", 0), send("a", 0, act(301, "ahead")), send("a", 2, act(301.5, "taken")), progress("a", 302),
		}, "taken |", "activities quarantined: clock ahead of ingest time"},
		{"progress never goes back", []Record{
			attach("a", 0), progress("a", 3), send("a", 3, act(4, "four")), progress("a", 2), progress("a", 3.5), progress("a", 4),
		}, "four |", ""},
		{"late: at the watermark, and once more", []Record{
			attach("a", 0), progress("a", 3), send("a", 3, act(3, "at")), send("a", 3, act(1, "before")),
		}, "late at | late before |", "activities late"},
		{"an activity never advances the watermark", []Record{
			attach("a", 0), send("a", 100, act(100, "hundred")), send("a", 100, act(1, "one")), progress("a", 2),
		}, "one |", ""},
		{"five minutes ahead is taken", []Record{
			attach("a", 0), send("a", 0, act(300, "ahead")), progress("a", 301),
		}, "ahead |", ""},
		{"more than five minutes ahead is quarantined", []Record{
			attach("a", 0), send("a", 0, act(300.000001, "ahead")), progress("a", 600),
		}, "", "activities quarantined: clock ahead of ingest time"},
		{"a clock more than five minutes ahead does not move the watermark", []Record{
			attach("a", 0), send("a", 1, act(1, "one")), {Sensor: "a", Ingest: at(1), Progress: at(302)},
		}, "", "progress quarantined: clock ahead of ingest time"},
		{"a clock ahead at the start neither", []Record{
			{Sensor: "bad", Ingest: at(0), Attach: at(1e9)}, attach("a", 0), detach("a", 1), send("a", 2, act(2, "two")), progress("bad", 2),
		}, "two |", "attach times cut: clock ahead of ingest time"},
		{"the same activity from two sensors", []Record{
			attach("a", 0), attach("b", 0), send("a", 1, twice), send("b", 1, twice), progress("a", 2), progress("b", 2),
		}, "twice |", "activities seen twice"},
		{"without its detail", []Record{
			attach("a", 0), send("a", 1, &activity.Activity{Time: at(1), Kind: activity.KerberosAS}), progress("a", 2),
		}, "", "activities refused: without the detail of their kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var counters counter.Set
			got := names(NewOrder(&counters), c.records...)
			if got != c.want {
				t.Errorf("released %q, want %q", got, c.want)
			}
			for _, r := range counters.Rows() {
				if r.Stage != "ingest" || r.Name != c.counted {
					t.Errorf("counted %+v", r)
				}
			}
			if c.counted != "" && len(counters.Rows()) == 0 {
				t.Errorf("%q was not counted", c.counted)
			}
		})
	}
}

func TestOrderSortsByTimeAndID(t *testing.T) {
	var counters counter.Set
	o := NewOrder(&counters)
	records := []Record{attach("a", 0)}
	for i := range 100 {
		records = append(records, send("a", 1, act(float64(i%3), fmt.Sprint(i))))
	}
	var got []*activity.Activity
	for _, it := range add(o, append(records, progress("a", 5))...) {
		got = append(got, it.Activity)
	}
	if len(got) != 100 || !slices.IsSortedFunc(got, compare) {
		t.Errorf("%d activities, sorted: %v", len(got), slices.IsSortedFunc(got, compare))
	}
}

func add(o *Order, records ...Record) (out []Item) {
	for i := range records {
		out = o.Add(&records[i], out)
	}
	return out
}

func TestOrderDrain(t *testing.T) {
	var counters counter.Set
	o := NewOrder(&counters)
	add(o, attach("a", 0), attach("slow", 0), send("a", 1, act(2, "two")), send("a", 1, act(1, "one")))
	out := o.Drain(nil)
	if len(out) != 2 || out[0].Activity.Account.Name != "one" || out[0].Late {
		t.Errorf("drained %v", out)
	}
	if o.Watermark() != at(2) || len(o.Drain(nil)) != 0 {
		t.Errorf("watermark %v after draining", o.Watermark())
	}
}

func TestOrderReleasesEarlyWhenTooManyAreHeld(t *testing.T) {
	var counters counter.Set
	o := NewOrder(&counters)
	r := attach("a", 0)
	o.Add(&r, nil)
	const more = 5
	var out []Item
	for i := range maxHeld + more {
		r := send("a", 1, &activity.Activity{Time: at(1) + activity.Time(i), Kind: "test", ID: activity.ID{1, byte(i), byte(i >> 8), byte(i >> 16)}})
		out = o.Add(&r, out)
	}
	if len(out) != more || len(o.held) != maxHeld {
		t.Fatalf("%d released and %d held", len(out), len(o.held))
	}
	for i, it := range out {
		if it.Late || it.Activity.Time != at(1)+activity.Time(i) {
			t.Errorf("item %d: %v, late %v: want the oldest, in order", i, it.Activity.Time, it.Late)
		}
	}
	if n := counters.Of("ingest", "activities released early: too many held back").Value(); n != more {
		t.Errorf("counted %d, want %d", n, more)
	}
	late := send("a", 1, act(0.5, "late"))
	if got := o.Add(&late, nil); len(got) != 1 || !got[0].Late {
		t.Errorf("what is older than what had to go early: %v, want it late", got)
	}
}

func TestMaxAheadIsWhatKerberosTolerates(t *testing.T) {
	if MaxAhead != 5*time.Minute {
		t.Errorf("MaxAhead is %v; MS-KILE and DESIGN say five minutes", MaxAhead)
	}
}
