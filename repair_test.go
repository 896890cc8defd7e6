package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// archive is a platform that keeps its history: a plugin can ask it what was said.
type archive struct {
	mu    sync.Mutex
	all   []forumMessage
	gaps  []gateway.Gap
	hook  func(n int) error // called before the n-th message is handed over
	peak  int               // how many repairs ran at the same time
	now   int
	pause chan struct{}
}

func (a *archive) fetch(f *forum, ctx context.Context, gap gateway.Gap) error {
	a.mu.Lock()
	all, hook, pause := append([]forumMessage(nil), a.all...), a.hook, a.pause
	a.gaps = append(a.gaps, gap)
	a.now++
	a.peak = max(a.peak, a.now)
	a.mu.Unlock()
	defer func() { a.mu.Lock(); a.now--; a.mu.Unlock() }()
	if pause != nil {
		<-pause
	}
	n := 0
	for _, m := range all {
		if m.Site != f.PlatformID() || m.At.Before(gap.Since) || m.At.After(gap.Until) {
			continue
		}
		if hook != nil {
			if err := hook(n); err != nil {
				return err
			}
		}
		n++
		body, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if err := f.Accept(ctx, nil, body); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) taken() []gateway.Gap {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.gaps
	a.gaps = nil
	return out
}

func (a *archive) plugin(r *rig) { r.again(newForum(r.api, gateway.RepairFunc(a.fetch))) }

// says has something said on the platform; heard tells whether the platform brings it.
func (a *archive) says(r *rig, site string, n int, heard bool) {
	r.t.Helper()
	m := forumMessage{ID: fmt.Sprint(site, "-", n), Site: site, Kind: "message", User: "u", Text: fmt.Sprint(n), At: r.clock.now()}
	a.mu.Lock()
	a.all = append(a.all, m)
	a.mu.Unlock()
	if heard {
		require.Equal(r.t, 200, r.deliver(m).Code)
	}
}

func (r *rig) said(c *gateway.Community) []string {
	r.t.Helper()
	events, err := c.Events(r.t.Context(), 0, 1000, "message")
	require.NoError(r.t, err)
	out := []string{}
	for _, e := range events {
		out = append(out, textOf(e))
	}
	return out
}

func TestOutageOfADay(t *testing.T) {
	for whose, gateways := range map[string]bool{"ours": true, "the platform's": false} {
		t.Run(whose, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s store.Store) {
				r, a := newRig(t, gateway.Options{Store: s}), &archive{}
				a.plugin(r)
				c, i := r.town("a", "S1")
				d, _ := r.town("b", "S2")
				n := 0
				for range 10 {
					n++
					a.says(r, "S1", n, true)
					r.wait(time.Second)
				}
				down := r.clock.now()
				for range 24 {
					r.clock.advance(time.Hour)
					n++
					a.says(r, "S1", n, false)
					a.says(r, "S2", n, false)
				}
				if gateways {
					a.plugin(r)
					r.due()
					r.wait(time.Second) // instances begin one after the other
				} else {
					require.NoError(t, i.Repair(t.Context(), gateway.Gap{Since: down}))
				}
				n++
				a.says(r, "S1", n, true)
				r.wait(time.Second)
				require.ElementsMatch(t, upTo(n), r.said(c))
				if gateways {
					require.Len(t, r.said(d), 24)
				} else {
					require.Empty(t, r.said(d))
				}
				a.taken()
				r.wait(3 * time.Hour)
				require.Empty(t, a.taken(), "once is enough, and a program that runs has no gap")
			})
		})
	}
}

func TestRepairDiesInTheMiddle(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r, a := newRig(t, gateway.Options{Store: s}), &archive{}
		a.plugin(r)
		c, i := r.town("a", "S1")
		r.due()
		for n := range 20 {
			a.says(r, "S1", n+1, n%3 == 0)
		}
		a.hook = func(n int) error {
			if n == 12 {
				return errBoom
			}
			return nil
		}
		require.NoError(t, i.Repair(t.Context(), gateway.Gap{Since: r.clock.now()}))
		r.due()
		require.NotEqual(t, 20, len(r.said(c)))
		a.hook = func(n int) error {
			if n == 15 {
				panic("boom")
			}
			return nil
		}
		a.plugin(r) // a restart
		r.wait(10 * time.Minute)
		a.hook = nil
		a.plugin(r)
		r.wait(time.Hour)
		require.ElementsMatch(t, upTo(20), r.said(c))
	})
}

