package discourse

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The oldest are held, whatever the order in which they come, and one at least.
func TestOldest(t *testing.T) {
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	third := strings.Repeat("x", maxHeld/3)
	var o oldest
	for _, id := range []int64{9, 7, 8, 8, 3, 5, 4, 6} {
		o.add(attempt{ID: id, At: at.Add(time.Duration(id/2) * time.Second), Payload: third})
		require.LessOrEqual(t, o.size, maxHeld)
	}
	var ids []int64
	for _, a := range o.all {
		ids = append(ids, a.ID)
	}
	require.Equal(t, []int64{3, 4, 5}, ids)
	require.True(t, o.more)

	o = oldest{}
	o.add(attempt{ID: 1, At: at, Payload: strings.Repeat("x", maxHeld+1)})
	require.Len(t, o.all, 1)
	require.False(t, o.more)
	o.add(attempt{ID: 2, At: at})
	require.Len(t, o.all, 1)
	require.True(t, o.more)
}
