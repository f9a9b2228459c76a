package evtx

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Types of values (MS-EVEN6 §2.2.18 and winevt.h's EVT_VARIANT_TYPE).
const (
	typeNull       = 0x00
	typeString     = 0x01
	typeAnsi       = 0x02
	typeInt8       = 0x03
	typeUint8      = 0x04
	typeInt16      = 0x05
	typeUint16     = 0x06
	typeInt32      = 0x07
	typeUint32     = 0x08
	typeInt64      = 0x09
	typeUint64     = 0x0a
	typeFloat      = 0x0b
	typeDouble     = 0x0c
	typeBool       = 0x0d
	typeBinary     = 0x0e
	typeGUID       = 0x0f
	typeSize       = 0x10
	typeFileTime   = 0x11
	typeSystemTime = 0x12
	typeSID        = 0x13
	typeHex32      = 0x14
	typeHex64      = 0x15
	typeBinXML     = 0x21
	typeArray      = 0x80 // of the type in the other bits
)

// widths are the lengths of what stands in an array, 0 for what has none.
var widths = [...]int{
	typeInt8: 1, typeUint8: 1, typeInt16: 2, typeUint16: 2, typeInt32: 4, typeUint32: 4, typeInt64: 8, typeUint64: 8,
	typeFloat: 4, typeDouble: 8, typeBool: 4, typeGUID: 16, typeFileTime: 8, typeSystemTime: 16, typeHex32: 4, typeHex64: 8,
}

// value writes a value where the writer is.
func (r *Reader) value(v value) error {
	w := &r.out
	b := r.b[v.from:v.to]
	switch {
	case v.kind == typeNull || len(b) == 0:
		return nil
	case v.kind == typeBinXML:
		return r.fragment(v.from, v.to, false)
	case v.kind == typeFileTime && w.inTag && w.attr == attrSystemTime && len(b) == 8:
		if e := w.stack[len(w.stack)-1]; e.place == inProperty && e.known == nameTimeCreated {
			w.rec.Time = u64(b, 0)
			return nil
		}
	}
	if len(w.buf)+6*len(b)+32 > maxText { // more than any of them becomes
		w.cut++
		return nil
	}
	if v.kind&typeArray == 0 {
		w.buf = appendValue(w.buf, v.kind, b)
		return nil
	}
	// Windows shows an array as that many elements of the same name.
	kind := v.kind &^ typeArray
	for first := true; len(b) > 0; first = false {
		n := len(b)
		switch {
		case kind == typeString:
			for n = 0; n+2 <= len(b) && u16(b, n) != 0; n += 2 {
			}
			n = min(n+2, len(b))
		case kind == typeAnsi:
			for n = 0; n < len(b) && b[n] != 0; n++ {
			}
			n = min(n+1, len(b))
		case int(kind) < len(widths) && widths[kind] > 0:
			n = min(widths[kind], len(b))
		}
		if !first {
			w.next()
		}
		w.buf = appendValue(w.buf, kind, b[:n])
		b = b[n:]
		if r.ran++; r.ran > r.limit {
			return errSteps
		}
	}
	return nil
}

// next begins another element of the same name as the one at hand.
func (w *writer) next() {
	if len(w.stack) == 0 || w.inTag {
		w.buf = append(w.buf, ' ')
		return
	}
	e := &w.stack[len(w.stack)-1]
	if e.place != inData {
		return
	}
	w.field(e.name, e.start)
	e.start = len(w.buf)
}

const (
	lower = "0123456789abcdef"
	upper = "0123456789ABCDEF"
)

// appendValue appends a value as Windows shows it. One whose length is not that
// of its type is shown in hex.
func appendValue(to []byte, kind byte, b []byte) []byte {
	if int(kind) < len(widths) && widths[kind] > 0 && len(b) != widths[kind] && kind != typeBool {
		return appendHex(to, b)
	}
	switch kind {
	case typeString:
		return appendUTF16(to, b)
	case typeAnsi:
		for len(b) > 0 && b[len(b)-1] == 0 {
			b = b[:len(b)-1]
		}
		for _, c := range b { // a code page that the record does not name
			if c < utf8.RuneSelf {
				to = append(to, c)
			} else {
				to = utf8.AppendRune(to, utf8.RuneError)
			}
		}
		return to
	case typeInt8:
		return strconv.AppendInt(to, int64(int8(b[0])), 10)
	case typeUint8:
		return strconv.AppendUint(to, uint64(b[0]), 10)
	case typeInt16:
		return strconv.AppendInt(to, int64(int16(u16(b, 0))), 10)
	case typeUint16:
		return strconv.AppendUint(to, uint64(u16(b, 0)), 10)
	case typeInt32:
		return strconv.AppendInt(to, int64(int32(u32(b, 0))), 10)
	case typeUint32:
		return strconv.AppendUint(to, uint64(u32(b, 0)), 10)
	case typeInt64:
		return strconv.AppendInt(to, int64(u64(b, 0)), 10)
	case typeUint64:
		return strconv.AppendUint(to, u64(b, 0), 10)
	case typeFloat:
		return strconv.AppendFloat(to, float64(math.Float32frombits(uint32(u32(b, 0)))), 'g', -1, 32)
	case typeDouble:
		return strconv.AppendFloat(to, math.Float64frombits(u64(b, 0)), 'g', -1, 64)
	case typeBool:
		for _, c := range b {
			if c != 0 {
				return append(to, "true"...)
			}
		}
		return append(to, "false"...)
	case typeGUID:
		return appendGUID(to, b)
	case typeFileTime:
		return appendTime(to, u64(b, 0))
	case typeSystemTime:
		return appendSystemTime(to, b)
	case typeSID:
		return appendSID(to, b)
	case typeHex32:
		return strconv.AppendUint(append(to, "0x"...), uint64(u32(b, 0)), 16)
	case typeHex64:
		return strconv.AppendUint(append(to, "0x"...), u64(b, 0), 16)
	case typeSize: // of a pointer, on the computer that wrote it
		switch len(b) {
		case 4:
			return appendValue(to, typeHex32, b)
		case 8:
			return appendValue(to, typeHex64, b)
		}
	}
	return appendHex(to, b)
}

func appendHex(to, b []byte) []byte {
	for _, c := range b {
		to = append(to, upper[c>>4], upper[c&15])
	}
	return to
}

// appendUTF16 appends UTF-16LE up to its final zeros as UTF-8. Half a surrogate
// pair becomes U+FFFD.
func appendUTF16(to, b []byte) []byte {
	b = b[:len(b)&^1]
	for len(b) > 0 && u16(b, len(b)-2) == 0 {
		b = b[:len(b)-2]
	}
	for i := 0; i < len(b); i += 2 {
		c := rune(binary.LittleEndian.Uint16(b[i:]))
		switch {
		case c < utf8.RuneSelf:
			to = append(to, byte(c))
		case utf16.IsSurrogate(c):
			full := rune(utf8.RuneError)
			if i+4 <= len(b) {
				if full = utf16.DecodeRune(c, rune(u16(b, i+2))); full != utf8.RuneError {
					i += 2
				}
			}
			to = utf8.AppendRune(to, full)
		default:
			to = utf8.AppendRune(to, c)
		}
	}
	return to
}

// appendGUID appends {8-4-4-4-12} in lower case (MS-DTYP §2.3.4.3).
func appendGUID(to, b []byte) []byte {
	to = append(to, '{')
	for i, at := range [...]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			to = append(to, '-')
		}
		to = append(to, lower[b[at]>>4], lower[b[at]&15])
	}
	return append(to, '}')
}

