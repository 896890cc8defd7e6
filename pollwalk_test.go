package gateway_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// A start gives instances the polls that their plugin did not have before, in pieces, and then remembers it.
func TestPollsAreGivenOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		never := func(*tiny, context.Context) error { return nil }
		without := defineTiny()
		one := defineTiny(gateway.PollFunc("look", time.Hour, never))
		two := defineTiny(gateway.PollFunc("see", time.Hour, never), gateway.PollFunc("look", time.Hour, never))
		r := newRig(t, gateway.Options{Store: s, Plugins: []gateway.Plugin{without}})
		const n = 250 // more than two pieces
		var first *gateway.Instance
		enable := func(name string) *gateway.Instance {
			c, err := r.CreateCommunity(t.Context(), name, name)
			require.NoError(t, err)
			inst, err := c.Enable(t.Context(), "tiny", nil)
			require.NoError(t, err)
			return inst
		}
		for i := range n {
			first = enable("town" + strconv.Itoa(i))
		}
		count := func(poll string) (found int) {
			require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
				tasks, err := tx.Tasks(store.TaskQuery{Kind: "poll"}, "poll", "", 10*n)
				for _, task := range tasks {
					if task.Key == task.Instance+"/"+poll {
						found++
					}
				}
				return err
			}))
			return found
		}
		known := func() (rev int64) {
			require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
				task, err := tx.Task("polls", "tiny")
				rev = task.Rev
				return err
			}))
			return rev
		}
		r.again(one)
		r.due()
		require.Equal(t, n, count("look"))
		require.Zero(t, count("see"))
		was := known()
		r.again(one)
		r.due()
		require.Equal(t, was, known(), "nobody walks again")
		r.again(two)
		r.due()
		require.Equal(t, n, count("see"))
		was = known()

		// A program of the older version beside it enables an instance, which the newer one's next start finds.
		r.again(one)
		older := r.Gateway
		c, err := older.CreateCommunity(t.Context(), "late", "Late")
		require.NoError(t, err)
		_, err = c.Enable(t.Context(), "tiny", nil)
		require.NoError(t, err)
		require.Equal(t, n, count("see"))
		r.again(two)
		r.due()
		require.Equal(t, n+1, count("see"))
		require.NotEqual(t, was, known())

		// And it takes a poll away that it does not know.
		require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
			if err := tx.Unschedule("poll", first.ID()+"/see"); err != nil {
				return err
			}
			return tx.Schedule(store.Task{Kind: "poll", Key: first.ID() + "/see", Instance: first.ID(), Due: r.clock.now(), Created: r.clock.now()})
		}))
		_, err = older.RunDue(t.Context())
		require.NoError(t, err)
		require.Equal(t, n, count("see"))
		r.again(two)
		r.due()
		require.Equal(t, n+1, count("see"))
	})
}
