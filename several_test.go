package gateway_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/vote"
)

// TestTwoProgramsCloseOnce: two programs run on one file, and 200 votes end in the same second. Each ends once, with one outcome, and callbacks
// hear of it once.
func TestTwoProgramsCloseOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateway.db")
	seal := newSeal(t, gateway.NewSealKey())
	k := &clock{t: midnight}
	var rigs []*rig
	var mu sync.Mutex
	told := map[string]int{}
	for range 2 {
		s, err := sqlite.Open(file)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		r := newRig(t, gateway.Options{Store: s, Now: k.now, Seal: seal})
		require.NoError(t, r.OnProcess(t.Context(), "driver", func(_ context.Context, _ *gateway.Community, p gateway.Process) error {
			mu.Lock()
			defer mu.Unlock()
			if p.Done() {
				told[p.ID]++
			}
			return nil
		}))
		rigs = append(rigs, r)
	}
	const votes = 200
	c, i := rigs[0].town("a", "S1")
	end := midnight.Add(time.Hour)
	var list []gateway.Process
	for n := range votes {
		p, err := i.Start(t.Context(), "poll", poll{vote.Ask{Title: fmt.Sprint(n), ClosingAt: &end}})
		require.NoError(t, err)
		_, err = c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "u", Choices: []string{"yes"}})
		require.NoError(t, err)
		list = append(list, p)
	}
	stops := []func(){running(t, rigs[0].Gateway), running(t, rigs[1].Gateway)}
	k.advance(time.Hour)
	soon(t, "all are told", func() bool { mu.Lock(); defer mu.Unlock(); return len(told) == votes })
	for _, p := range list {
		p = rigs[0].process(c, p.ID)
		require.Equal(t, gateway.StatusCompleted, p.Status)
		require.EqualValues(t, 1, rigs[0].outcome(p).Turnout.Voters)
		require.False(t, p.Ended.Before(end))
	}
	soon(t, "all are shown", func() bool {
		k.advance(4 * time.Millisecond) // not so fast that claims run out
		return len(rigs[0].api.lines("show 1 completed"))+len(rigs[1].api.lines("show 1 completed")) >= votes
	})
	for _, stop := range stops {
		stop()
	}
	// A show that was under way when its vote closed may show the end, and the last show shows it again.
	require.LessOrEqual(t, len(rigs[0].api.lines("show 1 completed"))+len(rigs[1].api.lines("show 1 completed")), 2*votes)
	for id, n := range told {
		require.Equal(t, 1, n, id)
	}
}
