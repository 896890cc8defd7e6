package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

func voteAsk() vote.Ask { return vote.Ask{Title: "Lunch?"} }

func TestUnknownWorkspaceWaits(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, gateway.Options{Store: s})
		e := r.listen("driver")
		var want []string
		for i := range 40 {
			want = append(want, fmt.Sprint(i))
			r.says("S1", fmt.Sprintf("m%d", i), want[i])
		}
		r.says("S2", "other", "other")
		r.due()
		require.Empty(t, e.events)
		waiting, err := r.Inbox(t.Context(), "", 100)
		require.NoError(t, err)
		require.Len(t, waiting, 41)
		require.Equal(t, "unknown:forum:S1", waiting[0].For)

		r.again() // they wait across a restart
		e = r.listen("driver")
		r.town("town", "S1")
		r.due()
		require.Equal(t, want, e.texts(), "in the order in which they came")
		waiting, err = r.Inbox(t.Context(), "", 100)
		require.NoError(t, err)
		require.Len(t, waiting, 1)
		require.NoError(t, r.Replay(t.Context(), waiting[0].Key))
		r.due()
		waiting, err = r.Inbox(t.Context(), "", 100)
		require.NoError(t, err)
		require.Len(t, waiting, 1, "still nobody there")
	})
}

func TestWaitingIsBounded(t *testing.T) {
	r := newRig(t, gateway.Options{MaxParked: 3})
	count := func() int {
		w, err := r.Inbox(t.Context(), "", 1000)
		require.NoError(t, err)
		return len(w)
	}
	for i := range 5 {
		r.says("S1", fmt.Sprintf("m%d", i), "hi")
	}
	require.Equal(t, 3, count(), "for one workspace")
	large := forumMessage{ID: "large", Site: "S2", Kind: "message", Text: strings.Repeat("x", 64<<10)}
	require.Equal(t, 200, r.deliver(large).Code)
	require.Equal(t, 3, count(), "nothing large")
	for i := range 40 {
		r.says(fmt.Sprintf("X%d", i), fmt.Sprintf("x%d", i), "hi")
	}
	require.Equal(t, 30, count(), "in all")
	require.Contains(t, r.logs.String(), "dropped")

	// What was dropped left nothing behind, so it can still be received when there is somebody for it.
	e := r.listen("driver")
	r.town("town", "S2")
	require.Equal(t, 200, r.deliver(large).Code)
	r.due()
	require.Len(t, e.texts(), 1)
}

func TestWaitingIsForgottenInTheEnd(t *testing.T) {
	r := newRig(t, gateway.Options{Retain: 7 * 24 * time.Hour})
	r.says("S1", "m1", "hi")
	r.due() // retention gets its task
	r.wait(6 * 24 * time.Hour)
	require.Len(t, r.tasks(store.TaskQuery{Kind: "inbox"}), 1)
	r.wait(25 * time.Hour)
	require.Empty(t, r.tasks(store.TaskQuery{Kind: "inbox"}))
}

func TestPausedInstance(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		r := newRig(t, gateway.Options{Store: s})
		c, inst := r.town("town", "S1")
		e := r.listen("driver")
		at := r.clock.now().Add(time.Hour)
		p := r.poll(inst, vote.Ask{ClosingAt: &at})
		require.NoError(t, inst.Pause(ctx, "holiday"))
		status, reason, err := inst.Status(ctx)
		require.NoError(t, err)
		require.Equal(t, "paused holiday", status+" "+reason)
		for i := range 20 {
			r.says("S1", fmt.Sprintf("m%d", i), fmt.Sprint(i))
		}
		require.Equal(t, 200, r.click(p.ID, "u1", "yes").Code)
		r.wait(2 * time.Hour)
		require.Empty(t, e.events)
		require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status, "its processes stand still")
		for name, fn := range map[string]func() error{
			"Do":      func() error { _, err := inst.Do(ctx, "post", post{Text: "x"}); return err },
			"Start":   func() error { _, err := inst.Start(ctx, "task", post{Text: "x"}); return err },
			"Close":   func() error { _, err := c.Close(ctx, p.ID); return err },
			"Command": func() error { _, err := c.Command(ctx, p.ID, "extend", extension{1}); return err },
			"Choices": func() error { _, err := inst.Choices(ctx, "channels", ""); return err },
		} {
			require.ErrorIs(t, fn(), gateway.Conflict, name)
		}
		require.Equal(t, gateway.StatusPending, r.process(c, p.ID).Status, "and cannot be closed")

		// Configuring it does not wake it.
		require.NoError(t, inst.Reconfigure(ctx, forumConfig{Site: "S1", Motto: "new"}))
		r.due()
		require.Empty(t, e.events)

		r.again()
		e = r.listen("driver")
		require.NoError(t, inst.Resume(ctx))
		r.due()
		r.wait(time.Second) // its closing let the deliveries go first
		require.Len(t, e.texts(), 20)
		for i, text := range e.texts() {
			require.Equal(t, fmt.Sprint(i), text)
		}
		require.Equal(t, gateway.StatusCompleted, r.process(c, p.ID).Status)
	})
}

