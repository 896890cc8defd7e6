package gateway_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/store/memory"
	"github.com/metagov/gateway-go/store/sqlite"
	"github.com/metagov/gateway-go/store/storetest"
)

// mortal is the store of a program that dies at its nth transaction from now: before it is kept, or after. From then on nothing of what the
// program does reaches the store.
type mortal struct {
	store.Store
	mu    sync.Mutex
	left  int
	after bool
	dead  bool
}

var errDead = errors.New("the program is dead")

func (m *mortal) Update(ctx context.Context, fn func(store.Tx) error) error {
	m.mu.Lock()
	m.left--
	dies, dead := m.left == 0, m.dead
	m.dead = m.dead || dies
	m.mu.Unlock()
	if dead || dies && !m.after {
		return errDead
	}
	err := m.Store.Update(ctx, fn)
	if dies {
		return errDead
	}
	return err
}

func (m *mortal) View(ctx context.Context, fn func(store.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return errDead
	}
	return m.Store.View(ctx, fn)
}

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

// slowPost is a platform that does what it is asked, and shows it late.
type slowPost struct {
	clock *clock
	late  time.Duration
	sent  map[string]time.Time // by call
	twice bool                 // something was done twice
	meet  func(n int) (done bool, err error)
	n     int
}

func (s *slowPost) send(_ *forum, ctx context.Context, in post) (posted, error) {
	call := gateway.CallOf(ctx)
	if err := call.Expect(ctx, "text:"+in.Text); err != nil {
		return posted{}, err
	}
	s.n++
	done, err := s.meet(s.n)
	if done {
		_, s.twice = s.sent[call.ID()]
		s.sent[call.ID()] = s.clock.now()
	}
	if err != nil {
		return posted{}, err
	}
	call.Caused("text:" + in.Text)
	return posted{ID: call.ID()}, nil
}

func (s *slowPost) look(_ *forum, ctx context.Context, in post) (posted, gateway.Found, error) {
	id := gateway.CallOf(ctx).ID()
	if at, ok := s.sent[id]; ok && !s.clock.now().Before(at.Add(s.late)) {
		return posted{ID: id}, gateway.Happened, nil
	}
	return posted{}, gateway.DidNot, nil
}

var deaths = flag.Int("deaths", 3, "at every how-manieth transaction a program dies; 1 is every one")

// At whichever transaction the program dies, whatever the platform did and however late it shows it: the effect is there once, and whoever asks
// under the same name hears of it in the end.
func TestAnEffectIsThereOnceWheneverTheProgramDies(t *testing.T) {
	stores := map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memory.New() },
		"sqlite": func(t *testing.T) store.Store {
			s, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		},
	}
	for storeName, open := range stores {
		for name, meet := range map[string]func(m *mortal, n int) (bool, error){
			"done":                         func(*mortal, int) (bool, error) { return true, nil },
			"done, the answer lost":        func(_ *mortal, n int) (bool, error) { return true, errLost },
			"lost":                         func(_ *mortal, n int) (bool, error) { return n > 1, errLost },
			"down":                         func(_ *mortal, n int) (bool, error) { return n > 1, downOnce(n) },
			"done, and the program dies":   func(m *mortal, n int) (bool, error) { m.kill(); return true, nil },
			"not done, the program dies":   func(m *mortal, n int) (bool, error) { m.kill(); return n > 1, errLost },
			"done, it dies while it fails": func(m *mortal, n int) (bool, error) { m.kill(); return true, errors.New("no answer") },
		} {
			for _, alone := range []bool{false, true} { // the gateway looks before the driver asks again
				if storeName == "sqlite" && (alone || !strings.HasSuffix(name, "lost")) {
					continue // the same transactions, and slow
				}
				t.Run(fmt.Sprintf("%s/%s/alone=%v", storeName, name, alone), func(t *testing.T) {
					step := *deaths
					if storeName != "memory" || alone || !strings.HasSuffix(name, "lost") {
						step *= 3 // their transactions are mostly the same
					}
					for nth := 1; ; nth += step {
						reached := false
						for _, after := range []bool{false, true} {
							reached = onceWithDeath(t, open(t), nth, after, alone, meet) || reached
						}
						if !reached {
							require.Greater(t, nth, 2, "there are more transactions than that")
							return
						}
					}
				})
			}
		}
	}
}

