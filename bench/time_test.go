package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// The clockwork is a plugin with a poll that does nothing.
type clockwork struct {
	*gateway.Instance
	polled func()
}

func newClockwork(polled func()) gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, _ toolConfig) (*clockwork, error) {
		return &clockwork{i, polled}, nil
	}
	return gateway.Define("clockwork", "For benchmarks.", open,
		gateway.PollFunc("tick", time.Second, func(c *clockwork, _ context.Context) error { c.polled(); return nil }))
}

// BenchmarkDue is a poll that is claimed, run and scheduled again, of 20,000 in 1,000 communities that are due every second. At least
// half the rows/s of BenchmarkUpdateGrouped/callers=64.
func BenchmarkDue(b *testing.B) {
	const communities, each = 1000, 20
	s := newStore(b)
	now := time.Now()
	for c := range communities {
		err := s.Update(b.Context(), func(tx store.Tx) error {
			slug := fmt.Sprintf("c%04d", c)
			if err := tx.PutCommunity(store.Community{Slug: slug, Name: slug, Created: now}); err != nil {
				return err
			}
			for i := range each {
				id := fmt.Sprintf("%s-%02d", slug, i)
				if err := tx.PutInstance(store.Instance{ID: id, Community: slug, Plugin: "clockwork", Name: id, Config: []byte(`{}`), Status: "active", Created: now}); err != nil {
					return err
				}
				if err := tx.Schedule(store.Task{Kind: "poll", Key: id + "/tick", Community: slug, Instance: id, Due: now, Created: now}); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(b, err)
	}
	var polls atomic.Int64
	var once sync.Once
	over := make(chan struct{})
	g := newGateway(b, gateway.Options{Store: s, Plugins: []gateway.Plugin{newClockwork(func() {
		if polls.Add(1) >= int64(b.N) {
			once.Do(func() { close(over) })
		}
	})}})
	b.ResetTimer()
	run(b, g)
	<-over
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

// BenchmarkClosing is the lateness of closings that are due at the same moment, at least 1,000 of them: from the closing time to
// when the outcome is kept. The 99th percentile under a second.
func BenchmarkClosing(b *testing.B) {
	n := max(b.N, 1000)
	s := newStore(b)
	g := newGateway(b, gateway.Options{Store: s})
	c, err := g.CreateCommunity(b.Context(), "town", "Town")
	require.NoError(b, err)
	inst, err := c.Enable(b.Context(), "tool", nil)
	require.NoError(b, err)
	ids := make([]string, n)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < n; i += 64 {
				p, err := inst.Start(b.Context(), "vote", toolVote{vote.Ask{Title: "Lunch?"}})
				if err != nil {
					b.Error(err)
					return
				}
				ids[i] = p.ID
				if _, err := c.Cast(b.Context(), p.ID, gateway.Ballot{Voter: "somebody", Choices: []string{"yes"}}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		return
	}
	at := time.Now().Add(500 * time.Millisecond).UTC().Truncate(time.Microsecond)
	require.NoError(b, s.Update(b.Context(), func(tx store.Tx) error { // as if each had been started with this time
		for _, id := range ids {
			row, err := tx.Process(id)
			if err != nil {
				return err
			}
			row.CloseAt = at
			if err := tx.PutProcess(row); err != nil {
				return err
			}
			if err := tx.Schedule(store.Task{Kind: "process.close", Key: id, Community: row.Community, Instance: row.Instance, Due: at, Created: at}); err != nil {
				return err
			}
		}
		return nil
	}))
	run(b, g)
	b.ResetTimer()
	late := make([]time.Duration, n)
	for i, id := range ids {
		for {
			p, err := c.Process(b.Context(), id)
			require.NoError(b, err)
			if p.Done() {
				require.Equal(b, gateway.StatusCompleted, p.Status)
				late[i] = p.Ended.Sub(at)
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	b.StopTimer()
	slices.Sort(late)
	require.GreaterOrEqual(b, late[0], time.Duration(0), "closed early")
	b.ReportMetric(float64(late[n/2])/1e6, "p50-late-ms")
	b.ReportMetric(float64(late[n*99/100])/1e6, "p99-late-ms")
	b.ReportMetric(float64(n), "closings")
}
