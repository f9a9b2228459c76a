// Package verderer_test holds the architecture as tests: who may import whom
// (this file) and what every folder owes its reader (tree_test.go).
package verderer_test

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A folder is one entry of the import law.
type folder struct {
	// at is the folder from the root. It covers what lies below it, unless a
	// longer entry does. A last element "*" is an entry for each folder there;
	// those never import each other.
	at string
	// only: it covers the folder itself and nothing below, so that a new stage
	// needs an entry of its own.
	only bool
	// may lists the entries it may import, by their at, besides itself;
	// "sensor/..." stands for every entry at and below sensor.
	may []string
	// inTests lists what its tests may import besides.
	inTests []string
	// testOnly: nothing but tests and other testOnly folders may import it.
	testOnly bool
	// why is what is lost when the folder imports anything else.
	why string
}

// law is the import law: data points down this list, imports point up it. A
// folder without an entry has no rights; add one, with its reason.
var law = []folder{
	{at: "names", why: "identities are canonical in one place, and a package that knows a stage cannot serve both halves"},
	{at: "activity", only: true, why: "it is the contract between sensor and center, and a contract knows neither side"},
	{at: "activity/wire", may: base(),
		why: "it is how activities travel between the halves, so it knows neither"},
	{at: "version", why: "it says what was built, and knows nothing of what it is built of"},
	{at: "counter", why: "every stage counts, so counting can know no stage"},

	{at: "sensor/capture", may: base(),
		why: "the first stage knows bytes and their time, not what they mean"},
	{at: "sensor/capture/live", may: base("sensor/capture"), inTests: []string{"sensor/capture/live/livetest"},
		why: "it is a source of packets like a file, with a driver's library that offline readers do without"},
	{at: "sensor/capture/live/livetest", testOnly: true,
		why: "it makes network interfaces for tests, whatever is captured there"},
	{at: "sensor/ship", may: base("activity/wire"), inTests: []string{"sensor/ship/shiptest"},
		why: "it sends what the sensor states, wherever that was read"},
	{at: "sensor/ship/shiptest", testOnly: true, may: base("activity/wire"),
		why: "it plays the center for tests of the sensor, knowing of it what the wire says"},
	{at: "sensor/flow", may: base("sensor/capture"),
		why: "it takes capture's chunks and must work for any decoder, so it knows none"},
	{at: "sensor/decode", may: base("sensor/capture", "sensor/flow"),
		why: "the decoders' contract cannot know a decoder: all/ lists them"},
	{at: "sensor/decode/ber", why: "it reads an encoding for several decoders and belongs to none"},
	{at: "sensor/decode/ndr", may: base("sensor/decode"), inTests: []string{"sensor/decode/decodetest"},
		why: "it reads the encoding of every DCE/RPC interface's stubs and belongs to none"},
	{at: "sensor/decode/*", may: base("sensor/flow", "sensor/decode", "sensor/decode/ber", "sensor/decode/ndr", "sensor/decode/decodetest"),
		why: "a decoder must be readable and removable alone; an inner payload goes to its decoder by decode.Handoff"},
	{at: "sensor/decode/all", may: base("sensor/decode", "sensor/decode/*", "sensor/decode/decodetest"),
		why: "it is the list of decoders and nothing else; what several of them make of one capture is tested there"},
	{at: "sensor", only: true, may: base("activity/wire", "sensor/capture", "sensor/capture/live", "sensor/flow", "sensor/decode"),
		inTests: []string{"sensor/capture/live/livetest", "sensor/decode/all", "sensor/decode/decodetest"},
		why:     "it joins the sensor's stages; which decoders run is its caller's choice, and the center reaches it not at all"},
	{at: "sensor/decode/decodetest", testOnly: true, may: base("activity/wire", "sensor", "sensor/capture", "sensor/flow", "sensor/decode", "sensor/decode/*", "sensor/decode/all"),
		why: "it runs captures through the sensor's stages; what the center makes of them is detecttest's"},

	{at: "center/directory", may: base(),
		why: "it is what Active Directory said at one time, whoever asks, and a record of the log"},
	{at: "center/ingest", only: true, may: base("center/directory"),
		why: "the log orders and counts records; a log that knew who reads it could not be replayed for somebody else"},
	{at: "center/ingest/journal", may: base("activity/wire", "center/directory", "center/ingest"),
		why: "it stores records in order, synced, whoever states or reads them"},
	{at: "center/ingest/receive", may: base("activity/wire", "center/directory", "center/ingest", "center/ingest/journal", "center/detect", "center/health"),
		why: "it takes what sensors send into the log; what becomes of it is not its business"},
	{at: "center/health", may: base("center/detect"),
		why: "every part of the center sets issues, so it knows none of them"},
	{at: "center/resolve", may: base("center/directory", "center/ingest"),
		why: "it answers the same for every detector, so it knows none"},
	{at: "center/detect", may: base("center/directory", "center/resolve"),
		why: "the detectors' contract cannot know a detector (all/ lists them), nor what becomes of a finding"},
	{at: "center/detect/*", may: base("center/directory", "center/resolve", "center/detect", "center/detect/detecttest"),
		why: "a detector must be readable, testable and removable alone, and sees resolved activities only; what two need belongs to center/detect or center/resolve"},
	{at: "center/detect/all", may: base("center/detect", "center/detect/*"),
		why: "it is the list of detectors and nothing else"},
	{at: "center/detect/detecttest", testOnly: true, may: base("sensor/...", "center/...", "analyze"),
		why: "it runs captures through both halves for tests, without the programs around them"},
	{at: "center/alert", may: base("center/directory", "center/resolve", "center/detect"),
		why: "alerts are folded from findings of any detector; which ones exist, and who is told, is not theirs to know"},
	{at: "center/notify", may: base("center/detect", "center/alert"),
		why: "it is the last stage and sends what alert made"},
	{at: "center/notify/*", may: base("center/resolve", "center/detect", "center/alert", "center/notify"),
		why: "a channel must be removable alone"},
	{at: "center", only: true, may: base("center/directory", "center/ingest", "center/resolve", "center/detect", "center/alert"),
		inTests: []string{"center/detect/all"},
		why:     "it joins the center's stages; which detections run is its caller's choice, and the sensor reaches it through activities alone"},

	{at: "center/worker", may: base("activity/wire", "center", "center/directory", "center/ingest", "center/ingest/journal", "center/resolve", "center/detect", "center/alert", "center/health"),
		inTests: []string{"center/detect/all", "center/detect/detecttest", "analyze"},
		why:     "it runs the core over the log; who stores and shows the result is its caller's choice"},
	{at: "center/pki", why: "keys and certificates know nothing of what they protect"},
	{at: "center/config", may: base("center/directory", "center/detect", "center/alert"),
		why: "settings are read and checked before anything runs"},
	{at: "center/store", may: base("activity/wire", "center/directory", "center/ingest", "center/resolve", "center/detect", "center/alert", "center/worker"),
		why: "it keeps what the worker hands on, and people; who asks for it is not its business"},
	{at: "center/api", may: base("activity/wire", "center/...", "console"),
		why: "it shows and asks of everything in the center, and the sensor's half is reached by no call"},
	{at: "center/service", may: base("activity/wire", "center/...", "console"),
		why: "it starts and stops the center's parts; flags and terminals are cmd's"},
	{at: "console", why: "it is the built pages, as bytes"},

	{at: "analyze", may: base("activity/wire", "sensor/...", "center/..."),
		why: "files in, alerts out: the one library package that may see both halves"},
	{at: "cmd/*", may: base("version", "activity/wire", "sensor/...", "center/...", "analyze"),
		why: "flags and wiring only: a program that another package imports has grown a library"},
	{at: "e2e", testOnly: true, may: base("activity/wire", "sensor/...", "center/...", "analyze"),
		why: "it tests the built programs from outside"},
	{at: "tools/*", may: base("activity/wire", "sensor/...", "center/...", "analyze"),
		why: "a developer's tool is a program and imports no other program"},
	{at: "bench/*", may: base("sensor/capture"),
		why: "what measures the programs runs them from outside; only captures are read as the sensor reads them"},
	{at: ".", only: true, why: "the root holds tests about the tree, and no code"},
}

