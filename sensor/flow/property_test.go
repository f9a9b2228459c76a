package flow

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
)

// checker is a Handler that knows the true streams, and a Router that opens it.
// It fails the test when the promises of Handler are broken.
type checker struct {
	t      *testing.T
	truth  [2][]byte
	at     [2]int // position in truth
	gapped [2]int // bytes of gaps
	fed    [2]int
	opened int
	closed bool
	now    activity.Time
}

func (c *checker) Port(_ activity.Transport, port uint16) bool { return port == 445 }
func (c *checker) Signature([]byte) (bool, Dir)                { return false, 0 }
func (c *checker) Open(*Conn) Handler {
	c.opened++
	return c
}

func (c *checker) check(now activity.Time) {
	if c.closed {
		c.t.Error("called after Close")
	}
	if now < c.now {
		c.t.Error("time went back")
	}
	c.now = now
}

func (c *checker) Feed(d Dir, b []byte, now activity.Time) {
	c.check(now)
	rest := c.truth[d][min(c.at[d], len(c.truth[d])):]
	if len(b) == 0 || len(b) > len(rest) || !bytes.Equal(b, rest[:len(b)]) {
		c.t.Errorf("direction %d, at %d: %d bytes fed are not those sent", d, c.at[d], len(b))
	}
	c.at[d] += len(b)
	c.fed[d] += len(b)
}

func (c *checker) Gap(d Dir, n int, now activity.Time) {
	c.check(now)
	if n <= 0 {
		c.t.Errorf("direction %d, at %d: a gap of %d", d, c.at[d], n)
	}
	c.at[d] += n
	c.gapped[d] += n
}

func (c *checker) Close(now activity.Time) {
	c.check(now)
	c.closed = true
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// shuffle moves no element by more than far places forward.
func shuffle[T any](r *rand.Rand, s []T, far int) {
	type placed struct {
		v  T
		at int
	}
	p := make([]placed, len(s))
	for i, v := range s {
		p[i] = placed{v, i + r.IntN(far+1)}
	}
	slices.SortStableFunc(p, func(a, b placed) int { return a.at - b.at })
	for i := range s {
		s[i] = p[i].v
	}
}

// However the segments of a connection are ordered, repeated, cut anew and
// overlapped, the Handler gets the streams that were sent.
func TestAnyOrderGivesTheStream(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			c := &checker{t: t}
			isn := [2]uint32{r.Uint32(), -uint32(r.IntN(3000))} // the latter wraps around
			ends := [2][2]string{{client, server}, {server, client}}
			var segs []seg
			for d := range c.truth {
				c.truth[d] = randomBytes(r, r.IntN(60_000))
				sent := func(from, to int) seg {
					flags := byte(0)
					if to == len(c.truth[d]) {
						flags = flagFIN
					}
					return seg{ends[d][0], ends[d][1], isn[d] + 1 + uint32(from), 0, flags, string(c.truth[d][from:to])}
				}
				for from := 0; ; {
					to := min(from+1+r.IntN(1460), len(c.truth[d]))
					if r.IntN(100) == 0 { // one large send of a host with TSO
						to = min(from+30_000, len(c.truth[d]))
					}
					segs = append(segs, sent(from, to))
					if r.IntN(5) == 0 { // retransmission with other borders
						again := max(0, from-r.IntN(3000))
						segs = append(segs, sent(again, min(again+1+r.IntN(3000), len(c.truth[d]))))
					}
					if from = to; from == len(c.truth[d]) {
						break
					}
				}
			}
			shuffle(r, segs, r.IntN(25))
			var counters counter.Set
			table := New(Config{MaxTCP: 16, MaxUDP: 16}, c, &counters)
			now := epoch
			packet := func(s seg) {
				b := s.frame()
				now = now.Add(time.Millisecond)
				table.Packet(&capture.Chunk{Time: now, Link: capture.LinkEthernet, Data: b, Wire: len(b)})
			}
			packet(seg{client, server, isn[0], 0, flagSYN, ""})
			packet(seg{server, client, isn[1], isn[0] + 1, flagSYN | flagACK, ""})
			for _, s := range segs {
				packet(s)
			}
			if c.fed[0]+c.fed[1] > 0 && !c.closed {
				t.Error("not closed by the FINs")
			}
			table.Flush(now)
			for d := range c.truth {
				if c.fed[d] != len(c.truth[d]) || c.gapped[d] != 0 {
					t.Errorf("direction %d: %d of %d bytes fed, %d in gaps", d, c.fed[d], len(c.truth[d]), c.gapped[d])
				}
			}
			if c.opened != 1 && len(c.truth[0])+len(c.truth[1]) > 0 {
				t.Errorf("opened %d times", c.opened)
			}
			checkEmpty(t, table)
		})
	}
}

