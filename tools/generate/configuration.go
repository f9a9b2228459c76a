package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/verderer/verderer/center/config"
)

// configuration makes the reference of the center's settings.
func configuration() []byte {
	var b bytes.Buffer
	b.WriteString(header("the tags of center/config/config.go") + `# Settings of the center

` + "`verderer serve`" + ` works without any. What is set in the file ` + "`" + config.DefaultPath + "`" + ` (another one with
` + "`--config`" + `) takes the place of a default, and an environment variable that of the file. A name that is no
setting is an error, and so is a value out of its range. [deploy/verderer.yaml](../deploy/verderer.yaml) is
a file with every setting at its default.

Sizes are written ` + "`512MiB`" + `, ` + "`8GiB`" + `; durations ` + "`90m`" + `, ` + "`36h`" + `. In an environment variable the entries of a list
are separated by commas.
`)
	group := ""
	for i, f := range config.Fields() {
		name, _, grouped := strings.Cut(f.Key, ".")
		if !grouped {
			name = ""
		}
		if name != group || i == 0 {
			if group = name; group == "" {
				b.WriteString("\n## General\n")
			} else {
				fmt.Fprintf(&b, "\n## `%s`\n\n%s\n", group, f.Group)
			}
			b.WriteString("\n| Setting | Default | Allowed | |\n| --- | --- | --- | --- |\n")
		}
		fmt.Fprintf(&b, "| `%s`<br>`%s` | %s | %s | %s%s |\n", f.Key, f.Env, quoted(f.Default), cell(f.Allowed), cell(f.Doc), example(f))
	}
	return b.Bytes()
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func example(f config.Field) string {
	if f.Example == "" {
		return ""
	}
	return " Example: `" + f.Example + "`."
}

// exampleConfig makes a settings file that sets nothing: each setting stands
// there as a comment, at its default.
func exampleConfig() []byte {
	var b bytes.Buffer
	b.WriteString(`# Settings of the Verderer center, each at its default. To change one, take the
# "#" before its name away. What each does, in full: docs/configuration.md.
#
# Written by ` + "`make generate`" + ` from the tags of center/config/config.go: change
# a copy, ` + config.DefaultPath + `.
`)
	group := ""
	for _, f := range config.Fields() {
		name, rest, grouped := strings.Cut(f.Key, ".")
		indent := ""
		if grouped {
			indent = "  "
			if name != group {
				group = name
				b.WriteString("\n" + wrap("# ", f.Group) + name + ":\n")
			} else {
				b.WriteString("\n")
			}
		} else {
			rest = name
			b.WriteString("\n")
		}
		b.WriteString(wrap(indent+"# ", f.Doc+" Allowed: "+f.Allowed+"."))
		if f.Example != "" {
			b.WriteString(indent + "# Example: " + yamlValue(f, f.Example) + "\n")
		}
		fmt.Fprintf(&b, "%s#%s: %s\n", indent, rest, yamlValue(f, f.Default))
	}
	return b.Bytes()
}

// yamlValue is a value as it is written in the file. Text is quoted where it
// would be read as something else.
func yamlValue(f config.Field, s string) string {
	if f.List {
		if s == "" {
			return "[]"
		}
		return "[" + yamlText(s) + "]"
	}
	return yamlText(s)
}

func yamlText(s string) string {
	if s == "" || strings.ContainsAny(s, ":#[]{},&*!|>'\"%@`") {
		return `"` + s + `"` // no setting's default or example holds a quote or a backslash
	}
	return s
}

// width of the example's comments.
const width = 100

func wrap(prefix, text string) string {
	var b strings.Builder
	line := prefix
	for _, w := range strings.Fields(text) {
		if len(line)+len(w) > width && line != prefix {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = prefix
		}
		line += w + " "
	}
	return b.String() + strings.TrimRight(line, " ") + "\n"
}
