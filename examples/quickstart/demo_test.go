package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDemo is the README's first command.
func TestDemo(t *testing.T) {
	require.NoError(t, demo(t.Context()))
}
