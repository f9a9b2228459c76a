package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func written(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "verderer.yaml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLayers(t *testing.T) {
	path := written(t, `
data: /srv/verderer
names: [verderer.corp.example, 10.0.0.9]
console:
  listen: ":9443"
  url: https://console.corp.example/
sensors:
detection:
  level: high
  exclusions:
    - 10.0.0.5
    - dns-reconnaissance:scanner
  shards: 8
journal:
  max_size: 512MiB
  keep: 36h
disk.min_free: 2GiB
metrics:
  listen: ""
log:
  level: debug
`)
	c, err := Load(path, []string{"HOME=/root", "VERDERER_LOG_LEVEL=warn", "VERDERER_JOURNAL_MAX_SIZE=1 GiB", "VERDERER_NAMES= a.example, b.example ,", "VERDERER", "VERDERER_LOG_FORMAT=json"})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Data = "/srv/verderer"
	want.Names = []string{"a.example", "b.example"}
	want.Console.Listen, want.Console.URL = ":9443", "https://console.corp.example/"
	want.Detection = Detection{"high", []string{"10.0.0.5", "dns-reconnaissance:scanner"}, 8}
	want.Journal = Journal{1 << 30, 36 * time.Hour}
	want.Disk.MinFree = 2 << 30
	want.Metrics.Listen = ""
	want.Log = Log{"warn", "json"}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if c.ConsoleURL() != "https://console.corp.example" || c.SensorAddress() != "a.example:8444" {
		t.Errorf("console at %s, sensors at %s", c.ConsoleURL(), c.SensorAddress())
	}
	if got := c.CertificateNames(); !slices.Equal(got, []string{"a.example", "b.example", "console.corp.example", "a.example"}) {
		t.Errorf("certificate for %q", got)
	}
	if c, err := Load(written(t, ""), nil); err != nil || cmp.Diff(Default(), c) != "" {
		t.Errorf("an empty file: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	c := Default()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if c.ConsoleURL() != "https://"+host+":8443" || c.SensorAddress() != host+":8444" {
		t.Errorf("console at %s, sensors at %s", c.ConsoleURL(), c.SensorAddress())
	}
	for listen, want := range map[string]string{"0.0.0.0:1": host + ":1", "[::]:2": host + ":2", "10.0.0.7:3": "10.0.0.7:3", "[fd00::7]:4": "[fd00::7]:4", "c.example:5": "c.example:5"} {
		c.Sensors.Listen = listen
		if c.SensorAddress() != want {
			t.Errorf("listening on %s, sensors are sent to %s, want %s", listen, c.SensorAddress(), want)
		}
	}
	c.Names, c.Sensors.Listen = []string{"fd00::9"}, ":5"
	if c.SensorAddress() != "[fd00::9]:5" {
		t.Error(c.SensorAddress())
	}
}

// TestMistakes: each is told with its key, what it is, what it may be, and where.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		yaml string
		env  string
		says []string
	}{
		{yaml: "dta: /x", says: []string{"verderer.yaml:1: there is no setting dta; did you mean data?"}},
		{yaml: "\nconsole:\n  listn: x", says: []string{"verderer.yaml:3: there is no setting console.listn; did you mean console.listen?"}},
		{yaml: "something-else-altogether: 1", says: []string{"no setting something-else-altogether"}},
		{yaml: "console: here", says: []string{"verderer.yaml:1: console is a group of settings"}},
		{yaml: "console: [a]", says: []string{"console is a group of settings"}},
		{yaml: "data:\n  x: 1", says: []string{"no setting data.x"}},
		{yaml: "data: relative", says: []string{`verderer.yaml:1: data is "relative": not an absolute path`}},
		{yaml: `data: ""`, says: []string{"data is \"\": must not be empty"}},
		{yaml: "data: [/a]", says: []string{`data is ["/a"]: must be one value`}},
		{yaml: "names: {a: b}", says: []string{"no setting names.a"}},
		{yaml: "names: [[a]]", says: []string{`names is [["a"]]: each entry must be one value; allowed: a list`}},
		{yaml: "detection: {level: lowish}", says: []string{`detection.level is "lowish": not one of them`, "allowed: high, medium, low"}},
		{yaml: "log: {level: inof}", says: []string{"did you mean info?"}},
		{yaml: "detection: {shards: 65}", says: []string{"detection.shards is 65: out of range; allowed: a number from 0 to 64"}},
		{yaml: "detection: {shards: -1}", says: []string{"out of range"}},
		{yaml: "detection: {shards: 1.5}", says: []string{"not a whole number"}},
		{yaml: "detection: {shards: true}", says: []string{"detection.shards is true: not a whole number"}},
		{yaml: "journal: {max_size: 63MiB}", says: []string{`journal.max_size is "63MiB": out of range; allowed: a size from 64MiB to 16TiB`}},
		{yaml: "journal: {max_size: 9999999999GiB}", says: []string{"not a size"}},
		{yaml: "journal: {max_size: -1GiB}", says: []string{"not a size"}},
		{yaml: "journal: {max_size: 8GB}", says: []string{"not a size, such as 512MiB or 8GiB"}},
		{yaml: "journal: {keep: 59m}", says: []string{"allowed: a duration from 1h to 720h"}},
		{yaml: "journal: {keep: 24}", says: []string{"journal.keep is 24: not a duration, such as 36h or 90m"}},
		{yaml: "console: {listen: '8443'}", says: []string{"no port in it; allowed: address:port or :port"}},
		{yaml: "console: {listen: ':84430'}", says: []string{`"84430" is no port`}},
		{yaml: "console: {listen: ''}", says: []string{"must not be empty"}},
		{yaml: "console: {url: 'http://x'}", says: []string{"not such a URL; allowed: an https URL"}},
		{yaml: "console: {url: 'https://x/path'}", says: []string{"not such a URL"}},
		{yaml: "console: {certificate: a.crt}", says: []string{"allowed: an absolute path, or empty"}},
		{yaml: "sensors: {address: ':8444'}", says: []string{"no host in it"}},
		{yaml: "sensors: {address: 'x:0'}", says: []string{"is no port"}},
		{yaml: "data: /a\ndata: /b", says: []string{"line 2", "already defined"}},
		{yaml: "data: /x\na: b: c", says: []string{"verderer.yaml", "line 2"}},
		{yaml: "- a\n- b", says: []string{"verderer.yaml"}},
		{yaml: "data: 'x\nlog: {level: x}\nnames: 1", says: []string{"verderer.yaml"}},
		{yaml: "data: x\nlog: {level: x}", says: []string{":1: data", ":2: log.level"}}, // all of them
		{env: "VERDERER_DETECTION_LEVL=low", says: []string{"environment: there is no setting VERDERER_DETECTION_LEVL; did you mean VERDERER_DETECTION_LEVEL?"}},
		{env: "VERDERER_DETECTION_LEVEL=no", says: []string{`environment variable VERDERER_DETECTION_LEVEL: detection.level is "no"`}},
		{yaml: strings.Repeat("#", maxFile+1), says: []string{"at most"}},
	} {
		got, err := Load(written(t, c.yaml), []string{c.env})
		if err == nil {
			t.Errorf("%.60q %s: read as %+v", c.yaml, c.env, got)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%.60q %s: %v\nwant one that says %q", c.yaml, c.env, err, s)
			}
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a file that is named and not there: %v", err)
	}
}

