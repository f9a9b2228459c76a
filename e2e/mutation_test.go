package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/sensor/capture"
)

// deadline is far beyond what any mutant takes: milliseconds.
const deadline = 2 * time.Minute

// fact is an activity and the time of the packet that completed it.
type fact struct {
	id activity.ID
	at activity.Time
}

// survive runs analyze over content as the command would, and wants it to come
// back: without a panic, before the deadline, and with nothing but what exit
// codes 0 and 3 stand for. It returns the activities, too.
func survive(t testing.TB, content []byte) (*analyze.Result, []fact) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var (
		res   *analyze.Result
		facts []fact
		err   error
		done  = make(chan struct{})
	)
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		res, err = analyze.Run(ctx, analyze.Options{
			Inputs: []string{capture.Stdin}, Stdin: bytes.NewReader(content),
			OnActivity: func(a *activity.Activity) error {
				facts = append(facts, fact{a.ID, a.Time})
				return nil
			},
		})
	}()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal("analyze does not come back")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range res.Damage {
		if d.File != capture.Stdin || d.Reason == "" {
			t.Errorf("damage that does not say what or where: %+v", d)
		}
		// Compressed content may be longer than what it was compressed to.
		if plain := !packed(content); d.Offset < 0 || plain && d.Offset > int64(len(content)) {
			t.Errorf("damage at %d of %d bytes: %v", d.Offset, len(content), d)
		}
	}
	return res, facts
}

func packed(content []byte) bool {
	return bytes.HasPrefix(content, magics["gzip"]) || bytes.HasPrefix(content, magics["zstd"])
}

// whole counts the packets of original that mutant has as well, before the
// first byte that differs.
func whole(original, mutant []byte) int {
	same := 0
	for same < min(len(original), len(mutant)) && original[same] == mutant[same] {
		same++
	}
	n := 0
	for _, r := range walk(original) {
		if r.at+r.size > same {
			break
		}
		n++
	}
	return n
}

// TestMutations damages every recording in hundreds of ways. What comes before
// the damage must be analyzed as if there was none.
func TestMutations(t *testing.T) {
	mutants := 500
	if testing.Short() {
		mutants = 20
	}
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			_, want := survive(t, r.content)
			for i := range mutants {
				mutant, how := mutate(rand.New(rand.NewPCG(uint64(i), 0)), r.content)
				res, got := survive(t, mutant)
				n := whole(r.content, mutant)
				if res.Packets < int64(n) {
					t.Errorf("mutant %d: %d packets, of which the first %d were not damaged", i, res.Packets, n)
				}
				if before := upTo(want, settled(r.packets[:n])); !slices.Equal(before, got[:min(len(before), len(got))]) {
					t.Errorf("mutant %d: before the damage after packet %d other activities than without it", i, n)
				}
				if t.Failed() {
					t.Fatalf("mutant %d: %s", i, how)
				}
			}
		})
	}
}

// settled is the time up to which nothing that follows these packets can come
// between them: later ones are put into the order of time within 100 ms.
func settled(packets []packet) activity.Time {
	if len(packets) == 0 {
		return 0
	}
	return packets[len(packets)-1].at - 100e6
}

// upTo is the activities that were completed before a time.
func upTo(facts []fact, at activity.Time) []fact {
	for i, f := range facts {
		if f.at >= at {
			return facts[:i]
		}
	}
	return facts
}

// mutate returns a damaged copy of a capture file, and what was done to it.
func mutate(rnd *rand.Rand, content []byte) (mutant []byte, how string) {
	b := bytes.Clone(content)
	var did []string
	for range 1 + rnd.IntN(3) {
		if len(b) == 0 {
			break
		}
		// A part of up to 200 bytes or, one time in four, of any length.
		from := rnd.IntN(len(b))
		n := 1 + rnd.IntN(min(200, len(b)-from))
		if rnd.IntN(4) == 0 {
			n = 1 + rnd.IntN(len(b)-from)
		}
		to := from + n
		what := ""
		switch rnd.IntN(8) {
		case 0:
			what, b = fmt.Sprintf("cut at %d", from), b[:from]
		case 1:
			bit := rnd.IntN(8)
			what = fmt.Sprintf("bit %d of %d flipped", bit, from)
			b[from] ^= 1 << bit
		case 2:
			what = fmt.Sprintf("%d to %d overwritten", from, to)
			random(rnd, b[from:to])
		case 3:
			what = fmt.Sprintf("%d to %d doubled", from, to)
			b = slices.Insert(b, to, b[from:to]...)
		case 4:
			what = fmt.Sprintf("%d to %d left out", from, to)
			b = slices.Delete(b, from, to)
		case 5:
			at := rnd.IntN(len(b) - n + 1)
			what = fmt.Sprintf("%d to %d moved to %d", from, to, at)
			part := bytes.Clone(b[from:to])
			b = slices.Insert(slices.Delete(b, from, to), at, part...)
		default:
			what = mislead(rnd, b)
		}
		did = append(did, what)
	}
	return b, strings.Join(did, ", ")
}

