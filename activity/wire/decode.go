package wire

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"reflect"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/verderer/verderer/activity"
)

var (
	errUTF8 = errors.New("text is not UTF-8")
	errNil  = errors.New("nil in a list")

	errMemory = errors.New("here the batch is larger in memory than it may be")
)

func tooMany(max int) error { return fmt.Errorf("more than %d in the list", max) }
func tooLong(max int) error { return fmt.Errorf("longer than %d bytes", max) }

const (
	// maxShared is the longest text that is shared. Kinds, realms, services and
	// accounts are shorter; longer ones are seldom the same twice.
	maxShared = 48
	// sharedTexts is how many texts a decoder keeps at hand, a power of two: what
	// the activities of a batch have in common, in 4 KiB of pointers.
	sharedTexts = 256
)

// A decoder reads one batch or struct at a time. It keeps short texts that it
// has seen, to hand the same one out again: two thirds of an activity's texts
// stand in its neighbours too.
type decoder struct {
	seed maphash.Seed
	seen [sharedTexts]string
	// left is how many bytes of structs and lists may still be made: a message of
	// two bytes can stand for a struct of hundreds.
	left int
}

var decoders = sync.Pool{New: func() any { return &decoder{seed: maphash.MakeSeed()} }}

// take notes that bytes are about to be made.
func (d *decoder) take(bytes int) error {
	if d.left -= bytes; d.left < 0 {
		return errMemory
	}
	return nil
}

// text makes b a string.
func (d *decoder) text(b []byte) string {
	if len(b) > maxShared {
		return string(b)
	}
	at := &d.seen[maphash.Bytes(d.seed, b)%sharedTexts]
	if *at != string(b) {
		*at = string(b)
	}
	return *at
}

// message reads b into v, which holds zeros or what an earlier part of the same
// message left. Fields without a number here are skipped: a later release added
// them.
func (d *decoder) message(c *codec, b []byte, v reflect.Value) error {
	for len(b) > 0 {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := c.field(number)
		if f == nil {
			// Groups are none of ours, and they alone would nest without a type.
			if typ == protowire.StartGroupType || typ == protowire.EndGroupType {
				return fmt.Errorf("field %d is a group", number)
			}
			if n = protowire.ConsumeFieldValue(number, typ, b); n < 0 {
				return fmt.Errorf("field %d: %w", number, protowire.ParseError(n))
			}
			b = b[n:]
			continue
		}
		n, err := f.get(d, f, b, typ, v.Field(f.index))
		if err != nil {
			return below(f.Name, err)
		}
		b = b[n:]
	}
	return nil
}

// value reads one scalar into v.
func (d *decoder) value(f *Field, b []byte, max int, v reflect.Value) (int, error) {
	switch f.wire {
	case protowire.VarintType:
		x, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		return n, f.scalar.number(v, x)
	case protowire.Fixed64Type:
		x, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		return n, f.scalar.number(v, x)
	}
	in, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return 0, protowire.ParseError(n)
	}
	return n, f.scalar.bytes(d, max, v, in)
}

func wrongType(got, want protowire.Type) error {
	return fmt.Errorf("wire type %d, want %d", got, want)
}

func getScalar(d *decoder, f *Field, b []byte, typ protowire.Type, v reflect.Value) (int, error) {
	if typ != f.wire {
		return 0, wrongType(typ, f.wire)
	}
	return d.value(f, b, f.Max, v)
}

func getOptional(d *decoder, f *Field, b []byte, typ protowire.Type, v reflect.Value) (int, error) {
	if typ != f.wire {
		return 0, wrongType(typ, f.wire)
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return d.value(f, b, f.Max, v.Elem())
}

// grow makes room for n more elements, within the cap.
func (d *decoder) grow(f *Field, v reflect.Value, n int) (from int, err error) {
	from = v.Len()
	if n > f.Max-from {
		return 0, tooMany(f.Max)
	}
	if err := d.take(n * int(v.Type().Elem().Size())); err != nil {
		return 0, err
	}
	v.Grow(n)
	v.SetLen(from + n)
	return from, nil
}

// run counts the values that stand one after another under f's key, the first
// of which b begins with: all of the list as we write it.
func run(f *Field, b []byte) int {
	count := 0
	for {
		_, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return max(count, 1) // the reader will say what is wrong
		}
		count++
		b = b[n:]
		if !bytes.HasPrefix(b, f.key) || count > f.Max {
			return count
		}
		b = b[len(f.key):]
	}
}

// list reads the elements of a run, each by one.
func (d *decoder) list(f *Field, b []byte, typ protowire.Type, v reflect.Value, one func([]byte, reflect.Value) (int, error)) (int, error) {
	if typ != protowire.BytesType {
		return 0, wrongType(typ, protowire.BytesType)
	}
	count := run(f, b)
	from, err := d.grow(f, v, count)
	if err != nil {
		return 0, err
	}
	read := 0
	for i := range count {
		if i > 0 {
			read += len(f.key)
		}
		n, err := one(b[read:], v.Index(from+i))
		if err != nil {
			return 0, below(fmt.Sprintf("[%d]", from+i), err)
		}
		read += n
	}
	return read, nil
}

