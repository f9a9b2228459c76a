// Newunit starts a detector or a decoder from the template beside its peers:
// it copies the folder, gives the copy its name, and says what is left to do.
//
//	go run ./tools/newunit detector golden-time
//	go run ./tools/newunit decoder radius
//
// What it renames in the copy: files whose name begins with "template"; in Go
// code the package clause, identifiers and import paths that are "template",
// strings that are "template" (the id), and the name in the package comment; in
// Markdown, YAML and JSON the word "template". Other files are copied as they
// are.
package main

import (
	"fmt"
	"go/format"
	"go/scanner"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A kind of unit: where its peers live, and what is left to do by hand.
type kind struct {
	folder string
	dashes bool // ids may have dashes; the folder and package never do
	next   string
}

var kinds = map[string]kind{
	"detector": {folder: "center/detect", dashes: true, next: `
  1. %[1]s/%[2]s.go: the Definition. Its id %[3]q is for ever: stored alerts point to it.
  2. %[4]s/all/all.go: one line for %[2]s.
  3. %[1]s/testdata: one scenario that alerts and one quiet twin, each with its scenario.yaml.
  4. %[1]s/README.md: for the analyst.
  5. make golden ONE=./%[1]s, and read what it wrote.
  6. make generate
  7. changelog/unreleased: a fragment, from changelog/TEMPLATE.
  8. make test
`},
	"decoder": {folder: "sensor/decode", next: `
  1. %[1]s/doc.go: what is read, by which section of which specification, what is ignored, every limit.
  2. %[4]s/all/all.go: one line for %[2]s.
  3. %[1]s/testdata: captures, each with its golden, and SOURCES.md.
  4. make golden ONE=./%[1]s, and read what it wrote.
  5. make fuzz ONE=./%[1]s:FuzzFeed TIME=60s, with the name of its fuzz target.
  6. changelog/unreleased: a fragment, from changelog/TEMPLATE.
  7. make test
`},
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: newunit detector|decoder NAME")
		os.Exit(2)
	}
	if err := run(".", os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "newunit: %v\n", err)
		os.Exit(1)
	}
}

var (
	dashed = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	plain  = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
)

// run makes the unit of the named kind with the given id in the tree at root.
func run(root, name, id string, out io.Writer) error {
	k, ok := kinds[name]
	switch {
	case !ok:
		return fmt.Errorf("making a %s: detector and decoder are the kinds there are", name)
	case k.dashes && !dashed.MatchString(id):
		return fmt.Errorf("naming a detector %q: want lower-case words joined by dashes", id)
	case !k.dashes && !plain.MatchString(id):
		return fmt.Errorf("naming a decoder %q: want one lower-case word", id)
	}
	pkg := strings.ReplaceAll(id, "-", "")
	if token.IsKeyword(pkg) {
		return fmt.Errorf("naming a package %q: it is a word of the language", pkg)
	}
	unit := k.folder + "/" + pkg
	from, to := filepath.Join(root, k.folder, "template"), filepath.Join(root, filepath.FromSlash(unit))
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("making %s: it is there already", unit)
	}
	if err := copyUnit(from, to, id, pkg); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is made from the template. Left to do:"+k.next, unit, pkg, id, k.folder)
	return nil
}

// copyUnit copies the template's files to a new folder under their new names.
func copyUnit(from, to, id, pkg string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading the template: %w", err)
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		base := filepath.Base(rel)
		if rest, ok := strings.CutPrefix(base, "template"); ok {
			base = pkg + rest
		}
		dst := filepath.Join(to, filepath.Dir(rel), base)
		if d.IsDir() {
			return os.MkdirAll(dst, 0o755)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if b, err = rename(p, b, id, pkg); err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(dst, b, info.Mode().Perm())
	})
}

var word = regexp.MustCompile(`\btemplate\b`)

// rename gives the content of a template's file the unit's name.
func rename(name string, b []byte, id, pkg string) ([]byte, error) {
	switch filepath.Ext(name) {
	case ".go":
		b, err := format.Source(renameGo(b, id, pkg)) // the new import path may sort elsewhere
		if err != nil {
			return nil, fmt.Errorf("renaming in %s: %w", name, err)
		}
		return b, nil
	case ".md", ".yaml", ".json", ".jsonl":
		return word.ReplaceAll(b, []byte(id)), nil
	}
	return b, nil
}

// renameGo works by token, so that prose in comments keeps its words.
func renameGo(b []byte, id, pkg string) []byte {
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(b))
	var s scanner.Scanner
	s.Init(file, b, nil, scanner.ScanComments)
	var out []byte
	done := 0
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return append(out, b[done:]...)
		}
		if now := renameToken(tok, lit, id, pkg); now != lit {
			at := file.Offset(pos)
			out = append(append(out, b[done:at]...), now...)
			done = at + len(lit)
		}
	}
}

func renameToken(tok token.Token, lit, id, pkg string) string {
	switch tok {
	case token.IDENT:
		if lit == "template" || lit == "template_test" {
			return pkg + strings.TrimPrefix(lit, "template")
		}
	case token.STRING:
		v, err := strconv.Unquote(lit)
		if err != nil {
			return lit
		}
		if v == "template" {
			return strconv.Quote(id)
		}
		if path, ok := strings.CutSuffix(v, "/template"); ok {
			return strconv.Quote(path + "/" + pkg)
		}
	case token.COMMENT:
		if rest, ok := strings.CutPrefix(lit, "// Package template "); ok {
			return "// Package " + pkg + " " + rest
		}
	}
	return lit
}
