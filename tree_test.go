package verderer_test

import (
	"bytes"
	"go/ast"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryPackageSaysWhatItIs: the package comment is the first thing that a
// reader of a folder needs, and `go doc` has nothing else to show.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	said := make(map[string]bool)
	for _, s := range sources(t) {
		doc := s.file.Doc != nil && strings.TrimSpace(s.file.Doc.Text()) != ""
		said[s.dir()] = said[s.dir()] || doc
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("%s: no file has a package comment", dir)
		}
	}
}

// maxLines of a Go file: what one reader holds in mind at a sitting. Longer
// ones turned out to be two subjects in one room.
const maxLines = 700

func TestNoFileIsTooLong(t *testing.T) {
	for _, s := range sources(t) {
		if n := s.pos.File(s.file.FileStart).LineCount(); n >= maxLines && !ast.IsGenerated(s.file) {
			t.Errorf("%s has %d lines; below %d, please: split it by subject", s.path, n, maxLines)
		}
	}
}

// nothingNames say only that their author found no better place. What is in
// such a folder belongs to whoever uses it, or deserves a name.
var nothingNames = []string{"util", "utils", "common", "types", "helper", "helpers", "misc", "shared", "lib"}

// nothingFiles are the same for files.
var nothingFiles = []string{"misc.go", "const.go", "consts.go", "constants.go", "util.go", "utils.go", "helpers.go"}

func TestNamesSaySomething(t *testing.T) {
	walk(t, func(p string, d fs.DirEntry) {
		if d.IsDir() && slices.Contains(nothingNames, d.Name()) {
			t.Errorf("folder %s: a name that says nothing about what is in it", p)
		}
		if !d.IsDir() && slices.Contains(nothingFiles, d.Name()) {
			t.Errorf("file %s: a name that says nothing about what is in it", p)
		}
	})
}

// TestRegistrationIsALine: decoders and detectors are listed in all/ and
// nowhere else, so that the list is what a program runs.
func TestRegistrationIsALine(t *testing.T) {
	for _, s := range sources(t) {
		if !strings.HasPrefix(s.path, "sensor/decode/") && !strings.HasPrefix(s.path, "center/detect/") {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: no init functions in decoders and detectors: all/ lists them", s.pos.Position(f.Pos()))
			}
		}
	}
}

// target is a line that `make help` prints.
var target = regexp.MustCompile(`^([a-z-]+):.*## `)

// TestMakeTargetsAreDocumented: bare `make` prints the targets that carry a ##
// comment, so one without is invisible.
func TestMakeTargetsAreDocumented(t *testing.T) {
	b, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var phony []string
	documented := make(map[string]bool)
	for _, line := range strings.Split(string(b), "\n") {
		if list, ok := strings.CutPrefix(line, ".PHONY:"); ok {
			phony = append(phony, strings.Fields(list)...)
		}
		if m := target.FindStringSubmatch(line); m != nil {
			documented[m[1]] = true
		}
	}
	if len(phony) == 0 {
		t.Fatal("the Makefile declares no phony target")
	}
	for _, name := range phony {
		if !documented[name] {
			t.Errorf("make %s has no ## comment, so `make help` does not show it", name)
		}
	}
	for name := range documented {
		if !slices.Contains(phony, name) {
			t.Errorf("make %s is not declared .PHONY: a file of that name would hide it", name)
		}
	}
}

// TestLinksLead: the map of the tree and the guides point at what is there.
func TestLinksLead(t *testing.T) {
	walk(t, func(p string, d fs.DirEntry) {
		if d.IsDir() || !strings.HasSuffix(p, ".md") {
			return
		}
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range bytes.Split(b, []byte("]("))[1:] {
			link, _, ok := strings.Cut(string(part), ")")
			link, _, _ = strings.Cut(link, "#")
			if !ok || link == "" || strings.Contains(link, ":") {
				continue
			}
			if _, err := os.Stat(path.Join(path.Dir(p), link)); err != nil {
				t.Errorf("%s links to %s, which is not there", p, link)
			}
		}
	})
}