// maxFileTime is the end of the year 9999, the last that is written with four digits.
const maxFileTime = filetimeEpoch + 253402300800*1e7 - 1

// appendTime appends a FILETIME to 100 ns, as Windows does. One out of range is
// shown as the number it is.
func appendTime(to []byte, t uint64) []byte {
	if t > maxFileTime {
		return strconv.AppendUint(to, t, 10)
	}
	const perSecond = 1e7
	s := int64(t/perSecond) - filetimeEpoch/perSecond
	return time.Unix(s, int64(t%perSecond)*100).UTC().AppendFormat(to, "2006-01-02T15:04:05.0000000Z")
}

// appendSystemTime appends a SYSTEMTIME (MS-DTYP §2.3.13).
func appendSystemTime(to, b []byte) []byte {
	if u16(b, 2) > 12 || u16(b, 6) > 31 || u16(b, 0) > 9999 {
		return appendHex(to, b)
	}
	t := time.Date(u16(b, 0), time.Month(u16(b, 2)), u16(b, 6), u16(b, 8), u16(b, 10), u16(b, 12), u16(b, 14)*1e6, time.UTC)
	return t.AppendFormat(to, "2006-01-02T15:04:05.000Z")
}

// appendSID appends S-1-… (MS-DTYP §2.4.2), or hex when b is none.
func appendSID(to, b []byte) []byte {
	if len(b) < 8 || len(b) != 8+4*int(b[1]) {
		return hex.AppendEncode(to, b)
	}
	to = append(to, "S-"...)
	to = strconv.AppendUint(to, uint64(b[0]), 10)
	var authority uint64
	for _, c := range b[2:8] {
		authority = authority<<8 | uint64(c)
	}
	to = strconv.AppendUint(append(to, '-'), authority, 10)
	for i := 8; i < len(b); i += 4 {
		to = strconv.AppendUint(append(to, '-'), uint64(u32(b, i)), 10)
	}
	return to
}
