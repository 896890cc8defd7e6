package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

// The mistakes of the gateway that this one replaces, each by the number under which it was found, as far as they are the core's.

func TestOriginalMistake05OAuthStateAndTokens(t *testing.T) {
	r := newOAuthRig(t, nil)
	b := r.browser()
	state := b.consent(gateway.AuthRequest{Redirect: driver})
	require.Greater(t, len(state), 30, "160 random bits")
	require.NotEqual(t, state, r.browser().consent(gateway.AuthRequest{Redirect: driver}))
	_, err := r.AuthorizeURL(t.Context(), gateway.AuthRequest{Plugin: "forum", Redirect: "https://evil.example"})
	require.ErrorIs(t, err, gateway.Denied)
	to := b.comesBack(state)
	for _, canary := range []string{"token-canary", "code-canary"} {
		require.NotContains(t, to.String(), canary)
		require.NotContains(t, r.logs.String(), canary)
	}
}

func TestOriginalMistake06SecretsAreNotReturned(t *testing.T) {
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	config, err := inst.Config(t.Context())
	require.NoError(t, err)
	require.NotContains(t, string(config), "canary")
	require.NoError(t, r.store.View(t.Context(), func(tx store.Tx) error {
		row, err := tx.Instance(inst.ID())
		require.NotContains(t, string(row.Config)+string(row.Sealed), "canary")
		return err
	}))
}

func TestOriginalMistake07AnotherCommunitysProcess(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	other, _ := r.town("b", "S2")
	p := r.poll(inst, voteAsk())
	_, err := other.Process(t.Context(), p.ID)
	require.ErrorIs(t, err, gateway.NotFound)
	_, err = other.Close(t.Context(), p.ID)
	require.ErrorIs(t, err, gateway.NotFound)
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
}

func TestOriginalMistake08HandlerErrorsLoseNothing(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.town("a", "S1")
	e := r.listen("driver")
	r.api.fails("receive message", errBoom)
	r.says("S1", "m1", "hi")
	r.due()
	require.Empty(t, e.events)
	r.api.mu.Lock()
	delete(r.api.hooks, "receive message")
	r.api.mu.Unlock()
	r.wait(time.Minute)
	require.Equal(t, []string{"hi"}, e.texts())
}

func TestOriginalMistake09RetriesAreNeitherLostNorDoubled(t *testing.T) {
	r := newRig(t, gateway.Options{})
	r.town("a", "S1")
	e := r.listen("driver")
	for range 4 {
		w := r.request("/api/hooks/forum", `{"ID":"m1","Site":"S1","Kind":"message","Text":"hi"}`, "X-Slack-Retry-Reason", "http_timeout")
		require.Equal(t, 200, w.Code)
		require.Empty(t, w.Header().Get("X-Slack-No-Retry"))
	}
	r.due()
	require.Equal(t, []string{"hi"}, e.texts())
}

func TestOriginalMistake10And37ADriverThatIsDownIsNoticedByNobody(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	down := true
	var e ears
	require.NoError(t, r.OnEvent(t.Context(), "driver", func(ctx context.Context, c *gateway.Community, ev gateway.Event) error {
		if down {
			return gateway.Errorf(gateway.Unavailable, "down")
		}
		return e.event(ctx, c, ev)
	}))
	require.NoError(t, r.OnProcess(t.Context(), "votes", func(context.Context, *gateway.Community, gateway.Process) error { return errBoom }))
	p := r.poll(inst, voteAsk())
	r.says("S1", "m1", "hi")
	r.click(p.ID, "u1", "yes")
	r.due()
	got, err := c.Close(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, vote.Passed, r.outcome(got).Result, "the outcome is kept whatever the callback says")
	for range 30 {
		r.wait(time.Hour)
	}
	down = false
	r.wait(time.Hour)
	require.Equal(t, []string{"hi"}, e.texts(), "and told when somebody listens")
}

func TestOriginalMistake11OnePollDoesNotStopTheOthers(t *testing.T) {
	r := newRig(t, gateway.Options{})
	var ran atomic.Int64
	r.again(newForum(r.api,
		gateway.PollFunc("a", time.Hour, func(*forum, context.Context) error { panic("boom") }),
		gateway.PollFunc("b", time.Hour, func(*forum, context.Context) error { ran.Add(1); return nil }),
		gateway.PollFunc("c", time.Hour, func(*forum, context.Context) error { ran.Add(1); return errBoom }),
	))
	r.town("a", "S1")
	r.town("b", "S2")
	r.due()
	require.EqualValues(t, 4, ran.Load())
}

