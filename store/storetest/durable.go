package storetest

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

// RunDurable runs what is about stores whose contents survive. open opens the store at a path, making it where there is
// none, and has it closed by t.Cleanup; several are opened at one path, one after the other. The test binary must call
// [Child], which plays the process that is killed.
func RunDurable(t *testing.T, open func(t *testing.T, path string) store.Store) {
	path := func(t *testing.T) string { return filepath.Join(t.TempDir(), "store") }
	t.Run("Durable", func(t *testing.T) {
		t.Run("reopened, everything is there", func(t *testing.T) { testReopen(t, path(t), open) })
		t.Run("reopened, what was undone is not there", func(t *testing.T) { testReopenUndone(t, path(t), open) })
		t.Run("closed while in use", func(t *testing.T) { testCloseInUse(t, path(t), open) })
		t.Run("killed at any moment", func(t *testing.T) { testKilled(t, path(t), open) })
	})
}

func testReopen(t *testing.T, path string, open func(t *testing.T, path string) store.Store) {
	s := open(t, path)
	update(t, s, func(tx store.Tx) {
		fill(t, tx, "a")
		fill(t, tx, "b")
	})
	update(t, s, func(tx store.Tx) {
		scramble(t, tx, "b")
		_, fresh, err := tx.Append(store.Event{ID: "a", Instance: "a", Type: "t", At: sec(1)})
		require.NoError(t, err)
		require.True(t, fresh, "the first one was pruned")
		for i := range 3 {
			schedule(t, tx, fmt.Sprint("claimed", i), i)
		}
	})
	var claimed []store.Task
	update(t, s, func(tx store.Tx) { claimed = must(tx.Claim([]string{"k"}, sec(4), sec(500), 0))(t) })
	require.Len(t, claimed, 3)
	before := dump(t, s)
	for range 3 {
		require.NoError(t, s.Close())
		s = open(t, path)
		require.Equal(t, before, dump(t, s))
	}
	// And it goes on where it was.
	update(t, s, func(tx store.Tx) {
		last := must(tx.LastSeq())(t)
		seq, fresh, err := tx.Append(store.Event{ID: "a", Instance: "a", Type: "t"})
		require.NoError(t, err)
		require.False(t, fresh)
		require.Equal(t, last, seq)
		require.Equal(t, 1, must(tx.PruneEvents(sec(99), last, 0))(t))
		seq, _, err = tx.Append(store.Event{})
		require.NoError(t, err)
		require.Equal(t, last+1, seq)
		require.NoError(t, tx.Done(claimed[0]))
		must(tx.Renew(claimed[1], sec(600)))(t)
		require.False(t, must(tx.Acquire("a", "another", sec(59), sec(99)))(t))
		fill(t, tx, "c")
	})
	// A Rev from before must not come again either.
	update(t, s, func(tx store.Tx) {
		require.NoError(t, tx.Unschedule("k", claimed[2].Key))
		schedule(t, tx, claimed[2].Key, 1)
		require.NotEqual(t, claimed[2].Rev, must(tx.Task("k", claimed[2].Key))(t).Rev)
	})
}

func testReopenUndone(t *testing.T, path string, open func(t *testing.T, path string) store.Store) {
	s := open(t, path)
	update(t, s, func(tx store.Tx) { fill(t, tx, "a") })
	before := dump(t, s)
	require.Error(t, s.Update(t.Context(), func(tx store.Tx) error {
		scramble(t, tx, "a")
		fill(t, tx, "b")
		return ErrFault
	}))
	require.PanicsWithValue(t, "mine", func() {
		_ = s.Update(t.Context(), func(tx store.Tx) error {
			fill(t, tx, "b")
			panic("mine")
		})
	})
	require.NoError(t, s.Close())
	require.Equal(t, before, dump(t, open(t, path)))
}

// testCloseInUse closes while many write: what was acknowledged is there afterwards, and what was refused is not.
func testCloseInUse(t *testing.T, path string, open func(t *testing.T, path string) store.Store) {
	const workers = 4
	s := open(t, path)
	kept := make([]int, workers)
	var some sync.WaitGroup
	some.Add(workers)
	done := make(chan error, 1)
	go func() {
		done <- gather(workers, func(i int) error {
			for n := 0; ; n++ {
				if n == 5 {
					some.Done()
				}
				err := s.Update(context.Background(), func(tx store.Tx) error { return work(tx, fmt.Sprint(i), n) })
				if err != nil {
					return ignoring(err, store.ErrClosed)
				}
				kept[i]++
			}
		})
	}()
	some.Wait()
	require.NoError(t, s.Close())
	require.NoError(t, <-done)
	s = open(t, path)
	acknowledged := map[string]int{}
	for i, n := range kept {
		acknowledged[fmt.Sprint(i)] = n
	}
	view(t, s, func(tx store.Tx) {
		for worker, n := range requireWhole(t, tx, acknowledged) {
			require.Equal(t, acknowledged[worker], n, "what was refused is not there")
		}
	})
}
