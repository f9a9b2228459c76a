package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// lengthPrefixed frames 0xAA, n bytes of header padding told by the second
// byte, and a 16-bit length of what follows: a header whose own size varies.
func lengthPrefixed(b []byte) int {
	if b[0] != 0xAA {
		return -1
	}
	if len(b) < 2 {
		return 0
	}
	pad := int(b[1])
	if pad > 20 {
		return -1
	}
	if len(b) < 2+pad+2 {
		return 0
	}
	return 2 + pad + 2 + int(binary.BigEndian.Uint16(b[2+pad:]))
}

func message(rnd *rand.Rand, body int) []byte {
	pad := rnd.IntN(21)
	m := []byte{0xAA, byte(pad)}
	m = append(m, make([]byte, pad)...)
	m = binary.BigEndian.AppendUint16(m, uint16(body))
	for range body {
		m = append(m, byte(rnd.IntN(256)))
	}
	return m
}

// got is what a framer handed over: each message, cut ones marked.
func collect(got *[]string) func([]byte, bool) {
	return func(b []byte, truncated bool) { *got = append(*got, fmt.Sprintf("%v %x", truncated, b)) }
}

// TestFramerSegmentation feeds streams whole and in random segments: the same
// messages come out, each as it was sent, up to Max.
func TestFramerSegmentation(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		limit := MaxHeader + rnd.IntN(200)
		var stream []byte
		var want []string
		for range 1 + rnd.IntN(20) {
			m := message(rnd, rnd.IntN(300))
			stream = append(stream, m...)
			collect(&want)(m[:min(len(m), limit)], len(m) > limit)
		}
		for try := range 4 {
			f := Framer{Header: lengthPrefixed, Max: limit}
			f.Reset(rnd.IntN(2) == 0) // mid-stream or not: it begins with a message
			most := []int{len(stream), 1, 5, 200}[try]
			var got []string
			for rest := stream; len(rest) > 0; {
				n := len(rest)
				if try > 0 {
					n = min(n, 1+rnd.IntN(most))
				}
				segment := slices.Clone(rest[:n])
				if f.lost && n < 2+20+2 { // a first segment too short to find a message in is dropped
					segment = slices.Clone(rest[:min(len(rest), 24)])
					n = len(segment)
				}
				if skipped := f.Feed(segment, collect(&got)); skipped != 0 {
					t.Fatalf("seed %d: %d bytes skipped", seed, skipped)
				}
				clear(segment) // it was the framer's during the call only
				rest = rest[n:]
				if len(f.buf) > limit {
					t.Fatalf("seed %d: %d bytes kept, Max is %d", seed, len(f.buf), limit)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, segments up to %d: got %d messages, want %d\n%.300q\n%.300q", seed, most, len(got), len(want), got, want)
			}
			if !f.Idle() || f.Lost() || f.Begun() != nil {
				t.Fatalf("seed %d: not between two messages in the end", seed)
			}
		}
	}
}

// TestFramerGaps loses bytes: in what is skipped by length a gap costs nothing,
// elsewhere the message, and the next segment that begins with one is found.
func TestFramerGaps(t *testing.T) {
	const limit = 40
	rnd := rand.New(rand.NewPCG(1, 0))
	first, long, last := message(rnd, 10), message(rnd, 500), message(rnd, 5)
	for at := 0; at <= len(long); at++ {
		for _, n := range []int{0, 1, 7, 100, 1000} {
			if at+n > len(long) {
				continue
			}
			f := Framer{Header: lengthPrefixed, Max: limit}
			f.Reset(false)
			var got, want []string
			f.Feed(append(slices.Clone(first), long[:at]...), collect(&got))
			f.Gap(n)
			f.Feed(long[at+n:], collect(&got))
			f.Feed(last, collect(&got))
			collect(&want)(first, false)
			if harmless := n > 0 && at >= limit; harmless || n == 0 && (at == 0 || at == len(long)) {
				collect(&want)(long[:limit], true)
			}
			collect(&want)(last, false)
			if !slices.Equal(got, want) {
				t.Fatalf("%d bytes lost after %d of %d: %d messages, want %d", n, at, len(long), len(got), len(want))
			}
		}
	}
}