// What the capture misses, by dropping packets or cutting them short, becomes
// gaps of exactly that size, whether the receiver is heard or not.
func TestLossBecomesGaps(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			c := &checker{t: t}
			c.truth[ToServer] = randomBytes(r, 1+r.IntN(200_000))
			n := len(c.truth[ToServer])
			isn := -uint32(r.IntN(300_000))
			oneSided := r.IntN(3) == 0
			var counters counter.Set
			table := New(Config{MaxTCP: 16, MaxUDP: 16, MaxHeld: 64 << 10}, c, &counters)
			now := epoch
			packet := func(s seg, cut int) {
				b := s.frame()
				now = now.Add(time.Millisecond)
				table.Packet(&capture.Chunk{Time: now, Link: capture.LinkEthernet, Data: b[:len(b)-cut], Wire: len(b)})
			}
			packet(seg{client, server, isn, 0, flagSYN, ""}, 0)
			lost := 0
			for from := 0; from < n; {
				to := min(from+1+r.IntN(1460), n)
				switch {
				case r.IntN(20) == 0:
					lost += to - from
				default:
					cut := 0
					if r.IntN(10) == 0 {
						cut = r.IntN(to - from)
					}
					lost += cut
					packet(seg{client, server, isn + 1 + uint32(from), 7001, flagACK, string(c.truth[ToServer][from:to])}, cut)
				}
				if !oneSided && r.IntN(3) > 0 {
					packet(seg{server, client, 7001, isn + 1 + uint32(to), flagACK, ""}, 0)
				}
				if r.IntN(50) == 0 {
					now = now.Add(3 * time.Second)
				}
				from = to
			}
			packet(seg{client, server, isn + 1 + uint32(n), 7001, flagACK | flagFIN, ""}, 0)
			table.Flush(now)
			if c.gapped[ToServer] != lost || c.fed[ToServer] != n-lost {
				t.Errorf("of %d bytes %d were lost; %d in gaps, %d fed", n, lost, c.gapped[ToServer], c.fed[ToServer])
			}
			checkEmpty(t, table)
		})
	}
}

// checkEmpty is for after Flush: nothing is left, nothing lost from the books.
func checkEmpty(t *testing.T, table *Table) {
	t.Helper()
	if n := table.tcpConns.n + table.udpConns.n + len(table.frags.m) + table.fresh.n + table.settled.n + table.closing.n + table.udp.n; n != 0 {
		t.Errorf("%d entries left after Flush", n)
	}
	if table.held.budget.used != 0 || table.frags.budget.used != 0 || table.held.head != nil || table.frags.head != nil {
		t.Errorf("pages left after Flush: %d held, %d of fragments", table.held.budget.used, table.frags.budget.used)
	}
	checkBooks(t, table)
}

// checkBooks wants one outcome for every packet.
func checkBooks(t *testing.T, table *Table) {
	t.Helper()
	n := &table.n
	outcomes := n.notIP.Value() + n.malformed.Value() + n.otherTransport.Value() + n.notFollowed.Value() +
		n.followed.Value() + n.fragments.Value() - n.datagramsJoined.Value()
	if outcomes != n.packets.Value() {
		t.Errorf("%d packets, %d outcomes", n.packets.Value(), outcomes)
	}
}
