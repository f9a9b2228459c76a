package main

import (
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// maxConfig caps what is read of a configuration file.
const maxConfig = 1 << 20

// config is a file of options by their long names.
type config map[string]any

func loadConfig(r io.Reader) (kong.Resolver, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxConfig))
	if err != nil {
		return nil, err
	}
	c := make(config)
	if err := yaml.Unmarshal(b, &c); err != nil {
		return nil, err
	}
	return c, nil
}

// Validate implements kong.Resolver: a name that is no option's is a mistake
// that nobody would notice.
func (c config) Validate(app *kong.Application) error {
	known := make(map[string]bool)
	_ = kong.Visit(app.Node, func(n kong.Visitable, next kong.Next) error {
		if node, ok := n.(*kong.Node); ok {
			for _, f := range node.Flags {
				known[f.Name] = f.Name != "help" && f.Name != "config"
			}
		}
		return next(nil)
	})
	for name := range c {
		if !known[name] {
			return fmt.Errorf("reading configuration: there is no option %q", name)
		}
	}
	return nil
}

// Resolve implements kong.Resolver. What the environment says comes first.
func (c config) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, e := range flag.Envs {
		if _, ok := os.LookupEnv(e); ok {
			return nil, nil
		}
	}
	v, ok := c[flag.Name]
	if !ok {
		return nil, nil
	}
	return v, nil
}
