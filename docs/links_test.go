package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	docLink  = regexp.MustCompile(`\[([A-Z]\w*(?:\.[A-Z]\w*)?)\]`)
	pageLink = regexp.MustCompile(`\]\(([^)#:\s(]+)(?:#[^)]*)?\)`)
)

// What the package's comments link to is there.
func TestDocLinks(t *testing.T) {
	paths, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	there, comments := map[string]bool{}, map[string]string{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, c := range file.Comments {
			comments[path] += c.Text()
		}
		for _, decl := range file.Decls {
			declared(decl, there)
		}
	}
	for path, text := range comments {
		for _, m := range docLink.FindAllStringSubmatch(text, -1) {
			require.True(t, there[m[1]], "%s links to %s, which does not exist", path, m[1])
		}
	}
}

// declared notes the names that a declaration makes, with those of methods and fields.
func declared(decl ast.Decl, there map[string]bool) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			there[d.Name.Name] = true
			return
		}
		of := d.Recv.List[0].Type
		for {
			switch x := of.(type) {
			case *ast.StarExpr:
				of = x.X
				continue
			case *ast.IndexExpr:
				of = x.X
				continue
			case *ast.IndexListExpr:
				of = x.X
				continue
			case *ast.Ident:
				there[x.Name+"."+d.Name.Name] = true
			}
			return
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range s.Names {
					there[name.Name] = true
				}
			case *ast.TypeSpec:
				there[s.Name.Name] = true
				if fields, ok := s.Type.(*ast.StructType); ok {
					for _, f := range fields.Fields.List {
						for _, name := range f.Names {
							there[s.Name.Name+"."+name.Name] = true
						}
					}
				}
			}
		}
	}
}

// Pages that link to files of this repository find them.
func TestPageLinks(t *testing.T) {
	for _, pattern := range []string{"../*.md", "*.md", "plugins/*.md"} {
		pages, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, page := range pages {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			for _, m := range pageLink.FindAllStringSubmatch(string(text), -1) {
				require.FileExists(t, filepath.Join(filepath.Dir(page), m[1]), "%s links to it", page)
			}
		}
	}
}
