package flow

import (
	"strings"
	"testing"
	"time"
)

// missed is a connection of which "ask" was fed, "two" is missing at 1004 and
// "three" is held back.
func missed(t *testing.T, cfg Config) *trace {
	tr := newTrace(t, cfg)
	tr.handshake()
	tr.send(c2s(1001, 5001, flagACK, "ask"), c2s(1007, 5001, flagACK, "three"))
	tr.want(opened, "50000 > ask")
	return tr
}

func TestHoles(t *testing.T) {
	ms, s := time.Millisecond, time.Second
	tick := seg{"10.0.0.9:1", "10.0.0.8:2", 1, 1, flagACK, "tick"}
	type step struct {
		wait time.Duration
		seg  seg
		want []string
	}
	for name, steps := range map[string][]step{
		"filled":                      {{0, c2s(1004, 5001, flagACK, "two"), []string{"> two", "> three"}}},
		"filled by more":              {{0, c2s(1004, 5001, flagACK, "twothree four"), []string{"> two", "> three", ">  four"}}},
		"filled in part":              {{0, c2s(1004, 5001, flagACK, "tw"), []string{"> tw"}}, {0, c2s(1006, 5001, flagACK, "o"), []string{"> o", "> three"}}},
		"filled otherwise":            {{0, c2s(1004, 5001, flagACK, "twoTHREE"), []string{"> two", "> three"}}},
		"silent receiver":             {{1990 * ms, tick, nil}, {s, tick, []string{"> gap 3", "> three"}}},
		"given up by its next packet": {{1990 * ms, c2s(1012, 5001, flagACK, ""), nil}, {20 * ms, c2s(1012, 5001, flagACK, ""), []string{"> gap 3", "> three"}}},
		"acknowledged":                {{0, s2c(5001, 1012, flagACK, ""), nil}, {90 * ms, tick, nil}, {s, tick, []string{"> gap 3", "> three"}}},
		"acknowledged up to the missing bytes' end": {{0, s2c(5001, 1007, flagACK, ""), nil}, {110 * ms, s2c(5001, 1007, flagACK, ""), []string{"> gap 3", "> three"}}},
		"acknowledged in part":                      {{0, s2c(5001, 1006, flagACK, "answer"), []string{"< answer"}}, {110 * ms, tick, nil}},
		"answered":                                  {{0, s2c(5001, 1012, flagACK, "answer"), []string{"> gap 3", "> three", "< answer"}}},
		"answer to what came before":                {{0, s2c(5001, 1007, flagACK, "answer"), []string{"< answer"}}},
		"comes late":                                {{0, s2c(5001, 1012, flagACK, ""), nil}, {50 * ms, c2s(1004, 5001, flagACK, "two"), []string{"> two", "> three"}}},
		"comes too late":                            {{3 * s, tick, []string{"> gap 3", "> three"}}, {0, c2s(1004, 5001, flagACK, "two"), nil}},
		"receiver waits too": {
			{0, s2c(5001, 1004, flagACK, ""), nil}, {3 * s, tick, nil}, {6 * s, tick, nil},
			{0, c2s(1004, 5001, flagACK, "two"), []string{"> two", "> three"}},
		},
		"receiver waits in vain": {
			{0, s2c(5001, 1004, flagACK, ""), nil}, {15 * s, tick, nil}, {8 * s, tick, nil}, {0, tick, nil},
			{0, c2s(1004, 5001, flagACK, "real bytes"), []string{"> real bytes"}},
		},
		"receiver waits, then has it": {
			{0, s2c(5001, 1004, flagACK, ""), nil}, {0, s2c(5001, 1012, flagACK, ""), nil}, {110 * ms, s2c(5001, 1012, flagACK, ""), []string{"> gap 3", "> three"}},
		},
		"second hole": {
			{0, c2s(1015, 5001, flagACK, "five"), nil}, {3 * s, tick, []string{"> gap 3", "> three"}}, {s, tick, nil}, {2 * s, tick, []string{"> gap 3", "> five"}},
		},
		"FIN behind it": {
			{0, c2s(1012, 5001, flagFIN|flagACK, ""), nil}, {0, c2s(1004, 5001, flagACK, "two"), []string{"> two", "> three"}},
			{0, s2c(5001, 1013, flagFIN|flagACK, ""), []string{"close"}},
		},
		"both finish, bytes still missing": {
			{0, c2s(1012, 5001, flagFIN|flagACK, ""), nil}, {0, s2c(5001, 1013, flagFIN|flagACK, ""), nil},
			{s, tick, []string{"> gap 3", "> three", "close"}},
		},
		"last bytes missing": {
			{0, c2s(1004, 5001, flagACK, "two"), []string{"> two", "> three"}},
			{0, c2s(1020, 5001, flagFIN|flagACK, ""), nil},
			{0, s2c(5001, 1021, flagFIN|flagACK, "bye"), []string{"> gap 8", "< bye", "close"}},
		},
		"FIN ahead, then here": {
			{0, c2s(1004, 5001, flagACK, "two"), []string{"> two", "> three"}},
			{0, c2s(1020, 5001, flagFIN|flagACK, ""), nil}, {0, c2s(1012, 5001, flagFIN|flagACK, ""), nil},
		},
		"held twice": {{0, c2s(1007, 5001, flagACK, "three"), nil}, {0, c2s(1004, 5001, flagACK, "two"), []string{"> two", "> three"}}},
		"held overlapping": {
			{0, c2s(1005, 5001, flagACK, "wothree four"), nil},
			{0, c2s(1004, 5001, flagACK, "t"), []string{"> t", "> wo", "> three", ">  four"}},
		},
		"ended":            {{0, c2s(1012, 5001, flagRST, ""), nil}, {11 * s, tick, []string{"> gap 3", "> three", "close"}}},
		"ports used again": {{0, c2s(9000, 0, flagSYN, ""), []string{"> gap 3", "> three", "close"}}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := missed(t, Config{})
			for _, st := range steps {
				tr.wait(st.wait)
				tr.send(st.seg)
				for i := range st.want {
					st.want[i] = "50000 " + st.want[i]
				}
				tr.want(st.want...)
			}
			tr.table.Flush(tr.now)
			checkEmpty(t, tr.table)
		})
	}
}

