package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// A community with much to do does not keep another's single task waiting, however much came before it.
func TestABacklogOfOneCommunityHoldsUpNoOther(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s, Workers: 2})
		r.town("large", "S1")
		r.town("small", "S2")
		for i := range 400 {
			m := forumMessage{ID: fmt.Sprint("l", i), Site: "S1", Kind: "slow", Text: "large"}
			require.Equal(t, http.StatusOK, r.deliver(m).Code)
		}
		r.clock.advance(time.Minute)
		require.Equal(t, http.StatusOK, r.deliver(forumMessage{ID: "s", Site: "S2", Kind: "slow", Text: "small"}).Code)
		r.due()
		done := r.api.lines("handle")
		require.Len(t, done, 401)
		require.Less(t, slices.Index(done, "handle small"), 20)
	})
}

// How far a callback has heard that takes its time is kept about once a second, so that a crash repeats little.
func TestAPlaceIsKeptOnceASecond(t *testing.T) {
	eachPatient(t, func(p *patient) {
		p.town("a", "S1")
		heard := 0
		most := int64(0)
		require.NoError(p.t, p.OnEvent(context.Background(), "driver", func(_ context.Context, _ *gateway.Community, e gateway.Event) error {
			heard++
			require.NoError(p.t, p.store.View(context.Background(), func(tx store.Tx) error {
				lanes, err := tx.Lanes("driver")
				if len(lanes) == 1 {
					most = max(most, e.Seq-1-lanes[0].Cursor)
				}
				return err
			}))
			time.Sleep(300 * time.Millisecond)
			return nil
		}))
		for i := range 50 {
			status, _ := p.send(forumMessage{ID: fmt.Sprint(i), Kind: "message", Text: "x"})
			require.Equal(p.t, http.StatusOK, status)
		}
		stop := running(p.t, p.Gateway)
		defer stop()
		time.Sleep(time.Minute)
		synctest.Wait() // the callbacks are over, also for the race detector
		require.Equal(p.t, 50, heard)
		require.NotZero(p.t, most)
		require.LessOrEqual(p.t, most, int64(4), "what a crash would have repeated")
	})
}

// A source is connected once, however many programs run, and another takes over when one ends.
func TestASourceRunsInOneProgram(t *testing.T) {
	eachPatient(t, func(p *patient) {
		var connected, most atomic.Int32
		plugin := func() gateway.Plugin {
			return newForum(p.api, gateway.SourceFunc[*forum]("socket", func(ctx context.Context, _ *gateway.Source) error {
				most.Store(max(most.Load(), connected.Add(1)))
				defer connected.Add(-1)
				<-ctx.Done()
				return ctx.Err()
			}))
		}
		p.again(plugin())
		stop := running(p.t, p.Gateway)
		p.again(plugin())
		defer running(p.t, p.Gateway)()
		time.Sleep(10 * time.Minute)
		require.EqualValues(p.t, 1, connected.Load())
		stop()
		time.Sleep(2 * time.Minute)
		require.EqualValues(p.t, 1, connected.Load())
		require.EqualValues(p.t, 1, most.Load())
	})
}
