package all_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/all"
	"github.com/verderer/verderer/sensor/decode/decodetest"
)

// noDecoders are the folders beside the decoders that are none.
var noDecoders = []string{"all", "ber", "decodetest", "ndr", "template"}

// folders lists the decoders there are.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(noDecoders, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// families are the folders that hold the readers of several interfaces.
var families = map[string][]string{
	"coerce": {"efsr", "rprn", "par", "dfsnm"},
	"dcom":   {"IRemoteSCMActivator", "IActivation", "IWbemServices"},
	"tsch":   {"tsch", "atsvc"},
}

// without is the set of all decoders but those that go by the name of a folder,
// or belong to its family.
func without(folder string) decode.Set {
	goes := func(name string) bool { return name == folder || slices.Contains(families[folder], name) }
	return decode.Set{
		Protocols:  slices.DeleteFunc(slices.Clone(all.Set.Protocols), func(p decode.Protocol) bool { return goes(p.Name) }),
		Inner:      slices.DeleteFunc(slices.Clone(all.Set.Inner), func(in decode.Inner) bool { return goes(in.Name) }),
		Interfaces: slices.DeleteFunc(slices.Clone(all.Set.Interfaces), func(in decode.Interface) bool { return goes(in.Name) }),
		Events:     slices.DeleteFunc(slices.Clone(all.Set.Events), func(r decode.Events) bool { return goes(r.Name) }),
	}
}

func size(s decode.Set) int {
	return len(s.Protocols) + len(s.Inner) + len(s.Interfaces) + len(s.Events)
}

// TestListIsWhole: a folder that is not listed is a decoder that never runs. A
// decoder goes by the name of its folder, in counters too, unless it is one of a
// family.
func TestListIsWhole(t *testing.T) {
	names, found := folders(t), 0
	for _, name := range names {
		n := size(all.Set) - size(without(name))
		if n == 0 {
			t.Errorf("sensor/decode/%s is not listed in all.Set", name)
		}
		found += n
	}
	if found != size(all.Set) {
		t.Errorf("%d decoders are listed, %d of them go by the name of a folder (%v)", size(all.Set), found, names)
	}
}

var (
	fuzz = regexp.MustCompile(`(?m)^func Fuzz\w+\(f \*testing\.F\)`)
	doc  = regexp.MustCompile(`(?m)^// Package (\w+) `)
)

// TestFolders: every decoder says what it reads and has met hostile bytes.
func TestFolders(t *testing.T) {
	for _, name := range folders(t) {
		tests, _ := filepath.Glob("../" + name + "/*_test.go")
		if !slices.ContainsFunc(tests, func(f string) bool { return fuzz.Match(contents(t, f)) }) {
			t.Errorf("%s has no fuzz target", name)
		}
		m := doc.FindSubmatch(contents(t, "../"+name+"/doc.go"))
		if m == nil || string(m[1]) != name {
			t.Errorf("%s/doc.go has no comment of package %s", name, name)
		}
	}
}

func contents(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	return b
}

func TestGolden(t *testing.T) { decodetest.Golden(t, "testdata", all.Set) }

// TestEveryDecoderHasAGolden: in its own folder, or, for what only works inside
// others, in this one, where leaving it out must be noticed.
func TestEveryDecoderHasAGolden(t *testing.T) {
	captures, _ := filepath.Glob("testdata/*.pcap")
	for _, name := range folders(t) {
		if own, _ := filepath.Glob("../" + name + "/testdata/*.golden.jsonl"); len(own) > 0 {
			continue
		}
		if !slices.ContainsFunc(captures, func(path string) bool {
			with, _ := decodetest.File(t, path, all.Set)
			less, _ := decodetest.File(t, path, without(name))
			return !bytes.Equal(decodetest.Lines(t, with), decodetest.Lines(t, less))
		}) {
			t.Errorf("%s has no golden in its folder, and those in all/testdata do not need it", name)
		}
	}
}