// base adds the three packages that everybody may import.
func base(more ...string) []string {
	return append([]string{"names", "activity", "counter"}, more...)
}

// A ban forbids an import or the use of a name of a package, wherever the law
// would not see it.
type ban struct {
	in      []string // entries of the law, with what they cover; nil is the whole tree
	imports []string // import paths
	uses    []string // "time.Now": a selector on an imported package
	tests   bool     // binds test files too
	why     string
}

var bans = []ban{
	{imports: []string{"unsafe", "C"}, tests: true,
		why: "hostile bytes meet memory-safe code only, and the programs are built with CGO_ENABLED=0; there is no exception yet"},
	{imports: []string{"log"}, tests: true,
		why: "logs go through a log/slog logger that is handed in: constant message, values in fields"},
	{in: []string{"center", "center/directory", "center/ingest", "center/resolve", "center/detect", "center/alert"},
		imports: []string{"math/rand", "math/rand/v2", "crypto/rand", "hash/maphash"},
		why:     "findings and alerts are a pure function of the ingest log; chance, and hashes seeded by it, make two runs differ"},
	{in: []string{"center", "center/directory", "center/ingest", "center/resolve", "center/detect", "center/alert"},
		uses: wallClock,
		why:  "findings and alerts are a pure function of the ingest log: its clock is the time, the wall's differs in every replay"},
	{in: []string{"activity", "names", "sensor", "sensor/flow", "sensor/decode"},
		uses: wallClock,
		why:  "time is packet time: a capture read a year later gives the same activities"},
	{in: []string{"center", "center/resolve", "center/detect", "sensor", "sensor/flow", "sensor/decode"},
		imports: []string{"os", "net", "net/http", "os/exec"},
		why:     "these stages are functions of what they are fed: no I/O"},
}