func TestRemovedInstance(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, gateway.Options{})
	c, inst := r.town("town", "S1")
	at := r.clock.now().Add(time.Hour)
	p := r.poll(inst, vote.Ask{ClosingAt: &at})
	r.click(p.ID, "u1", "yes")
	r.due()
	done := r.poll(inst, vote.Ask{Title: "done"})
	_, err := c.Close(ctx, done.ID)
	require.NoError(t, err)
	var count gateway.Key[int] = "count"
	require.NoError(t, count.Put(ctx, instanceOwner{inst}, 7))
	require.NoError(t, inst.Pause(ctx, ""))
	r.says("S1", "m1", "hi")

	require.NoError(t, inst.Remove(ctx))
	got := r.process(c, p.ID)
	require.Equal(t, gateway.StatusFailed, got.Status)
	require.Contains(t, got.Reason, "removed")
	require.Equal(t, gateway.StatusCompleted, r.process(c, done.ID).Status)
	_, err = c.Instance(ctx, "forum")
	require.ErrorIs(t, err, gateway.NotFound)
	_, err = inst.Do(ctx, "post", post{Text: "x"})
	require.ErrorIs(t, err, gateway.NotFound)
	again, err := c.Close(ctx, p.ID)
	require.NoError(t, err, "closing what is over is harmless")
	require.Equal(t, gateway.StatusFailed, again.Status)
	for _, task := range r.tasks(store.TaskQuery{}) {
		require.Equal(t, "tidy", task.Kind)
	}

	fresh, err := c.Enable(ctx, "forum", forumConfig{Site: "S1"})
	require.NoError(t, err)
	v, err := count.Get(ctx, instanceOwner{fresh})
	require.NoError(t, err)
	require.Zero(t, v, "its state is gone")
}

// instanceOwner lets a test read a plugin's state.
type instanceOwner struct{ *gateway.Instance }

// A webhook of an instance's own: its URL holds a token, and says for whom a delivery is.
type ownHook struct {
	*gateway.Instance
	secret string
}

type ownConfig struct {
	Secret gateway.Secret `json:"secret,omitempty" jsonschema_description:"It signs."`
}

func newOwn(name string, unsigned bool, handled *[]string) gateway.Plugin {
	open := func(_ context.Context, i *gateway.Instance, c ownConfig) (*ownHook, error) {
		return &ownHook{i, c.Secret.Reveal()}, nil
	}
	hook := gateway.Webhook[*ownHook, forumMessage]{
		Parse: parseForum,
		Handle: func(h *ownHook, _ context.Context, m forumMessage) error {
			*handled = append(*handled, h.Community()+" "+m.Text)
			return nil
		},
	}
	if unsigned {
		hook.Unsigned = true
	} else {
		hook.ID = func(m forumMessage) string { return m.ID }
		hook.Verify = func(h *ownHook, d *gateway.Delivery) error {
			if h == nil || h.secret == "" || d.Header.Get("X-Secret") != h.secret {
				return errors.New("not signed with the instance's secret")
			}
			return nil
		}
	}
	return gateway.Define(name, "Has hooks of its own.", open, hook)
}