// mislead puts a wrong number into a length field of a random packet: of the
// record, of the IP packet, of the UDP datagram or the TCP header, or of
// whatever the protocol above has.
func mislead(rnd *rand.Rand, b []byte) string {
	records := walk(b)
	if len(records) == 0 {
		return "nothing"
	}
	r := records[rnd.IntN(len(records))]
	const ip = recordHeader + etherHeader
	field := []struct{ at, size int }{
		{8, 4}, {12, 4}, // captured, on the wire
		{ip, 1}, {ip + 2, 2}, {ip + 6, 2}, // header length, total length, fragment
		{ip + 20 + 4, 2}, {ip + 20 + 12, 1}, // of UDP, of the TCP header
		{ip + 20 + rnd.IntN(200), 1 + rnd.IntN(4)}, // anything above
	}[rnd.IntN(8)]
	if field.at+field.size > r.size {
		return "nothing"
	}
	v := [...]uint32{0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, rnd.Uint32()}[rnd.IntN(9)]
	number := binary.LittleEndian.AppendUint32(nil, v)
	copy(b[r.at+field.at:][:field.size], number)
	return fmt.Sprintf("%d bytes at %d set to %#x", field.size, r.at+field.at, v)
}

func random(rnd *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
}

// magics are the first bytes of every format that is recognised.
var magics = map[string][]byte{
	"nothing":                {},
	"pcap, little-endian":    {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0},
	"pcap, big-endian":       {0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 1},
	"pcap in nanoseconds":    {0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0},
	"pcap of a patched tool": {0x34, 0xcd, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0},
	"pcapng, little-endian":  {10, 13, 13, 10, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0, 0},
	"pcapng, big-endian":     {10, 13, 13, 10, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 28},
	"pcapng, section only":   {10, 13, 13, 10},
	"gzip":                   {0x1f, 0x8b, 8},
	"zstd":                   {0x28, 0xb5, 0x2f, 0xfd},
	"EVTX":                   []byte("ElfFile\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
	"JSON object":            []byte(`{"`),
	"JSON array":             []byte(`[{"`),
	"JSON in UTF-16":         []byte("\xff\xfe{\x00"),
}

// TestRandomBytes feeds noise behind each magic.
func TestRandomBytes(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 20
	}
	for name, magic := range magics {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range rounds {
				rnd := rand.New(rand.NewPCG(uint64(i), 1))
				noise := make([]byte, rnd.IntN(1<<rnd.IntN(17)))
				random(rnd, noise)
				if i%2 == 1 { // small numbers make lengths and counts believable
					for j := range noise {
						if rnd.IntN(4) > 0 {
							noise[j] = 0
						}
					}
				}
				if survive(t, append(bytes.Clone(magic), noise...)); t.Failed() {
					t.Fatalf("noise %d", i)
				}
			}
			survive(t, magic)
		})
	}
}

// TestMutantFiles gives mutants to the built program, one file each.
func TestMutantFiles(t *testing.T) {
	mutants := 50
	if testing.Short() {
		mutants = 5
	}
	all := recordings(t)
	command := build(t)
	dir := t.TempDir()
	damaged := 0
	for i := range mutants {
		r := all[i%len(all)]
		mutant, how := mutate(rand.New(rand.NewPCG(uint64(i), 2)), r.content)
		file := filepath.Join(dir, fmt.Sprintf("mutant-%d.pcap", i))
		if err := os.WriteFile(file, mutant, 0o600); err != nil {
			t.Fatal(err)
		}
		res, _ := survive(t, mutant)
		code, stdout, stderr := execute(t, command, "analyze", file)
		wantCode := 0
		if len(res.Damage) > 0 {
			wantCode = 3
			damaged++
		}
		if code != wantCode {
			t.Errorf("%s, %s: exit code %d, want %d:\n%s", r.name, how, code, wantCode, stderr)
		}
		reported(t, file, stderr, len(res.Damage), int64(len(mutant)))
		if got := strings.Count(stdout, "\n"); got != len(res.Alerts) {
			t.Errorf("%s, %s: %d lines of output for %d alerts", r.name, how, got, len(res.Alerts))
		}
	}
	if damaged == 0 || damaged == mutants {
		t.Errorf("%d of %d mutants are damaged: the sample is one-sided", damaged, mutants)
	}
}

var damageLine = regexp.MustCompile(`^verderer: (.+): offset (\d+): (\S.*)$`)

// reported checks the lines about a damaged file on standard error.
func reported(t *testing.T, file, stderr string, damages int, size int64) {
	t.Helper()
	n := 0
	for line := range strings.Lines(stderr) {
		f := damageLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if f == nil {
			t.Errorf("standard error says %q", line)
			continue
		}
		if off, err := strconv.ParseInt(f[2], 10, 64); f[1] != file || err != nil || off > size {
			t.Errorf("standard error says %q of %s, %d bytes long", line, file, size)
		}
		n++
	}
	if n != damages {
		t.Errorf("standard error tells of %d damaged places, there are %d:\n%s", n, damages, stderr)
	}
}

// TestDamageIsNamed makes sure that survive can fail.
func TestDamageIsNamed(t *testing.T) {
	b := recordings(t)[0].content
	res, _ := survive(t, b[:len(b)-1])
	if len(res.Damage) != 1 {
		t.Fatalf("a capture that lacks its last byte: %v", res.Damage)
	}
	last := walk(b)
	if want := int64(last[len(last)-1].at); res.Damage[0].Offset != want {
		t.Errorf("damage at %d, want %d", res.Damage[0].Offset, want)
	}
	_, err := analyze.Run(context.Background(), analyze.Options{})
	var usage *analyze.UsageError
	if !errors.As(err, &usage) {
		t.Errorf("without input: %v", err)
	}
}
