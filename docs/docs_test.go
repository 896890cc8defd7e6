// Package docs_test follows the documentation, so that it cannot rot.
package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var codeBlock = regexp.MustCompile("(?ms)^```go\n// (\\S+\\.go)\n(.*?)^```$")

// files gives the Go files of a page: the blocks that begin with a file's name.
func files(t *testing.T, page string) map[string]string {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	out := map[string]string{}
	for _, m := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		require.NotContains(t, out, m[1], "two blocks for one file")
		require.Contains(t, strings.ReplaceAll(string(text[:bytes.Index(text, []byte("```go\n// "+m[1]+"\n"))]), "\n", " "), "`"+m[1]+"`",
			"the text says where the block belongs before it stands there")
		out[m[1]] = m[2]
	}
	return out
}

// module writes a page's files into a module of their own that uses this repository as it is here.
func module(t *testing.T, path string, files map[string]string) (dir string) {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir = t.TempDir()
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	files["go.sum"] = string(sum)
	files["go.mod"] = fmt.Sprintf("module %s\n\ngo 1.26.0\n\nrequire github.com/metagov/gateway-go v0.0.0\n\nreplace github.com/metagov/gateway-go => %s\n", path, root)
	for name, text := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	return dir
}

// run runs a command offline and gives its output.
func run(t *testing.T, dir string, name string, args ...string) string {
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s\n%s", name, strings.Join(args, " "), out)
	return string(out)
}

func TestTheTutorialWorks(t *testing.T) {
	page := files(t, "plugin-tutorial.md")
	require.Len(t, page, 5)
	dir := module(t, "example.org/rota", page)
	require.Empty(t, run(t, dir, "gofmt", "-l", "."))
	run(t, dir, "go", "vet", "./...")
	run(t, dir, "go", "test", "-update", ".")
	require.FileExists(t, filepath.Join(dir, "testdata", "manifest.golden.json"))
	run(t, dir, "go", "test", "-count=1", ".")
	require.Equal(t, "It is the turn of ann\n", run(t, dir, "go", "run", "./try"))
}

func TestTheTutorialIsShort(t *testing.T) {
	page := files(t, "plugin-tutorial.md")
	lines := 0
	for _, name := range []string{"rota.go", "standin.go"} {
		for line := range strings.Lines(page[name]) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines++
			}
		}
	}
	require.LessOrEqual(t, lines, 85, "lines of code, imports and all")
}

func TestNoMachinePaths(t *testing.T) {
	for _, pattern := range []string{"*.md", "plugins/*.md"} {
		pages, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, page := range pages {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			require.NotRegexp(t, `/(root|home|work|tmp|Users)/`, string(text), page)
		}
	}
}

func TestTheAuditPageWorks(t *testing.T) {
	page := files(t, "audit.md")
	require.Len(t, page, 1)
	dir := module(t, "example.org/audit", page)
	require.Empty(t, run(t, dir, "gofmt", "-l", "."))
	run(t, dir, "go", "vet", "./...")
	require.Equal(t, `process.started by ann  false
process.closed by bob  false
process.completed by bob  false
action by policy: bell bylaws 3.2 true
6 entries, the record holds: true
`, run(t, dir, "go", "run", "./try"))
}

func TestTheOperationsPageWorks(t *testing.T) {
	page := files(t, "operations.md")
	require.Len(t, page, 1)
	dir := module(t, "example.org/operations", page)
	require.Empty(t, run(t, dir, "gofmt", "-l", "."))
	run(t, dir, "go", "vet", "./...")
	require.Equal(t, "200 <nil>\n", run(t, dir, "go", "run", "./try"))
}
