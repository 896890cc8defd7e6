package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/store"
)

func transactionTests() []test {
	return append([]test{
		on("an error undoes everything and comes back as it is", testRollback),
		on("an error of a verb can be passed over", testSwallow),
		on("a cancelled context stops what has not begun", testCancelledBefore),
		on("a cancelled context does not stop what has begun", testCancelledDuring),
		on("one that waits for another stops when cancelled", testCancelledWaiting),
		on("a transaction in a transaction is refused", testNested),
		on("a view does not write", testViewWrites),
		on("a view's error comes back as it is", testViewError),
		on("a view sees no half transaction", testViewSnapshot),
		on("a large transaction beside small ones", testLarge),
		on("watch", testWatch),
		on("close", testClose),
		{"several at once, the same answers as memory", testGroupsModel},
	}, stopTests()...)
}

func put(tx store.Tx, slug string) error {
	return tx.PutCommunity(store.Community{Slug: slug, Created: sec(0)})
}

// requireUsable fails when the store does not work any more.
func requireUsable(t testingT, s store.Store) {
	t.Helper()
	update(t, s, func(tx store.Tx) {
		require.NoError(t, tx.PutLane(store.Lane{Sub: "usable", Community: "c", Cursor: 1}))
		require.NoError(t, tx.DeleteLane("usable", "c"))
	})
}

func testRollback(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) { fill(t, tx, "a") })
	before := dump(t, s)
	mine := errors.New("mine")
	err := s.Update(t.Context(), func(tx store.Tx) error {
		scramble(t, tx, "a")
		fill(t, tx, "b")
		require.NotEqual(t, before, dumpTx(t, tx), "a transaction sees its own writes")
		return mine
	})
	require.True(t, err == mine, "not wrapped: %v", err)
	require.Equal(t, before, dump(t, s))

	update(t, s, func(tx store.Tx) {
		scramble(t, tx, "a")
		fill(t, tx, "b")
	})
	require.NotEqual(t, before, dump(t, s))
}

func testSwallow(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) {
		fill(t, tx, "a")
		require.NoError(t, tx.PutCommunity(store.Community{Slug: "before"}))
		for name, refused := range refusals("a") {
			require.Error(t, refused(tx), name)
			_, err := tx.Community("a")
			require.NoError(t, err, "after %s", name)
		}
		require.NoError(t, tx.PutCommunity(store.Community{Slug: "after"}))
	})
	view(t, s, func(tx store.Tx) {
		for _, slug := range []string{"a", "before", "after"} {
			_, err := tx.Community(slug)
			require.NoError(t, err)
		}
	})
}

// refusals are verbs that return an error where fill has been.
func refusals(name string) map[string]func(store.Tx) error {
	vote := func(c ...store.Choice) func(store.Tx) error {
		return func(tx store.Tx) error {
			_, err := tx.Cast(store.Ballot{Process: name, Voter: "v", At: sec(3), Choices: c})
			return err
		}
	}
	return map[string]func(store.Tx) error{
		"PutCommunity": func(tx store.Tx) error { return tx.PutCommunity(store.Community{Slug: name}) },
		"PutInstance": func(tx store.Tx) error {
			return tx.PutInstance(store.Instance{ID: "other", Community: name, Name: name})
		},
		"PutProcess": func(tx store.Tx) error { return tx.PutProcess(store.Process{ID: name, Rev: 77}) },
		"PutState":   func(tx store.Tx) error { return tx.PutState(name, "key", []byte("x"), 0) },
		"PutTicket":  func(tx store.Tx) error { return tx.PutTicket(store.Ticket{Kind: "k", ID: name}) },
		"Cast weight": vote(store.Choice{Question: "new", Choice: "x", Weight: 1},
			store.Choice{Question: "q", Choice: "x", Weight: -1}),
		"Cast overflow": vote(store.Choice{Question: "new", Choice: "x", Weight: 1},
			store.Choice{Question: "q", Choice: "yes", Weight: 1<<63 - 1}),
		"SetCounts": func(tx store.Tx) error { return tx.SetCounts(name, nil, 0) },
		"Schedule":  func(tx store.Tx) error { return tx.Schedule(store.Task{Kind: "k", Key: "zero"}) },
		"Renew": func(tx store.Tx) error {
			_, err := tx.Renew(store.Task{Kind: "k", Key: name, Rev: -1}, sec(9))
			return err
		},
		"PutCall": func(tx store.Tx) error {
			return tx.PutCall(store.Call{ID: "other", Community: name, Once: name})
		},
		"Person": func(tx store.Tx) error { _, err := tx.Person(name, "nobody"); return err },
	}
}

func testCancelledBefore(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	fn := func(store.Tx) error { ran = true; return nil }
	require.ErrorIs(t, s.Update(ctx, fn), context.Canceled)
	require.ErrorIs(t, s.View(ctx, fn), context.Canceled)
	require.False(t, ran)
}

func testCancelledDuring(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error {
		if err := put(tx, "one"); err != nil {
			return err
		}
		cancel()
		return put(tx, "two")
	}))
	view(t, s, func(tx store.Tx) {
		require.Len(t, must(tx.Communities("", 0))(t), 2)
	})
	requireUsable(t, s)
}

func testCancelledWaiting(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waiting, answer, ran := false, make(chan error, 1), false
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		if !waiting {
			waiting = true
			go func() {
				answer <- s.Update(ctx, func(store.Tx) error { ran = true; return nil })
			}()
		}
		cancel()
		return nil
	}))
	require.ErrorIs(t, <-answer, context.Canceled)
	require.False(t, ran)
}