func TestFramerOutOfStep(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 0))
	m := message(rnd, 30)
	junk := []byte("no message start")
	for _, c := range []struct {
		name    string
		feed    [][]byte
		skipped int
		n       int
	}{
		{"junk alone", [][]byte{junk}, len(junk), 0},
		{"found again at a segment's start", [][]byte{junk, m}, len(junk), 1},
		{"not in the middle of one", [][]byte{append(slices.Clone(junk), m...)}, len(junk) + len(m), 0},
		{"after a message", [][]byte{append(slices.Clone(m), junk...), m}, len(junk), 2},
		{"a header that goes wrong in its second segment", [][]byte{{0xAA}, {200, 1, 2}, m}, 4, 1},
		{"a few bytes that may begin one, while lost", [][]byte{junk, {0xAA}, m}, len(junk) + 1, 1},
	} {
		f := Framer{Header: lengthPrefixed, Max: 100}
		f.Reset(false)
		var got []string
		skipped := 0
		for _, b := range c.feed {
			skipped += f.Feed(b, collect(&got))
		}
		if skipped != c.skipped || len(got) != c.n {
			t.Errorf("%s: %d bytes skipped and %d messages, want %d and %d", c.name, skipped, len(got), c.skipped, c.n)
		}
	}
}

// TestFramerHeaderLimit: a Header that never has enough is given up on.
func TestFramerHeaderLimit(t *testing.T) {
	asked := 0
	f := Framer{Max: 100, Header: func(b []byte) int { asked = max(asked, len(b)); return 0 }}
	none := func([]byte, bool) { t.Error("a message") }
	for _, whole := range []bool{true, false} {
		f.Reset(false)
		b := bytes.Repeat([]byte{1}, 3*MaxHeader)
		skipped := 0
		if whole {
			skipped = f.Feed(b, none)
		} else {
			for i := 0; !f.Lost() && i < len(b); i++ {
				skipped += f.Feed(b[i:i+1], none)
			}
			if asked > MaxHeader || skipped != MaxHeader {
				t.Errorf("asked with %d bytes, %d skipped", asked, skipped)
			}
		}
		if !f.Lost() || skipped < MaxHeader {
			t.Errorf("whole %v: lost %v, %d skipped", whole, f.Lost(), skipped)
		}
		asked = 0
	}
}

func TestFramerLetsGoOfLargeBuffers(t *testing.T) {
	f := Framer{Header: lengthPrefixed, Max: 1 << 20}
	f.Reset(false)
	m := message(rand.New(rand.NewPCG(3, 0)), 60_000)
	f.Feed(m[:30_000], func([]byte, bool) {})
	if cap(f.buf) <= maxKept {
		t.Fatal("nothing large was kept: the test proves nothing")
	}
	f.Reset(false)
	if cap(f.buf) > maxKept || f.Begun() != nil {
		t.Errorf("%d bytes kept for the next conversation", cap(f.buf))
	}
}

// FuzzFramer cuts any bytes at any place, with gaps: no more than Max is kept or
// handed over, and every byte is accounted for once.
func FuzzFramer(f *testing.F) {
	rnd := rand.New(rand.NewPCG(4, 0))
	f.Add(append(message(rnd, 20), message(rnd, 300)...), uint64(1))
	f.Add([]byte{0xAA, 3, 0, 0, 0, 0}, uint64(7))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		fr := Framer{Header: lengthPrefixed, Max: MaxHeader + rnd.IntN(50)}
		fr.Reset(rnd.IntN(2) == 0)
		for len(b) > 0 {
			if rnd.IntN(8) == 0 {
				fr.Gap(rnd.IntN(40))
			}
			n := 1 + rnd.IntN(len(b))
			skipped := fr.Feed(b[:n], func(m []byte, truncated bool) {
				if len(m) == 0 || len(m) > fr.Max || truncated && len(m) < fr.Max {
					t.Fatalf("a message of %d bytes, truncated %v, Max %d", len(m), truncated, fr.Max)
				}
			})
			if skipped < 0 || skipped > n+MaxHeader || len(fr.buf) > fr.Max {
				t.Fatalf("%d of %d bytes skipped, %d kept", skipped, n, len(fr.buf))
			}
			if fr.want > 0 && fr.seen > fr.want {
				t.Fatalf("%d seen of %d", fr.seen, fr.want)
			}
			b = b[n:]
		}
	})
}
