package api

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/verderer/verderer/console"
)

// files serves the console. What it does not have is a page of the console,
// whose own router knows it: index.html answers.
type files struct {
	fsys  fs.FS
	index []byte
}

func newFiles(fsys fs.FS) (*files, error) {
	b, err := fs.ReadFile(fsys, "index.html")
	if err != nil {
		return nil, fmt.Errorf("reading the console's files: %w", err)
	}
	return &files{fsys, b}, nil
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
		nonce := rand.Text()
		w.Header().Set("Content-Security-Policy", policy(nonce))
		w.Header().Set("Cache-Control", "no-cache") // asked for each time, so that an update shows
		http.ServeContent(w, r, "index.html", time.Time{}, bytes.NewReader(bytes.ReplaceAll(f.index, []byte(console.Nonce), []byte(nonce))))
	default:
		w.Header().Set("Cache-Control", "no-cache")
		if asset {
			// The name has a hash of the content in it.
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
	}
}

// policy lets a page load and call what is here, and nothing else. Styles that
// the console's components write into the page carry the nonce of the response.
func policy(nonce string) string {
	style := "'self'"
	if nonce != "" {
		style += " 'nonce-" + nonce + "'"
	}
	return "default-src 'none'; script-src 'self'; style-src " + style + "; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