func testNested(t *testing.T, s store.Store) {
	ran := false
	inner := func(store.Tx) error { ran = true; return nil }
	update(t, s, func(tx store.Tx) {
		ctx := store.Nested(t.Context())
		require.ErrorIs(t, s.Update(ctx, inner), store.ErrNested)
		require.ErrorIs(t, s.View(ctx, inner), store.ErrNested)
		require.NoError(t, put(tx, "a"))
	})
	require.False(t, ran)
	requireUsable(t, s)
}

func testViewWrites(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) { fill(t, tx, "a") })
	before := dump(t, s)
	for name, write := range writes("a") {
		require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
			require.Error(t, write(tx), name)
			return nil
		}))
		require.Equal(t, before, dump(t, s), name)
	}
	// The same writes in an Update are fine, or the table above tests nothing.
	for name, write := range writes("a") {
		mine := errors.New("mine")
		require.ErrorIs(t, s.Update(t.Context(), func(tx store.Tx) error {
			require.NoError(t, write(tx), name)
			return mine
		}), mine)
	}
}

func testViewError(t *testing.T, s store.Store) {
	mine := errors.New("mine")
	err := s.View(t.Context(), func(store.Tx) error { return mine })
	require.True(t, err == mine, "not wrapped: %v", err)
	require.PanicsWithValue(t, "mine", func() {
		_ = s.View(t.Context(), func(store.Tx) error { panic("mine") })
	})
	requireUsable(t, s)
}

func testViewSnapshot(t *testing.T, s store.Store) {
	const rounds = 60
	done := make(chan struct{})
	together(t, 3, func(i int) error {
		if i == 0 {
			defer close(done)
			for n := range rounds {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					for _, half := range []string{"left", "right"} {
						if err := tx.PutSub(store.Sub{Name: half, Cursor: int64(n)}); err != nil {
							return err
						}
						if _, _, err := tx.Append(store.Event{Type: half, At: sec(n)}); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		}
		for {
			err := s.View(context.Background(), func(tx store.Tx) error {
				subs, err := tx.Subs()
				if err != nil || len(subs) == 0 {
					return err
				}
				seq, err := tx.LastSeq()
				if err != nil {
					return err
				}
				right, err := tx.Sub("right")
				if err != nil {
					return err
				}
				if subs[0].Cursor != right.Cursor || seq != 2*(right.Cursor+1) {
					return fmt.Errorf("half a transaction: %+v, %+v, %d events", subs, right, seq)
				}
				return nil
			})
			if err != nil {
				return err
			}
			select {
			case <-done:
				return nil
			default:
			}
		}
	})
}

func testLarge(t *testing.T, s store.Store) {
	const rows, small = 10_000, 40
	together(t, 3, func(i int) error {
		if i == 0 {
			return s.Update(context.Background(), func(tx store.Tx) error {
				for n := range rows {
					if _, _, err := tx.Append(store.Event{Type: "large", At: sec(n), Data: []byte(strconv.Itoa(n))}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		for n := range small {
			err := s.Update(context.Background(), func(tx store.Tx) error {
				_, _, err := tx.Append(store.Event{Type: "small", ID: fmt.Sprint(i, n), At: sec(n)})
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx store.Tx) {
		require.EqualValues(t, rows+2*small, must(tx.LastSeq())(t))
		large := must(tx.Events(store.EventQuery{Types: []string{"large"}}, rows+1))(t)
		require.Len(t, large, rows)
		for n, e := range large {
			require.Equal(t, large[0].Seq+int64(n), e.Seq, "a transaction's events stand together")
			require.Equal(t, strconv.Itoa(n), string(e.Data))
		}
	})
}

func testWatch(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, second := s.Watch(ctx), s.Watch(t.Context())
	// Nobody reads the second; it must not hold anybody up.
	for n := range 5 {
		update(t, s, func(tx store.Tx) { require.NoError(t, put(tx, strconv.Itoa(n))) })
		requireTold(t, first)
	}
	requireTold(t, second)
	cancel()
	update(t, s, func(tx store.Tx) { require.NoError(t, put(tx, "later")) })
	requireTold(t, second)
	select {
	case _, ok := <-first:
		require.True(t, ok, "closed")
	default:
	}
}

func requireTold(t testingT, ch <-chan struct{}) {
	t.Helper()
	select {
	case _, ok := <-ch:
		require.True(t, ok, "closed")
	case <-time.After(forever):
		require.Fail(t, "no word of a commit")
	}
}

func testClose(t *testing.T, s store.Store) {
	inside, goOn := make(chan struct{}), make(chan struct{})
	answer, closed := make(chan error, 1), make(chan error, 1)
	begun := false
	go func() {
		answer <- s.Update(context.Background(), func(tx store.Tx) error {
			if !begun {
				begun = true
				close(inside)
				<-goOn
			}
			return put(tx, "a")
		})
	}()
	<-inside
	go func() { closed <- s.Close() }()
	select {
	case <-closed:
		require.Fail(t, "Close did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	close(goOn)
	require.NoError(t, <-closed)
	// It was finished, or, with Twice, refused between its two runs.
	if err := <-answer; err != nil {
		require.ErrorIs(t, err, store.ErrClosed)
	}
	fn := func(store.Tx) error { t.Error("ran after Close"); return nil }
	require.ErrorIs(t, s.Update(t.Context(), fn), store.ErrClosed)
	require.ErrorIs(t, s.View(t.Context(), fn), store.ErrClosed)
	require.NoError(t, s.Close())
}
