package gateway

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimekeeper(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var elapsed, off time.Duration
	k := newTimekeeper(func() time.Time { return start.Add(elapsed + off) }, func() time.Duration { return elapsed })
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	require.Equal(t, start, k.now())

	// A drift is followed slowly, without going back.
	elapsed, off = time.Minute, -100*time.Millisecond
	require.Equal(t, start.Add(time.Minute), k.now())
	k.check(log)
	require.Equal(t, start.Add(time.Minute), k.now(), "it stands still rather than go back")
	elapsed += time.Second
	require.Equal(t, start.Add(time.Minute+time.Second-slew), k.now())
	for range 10 {
		k.check(log)
	}
	elapsed += time.Minute
	require.Equal(t, start.Add(elapsed+off), k.now(), "in the end they agree")
	require.Empty(t, out.String())
	require.Zero(t, k.jumped())

	// A jump is told once, and not followed.
	before := k.now()
	off += time.Hour
	for range 10 {
		k.check(log)
	}
	require.Equal(t, before, k.now())
	require.Equal(t, time.Hour, k.jumped())
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("jumped")))
	off -= 2 * time.Hour
	k.check(log)
	require.Equal(t, 2, bytes.Count(out.Bytes(), []byte("jumped")), "another jump")
	off += time.Hour
	k.check(log)
	require.Zero(t, k.jumped())
	require.Contains(t, out.String(), "right again")
}

// A clock that is given alone is believed; without any the system's time is told.
func TestTimekeeperDefaults(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	k := newTimekeeper(func() time.Time { return at }, nil)
	at = at.Add(-time.Hour)
	require.Equal(t, at, k.now())
	require.Zero(t, k.jumped())

	k = newTimekeeper(nil, nil)
	require.WithinDuration(t, time.Now(), k.now(), time.Second)
	first := k.now()
	for range 1000 {
		next := k.now()
		require.False(t, next.Before(first))
		first = next
	}
}

func TestSinceBootGoesOn(t *testing.T) {
	clock := sinceBoot()
	a := clock()
	require.GreaterOrEqual(t, clock(), a)
	b := counting()
	require.GreaterOrEqual(t, b(), time.Duration(0))
}
