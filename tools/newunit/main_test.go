package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write lays out files below a new folder.
func write(t *testing.T, files map[string]string) string {
	root := t.TempDir()
	for name, content := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// read is the opposite of write, for what lies below dir.
func read(t *testing.T, dir string) map[string]string {
	files := make(map[string]string)
	if err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)] = string(b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestDetector(t *testing.T) {
	root := write(t, map[string]string{
		"center/detect/template/template.go": `// Package template shows how. Copy the template, then change it.
package template

// The template's id.
var Definition = detect.Definition{ID: "template", Name: "a template of a name"}
`,
		"center/detect/template/template_test.go": `package template_test

import (
	"example.org/forest/center/detect/detecttest"
	"example.org/forest/center/detect/template"
)

func Test(t *testing.T) { detecttest.Run(t, template.Definition) }
`,
		"center/detect/template/README.md":                        "# template\n\nNot templates.\n",
		"center/detect/template/testdata/loud/capture.pcap":       "template\x00\xff",
		"center/detect/template/testdata/loud/alerts.golden.json": `{"detection":"template"}`,
	})
	var said strings.Builder
	if err := run(root, "detector", "a-golden-time", &said); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"agoldentime.go": `// Package agoldentime shows how. Copy the template, then change it.
package agoldentime

// The template's id.
var Definition = detect.Definition{ID: "a-golden-time", Name: "a template of a name"}
`,
		"agoldentime_test.go": `package agoldentime_test

import (
	"example.org/forest/center/detect/agoldentime"
	"example.org/forest/center/detect/detecttest"
)

func Test(t *testing.T) { detecttest.Run(t, agoldentime.Definition) }
`,
		"README.md":                        "# a-golden-time\n\nNot templates.\n",
		"testdata/loud/capture.pcap":       "template\x00\xff",
		"testdata/loud/alerts.golden.json": `{"detection":"a-golden-time"}`,
	}
	if d := cmp.Diff(want, read(t, filepath.Join(root, "center/detect/agoldentime"))); d != "" {
		t.Errorf("the copy differs (-want +got):\n%s", d)
	}
	for _, step := range []string{"center/detect/all/all.go: one line for agoldentime", `"a-golden-time" is for ever`, "make golden ONE=./center/detect/agoldentime"} {
		if !strings.Contains(said.String(), step) {
			t.Errorf("the next steps lack %q:\n%s", step, said.String())
		}
	}
	if strings.Contains(said.String(), "%!") {
		t.Errorf("the next steps are misprinted:\n%s", said.String())
	}
}

func TestDecoder(t *testing.T) {
	root := write(t, map[string]string{"sensor/decode/template/doc.go": "// Package template reads nothing.\npackage template\n"})
	var said strings.Builder
	if err := run(root, "decoder", "radius", &said); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"doc.go": "// Package radius reads nothing.\npackage radius\n"}
	if d := cmp.Diff(want, read(t, filepath.Join(root, "sensor/decode/radius"))); d != "" {
		t.Errorf("the copy differs (-want +got):\n%s", d)
	}
	if strings.Contains(said.String(), "%!") {
		t.Errorf("the next steps are misprinted:\n%s", said.String())
	}
}

// TestCopiesCompile compiles a copy of each real template, tests included, laid into the module by
// an overlay, so that the tree stays as it is.
func TestCopiesCompile(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			from := filepath.Join(root, k.folder, "template")
			if _, err := os.Stat(from); err != nil {
				t.Skipf("%s has no template", k.folder)
			}
			to := t.TempDir()
			if err := copyUnit(from, to, "nova", "nova"); err != nil {
				t.Fatal(err)
			}
			overlay := struct{ Replace map[string]string }{make(map[string]string)}
			for f := range read(t, to) {
				overlay.Replace[filepath.Join(root, k.folder, "nova", f)] = filepath.Join(to, f)
			}
			b, err := json.Marshal(overlay)
			if err != nil {
				t.Fatal(err)
			}
			list := filepath.Join(t.TempDir(), "overlay.json")
			if err := os.WriteFile(list, b, 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("go", "test", "-c", "-vet=off", "-o", os.DevNull, "-overlay", list, "./"+k.folder+"/nova")
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("a copy of the template does not compile: %v\n%s", err, out)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	root := write(t, map[string]string{
		"center/detect/template/template.go": "package template\n",
		"center/detect/all/all.go":           "package all\n",
	})
	for _, c := range []struct{ kind, id, want string }{
		{"detector", "all", "there already"},
		{"detector", "template", "there already"},
		{"detector", "Golden", "lower-case words"},
		{"detector", "golden--time", "lower-case words"},
		{"detector", "../golden", "lower-case words"},
		{"detector", "", "lower-case words"},
		{"decoder", "net-logon", "one lower-case word"},
		{"decoder", "range", "word of the language"},
		{"decoder", "radius", "reading the template"}, // there is none in this tree
		{"stage", "radius", "detector and decoder"},
	} {
		if err := run(root, c.kind, c.id, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: got %v, want an error that says %q", c.kind, c.id, err, c.want)
		}
	}
}
