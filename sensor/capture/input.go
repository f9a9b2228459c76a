package capture

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the largest window a zstd stream may demand, and so about what
// its decoder may hold: what `zstd -d` accepts unasked. RFC 8878 §3.1.1.1.2
// lets decoders refuse larger ones.
const zstdWindow = 128 << 20

// input is the decompressed content of one file or stream, an io.Reader. It
// lets go of descriptor and decompressor at the end of the content or when it
// is parked; a parked file opens again at the next Read.
type input struct {
	name   string
	path   string        // "" for a stream
	stream io.Reader     // nil for a file
	meter  *atomic.Int64 // gets the bytes of the file as they are read; may be nil

	packing Kind      // Gzip, Zstd, or "" for content as it is
	file    *os.File  // nil for a stream and while parked
	body    io.Reader // the content; nil while parked
	free    func()    // releases the decompressor; may be nil
	pos     int64     // bytes of content handed out
	raw     int64     // bytes of the file read since it was opened
	metered int64     // most that raw ever was
}

// begin opens the input and finds out how it is compressed.
func (in *input) begin() error {
	if in.path != "" {
		f, err := os.Open(in.path)
		if err != nil {
			return err
		}
		in.file = f
	}
	head := make([]byte, 4)
	n, err := io.ReadFull(rawReader{in}, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("reading %s: %w", in.name, err)
	}
	if k := sniff(head[:n]); k == Gzip || k == Zstd {
		in.packing = k
	}
	in.unpack(io.MultiReader(bytes.NewReader(head[:n]), rawReader{in}))
	return nil
}

// resume opens a parked file where it was left. Compressed content is
// decompressed up to there once more: compression has no places to enter.
func (in *input) resume() error {
	f, err := os.Open(in.path)
	if err != nil {
		return err
	}
	in.file, in.raw = f, 0
	if in.packing == "" {
		in.raw, err = f.Seek(in.pos, io.SeekStart)
		in.unpack(rawReader{in})
		return err
	}
	in.unpack(rawReader{in})
	_, err = io.CopyN(io.Discard, in.body, in.pos)
	return err
}

// unpack sets body to the content of r.
func (in *input) unpack(r io.Reader) {
	switch in.packing {
	case Gzip:
		// Reads concatenated members as one content (RFC 1952 §2.2).
		z, err := gzip.NewReader(bufio.NewReaderSize(r, minWindow))
		if err != nil {
			in.body = failed{err}
			return
		}
		in.body = z
	case Zstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(zstdWindow), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			in.body = failed{err}
			return
		}
		in.body, in.free = z, z.Close
	default:
		in.body = r
	}
}

// Read implements io.Reader.
func (in *input) Read(b []byte) (int, error) {
	if in.body == nil {
		if in.path == "" {
			return 0, io.EOF
		}
		if err := in.resume(); err != nil {
			in.release()
			return 0, fmt.Errorf("opening it again: %w", err)
		}
	}
	n, err := in.body.Read(b)
	in.pos += int64(n)
	if err != nil {
		in.release()
		if err != io.EOF && in.packing != "" {
			err = fmt.Errorf("decompressing %s: %w", in.packing, err)
		}
	}
	return n, err
}

// release lets go of what the content is read with.
func (in *input) release() error {
	if in.free != nil {
		in.free()
	}
	var err error
	if in.file != nil {
		err = in.file.Close()
	}
	in.body, in.free, in.file = nil, nil, nil
	return err
}

// rawReader reads an input as it is stored.
type rawReader struct{ in *input }

func (r rawReader) Read(b []byte) (n int, err error) {
	in := r.in
	if in.stream != nil {
		return in.stream.Read(b)
	}
	n, err = in.file.Read(b)
	in.raw += int64(n)
	if in.meter != nil && in.raw > in.metered {
		in.meter.Add(in.raw - in.metered)
		in.metered = in.raw
	}
	return n, err
}

// failed is a reader that never worked.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }
