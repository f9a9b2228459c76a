// Generate writes what follows from the code: the JSON Schemas of what leaves
// the programs or is read by them, the protobuf description of batches, the
// API's description, the reference pages of detections and activities, and the
// README's list of detections. `make generate` runs it;
// `make check-generated` fails when its output is not what is committed.
//
// Nothing it writes is to be edited: change the struct, the comment, the
// Definition or the detection's README that it was made of.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/verderer/verderer/center/api"
	"github.com/verderer/verderer/center/detect/all"
)

//go:generate go run .

// pages is the folder of the detections' pages. It holds nothing else: a page
// without a detection is removed.
const pages = "docs/detections"

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "generate: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	if err := toRoot(); err != nil {
		return err
	}
	files, err := generate()
	if err != nil {
		return err
	}
	old, err := filepath.Glob(pages + "/*.md")
	if err != nil {
		return err
	}
	for _, name := range old {
		if files[filepath.ToSlash(name)] == nil {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	for name, content := range files {
		if err := write(name, content); err != nil {
			return err
		}
	}
	return nil
}

// toRoot makes the module's root the working directory: what is read and
// written is named from there.
func toRoot() error {
	for {
		_, err := os.Stat("go.mod")
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			return errors.New("looking for the module's root: no go.mod here or above")
		}
		if err := os.Chdir(".."); err != nil {
			return err
		}
	}
}

// write leaves a file alone that holds the content already, so that its time
// says when it changed.
func write(name string, content []byte) error {
	if is, err := os.ReadFile(name); err == nil && bytes.Equal(is, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}

// generate makes every generated file, by its name from the root.
func generate() (map[string][]byte, error) {
	src, err := readSource()
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, d := range documents {
		if files[d.file], err = src.schema(d); err != nil {
			return nil, fmt.Errorf("making %s: %w", d.file, err)
		}
	}
	if files["docs/activities.md"], err = src.activities(); err != nil {
		return nil, fmt.Errorf("making docs/activities.md: %w", err)
	}
	if files["activity/wire/activity.proto"], err = src.proto(); err != nil {
		return nil, fmt.Errorf("making activity/wire/activity.proto: %w", err)
	}
	if files["center/api/openapi.json"], err = api.OpenAPI(); err != nil {
		return nil, fmt.Errorf("making center/api/openapi.json: %w", err)
	}
	for _, d := range all.Definitions {
		name := pages + "/" + d.ID + ".md"
		if files[name], err = page(d, all.Definitions); err != nil {
			return nil, fmt.Errorf("making %s: %w", name, err)
		}
	}
	files[pages+"/README.md"] = index(all.Definitions)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return nil, err
	}
	if files["README.md"], err = between(readme, "detections", list(all.Definitions)); err != nil {
		return nil, fmt.Errorf("making the list in README.md: %w", err)
	}
	return files, nil
}
