package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testName finds `TestX` of the root package and `package.TestX` of another.
var testName = regexp.MustCompile("`([a-z/]+\\.)?((?:Test|Benchmark|Fuzz)[A-Za-z0-9_]+)`")

// Every test that guarantees.md names is there, and every promise names one.
func TestGuaranteesHaveTheirTests(t *testing.T) {
	text, err := os.ReadFile("guarantees.md")
	require.NoError(t, err)
	there := tests(t)
	promises := 0
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise |") {
			continue
		}
		promises++
		cells := strings.Split(line, " |")
		require.Len(t, cells, 4, line)
		named := testName.FindAllStringSubmatch(cells[1], -1)
		require.NotEmpty(t, named, "a promise without a test: %s", line)
	}
	require.NotZero(t, promises)
	for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
		if m[1] == "" && strings.HasPrefix(m[2], "Benchmark") {
			m[1] = "bench."
		}
		require.True(t, there[m[1]+m[2]], "%s is named, and does not exist", m[0])
	}
}

// tests are the names of all tests, benchmarks and fuzz targets of the module, with their packages.
func tests(t *testing.T) map[string]bool {
	out := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel("..", filepath.Dir(path))
		if err != nil {
			return err
		}
		prefix := filepath.ToSlash(dir) + "."
		if dir == "." {
			prefix = ""
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				out[prefix+fn.Name.Name] = true
			}
		}
		return nil
	}))
	return out
}