func TestOverlapsAreCounted(t *testing.T) {
	tr := missed(t, Config{})
	tr.send(c2s(1007, 5001, flagACK, "three"))
	tr.count("segments overlapping", 1)
	tr.count("segments overlapping with other content", 0)
	tr.send(c2s(1006, 5001, flagACK, "othrEe"))
	tr.count("segments overlapping", 2)
	tr.count("segments overlapping with other content", 1)
	tr.send(c2s(1004, 5001, flagACK, "twX"))
	tr.want("50000 > tw", "50000 > o", "50000 > three")
	tr.count("segments overlapping with other content", 2)
}

// A segment held back is fed whole, however many pages it took: a decoder
// looks for the start of a message where a Feed begins.
func TestHeldSegmentIsFedWhole(t *testing.T) {
	tr := missed(t, Config{})
	large := strings.Repeat("0123456789", 5000)
	tr.send(c2s(1012, 5001, flagACK, large), c2s(1012+50000, 5001, flagACK, "end"), c2s(1004, 5001, flagACK, "two"))
	tr.want("50000 > two", "50000 > three", "50000 > "+large, "50000 > end")
}

func TestCutBySnapLength(t *testing.T) {
	cut := func(tr *trace, s seg, n int) {
		b := s.frame()
		tr.wire(b[:len(b)-n], len(b))
	}
	tr := missed(t, Config{})
	cut(tr, c2s(1012, 5001, flagACK, "fourfive"), 4)
	tr.send(c2s(1020, 5001, flagACK, "six"), c2s(1004, 5001, flagACK, "two"))
	tr.want("50000 > two", "50000 > three", "50000 > four", "50000 > gap 4", "50000 > six")

	cut(tr, c2s(1023, 5001, flagACK, "seveneight"), 5) // in order
	tr.want("50000 > seven", "50000 > gap 5")
	cut(tr, c2s(1023, 5001, flagACK, "seveneightnine"), 2) // overlapping
	tr.want("50000 > ni", "50000 > gap 2")
	cut(tr, c2s(1035, 5001, flagACK, "nineten"), 6) // cut before what is new
	tr.want("50000 > gap 5")
	cut(tr, c2s(1042, 5001, flagACK, "nothing"), 7)
	tr.want("50000 > gap 7")
	cut(tr, c2s(1050, 5001, flagACK, "nothing ahead"), 13)
	tr.wait(3 * time.Second)
	tr.send(c2s(1049, 5001, flagACK, "x"))
	tr.want("50000 > x")

	// What was cut off a held segment came in another.
	cut(tr, c2s(1060, 5001, flagACK, "abcdef"), 3)
	tr.send(c2s(1064, 5001, flagACK, "ef"), c2s(1050, 5001, flagACK, "0123456789"))
	tr.want("50000 > 0123456789", "50000 > abc", "50000 > gap 1", "50000 > ef")

	// An in-order segment whose lost tail reaches what is held.
	tr.send(c2s(1070, 5001, flagACK, "held"))
	cut(tr, c2s(1066, 5001, flagACK, "stuvwxyz"), 6)
	tr.want("50000 > st", "50000 > gap 2", "50000 > held")
	tr.table.Flush(tr.now)
	tr.want("50000 close")
	checkEmpty(t, tr.table)
}

func TestTooMuchHeld(t *testing.T) {
	page := strings.Repeat("x", 1000)
	fill := func(tr *trace, n int) {
		for i := range n {
			tr.send(c2s(uint32(1012+1000*i), 5001, flagACK, page))
		}
	}
	t.Run("of one direction", func(t *testing.T) {
		tr := missed(t, Config{})
		fill(tr, maxHolePages-1)
		tr.want()
		fill(tr, maxHolePages)
		if tr.calls[0] != "50000 > gap 3" || len(tr.calls) != 1+1+maxHolePages {
			t.Errorf("%d calls, first %s", len(tr.calls), tr.calls[0])
		}
	})
	t.Run("the receiver waits too", func(t *testing.T) {
		tr := missed(t, Config{})
		tr.send(s2c(5001, 1004, flagACK, ""))
		fill(tr, maxHolePages+10)
		tr.want()
		tr.count("segments dropped: too many waiting", 11)
		tr.send(c2s(1004, 5001, flagACK, "two"))
		if len(tr.calls) != 1+maxHolePages {
			t.Errorf("%d calls", len(tr.calls))
		}
	})
	t.Run("of all", func(t *testing.T) {
		tr := missed(t, Config{MaxHeld: pageSize}) // "three" takes it
		tr.send(seg{"10.0.0.1:50001", server, 1, 1, flagACK, "a"}, seg{"10.0.0.1:50001", server, 5, 1, flagACK, "e"})
		tr.want("open tcp 10.0.0.1:50001>10.0.0.2:445 mid-stream", "50001 > a", "50001 > gap 3", "50001 > e")
		tr.send(c2s(1015, 5001, flagACK, "four"))
		tr.want("50000 > gap 3", "50000 > three")
		tr.send(c2s(1012, 5001, flagACK, "   "))
		tr.want("50000 >    ", "50000 > four")
	})
}
