package fakediscord

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOnlyTheFirstGoodbyeCounts is about clients such as discordgo, which answer a close with a goodbye of their own.
func TestOnlyTheFirstGoodbyeCounts(t *testing.T) {
	c := &conn{closed: make(chan struct{}), wake: make(chan struct{}, 1)}
	require.True(t, c.forgets(1000))
	require.True(t, c.forgets(1001))
	require.False(t, c.forgets(4000))
	require.False(t, c.forgets(0), "a broken network")
	c.end(4000)
	require.False(t, c.forgets(1000))
}
