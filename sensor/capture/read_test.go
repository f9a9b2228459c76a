package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	gocmp "github.com/google/go-cmp/cmp"
)

// readAll reads a Source to its end and fails the test if the Source breaks a
// promise of its contract.
func readAll(tb testing.TB, s Source) (packets []packet, damage []*Damage) {
	tb.Helper()
	frames := make(map[string]int64)
	for {
		var c Chunk
		err := s.Next(&c)
		var d *Damage
		switch {
		case err == io.EOF:
			if again := s.Next(&c); again != io.EOF {
				tb.Fatalf("after the end: %v", again)
			}
			if err := s.Close(); err != nil {
				tb.Fatal(err)
			}
			return packets, damage
		case errors.As(err, &d):
			damage = append(damage, d)
			if d.File == "" || d.Reason == "" || d.Offset < 0 {
				tb.Fatalf("damage lacks something: %#v", d)
			}
		case err != nil:
			tb.Fatal(err)
		default:
			frames[c.File]++
			if c.Frame != frames[c.File] || c.File == "" {
				tb.Fatalf("frame %d of %q, want %d", c.Frame, c.File, frames[c.File])
			}
			if len(c.Data) > MaxPacket || c.Wire < len(c.Data) {
				tb.Fatalf("%d bytes of %d", len(c.Data), c.Wire)
			}
			packets = append(packets, packet{c.Time, c.Link, bytes.Clone(c.Data), c.Wire})
		}
	}
}

// readBytes reads content from memory, and once more byte by byte: the result
// must not depend on how the content arrives.
func readBytes(tb testing.TB, content []byte) (packets []packet, damage []*Damage) {
	tb.Helper()
	s, err := Reader("test", bytes.NewReader(content))
	if err != nil {
		tb.Fatal(err)
	}
	packets, damage = readAll(tb, s)
	if s, err = Reader("test", iotest.OneByteReader(bytes.NewReader(content))); err != nil {
		tb.Fatal(err)
	}
	slow, slowDamage := readAll(tb, s)
	equal(tb, slow, packets)
	if diff := gocmp.Diff(damage, slowDamage); diff != "" {
		tb.Fatalf("damage differs when read byte by byte:\n%s", diff)
	}
	return packets, damage
}

// equal compares packets.
func equal(tb testing.TB, got, want []packet) {
	tb.Helper()
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.time != w.time || g.link != w.link || g.wire != w.wire || !bytes.Equal(g.data, w.data) {
			tb.Fatalf("packet %d: %v, want %v", i+1, g, w)
		}
	}
	if len(got) != len(want) {
		tb.Fatalf("%d packets, want %d", len(got), len(want))
	}
}

// lines are the damages without the file.
func lines(damage []*Damage) []string {
	var list []string
	for _, d := range damage {
		list = append(list, fmt.Sprintf("%d: %s", d.Offset, d.Reason))
	}
	return list
}

// equalLines compares damages.
func equalLines(tb testing.TB, damage []*Damage, want ...string) {
	tb.Helper()
	if diff := gocmp.Diff(want, lines(damage)); diff != "" {
		tb.Fatalf("damage (-want +got):\n%s", diff)
	}
}