func downOnce(n int) error {
	if n == 1 {
		return gateway.Errorf(gateway.Unavailable, "down")
	}
	return nil
}

// onceWithDeath asks for one letter, in a program that dies at its nth transaction, and then in others. It reports whether it got that far.
func onceWithDeath(t *testing.T, s store.Store, nth int, after, alone bool, meet func(*mortal, int) (bool, error)) (reached bool) {
	t.Helper()
	m := &mortal{Store: s}
	r := newRig(t, gateway.Options{Store: m})
	p := &slowPost{clock: r.clock, late: 40 * time.Second, sent: map[string]time.Time{}}
	p.meet = func(n int) (bool, error) { return meet(m, n) }
	r.again(newForum(r.api, gateway.ActionFunc("letter", "Sends a letter.", p.send, gateway.Lookup(p.look))))
	_, inst := r.town("a", "S1")
	m.left, m.after = nth, after

	ask := func() error {
		_, err := inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		return err
	}
	dying := m
	err := ask()
	for tries := 0; err != nil; tries++ {
		require.Less(t, tries, 20, "nth %d after %v: %v", nth, after, err)
		code := gateway.CodeOf(err)
		require.Contains(t, []gateway.Code{gateway.Unknown, gateway.Unavailable, gateway.Internal}, code)
		if m.dead { // another program, after the leases have run out
			m = &mortal{Store: s}
			m.left = -1
			r.store = m
			r.o.Store = m
			r.again(newForum(r.api, gateway.ActionFunc("letter", "Sends a letter.", p.send, gateway.Lookup(p.look))))
			c, err := r.Community(t.Context(), "a")
			require.NoError(t, err)
			inst, err = c.Instance(t.Context(), "forum")
			require.NoError(t, err)
			r.clock.advance(time.Minute)
		}
		if alone {
			for range 6 {
				r.clock.advance(30 * time.Second)
				_, err := r.RunDue(t.Context())
				_ = err // it may die here
			}
		}
		r.clock.advance(gateway.RetryAfter(err))
		err = ask()
	}
	reached = dying.left <= 0
	dying.left = -1
	if dying.dead && r.store == store.Store(dying) {
		return reached // the answer was there before it died
	}
	require.False(t, p.twice, "nth %d after %v: done twice", nth, after)
	require.Len(t, p.sent, 1)
	r.wait(24 * time.Hour)
	require.Empty(t, r.tasks(store.TaskQuery{Kind: "call"}))
	require.Equal(t, "done", r.callOf("o").Status)
	require.NoError(t, ask(), "and again")
	require.False(t, p.twice)
	return reached
}