var wallClock = []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc",
	"time.Tick", "time.NewTimer", "time.NewTicker"}

// A source is one Go file. Its path is from the root, with slashes.
type source struct {
	path string
	file *ast.File
	pos  *token.FileSet
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }
func (s source) dir() string {
	return path.Dir(s.path)
}

func TestImportLaw(t *testing.T) {
	module := modulePath(t)
	for _, v := range breaches(module, sources(t)) {
		t.Error(v)
	}
}

// breaches lists what in files breaks the law or a ban, each with the reason.
func breaches(module string, files []source) []string {
	var out []string
	for _, s := range files {
		from, unit := entry(s.dir())
		if from == nil {
			out = append(out, fmt.Sprintf("%s: folder %s has no entry in the import law: add one to arch_test.go, with its reason", s.path, s.dir()))
			continue
		}
		for _, im := range s.file.Imports {
			p, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				continue
			}
			to, ours := strings.CutPrefix(p+"/", module+"/")
			if !ours {
				continue
			}
			if to = strings.TrimSuffix(to, "/"); to == "" {
				to = "."
			}
			if why := forbidden(from, unit, to, s.test()); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", s.pos.Position(im.Pos()), to, why))
			}
		}
		out = append(out, banned(s)...)
	}
	return out
}

// forbidden says why a package of unit, an instance of entry from, may not
// import the package to of ours. "" means that it may.
func forbidden(from *folder, unit, to string, test bool) string {
	target, targetUnit := entry(to)
	switch {
	case target == nil:
		return to + " has no entry in the import law"
	case targetUnit == unit:
		return ""
	case strings.HasPrefix(to, "cmd/"):
		return "nothing imports cmd/: a program that another package imports has grown a library"
	case target.testOnly && !test && !from.testOnly:
		return to + " is for tests: what ships must not carry it"
	}
	if test && slices.Contains(from.inTests, target.at) {
		return ""
	}
	for _, m := range from.may {
		if m == target.at {
			return ""
		}
		if below, ok := strings.CutSuffix(m, "/..."); ok && (target.at == below || strings.HasPrefix(target.at, below+"/")) {
			return ""
		}
	}
	if len(from.may) == 0 {
		return fmt.Sprintf("%s imports nothing of ours: %s", from.at, from.why)
	}
	return fmt.Sprintf("%s may import %s: %s", from.at, strings.Join(from.may, ", "), from.why)
}

// entry finds the law's entry for a folder, the longest that covers it, and
// the folder that stands for it: "sensor/decode/*" and "sensor/decode/ldap"
// for what lies in and below that one.
func entry(dir string) (best *folder, unit string) {
	parts := strings.Split(dir, "/")
	for i := range law {
		want := strings.Split(law[i].at, "/")
		if len(want) > len(parts) {
			continue
		}
		covers := true
		for j, w := range want {
			covers = covers && (w == parts[j] || w == "*")
		}
		if !covers || law[i].only && law[i].at != dir {
			continue
		}
		// Of two that cover it the longer is nearer, and of two as long the one without "*".
		if best == nil || len(want) > strings.Count(best.at, "/")+1 ||
			len(want) == strings.Count(best.at, "/")+1 && strings.HasSuffix(best.at, "*") {
			best, unit = &law[i], strings.Join(parts[:len(want)], "/")
		}
	}
	return best, unit
}

