package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADMEShowsThisDriver keeps the README's example one that compiles.
func TestREADMEShowsThisDriver(t *testing.T) {
	code, err := os.ReadFile("main.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(readme), "```go\n")
	require.True(t, ok, "the README has a block of Go")
	shown, _, _ := strings.Cut(rest, "```")
	main := string(code)[strings.Index(string(code), "func main() {"):]
	require.Equal(t, strings.TrimSpace(main), strings.TrimSpace(shown))
}