// What a call that somebody else finishes leaves in the audit record says the same as if it had been finished at once: on which trail, why, and
// what the platform was asked.
func TestAuditOfWhatIsLookedUp(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: storetest.Twice(s)})
		p := newPlatform(t)
		l := &letters{api: r.api}
		look := func(f *forum, ctx context.Context, in post) (posted, gateway.Found, error) {
			f.Log.InfoContext(ctx, "looking")
			if err := p.calls(f.Instance, "/api/look")(ctx); err != nil {
				return posted{}, gateway.CannotTell, err
			}
			return l.look(f, ctx, in)
		}
		r.again(newForum(r.api, gateway.ActionFunc("letter", "Sends a letter.", l.send, gateway.Lookup(look))))
		c, inst := r.town("a", "S1")
		reason := gateway.Reason{By: "ann", Rule: "bylaws 3", Process: "p1", Event: 7, Text: "why"}
		ctx := gateway.WithReason(t.Context(), reason)
		r.api.on("post", func(ctx context.Context) error { return errors.Join(errLost, p.calls(inst, "/api/send")(ctx)) })
		for _, once := range []string{"o", "o2"} {
			_, err := inst.Do(ctx, "letter", post{Text: "hi"}, gateway.Once(once))
			require.ErrorIs(t, err, gateway.Unknown)
		}
		l.found = gateway.Happened
		r.wait(time.Minute) // the gateway looks by itself
		id := r.callOf("o").ID
		entries := r.record(c, gateway.AuditQuery{Call: id})
		require.Len(t, entries, 2, "that it was not known, and what was found out")
		for i, e := range entries {
			require.Equal(t, []string{"unknown", "done"}[i], dataOf(t, e).Result)
			require.Equal(t, id, e.Correlation)
			require.Equal(t, reason, gateway.Reason{By: e.By, Rule: e.Rule, Process: e.Decision, Event: e.Event, Text: e.Text})
			last := dataOf(t, e).Calls
			require.Equal(t, "/api/look", last[len(last)-1].Path)
		}
		require.Equal(t, "/api/send", dataOf(t, entries[0]).Calls[0].Path)
		for line := range strings.Lines(r.logs.String()) {
			if strings.Contains(line, "looking") || strings.Contains(line, "had happened") {
				require.Contains(t, line, `"correlation":"c`, "what is logged while it looks says on which trail")
			}
		}

		// A program that died, and an action that nobody can look up: the end is on the trail of the beginning, too.
		r.api.on("post", nil)
		inst, err := c.Instance(t.Context(), "forum")
		require.NoError(t, err)
		stuckAt := func(action, once string) string {
			reached, stuck := make(chan struct{}), make(chan struct{})
			r.api.on("post", func(context.Context) error { close(reached); <-stuck; return errBoom })
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = inst.Do(context.WithoutCancel(ctx), action, post{Text: "x"}, gateway.Once(once))
			}()
			<-reached
			t.Cleanup(func() { close(stuck); <-done })
			r.api.on("post", nil)
			return r.callOf(once).ID
		}
		dead := stuckAt("careful", "o3")
		r.wait(5 * time.Minute)
		r.wait(5 * time.Minute)
		entries = r.record(c, gateway.AuditQuery{Call: dead})
		require.Len(t, entries, 1)
		require.Equal(t, "ann", entries[0].By)
		require.Equal(t, dead, entries[0].Correlation)
		// Somebody else asks again: their reason, the first trail.
		_, err = inst.Do(gateway.WithReason(t.Context(), gateway.Reason{By: "bob"}), "careful", post{Text: "x"}, gateway.Once("o3"))
		require.NoError(t, err)
		entries = r.record(c, gateway.AuditQuery{Call: dead})
		require.Len(t, entries, 2)
		require.Equal(t, "bob", entries[1].By)
		require.Equal(t, dead, entries[1].Correlation)
	})
}

// What an action's look-up was for is not guessed by another version of the action, nor by one that has no look-up, or had none.
func TestAnotherVersionDoesNotGuess(t *testing.T) {
	type version = func(l *letters) gateway.Plugin
	one := func(l *letters) gateway.Plugin { return l.plugin() }
	two := func(l *letters) gateway.Plugin {
		return newForum(l.api, gateway.ActionFunc("letter", "Sends a letter.", l.send, gateway.Lookup(l.look), gateway.Version(2)))
	}
	saves := func(l *letters) gateway.Plugin {
		return newForum(l.api, gateway.ActionFunc("letter", "Sends a letter.", (*forum).careful))
	}
	for name, c := range map[string]struct{ first, then version }{
		"the version is gone":   {one, two},
		"there is no look-up":   {one, saves},
		"there was no look-up":  {saves, one},
		"there was none, and 2": {saves, two},
	} {
		t.Run(name, func(t *testing.T) {
			eachLetters(t, func(t *testing.T, r *rig, l *letters, _ *gateway.Instance) {
				l.found = gateway.DidNot
				inst := func() *gateway.Instance {
					c, err := r.Community(t.Context(), "a")
					require.NoError(t, err)
					i, err := c.Instance(t.Context(), "forum")
					require.NoError(t, err)
					return i
				}
				r.again(c.first(l))
				r.api.fails("post", errLost)
				_, err := inst().Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
				require.ErrorIs(t, err, gateway.Unknown)
				r.clock.advance(time.Hour)
				r.again(c.then(l))
				r.api.on("post", nil)
				looks := l.looks
				_, err = inst().Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
				require.Equal(t, gateway.Unknown, gateway.CodeOf(err))
				require.Empty(t, r.api.lines("post"), "it may have been done")
				require.Equal(t, looks, l.looks)
			})
		})
	}
}
