package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

func TestActionInputAndOutput(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	out, err := gateway.Do[posted](ctx, inst, "post", post{Text: "hi"})
	require.NoError(t, err)
	require.Equal(t, posted{ID: "1", Loud: true}, out, "defaults are filled in")
	raw, err := inst.Do(ctx, "post@1", json.RawMessage(`{"text":"hi","loud":false}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"1","loud":false}`, string(raw))

	posts := len(r.api.lines("post"))
	for name, c := range map[string]struct {
		in    any
		paths []string
	}{
		"nothing":        {nil, []string{"/text"}},
		"empty":          {json.RawMessage(``), []string{"/text"}},
		"null":           {json.RawMessage(`null`), []string{"/text"}},
		"a list":         {json.RawMessage(`[]`), []string{""}},
		"an empty thing": {json.RawMessage(`{}`), []string{"/text"}},
		"all wrong":      {json.RawMessage(`{"text":"","loud":1,"more":2}`), []string{"/loud", "/more", "/text"}},
		"not JSON":       {json.RawMessage(`{`), []string{""}},
		"two documents":  {json.RawMessage(`{"text":"a"}{"text":"b"}`), []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := inst.Do(ctx, "post", c.in)
			require.ErrorIs(t, err, gateway.Invalid)
			var e *gateway.Error
			require.ErrorAs(t, err, &e)
			var paths []string
			for _, f := range e.Fields {
				paths = append(paths, f.Path)
			}
			require.ElementsMatch(t, c.paths, paths, "%v", err)
			require.Len(t, r.api.lines("post"), posts, "nothing was sent")
		})
	}
	_, err = inst.Do(ctx, "post", func() {})
	require.ErrorIs(t, err, gateway.Invalid)
	_, err = inst.Do(ctx, "broken", post{Text: "x"})
	require.ErrorIs(t, err, gateway.Internal, "an answer that fails its schema is the plugin's fault")
	for _, name := range []string{"nope", "post@2", "post@", ""} {
		_, err = inst.Do(ctx, name, post{Text: "x"})
		require.ErrorIs(t, err, gateway.NotFound, name)
	}
}

func TestActionErrors(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	r.api.on("post", func(context.Context) error { panic("boom") })
	_, err := inst.Do(ctx, "post", post{Text: "x"})
	require.ErrorIs(t, err, gateway.Internal)
	r.api.fails("post", errBoom)
	_, err = inst.Do(ctx, "post", post{Text: "x"})
	require.ErrorIs(t, err, errBoom)
	require.Equal(t, gateway.Internal, gateway.CodeOf(err))
	r.api.fails("post", &gateway.Error{Code: gateway.Unavailable, After: time.Minute})
	_, err = inst.Do(ctx, "post", post{Text: "x"})
	require.Equal(t, gateway.Unavailable, gateway.CodeOf(err))
	require.Equal(t, time.Minute, gateway.RetryAfter(err))

	// A time that runs out while the platform is called says nothing about what the platform did.
	called, giveUp := context.WithCancel(ctx)
	r.api.on("post", func(ctx context.Context) error { giveUp(); <-ctx.Done(); return ctx.Err() })
	_, err = inst.Do(called, "post", post{Text: "x"})
	require.Equal(t, gateway.Unknown, gateway.CodeOf(err))
	var left time.Duration
	r.api.on("post", func(ctx context.Context) error {
		end, ok := ctx.Deadline()
		require.True(t, ok)
		left = time.Until(end)
		return nil
	})
	_, err = inst.Do(ctx, "careful", post{Text: "x"})
	require.NoError(t, err)
	require.InDelta(t, time.Minute, left, float64(5*time.Second), "the action's own timeout")
	_, err = inst.Do(ctx, "post", post{Text: "x"})
	require.NoError(t, err)
	require.InDelta(t, 30*time.Second, left, float64(5*time.Second), "the gateway's")
}

func TestOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		_, other := r.town("b", "S2")
		var n atomic.Int64
		r.api.on("post", func(context.Context) error { n.Add(1); return nil })
		var wg sync.WaitGroup
		answers := make([]string, 8)
		for i := range answers {
			wg.Go(func() {
				out, err := gateway.Do[posted](ctx, inst, "careful", post{Text: "hi"}, gateway.Once("order-1"))
				if err != nil {
					t.Error(err)
				}
				answers[i] = out.ID
			})
		}
		wg.Wait()
		for _, a := range answers {
			require.Equal(t, answers[0], a, "the first answer")
		}
		require.EqualValues(t, 1, n.Load())
		r.again()
		inst, err := c.Instance(ctx, "forum")
		require.NoError(t, err)
		out, err := gateway.Do[posted](ctx, inst, "careful", post{Text: "hi"}, gateway.Once("order-1"))
		require.NoError(t, err)
		require.Equal(t, answers[0], out.ID)
		require.EqualValues(t, 1, n.Load(), "nor after a restart")

		_, err = inst.Do(ctx, "post", post{Text: "hi"}, gateway.Once("order-1"))
		require.ErrorIs(t, err, gateway.Conflict, "another action under the same name")
		_, err = inst.Start(ctx, "poll", poll{voteAsk()}, gateway.Once("order-1"))
		require.ErrorIs(t, err, gateway.Conflict)
		_, err = other.Do(ctx, "post", post{Text: "hi"}, gateway.Once("order-1"))
		require.NoError(t, err, "another community's names are its own")

		r.api.fails("post", gateway.Errorf(gateway.Denied, "no"))
		_, err = inst.Do(ctx, "post", post{Text: "hi"}, gateway.Once("order-2"))
		require.ErrorIs(t, err, gateway.Denied)
		r.api.on("post", nil)
		_, err = inst.Do(ctx, "post", post{Text: "hi"}, gateway.Once("order-2"))
		require.ErrorIs(t, err, gateway.Denied, "a failure is remembered")
		require.ErrorContains(t, err, "no")

		r.api.fails("post", gateway.Errorf(gateway.Unavailable, "down"))
		_, err = inst.Do(ctx, "post", post{Text: "late"}, gateway.Once("order-3"))
		require.ErrorIs(t, err, gateway.Unavailable)
		r.api.on("post", nil)
		_, err = inst.Do(ctx, "post", post{Text: "late"}, gateway.Once("order-3"))
		require.NoError(t, err, "it had not happened, so the name was free")

		first, err := inst.Start(ctx, "poll", poll{voteAsk()}, gateway.Once("vote-1"))
		require.NoError(t, err)
		again, err := inst.Start(ctx, "poll", poll{voteAsk()}, gateway.Once("vote-1"))
		require.NoError(t, err)
		require.Equal(t, first.ID, again.ID)
		require.Len(t, r.api.lines("start"), 1)
	})
}

// interrupted leaves an open call in the store, as a program does that dies in the middle.
func interrupted(t *testing.T, r *rig, inst *gateway.Instance, action, text, once string, after func()) {
	t.Helper()
	reached := make(chan struct{})
	stuck := make(chan struct{})
	r.api.on("post", func(context.Context) error { close(reached); <-stuck; return errBoom })
	dead := make(chan struct{})
	// The store goes away under the dying program, so that it cannot write how the call ended.
	go func() {
		defer close(dead)
		_, _ = inst.Do(context.WithoutCancel(t.Context()), action, post{Text: text}, gateway.Once(once))
	}()
	<-reached
	after()
	t.Cleanup(func() { close(stuck); <-dead })
	r.api.on("post", nil)
	r.clock.advance(time.Minute) // the dead program's leases run out
}

func TestInterruptedCall(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	interrupted(t, r, inst, "careful", "hi", "order-1", func() {})
	r.again()
	inst, err := c.Instance(ctx, "forum")
	require.NoError(t, err)
	out, err := gateway.Do[posted](ctx, inst, "careful", post{Text: "hi"}, gateway.Once("order-1"))
	require.NoError(t, err)
	require.Equal(t, "found hi", out.ID, "it ran again with what it had saved")
	require.Empty(t, r.api.lines("post"), "and looked first")

	interrupted(t, r, inst, "post", "ho", "order-2", func() {})
	r.again()
	inst, err = c.Instance(ctx, "forum")
	require.NoError(t, err)
	_, err = inst.Do(ctx, "post", post{Text: "ho"}, gateway.Once("order-2"))
	require.ErrorIs(t, err, gateway.Unknown, "nothing by which to look: no blind second try")
	require.Empty(t, r.api.lines("post"))
}