// TestFields holds the tags to what the code makes of them.
func TestFields(t *testing.T) {
	for _, f := range Fields() {
		if f.Doc == "" || !strings.HasSuffix(f.Doc, ".") || f.Allowed == "" {
			t.Errorf("%s: doc %q, allowed %q", f.Key, f.Doc, f.Allowed)
		}
		if (f.Default == "") != (f.Example != "") && f.Key != "metrics.listen" {
			t.Errorf("%s: default %q and example %q: one of them", f.Key, f.Default, f.Example)
		}
		c := Default()
		if err := f.set(c, f.Default); err != nil {
			t.Errorf("%s: its default: %v", f.Key, err)
		}
		if f.Example != "" {
			if err := f.set(c, f.Example); err != nil {
				t.Errorf("%s: its example: %v", f.Key, err)
			}
			if reflect.DeepEqual(c, Default()) {
				t.Errorf("%s: setting it changes nothing", f.Key)
			}
		}
		for _, bound := range []string{f.tag.Get("min"), f.tag.Get("max")} {
			if bound != "" {
				if err := f.set(c, bound); err != nil {
					t.Errorf("%s: its own bound %s: %v", f.Key, bound, err)
				}
			}
		}
		if strings.Contains(f.Allowed, "from  to") {
			t.Errorf("%s has no bounds", f.Key)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "5": 5, "5B": 5, "1KiB": 1024, "3 GiB": 3 << 30, "16TiB": 16 << 40} {
		if got, err := parseSize(text); got != want || err != nil {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for s, want := range map[Size]string{0: "0", 1023: "1023B", 1024: "1KiB", 3 << 29: "1536MiB", 1 << 40: "1TiB"} {
		if s.String() != want {
			t.Errorf("%d: %s, want %s", s, s, want)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	c := Default()
	c.Data = filepath.Join(dir, "not", "yet", "there")
	c.Detection.Exclusions = []string{"10.0.0.5", "one:scanner"}
	if err := c.Check([]string{"one"}); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); len(left) != 0 || err != nil {
		t.Errorf("it left %v, %v", left, err)
	}
	certificate := func(name string, ends time.Time) (crt, key string) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: ends}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
		if err != nil {
			t.Fatal(err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		crt, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
		os.WriteFile(crt, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600)
		return crt, key
	}
	goodCrt, goodKey := certificate("good", time.Now().Add(time.Hour))
	oldCrt, oldKey := certificate("old", time.Now().Add(-time.Hour))
	for _, x := range []struct {
		crt, key, says string
	}{
		{goodCrt, goodKey, ""},
		{goodCrt, "", "console.certificate and console.key"},
		{"", goodKey, "console.certificate and console.key"},
		{goodCrt, oldKey, "console.certificate: " + goodCrt},
		{oldCrt, oldKey, "expired on"},
		{filepath.Join(dir, "none"), goodKey, "no such file"},
	} {
		c.Console.Certificate, c.Console.Key = x.crt, x.key
		if err := c.Check([]string{"one"}); (err == nil) != (x.says == "") || err != nil && !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s, %s: %v, want %q", x.crt, x.key, err, x.says)
		}
	}
	c = Default()
	c.Data = goodCrt // a file
	c.Detection.Exclusions = []string{"other:scanner", "", "two:x"}
	err := c.Check([]string{"one"})
	for _, s := range []string{"data: " + goodCrt, "is not a folder", `no detection "other"`, `no detection "two"`, "names nothing"} {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("%v: want one that says %q", err, s)
		}
	}
}

// TestExample: the file that we ship changes nothing, neither as it is nor with
// every setting taken out of its comment.
func TestExample(t *testing.T) {
	const example = "../../deploy/verderer.yaml"
	c, err := Load(example, nil)
	if d := cmp.Diff(Default(), c); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	b, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	set := regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`).ReplaceAllString(string(b), "$1$2")
	c, err = Load(written(t, set), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Names, c.Detection.Exclusions = nil, nil // empty lists
	if d := cmp.Diff(Default(), c); d != "" {
		t.Error(d)
	}
	for _, f := range Fields() {
		if n := len(regexp.MustCompile(`(?m)^ *#`+f.Key[strings.LastIndex(f.Key, ".")+1:]+":").FindAllString(string(b), -1)); n == 0 {
			t.Errorf("%s is not in it", f.Key)
		}
	}
}