func TestOriginalMistake12And41NoVoteIsLost(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("a", "S1")
		p := r.poll(inst, voteAsk())
		var wg sync.WaitGroup
		var ok atomic.Int64
		for i := range 500 {
			wg.Go(func() {
				if r.click(p.ID, fmt.Sprint("u", i), "yes").Code == 200 {
					ok.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 500, ok.Load())
		r.wait(time.Minute) // where the machine was so busy that the plugin seemed to hang, what it was told waits
		require.EqualValues(t, 500, r.process(c, p.ID).Voters)
	})
}

func TestOriginalMistake13And14ConfiguringDeletesNothing(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	p := r.poll(inst, voteAsk())
	_, err := c.Enable(t.Context(), "forum", forumConfig{Site: "S1", Motto: "new"})
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "forum", forumConfig{Site: "S2"}, "second")
	require.NoError(t, err)
	again, err := c.Instance(t.Context(), "forum")
	require.NoError(t, err)
	require.Equal(t, inst.ID(), again.ID())
	require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status)
}

func TestOriginalMistake30EmptyParametersAreChecked(t *testing.T) {
	r := newRig(t, gateway.Options{})
	_, inst := r.town("a", "S1")
	for _, in := range []any{nil, json.RawMessage(nil), json.RawMessage(`{}`), json.RawMessage(`null`), json.RawMessage(`[]`), json.RawMessage(`""`)} {
		_, err := inst.Do(t.Context(), "post", in)
		require.ErrorIs(t, err, gateway.Invalid, "%s", in)
		_, err = inst.Start(t.Context(), "poll", in)
		require.ErrorIs(t, err, gateway.Invalid, "%s", in)
	}
	require.Empty(t, r.api.lines("post"))
	require.Empty(t, r.api.lines("start"))
}

func TestOriginalMistake33GreetingsAreSigned(t *testing.T) {
	r := newRig(t, gateway.Options{})
	w := r.request("/api/hooks/forum", `{"Kind":"ping"}`, "X-Signature", "")
	require.Equal(t, 401, w.Code)
	require.NotContains(t, w.Body.String(), "pong")
	w = r.request("/api/hooks/forum", `{"Kind":"ping"}`)
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	require.NotContains(t, w.Header().Get("Content-Type"), "html")
}

func TestOriginalMistake34And35SignaturesCount(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	e := r.listen("driver")
	p := r.poll(inst, voteAsk())
	click, err := json.Marshal(forumMessage{Site: "S1", Kind: "click", User: "u1", Text: "yes", Process: p.ID})
	require.NoError(t, err)
	for _, h := range [][]string{{"X-Signature", ""}, {"X-Signature", "wrong"}, {"X-Time", "1970-01-01T00:00:00Z"}, {"X-Time", ""}} {
		require.Equal(t, 401, r.request("/api/hooks/forum", string(click), h...).Code)
		require.Equal(t, 401, r.request("/api/hooks/forum", `{"ID":"m1","Site":"S1","Kind":"message"}`, h...).Code)
	}
	r.due()
	require.Empty(t, e.events)
	require.Zero(t, r.process(c, p.ID).Voters)
}

func TestOriginalMistake36OddBodiesAreNoServerErrors(t *testing.T) {
	r := newRig(t, gateway.Options{})
	for _, body := range []string{``, `{`, `[]`, `null`, `1`, `"x"`, `{}`, `{"Kind":"push"}`, "\x00", `{"Site":1}`, `{"At":"x"}`} {
		for _, ct := range []string{"", "application/json; charset=utf-8", "text/plain", "\x7f"} {
			w := r.request("/api/hooks/forum", body, "Content-Type", ct)
			require.Less(t, w.Code, 500, "%q %q", body, ct)
		}
	}
}

func TestOriginalMistake38VotesAreKeptWhenTheCallbackIsDown(t *testing.T) {
	r := newRig(t, gateway.Options{})
	c, inst := r.town("a", "S1")
	require.NoError(t, r.OnProcess(t.Context(), "driver", func(context.Context, *gateway.Community, gateway.Process) error { panic("down") }))
	p := r.poll(inst, voteAsk())
	for i := range 3 {
		require.Equal(t, 200, r.click(p.ID, fmt.Sprint("u", i), "yes").Code)
		r.due()
	}
	require.EqualValues(t, 3, r.process(c, p.ID).Voters)
}

func TestOriginalMistake39StatesCannotBeEditedOrUsedTwice(t *testing.T) {
	r := newOAuthRig(t, nil)
	b := r.browser()
	state := b.consent(gateway.AuthRequest{Redirect: driver})
	to := b.comesBack(state, "redirect_uri", "https://evil.example", "community", "theirs")
	require.Equal(t, "good.example", to.Host)
	require.Equal(t, "forum-s1", to.Query().Get("community"))
	b.comesBack(state)
	require.Equal(t, 400, b.last.Code)
	require.Len(t, r.api.lines("exchange"), 1)
}

func TestOriginalMistake40NoDoorShowsTokens(t *testing.T) {
	r := newOAuthRig(t, nil)
	r.town("a", "S1")
	b := r.browser()
	for _, path := range []string{"/api/internal/community/a", "/api/hooks/forum", "/api/hooks/a/forum", "/auth/forum/callback", "/auth/forum/authorize", "/auth/nope/authorize", "/", "/" + url.PathEscape("../x")} {
		b.get(path)
		require.GreaterOrEqual(t, b.last.Code, 300, path)
		require.NotContains(t, b.last.Body.String(), "canary", path)
	}
}
