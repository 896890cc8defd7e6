package gateway_test

import (
	"strings"
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

// A start with a clock behind the last time in the store is told: once, with both times, and by health for as long as it is so.
func TestStartBehindTheStore(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		k := &clocks{}
		a := &archive{}
		r := newRig(t, gateway.Options{Store: s, Now: k.wall, Steady: k.steady})
		a.plugin(r)
		r.town("a", "S1")
		r.due()
		require.Zero(t, r.health().Clock)
		require.NotContains(t, r.logs.String(), "behind")

		k.jump(-time.Hour)
		a.plugin(r)
		for range 5 {
			k.pass(time.Minute)
			r.due()
		}
		require.Equal(t, 1, strings.Count(r.logs.String(), "clock is behind"), r.logs)
		require.Contains(t, r.logs.String(), midnight.Format(time.RFC3339))
		require.Contains(t, r.logs.String(), midnight.Add(time.Minute-time.Hour).Format(time.RFC3339))
		require.Equal(t, 55*time.Minute, r.health().Clock.Behind)
		require.Contains(t, r.health().String(), "behind the store by 55m0s")
		k.pass(55 * time.Minute)
		require.Zero(t, r.health().Clock)

		k.jump(time.Hour) // while it runs
		r.due()
		require.Equal(t, gateway.ClockHealth{Jumped: time.Hour}, r.health().Clock)
		require.Contains(t, r.health().String(), "jumped by 1h")
		require.Empty(t, a.taken(), "nothing was missed")
	})
}

func (r *rig) health() gateway.Health {
	r.t.Helper()
	h, err := r.Health(r.t.Context())
	require.NoError(r.t, err)
	return h
}

// TestTwoProgramsWhoseClocksDiffer say so, and nobody takes the other's time for an outage.
func TestTwoProgramsWhoseClocksDiffer(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		a := &archive{}
		late := newRig(t, gateway.Options{Store: s})
		a.plugin(late)
		late.town("a", "S1")
		late.due()
		early := newRig(t, gateway.Options{Store: s, Seal: late.o.Seal})
		early.clock.advance(time.Hour)
		a.plugin(early)
		early.due()
		early.wait(time.Second)
		a.taken() // who starts cannot tell another's clock from an outage
		for range 10 {
			late.wait(70 * time.Second)
			early.wait(70 * time.Second)
			gateway.Beat(late.Gateway)
			gateway.Beat(early.Gateway)
		}
		require.Empty(t, a.taken())
		require.Equal(t, 1, strings.Count(late.logs.String(), "clock is behind"))
		require.InDelta(t, time.Hour, late.health().Clock.Behind, float64(2*time.Minute))
		require.Zero(t, early.health().Clock)
	})
}
