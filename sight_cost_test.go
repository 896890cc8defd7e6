package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever does not watch does not pay.
func TestNobodyWatchesForNothing(t *testing.T) {
	var s *sight
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, seen := s.begin(ctx, seenDelivery, "forum", "forum", "d1")
		s.event(ctx, "forum", nil)
		s.ballot(ctx, "forum", nil)
		seen.end(nil)
	}))
	require.Nil(t, s.watched(nil))
}
