package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// letters is a platform that can be asked what it has.
type letters struct {
	api     *forumAPI
	ids     []string  // of the calls that sent something
	looks   int       // how often it was asked
	started time.Time // of the call, as the last look saw it
	found   gateway.Found
	err     error // of the look-up

	mu sync.Mutex // tasks run side by side
}

func (l *letters) send(f *forum, ctx context.Context, in post) (posted, error) {
	call := gateway.CallOf(ctx)
	l.mu.Lock()
	l.ids = append(l.ids, call.ID())
	l.mu.Unlock()
	if err := call.Expect(ctx, "text:"+in.Text); err != nil {
		return posted{}, err
	}
	if err := l.api.do(ctx, "post", "post "+in.Text); err != nil {
		return posted{}, err
	}
	call.Caused("text:" + in.Text)
	return posted{ID: call.ID()}, nil
}

func (l *letters) look(f *forum, ctx context.Context, in post) (posted, gateway.Found, error) {
	call := gateway.CallOf(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks++
	l.started = call.Started()
	if l.found == gateway.Happened {
		call.Caused("text:" + in.Text)
	}
	return posted{ID: "found " + in.Text + " " + call.ID()}, l.found, l.err
}

func (l *letters) plugin() gateway.Plugin {
	return newForum(l.api,
		gateway.ActionFunc("letter", "Sends a letter.", l.send, gateway.Lookup(l.look)),
		gateway.ActionFunc("motto", "Sets the motto.", (*forum).post, gateway.Idempotent()),
	)
}

func eachLetters(t *testing.T, fn func(t *testing.T, r *rig, l *letters, inst *gateway.Instance)) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		l := &letters{api: r.api}
		r.again(l.plugin())
		_, inst := r.town("a", "S1")
		fn(t, r, l, inst)
	})
}

var errLost = gateway.Errorf(gateway.Unknown, "the answer was lost")

func (r *rig) callOf(once string) (row store.Call) {
	r.t.Helper()
	require.NoError(r.t, r.store.View(r.t.Context(), func(tx store.Tx) (err error) {
		row, err = tx.CallByOnce("a", once)
		return err
	}))
	return row
}

func TestLookupDecidesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		found gateway.Found
		look  error
		code  gateway.Code
	}{
		"happened":       {gateway.Happened, nil, ""},
		"did not":        {gateway.DidNot, nil, gateway.Unknown}, // the platform may show it late
		"cannot tell":    {gateway.CannotTell, nil, gateway.Unknown},
		"look-up failed": {gateway.DidNot, gateway.Errorf(gateway.Unavailable, "down"), gateway.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
				r.api.fails("post", errLost)
				l.found, l.err = c.found, c.look
				for _, once := range []string{"", "o"} {
					out, err := gateway.Do[posted](t.Context(), inst, "letter", post{Text: "hi"}, gateway.Once(once))
					require.Equal(t, c.code, gateway.CodeOf(err), "%v", err)
					if err == nil {
						require.Equal(t, "found hi "+l.ids[len(l.ids)-1], out.ID)
					}
				}
				require.Equal(t, 2, l.looks)
				status := map[gateway.Code]string{"": "done", gateway.Unknown: "unknown"}[c.code]
				require.Equal(t, status, r.callOf("o").Status, "the row says what the caller heard")
			})
		})
	}
}

func TestLookupWhenAskedAgain(t *testing.T) {
	ask := func(r *rig, inst *gateway.Instance, text string) (string, error) {
		out, err := gateway.Do[posted](r.t.Context(), inst, "letter", post{Text: text}, gateway.Once("o"))
		return out.ID, err
	}
	eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
		began := r.clock.now()
		r.api.fails("post", errLost)
		_, err := ask(r, inst, "hi")
		require.ErrorIs(t, err, gateway.Unknown)
		r.clock.advance(time.Minute)

		l.err = gateway.Errorf(gateway.Unavailable, "down")
		_, err = ask(r, inst, "hi")
		require.Equal(t, gateway.Unknown, gateway.CodeOf(err), "it may have happened")
		require.ErrorContains(t, err, "down")
		require.Equal(t, "unknown", r.callOf("o").Status)

		l.err, l.found = nil, gateway.CannotTell
		_, err = ask(r, inst, "hi")
		require.Equal(t, gateway.Unknown, gateway.CodeOf(err))
		require.Len(t, l.ids, 1, "nothing was sent a second time")
		require.Equal(t, began, l.started, "when it was first tried")

		// It did not happen: the same call is made again, with what was asked for first.
		l.found = gateway.DidNot
		r.api.on("post", nil)
		id, err := ask(r, inst, "something else")
		require.NoError(t, err)
		require.Equal(t, []string{l.ids[0], l.ids[0]}, l.ids, "the idempotency keys agree")
		require.Equal(t, l.ids[0], id)
		require.Equal(t, []string{"post hi"}, r.api.lines("post"))
		looks := l.looks
		again, err := ask(r, inst, "hi")
		require.NoError(t, err)
		require.Equal(t, id, again)
		require.Equal(t, looks, l.looks, "it is known now")
		r.wait(24 * time.Hour)
		require.Equal(t, looks, l.looks)
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "call"}))
	})
	eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
		r.api.fails("post", errLost)
		_, err := ask(r, inst, "hi")
		require.ErrorIs(t, err, gateway.Unknown)
		l.found = gateway.Happened
		id, err := ask(r, inst, "hi")
		require.NoError(t, err)
		require.Equal(t, "found hi "+l.ids[0], id)
		require.Len(t, l.ids, 1)
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "call"}))
	})
}

