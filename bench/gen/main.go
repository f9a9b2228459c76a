// Gen makes a large capture for measuring out of small ones.
//
//	gen [-mb 300] OUT PATH…
//
// It plays every capture below the paths at once, then all again a second after
// the last has ended, until OUT has the size wanted. Each playing of a capture
// has hosts of its own, in 10.0.0.0/8 and fd00::/8, so that every round brings
// new conversations and new computers, as time does. Multicast, broadcast and
// link-local addresses stay.
//
// The same captures give the same bytes. Only addresses in IP headers change:
// checksums become wrong, and names and addresses inside messages stay. OUT is a
// classic pcap of Ethernet frames; what is not IP in Ethernet is left out.
package main

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/capture"
)

func main() {
	mb := flag.Int64("mb", 300, "size to reach, in millions of bytes")
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: gen [-mb 300] OUT PATH…")
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), flag.Args()[1:], *mb*1e6); err != nil {
		fmt.Fprintf(os.Stderr, "gen: %v\n", err)
		os.Exit(1)
	}
}

func run(report io.Writer, out string, paths []string, size int64) error {
	var recordings []recording
	for _, in := range capture.Walk(paths) {
		r, err := load(in.Path)
		if unknown := (*capture.Unknown)(nil); errors.As(err, &unknown) && !in.Named {
			continue // a folder holds other things than captures
		} else if err != nil {
			return fmt.Errorf("reading captures: %w", err)
		}
		if len(r.packets) > 0 {
			recordings = append(recordings, r)
		}
	}
	if len(recordings) == 0 {
		return errors.New("reading captures: none holds an IP packet")
	}
	f, err := os.Create(out)
	if err != nil {
		return fmt.Errorf("making the capture: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	p := player{out: w, recordings: recordings}
	err = p.play(size)
	if err := cmp.Or(err, w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", out, err)
	}
	fmt.Fprintf(report, "captures %d, instances %d, packets %d, bytes %d\n", len(recordings), p.instances, p.packets, p.bytes)
	return nil
}

// A recording is one capture, held in memory.
type recording struct {
	packets []packet
	hosts   []netip.Addr // unicast addresses, in order of appearance
	span    activity.Time
}

// A packet is an Ethernet frame with IP in it.
type packet struct {
	time     activity.Time // since the recording's beginning
	data     []byte
	at       int // offset of the source address; the target's follows it
	v6       bool
	src, dst int // index into hosts; −1: stays as it is
}

// load reads a capture. Of a damaged one it keeps what can be read.
func load(path string) (recording, error) {
	var r recording
	src, err := capture.Open(path)
	if err != nil {
		return r, err
	}
	defer src.Close()
	var c capture.Chunk
	var begin activity.Time
	known := make(map[netip.Addr]int)
	for {
		err := src.Next(&c)
		if err == io.EOF {
			break
		}
		if damage := (*capture.Damage)(nil); errors.As(err, &damage) {
			continue
		} else if err != nil {
			return r, err
		}
		p, ok := r.parse(&c, known)
		if !ok {
			continue
		}
		if len(r.packets) == 0 {
			begin = c.Time
		}
		p.time = max(0, c.Time-begin)
		r.span = max(r.span, p.time)
		r.packets = append(r.packets, p)
	}
	return r, nil
}

// parse finds the addresses in a frame; false: it is not IP in Ethernet.
func (r *recording) parse(c *capture.Chunk, known map[netip.Addr]int) (packet, bool) {
	b := c.Data
	if c.Link != capture.LinkEthernet || len(b) < 14 {
		return packet{}, false
	}
	at := 12
	for len(b) >= at+6 && (binary.BigEndian.Uint16(b[at:]) == 0x8100 || binary.BigEndian.Uint16(b[at:]) == 0x88a8) {
		at += 4 // IEEE 802.1Q tag
	}
	p := packet{}
	length := 4
	switch binary.BigEndian.Uint16(b[at:]) {
	case 0x0800:
		p.at = at + 2 + 12 // RFC 791 §3.1
	case 0x86dd:
		p.at, p.v6, length = at+2+8, true, 16 // RFC 8200 §3
	default:
		return p, false
	}
	if len(b) < p.at+2*length {
		return p, false
	}
	host := func(b []byte) int {
		a, _ := netip.AddrFromSlice(b)
		if !a.IsGlobalUnicast() || a.Is4() && b[3] == 255 { // a directed broadcast, in most nets
			return -1
		}
		i, ok := known[a]
		if !ok {
			i = len(r.hosts)
			known[a] = i
			r.hosts = append(r.hosts, a)
		}
		return i
	}
	p.src, p.dst = host(b[p.at:p.at+length]), host(b[p.at+length:p.at+2*length])
	p.data = slices.Clone(b)
	return p, true
}

// A player writes recordings over and over.
type player struct {
	out        io.Writer
	recordings []recording

	instances int    // playings of a recording begun
	hosts     uint32 // addresses given to earlier instances
	packets   int64
	bytes     int64
}

// start is when OUT begins: any fixed time does.
const start = activity.Time(1_700_000_000_000_000_000)

// pause lies between two rounds.
const pause = activity.Time(1_000_000_000)

// play writes rounds until size is reached.
func (p *player) play(size int64) error {
	head := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4) // microseconds
	head = binary.LittleEndian.AppendUint16(head, 2)          // version 2.4
	head = binary.LittleEndian.AppendUint16(head, 4)
	head = append(head, make([]byte, 8)...)              // UTC, and no accuracy
	head = binary.LittleEndian.AppendUint32(head, 1<<18) // snap length, tcpdump's own
	head = binary.LittleEndian.AppendUint32(head, uint32(capture.LinkEthernet))
	if _, err := p.out.Write(head); err != nil {
		return err
	}
	p.bytes = int64(len(head))

	type cue struct {
		packet
		first uint32 // address number of the instance's first host
	}
	var round []cue
	var span activity.Time
	var hosts uint32
	for _, r := range p.recordings {
		for _, k := range r.packets {
			round = append(round, cue{k, hosts})
		}
		hosts += uint32(len(r.hosts))
		span = max(span, r.span)
	}
	slices.SortStableFunc(round, func(a, b cue) int { return cmp.Compare(a.time, b.time) })

	for now := start; ; now += span + pause {
		p.instances += len(p.recordings)
		for _, k := range round {
			if err := p.write(k.packet, now+k.time, p.hosts+k.first); err != nil {
				return err
			}
			if p.bytes >= size {
				return nil
			}
		}
		p.hosts += hosts
		if p.hosts > 1<<24-256-hosts {
			p.hosts = 0 // 10.0.0.0/8 is used up: the first hosts come back
		}
	}
}

// write writes one packet at its time, with the hosts of its instance, the
// first of which has the number first.
func (p *player) write(k packet, now activity.Time, first uint32) error {
	b := binary.LittleEndian.AppendUint32(nil, uint32(now/1e9))
	b = binary.LittleEndian.AppendUint32(b, uint32(now%1e9/1e3))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(k.data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(k.data)))
	at := len(b) + k.at
	b = append(b, k.data...)
	length := 4
	if k.v6 {
		length = 16
	}
	for i, host := range []int{k.src, k.dst} {
		if host < 0 {
			continue
		}
		a := b[at+i*length : at+(i+1)*length]
		clear(a)
		binary.BigEndian.PutUint32(a[length-4:], 256+first+uint32(host)) // 10.0.1.0 on: no address ends in all zeros of a /8
		a[0] = 10
		if k.v6 {
			a[0] = 0xfd
		}
	}
	p.packets++
	p.bytes += int64(len(b))
	_, err := p.out.Write(b)
	return err
}
