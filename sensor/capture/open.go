package capture

import (
	"bytes"
	"fmt"
	"io"
)

// Kind says what an input is, by its first bytes.
type Kind string

const (
	Pcap        Kind = "pcap"
	PcapNG      Kind = "pcapng"
	EVTX        Kind = "evtx"
	JSON        Kind = "json"
	Gzip        Kind = "gzip"
	Zstd        Kind = "zstd"
	Empty       Kind = "empty"
	UnknownKind Kind = "unknown"
)

// Unknown is the error for an input that is no capture or event log.
type Unknown struct {
	File   string
	Kind   Kind
	Reason string
}

func (u *Unknown) Error() string { return u.File + ": " + u.Reason }

// sniffed is how many bytes of an input are looked at to tell its kind.
const sniffed = 64

// Open opens a file as a Source, decompressing gzip and zstd. What it is goes
// by its content, never by its name. The error is an *Unknown for what is no
// capture or event log, and a *Damage for a compressed file that breaks before its first
// byte.
func Open(path string) (Source, error) {
	s, err := open(&input{name: path, path: path})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Reader is Open for content that comes from a stream such as standard input.
// Close of the Source does not close r.
func Reader(name string, r io.Reader) (Source, error) {
	s, err := open(&input{name: name, stream: r})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func open(in *input) (*source, error) {
	if err := in.begin(); err != nil {
		in.release()
		return nil, err
	}
	w := &window{r: in}
	s := &source{in: in, w: w}
	head := w.peek(sniffed)
	if len(head) == 0 && w.broken() {
		in.release()
		return nil, &Damage{File: in.name, Reason: fmt.Sprintf("reading the content: %v", w.err)}
	}
	switch kind := sniff(head); kind {
	case Pcap:
		s.format = &pcap{w: w}
	case PcapNG:
		s.format = &pcapng{w: w}
	case EVTX:
		s.format = &evtxLog{w: w}
	case JSON:
		if utf16JSON(head) {
			in.release()
			return nil, &Unknown{File: in.name, Kind: kind, Reason: in.refusal(kind, head)}
		}
		f := &eventJSON{w: w}
		if reason := f.refuse(); reason != "" {
			in.release()
			return nil, &Unknown{File: in.name, Kind: kind, Reason: reason}
		}
		s.format = f
	default:
		in.release()
		return nil, &Unknown{File: in.name, Kind: kind, Reason: in.refusal(kind, head)}
	}
	return s, nil
}

// signatures are the first bytes of what is likely to be named by mistake.
var signatures = []struct {
	magic  string
	kind   Kind
	reason string
}{
	{"\xff\xfe{\x00", JSON, "JSON in UTF-16: recognised, not read by this version"},
	{"\xff\xfe[\x00", JSON, "JSON in UTF-16: recognised, not read by this version"},
	{"PK\x03\x04", UnknownKind, "a ZIP archive: unpack it first"},
	{"\xfd7zXZ\x00", UnknownKind, "xz-compressed: decompress it first"},
	{"BZh", UnknownKind, "bzip2-compressed: decompress it first"},
	{"7z\xbc\xaf\x27\x1c", UnknownKind, "a 7-Zip archive: unpack it first"},
	{"snoop\x00\x00\x00", UnknownKind, "a snoop capture: convert it to pcapng first"},
	{"GMBU", UnknownKind, "a Network Monitor capture: convert it to pcapng first"},
	{"RTSS", UnknownKind, "a Network Monitor capture: convert it to pcapng first"},
}

// sniff tells the kind of an input by its first bytes.
func sniff(head []byte) Kind {
	if _, _, ok := isPcap(head); ok {
		return Pcap
	}
	if len(head) == 0 {
		return Empty
	}
	if len(head) >= 4 {
		switch m := order(false, head); {
		case m == blockSection:
			return PcapNG
		case m == 0xfd2fb528, m&^0xf == 0x184d2a50: // RFC 8878 §3.1.1, §3.1.2
			return Zstd
		case m&0xffffff == 0x088b1f: // RFC 1952 §2.3.1, deflate
			return Gzip
		}
	}
	if bytes.HasPrefix(head, []byte(evtxMagic)) {
		return EVTX
	}
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.magic)) {
			return s.kind
		}
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return JSON
	}
	return UnknownKind
}

// utf16JSON tells JSON in UTF-16, which is recognised but not read.
func utf16JSON(head []byte) bool { return bytes.HasPrefix(head, []byte("\xff\xfe")) }

// refusal says why an input that begins with head is not read.
func (in *input) refusal(kind Kind, head []byte) string {
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.magic)) {
			return s.reason
		}
	}
	switch kind {
	case Empty:
		if in.packing != "" {
			return "empty after decompression"
		}
		return "empty file"
	case Gzip, Zstd:
		return fmt.Sprintf("%s within %s: compressed twice, decompress it first", kind, in.packing)
	}
	return fmt.Sprintf("no known format, begins with % x", head[:min(8, len(head))])
}

// format reads the packets or events of one file format. It fills all of a
// Chunk but its File; Event is nil when it is called.
type format interface {
	next(c *Chunk) error
}

// source is a Source over one input.
type source struct {
	in     *input
	w      *window
	format format

	held    bool // ahead and heldErr are what the next call returns
	ahead   Chunk
	heldErr error
}

// Next implements Source. Damage that follows damage with no packet between is
// told in one: there are never more of them than packets, plus one.
func (s *source) Next(c *Chunk) error {
	if s.held {
		s.held = false
		*c = s.ahead
		s.ahead.Data = nil
		return s.heldErr
	}
	c.Event = nil
	err := s.format.next(c)
	if err == nil {
		c.File = s.in.name
		return nil
	}
	d, ok := err.(*Damage)
	if !ok {
		return err
	}
	d.File = s.in.name
	more := 0
	for {
		s.ahead.Event = nil
		err := s.format.next(&s.ahead)
		if _, ok := err.(*Damage); ok {
			more++
			continue
		}
		s.ahead.File = s.in.name
		s.held, s.heldErr = true, err
		break
	}
	if more > 0 {
		d.Reason += fmt.Sprintf("; damaged in %d more places before the next packet", more)
	}
	return d
}

// Close implements Source. Afterwards Next returns io.EOF.
func (s *source) Close() error {
	s.held = false
	s.w.park()
	s.w.err = io.EOF
	return s.in.release()
}

// park lets go of the descriptor and the buffer until the next call of Next.
// Chunks handed out before lose their data. Only files can be parked, and only
// after a packet.
func (s *source) park() {
	s.in.release()
	s.in.pos = s.w.off
	s.w.park()
}