func TestEchoes(t *testing.T) {
	for name, c := range map[string]struct {
		result error
		cause  bool
	}{
		"success":           {nil, true},
		"failure":           {gateway.Errorf(gateway.Denied, "no"), false},
		"it did not happen": {gateway.Errorf(gateway.Unavailable, "down"), false},
		"nobody knows":      {gateway.Errorf(gateway.Unknown, "lost"), false},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s store.Store) {
				ctx := t.Context()
				r := newRig(t, gateway.Options{Store: s})
				_, inst := r.town("a", "S1")
				_, _ = r.town("b", "S2")
				e := r.listen("driver")
				r.api.on("post", func(context.Context) error {
					// The platform's delivery is quicker than its answer.
					r.says("S1", "m1", "hi")
					r.says("S1", "m2", "something else")
					r.says("S2", "m3", "hi")
					r.due()
					return c.result
				})
				_, err := gateway.Do[posted](ctx, inst, "careful", post{Text: "hi"})
				require.Equal(t, gateway.CodeOf(c.result), gateway.CodeOf(err))
				require.ElementsMatch(t, []string{"something else", "hi"}, e.texts(), "what may be ours waited; the other community's did not")
				r.due()
				require.Len(t, e.events, 3)
				last := e.events[2]
				require.Equal(t, "hi", textOf(last))
				require.Equal(t, c.cause, last.Cause != "")
				require.Equal(t, c.cause, last.Bot)

				// The same done by a person later is the person's.
				r.says("S1", "m4", "hi")
				r.due()
				require.Len(t, e.events, 4)
				require.Empty(t, e.events[3].Cause)
				require.Empty(t, r.tasks(store.TaskQuery{Kind: "call"}), "nothing to bury")
			})
		})
	}
}

// A call that died in the middle must not keep the deliveries for ever that may be its echo.
func TestACallThatDiedIsBuried(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.town("a", "S1")
	c, err := r.Community(t.Context(), "a")
	require.NoError(t, err)
	inst, err := c.Instance(t.Context(), "forum")
	require.NoError(t, err)
	interrupted(t, r, inst, "careful", "hi", "order-1", func() { r.says("S1", "m1", "hi") })
	r.again()
	e := r.listen("driver")
	r.due()
	require.Empty(t, e.events, "it may still be under way")
	r.wait(2 * time.Minute)
	require.Equal(t, []string{"hi"}, e.texts())
	require.Empty(t, e.events[0].Cause)
	require.Empty(t, r.tasks(store.TaskQuery{Kind: "call"}))
}

func TestCallOfOutsideACall(t *testing.T) {
	call := gateway.CallOf(t.Context())
	require.Error(t, call.Save(t.Context(), 1))
	require.Error(t, call.Expect(t.Context(), "x"))
	call.Caused("x")
	require.False(t, call.Saved(new(int)))
	require.Empty(t, call.ID())
}

func TestChoices(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	got, err := inst.Choices(ctx, "channels", "q")
	require.NoError(t, err)
	require.Equal(t, []gateway.Choice{{Value: "C1", Label: "general q"}}, got)
	_, err = inst.Choices(ctx, "nope", "q")
	require.ErrorIs(t, err, gateway.NotFound)
	r.api.on("channels", func(context.Context) error { panic("boom") })
	_, err = inst.Choices(ctx, "channels", "q")
	require.ErrorIs(t, err, gateway.Internal)
}

func TestErrors(t *testing.T) {
	err := fmt.Errorf("while: %w", &gateway.Error{Code: gateway.Invalid, Fields: []gateway.FieldError{{Path: "/a", Message: "is odd"}, {Path: "/b", Message: "is even"}}, Err: errBoom})
	require.ErrorIs(t, err, gateway.Invalid)
	require.NotErrorIs(t, err, gateway.NotFound)
	require.ErrorIs(t, err, errBoom)
	require.Equal(t, "while: invalid: boom: /a: is odd; /b: is even", err.Error())
	require.Equal(t, gateway.Code(""), gateway.CodeOf(nil))
	require.Equal(t, gateway.Internal, gateway.CodeOf(errBoom))
	require.Equal(t, gateway.Unavailable, gateway.CodeOf(context.DeadlineExceeded))
	require.Zero(t, gateway.RetryAfter(errBoom))
}
