package flow

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/counter"
	"github.com/verderer/verderer/sensor/capture"
)

// stream is the bytes one side sent, without what the capture missed.
type stream struct {
	from, to netip.AddrPort
	bytes    []byte
	missing  int
}

// streams is a Router that writes down every byte.
type streams struct {
	ports []uint16
	all   []*stream // in order of the first byte
}

func (s *streams) Port(t activity.Transport, port uint16) bool {
	return t == activity.TCP && slices.Contains(s.ports, port)
}
func (s *streams) Signature([]byte) (bool, Dir) { return false, 0 }
func (s *streams) Open(c *Conn) Handler {
	return &tap{s: s, conn: *c}
}

type tap struct {
	s    *streams
	conn Conn
	dirs [2]*stream
}

func (h *tap) stream(d Dir) *stream {
	if h.dirs[d] == nil {
		from, to := h.conn.Client, h.conn.Server
		if d == ToClient {
			from, to = to, from
		}
		h.dirs[d] = &stream{from: from, to: to}
		h.s.all = append(h.s.all, h.dirs[d])
	}
	return h.dirs[d]
}

func (h *tap) Feed(d Dir, b []byte, _ activity.Time) {
	h.stream(d).bytes = append(h.stream(d).bytes, b...)
}
func (h *tap) Gap(d Dir, n int, _ activity.Time) { h.stream(d).missing += n }
func (h *tap) Close(activity.Time)               {}

// tsharkStreams puts together what tshark saw of each stream, by its relative
// sequence numbers; of bytes sent twice the first count.
func tsharkStreams(t *testing.T, file string, ports []uint16) []*stream {
	t.Helper()
	var filter []string
	for _, p := range ports {
		filter = append(filter, fmt.Sprint(p))
	}
	cmd := exec.Command("tshark", "-n", "-r", file, "-Y", "tcp.len > 0 && tcp.port in {"+strings.Join(filter, ",")+"}",
		"-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "occurrence=f",
		"-e", "tcp.stream", "-e", "ip.src", "-e", "ipv6.src", "-e", "tcp.srcport", "-e", "ip.dst", "-e", "ipv6.dst", "-e", "tcp.dstport",
		"-e", "tcp.seq", "-e", "tcp.len", "-e", "tcp.payload")
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		t.Skipf("tshark does not read it: %v", err)
	}
	type piece struct {
		at   uint32
		data []byte
	}
	type key struct {
		stream, from string
	}
	found := map[key]*stream{}
	pieces := map[*stream][]piece{}
	var all []*stream
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 10 {
			t.Fatalf("line of tshark: %q", line)
		}
		k := key{f[0], f[1] + f[2] + ":" + f[3]}
		s := found[k]
		if s == nil {
			end := func(v4, v6, port string) netip.AddrPort {
				if v6 != "" {
					v4 = "[" + v6 + "]"
				}
				return netip.MustParseAddrPort(v4 + ":" + port)
			}
			s = &stream{from: end(f[1], f[2], f[3]), to: end(f[4], f[5], f[6])}
			found[k] = s
			all = append(all, s)
		}
		seq, _ := strconv.ParseUint(f[7], 10, 32)
		data, err := hex.DecodeString(strings.ReplaceAll(f[9], ":", ""))
		if err != nil {
			t.Fatalf("payload of tshark: %v", err)
		}
		pieces[s] = append(pieces[s], piece{uint32(seq), data})
	}
	for _, s := range all {
		known := map[uint32]byte{}
		for _, p := range pieces[s] {
			for i, b := range p.data {
				if _, ok := known[p.at+uint32(i)]; !ok {
					known[p.at+uint32(i)] = b
				}
			}
		}
		order := make([]uint32, 0, len(known))
		for at := range known {
			order = append(order, at)
		}
		slices.Sort(order)
		for _, at := range order {
			s.bytes = append(s.bytes, known[at])
		}
	}
	return all
}

// On real captures every byte that tshark sees of the streams we follow is fed,
// and no other.
func TestSameStreamsAsTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tshark over many captures")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not on the PATH")
	}
	root := os.Getenv("VERDERER_CORPUS")
	if root == "" {
		root = "../../../shared/corpus"
	}
	var files []string
	for _, dir := range []string{"lab", "pcap", "benign"} {
		for _, ext := range []string{"pcap", "pcapng", "cap"} {
			more, _ := filepath.Glob(filepath.Join(root, dir, "*."+ext))
			files = append(files, more...)
		}
	}
	if len(files) == 0 {
		t.Skipf("no captures in %s; set VERDERER_CORPUS to where they are", root)
	}
	all := os.Getenv("VERDERER_AGREE") != "" // make agree; else some
	ports := []uint16{88, 135, 139, 389, 445, 464, 3268}
	total := 0
	for i, file := range files {
		// Of that one the last segment repeats another of a month before.
		if !all && i%12 != 0 || filepath.Base(file) == "pp_ldap.pcapng" {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := capture.Open(file)
			if err != nil {
				t.Skipf("opening: %v", err)
			}
			defer src.Close()
			got := streams{ports: ports}
			var counters counter.Set
			table := New(Config{}, &got, &counters)
			var c capture.Chunk
			for {
				var damage *capture.Damage
				if err := src.Next(&c); err == io.EOF {
					break
				} else if errors.As(err, &damage) {
					continue
				} else if err != nil {
					t.Fatal(err)
				}
				table.Packet(&c)
			}
			table.Flush(c.Time)
			checkEmpty(t, table)
			want := tsharkStreams(t, file, ports)
			byEnds := func(all []*stream) map[string][]*stream {
				m := map[string][]*stream{}
				for _, s := range all {
					if len(s.bytes) > 0 {
						ends := s.from.String() + " to " + s.to.String()
						m[ends] = append(m[ends], s)
					}
				}
				return m
			}
			g, w := byEnds(got.all), byEnds(want)
			for ends, ws := range w {
				gs := g[ends]
				if len(gs) != len(ws) {
					t.Errorf("%s: %d streams, tshark sees %d", ends, len(gs), len(ws))
					continue
				}
				for i := range ws {
					if !bytes.Equal(gs[i].bytes, ws[i].bytes) {
						t.Errorf("%s, stream %d: fed %d bytes and %d in gaps, tshark sees %d bytes", ends, i, len(gs[i].bytes), gs[i].missing, len(ws[i].bytes))
					}
				}
				total += len(ws)
				delete(g, ends)
			}
			for ends := range g {
				t.Errorf("%s: a stream that tshark does not see", ends)
			}
		})
	}
	t.Logf("%d directions of streams compared", total)
}
