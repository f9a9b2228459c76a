package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"
)

// files serves the console. What it does not have is a page of the console,
// whose own router knows it: index.html answers.
type files struct {
	fsys  fs.FS
	index []byte
	etag  string // of index, weak: it is sent compressed too
}

func newFiles(fsys fs.FS) (*files, error) {
	b, err := fs.ReadFile(fsys, "index.html")
	if err != nil {
		return nil, fmt.Errorf("reading the console's files: %w", err)
	}
	h := sha256.Sum256(b)
	return &files{fsys, b, `W/"` + hex.EncodeToString(h[:8]) + `"`}, nil
}

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		writeProblem(w, refuse(http.StatusMethodNotAllowed, "method-not-allowed", "There are only pages here."))
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	asset := strings.HasPrefix(name, "assets/")
	b, err := fs.ReadFile(f.fsys, name)
	switch {
	case err != nil && asset:
		// A page of another version asks: HTML would be run as code.
		writeProblem(w, refuse(http.StatusNotFound, "not-found", "There is no such file."))
	case err != nil, name == "index.html":
		w.Header().Set("Cache-Control", "no-cache") // asked for each time, so that an update shows
		w.Header().Set("ETag", f.etag)
		http.ServeContent(w, r, "index.html", time.Time{}, bytes.NewReader(f.index))
	default:
		w.Header().Set("Cache-Control", "no-cache")
		if asset {
			// The name has a hash of the content in it.
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
	}
}

// stack of a panic, cut: a log line is read by people.
func stack() string {
	b := debug.Stack()
	return string(b[:min(len(b), 4096)])
}
