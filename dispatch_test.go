package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// stubborn is a callback that fails for one community as long as it is told to.
type stubborn struct {
	ears
	fail  func(gateway.Event) error
	tries int
}

func (s *stubborn) event(ctx context.Context, c *gateway.Community, e gateway.Event) error {
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		if err := fail(e); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.tries++
			return err
		}
	}
	return s.ears.event(ctx, c, e)
}

func (s *stubborn) set(fail func(gateway.Event) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func failOn(text string, err error) func(gateway.Event) error {
	return func(e gateway.Event) error {
		if textOf(e) == text {
			return err
		}
		return nil
	}
}

func TestCallbackThatFails(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.town("a", "S1")
		r.town("b", "S2")
		cb := &stubborn{fail: failOn("a1", errBoom)}
		require.NoError(t, r.OnEvent(t.Context(), "driver", cb.event))
		r.says("S1", "1", "a0")
		r.says("S1", "2", "a1")
		r.says("S1", "3", "a2")
		r.says("S2", "4", "b1")
		next := r.due()
		require.ElementsMatch(t, []string{"a0", "b1"}, cb.texts(), "the failed community's later events wait; others do not notice")
		require.Greater(t, next, r.clock.now())
		require.Less(t, next, r.clock.now().Add(2*time.Second))

		// News come while it has fallen behind; nothing of them is lost.
		r.says("S1", "5", "a3")
		r.says("S2", "6", "b2")
		r.due()
		require.ElementsMatch(t, []string{"a0", "b1", "b2"}, cb.texts())
		cb.set(nil)
		r.clock.advance(2 * time.Second)
		r.says("S1", "7", "a4")
		r.due()
		require.Equal(t, []string{"a0", "a1", "a2", "a3", "a4"}, of(cb.texts(), "a"))
		require.Equal(t, []string{"b1", "b2"}, of(cb.texts(), "b"))
	})
}

func of(texts []string, first string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s[:1] != first })
}

func TestCallbackThatAlwaysFails(t *testing.T) {
	for name, fail := range map[string]func(gateway.Event) error{
		"error":     failOn("poison", errBoom),
		"not found": failOn("poison", gateway.Errorf(gateway.NotFound, "x: %w", store.ErrNotFound)),
		"canceled":  failOn("poison", context.Canceled), // of some context of its own
		"panic": func(e gateway.Event) error {
			if textOf(e) == "poison" {
				panic("boom")
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			r := newRig(t, gateway.Options{})
			c, _ := r.town("a", "S1")
			other, _ := r.town("b", "S2")
			tries := 0
			cb := &stubborn{fail: func(e gateway.Event) error {
				if textOf(e) == "poison" {
					tries++
				}
				return fail(e)
			}}
			require.NoError(t, r.OnEvent(ctx, "driver", cb.event))
			r.says("S1", "1", "poison")
			r.says("S1", "2", "after")
			for range 12 {
				letters, err := c.DeadLetters(ctx, "", 10)
				require.NoError(t, err)
				require.Empty(t, letters)
				r.wait(12 * time.Minute)
			}
			if name == "canceled" { // its code is Unavailable, which is tried for ever
				require.Empty(t, cb.texts())
				require.GreaterOrEqual(t, tries, 12)
				require.LessOrEqual(t, tries, 13)
				return
			}
			require.Equal(t, []string{"after"}, cb.texts(), "one poison event does not stop governance")
			require.Equal(t, 12, tries)
			letters, err := c.DeadLetters(ctx, "", 10)
			require.NoError(t, err)
			require.Len(t, letters, 1)
			require.Equal(t, "poison", textOf(letters[0].Event))
			require.NotEmpty(t, letters[0].Error)
			none, err := other.DeadLetters(ctx, "", 10)
			require.NoError(t, err)
			require.Empty(t, none)
			require.ErrorIs(t, other.ReplayDeadLetter(ctx, letters[0].Key), gateway.NotFound)

			// It can fail again, and is kept again.
			require.NoError(t, c.ReplayDeadLetter(ctx, letters[0].Key))
			for range 13 {
				r.wait(12 * time.Minute)
			}
			letters, err = c.DeadLetters(ctx, "", 10)
			require.NoError(t, err)
			require.Len(t, letters, 1)

			cb.set(nil)
			require.NoError(t, c.ReplayDeadLetter(ctx, letters[0].Key))
			r.due()
			require.Equal(t, []string{"after", "poison"}, cb.texts())
			letters, err = c.DeadLetters(ctx, "", 10)
			require.NoError(t, err)
			require.Empty(t, letters)
		})
	}
}

func TestUnavailableIsTriedForEver(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, _ := r.town("a", "S1")
	cb := &stubborn{fail: failOn("x", &gateway.Error{Code: gateway.Unavailable, After: 30 * time.Minute})}
	require.NoError(t, r.OnEvent(t.Context(), "driver", cb.event))
	r.says("S1", "1", "x")
	r.due()
	r.wait(20 * time.Minute)
	require.Equal(t, 1, cb.tries, "not before it said")
	for range 30 {
		r.wait(31 * time.Minute)
	}
	require.Equal(t, 31, cb.tries)
	letters, err := c.DeadLetters(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, letters)
	cb.set(nil)
	r.wait(31 * time.Minute)
	require.Equal(t, []string{"x"}, cb.texts())
}

func TestARestartGoesOnWhereItStopped(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		r.town("a", "S1")
		r.says("S1", "0", "before")
		r.listen("driver")
		r.says("S1", "1", "one")
		// The program ends before anything was delivered, and misses more.
		r.again()
		r.says("S1", "2", "two")
		r.again()
		e := r.listen("driver")
		late := r.listen("late")
		r.due()
		require.Equal(t, []string{"one", "two"}, e.texts(), "from the registration on")
		require.Empty(t, late.texts())
		r.again()
		e = r.listen("driver")
		r.due()
		require.Empty(t, e.texts())

		require.NoError(t, r.Forget(t.Context(), "driver"))
		r.says("S1", "3", "three")
		r.due()
		require.Empty(t, e.texts())
		e = r.listen("driver") // the name begins anew
		r.says("S1", "4", "four")
		r.due()
		require.Equal(t, []string{"four"}, e.texts())
	})
}

func TestOrderInEveryCommunity(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		for i, site := range []string{"a", "b", "c"} {
			r.town(site, site)
			_ = i
		}
		n := 0
		cb := &stubborn{fail: func(e gateway.Event) error { // every seventh fails at first
			n++
			if n%7 == 0 {
				return errBoom
			}
			return nil
		}}
		var mu sync.Mutex
		require.NoError(t, r.OnEvent(t.Context(), "driver", func(ctx context.Context, c *gateway.Community, e gateway.Event) error {
			mu.Lock()
			defer mu.Unlock()
			return cb.event(ctx, c, e)
		}))
		var want []string
		for i := range 300 {
			want = append(want, fmt.Sprintf("%03d", i))
			for _, site := range []string{"a", "b", "c"} {
				r.says(site, site+want[i], site+want[i])
			}
			if i%20 == 0 {
				r.wait(500 * time.Millisecond)
			}
		}
		for range 300 {
			r.wait(time.Second)
		}
		for _, site := range []string{"a", "b", "c"} {
			got := of(cb.texts(), site)
			for i := range got {
				got[i] = got[i][1:]
			}
			require.Equal(t, want, got, site)
		}
	})
}

func TestFilters(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	a, ia := r.town("a", "S1")
	r.town("b", "S2")
	second, err := a.Enable(ctx, "forum", forumConfig{Site: "S3"}, "forum-2")
	require.NoError(t, err)
	all := r.listen("all")
	byTown := r.listen("community", gateway.Filter{Community: "a"})
	byInstance := r.listen("instance", gateway.Filter{Instance: second.ID()})
	byType := r.listen("type", gateway.Filter{Types: []string{"odd", "rare"}})
	either := r.listen("either", gateway.Filter{Community: "b"}, gateway.Filter{Instance: ia.ID(), Plugin: "forum"})
	none := r.listen("none", gateway.Filter{Plugin: "other"})
	processes := r.watch("processes")
	r.says("S1", "1", "one")
	r.says("S2", "2", "two")
	r.says("S3", "3", "three")
	require.NoError(t, ia.Emit(ctx, "odd", gateway.Meta{}, []byte(`{"text":"odd"}`)))
	r.poll(ia, voteAsk())
	r.due()
	require.ElementsMatch(t, []string{"one", "two", "three", "odd"}, all.texts())
	require.Equal(t, []string{"one", "three", "odd"}, byTown.texts())
	require.Equal(t, []string{"three"}, byInstance.texts())
	require.Equal(t, []string{"odd"}, byType.texts())
	require.ElementsMatch(t, []string{"one", "two", "odd"}, either.texts())
	require.Empty(t, none.texts())
	require.Len(t, processes.processes, 1)

	require.ErrorIs(t, r.OnEvent(ctx, "all", all.event), gateway.Conflict)
	require.ErrorIs(t, r.OnProcess(ctx, "all", all.process), gateway.Conflict)
	require.ErrorIs(t, r.OnEvent(ctx, "", all.event), gateway.Invalid)
	list, err := a.Events(ctx, 0, 10, "odd")
	require.NoError(t, err)
	require.Len(t, list, 1)
	list, err = a.Events(ctx, 0, 10)
	require.NoError(t, err)
	require.Len(t, list, 3, "of this community, and no process")
}