// A program that dies before its action saved anything has left what a look-up needs.
func TestLookupAfterDeath(t *testing.T) {
	for name, c := range map[string]struct {
		found gateway.Found
		code  gateway.Code
		sent  int
	}{
		"happened":    {gateway.Happened, "", 0},
		"did not":     {gateway.DidNot, "", 1},
		"cannot tell": {gateway.CannotTell, gateway.Unknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
				interrupted(t, r, inst, "letter", "hi", "o", func() {})
				r.again((&letters{api: r.api, found: c.found}).plugin())
				town, err := r.Community(t.Context(), "a")
				require.NoError(t, err)
				inst, err = town.Instance(t.Context(), "forum")
				require.NoError(t, err)
				require.Equal(t, "open", r.callOf("o").Status)
				if c.found == gateway.DidNot {
					_, err = inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
					require.Equal(t, gateway.Unknown, gateway.CodeOf(err), "it may yet show")
					require.Empty(t, r.api.lines("post"))
					r.clock.advance(gateway.RetryAfter(err))
				}
				_, err = inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
				require.Equal(t, c.code, gateway.CodeOf(err))
				require.Len(t, r.api.lines("post"), c.sent)
				if c.code == gateway.Unknown {
					require.Equal(t, "unknown", r.callOf("o").Status)
				}
			})
		})
	}
}

// Nobody asks again: the gateway finds out by itself, and what waited for the end of the call goes on with the right cause.
func TestTheGatewayLooksByItself(t *testing.T) {
	eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
		e := r.listen("driver")
		r.api.fails("post", errLost)
		_, err := inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.ErrorIs(t, err, gateway.Unknown)
		r.says("S1", "m1", "hi")
		r.due()
		require.Empty(t, e.events, "it may be ours")
		l.found = gateway.Happened
		r.wait(time.Minute)
		require.Equal(t, []string{"hi"}, e.texts())
		require.Equal(t, l.ids[0], e.events[0].Cause)
		looks := l.looks
		_, err = inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.NoError(t, err, "the driver gets the truth at once")
		require.Equal(t, looks, l.looks)
	})
}

func TestAnEffectMayShowLate(t *testing.T) {
	eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
		l.found = gateway.DidNot
		r.api.fails("post", errLost)
		_, err := inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.ErrorIs(t, err, gateway.Unknown)
		r.wait(50 * time.Second)
		require.Equal(t, "unknown", r.callOf("o").Status)
		r.wait(10 * time.Second)
		row := r.callOf("o")
		require.Equal(t, "failed", row.Status, "it had time to show")
		require.Contains(t, string(row.Error), "unavailable")
		r.api.on("post", nil)
		_, err = inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.NoError(t, err, "so that it may be done now")
		require.Equal(t, []string{l.ids[0], l.ids[0]}, l.ids)
	})
	// A call whose program died may have been sent until its time was over.
	eachLetters(t, func(t *testing.T, r *rig, _ *letters, inst *gateway.Instance) {
		l := &letters{api: r.api, found: gateway.DidNot}
		interrupted(t, r, inst, "letter", "hi", "o", func() {})
		r.again(l.plugin())
		r.wait(10 * time.Second) // 70 s after the beginning, 40 s after the latest possible end
		require.Equal(t, 1, l.looks)
		require.Equal(t, "unknown", r.callOf("o").Status)
		r.wait(time.Minute)
		require.Equal(t, "failed", r.callOf("o").Status)
	})
}

func TestLookingIsGivenUp(t *testing.T) {
	eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
		e := r.listen("driver")
		l.err = errors.New("no such method")
		r.api.fails("post", errLost)
		_, err := inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.ErrorIs(t, err, gateway.Unknown)
		r.says("S1", "m1", "hi")
		r.wait(14 * time.Minute)
		require.Empty(t, e.events)
		for range 10 {
			r.wait(3 * time.Minute)
		}
		require.Equal(t, []string{"hi"}, e.texts(), "deliveries do not wait for ever")
		require.Empty(t, e.events[0].Cause)
		for range 60 {
			r.wait(time.Hour)
		}
		require.Less(t, l.looks, 15, "ever more seldom")
		require.Greater(t, l.looks, 5)
		require.Equal(t, "unknown", r.callOf("o").Status)
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "call"}))

		l.err, l.found = nil, gateway.Happened
		_, err = inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.NoError(t, err, "whoever asks has it looked for again")
	})
}