func TestGapsBecomeOne(t *testing.T) {
	r, a := newRig(t, gateway.Options{}), &archive{}
	a.plugin(r)
	_, i := r.town("a", "S1")
	r.due()
	start := r.clock.now()
	r.clock.advance(5 * time.Hour)
	for _, since := range []time.Duration{3 * time.Hour, time.Hour, 2 * time.Hour} {
		require.NoError(t, i.Repair(t.Context(), gateway.Gap{Since: start.Add(since)}))
	}
	r.due()
	require.Equal(t, []gateway.Gap{{Since: start.Add(time.Hour - 5*time.Minute), Until: r.clock.now()}}, a.taken())

	// One that comes while another is under way is not lost.
	a.hook = func(int) error {
		a.hook = nil
		return i.Repair(t.Context(), gateway.Gap{Since: start.Add(4 * time.Hour)})
	}
	a.says(r, "S1", 1, false)
	require.NoError(t, i.Repair(t.Context(), gateway.Gap{Since: start.Add(4 * time.Hour)}))
	r.due()
	require.Len(t, a.taken(), 2)

	// One that is not over yet is waited for.
	later := r.clock.now().Add(time.Minute)
	require.NoError(t, i.Repair(t.Context(), gateway.Gap{Since: r.clock.now(), Until: later}))
	r.due()
	require.Empty(t, a.taken())
	r.wait(time.Minute)
	require.Equal(t, later, a.taken()[0].Until)

	// Beyond what is remembered nobody could tell what is known.
	require.NoError(t, i.Repair(t.Context(), gateway.Gap{Since: start.AddDate(-1, 0, 0)}))
	r.due()
	require.Equal(t, r.clock.now().Add(-30*24*time.Hour), a.taken()[0].Since)

	require.ErrorIs(t, i.Repair(t.Context(), gateway.Gap{}), gateway.Invalid)
	require.ErrorIs(t, i.Repair(t.Context(), gateway.Gap{Since: r.clock.now().Add(time.Hour)}), gateway.Invalid)
	r.again()
	i, err := mustCommunity(r, "a").Instance(t.Context(), "forum")
	require.NoError(t, err)
	require.ErrorIs(t, i.Repair(t.Context(), gateway.Gap{Since: start}), gateway.NotFound)
}

func mustCommunity(r *rig, slug string) *gateway.Community {
	c, err := r.Community(r.t.Context(), slug)
	require.NoError(r.t, err)
	return c
}

func TestPausedInstanceIsRepaired(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r, a := newRig(t, gateway.Options{Store: s, MaxParked: 2}), &archive{}
		a.plugin(r)
		c, i := r.town("a", "S1")
		r.due()
		since := r.clock.now()
		require.NoError(t, i.Pause(t.Context(), "rest"))
		for n := range 5 { // more than is kept
			r.clock.advance(time.Hour)
			a.says(r, "S1", n+1, true)
		}
		require.NoError(t, i.Pause(t.Context(), "longer"))
		require.NoError(t, i.Repair(t.Context(), gateway.Gap{Since: r.clock.now()}))
		r.due()
		require.Empty(t, a.taken(), "a paused instance is not repaired")
		require.NoError(t, i.Resume(t.Context()))
		r.due()
		require.Equal(t, []gateway.Gap{{Since: since.Add(-5 * time.Minute), Until: r.clock.now()}}, a.taken())
		require.ElementsMatch(t, upTo(5), r.said(c))
		require.NoError(t, i.Resume(t.Context()))
		r.due()
		require.Empty(t, a.taken())
	})
}

func TestShortAbsenceIsNoGap(t *testing.T) {
	r, a := newRig(t, gateway.Options{}), &archive{}
	a.plugin(r)
	r.town("a", "S1")
	r.due()
	r.clock.advance(2*time.Minute - time.Second)
	a.plugin(r)
	r.wait(time.Second)
	require.Empty(t, a.taken())
	r.clock.advance(10 * time.Minute)
	r.wait(time.Second) // somebody with a loop of its own
	require.Empty(t, a.taken(), "it ran all the time")
}

