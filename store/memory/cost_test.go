package memory_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

var t0 = time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)

func update(t testing.TB, s *memory.Store, fn func(tx store.Tx) error) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), fn))
}

func vote(tx store.Tx, n int) error {
	_, err := tx.Cast(store.Ballot{Process: "p", Voter: fmt.Sprint(n), At: t0, Choices: []store.Choice{{Question: "q", Choice: "yes", Weight: 1}}})
	return err
}

// filled has a process with so many ballots, and as many tasks that are not due, processes and events.
func filled(t testing.TB, n int) *memory.Store {
	t.Helper()
	s := memory.New()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	update(t, s, func(tx store.Tx) error { return tx.PutProcess(store.Process{ID: "p", Status: store.Pending}) })
	for i := range n {
		update(t, s, func(tx store.Tx) error {
			if err := tx.PutProcess(store.Process{ID: fmt.Sprint("p", i), Instance: "i", Status: store.Pending}); err != nil {
				return err
			}
			if err := tx.Schedule(store.Task{Kind: "k", Key: fmt.Sprint(i), Due: t0.Add(time.Hour)}); err != nil {
				return err
			}
			if _, _, err := tx.Append(store.Event{At: t0}); err != nil {
				return err
			}
			return vote(tx, i)
		})
	}
	return s
}

// The cost of a transaction follows what it touches: what it allocates hardly grows with what is there.
func TestCost(t *testing.T) {
	touch := func(s *memory.Store) func() {
		n := 1 << 40
		return func() {
			n++
			update(t, s, func(tx store.Tx) error {
				if err := vote(tx, n); err != nil {
					return err
				}
				if _, err := tx.Claim([]string{"k"}, t0, t0.Add(time.Minute), 0); err != nil {
					return err
				}
				_, err := tx.NextDue([]string{"k"})
				return err
			})
		}
	}
	small := testing.AllocsPerRun(50, touch(filled(t, 100)))
	large := testing.AllocsPerRun(50, touch(filled(t, 20_000)))
	t.Logf("%v allocations with 100 rows, %v with 20,000", small, large)
	require.Less(t, large, 4*small)
}

// What is asked of few tasks does not walk through all that there are.
func TestCostOfTaskQueries(t *testing.T) {
	of := func(n int) *memory.Store {
		s := filled(t, n)
		update(t, s, func(tx store.Tx) error {
			for _, k := range []store.Task{{Kind: "few", Key: "1", Community: "c", Due: t0}, {Kind: "k", Key: "parked", Due: t0}} {
				if err := tx.Schedule(k); err != nil {
					return err
				}
			}
			k, err := tx.Task("k", "parked")
			if err != nil {
				return err
			}
			return tx.Park(k, "g", "")
		})
		return s
	}
	took := func(s *memory.Store, q store.TaskQuery) time.Duration {
		best := time.Hour
		for range 50 {
			began := time.Now()
			require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
				got, err := tx.Tasks(q, "", "", 0)
				require.Len(t, got, 1)
				return err
			}))
			best = min(best, time.Since(began))
		}
		return best
	}
	few, many := of(10), of(10_000)
	for _, q := range []store.TaskQuery{{Kind: "few"}, {Community: "c"}, {Group: "g"}, {Kind: "k", Parked: true}} {
		small, large := took(few, q), took(many, q)
		t.Logf("%+v: %v with 10 tasks, %v with 10,000", q, small, large)
		require.Less(t, large, 20*small, "%+v", q)
	}
}

func BenchmarkCast(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := filled(b, n)
			for i := n; b.Loop(); i++ {
				update(b, s, func(tx store.Tx) error { return vote(tx, i) })
			}
		})
	}
}
