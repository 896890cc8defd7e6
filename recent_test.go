package gateway

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecent(t *testing.T) {
	r := recent[int]{most: 10}
	_, ok := r.get("0")
	require.False(t, ok)
	for i := range 1000 {
		r.put(strconv.Itoa(i), i)
		require.LessOrEqual(t, len(r.young)+len(r.old), r.most)
		for j := max(0, i-r.most/2+1); j <= i; j++ {
			require.True(t, func() bool {
				_, young := r.young[strconv.Itoa(j)]
				_, old := r.old[strconv.Itoa(j)]
				return young || old
			}(), "%d of %d", j, i)
		}
		v, ok := r.get("0") // what is used stays
		require.True(t, ok)
		require.Zero(t, v)
	}
	_, ok = r.get("500")
	require.False(t, ok)
	r.put("0", 7)
	v, _ := r.get("0")
	require.Equal(t, 7, v)
	r.drop("0")
	_, ok = r.get("0")
	require.False(t, ok)
}
