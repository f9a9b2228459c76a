package console

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// inline is a script that a policy of script-src 'self' would not run, an event
// handler, or a style attribute.
var inline = regexp.MustCompile(`<script(?:\s[^>]*)?>[^<]+</script>|\son[a-z]+=|\sstyle=`)

// elsewhere is a file that the browser would fetch from another host.
var elsewhere = regexp.MustCompile(`(?:src|href)="(?:https?:)?//`)

// TestIndex holds with and without a built console: the page is there, and asks
// for nothing that the center's content security policy refuses.
func TestIndex(t *testing.T) {
	b, err := fs.ReadFile(Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	if s := inline.FindString(page); s != "" {
		t.Errorf("index.html has an inline part that its policy forbids: %s", s)
	}
	if s := elsewhere.FindString(page); s != "" {
		t.Errorf("index.html loads from another host: %s", s)
	}
	if !Built() {
		if !strings.Contains(page, "make console") {
			t.Error("the placeholder does not tell how to build the console")
		}
		return
	}
	if !strings.Contains(page, Nonce) {
		t.Errorf("index.html has no %s for the center to replace", Nonce)
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="/([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if _, err := fs.Stat(Files(), m[1]); err != nil {
			t.Errorf("index.html asks for a file that is not embedded: %v", err)
		}
	}
}
