package wire

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/verderer/verderer/activity"
)

// Append appends the batch as it is sent: protobuf (activity.proto), compressed
// with zstd. It refuses what Decode would refuse, so a batch that was appended
// will be taken.
func (b *Batch) Append(dst []byte) ([]byte, error) {
	if len(b.Entries) > MaxEntries {
		return dst, fmt.Errorf("encoding a batch of %d entries: more than %d", len(b.Entries), MaxEntries)
	}
	for i := range b.Entries {
		if err := b.Entries[i].check(); err != nil {
			return dst, fmt.Errorf("encoding a batch: Entries[%d]: %w", i, err)
		}
	}
	buf := plains.Get().(*[]byte)
	defer keep(buf)
	e := encoder{b: (*buf)[:0], mend: true}
	e.message(batchCodec(), reflect.ValueOf(b).Elem())
	if *buf = e.b; len(e.b) > MaxPlain {
		return dst, fmt.Errorf("encoding a batch: %d bytes uncompressed, more than %d", len(e.b), MaxPlain)
	}
	start := len(dst)
	dst = compressor().EncodeAll(e.b, dst)
	if n := len(dst) - start; n > MaxBatch {
		return dst[:start], fmt.Errorf("encoding a batch: %d bytes compressed, more than %d", n, MaxBatch)
	}
	return dst, nil
}

// Decode reads a batch that somebody sent. Nothing in the result has more than
// the caps of this package and of the fields' tags, every entry states one thing,
// every activity has the detail of its kind and no other, and its ID is computed
// here. Times, numbers and texts are whatever the sender says.
//
// An error says which entry and field is wrong. Then nothing of the batch is
// returned: a sensor that sends one wrong thing is not to be believed the rest.
func Decode(b []byte) (*Batch, error) {
	if len(b) > MaxBatch {
		return nil, fmt.Errorf("decoding a batch: %d bytes, more than %d", len(b), MaxBatch)
	}
	buf := plains.Get().(*[]byte)
	defer keep(buf)
	plain, err := decompressor().DecodeAll(b, (*buf)[:0])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return nil, fmt.Errorf("decompressing a batch: more than %d bytes", MaxPlain)
	}
	if err != nil {
		return nil, fmt.Errorf("decompressing a batch: %w", err)
	}
	*buf = plain
	batch, err := decodePlain(plain)
	if err != nil {
		return nil, fmt.Errorf("decoding a batch: %w", err)
	}
	return batch, nil
}

// maxMemory caps what the structs and lists of a batch take in memory; its texts
// take no more than MaxPlain beside them. The densest that a sensor states, DNS
// questions of some 100 bytes, take about 60 MiB when they fill MaxPlain.
const maxMemory = 16 * MaxPlain

// decodePlain reads what Append compresses.
func decodePlain(plain []byte) (*Batch, error) {
	batch := new(Batch)
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	d.left = maxMemory
	if err := d.message(batchCodec(), plain, reflect.ValueOf(batch).Elem()); err != nil {
		return nil, err
	}
	for i := range batch.Entries {
		if a := batch.Entries[i].Activity; a != nil {
			a.Seal()
		}
	}
	return batch, nil
}

// AppendActivity appends one activity as protobuf, not compressed. Its ID is
// left out. Texts and lists beyond their caps are cut.
func AppendActivity(dst []byte, a *activity.Activity) []byte {
	e := encoder{b: dst, mend: true}
	e.message(activityCodec(), reflect.ValueOf(a).Elem())
	return e.b
}

// DecodeActivity reads what AppendActivity wrote, with the caps and checks of
// Decode. The activity is sealed.
func DecodeActivity(b []byte) (*activity.Activity, error) {
	a := new(activity.Activity)
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	d.left = maxMemory
	err := d.message(activityCodec(), b, reflect.ValueOf(a).Elem())
	if err == nil {
		err = checkActivity(a)
	}
	if err != nil {
		return nil, fmt.Errorf("decoding an activity: %w", err)
	}
	a.Seal()
	return a, nil
}

