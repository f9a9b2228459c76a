package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/verderer/verderer/activity"
)

// module is the path that the packages of this tree begin with.
var module = strings.TrimSuffix(reflect.TypeFor[activity.Activity]().PkgPath(), "/activity")

// A source is what the code says that reflection does not: comments, and which
// constants a type has.
type source struct {
	comments  map[string]string     // "path.Type" and "path.Type.Field" → comment, on one line
	constants map[string][]constant // "path.Type" → its constants, in order
}

// A constant of a string type.
type constant struct {
	Value   string
	Comment string
}

func readSource() (*source, error) {
	var r jsonschema.Reflector
	for _, dir := range []string{"activity", "center"} {
		if err := r.AddGoComments(module, dir, jsonschema.WithFullComment()); err != nil {
			return nil, fmt.Errorf("reading the comments of %s: %w", dir, err)
		}
	}
	for k, v := range r.CommentMap {
		r.CommentMap[k] = oneLine(v)
	}
	s := &source{comments: r.CommentMap, constants: make(map[string][]constant)}
	for _, pattern := range []string{"activity/*.go", "center/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			if err := s.readConstants(f); err != nil {
				return nil, fmt.Errorf("reading the constants of %s: %w", f, err)
			}
		}
	}
	return s, nil
}

// readConstants collects constants that are declared with a type and a string
// literal, as `const Success Outcome = "success"`: so are all that leave the
// program.
func (s *source) readConstants(name string) error {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	pkg := module + "/" + filepath.ToSlash(filepath.Dir(name))
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		of, ok := spec.Type.(*ast.Ident)
		if !ok || of.Name == "string" {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		v, err := strconv.Unquote(lit.Value)
		if err != nil {
			return true
		}
		comment := spec.Comment.Text()
		if comment == "" {
			comment = spec.Doc.Text()
		}
		key := pkg + "." + of.Name
		s.constants[key] = append(s.constants[key], constant{v, oneLine(comment)})
		return true
	})
	return nil
}

// of lists the constants of a type; none when it is not one of ours, or open.
func (s *source) of(t reflect.Type) []constant {
	return s.constants[t.PkgPath()+"."+t.Name()]
}

func (s *source) typeComment(t reflect.Type) string {
	return s.comments[t.PkgPath()+"."+t.Name()]
}

func (s *source) fieldComment(t reflect.Type, f reflect.StructField) string {
	return s.comments[t.PkgPath()+"."+t.Name()+"."+f.Name]
}

// jsonName is the name of a field in JSON, "" when it stays inside.
func jsonName(f reflect.StructField) (name string, optional bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" {
		return "", false
	}
	return name, strings.Contains(options, "omit")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
