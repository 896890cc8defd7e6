package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/storetest"
)

type mill struct {
	*Instance
	turn func(context.Context) error
}

type millConfig struct{}

// newMill is a gateway with n instances, each with one poll that is due now.
func newMill(t *testing.T, s store.Store, n int, turn func(context.Context) error) *Gateway {
	open := func(_ context.Context, i *Instance, _ millConfig) (*mill, error) { return &mill{i, turn}, nil }
	g, err := New(Options{
		Store: s, Workers: 2, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Plugins: []Plugin{Define("mill", "Turns.", open, PollFunc("turn", time.Hour, func(m *mill, ctx context.Context) error { return m.turn(ctx) }))},
	})
	require.NoError(t, err)
	c, err := g.CreateCommunity(t.Context(), "town", "Town")
	require.NoError(t, err)
	for i := range n {
		_, err := c.Enable(t.Context(), "mill", nil, fmt.Sprint("mill-", i))
		require.NoError(t, err)
	}
	return g
}

func polls(t *testing.T, g *Gateway) (out []store.Task) {
	require.NoError(t, g.store.View(t.Context(), func(tx store.Tx) (err error) {
		out, err = tx.Tasks(store.TaskQuery{Kind: taskPoll}, "", "", 1000)
		return err
	}))
	return out
}

// What was claimed ahead and not begun is given back at the end, as if it had not been claimed.
func TestCrewGivesBack(t *testing.T) {
	var turns atomic.Int64
	begun, leave := make(chan struct{}, 10), make(chan struct{})
	g := newMill(t, memory.New(), 10, func(context.Context) error {
		if turns.Add(1) > 2 { // two are quick, so that more are claimed ahead
			begun <- struct{}{}
			<-leave
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	c := newCrew(ctx, g)
	n, err := c.round(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	c.wg.Wait()
	n, err = c.round(ctx)
	require.NoError(t, err)
	require.Greater(t, n, 2)
	<-begun
	<-begun
	cancel()
	close(leave)
	c.finish(ctx)
	require.EqualValues(t, 4, turns.Load(), "two workers")
	now := g.now()
	fresh := 0
	for _, task := range polls(t, g) {
		require.Empty(t, task.Error)
		if !task.Due.After(now) {
			fresh++
			require.Zero(t, task.Attempts)
		}
	}
	require.Equal(t, 6, fresh, "four ran and run again in an hour, the others are due")
}

// While tasks are quick more are claimed than can run at once; while they are slow none are.
func TestCrewLooksAhead(t *testing.T) {
	g := newMill(t, memory.New(), 40, func(context.Context) error { return nil })
	c := newCrew(t.Context(), g)
	most := 0
	for {
		n, err := c.round(t.Context())
		require.NoError(t, err)
		c.wg.Wait()
		most = max(most, n)
		if n == 0 {
			break
		}
	}
	require.Greater(t, most, 2+reserved)
	require.LessOrEqual(t, most, 2+reserved+maxAhead)
	require.Empty(t, c.held)
}

// Ends that cannot be kept now are kept later: nothing runs twice because the store was ill for a moment.
func TestCrewKeepsEnds(t *testing.T) {
	var turns atomic.Int64
	s := storetest.NewFaulty(memory.New())
	g := newMill(t, s, 4, func(context.Context) error { turns.Add(1); return nil })
	c := newCrew(t.Context(), g)
	_, err := c.round(t.Context())
	require.NoError(t, err)
	c.wg.Wait()
	over := len(c.ended)
	require.NotZero(t, over)
	for i := range 1 + over { // the round, and each by itself
		s.BeforeCommit(1+i, store.ErrFull)
	}
	_, err = c.round(t.Context())
	require.ErrorIs(t, err, store.ErrFull)
	require.Len(t, c.ended, over)
	for range 4 {
		_, err = c.round(t.Context())
		require.NoError(t, err)
		c.wg.Wait()
	}
	require.EqualValues(t, 4, turns.Load())
	for _, task := range polls(t, g) {
		require.True(t, task.Due.After(g.now()))
	}
}

// Claims are renewed while tasks run, and what runs under a claim that ran out is told to stop.
func TestCrewRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.NewFaulty(memory.New())
		var mu sync.Mutex
		var cause error
		turns := 0
		g := newMill(t, s, 1, func(ctx context.Context) error {
			mu.Lock()
			turns++
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			cause = context.Cause(ctx)
			mu.Unlock()
			return ctx.Err()
		})
		g.o.Timeout = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); g.work(ctx) }()
		time.Sleep(5 * leaseTime)
		mu.Lock()
		require.Equal(t, 1, turns, "nobody else got it")
		mu.Unlock()
		release := s.Hold() // nothing is answered
		time.Sleep(leaseTime)
		mu.Lock()
		require.NoError(t, cause)
		mu.Unlock()
		release()
		for i := range 100 {
			s.BeforeRun(1+i, store.ErrFull)
		}
		time.Sleep(2 * leaseTime)
		mu.Lock()
		require.ErrorIs(t, cause, errLeaseLost)
		mu.Unlock()
		cancel()
		<-done
	})
}