// Marshal appends v, a struct or a pointer to one, as protobuf by the `pb` tags
// of its fields (see Field). It refuses what is beyond a cap and text that is
// not UTF-8; a []byte without a cap may have any length.
func Marshal(dst []byte, v any) ([]byte, error) {
	at := reflect.ValueOf(v)
	if at.Kind() == reflect.Pointer && !at.IsNil() {
		at = at.Elem()
	} else if at.IsValid() { // a copy, since fields are taken the address of
		to := reflect.New(at.Type()).Elem()
		to.Set(at)
		at = to
	} else {
		return dst, errors.New("encoding nil")
	}
	c, err := codecOf(at.Type())
	if err != nil {
		return dst, fmt.Errorf("encoding %T: %w", v, err)
	}
	e := encoder{b: dst}
	if e.message(c, at); e.err != nil {
		return dst, fmt.Errorf("encoding %T: %w", v, e.err)
	}
	return e.b, nil
}

// Unmarshal reads what Marshal wrote into *v, which it zeroes first. Nothing in
// it refers to b. Activities in it are neither sealed nor checked.
func Unmarshal(b []byte, v any) error {
	at := reflect.ValueOf(v)
	if at.Kind() != reflect.Pointer || at.IsNil() {
		return fmt.Errorf("decoding into %T: want a pointer to a struct", v)
	}
	c, err := codecOf(at.Type().Elem())
	if err != nil {
		return fmt.Errorf("decoding into %T: %w", v, err)
	}
	at.Elem().SetZero()
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	d.left = math.MaxInt // it is our own
	if err := d.message(c, b, at.Elem()); err != nil {
		return fmt.Errorf("decoding into %T: %w", v, err)
	}
	return nil
}

// check tells what no sensor states.
func (e *Entry) check() error {
	switch {
	case e.Activity == nil && e.Progress == 0:
		return errors.New("states nothing")
	case e.Activity != nil && e.Progress != 0:
		return errors.New("states an activity and progress")
	case e.Activity != nil:
		return checkActivity(e.Activity)
	}
	return nil
}

func checkActivity(a *activity.Activity) error {
	switch {
	case a.Kind == "":
		return errors.New("an activity without kind")
	case !a.HasDetail():
		return fmt.Errorf("an activity of kind %q without its detail", a.Kind)
	case a.Details() > 1:
		return fmt.Errorf("an activity of kind %q with %d details", a.Kind, a.Details())
	}
	return nil
}

var (
	batchCodec    = sync.OnceValue(must[Batch])
	activityCodec = sync.OnceValue(must[activity.Activity])
)

// must compiles a type of ours, whose tags a test has read.
func must[T any]() *codec {
	c, err := codecOf(reflect.TypeFor[T]())
	if err != nil {
		panic(err)
	}
	return c
}

// plains are buffers for batches uncompressed.
var plains = sync.Pool{New: func() any { return new([]byte) }}

// maxKept is the largest buffer that waits for another batch: a batch of 64 KiB
// is some 300 KiB uncompressed, and larger ones are rare.
const maxKept = 1 << 20

func keep(buf *[]byte) {
	if cap(*buf) <= maxKept {
		plains.Put(buf)
	}
}

// compressor: a sensor has one batch under way at a time. The window is beyond
// all but the largest batches, and a larger one costs memory at once. The CRC
// shows what a disk did to a batch in a spool or log.
var compressor = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(true))
	if err != nil {
		panic(err)
	}
	return e
})

// decompressor reads as many batches at once as there are processors. A frame
// that says it is larger than MaxPlain is refused before anything is allocated,
// and one that does not say stops there.
var decompressor = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxPlain), zstd.WithDecoderMaxWindow(MaxPlain))
	if err != nil {
		panic(err)
	}
	return d
})
