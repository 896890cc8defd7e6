package fakeslack_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/stretchr/testify/require"
)

func TestEventsOfPeople(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts, err := w.w.Post(w.ctx, "UBOB", "C1", "hi <@"+w.w.BotUserID()+">")
	require.NoError(t, err)
	require.NoError(t, w.w.React(w.ctx, "UALICE", "C1", ts, "tada"))
	require.NoError(t, w.w.Unreact(w.ctx, "UALICE", "C1", ts, "tada"))
	require.NoError(t, w.w.Pin(w.ctx, "UALICE", "C1", ts))
	require.NoError(t, w.w.Unpin(w.ctx, "UALICE", "C1", ts))
	require.NoError(t, w.w.Edit(w.ctx, "UBOB", "C1", ts, "hello"))
	require.NoError(t, w.w.Delete(w.ctx, "UBOB", "C1", ts))
	require.NoError(t, w.w.Join(w.ctx, "UCAROL", "C1"))
	require.NoError(t, w.w.Kick(w.ctx, "UALICE", "C1", "UCAROL"))
	require.NoError(t, w.w.Rename(w.ctx, "UALICE", "C1", "agora"))
	require.NoError(t, w.w.SetTopic(w.ctx, "UALICE", "C1", "talk"))
	require.NoError(t, w.w.Archive(w.ctx, "UALICE", "C1"))
	require.Equal(t, []string{
		"message", "app_mention", "reaction_added", "reaction_removed", "pin_added", "pin_removed",
		"message/message_changed", "message/message_deleted",
		"member_joined_channel", "message/channel_join", "member_left_channel", "message/channel_leave",
		"channel_rename", "message/channel_name", "message/channel_topic", "message/channel_archive", "channel_archive",
	}, w.app.types())
	require.Zero(t, w.app.badSig)
	rename := w.app.all()[13].event()
	require.Equal(t, "town-hall", rename["old_name"])
	require.Equal(t, "agora", rename["name"])
	seen := map[any]bool{}
	for _, r := range w.app.all() {
		require.False(t, seen[r.json["event_id"]], "event IDs are unique")
		seen[r.json["event_id"]] = true
	}
}

func TestOnlyChannelsOfTheBotAreHeard(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	_, err := w.w.Post(w.ctx, "UBOB", "C2", "the app is not here")
	require.NoError(t, err)
	require.Empty(t, w.app.all())
	require.NoError(t, w.w.Rename(w.ctx, "UALICE", "C2", "calm"))
	require.Equal(t, []string{"channel_rename"}, w.app.types(), "names of public channels are heard everywhere")
}

func TestEventsNeedTheirScope(t *testing.T) {
	w := newWorld(t, fakeslack.Options{}, "chat:write")
	_, err := w.w.Post(w.ctx, "UBOB", "C1", "hi")
	require.NoError(t, err)
	require.Empty(t, w.app.all())
	d := w.Deliveries()
	require.Equal(t, "missing scope channels:history", d[len(d)-1].Dropped)
}

func TestNoRequestURL(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	w.SetRequestURL("", nil)
	_, err := w.w.Post(w.ctx, "UBOB", "C1", "hi")
	require.NoError(t, err)
	require.Equal(t, "no request URL", w.Deliveries()[0].Dropped)
	_, err = w.w.Command(w.ctx, "UBOB", "C1", "/vote", "")
	require.Error(t, err)
}

func TestPeopleAreRefused(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts := w.ballot()
	for name, do := range map[string]func() error{
		"unknown user":        func() error { _, err := w.w.Post(w.ctx, "UNOBODY", "C1", "x"); return err },
		"deactivated user":    func() error { _, err := w.w.Post(w.ctx, "UGONE", "C1", "x"); return err },
		"not a member":        func() error { _, err := w.w.Post(w.ctx, "UCAROL", "C1", "x"); return err },
		"archived":            func() error { _, err := w.w.Post(w.ctx, "UALICE", "C3", "x"); return err },
		"private channel":     func() error { return w.w.Join(w.ctx, "UBOB", "CSECRET") },
		"another's message":   func() error { return w.w.Edit(w.ctx, "UBOB", "C1", ts, "x") },
		"delete another's":    func() error { return w.w.Delete(w.ctx, "UBOB", "C1", ts) },
		"rename":              func() error { return w.w.Rename(w.ctx, "UBOB", "C1", "mine") },
		"name taken":          func() error { return w.w.Rename(w.ctx, "UALICE", "C1", "quiet") },
		"no such reaction":    func() error { return w.w.Unreact(w.ctx, "UBOB", "C1", ts, "tada") },
		"unpinned":            func() error { return w.w.Unpin(w.ctx, "UBOB", "C1", ts) },
		"thread that is none": func() error { _, err := w.w.Post(w.ctx, "UBOB", "C1", "x", fakeslack.InThread("1.1")); return err },
		"already there":       func() error { return w.w.Invite(w.ctx, "UALICE", "C1", "UBOB") },
	} {
		require.ErrorIs(t, do(), fakeslack.ErrRefused, name)
	}
}

