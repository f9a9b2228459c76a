package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	yamlparser "github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"
)

// maxFile caps the settings file: the example has some KB.
const maxFile = 1 << 20

// Load reads the settings. path "" means DefaultPath, which need not be there;
// a file that is named must be. env is what os.Environ returns. Every mistake
// is reported, not the first alone: the key, its value, what it may be, and
// the line of the file or the variable that says so.
func Load(path string, environ []string) (*Config, error) {
	named := path != ""
	if !named {
		path = DefaultPath
	}
	l := &loader{all: koanf.New("."), from: make(map[string]string)}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
	case err != nil:
		return nil, fmt.Errorf("reading settings: %w", err)
	case len(b) > maxFile:
		return nil, fmt.Errorf("reading settings %s: %d bytes, at most %d", path, len(b), maxFile)
	default:
		if err := l.file(path, b); err != nil {
			return nil, fmt.Errorf("reading settings %s: %w", path, err)
		}
	}
	if err := l.env(environ); err != nil {
		return nil, fmt.Errorf("reading settings from the environment: %w", err)
	}
	c := Default()
	for _, f := range Fields() {
		if !l.all.Exists(f.Key) {
			continue
		}
		v := l.all.Get(f.Key)
		if err := f.set(c, v); err != nil {
			l.errs = append(l.errs, fmt.Errorf("%s: %s is %s: %w; allowed: %s", l.from[f.Key], f.Key, show(v), err, f.Allowed))
		}
	}
	if err := errors.Join(l.errs...); err != nil {
		return nil, fmt.Errorf("reading settings:\n%w", err)
	}
	return c, nil
}

// Default is what holds without a file and environment.
func Default() *Config {
	c := new(Config)
	for _, f := range Fields() {
		if err := f.set(c, f.Default); err != nil {
			panic("config: default of " + f.Key + ": " + err.Error())
		}
	}
	return c
}

// A loader lays one source of settings over another.
type loader struct {
	all  *koanf.Koanf
	from map[string]string // key → where its value was read
	errs []error
}

func (l *loader) file(path string, b []byte) error {
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yamlparser.Parser()); err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return err
	}
	lines := make(map[string]int)
	linesOf(&doc, "", lines)
	keys := k.Keys()
	slices.SortFunc(keys, func(a, b string) int { return lines[a] - lines[b] })
	for _, key := range keys {
		at := fmt.Sprintf("%s:%d", path, lines[key])
		v := k.Get(key)
		switch {
		case v == nil && (known(key) || group(key)):
			continue // its name stands there with nothing after it
		case known(key):
			if err := l.all.Set(key, v); err != nil {
				return err
			}
			l.from[key] = at
		case group(key):
			l.errs = append(l.errs, fmt.Errorf("%s: %s is a group of settings, each on a line of its own below it", at, key))
		default:
			l.errs = append(l.errs, fmt.Errorf("%s: there is no setting %s%s", at, key, suggestion(key, keysOf(func(f Field) string { return f.Key }))))
		}
	}
	return nil
}

func (l *loader) env(environ []string) error {
	byName := make(map[string]string)
	for _, f := range Fields() {
		byName[f.Env] = f.Key
	}
	return l.all.Load(env.Provider(".", env.Opt{
		Prefix:      EnvPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			key := byName[name]
			if key == "" {
				l.errs = append(l.errs, fmt.Errorf("environment: there is no setting %s%s", name, suggestion(name, keysOf(func(f Field) string { return f.Env }))))
				return "", nil
			}
			l.from[key] = "environment variable " + name
			return key, value
		},
	}), nil)
}

// linesOf notes on which line of the file each key stands.
func linesOf(n *yaml.Node, key string, lines map[string]int) {
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			linesOf(c, key, lines)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i].Value
			if key != "" {
				k = key + "." + k
			}
			lines[k] = n.Content[i].Line
			linesOf(n.Content[i+1], k, lines)
		}
	}
}

func keysOf(name func(Field) string) (list []string) {
	for _, f := range Fields() {
		list = append(list, name(f))
	}
	return list
}

func known(key string) bool {
	return slices.ContainsFunc(Fields(), func(f Field) bool { return f.Key == key })
}

func group(key string) bool {
	return slices.ContainsFunc(Fields(), func(f Field) bool { return strings.HasPrefix(f.Key, key+".") })
}

// suggestion names the word of list that is nearest to s, if one is near.
func suggestion(s string, list []string) string {
	best, least := "", max(2, len(s)/3)+1
	for _, w := range list {
		if d := distance(s, w); d < least {
			best, least = w, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is how many bytes must be inserted, deleted or replaced to make b of
// a (Levenshtein).
func distance(a, b string) int {
	if len(a) > 100 {
		return len(a) // no misspelling of a setting
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
