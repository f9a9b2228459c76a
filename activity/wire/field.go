package wire

import (
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/verderer/verderer/activity"
)

// A Field is how one field of a struct travels. Its tag says so: `pb:"5"` gives
// the number, `pb:"5,max=32"` caps it too, `pb:"-"` keeps it at home. Numbers
// never change and are not used again: sensors and centers of different releases
// talk to each other, and logs are read by later releases.
type Field struct {
	Name     string
	Number   protowire.Number
	Type     string       // of protobuf: "sint32", "string"; "" for a message
	Message  reflect.Type // the struct; nil for a scalar
	Repeated bool
	Optional bool // a pointer to a scalar: nil and zero are told apart
	// Max caps the elements of a list, or the bytes of a text or []byte. The
	// texts in a list have MaxText.
	Max int

	index  int // in the Go struct
	key    []byte
	wire   protowire.Type // of one value
	inner  *codec         // of Message
	scalar scalar
	put    func(*encoder, *Field, reflect.Value)
	get    func(*decoder, *Field, []byte, protowire.Type, reflect.Value) (int, error)
}

const (
	// maxNumber of a field. Those up to 15 take one byte, those up to 2047 two;
	// no struct needs more, and a codec finds a field in an array.
	maxNumber = 2047
	// maxList caps a list whose tag does not. What leaves a sensor has tags that
	// do; this is for lists in the center's own records, so that an empty element
	// of one byte cannot become a large struct without end.
	maxList = 1 << 16
)

// A codec reads and writes a struct type.
type codec struct {
	of     reflect.Type
	fields []Field
	number []int16 // by field number: index into fields, −1 none
}

func (c *codec) field(n protowire.Number) *Field {
	if n < 0 || int(n) >= len(c.number) || c.number[n] < 0 {
		return nil
	}
	return &c.fields[c.number[n]]
}

// codecs keeps what compile made, by type: a program has some twenty.
var codecs sync.Map // reflect.Type → *codec

func codecOf(t reflect.Type) (*codec, error) {
	if c, ok := codecs.Load(t); ok {
		return c.(*codec), nil
	}
	return compile(t, nil)
}

// Fields lists the fields of a struct type that travel, in the struct's order.
func Fields(t reflect.Type) ([]Field, error) {
	c, err := codecOf(t)
	if err != nil {
		return nil, err
	}
	return c.fields, nil
}

// compile makes the codec of a struct type; within lists the types it is part of.
func compile(t reflect.Type, within []reflect.Type) (*codec, error) {
	if c, ok := codecs.Load(t); ok {
		return c.(*codec), nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%v is no struct", t)
	}
	for _, w := range within {
		if w == t {
			return nil, fmt.Errorf("%v contains itself: depth has to be bounded by the types", t)
		}
	}
	within = append(within, t)
	c := &codec{of: t}
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, ok := sf.Tag.Lookup("pb")
		if !sf.IsExported() || tag == "-" {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("%v.%s has no pb tag", t, sf.Name)
		}
		f := Field{Name: sf.Name, index: i}
		if err := f.parse(tag); err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, sf.Name, err)
		}
		if old := c.field(f.Number); old != nil {
			return nil, fmt.Errorf("%v.%s has number %d, as %s", t, sf.Name, f.Number, old.Name)
		}
		if err := f.compile(sf.Type, within); err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, sf.Name, err)
		}
		for len(c.number) <= int(f.Number) {
			c.number = append(c.number, -1)
		}
		c.number[f.Number] = int16(len(c.fields))
		c.fields = append(c.fields, f)
	}
	made, _ := codecs.LoadOrStore(t, c)
	return made.(*codec), nil
}

// parse reads the tag.
func (f *Field) parse(tag string) error {
	number, options, capped := strings.Cut(tag, ",")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > maxNumber {
		return fmt.Errorf("tag %q: want a number from 1 to %d", tag, maxNumber)
	}
	f.Number = protowire.Number(n)
	if capped {
		text, ok := strings.CutPrefix(options, "max=")
		if f.Max, err = strconv.Atoi(text); !ok || err != nil || f.Max < 1 {
			return fmt.Errorf("tag %q: want max=N after the number", tag)
		}
	}
	return nil
}

