package capture

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
)

// script is a Source of packets at given milliseconds; -1 is damage. Like a
// real one it reuses the memory of a packet.
type script struct {
	at   []int
	n    int
	size int
	buf  []byte
}

func (s *script) Next(c *Chunk) error {
	if s.n == len(s.at) {
		return io.EOF
	}
	ms := s.at[s.n]
	s.n++
	if ms < 0 {
		return &Damage{File: "script", Reason: "as scripted"}
	}
	s.buf = append(fmt.Appendf(s.buf[:0], "%d\x00", ms), zeros[:s.size]...)
	*c = Chunk{Time: activity.Time(ms) * 1e6, Data: s.buf, Wire: len(s.buf), Frame: int64(s.n)}
	return nil
}

// zeros is what scripted packets carry after their time.
var zeros = make([]byte, shelfSize+1)

func (s *script) Close() error { return nil }

// sorted reads everything through a Sorter, as "time#frame" and "!" for damage.
func sorted(t *testing.T, src *script) (order []string, most *Sorter) {
	t.Helper()
	s := Sort(src)
	for {
		var c Chunk
		var d *Damage
		switch err := s.Next(&c); {
		case err == io.EOF:
			if err := s.Next(&c); err != io.EOF {
				t.Errorf("after the end: %v", err)
			}
			return order, s
		case errors.As(err, &d):
			order = append(order, "!")
		case err != nil:
			t.Fatal(err)
		default:
			text, _, _ := strings.Cut(string(c.Data), "\x00")
			if want := fmt.Sprint(int64(c.Time / 1e6)); text != want {
				t.Errorf("packet %d at %s ms carries the data of %s", c.Frame, want, text)
			}
			order = append(order, fmt.Sprintf("%s#%d", text, c.Frame))
		}
	}
}

func TestSort(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []int
		want string
	}{
		{"nothing", nil, ""},
		{"in order", []int{1, 2, 300}, "1#1 2#2 300#3"},
		{"of one time, as they came", []int{5, 5, 4, 5}, "4#3 5#1 5#2 5#4"},
		{"at the limit", []int{100, 0, 101}, "0#2 100#1 101#3"},
		{"beyond it: time went back", []int{1101, 1000, 1050, 1060}, "1101#1 1000#2 1050#3 1060#4"},
		{"by more than the limit", []int{1101, 1150, 1000, 1049, 1020}, "1101#1 1150#2 1000#3 1020#5 1049#4"},
		{"back again and again", []int{900, 500, 100, 500, 900}, "900#1 500#2 100#3 500#4 900#5"},
		{"the clock jumps ahead", []int{10, 5000, 5001, 12}, "10#1 5000#2 5001#3 12#4"},
		{"damage is told at once", []int{20, 10, -1, 15}, "! 10#2 15#4 20#1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := sorted(t, &script{at: c.in})
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
		})
	}
}

// TestSortIsBounded holds back packets that would all wait for their time, of
// no length, of ordinary ones and of the longest: the caps let them go.
func TestSortIsBounded(t *testing.T) {
	at := make([]int, 3*maxSorted)
	for i := range at {
		at[i] = 50 - i%50
	}
	for _, size := range []int{0, 1500, 60_000, MaxPacket - 3, MaxPacket, shelfSize + 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			src := &script{at: at, size: size}
			if size > 2000 {
				src.at = at[:200]
			}
			order, s := sorted(t, src)
			if len(order) != len(src.at) {
				t.Errorf("%d packets of %d", len(order), len(src.at))
			}
			if n := cap(s.held); n > 4*maxSorted {
				t.Errorf("room for %d packets, of which at most %d are held", n, maxSorted)
			}
			for _, h := range s.shelves {
				if h.packed != 0 || cap(h.buf) > shelfSize {
					t.Errorf("a shelf of %d bytes is left with %d packets", cap(h.buf), h.packed)
				}
			}
		})
	}
}

// TestSortTakesNoMemory: a sorted capture costs no allocation for each packet.
func TestSortTakesNoMemory(t *testing.T) {
	at := make([]int, 20_000)
	for i := range at {
		at[i] = i ^ 3
	}
	s := Sort(&script{at: at, size: 900})
	var c Chunk
	next := func() {
		if err := s.Next(&c); err != nil {
			t.Fatal(err)
		}
	}
	for range 5000 {
		next()
	}
	if n := testing.AllocsPerRun(5000, next); n > 1 { // what script itself makes
		t.Errorf("%v allocations a packet", n)
	}
}
