package capture

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// seed adds the generated capture and the small ones of the corpus that are of
// the kind.
func seed(f *testing.F, kind Kind, generated ...[]byte) {
	for _, b := range generated {
		f.Add(b)
	}
	dir := os.Getenv("VERDERER_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	for _, sub := range []string{"lab", "pcap"} {
		paths, _ := filepath.Glob(filepath.Join(dir, sub, "*.*cap*"))
		for _, path := range paths {
			if info, err := os.Stat(path); err != nil || info.Size() > 4<<10 {
				continue // long inputs make slow mutations
			}
			if b, err := os.ReadFile(path); err == nil && sniff(b) == kind {
				f.Add(b)
			}
		}
	}
}

// check reads content whatever it is. What may come out is judged by readAll
// and readBytes.
func check(t *testing.T, content []byte, smallest int) {
	packets, damage := readBytes(t, content)
	if len(packets) > len(content)/smallest {
		t.Errorf("%d packets in %d bytes", len(packets), len(content))
	}
	if len(damage) > len(packets)+1 {
		t.Errorf("%d damages with %d packets", len(damage), len(packets))
	}
	last := int64(-1)
	for _, d := range damage {
		if d.Offset <= last || d.Offset > int64(len(content)) {
			t.Errorf("damage at %d after %d, of %d bytes", d.Offset, last, len(content))
		}
		last = d.Offset
	}
}

func FuzzPcap(f *testing.F) {
	var seeds [][]byte
	for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, magic := range []uint32{magicMicro, magicNano, magicModified} {
			w := newPcapWriter(order, magic, LinkEthernet)
			for i, p := range series(6) {
				if i == 3 {
					w.Write(payload(21, 2))
				}
				w.record(p)
			}
			seeds = append(seeds, w.Bytes())
		}
	}
	seed(f, Pcap, seeds...)
	f.Fuzz(func(t *testing.T, content []byte) {
		if sniff(content) == Pcap {
			check(t, content, pcapRecord)
		}
	})
}

func FuzzPcapng(f *testing.F) {
	var w ngWriter
	for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
		w.section(order)
		w.iface(LinkEthernet, 60, option{optTimeResol, []byte{9}}, option{optTimeOffset, make([]byte, 8)})
		w.iface(LinkRaw, 0, option{optTimeResol, []byte{0x80 | 20}})
		for i, p := range series(5) {
			w.enhanced(uint32(i%2), micros(p.time), p.data, p.wire)
			w.obsolete(uint16(i%2), micros(p.time), p.data, p.wire)
			w.simple(p.data, p.wire)
			w.block(blockNames, p.data)
			if i == 3 {
				w.Write(payload(20, 2))
			}
		}
	}
	seed(f, PcapNG, w.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		if sniff(content) == PcapNG {
			check(t, content, blockFrame)
		}
	})
}
