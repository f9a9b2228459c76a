package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/verderer/verderer/activity"
)

// TestSameTrafficOtherFiles stores recordings as other tools and habits would,
// and wants the same alerts to the last id.
func TestSameTrafficOtherFiles(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			o := r.scenario.Options(t)
			want := lines(t, analyzed(t, o, r.content))
			store := func(t *testing.T, contents ...[]byte) (files []string) {
				dir := t.TempDir()
				for i, c := range contents {
					files = append(files, filepath.Join(dir, fmt.Sprintf("part-%d", i)))
					if err := os.WriteFile(files[i], c, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				return files
			}
			n := len(r.packets)
			t.Run("one file after another", func(t *testing.T) {
				files := store(t, pcap(r.packets[:n/3]), pcap(r.packets[n/3:n/2]), pcap(r.packets[n/2:]))
				slices.Reverse(files)
				equal(t, want, lines(t, analyzed(t, o, nil, files...)))
			})
			t.Run("a file a second", func(t *testing.T) {
				var parts [][]byte
				for from := 0; from < n; {
					to := from
					for to < n && r.packets[to].at/1e9 <= r.packets[from].at/1e9 {
						to++
					}
					parts = append(parts, pcap(r.packets[from:to]))
					from = to
				}
				equal(t, want, lines(t, analyzed(t, o, nil, store(t, parts...)...)))
			})
			t.Run("round robin", func(t *testing.T) {
				var parts [3][]packet
				for i, p := range r.packets {
					parts[i%3] = append(parts[i%3], p)
				}
				equal(t, want, lines(t, analyzed(t, o, nil, store(t, pcap(parts[0]), pcap(parts[1]), pcap(parts[2]))...)))
			})
			t.Run("gzip and zstd", func(t *testing.T) {
				equal(t, want, lines(t, analyzed(t, o, gzipped(t, r.content))))
				equal(t, want, lines(t, analyzed(t, o, zstandard(t, r.content))))
				files := store(t, gzipped(t, pcap(r.packets[:n/2])), zstandard(t, pcap(r.packets[n/2:])))
				equal(t, want, lines(t, analyzed(t, o, nil, files...)))
			})
			t.Run("pcapng", func(t *testing.T) {
				equal(t, want, lines(t, analyzed(t, o, pcapng(r.packets))))
			})
			t.Run("fragments", func(t *testing.T) {
				fragmented, many := fragments(r.packets)
				if many == 0 {
					t.Skip("no packet is long enough to be fragmented")
				}
				equal(t, want, lines(t, analyzed(t, o, pcap(fragmented))))
			})
		})
	}
}

func gzipped(t *testing.T, content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t *testing.T, content []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(content, nil)
}

// pcapng writes a capture of two interfaces, one that counts microseconds and
// one nanoseconds, which took turns (draft-ietf-opsawg-pcapng).
func pcapng(packets []packet) []byte {
	le := binary.LittleEndian
	var b []byte
	block := func(kind uint32, body []byte) {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		total := uint32(len(body) + 12)
		b = le.AppendUint32(le.AppendUint32(b, kind), total)
		b = le.AppendUint32(append(b, body...), total)
	}
	section := le.AppendUint32(nil, 0x1a2b3c4d)
	section = le.AppendUint16(le.AppendUint16(section, 1), 0)
	block(0x0a0d0d0a, le.AppendUint64(section, 1<<64-1))
	ethernet := []byte{1, 0, 0, 0, 0, 0, 4, 0}
	block(1, bytes.Clone(ethernet))
	block(1, append(bytes.Clone(ethernet), 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0)) // if_tsresol: 10^-9
	for i, p := range packets {
		at := uint64(p.at)
		if i%2 == 0 {
			at /= 1000
		}
		e := le.AppendUint32(nil, uint32(i%2))
		e = le.AppendUint32(le.AppendUint32(e, uint32(at>>32)), uint32(at))
		e = le.AppendUint32(le.AppendUint32(e, uint32(len(p.data))), uint32(len(p.data)))
		block(6, append(e, p.data...))
	}
	return b
}

// fragmentSize is the payload of a fragment, small enough that most messages
// take several.
const fragmentSize = 104

