package sensor_test

import (
	"context"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor"
	"github.com/verderer/verderer/sensor/capture"
	"github.com/verderer/verderer/sensor/capture/live"
	"github.com/verderer/verderer/sensor/capture/live/livetest"
	"github.com/verderer/verderer/sensor/decode/all"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// outer puts an Ethernet and an IP header before what a mirror sends.
func outer(proto byte, payload []byte) []byte {
	b := append([]byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00"), 0x45, 0, 0, 0, 0, 1, 0, 0, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	binary.BigEndian.PutUint16(b[16:], uint16(20+len(payload)))
	return append(b, payload...)
}

// mirrors are the tunnels that a mirror may come in.
var mirrors = map[string]func(frame []byte) []byte{
	"GRE with Ethernet": func(b []byte) []byte { return outer(47, append([]byte("\x00\x00\x65\x58"), b...)) },
	"GRE with IP":       func(b []byte) []byte { return outer(47, append([]byte("\x20\x00\x08\x00\x00\x00\x00\x07"), b[14:]...)) },
	"ERSPAN I":          func(b []byte) []byte { return outer(47, append([]byte("\x00\x00\x88\xbe"), b...)) },
	"ERSPAN II": func(b []byte) []byte {
		return outer(47, append([]byte("\x10\x00\x88\xbe\x00\x00\x00\x01\x10\x07\x00\x01\x00\x00\x00\x09"), b...))
	},
	"ERSPAN III": func(b []byte) []byte {
		return outer(47, append([]byte("\x10\x00\x22\xeb\x00\x00\x00\x01\x20\x07\x00\x01\x00\x00\x00\x09\x00\x00\x00\x00"), b...))
	},
	"VXLAN": func(b []byte) []byte {
		udp := append([]byte{0xc3, 0x50, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 7, 0}, b...)
		binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
		return outer(17, udp)
	},
}

// TestMirrorsInTunnels: recordings that come in tunnels give the activities that
// they give bare.
func TestMirrorsInTunnels(t *testing.T) {
	files, _ := filepath.Glob("decode/*/testdata/*.pcap")
	n := 0
	for _, file := range files {
		list := packets(t, file)
		if slices.ContainsFunc(list, func(c capture.Chunk) bool {
			return c.Link != capture.LinkEthernet || c.Wire != len(c.Data) || len(c.Data) < 34 || binary.BigEndian.Uint16(c.Data[12:]) != 0x0800
		}) {
			continue // bare IP, ARP beside it, or cut
		}
		want := decodetest.Lines(t, decoded(t, list))
		for name, wrap := range mirrors {
			wrapped := slices.Clone(list)
			for i := range wrapped {
				wrapped[i].Data = wrap(list[i].Data)
				wrapped[i].Wire = len(wrapped[i].Data)
			}
			if got := decodetest.Lines(t, decoded(t, wrapped)); string(got) != string(want) {
				t.Errorf("%s in %s:\n%s\nbare:\n%s", file, name, got, want)
			}
		}
		n++
	}
	if n < 10 {
		t.Errorf("%d recordings compared", n)
	}
	t.Logf("%d recordings in %d tunnels each", n, len(mirrors))
}

// TestLiveMirrorInTunnel: with Tunnels the live sensor sees what is in them, and
// without nothing.
func TestLiveMirrorInTunnel(t *testing.T) {
	list := packets(t, "decode/all/testdata/kpasswd-change.pcap")
	want := facts(decoded(t, list))
	dc := []netip.Addr{netip.MustParseAddr("10.77.0.10")}
	for _, tunnels := range []bool{true, false} {
		l := livetest.New(t)
		s := start(t, live.Config{Interfaces: []string{l.Name}, Servers: dc, Tunnels: tunnels})
		for _, name := range []string{"ERSPAN II", "VXLAN"} { // the first packets in one, the rest in the other
			from, to := 0, len(list)/2
			if name == "VXLAN" {
				from, to = to, len(list)
			}
			for _, c := range list[from:to] {
				l.Send(t, mirrors[name](c.Data))
			}
		}
		s.end(t)
		if got := facts(s.activities); tunnels != slices.Equal(got, want) || !tunnels && len(got) > 0 {
			t.Errorf("tunnels %v:\n%s\nwant:\n%s", tunnels, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestLiveBothDirections: a TAP gives each direction on an interface of its own;
// they are one conversation.
func TestLiveBothDirections(t *testing.T) {
	list := packets(t, "decode/kerberos/testdata/delegation.pcap")
	want := facts(decoded(t, list))
	dc := netip.MustParseAddr("10.77.0.10")
	up, down := livetest.New(t), livetest.New(t)
	s := start(t, live.Config{Interfaces: []string{up.Name, down.Name}, Servers: []netip.Addr{dc}})
	for _, c := range list {
		if netip.AddrFrom4([4]byte(c.Data[26:])) == dc {
			down.Send(t, c.Data)
		} else {
			up.Send(t, c.Data)
		}
	}
	s.end(t)
	if got := facts(s.activities); !slices.Equal(got, want) {
		t.Errorf("in two directions:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, a := range s.activities {
		if a.Outcome == activity.Attempt {
			t.Errorf("unanswered: %+v", a)
		}
	}
}

// pcap is a file of packets.
func pcap(list []capture.Chunk) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d) // nanoseconds
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, byte(capture.LinkEthernet), 0, 0, 0)
	for _, c := range list {
		for _, v := range []int64{int64(c.Time) / 1e9, int64(c.Time) % 1e9, int64(len(c.Data)), int64(c.Wire)} {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		b = append(b, c.Data...)
	}
	return b
}

// TestFilesOfBothDirections: the same from files, one of each direction.
func TestFilesOfBothDirections(t *testing.T) {
	list := packets(t, "decode/ldap/testdata/changes.pcap")
	dc := netip.MustParseAddr("10.77.0.10")
	var sides [2][]capture.Chunk
	for _, c := range list {
		dir := 0
		if netip.AddrFrom4([4]byte(c.Data[26:])) == dc {
			dir = 1
		}
		sides[dir] = append(sides[dir], c)
	}
	var paths []string
	for i, side := range sides {
		path := filepath.Join(t.TempDir(), []string{"up.pcap", "down.pcap"}[i])
		if err := os.WriteFile(path, pcap(side), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	var got []*activity.Activity
	r := sensor.Replay{Decoders: all.Set, Counters: new(counter.Set), Inputs: paths}
	if err := r.Run(context.Background(), func(e wire.Entry) error {
		if e.Activity != nil {
			got = append(got, e.Activity)
		}
		return nil
	}); err != nil || len(r.Damage) > 0 {
		t.Fatal(err, r.Damage)
	}
	if got, want := facts(got), facts(decoded(t, list)); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("in two files:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
