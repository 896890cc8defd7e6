package gateway_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// clocks are a wall clock and a steady one, that go together unless the wall clock is moved.
type clocks struct {
	mu      sync.Mutex
	elapsed time.Duration
	moved   time.Duration
}

var midnight = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

func (c *clocks) wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return midnight.Add(c.elapsed + c.moved)
}

func (c *clocks) steady() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return 1000*time.Hour + c.elapsed
}

func (c *clocks) pass(d time.Duration) { c.mu.Lock(); c.elapsed += d; c.mu.Unlock() }
func (c *clocks) jump(d time.Duration) { c.mu.Lock(); c.moved += d; c.mu.Unlock() }

// A wall clock that jumps while we run closes no vote early, and none late.
func TestWallClockJumps(t *testing.T) {
	for name, by := range map[string]time.Duration{"an hour ahead": time.Hour, "an hour back": -time.Hour, "a year ahead": 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s store.Store) {
				k := &clocks{}
				r := newRig(t, gateway.Options{Store: s, Now: k.wall, Steady: k.steady})
				c, inst := r.town("a", "S1")
				closing := midnight.Add(30 * time.Minute)
				p := r.poll(inst, vote.Ask{Title: "Lunch?", ClosingAt: &closing})
				k.pass(10 * time.Minute)
				k.jump(by)
				r.due()
				require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
				require.Equal(t, midnight.Add(10*time.Minute), inst.Now())
				_, err := c.Cast(t.Context(), p.ID, gateway.Ballot{Voter: "u1", Choices: []string{"yes"}})
				require.NoError(t, err)
				k.pass(20*time.Minute - time.Second)
				r.due()
				require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status, "a second before its end")
				k.pass(time.Second)
				r.due()
				got := r.process(c, p.ID)
				require.Equal(t, gateway.StatusCompleted, got.Status)
				require.Equal(t, closing, got.Closing.At)
				require.EqualValues(t, 1, r.outcome(got).Turnout.Voters)
			})
		})
	}
}
