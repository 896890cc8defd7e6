package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func taskRaceTests() []test {
	return []test{
		on("tasks claimed by many", testClaimRace),
		on("a lease wanted by many", testLeaseRace),
		on("scheduled while running", testScheduleRace),
	}
}

// sorted gives the values in the order of their keys.
func sorted[V any](m map[[2]string]V) []V {
	order := slices.SortedFunc(maps.Keys(m), func(a, b [2]string) int { return slices.CompareFunc(a[:], b[:], strings.Compare) })
	out := make([]V, len(order))
	for i, k := range order {
		out[i] = m[k]
	}
	return out
}

// testClaimRace has workers claim, die, lose and finish. The time stands still, so that no claim runs out: each
// (task, attempt) is one worker's.
func testClaimRace(t *testing.T, s store.Store) {
	const workers, tasks, tries = 6, 40, 2
	update(t, s, func(tx store.Tx) {
		for i := range tasks {
			schedule(t, tx, fmt.Sprintf("%02d", i), i)
		}
	})
	var mu sync.Mutex
	claimed := map[string]int{}
	for try := range tries {
		// In the first round every worker dies; in the last they finish.
		now := sec(1000 * (try + 1))
		together(t, workers, func(int) error {
			for {
				var got []store.Task
				err := s.Update(context.Background(), func(tx store.Tx) (err error) {
					got, err = tx.Claim([]string{"k"}, now, now.Add(500*time.Second), 3)
					return err
				})
				if err != nil || len(got) == 0 {
					return err
				}
				mu.Lock()
				for _, k := range got {
					claimed[fmt.Sprint(k.Key, " ", k.Attempts)]++
				}
				mu.Unlock()
				if try < tries-1 {
					continue
				}
				for _, k := range got {
					if err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Done(k) }); err != nil {
						return err
					}
				}
			}
		})
	}
	require.Len(t, claimed, tasks*tries)
	for what, n := range claimed {
		require.Equal(t, 1, n, what)
	}
	view(t, s, func(tx store.Tx) { require.Empty(t, must(tx.Tasks(store.TaskQuery{}, "", "", 0))(t)) })
}

func testLeaseRace(t *testing.T, s store.Store) {
	const workers, rounds = 6, 8
	for round := range rounds {
		won := make([]bool, workers)
		together(t, workers, func(i int) error {
			return s.Update(context.Background(), func(tx store.Tx) (err error) {
				// By the next round the lease has run out, without a release.
				won[i], err = tx.Acquire("l", fmt.Sprint(i), sec(10*round), sec(10*round+10))
				return err
			})
		})
		n := 0
		for _, w := range won {
			if w {
				n++
			}
		}
		require.Equal(t, 1, n, "round %d", round)
	}
}

// testScheduleRace has one worker run a task over and over while others ask for it: each request is followed by a run
// that began after it.
func testScheduleRace(t *testing.T, s store.Store) {
	const askers, each = 4, 12
	asking := make(chan error, 1)
	// Each asker writes down its request in the transaction that schedules; a run reads what was asked for.
	go func() {
		asking <- gather(askers, func(i int) error {
			for n := range each {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					if err := tx.PutSub(store.Sub{Name: fmt.Sprint(i), Cursor: int64(n + 1)}); err != nil {
						return err
					}
					return tx.Schedule(store.Task{Kind: "k", Key: "show", Due: sec(1)})
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}()
	seen := map[string]int64{}
	run := func() bool {
		var got []store.Task
		var subs []store.Sub
		update(t, s, func(tx store.Tx) { got = must(tx.Claim([]string{"k"}, sec(5), sec(60), 1))(t) })
		if len(got) == 0 {
			return false
		}
		view(t, s, func(tx store.Tx) { subs = must(tx.Subs())(t) })
		for _, sub := range subs {
			seen[sub.Name] = sub.Cursor
		}
		update(t, s, func(tx store.Tx) { require.NoError(t, tx.Done(got[0])) })
		return true
	}
	for done := false; !done; {
		select {
		case err := <-asking:
			require.NoError(t, err)
			done = true
		default:
			run()
		}
	}
	for run() {
	}
	require.Len(t, seen, askers)
	for name, n := range seen {
		require.EqualValues(t, each, n, "the last request of asker %s was not followed by a run", name)
	}
	view(t, s, func(tx store.Tx) { require.Empty(t, must(tx.Tasks(store.TaskQuery{}, "", "", 0))(t)) })
}
