// Package console is the center's web console as bytes. Its pages are written
// in TypeScript in this folder and built into dist/ by `make console`; a clone
// that has not done so embeds a page that says it.
package console

import (
	"embed"
	"io/fs"
)

// dist always holds one committed file, because an embedded folder must exist
// in a clean clone. The build puts the same file back.
//
//go:embed all:dist
var dist embed.FS

//go:embed placeholder
var placeholder embed.FS

// Files are the built pages: index.html, and what it asks for below assets/.
// Names of files below assets/ change with their content, so they may be cached
// forever, and nothing else may. index.html contains [Nonce].
// Without a build they are one index.html that tells how to make one.
func Files() fs.FS {
	if Built() {
		return sub(dist, "dist")
	}
	return sub(placeholder, "placeholder")
}

// Nonce stands in index.html wherever a nonce of the response belongs. Where a
// server puts one there, and names it in style-src, its content security policy
// needs no 'unsafe-inline'; scripts need none in any case.
const Nonce = "__CSP_NONCE__"

// Built tells whether the console was built into this program.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}

func sub(f fs.FS, dir string) fs.FS {
	s, err := fs.Sub(f, dir)
	if err != nil {
		panic("console: " + err.Error()) // dir is not a valid path: a programming error
	}
	return s
}
