package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
)

// A faulty store without faults is a store.
func TestFaultyWithoutFaults(t *testing.T) {
	Run(t, func(t *testing.T) store.Store {
		s := NewFaulty(memory.New())
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	})
}

func TestFaulty(t *testing.T) {
	ctx := context.Background()
	mine := errors.New("mine")
	for name, tt := range map[string]struct {
		arm  func(*Faulty)
		errs []error // of three updates
		kept []string
	}{
		"none":            {func(*Faulty) {}, []error{nil, nil, nil}, []string{"0", "1", "2"}},
		"before run":      {func(f *Faulty) { f.BeforeRun(1, nil) }, []error{ErrFault, nil, nil}, []string{"1", "2"}},
		"before commit":   {func(f *Faulty) { f.BeforeCommit(2, mine) }, []error{nil, mine, nil}, []string{"0", "2"}},
		"the answer lost": {func(f *Faulty) { f.AfterCommit(3, nil) }, []error{nil, nil, ErrFault}, []string{"0", "1", "2"}},
		"several":         {func(f *Faulty) { f.AfterCommit(1, mine); f.BeforeCommit(2, nil) }, []error{mine, ErrFault, nil}, []string{"0", "2"}},
		"ill":             {func(f *Faulty) { f.BeforeCommit(Every, mine) }, []error{mine, mine, mine}, []string{}},
		"calm": {func(f *Faulty) {
			f.AfterCommit(1, mine)
			f.BeforeRun(Every, mine)
			f.Slow(time.Hour)
			f.Hold()
			f.Calm()
		}, []error{nil, nil, nil}, []string{"0", "1", "2"}},
		"views are others": {func(f *Faulty) { f.OnView(2, nil) }, []error{nil, nil, nil}, []string{"0", "1", "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := NewFaulty(memory.New())
			tt.arm(f)
			for i, want := range tt.errs {
				ran := false
				err := f.Update(ctx, func(tx store.Tx) error {
					ran = true
					return put(tx, string(rune('0'+i)))
				})
				require.True(t, err == want, "%v", err)
				require.Equal(t, name != "before run" || i > 0, ran)
			}
			view(t, f, func(tx store.Tx) {
				require.Equal(t, tt.kept, names(must(tx.Communities("", 0))(t), func(c store.Community) string { return c.Slug }))
			})
			require.Equal(t, 3, f.Updates())
			if name == "views are others" {
				require.Equal(t, 1, f.Armed())
				require.ErrorIs(t, f.View(ctx, func(store.Tx) error { return nil }), ErrFault)
			}
			require.Zero(t, f.Armed())
		})
	}
}

func TestFaultyHold(t *testing.T) {
	f := NewFaulty(memory.New())
	release := f.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fn := func(store.Tx) error { return nil }
	require.ErrorIs(t, f.Update(ctx, fn), context.Canceled)
	require.ErrorIs(t, f.View(ctx, fn), context.Canceled)
	answer := make(chan error)
	go func() { answer <- f.Update(context.Background(), fn) }()
	select {
	case <-answer:
		t.Fatal("not held")
	case <-time.After(10 * time.Millisecond):
	}
	release()
	require.NoError(t, <-answer)
	require.NoError(t, f.Update(t.Context(), fn))
	f.Slow(time.Hour)
	require.ErrorIs(t, f.Update(ctx, fn), context.Canceled)
	f.Slow(time.Nanosecond)
	require.NoError(t, f.View(t.Context(), fn))
}

func TestTwice(t *testing.T) {
	s := Twice(memory.New())
	runs := 0
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		runs++
		return put(tx, "a") // would conflict if the first run had been kept
	}))
	require.Equal(t, 2, runs)
	mine := errors.New("mine")
	require.True(t, s.Update(t.Context(), func(store.Tx) error { return mine }) == mine)
}