func TestLookingWaitsForThePlugin(t *testing.T) {
	eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
		r.api.fails("post", errLost)
		_, err := inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.ErrorIs(t, err, gateway.Unknown)
		looks := l.looks
		require.NoError(t, inst.Pause(t.Context(), "holidays"))
		r.wait(time.Hour)
		require.Equal(t, looks, l.looks, "a paused instance calls nobody")
		l.found = gateway.Happened
		require.NoError(t, inst.Resume(t.Context()))
		r.due()
		require.Equal(t, "done", r.callOf("o").Status)
	})
	eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
		r.api.fails("post", errLost)
		_, err := inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.ErrorIs(t, err, gateway.Unknown)
		r.again() // a version without the action
		r.wait(time.Hour)
		require.Equal(t, "unknown", r.callOf("o").Status)
		require.Empty(t, r.tasks(store.TaskQuery{Kind: "call"}))
	})
}

func TestIdempotentActionsAreRepeatedWhenAskedAgain(t *testing.T) {
	eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
		r.api.fails("post", errLost)
		_, err := inst.Do(t.Context(), "motto", post{Text: "hi"}, gateway.Once("o"))
		require.ErrorIs(t, err, gateway.Unknown)
		r.wait(time.Hour)
		require.Empty(t, r.api.lines("post"), "not by the gateway itself")
		r.api.fails("post", gateway.Errorf(gateway.Unavailable, "down"))
		_, err = inst.Do(t.Context(), "motto", post{Text: "hi"}, gateway.Once("o"))
		require.Equal(t, gateway.Unknown, gateway.CodeOf(err), "the first attempt may still have done it")
		require.Equal(t, "unknown", r.callOf("o").Status)
		r.api.on("post", nil)
		_, err = inst.Do(t.Context(), "motto", post{Text: "hi"}, gateway.Once("o"))
		require.NoError(t, err)
		require.Len(t, r.api.lines("post"), 1)
	})
}

// What did not happen is tried again as the same call.
func TestUnavailableKeepsTheCall(t *testing.T) {
	eachLetters(t, func(t *testing.T, r *rig, l *letters, inst *gateway.Instance) {
		r.api.fails("post", gateway.Errorf(gateway.Unavailable, "down"))
		_, err := inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.ErrorIs(t, err, gateway.Unavailable)
		require.Equal(t, "failed", r.callOf("o").Status)
		r.api.on("post", func(context.Context) error {
			require.Equal(t, "open", r.callOf("o").Status, "it may die again")
			return nil
		})
		_, err = inst.Do(t.Context(), "letter", post{Text: "hi"}, gateway.Once("o"))
		require.NoError(t, err)
		require.Equal(t, []string{l.ids[0], l.ids[0]}, l.ids)
		require.Zero(t, l.looks)
	})
}

func TestLookupIsOfItsAction(t *testing.T) {
	looks := func(*forum, context.Context, post) (posted, gateway.Found, error) {
		return posted{}, gateway.CannotTell, nil
	}
	define := func(opts ...gateway.Option) func() {
		return func() {
			newForum(&forumAPI{}, gateway.ActionFunc("x", "X.", func(*forum, context.Context, extension) (posted, error) { return posted{}, nil }, opts...))
		}
	}
	require.NotPanics(t, define())
	require.Panics(t, define(gateway.Lookup(looks)), "another input")
	require.Panics(t, define(gateway.Lookup[*forum, extension, posted](nil)))
	right := func(*forum, context.Context, extension) (posted, gateway.Found, error) {
		return posted{}, gateway.CannotTell, nil
	}
	require.NotPanics(t, define(gateway.Lookup(right)))
	require.Panics(t, define(gateway.Lookup(right), gateway.Idempotent()))
	require.Panics(t, func() {
		newForum(&forumAPI{}, gateway.ProcessFunc("y", "Y.", (*taskState).Start, gateway.Idempotent()))
	}, "of actions only")
	require.PanicsWithValue(t, `gateway.Define("tiny"): action tell: its input holds a gateway.Secret, and would be kept for its Lookup`, func() {
		defineTiny(gateway.ActionFunc("tell", "Tells.", func(*tiny, context.Context, tellsSecret) (posted, error) { return posted{}, nil },
			gateway.Lookup(func(*tiny, context.Context, tellsSecret) (posted, gateway.Found, error) {
				return posted{}, gateway.CannotTell, nil
			})))
	})
	m := (&letters{}).plugin().Manifest()
	require.True(t, m.Actions[3].Lookup)
	require.True(t, m.Actions[4].Idempotent)
	m.Actions[3].Look = nil
	_, err := gateway.New(gateway.Options{Store: newRig(t, gateway.Options{}).store, Plugins: []gateway.Plugin{manifested{m}}})
	require.ErrorIs(t, err, gateway.Invalid, "a manifest from elsewhere has to be right too")
}

// manifested is a plugin that is only its manifest.
type manifested struct{ m gateway.Manifest }

func (p manifested) Manifest() gateway.Manifest { return p.m }

func (p manifested) Open(context.Context, *gateway.Instance, json.RawMessage) (any, error) {
	return nil, nil
}
