package capture

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/verderer/verderer/activity"
)

// at is a second of 2024 at which test captures begin.
const at = activity.Time(1_710_000_000 * int64(time.Second))

// packet is what a test wants to read.
type packet struct {
	time activity.Time
	link LinkType
	data []byte
	wire int
}

// payload is n bytes that depend on seed and never look like a header.
func payload(n, seed int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(0x80 | seed*31 + i*7)
	}
	return b
}

// series is n packets of different length, a millisecond apart.
func series(n int) []packet {
	var list []packet
	for i := range n {
		data := payload(40+i*13%90, i)
		list = append(list, packet{at.Add(time.Duration(i) * time.Millisecond), LinkEthernet, data, len(data)})
	}
	return list
}

// byteOrder is a byte order that numbers are read and written in.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// pcapWriter writes a classic capture.
type pcapWriter struct {
	bytes.Buffer
	order byteOrder
	magic uint32
}

func newPcapWriter(order byteOrder, magic uint32, link LinkType) *pcapWriter {
	w := &pcapWriter{order: order, magic: magic}
	w.u32(magic)
	w.u16(2)
	w.u16(4)
	w.u32(0)
	w.u32(0)
	w.u32(MaxPacket)
	w.u32(uint32(link))
	return w
}

func (w *pcapWriter) u16(v uint16) { w.Write(w.order.AppendUint16(nil, v)) }
func (w *pcapWriter) u32(v uint32) { w.Write(w.order.AppendUint32(nil, v)) }

func (w *pcapWriter) record(p packet) {
	unit := int64(time.Microsecond)
	if w.magic == magicNano {
		unit = 1
	}
	w.u32(uint32(int64(p.time) / int64(time.Second)))
	w.u32(uint32(int64(p.time) % int64(time.Second) / unit))
	w.u32(uint32(len(p.data)))
	w.u32(uint32(p.wire))
	if w.magic == magicModified {
		w.u32(7)      // interface
		w.u16(0x0800) // protocol
		w.u16(4 << 8) // packet type, padding
	}
	w.Write(p.data)
}

// pcapOf is a little-endian microsecond capture of Ethernet packets, and where
// each record begins.
func pcapOf(packets []packet) (content []byte, starts []int) {
	w := newPcapWriter(binary.LittleEndian, magicMicro, LinkEthernet)
	for _, p := range packets {
		starts = append(starts, w.Len())
		w.record(p)
	}
	return w.Bytes(), append(starts, w.Len())
}

// option is an option of a pcapng block.
type option struct {
	code  uint16
	value []byte
}

// ngWriter writes a pcapng file.
type ngWriter struct {
	bytes.Buffer
	order byteOrder
}

// block writes a block, padding the body.
func (w *ngWriter) block(typ uint32, body []byte) {
	body = append(bytes.Clone(body), make([]byte, -len(body)&3)...)
	w.Write(w.order.AppendUint32(nil, typ))
	length := w.order.AppendUint32(nil, uint32(len(body)+blockFrame))
	w.Write(length)
	w.Write(body)
	w.Write(length)
}

func (w *ngWriter) options(b []byte, list []option) []byte {
	for _, o := range list {
		b = w.order.AppendUint16(b, o.code)
		b = w.order.AppendUint16(b, uint16(len(o.value)))
		b = append(b, o.value...)
		b = append(b, make([]byte, -len(o.value)&3)...)
	}
	if len(list) > 0 {
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

// section begins a section in a byte order.
func (w *ngWriter) section(order byteOrder) {
	w.order = order
	b := order.AppendUint32(nil, byteOrderMagic)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, 0)
	b = order.AppendUint64(b, 1<<64-1)
	w.block(blockSection, w.options(b, []option{{4, []byte("a test")}}))
}

func (w *ngWriter) iface(link LinkType, snap uint32, options ...option) {
	b := w.order.AppendUint16(nil, uint16(link))
	b = w.order.AppendUint16(b, 0)
	b = w.order.AppendUint32(b, snap)
	w.block(blockInterface, w.options(b, options))
}

func (w *ngWriter) enhanced(id uint32, ticks uint64, data []byte, wire int) {
	b := w.order.AppendUint32(nil, id)
	b = w.order.AppendUint32(b, uint32(ticks>>32))
	b = w.order.AppendUint32(b, uint32(ticks))
	b = w.order.AppendUint32(b, uint32(len(data)))
	b = w.order.AppendUint32(b, uint32(wire))
	b = append(b, data...)
	b = append(b, make([]byte, -len(data)&3)...)
	w.block(blockEnhanced, w.options(b, []option{{1, []byte("a comment")}}))
}

func (w *ngWriter) obsolete(id uint16, ticks uint64, data []byte, wire int) {
	b := w.order.AppendUint16(nil, id)
	b = w.order.AppendUint16(b, 3) // drops
	b = w.order.AppendUint32(b, uint32(ticks>>32))
	b = w.order.AppendUint32(b, uint32(ticks))
	b = w.order.AppendUint32(b, uint32(len(data)))
	b = w.order.AppendUint32(b, uint32(wire))
	w.block(blockPacket, append(b, data...))
}

func (w *ngWriter) simple(data []byte, wire int) {
	w.block(blockSimple, append(w.order.AppendUint32(nil, uint32(wire)), data...))
}

func micros(t activity.Time) uint64 { return uint64(t) / 1000 }

// ngOf is a little-endian pcapng file of Ethernet packets, and where each
// packet block begins.
func ngOf(packets []packet) (content []byte, starts []int) {
	var w ngWriter
	w.section(binary.LittleEndian)
	w.iface(LinkEthernet, 0)
	for _, p := range packets {
		starts = append(starts, w.Len())
		w.enhanced(0, micros(p.time), p.data, p.wire)
	}
	return w.Bytes(), append(starts, w.Len())
}