func TestRetries(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	w.app.reply(500, nil, "")
	_, err := w.w.Post(w.ctx, "UBOB", "C1", "hi")
	require.NoError(t, err)
	require.Len(t, w.app.all(), 1)
	require.Equal(t, 1, w.RetryDue(w.ctx), "the first retry is due at once")
	require.Zero(t, w.RetryDue(w.ctx), "the second is not")
	w.clock.Add(time.Minute)
	require.Equal(t, 1, w.RetryDue(w.ctx))
	w.clock.Add(4 * time.Minute)
	require.Zero(t, w.RetryDue(w.ctx))
	at, ok := w.NextRetry()
	require.True(t, ok)
	require.Equal(t, w.clock.Now().Add(time.Minute), at)
	w.clock.Add(time.Minute)
	require.Equal(t, 1, w.RetryDue(w.ctx))
	w.clock.Add(time.Hour)
	require.Zero(t, w.RetryDue(w.ctx), "three retries, no more")
	got := w.app.all()
	require.Len(t, got, 4)
	for i, r := range got {
		require.Equal(t, got[0].json["event_id"], r.json["event_id"])
		if i > 0 {
			require.Equal(t, itoa(int64(i)), r.header.Get("X-Slack-Retry-Num"))
			require.Equal(t, "http_error", r.header.Get("X-Slack-Retry-Reason"))
		}
	}
	require.Empty(t, got[0].header.Get("X-Slack-Retry-Num"))
	require.True(t, w.Deliveries()[0].GivenUp)
	require.Zero(t, w.app.badSig, "each try is signed at its own time")
}

func TestNoRetryHeader(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	w.app.reply(500, http.Header{"X-Slack-No-Retry": {"1"}}, "")
	_, err := w.w.Post(w.ctx, "UBOB", "C1", "hi")
	require.NoError(t, err)
	w.clock.Add(time.Hour)
	require.Zero(t, w.RetryDue(w.ctx))
}

func TestSlowAnswerIsRetried(t *testing.T) {
	w := newWorld(t, fakeslack.Options{AckTimeout: 20 * time.Millisecond})
	release := make(chan struct{})
	w.app.mu.Lock()
	w.app.answer = func(received) (int, http.Header, string) { <-release; return 200, nil, "" }
	w.app.mu.Unlock()
	_, err := w.w.Post(w.ctx, "UBOB", "C1", "hi")
	require.NoError(t, err)
	close(release)
	require.Equal(t, "http_timeout", w.Deliveries()[0].Attempts[0].Failed)
	w.app.reply(200, nil, "")
	require.Equal(t, 1, w.RetryDue(w.ctx))
	got := w.app.all()
	require.Equal(t, "http_timeout", got[len(got)-1].header.Get("X-Slack-Retry-Reason"))
}