func TestAnInstancesOwnHook(t *testing.T) {
	ctx := t.Context()
	var handled []string
	r := newRig(t, gateway.Options{PublicURL: "https://gov.example/gw", Plugins: []gateway.Plugin{newOwn("own", false, &handled), newOwn("hints", true, &handled)}})
	a, err := r.CreateCommunity(ctx, "a", "A")
	require.NoError(t, err)
	b, err := r.CreateCommunity(ctx, "b", "B")
	require.NoError(t, err)
	path := map[string]string{}
	for _, c := range []*gateway.Community{a, b} {
		for _, plugin := range []string{"own", "hints"} {
			i, err := c.Enable(ctx, plugin, ownConfig{Secret: gateway.Secret("secret-" + c.Slug())})
			require.NoError(t, err)
			url, err := i.WebhookURL(ctx)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(url, "https://gov.example/gw/api/hooks/"+c.Slug()+"/"+plugin+"/"))
			path[c.Slug()+plugin] = strings.TrimPrefix(url, "https://gov.example/gw")
			require.Greater(t, len(url)-strings.LastIndex(url, "/"), 25, "a token that cannot be guessed")
		}
	}
	send := func(path, id, text, secret string) int {
		body, err := json.Marshal(forumMessage{ID: id, Text: text})
		require.NoError(t, err)
		code := r.request(path, string(body), "X-Secret", secret).Code
		r.due()
		return code
	}
	require.Equal(t, 200, send(path["aown"], "m1", "one", "secret-a"))
	require.Equal(t, 401, send(path["aown"], "m2", "two", "secret-b"), "another instance's secret")
	require.Equal(t, 200, send("/api/hooks/a/own", "m3", "three", "secret-a"), "signed: the token is not needed")
	require.Equal(t, 404, send("/api/hooks/a/own/wrong", "m4", "four", "secret-a"))
	require.Equal(t, 404, send("/api/hooks/own", "m5", "five", "secret-a"), "there is no hook for all")
	require.Equal(t, []string{"a one", "a three"}, handled)

	// What one platform object calls its facts says nothing about another's: nobody uses up somebody else's.
	require.Equal(t, 200, send(path["bown"], "m1", "one", "secret-b"))
	require.Equal(t, 200, send(path["aown"], "m1", "one", "secret-a"))
	require.Equal(t, []string{"a one", "a three", "b one"}, handled)

	require.Equal(t, 200, send(path["ahints"], "m1", "hint", ""))
	require.Equal(t, 404, send("/api/hooks/a/hints", "m1", "hint", ""), "without the token nothing says that it is the platform")
	require.Equal(t, 404, send(strings.Replace(path["ahints"], "/a/", "/b/", 1), "m1", "hint", ""), "another's token")
	require.Equal(t, "a hint", handled[len(handled)-1])
	require.Len(t, handled, 4)
	token := path["ahints"][strings.LastIndex(path["ahints"], "/")+1:]
	require.NotContains(t, r.logs.String(), token)

	// A sweep brings what the hook would have brought, once.
	i, err := a.Instance(ctx, "own")
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, i.Accept(ctx, nil, []byte(`{"ID":"m9","Text":"swept"}`)))
	}
	require.NoError(t, i.Accept(ctx, nil, []byte(`{"ID":"m1","Text":"one"}`)), "known by the other door")
	r.due()
	require.Equal(t, "a swept", handled[len(handled)-1])
	require.Len(t, handled, 5)
	require.ErrorIs(t, i.Accept(ctx, http.Header{}, []byte(`{`)), gateway.Invalid)

	// Two instances of one plugin in a community: only the token tells them apart.
	_, err = a.Enable(ctx, "own", ownConfig{Secret: "secret-a"}, "own-2")
	require.NoError(t, err)
	require.Equal(t, 404, send("/api/hooks/a/own", "m6", "six", "secret-a"))
	require.Equal(t, 200, send(path["aown"], "m6", "six", "secret-a"))
	require.Equal(t, "a six", handled[len(handled)-1])
}

func TestSecretThatIsEmptySignsNothing(t *testing.T) {
	var handled []string
	r := newRig(t, gateway.Options{Plugins: []gateway.Plugin{newOwn("own", false, &handled)}})
	c, err := r.CreateCommunity(t.Context(), "a", "A")
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), "own", nil)
	require.NoError(t, err)
	require.Equal(t, 401, r.request("/api/hooks/a/own", `{}`, "X-Secret", "").Code)
	require.Empty(t, handled)
}