// compile chooses how a value of type t is read and written.
func (f *Field) compile(t reflect.Type, within []reflect.Type) error {
	elem := t
	if t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 {
		f.Repeated, elem = true, t.Elem()
		if f.Max == 0 {
			f.Max = maxList
		}
	}
	pointer := elem.Kind() == reflect.Pointer
	if pointer {
		elem = elem.Elem()
	}
	s, ok := scalarOf(elem)
	switch {
	case ok:
		if pointer && f.Repeated || f.Repeated && s.name == "bytes" {
			return fmt.Errorf("type %v is not provided for", t)
		}
		f.Type, f.wire, f.scalar, f.Optional = s.name, s.wire, s, pointer
		f.put, f.get = putScalar, getScalar
		switch {
		case f.Repeated && s.wire == protowire.BytesType:
			f.put, f.get = putTexts, getTexts
		case f.Repeated:
			f.put, f.get = putPacked, getPacked
		case pointer:
			f.put, f.get = putOptional, getOptional
		}
		if f.Max == 0 && elem.Kind() == reflect.String {
			f.Max = activity.MaxText
		}
	case elem.Kind() == reflect.Struct:
		inner, err := compile(elem, within)
		if err != nil {
			return err
		}
		f.Message, f.wire, f.inner = elem, protowire.BytesType, inner
		switch {
		case f.Repeated:
			f.put, f.get = putMessages, getMessages
		case pointer:
			f.put, f.get = putPointer, getPointer
		default:
			f.put, f.get = putStruct, getStruct
		}
	default:
		return fmt.Errorf("type %v is not provided for", t)
	}
	written := f.wire
	if f.Repeated && f.Message == nil {
		written = protowire.BytesType
	}
	f.key = protowire.AppendTag(nil, f.Number, written)
	return nil
}

// A scalar is a type whose value is one of protobuf's, not a message.
type scalar struct {
	name string // of the type in protobuf
	wire protowire.Type
	put  func(e *encoder, max int, v reflect.Value)
	// One of the two is set: for numbers and for bytes.
	number func(v reflect.Value, n uint64) error
	bytes  func(d *decoder, max int, v reflect.Value, b []byte) error
}

// scalarOf chooses a scalar. Signed numbers are zigzag, since −1 stands for "no
// answer" in several details; times have a fixed length, a varint of them would
// be longer.
func scalarOf(t reflect.Type) (scalar, bool) {
	switch t {
	case reflect.TypeFor[activity.Time]():
		return scalar{name: "sfixed64", wire: protowire.Fixed64Type, put: encodeFixed, number: decodeFixed}, true
	case reflect.TypeFor[netip.Addr]():
		return scalar{name: "bytes", wire: protowire.BytesType, put: encodeAddr, bytes: decodeAddr}, true
	}
	size := "32"
	if t.Kind() == reflect.Int || t.Kind() == reflect.Int64 || t.Kind() == reflect.Uint || t.Kind() == reflect.Uint64 {
		size = "64"
	}
	switch t.Kind() {
	case reflect.Bool:
		return scalar{name: "bool", wire: protowire.VarintType, put: encodeBool, number: decodeBool}, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return scalar{name: "sint" + size, wire: protowire.VarintType, put: encodeSigned, number: decodeSigned}, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return scalar{name: "uint" + size, wire: protowire.VarintType, put: encodeUnsigned, number: decodeUnsigned}, true
	case reflect.String:
		return scalar{name: "string", wire: protowire.BytesType, put: encodeText, bytes: decodeText}, true
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return scalar{name: "bytes", wire: protowire.BytesType, put: encodeBytes, bytes: decodeBytes}, true
		}
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return scalar{name: "bytes", wire: protowire.BytesType, put: encodeArray, bytes: decodeArray}, true
		}
	}
	return scalar{}, false
}

// A fieldError says where in a struct something went wrong.
type fieldError struct {
	at  string // "Kerberos.ETypes"
	err error
}

func (e *fieldError) Error() string { return e.at + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// below puts the name of a field before where err happened.
func below(name string, err error) error {
	if f, ok := err.(*fieldError); ok {
		if strings.HasPrefix(f.at, "[") {
			return &fieldError{name + f.at, f.err}
		}
		return &fieldError{name + "." + f.at, f.err}
	}
	return &fieldError{name, err}
}