func TestRetention(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{Retain: 7 * 24 * time.Hour})
	c, inst := r.town("a", "S1")
	e := r.listen("driver")
	r.says("S1", "1", "old")
	ended := r.poll(inst, voteAsk())
	_, err := c.Close(ctx, ended.ID)
	require.NoError(t, err)
	open := r.poll(inst, voteAsk())
	r.due()
	require.Equal(t, []string{"old"}, e.texts())
	require.NoError(t, r.store.Update(ctx, func(tx store.Tx) error {
		return tx.PutSub(store.Sub{Name: "asleep", Cursor: 0, Created: r.clock.now()})
	}))
	for range 3 {
		r.wait(7 * 24 * time.Hour)
	}
	list, err := c.Events(ctx, 0, 10)
	require.NoError(t, err)
	require.Len(t, list, 1, "somebody has not heard it")
	require.NoError(t, r.Forget(ctx, "asleep"))
	r.wait(2 * time.Hour)
	list, err = c.Events(ctx, 0, 10)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = c.Process(ctx, ended.ID)
	require.ErrorIs(t, err, gateway.NotFound)
	require.Equal(t, gateway.StatusPending, r.process(c, open.ID).Status, "a running process is never too old")
}

func TestEmit(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	_, other := r.town("b", "S2")
	e := r.listen("driver")
	for range 2 {
		require.NoError(t, inst.Emit(ctx, "x", gateway.Meta{ID: "1", Initiator: "u1", Bot: true}, nil))
	}
	require.NoError(t, inst.Emit(ctx, "y", gateway.Meta{ID: "1"}, nil))
	require.NoError(t, other.Emit(ctx, "x", gateway.Meta{ID: "1"}, nil))
	for range 2 {
		require.NoError(t, inst.Emit(ctx, "z", gateway.Meta{}, nil))
	}
	require.Error(t, inst.Emit(ctx, "x", gateway.Meta{}, []byte(`{`)), "what is not JSON nobody could read")
	r.due()
	require.Len(t, e.events, 5)
	slices.SortFunc(e.events, func(a, b gateway.Event) int { return int(a.Seq - b.Seq) }) // communities run side by side
	require.Equal(t, gateway.Event{
		Seq: e.events[0].Seq, ID: "1", Instance: inst.ID(), Plugin: "forum", Type: "x", Initiator: "u1", Bot: true, Data: []byte(`{}`), At: r.clock.now(),
	}, e.events[0])
	list, err := c.Events(ctx, e.events[0].Seq, 2)
	require.NoError(t, err)
	require.Len(t, list, 2)
}

func TestKeyUpdateLosesNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		_, inst := r.town("a", "S1")
		var count gateway.Key[int] = "count"
		o := instanceOwner{inst}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := count.Update(ctx, o, func(n int) (int, error) { return n + 1, nil })
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n, err := count.Get(ctx, o)
		require.NoError(t, err)
		require.Equal(t, 50, n)
		_, err = count.Update(ctx, o, func(n int) (int, error) { return 99, errBoom })
		require.True(t, err == errBoom, "the caller's own error comes back as it is: %v", err)
		n, err = count.Get(ctx, o)
		require.NoError(t, err)
		require.Equal(t, 50, n)
		var nothing gateway.Key[[]string] = "nothing"
		v, err := nothing.Get(ctx, o)
		require.NoError(t, err)
		require.Nil(t, v)
	})
}

func TestExclusive(t *testing.T) {
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	_, other := r.town("b", "S2")
	inside := make(chan struct{})
	leave := make(chan struct{})
	done := make(chan error)
	go func() {
		done <- inst.Exclusive(t.Context(), "token", func(context.Context) error { close(inside); <-leave; return errBoom })
	}()
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	never := func(context.Context) error { return errors.New("two at once") }
	require.ErrorIs(t, inst.Exclusive(ctx, "token", never), gateway.Unavailable)
	ok := func(context.Context) error { return nil }
	require.NoError(t, inst.Exclusive(t.Context(), "another", ok))
	require.NoError(t, other.Exclusive(t.Context(), "token", ok), "each instance by itself")
	close(leave)
	require.Equal(t, errBoom, <-done)
	require.NoError(t, inst.Exclusive(t.Context(), "token", ok))
}

func TestDeadLettersAreForgottenInTheEnd(t *testing.T) {
	r := newRig(t, gateway.Options{Retain: 7 * 24 * time.Hour})
	c, _ := r.town("a", "S1")
	cb := &stubborn{fail: func(gateway.Event) error { return errBoom }}
	require.NoError(t, r.OnEvent(t.Context(), "driver", cb.event))
	r.says("S1", "1", "x")
	for range 13 {
		r.wait(12 * time.Minute)
	}
	letters, err := c.DeadLetters(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	r.wait(6 * 24 * time.Hour)
	letters, err = c.DeadLetters(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	r.wait(26 * time.Hour)
	letters, err = c.DeadLetters(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, letters)
}