// A poll that was scheduled again, or claimed by another program, while it ran is told to stop: two runs of it must not overlap.
func TestCrewStopsWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var causes []error
		var mu sync.Mutex
		g := newMill(t, memory.New(), 1, func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			causes = append(causes, context.Cause(ctx))
			mu.Unlock()
			return nil
		})
		g.o.Timeout = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); g.work(ctx) }()
		time.Sleep(time.Second)
		task := polls(t, g)[0]
		task.Due = time.Now().Add(time.Hour)
		require.NoError(t, g.store.Update(t.Context(), func(tx store.Tx) error {
			if err := tx.Unschedule(task.Kind, task.Key); err != nil {
				return err
			}
			return tx.Schedule(task)
		}))
		time.Sleep(leaseTime)
		mu.Lock()
		require.Len(t, causes, 1)
		require.ErrorIs(t, causes[0], errLeaseLost)
		mu.Unlock()
		cancel()
		<-done
	})
}

// What was claimed ahead and taken by somebody else, or whose claim ran out, is not begun.
func TestCrewBeginsOnlyItsOwn(t *testing.T) {
	for name, lose := range map[string]func(c *crew, j *job){
		"scheduled again": func(c *crew, j *job) {
			require.NoError(t, c.g.store.Update(t.Context(), func(tx store.Tx) error {
				if err := tx.Unschedule(j.task.Kind, j.task.Key); err != nil {
					return err
				}
				next := j.task
				next.Due = c.g.now().Add(time.Hour)
				return tx.Schedule(next)
			}))
			c.renewAll(t.Context())
		},
		"ran out": func(c *crew, j *job) { j.until = c.g.now() },
	} {
		t.Run(name, func(t *testing.T) {
			var turns atomic.Int64
			g := newMill(t, memory.New(), 1, func(context.Context) error { turns.Add(1); return nil })
			c := newCrew(t.Context(), g)
			var tasks []store.Task
			require.NoError(t, g.store.Update(t.Context(), func(tx store.Tx) (err error) {
				tasks, err = tx.Claim([]string{taskPoll}, g.now(), g.now().Add(leaseTime), 1)
				return err
			}))
			require.Len(t, tasks, 1)
			j := &job{task: tasks[0], until: tasks[0].Due}
			c.held[j], c.ready = true, []*job{j}
			lose(c, j)
			c.mu.Lock()
			c.begin()
			c.mu.Unlock()
			c.wg.Wait()
			require.Zero(t, turns.Load())
			require.Empty(t, c.held)
		})
	}
}

// A community whose tasks hang leaves workers to the others, however many tasks it has.
func TestCrewSharesWorkers(t *testing.T) {
	hang := make(chan struct{})
	var mu sync.Mutex
	hung, most, done := 0, 0, map[string]int{}
	all := make(chan struct{})
	open := func(_ context.Context, i *Instance, _ millConfig) (*mill, error) {
		return &mill{i, func(ctx context.Context) error {
			if i.Community() == "bad" {
				mu.Lock()
				hung++
				most = max(most, hung)
				mu.Unlock()
				<-hang
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if done[i.Community()]++; done["good"] == 20 && done["other"] == 20 {
				close(all)
			}
			return nil
		}}, nil
	}
	g, err := New(Options{
		Store: memory.New(), Workers: 8, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Plugins: []Plugin{Define("mill", "Turns.", open, PollFunc("turn", time.Hour, func(m *mill, ctx context.Context) error { return m.turn(ctx) }))},
	})
	require.NoError(t, err)
	for community, n := range map[string]int{"bad": 60, "good": 20, "other": 20} {
		c, err := g.CreateCommunity(t.Context(), community, community)
		require.NoError(t, err)
		for i := range n {
			_, err := c.Enable(t.Context(), "mill", nil, fmt.Sprint("mill-", i))
			require.NoError(t, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); g.work(ctx) }()
	select {
	case <-all:
	case <-time.After(time.Minute):
		t.Error("the others wait")
	}
	cancel()
	close(hang)
	<-stopped
	require.LessOrEqual(t, most, 6, "three quarters")
	require.NotZero(t, most)
}

func TestMayHave(t *testing.T) {
	free, has := 16, 0
	for mayHave(has, free) {
		has, free = has+1, free-1
	}
	require.Equal(t, 12, has, "alone")
	second := 0
	for mayHave(second, free) {
		second, free = second+1, free-1
	}
	require.Equal(t, 3, second)
	require.True(t, mayHave(0, free), "there is one for a third")
	require.True(t, mayHave(0, 1))
	require.False(t, mayHave(0, 0))
}

// What becomes due while a crew ends is left to the next: claimed by one that nobody waits for, it would run beside its caller and stay claimed.
func TestACrewThatEndsClaimsNothing(t *testing.T) {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	g, err := New(Options{Store: memory.New(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	c := newCrew(t.Context(), g)
	due := store.Task{Kind: taskShow, Key: "p", Due: now, Created: now}
	require.NoError(t, g.update(context.Background(), func(tx store.Tx) error { return tx.Schedule(due) }))
	c.finish(t.Context())
	require.NoError(t, g.view(context.Background(), func(tx store.Tx) error {
		have, err := tx.Task(due.Kind, due.Key)
		require.Zero(t, have.Attempts)
		require.True(t, have.Due.Equal(now), "it is due, and nobody's")
		return err
	}))
}