func getTexts(d *decoder, f *Field, b []byte, typ protowire.Type, v reflect.Value) (int, error) {
	return d.list(f, b, typ, v, func(b []byte, at reflect.Value) (int, error) {
		return d.value(f, b, activity.MaxText, at)
	})
}

func getMessages(d *decoder, f *Field, b []byte, typ protowire.Type, v reflect.Value) (int, error) {
	return d.list(f, b, typ, v, func(b []byte, at reflect.Value) (int, error) {
		if at.Kind() == reflect.Pointer {
			return getPointer(d, f, b, protowire.BytesType, at)
		}
		n, err := getStruct(d, f, b, protowire.BytesType, at)
		if e, ok := at.Addr().Interface().(*Entry); ok && err == nil {
			err = e.check() // here, so that a batch is given up at its first wrong entry
		}
		return n, err
	})
}

// getPacked reads a list of numbers, and a number by itself: writers of protobuf
// may do either.
func getPacked(d *decoder, f *Field, b []byte, typ protowire.Type, v reflect.Value) (int, error) {
	if typ == f.wire {
		at, err := d.grow(f, v, 1)
		if err != nil {
			return 0, err
		}
		return d.value(f, b, 0, v.Index(at))
	}
	if typ != protowire.BytesType {
		return 0, wrongType(typ, protowire.BytesType)
	}
	in, read := protowire.ConsumeBytes(b)
	if read < 0 {
		return 0, protowire.ParseError(read)
	}
	count := len(in) / 8
	if f.wire == protowire.VarintType {
		count = 0
		for _, c := range in {
			if c < 0x80 {
				count++
			}
		}
	}
	at, err := d.grow(f, v, count)
	if err != nil {
		return 0, err
	}
	for ; count > 0; count-- {
		n, err := d.value(f, in, 0, v.Index(at))
		if err != nil {
			return 0, err
		}
		in = in[n:]
		at++
	}
	if len(in) > 0 {
		return 0, errors.New("bytes after the last number of the list")
	}
	return read, nil
}

func getStruct(d *decoder, f *Field, b []byte, typ protowire.Type, v reflect.Value) (int, error) {
	if typ != protowire.BytesType {
		return 0, wrongType(typ, protowire.BytesType)
	}
	in, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return 0, protowire.ParseError(n)
	}
	return n, d.message(f.inner, in, v)
}

func getPointer(d *decoder, f *Field, b []byte, typ protowire.Type, v reflect.Value) (int, error) {
	if v.IsNil() {
		if err := d.take(int(f.Message.Size())); err != nil {
			return 0, err
		}
		v.Set(reflect.New(f.Message))
	}
	return getStruct(d, f, b, typ, v.Elem())
}

func decodeBool(v reflect.Value, n uint64) error {
	v.SetBool(protowire.DecodeBool(n))
	return nil
}

func decodeSigned(v reflect.Value, n uint64) error {
	x := protowire.DecodeZigZag(n)
	if v.OverflowInt(x) {
		return fmt.Errorf("%d is no %v", x, v.Type())
	}
	v.SetInt(x)
	return nil
}

func decodeUnsigned(v reflect.Value, n uint64) error {
	if v.OverflowUint(n) {
		return fmt.Errorf("%d is no %v", n, v.Type())
	}
	v.SetUint(n)
	return nil
}

func decodeFixed(v reflect.Value, n uint64) error {
	v.SetInt(int64(n))
	return nil
}

func decodeText(d *decoder, max int, v reflect.Value, b []byte) error {
	if err := check(b, max); err != nil {
		return err
	}
	v.SetString(d.text(b))
	return nil
}

// check tells what is wrong with a text.
func check(b []byte, max int) error {
	switch {
	case len(b) > max:
		return tooLong(max)
	case !utf8.Valid(b):
		return errUTF8
	}
	return nil
}

func decodeBytes(_ *decoder, max int, v reflect.Value, b []byte) error {
	if max > 0 && len(b) > max {
		return tooLong(max)
	}
	v.SetBytes(bytes.Clone(b))
	return nil
}

func decodeArray(_ *decoder, _ int, v reflect.Value, b []byte) error {
	if len(b) != v.Len() {
		return fmt.Errorf("%d bytes, want %d", len(b), v.Len())
	}
	copy(v.Bytes(), b)
	return nil
}

func decodeAddr(d *decoder, _ int, v reflect.Value, b []byte) error {
	to := v.Addr().Interface().(*netip.Addr)
	switch {
	case len(b) == 4:
		*to = netip.AddrFrom4([4]byte(b))
	case len(b) == 16:
		*to = netip.AddrFrom16([16]byte(b))
	case len(b) > 16:
		if err := check(b[16:], activity.MaxText); err != nil {
			return fmt.Errorf("zone: %w", err)
		}
		*to = netip.AddrFrom16([16]byte(b)).WithZone(d.text(b[16:]))
	default:
		return fmt.Errorf("%d bytes, want 4 or 16", len(b))
	}
	return nil
}