// TestManyRepairs: after an outage not all begin at once, and they leave room for others.
func TestManyRepairs(t *testing.T) {
	r, a := newRig(t, gateway.Options{Workers: 8}), &archive{pause: make(chan struct{})}
	var polled atomic.Int32
	features := []gateway.Feature[*forum]{gateway.RepairFunc(a.fetch), gateway.PollFunc("p", time.Hour, func(*forum, context.Context) error { polled.Add(1); return nil })}
	r.again(newForum(r.api, features...))
	for n := range 250 {
		r.town(fmt.Sprint("c", n), fmt.Sprint("S", n))
	}
	r.due()
	r.clock.advance(24 * time.Hour)
	r.again(newForum(r.api, features...))
	done := make(chan struct{})
	go func() { defer close(done); r.due() }()
	require.Eventually(t, func() bool { return polled.Load() == 500 }, 30*time.Second, time.Millisecond, "polls do not wait for repairs")
	close(a.pause)
	<-done
	var last time.Time
	for _, task := range r.tasks(store.TaskQuery{Kind: "repair"}) {
		if task.Due.After(last) {
			last = task.Due
		}
	}
	require.WithinDuration(t, r.clock.now().Add(25*time.Second), last, 2*time.Second)
	for range 60 {
		r.wait(time.Second)
	}
	require.Len(t, a.taken(), 250)
	require.LessOrEqual(t, a.peak, 2)
}

// TestHeartbeat: a program that runs says so, and what it missed while it was held up it fetches.
func TestHeartbeat(t *testing.T) {
	r, a := newRig(t, gateway.Options{}), &archive{}
	polled := make(chan struct{}, 1)
	r.again(newForum(r.api, gateway.RepairFunc(a.fetch), gateway.PollFunc("p", 24*time.Hour, func(*forum, context.Context) error { polled <- struct{}{}; return nil })))
	r.town("a", "S1")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	<-polled
	r.clock.advance(time.Hour)
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, r.store.View(t.Context(), func(tx store.Tx) error {
		raw, _, err := tx.State("gateway", "alive")
		require.Contains(t, string(raw), r.clock.now().Format("2006-01-02T15:04"), "noted at the end")
		return err
	}))
	r.wait(time.Second)
	r.wait(time.Second)
	require.Len(t, a.taken(), 1)
}

func TestSourceLostItsConnection(t *testing.T) {
	r, a := newRig(t, gateway.Options{}), &archive{}
	start := r.clock.now().Add(-time.Hour)
	asked := make(chan error, 1)
	src := gateway.SourceFunc[*forum]("socket", func(ctx context.Context, s *gateway.Source) error {
		asked <- s.Repair(ctx, gateway.Gap{Since: start})
		<-ctx.Done()
		return ctx.Err()
	})
	r.again(newForum(r.api, gateway.RepairFunc(a.fetch), src))
	r.town("a", "S1")
	r.town("b", "S2")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	require.NoError(t, <-asked)
	cancel()
	require.NoError(t, <-done)
	for range 3 {
		r.wait(time.Second)
	}
	require.Len(t, a.taken(), 2, "for all instances")
	without := gateway.SourceFunc[*forum]("socket", func(ctx context.Context, s *gateway.Source) error {
		asked <- errors.Join(s.Repair(ctx, gateway.Gap{Since: start}))
		<-ctx.Done()
		return ctx.Err()
	})
	r.again(newForum(r.api, without))
	ctx, cancel = context.WithCancel(t.Context())
	go func() { done <- r.Run(ctx) }()
	require.NoError(t, <-asked)
	cancel()
	require.NoError(t, <-done)
}

// A repair that had to wait until what was known at the time was forgotten fetches nothing twice.
func TestRepairThatWaitedForLong(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r, a := newRig(t, gateway.Options{Store: s}), &archive{}
		a.plugin(r)
		_, i := r.town("a", "S1")
		heard := r.listen("driver")
		r.due()
		since := r.clock.now()
		for n := range 3 {
			r.wait(time.Minute)
			a.says(r, "S1", n+1, n != 1)
		}
		r.due()
		require.NoError(t, i.Pause(t.Context(), "a long rest"))
		require.NoError(t, i.Repair(t.Context(), gateway.Gap{Since: since}))
		for range 31 {
			r.wait(24 * time.Hour)
		}
		a.says(r, "S1", 4, false)
		require.NoError(t, i.Resume(t.Context()))
		r.due()
		require.Equal(t, []string{"1", "3", "4"}, heard.texts())
	})
}
