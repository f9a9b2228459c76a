package main

import (
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/capture"
)

// frame is an Ethernet frame with an IP header and nothing in it.
func frame(src, dst string) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	b := make([]byte, 12, 64)
	if s.Is4() {
		b = append(b, 0x08, 0x00, 0x45)
		b = append(b, make([]byte, 11)...)
	} else {
		b = append(b, 0x86, 0xdd, 0x60)
		b = append(b, make([]byte, 7)...)
	}
	return append(append(b, s.AsSlice()...), d.AsSlice()...)
}

// pcap writes frames a second apart.
func pcap(t *testing.T, dir, name string, frames ...[]byte) {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	for i, f := range frames {
		for _, n := range []int{1000 + i, 0, len(f), len(f)} {
			b = binary.LittleEndian.AppendUint32(b, uint32(n))
		}
		b = append(b, f...)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A seen packet of the result.
type seen struct {
	time     activity.Time
	src, dst netip.Addr
}

func read(t *testing.T, path string) []seen {
	src, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var out []seen
	var c capture.Chunk
	for {
		if err := src.Next(&c); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		at, n := 26, 4
		if c.Data[12] == 0x86 {
			at, n = 22, 16
		}
		s, _ := netip.AddrFromSlice(c.Data[at : at+n])
		d, _ := netip.AddrFromSlice(c.Data[at+n : at+2*n])
		out = append(out, seen{c.Time, s, d})
	}
}

func TestRoundsBringNewHosts(t *testing.T) {
	dir := t.TempDir()
	arp := append(make([]byte, 12), 0x08, 0x06, 0, 0, 0, 0)
	pcap(t, dir, "a.pcap",
		frame("192.0.2.1", "192.0.2.2"), arp, frame("192.0.2.2", "192.0.2.1"), frame("192.0.2.1", "224.0.0.251"))
	pcap(t, dir, "b.pcap", frame("192.0.2.1", "192.0.2.255"), frame("2001:db8::1", "ff02::1"))
	if err := os.WriteFile(filepath.Join(dir, "README"), []byte("not a capture"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.pcap")
	// Two rounds of five packets, and not a byte more.
	if err := run(io.Discard, out, []string{dir}, 24+2*(4*(16+34)+16+54)); err != nil {
		t.Fatal(err)
	}
	got := read(t, out)
	if len(got) != 10 {
		t.Fatalf("%d packets, want 10: %v", len(got), got)
	}
	for i, g := range got {
		if i > 0 && g.time < got[i-1].time {
			t.Errorf("packet %d goes back in time", i+1)
		}
	}
	first, second := got[:5], got[5:]
	if gap := second[0].time.Sub(first[4].time); gap != 1e9 {
		t.Errorf("the second round begins %v after the first, want 1s", gap)
	}
	// By time, at the same time by file: a1, b1, b2, a2, a3.
	a1, b1, b2, a2, a3 := first[0], first[1], first[2], first[3], first[4]
	if a1.src != a2.dst || a1.dst != a2.src || a1.src != a3.src {
		t.Errorf("a host changed its address within a capture: %v", first)
	}
	if a1.src == b1.src || a1.src == second[0].src {
		t.Errorf("two playings share a host: %v", got)
	}
	if a1.src.AsSlice()[0] != 10 || b2.src.AsSlice()[0] != 0xfd {
		t.Errorf("a host outside the private ranges: %v", first)
	}
	for _, stays := range []struct{ got, want string }{
		{a3.dst.String(), "224.0.0.251"}, {b1.dst.String(), "192.0.2.255"}, {b2.dst.String(), "ff02::1"},
	} {
		if stays.got != stays.want {
			t.Errorf("%s became %s", stays.want, stays.got)
		}
	}
}

func TestSameCapturesSameBytes(t *testing.T) {
	dir := t.TempDir()
	pcap(t, dir, "a.pcap", frame("192.0.2.1", "192.0.2.2"), frame("192.0.2.3", "192.0.2.2"))
	var got [2]string
	for i := range got {
		out := filepath.Join(t.TempDir(), "out.pcap")
		if err := run(io.Discard, out, []string{dir}, 10_000); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		got[i] = string(b)
	}
	if got[0] != got[1] {
		t.Error("two runs differ")
	}
	if len(got[0]) < 10_000 {
		t.Errorf("%d bytes, want 10000", len(got[0]))
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	pcap(t, dir, "empty.pcap")
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("not a capture"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, paths := range [][]string{{dir}, {text}, {filepath.Join(dir, "absent.pcap")}} {
		if err := run(io.Discard, filepath.Join(dir, "out"), paths, 1000); err == nil {
			t.Errorf("%v: want an error", paths)
		}
	}
}
