package gateway

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestAhead(t *testing.T) {
	defer goleak.VerifyNone(t)
	bad := errors.New("bad")
	for what, c := range map[string]struct {
		pieces int
		fails  bool
		stopAt int // 0: never
		want   []int
	}{
		"one":                {pieces: 1, want: []int{1}},
		"several, in order":  {pieces: 4, want: []int{1, 2, 3, 4}},
		"the last fails":     {pieces: 3, fails: true, want: []int{1, 2, -1}},
		"the first fails":    {pieces: 1, fails: true, want: []int{-1}},
		"who leaves, leaves": {pieces: 5, stopAt: 2, want: []int{1, 2}},
	} {
		n, reading := 0, 0
		read := func(context.Context) (int, bool, error) {
			reading++
			defer func() { reading-- }()
			require.Equal(t, 1, reading, what)
			if n++; n == c.pieces && c.fails {
				return 0, true, bad
			}
			return n, n < c.pieces, nil
		}
		var got []int
		for piece, err := range ahead(t.Context(), read) {
			if err != nil {
				require.ErrorIs(t, err, bad)
				piece = -1
			}
			if got = append(got, piece); len(got) == c.stopAt {
				break
			}
		}
		require.Equal(t, c.want, got, what)
		require.Zero(t, reading, "%s: and nobody goes on reading", what)
	}
}

// A list that was cut short because the context ended is never taken for a whole one.
func TestAheadCutShort(t *testing.T) {
	for range 200 {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		n := 0
		var last error
		for _, err := range ahead(ctx, func(ctx context.Context) (int, bool, error) { n++; return n, true, ctx.Err() }) {
			stop()
			last = err
		}
		require.ErrorIs(t, last, context.Canceled)
	}
}