// fragments cuts the IPv4 packets with more payload into fragments (RFC 791
// §2.3), of which the last arrives first. It counts the packets it cut.
func fragments(packets []packet) (out []packet, cut int) {
	for i, p := range packets {
		ip := p.data[etherHeader:]
		if binary.BigEndian.Uint16(p.data[12:]) != 0x0800 || ip[0] != 0x45 ||
			int(binary.BigEndian.Uint16(ip[2:])) <= 20+fragmentSize {
			out = append(out, p)
			continue
		}
		cut++
		payload := ip[20:binary.BigEndian.Uint16(ip[2:])]
		last := (len(payload) - 1) / fragmentSize
		for k := last; k >= 0; k-- {
			part := payload[k*fragmentSize : min(len(payload), (k+1)*fragmentSize)]
			b := append(bytes.Clone(p.data[:etherHeader+20]), part...)
			h := b[etherHeader:]
			binary.BigEndian.PutUint16(h[2:], uint16(20+len(part)))
			binary.BigEndian.PutUint16(h[4:], uint16(i)) // whoever sent it: no two packets of a recording share it
			flags := uint16(k * fragmentSize / 8)
			if k < last {
				flags |= 0x2000
			}
			binary.BigEndian.PutUint16(h[6:], flags)
			out = append(out, packet{p.at, b})
		}
	}
	return out, cut
}

// TestShuffled swaps packets within 50 ms, as captures of several queues do.
func TestShuffled(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			o := r.scenario.Options(t)
			want := lines(t, analyzed(t, o, r.content))
			rnd := rand.New(rand.NewPCG(3, 4))
			equal(t, want, lines(t, analyzed(t, o, pcap(shuffled(rnd, r.packets)))))
		})
	}
}

// shuffled delays every packet by up to 50 ms, but leaves its time.
func shuffled(rnd *rand.Rand, packets []packet) []packet {
	type delayed struct {
		packet
		until activity.Time
	}
	var all []delayed
	for _, p := range packets {
		all = append(all, delayed{p, p.at.Add(time.Duration(rnd.IntN(50_000)) * time.Microsecond)})
	}
	slices.SortStableFunc(all, func(a, b delayed) int { return int(a.until - b.until) })
	var out []packet
	for _, d := range all {
		out = append(out, d.packet)
	}
	return out
}

// TestTimeGoesBack reads captures in which older packets follow newer ones, as
// from files joined in the wrong order: the attack is late, and said to be.
func TestTimeGoesBack(t *testing.T) {
	all := recordings(t)
	var quiet []packet
	for _, r := range all {
		if r.name == "dnsrecon/ordinary-lookups" {
			quiet = r.packets
		}
	}
	for _, r := range all {
		if r.scenario.Verdict != "alert" {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if r.scenario.Level != "low" {
				t.Skip("takes days, or all of its acts: half of it is less than level " + string(r.scenario.Level) + " tells of")
			}
			o := r.scenario.Options(t)
			want := analyzed(t, o, r.content)

			// The next day, on which nothing happened, and then the day of the attack.
			next := moved(quiet, r.packets[0].at.Sub(quiet[0].at)+24*time.Hour)
			got := analyzed(t, o, pcap(slices.Concat(next, r.packets)))
			for _, a := range got {
				if !a.Late {
					t.Errorf("not said to be late: %s", a.Summary)
				}
				a.Late = false
			}
			equal(t, lines(t, want), lines(t, got))

			// Its later half, and then the earlier one, from half a minute before. What
			// the cut went through is lost, and need not be late: recordings shorter
			// than what is held back for slow sensors are sorted.
			n := len(r.packets) / 2
			got = analyzed(t, o, pcap(slices.Concat(r.packets[n:], moved(r.packets[:n], -30*time.Second))))
			if len(got) == 0 {
				t.Error("no alert with the later half first")
			}
		})
	}
}

// moved is the packets at other times.
func moved(packets []packet, by time.Duration) []packet {
	var out []packet
	for _, p := range packets {
		out = append(out, packet{p.at.Add(by), p.data})
	}
	return out
}