// banned lists the bans that s breaks.
func banned(s source) []string {
	var out []string
	report := func(n ast.Node, what string, b ban) {
		out = append(out, fmt.Sprintf("%s uses %s: %s", s.pos.Position(n.Pos()), what, b.why))
	}
	packages := make(map[string]string) // name in this file → import path
	for _, im := range s.file.Imports {
		p, err := strconv.Unquote(im.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(p)
		if im.Name != nil {
			name = im.Name.Name
		}
		if name == "." {
			out = append(out, fmt.Sprintf("%s imports %s into its own names: a reader can no longer tell whose a name is", s.pos.Position(im.Pos()), p))
		}
		packages[name] = p
		for _, b := range bans {
			if b.binds(s) && slices.Contains(b.imports, p) {
				report(im, p, b)
			}
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok {
			use := packages[x.Name] + "." + sel.Sel.Name
			for _, b := range bans {
				if b.binds(s) && slices.Contains(b.uses, use) {
					report(sel, use, b)
				}
			}
		}
		return true
	})
	return out
}

// binds tells whether b applies to s. The two test-only packages are tests.
func (b ban) binds(s source) bool {
	from, _ := entry(s.dir())
	if !b.tests && (s.test() || from != nil && from.testOnly) {
		return false
	}
	return b.in == nil || slices.ContainsFunc(b.in, func(in string) bool {
		only := slices.ContainsFunc(law, func(f folder) bool { return f.at == in && f.only })
		return s.dir() == in || !only && strings.HasPrefix(s.dir(), in+"/")
	})
}

// TestLawIsWhole catches a misspelt entry, which would allow nothing or, worse,
// cover nothing.
func TestLawIsWhole(t *testing.T) {
	at := make(map[string]bool)
	for _, f := range law {
		if at[f.at] {
			t.Errorf("%s stands twice in the law", f.at)
		}
		if at[f.at] = true; f.why == "" {
			t.Errorf("%s has no reason", f.at)
		}
	}
	for _, f := range law {
		for _, m := range append(slices.Clone(f.may), f.inTests...) {
			below, all := strings.CutSuffix(m, "/...")
			if !at[m] && !all || all && !slices.ContainsFunc(law, func(o folder) bool { return strings.HasPrefix(o.at, below+"/") }) {
				t.Errorf("%s may import %s, which has no entry", f.at, m)
			}
		}
	}
	for _, b := range bans {
		for _, in := range b.in {
			if !at[in] {
				t.Errorf("the ban on %v binds %s, which has no entry", append(b.imports, b.uses...), in)
			}
		}
	}
}

// TestLawBites feeds the checks small files and wants the breach named, or none.
func TestLawBites(t *testing.T) {
	const ours = "example.org/forest"
	for _, c := range []struct {
		path, code string
		want       string // part of the one breach; "" is none
	}{
		{"names/a.go", `import _ "example.org/forest/activity"`, "imports nothing of ours: identities"},
		{"names/a.go", `import _ "strings"`, ""},
		{"sensor/flow/a.go", `import _ "example.org/forest/sensor/capture"`, ""},
		{"sensor/capture/a.go", `import _ "example.org/forest/sensor/flow"`, "first stage"},
		{"sensor/flow/a_test.go", `import _ "example.org/forest/sensor/decode"`, "knows none"},
		{"sensor/decode/ldap/a.go", `import _ "example.org/forest/sensor/decode/ber"`, ""},
		{"sensor/decode/ldap/a.go", `import _ "example.org/forest/sensor/decode/ldap/filter"`, ""},
		{"sensor/decode/ldap/filter/a.go", `import _ "example.org/forest/sensor/decode/ntlm"`, "decode.Handoff"},
		{"sensor/decode/ldap/a_test.go", `import _ "example.org/forest/sensor/decode/ntlm"`, "decode.Handoff"},
		{"sensor/decode/ldap/a_test.go", `import _ "example.org/forest/sensor/decode/decodetest"`, ""},
		{"sensor/decode/ldap/a.go", `import _ "example.org/forest/sensor/decode/decodetest"`, "for tests"},
		{"sensor/decode/decode.go", `import _ "example.org/forest/sensor/decode/all"`, "cannot know a decoder"},
		{"sensor/sensor.go", `import _ "example.org/forest/sensor/decode/all"`, "its caller's choice"},
		{"sensor/flow/a_test.go", `import _ "example.org/forest/sensor"`, "knows none"},
		{"sensor/decode/all/a.go", `import _ "example.org/forest/sensor/decode/ldap"`, ""},
		{"sensor/decode/ldap/a.go", `import _ "example.org/forest/center/resolve"`, "readable and removable"},
		{"center/resolve/a.go", `import _ "example.org/forest/sensor/decode/ldap"`, "knows none"},
		{"center/resolve/a.go", `import _ "example.org/forest/center/detect"`, "knows none"},
		{"center/detect/dcsync/a.go", `import _ "example.org/forest/center/resolve"`, ""},
		{"center/detect/dcsync/a.go", `import _ "example.org/forest/center/detect/kerberoast"`, "a detector must"},
		{"center/detect/dcsync/a_test.go", `import _ "example.org/forest/center/detect/detecttest"`, ""},
		{"center/detect/detecttest/a.go", `import _ "example.org/forest/sensor/decode/ldap"`, ""},
		{"center/center.go", `import _ "example.org/forest/center/alert"`, ""},
		{"center/center.go", `import _ "example.org/forest/sensor/flow"`, "through activities alone"},
		{"center/center.go", `import _ "example.org/forest/center/detect/all"`, "its caller's choice"},
		{"center/center_test.go", `import _ "example.org/forest/center/detect/all"`, ""},
		{"center/alert/a.go", `import _ "example.org/forest/center"`, "folded from findings"},
		{"center/alert/a.go", `import _ "example.org/forest/center/notify"`, "folded from findings"},
		{"analyze/a.go", `import (_ "example.org/forest/center"; _ "example.org/forest/sensor/decode/all")`, ""},
		{"analyze/a.go", `import _ "example.org/forest/center/detect/detecttest"`, "for tests"},
		{"cmd/verderer/main.go", `import _ "example.org/forest/analyze"`, ""},
		{"analyze/a_test.go", `import _ "example.org/forest/cmd/verderer"`, "nothing imports cmd/"},
		{"elsewhere/a.go", ``, "no entry in the import law"},
		{"center/elsewhere/a.go", ``, "no entry in the import law"},
		{"names/a.go", `import _ "example.org/forest/elsewhere"`, "no entry in the import law"},

		{"sensor/capture/a_test.go", `import _ "unsafe"`, "CGO_ENABLED=0"},
		{"analyze/a.go", `import "log"`, "log/slog"},
		{"analyze/a.go", `import "log/slog"`, ""},
		{"center/detect/dcsync/a.go", `import "math/rand/v2"`, "pure function"},
		{"center/detect/dcsync/a_test.go", `import "math/rand/v2"`, ""},
		{"center/detect/dcsync/a.go", `import "os"`, "no I/O"},
		{"center/alert/a.go", `import clock "time"; var x = clock.Now()`, "uses time.Now"},
		{"center/alert/a.go", `import "time"; var now = time.Now`, "uses time.Now"},
		{"center/alert/a.go", `import "time"; var x = time.Unix(0, 0)`, ""},
		{"center/alert/a.go", `import . "time"; var x = Unix(0, 0)`, "into its own names"},
		{"sensor/flow/a.go", `import "time"; var x = time.Since(time.Unix(0, 0))`, "packet time"},
		{"sensor/flow/a_test.go", `import "time"; var x = time.Now()`, ""},
		{"analyze/a.go", `import "time"; var x = time.Now()`, ""},
		{"center/center.go", `import "time"; var x = time.Now()`, "uses time.Now"},
		{"center/notify/a.go", `import "time"; var x = time.Now()`, ""},
	} {
		pos := token.NewFileSet()
		f, err := parser.ParseFile(pos, c.path, "package p\n"+c.code, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := breaches(ours, []source{{c.path, f, pos}})
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s with %q: unexpected %q", c.path, c.code, got)
		case c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)):
			t.Errorf("%s with %q: got %q, want one that says %q", c.path, c.code, got, c.want)
		}
	}
}

// modulePath reads the module's name, so that a fork's tests hold too.
func modulePath(t *testing.T) string {
	f, err := os.Open("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if m, ok := strings.CutPrefix(sc.Text(), "module "); ok {
			return strings.TrimSpace(m)
		}
	}
	t.Fatal("go.mod names no module")
	return ""
}

// sources parses every Go file of the module, whatever its build constraints,
// so that code for another operating system is bound too.
func sources(t *testing.T) []source {
	var out []source
	pos := token.NewFileSet()
	walk(t, func(p string, d fs.DirEntry) {
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return
		}
		f, err := parser.ParseFile(pos, p, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, source{p, f, pos})
	})
	if len(out) == 0 {
		t.Fatal("found no Go file")
	}
	return out
}

// walk visits what belongs to the module, leaving out what the go command
// leaves out: testdata, folders that begin with "." or "_", modules within.
func walk(t *testing.T, visit func(p string, d fs.DirEntry)) {
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." {
			name := d.Name()
			_, nested := os.Stat(filepath.Join(p, "go.mod"))
			if name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_' || nested == nil {
				return filepath.SkipDir
			}
		}
		visit(filepath.ToSlash(p), d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
