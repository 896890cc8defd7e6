package docs_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// CONTRIBUTING.md says of each module that go.mod requires directly why it is there, and of no other.
func TestDependenciesAreExplained(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	page, err := os.ReadFile("../CONTRIBUTING.md")
	require.NoError(t, err)
	required := all(string(mod), `(?m)^\s+(\S+) v\S+$`)
	require.NotEmpty(t, required)
	require.ElementsMatch(t, required, all(string(page), `(?m)^\| ([a-z][a-z.]+/\S+) \| .+ \|$`))
}

// all are the first groups of all that matches.
func all(text, pattern string) (out []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}
