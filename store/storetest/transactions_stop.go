package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// stopTests are about functions that do not return.
func stopTests() []test {
	return []test{
		on("a panic undoes and is its caller's", testPanic),
		on("Goexit undoes and is its caller's", testGoexit),
		on("functions that do not return, beside others that do", testStopsBesides),
	}
}

func testPanic(t *testing.T, s store.Store) {
	require.PanicsWithValue(t, "mine", func() {
		_ = s.Update(t.Context(), func(tx store.Tx) error {
			fill(t, tx, "a")
			panic("mine")
		})
	})
	requireEmpty(t, s)
	requireUsable(t, s)
}

func testGoexit(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	returned := false
	wg.Go(func() {
		_ = s.Update(context.Background(), func(tx store.Tx) error {
			if err := put(tx, "a"); err != nil {
				return err
			}
			runtime.Goexit()
			return nil
		})
		returned = true
	})
	wg.Wait()
	require.False(t, returned)
	requireEmpty(t, s)
	requireUsable(t, s)
}

func requireEmpty(t testingT, s store.Store) {
	t.Helper()
	view(t, s, func(tx store.Tx) {
		require.Empty(t, must(tx.Communities("", 0))(t))
		require.Zero(t, must(tx.LastSeq())(t))
	})
}

// testStopsBesides is for stores that commit several functions together: those that end badly must not take the others
// with them, nor stay.
func testStopsBesides(t *testing.T, s store.Store) {
	const workers, rounds = 12, 12
	name := func(i, n int) string { return fmt.Sprintf("%02d-%02d", i, n) }
	mine := errors.New("mine")
	together(t, workers, func(i int) error {
		for n := range rounds {
			add := func(tx store.Tx) error {
				if _, _, err := tx.Append(store.Event{Type: "t", ID: name(i, n), At: sec(n)}); err != nil {
					return err
				}
				return put(tx, name(i, n))
			}
			switch (i + n) % 4 {
			case 0:
				if err := s.Update(context.Background(), add); err != nil {
					return err
				}
			case 1:
				err := s.Update(context.Background(), func(tx store.Tx) error { return errors.Join(add(tx), mine) })
				if !errors.Is(err, mine) {
					return fmt.Errorf("an error was lost: %w", err)
				}
			case 2:
				if err := recovered(func() error {
					return s.Update(context.Background(), func(tx store.Tx) error { panic(errors.Join(add(tx), mine)) })
				}); !errors.Is(err, mine) {
					return fmt.Errorf("a panic was lost: %w", err)
				}
			case 3:
				var wg sync.WaitGroup
				wg.Go(func() {
					_ = s.Update(context.Background(), func(tx store.Tx) error {
						defer runtime.Goexit()
						return add(tx)
					})
				})
				wg.Wait()
			}
		}
		return nil
	})
	var want []string
	for i := range workers {
		for n := range rounds {
			if (i+n)%4 == 0 {
				want = append(want, name(i, n))
			}
		}
	}
	view(t, s, func(tx store.Tx) {
		have := must(tx.Communities("", workers*rounds))(t)
		require.Equal(t, want, names(have, func(c store.Community) string { return c.Slug }))
		events := must(tx.Events(store.EventQuery{}, workers*rounds))(t)
		require.Len(t, events, len(want), "events: %s", strings.Join(names(events, func(e store.Event) string { return e.ID }), " "))
		require.EqualValues(t, len(want), events[len(events)-1].Seq, "no gaps")
	})
}

// recovered turns a panic with an error into that error.
func recovered(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err, _ = r.(error)
		}
	}()
	return fn()
}
