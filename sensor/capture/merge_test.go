package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// seen is a packet or a damage as it comes out of a merge.
type seen struct {
	Name  string
	Frame int64
	Time  string
	Data  string
	Err   string
}

// drain reads a merge to its end. look is called after each packet.
func drain(tb testing.TB, m *Merger, look func()) []seen {
	tb.Helper()
	var list []seen
	for {
		var c Chunk
		err := m.Next(&c)
		var d *Damage
		switch {
		case err == io.EOF:
			if err := m.Next(&c); err != io.EOF {
				tb.Fatalf("after the end: %v", err)
			}
			if read, total := m.Progress(); read != total {
				tb.Errorf("progress ends at %d of %d", read, total)
			}
			if err := m.Close(); err != nil {
				tb.Fatal(err)
			}
			return list
		case errors.As(err, &d):
			list = append(list, seen{Name: filepath.Base(d.File), Err: fmt.Sprintf("%d: %s", d.Offset, d.Reason)})
		case err != nil:
			tb.Fatal(err)
		default:
			list = append(list, seen{Name: filepath.Base(c.File), Frame: c.Frame, Time: c.Time.String(), Data: string(c.Data)})
			if look != nil {
				look()
			}
		}
	}
}

// shape is what a merge yielded in one line, "name/frame" each.
func shape(list []seen) string {
	var words []string
	for _, s := range list {
		if s.Err != "" {
			words = append(words, s.Name+"!")
			continue
		}
		words = append(words, fmt.Sprintf("%s/%d", s.Name, s.Frame))
	}
	return strings.Join(words, " ")
}

// timed is a capture with packets at these milliseconds.
func timed(seed int, ms ...int) []byte {
	var list []packet
	for i, t := range ms {
		data := payload(60, seed+i)
		list = append(list, packet{at.Add(time.Duration(t) * time.Millisecond), LinkEthernet, data, len(data)})
	}
	content, _ := pcapOf(list)
	return content
}

func TestMergeOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string][]byte
		want  string
	}{
		{"one", map[string][]byte{"a": timed(1, 5, 3, 9)}, "a/1 a/2 a/3"},
		{"apart", map[string][]byte{"a": timed(1, 20, 30), "b": timed(2, 1, 2)}, "b/1 b/2 a/1 a/2"},
		{"interleaved", map[string][]byte{"a": timed(1, 1, 3, 5), "b": timed(2, 2, 4, 6)}, "a/1 b/1 a/2 b/2 a/3 b/3"},
		{"within", map[string][]byte{"a": timed(1, 1, 9), "b": timed(2, 4, 5)}, "a/1 b/1 b/2 a/2"},
		{"time goes back in a", map[string][]byte{"a": timed(1, 5, 1, 2, 8), "b": timed(2, 3, 6, 7)}, "b/1 a/1 a/2 a/3 b/2 b/3 a/4"},
		{"the same time, by content", map[string][]byte{"a": timed(1, 1, 1), "b": timed(3, 1, 1)}, "b/1 b/2 a/1 a/2"},
		{"the same content, by name", map[string][]byte{"b": timed(3, 1, 2), "a": timed(3, 1, 2)}, "a/1 b/1 a/2 b/2"},
		{"no packets", map[string][]byte{"a": timed(1), "b": timed(2, 1)}, "b/1"},
		{"damage", map[string][]byte{"a": timed(1, 1, 5)[:140], "b": timed(2, 2, 3), "c": []byte("hello")}, "c! a/1 a! b/1 b/2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var paths []string
			for name, content := range c.files { // in any order
				paths = append(paths, write(t, dir, name, content))
			}
			if got := shape(drain(t, Merge(Walk(paths), nil), nil)); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// overlapping writes captures that overlap in time in all ways, in all
// formats, some damaged.
func overlapping(t *testing.T, n int) (paths []string) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		var list []packet
		now := at.Add(time.Duration(r.IntN(10)) * 10 * time.Millisecond) // many begin together
		for range 50 + r.IntN(200) {
			now = now.Add(time.Duration(r.IntN(20)-1) * time.Millisecond)
			data := payload(60+r.IntN(1000), r.IntN(100))
			list = append(list, packet{now, LinkEthernet, data, len(data)})
		}
		content, starts := pcapOf(list)
		if i%2 == 1 {
			content, starts = ngOf(list)
		}
		if i%5 == 0 {
			content = content[:len(content)-3]
		}
		if i%7 == 0 {
			copy(content[starts[9]:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
		}
		switch i % 6 {
		case 2:
			content = gzipped(t, content)
		case 3:
			content = zstded(t, content)
		case 4:
			content = gzipped(t, content)
			content = content[:len(content)*3/4]
		}
		paths = append(paths, write(t, dir, fmt.Sprintf("f%02d", i), content))
	}
	return paths
}

// TestMergeIndependent merges the same inputs in many orders, and with so few
// allowed to be open that they are parked all the time.
func TestMergeIndependent(t *testing.T) {
	paths := overlapping(t, 30)
	want := drain(t, Merge(Walk(paths), nil), nil)
	if len(want) < 2000 {
		t.Fatalf("only %d packets", len(want))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, most := range []int{1, 2, 7, maxLive, maxLive} {
		r.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
		m := Merge(Walk(paths), nil)
		m.most = most
		got := drain(t, m, func() {
			open := 0
			for _, e := range append(slices.Clone(m.heap), m.current) {
				if e.src.in.file != nil || e.src.w.buf != nil {
					open++
				} else if n := cap(e.chunk.Data); n > 2048 {
					t.Fatalf("a parked input holds on to %d bytes", n)
				}
			}
			if open > most || len(m.live) > most {
				t.Fatalf("%d inputs open, %d counted, want at most %d", open, len(m.live), most)
			}
		})
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("with at most %d open (-want +got):\n%s", most, diff)
		}
	}
}

// TestMergeProgress parks a file in the middle, of which more was read by then
// than handed out: progress must not fall back when it is read again.
func TestMergeProgress(t *testing.T) {
	dir := t.TempDir()
	var ms []int
	for i := range 5000 {
		ms = append(ms, i)
	}
	paths := []string{write(t, dir, "a", timed(1, ms...)), write(t, dir, "b", timed(2, 1000, 2000, 3000, 4000))}
	m := Merge(Walk(paths), nil)
	m.most = 1
	before := int64(-1)
	drain(t, m, func() {
		read, total := m.Progress()
		if read < before || read > total {
			t.Fatalf("progress from %d to %d of %d", before, read, total)
		}
		before = read
	})
}

// TestMergeLazy opens files of successive hours one after the other.
func TestMergeLazy(t *testing.T) {
	dir := t.TempDir()
	var inputs []Input
	for i := range 20 {
		inputs = append(inputs, Input{Path: write(t, dir, fmt.Sprint(i), timed(i, i*1000, i*1000+1)), Named: true})
	}
	m := Merge(inputs, nil)
	drain(t, m, func() {
		if len(m.live) > 1 {
			t.Fatalf("%d files open", len(m.live))
		}
	})
}

func TestMergeStdin(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "a", timed(1, 2, 4))
	stdin := timed(2, 1, 3, 5)
	copy(stdin[pcapHeader:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	want := "a/1 -! -/1 a/2 -/2"
	for _, paths := range [][]string{{file, "-"}, {"-", file}} {
		got := drain(t, Merge(Walk(paths), bytes.NewReader(stdin)), nil)
		if shape(got) != want {
			t.Errorf("%s, want %s", shape(got), want)
		}
	}
	got := drain(t, Merge(Walk([]string{"-"}), bytes.NewReader(stdin)), nil)
	if shape(got) != "-! -/1 -/2" {
		t.Errorf("alone: %s", shape(got))
	}
}

// TestMergeUnknown has files that are no captures, named and in a folder.
func TestMergeUnknown(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "day/notes.txt", []byte("hello"))
	write(t, dir, "day/labels.json", []byte("{}"))
	write(t, dir, "day/a.pcap", timed(1, 1))
	named := write(t, dir, "named.json", []byte("{}"))
	gone := filepath.Join(dir, "gone.pcap")
	m := Merge(Walk([]string{filepath.Join(dir, "day"), named, gone}), nil)
	var skipped []string
	for _, u := range m.Skipped() {
		skipped = append(skipped, fmt.Sprintf("%s: %s", filepath.Base(u.File), u.Kind))
	}
	if diff := gocmp.Diff([]string{"labels.json: json", "notes.txt: unknown"}, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	got := drain(t, m, nil)
	want := []seen{
		{Name: "gone.pcap", Err: "0: opening: no such file or directory"},
		{Name: "named.json", Err: "0: JSON, but its first object is no Windows event in a shape that is read: no EventID with a Channel or SourceName"},
	}
	if diff := gocmp.Diff(want, got[:2]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if shape(got[2:]) != "a.pcap/1" {
		t.Errorf("then %s", shape(got[2:]))
	}
}

// TestMergeChanged has files that went away, and that were cut, between the
// first look and their turn.
func TestMergeChanged(t *testing.T) {
	dir := t.TempDir()
	a, b := write(t, dir, "a", timed(1, 1, 2)), write(t, dir, "b", timed(2, 3, 4))
	m := Merge(Walk([]string{a, b}), nil)
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(b, 150); err != nil {
		t.Fatal(err)
	}
	if got, want := shape(drain(t, m, nil)), "a! b/1 b!"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestMergeClose closes a merge in the middle.
func TestMergeClose(t *testing.T) {
	m := Merge(Walk(overlapping(t, 10)), nil)
	var c Chunk
	for range 100 {
		m.Next(&c)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Next(&c); err != io.EOF {
		t.Errorf("after Close: %v", err)
	}
}