func TestDeliveryFaults(t *testing.T) {
	post := func(w *world, text string) {
		_, err := w.w.Post(w.ctx, "UBOB", "C1", text)
		require.NoError(t, err)
	}
	texts := func(w *world) (out []any) {
		for _, r := range w.app.all() {
			out = append(out, r.event()["text"])
		}
		return out
	}
	t.Run("duplicate", func(t *testing.T) {
		w := newWorld(t, fakeslack.Options{})
		w.Fail(fakeslack.Fault{Delivery: "message", Duplicate: 2})
		post(w, "a")
		got := w.app.all()
		require.Len(t, got, 3)
		require.Equal(t, got[0].json["event_id"], got[2].json["event_id"])
	})
	t.Run("reorder", func(t *testing.T) {
		w := newWorld(t, fakeslack.Options{})
		w.Fail(fakeslack.Fault{Delivery: "*", Reorder: true})
		post(w, "a")
		post(w, "b")
		require.Equal(t, []any{"b", "a"}, texts(w))
	})
	t.Run("reorder the last", func(t *testing.T) {
		w := newWorld(t, fakeslack.Options{})
		w.Fail(fakeslack.Fault{Delivery: "*", Reorder: true})
		post(w, "a")
		require.Empty(t, w.app.all())
		require.Equal(t, 1, w.RetryDue(w.ctx))
		require.Equal(t, []any{"a"}, texts(w))
	})
	t.Run("late", func(t *testing.T) {
		w := newWorld(t, fakeslack.Options{})
		w.Fail(fakeslack.Fault{Delivery: "message", Late: time.Hour})
		post(w, "a")
		post(w, "b")
		require.Zero(t, w.RetryDue(w.ctx))
		w.clock.Add(time.Hour)
		require.Equal(t, 1, w.RetryDue(w.ctx))
		require.Equal(t, []any{"b", "a"}, texts(w))
		require.Empty(t, w.app.all()[1].header.Get("X-Slack-Retry-Num"))
	})
	t.Run("answer lost", func(t *testing.T) {
		w := newWorld(t, fakeslack.Options{})
		w.Fail(fakeslack.Fault{Delivery: "message", LoseAnswer: true})
		post(w, "a")
		require.Equal(t, 1, w.RetryDue(w.ctx))
		require.Equal(t, []any{"a", "a"}, texts(w))
	})
	t.Run("never arrived", func(t *testing.T) {
		w := newWorld(t, fakeslack.Options{})
		w.Fail(fakeslack.Fault{Delivery: "message", CloseBefore: true})
		post(w, "a")
		require.Empty(t, w.app.all())
		require.Equal(t, 1, w.RetryDue(w.ctx))
		require.Equal(t, "connection_failed", w.app.all()[0].header.Get("X-Slack-Retry-Reason"))
	})
	t.Run("others are spared", func(t *testing.T) {
		w := newWorld(t, fakeslack.Options{})
		f := w.Fail(fakeslack.Fault{Delivery: "pin_added", Duplicate: 2})
		post(w, "a")
		require.Len(t, w.app.all(), 1)
		require.Zero(t, f.Hits())
	})
}

func TestSendAndVerifyURL(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	w.app.mu.Lock()
	w.app.answer = func(r received) (int, http.Header, string) {
		c, _ := r.json["challenge"].(string)
		return 200, nil, c
	}
	w.app.mu.Unlock()
	require.NoError(t, w.VerifyURL(w.ctx))
	w.app.reply(200, nil, "no")
	require.Error(t, w.VerifyURL(w.ctx))

	w.app.reset()
	_, err := w.Send(w.ctx, []byte(`{"type":"event_callback","event":{"type":"x"},"event_id":"Ev1"}`))
	require.NoError(t, err)
	_, err = w.Send(w.ctx, []byte(`{"type":"block_actions"}`))
	require.NoError(t, err)
	_, err = w.Send(w.ctx, []byte(`{"command":"/x","text":"a b"}`))
	require.NoError(t, err)
	_, err = w.Send(w.ctx, []byte(`nonsense`))
	require.Error(t, err)
	got := w.app.all()
	require.Len(t, got, 3)
	require.Equal(t, "application/json", got[0].header.Get("Content-Type"))
	require.Equal(t, "block_actions", got[1].json["type"])
	require.Equal(t, "a b", got[2].form.Get("text"))
	require.Zero(t, w.app.badSig)
}

func TestFlushWaitsForWhatTheAppItselfDid(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	for range 20 {
		require.Equal(t, true, w.call("chat.postMessage", "channel", "C1", "text", "x")["ok"])
	}
	w.flush()
	require.Len(t, w.app.all(), 20)

	f := w.Fail(fakeslack.Fault{Delivery: "message", Hold: true})
	require.Equal(t, true, w.call("chat.postMessage", "channel", "C1", "text", "x")["ok"], "a delivery does not hold up the Web API")
	require.NoError(t, f.Wait(w.ctx))
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	require.ErrorIs(t, w.Flush(ctx), context.Canceled)
	f.Release()
	w.flush()
	require.Len(t, w.app.all(), 21)
}
