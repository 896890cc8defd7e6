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

// A page of accounts and another line of a history cost the same however many stand before them.
func TestCostOfPeople(t *testing.T) {
	of := func(n int) *memory.Store {
		s := memory.New()
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		update(t, s, func(tx store.Tx) error {
			for i := range n {
				for _, a := range []store.Account{{Plugin: "a", PlatformID: "T"}, {Plugin: "b", PlatformID: "S"}, {Plugin: "b", PlatformID: "T"}, {Plugin: "z"}} {
					a.Community, a.UserID = "c", fmt.Sprintf("%06d", i)
					if err := tx.PutAccount(a); err != nil {
						return err
					}
				}
				if err := tx.PutChange(store.Change{Community: "c", Person: "p"}); err != nil {
					return err
				}
			}
			return nil
		})
		return s
	}
	took := func(s *memory.Store, n int, do func(tx store.Tx, last store.Account) error) time.Duration {
		last := store.Account{Plugin: "b", PlatformID: "T", UserID: fmt.Sprintf("%06d", n-2)}
		best := time.Hour
		for range 50 {
			update(t, s, func(tx store.Tx) error {
				began := time.Now()
				defer func() { best = min(best, time.Since(began)) }()
				return do(tx, last)
			})
		}
		return best
	}
	page := func(q store.AccountQuery) func(tx store.Tx, last store.Account) error {
		return func(tx store.Tx, last store.Account) error {
			q.Community = "c"
			got, err := tx.AccountsBy(q, last, 1)
			require.Len(t, got, 1)
			return err
		}
	}
	first := func(q store.AccountQuery) func(tx store.Tx, last store.Account) error {
		return func(tx store.Tx, _ store.Account) error { return page(q)(tx, store.Account{}) }
	}
	const small, large = 10, 10_000
	few, many := of(small), of(large)
	for name, do := range map[string]func(tx store.Tx, last store.Account) error{
		"a page":                  page(store.AccountQuery{}),
		"a page of a plugin":      page(store.AccountQuery{Plugin: "b"}),
		"a page of a platform":    page(store.AccountQuery{Plugin: "b", PlatformID: "T"}),
		"the first of a plugin":   first(store.AccountQuery{Plugin: "b"}),
		"the first of a platform": first(store.AccountQuery{Plugin: "b", PlatformID: "T"}),
		"the end of a platform": func(tx store.Tx, last store.Account) error {
			got, err := tx.AccountsBy(store.AccountQuery{Community: "c", Plugin: last.Plugin, PlatformID: last.PlatformID}, last, 0)
			require.Len(t, got, 1)
			return err
		},
		"an account": first(store.AccountQuery{Plugin: "b", PlatformID: "T", UserID: "000003"}),
		"another line of a history": func(tx store.Tx, _ store.Account) error {
			return tx.PutChange(store.Change{Community: "c", Person: "p"})
		},
		"whether there are accounts": func(tx store.Tx, _ store.Account) error { _, err := tx.HasAccounts("c"); return err },
		"nothing after the place": func(tx store.Tx, _ store.Account) error {
			_, err := tx.AccountsBy(store.AccountQuery{Community: "c", Plugin: "a"}, store.Account{Plugin: "b"}, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := took(few, small, do), took(many, large, do)
			t.Logf("%v with %d rows, %v with %d", before, small, after, large)
			require.Less(t, after, 20*before)
		})
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
