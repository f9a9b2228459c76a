package capture

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func gzipped(tb testing.TB, content []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func zstded(tb testing.TB, content []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// write puts content into a file of a folder.
func write(tb testing.TB, dir, name string, content []byte) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestOpenCompressed(t *testing.T) {
	want := series(3000)
	plain, _ := pcapOf(want)
	ng, _ := ngOf(want)
	half := len(plain) / 2
	skippable := []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc")
	for name, content := range map[string][]byte{
		"plain":                   plain,
		"plain pcapng":            ng,
		"gzip":                    gzipped(t, plain),
		"gzip pcapng":             gzipped(t, ng),
		"gzip of two members":     append(gzipped(t, plain[:half]), gzipped(t, plain[half:])...),
		"zstd":                    zstded(t, plain),
		"zstd pcapng":             zstded(t, ng),
		"zstd of two frames":      append(zstded(t, plain[:half]), zstded(t, plain[half:])...),
		"zstd after a skip frame": append(skippable, zstded(t, plain)...),
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, t.TempDir(), "x.txt", content) // the name says nothing
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			got, damage := readAll(t, s)
			equal(t, got, want)
			equalLines(t, damage)
			got, damage = readBytes(t, content)
			equal(t, got, want)
			equalLines(t, damage)
		})
	}
}

// TestOpenCompressedBroken has compressed content that breaks: what was
// decompressed before is read, and the damage lies where it ends.
func TestOpenCompressedBroken(t *testing.T) {
	all := series(3000)
	for i := range all { // content that does not compress away
		for j := range all[i].data {
			all[i].data[j] = byte(i * j * 2654435761 >> 7)
		}
	}
	plain, starts := pcapOf(all)
	gz, zst := gzipped(t, plain), zstded(t, plain)
	flipped := bytes.Clone(gz)
	flipped[len(gz)-6] ^= 1 // in the checksum
	for _, c := range []struct {
		name    string
		content []byte
		reason  string // begins with
		whole   bool   // all packets are there
	}{
		{"gzip cut", gz[:len(gz)/2], "reading the content: decompressing gzip: unexpected EOF", false},
		{"zstd cut", zst[:len(zst)/2], "reading the content: decompressing zstd: unexpected EOF", false},
		{"gzip with trailing bytes", append(bytes.Clone(gz), "trailing"...), "reading the content: decompressing gzip: ", true},
		{"gzip with a bad checksum", flipped, "reading the content: decompressing gzip: gzip: invalid checksum", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, damage := readBytes(t, c.content)
			if len(got) == 0 || c.whole != (len(got) == len(all)) {
				t.Fatalf("%d of %d packets", len(got), len(all))
			}
			equal(t, got, all[:len(got)])
			if len(damage) != 1 || !strings.HasPrefix(damage[0].Reason, c.reason) {
				t.Fatalf("damage %q, want one with %q", lines(damage), c.reason)
			}
			// The content ends within the packet after the last that was read.
			if off := damage[0].Offset; off < int64(starts[len(got)]) || !c.whole && off >= int64(starts[len(got)+1]) {
				t.Errorf("damage at %d, the last packet read ends at %d", off, starts[len(got)])
			}
		})
	}
}

func TestOpenRefused(t *testing.T) {
	plain, _ := pcapOf(series(3))
	// A frame header that demands a window of 2^(10+18) bytes (RFC 8878
	// §3.1.1.1.2), and a raw block of one byte.
	large := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3, 0x09, 0x00, 0x00, 'x'}
	for _, c := range []struct {
		name    string
		content []byte
		kind    Kind // "": a *Damage
		reason  string
	}{
		{"empty", nil, Empty, "empty file"},
		{"empty gzip", gzipped(t, nil), Empty, "empty after decompression"},
		{"gzip in gzip", gzipped(t, gzipped(t, plain)), Gzip, "gzip within gzip: compressed twice, decompress it first"},
		{"zstd in gzip", gzipped(t, zstded(t, plain)), Zstd, "zstd within gzip: compressed twice, decompress it first"},
		{"json lines", []byte("{\"a\": 1}\n"), JSON, "JSON, but its first object is no Windows event in a shape that is read: no EventID with a Channel or SourceName"},
		{"json array", []byte("\xef\xbb\xbf\r\n [ {"), JSON, "JSON without a whole object"},
		{"json in UTF-16", []byte("\xff\xfe[\x00\r\x00"), JSON, "JSON in UTF-16: recognised, not read by this version"},
		{"zip", []byte("PK\x03\x04\x14\x00"), UnknownKind, "a ZIP archive: unpack it first"},
		{"text", []byte("hello"), UnknownKind, "no known format, begins with 68 65 6c 6c 6f"},
		{"half a magic", []byte{0xd4, 0xc3}, UnknownKind, "no known format, begins with d4 c3"},
		{"zeros", make([]byte, 100), UnknownKind, "no known format, begins with 00 00 00 00 00 00 00 00"},
		{"gzip header cut", gzipped(t, plain)[:7], "", "reading the content: decompressing gzip: unexpected EOF"},
		{"gzip cut before the first byte", gzipped(t, plain)[:10], "", "reading the content: decompressing gzip: unexpected EOF"},
		{"zstd header only", zstded(t, plain)[:5], "", "reading the content: decompressing zstd: unexpected EOF"},
		{"zstd with a large window", large, "", "reading the content: decompressing zstd: window size exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "x.pcap", c.content)
			_, fromFile := Open(path)
			_, fromStream := Reader(path, iotest.HalfReader(bytes.NewReader(c.content)))
			for _, err := range []error{fromFile, fromStream} {
				var u *Unknown
				var d *Damage
				switch {
				case c.kind == "" && errors.As(err, &d):
					if d.File != path || d.Offset != 0 || d.Reason != c.reason {
						t.Errorf("%#v, want %q", d, c.reason)
					}
				case c.kind != "" && errors.As(err, &u):
					if u.File != path || u.Kind != c.kind || u.Reason != c.reason {
						t.Errorf("%#v, want %s: %q", u, c.kind, c.reason)
					}
				default:
					t.Errorf("%T: %v", err, err)
				}
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	if s, err := Open(filepath.Join(dir, "none")); s != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v, %v", s, err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("a folder was opened")
	}
}

// TestClose closes a file in the middle.
func TestClose(t *testing.T) {
	content, _ := pcapOf(series(4))
	s, err := Open(write(t, t.TempDir(), "x", content))
	if err != nil {
		t.Fatal(err)
	}
	var c Chunk
	if err := s.Next(&c); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Next(&c); err != io.EOF {
		t.Errorf("after Close: %v", err)
	}
}

// TestReaderFails has a stream that fails in the middle of packet 3.
func TestReaderFails(t *testing.T) {
	want := series(4)
	content, starts := pcapOf(want)
	end := starts[2] + pcapRecord + 5
	s, err := Reader("test", io.MultiReader(bytes.NewReader(content[:end]), iotest.ErrReader(errors.New("broken disk"))))
	if err != nil {
		t.Fatal(err)
	}
	got, damage := readAll(t, s)
	equal(t, got, want[:2])
	if len(damage) != 1 || damage[0].Offset != int64(end) || !strings.HasPrefix(damage[0].Reason, "reading the content: broken disk; cut off in packet 3: has 5 of ") {
		t.Errorf("damage %q", lines(damage))
	}
}
