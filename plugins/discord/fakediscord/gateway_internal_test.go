package fakediscord

import (
	"context"
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

// TestAHeartbeatOfItsOwnIsNotEnough is about clients that send a heartbeat while they are still at what they read last.
func TestAHeartbeatOfItsOwnIsNotEnough(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	c := &conn{s: s, closed: make(chan struct{}), wake: make(chan struct{}, 1)}
	s.sessions = []*session{{seq: 5, conn: c}}
	ctx, cancel := context.WithCancel(t.Context())
	c.heartbeat([]byte("5"))
	cancel()
	require.Error(t, s.Flush(ctx), "it may have sent that before it handled what it read")
	c.heartbeat([]byte("5"))
	require.NoError(t, s.Flush(ctx))
	s.sessions[0].seq = 6
	require.Error(t, s.Flush(ctx))
}
