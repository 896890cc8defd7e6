package fakeslack_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

func (w *world) post(text string) error {
	_, _, err := w.bot.PostMessageContext(w.ctx, "C1", slack.MsgOptionText(text, false))
	return err
}

func TestAnswersOnDemand(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	f := w.Fail(fakeslack.Fault{Method: "chat.postMessage", Status: 500, Times: 2, Skip: 1})
	require.NoError(t, w.post("passes"))
	var status slack.StatusCodeError
	require.ErrorAs(t, w.post("x"), &status)
	require.Equal(t, 500, status.Code)
	require.Error(t, w.post("x"))
	require.NoError(t, w.post("passes"))
	require.Equal(t, 2, f.Hits())
	require.Len(t, w.w.Messages("C1"), 2)

	w.Fail(fakeslack.Fault{Method: "chat.postMessage", Body: "<html>Slack is having trouble</html>"})
	require.ErrorContains(t, w.post("x"), "invalid character")
	w.Fail(fakeslack.Fault{Method: "*", Error: "fatal_error"})
	require.ErrorContains(t, w.post("x"), "fatal_error")
	w.Fail(fakeslack.Fault{RetryAfter: 1500 * time.Millisecond})
	var limited *slack.RateLimitedError
	require.ErrorAs(t, w.post("x"), &limited)
	require.Equal(t, 2*time.Second, limited.RetryAfter)
	require.Len(t, w.w.Messages("C1"), 2, "none of these acted")

	always := w.Fail(fakeslack.Fault{Method: "chat.postMessage", Error: "fatal_error", Times: -1})
	for range 5 {
		require.Error(t, w.post("x"))
	}
	always.Remove()
	require.NoError(t, w.post("x"))
	calls := w.CallsTo("chat.postMessage")
	require.JSONEq(t, `{"ok":false,"error":"fatal_error"}`, string(calls[len(calls)-2].Answer.Body))
}

func TestConnectionsOnDemand(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	w.Fail(fakeslack.Fault{Method: "chat.postMessage", CloseBefore: true})
	require.Error(t, w.post("never"))
	require.Empty(t, w.w.Messages("C1"))

	w.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
	require.Error(t, w.post("done, but who knows"))
	require.Len(t, w.w.Messages("C1"), 1, "it happened although the answer was lost")
	w.flush()
	require.Len(t, w.app.all(), 1, "and its event is sent")
	calls := w.CallsTo("chat.postMessage")
	require.Zero(t, calls[1].Answer.Status)
}

func TestHold(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	for name, f := range map[string]fakeslack.Fault{"before": {Method: "chat.postMessage", Hold: true}, "after": {Method: "chat.postMessage", HoldAnswer: true}} {
		before := len(w.w.Messages("C1"))
		held := w.Fail(f)
		done := make(chan error, 1)
		go func() { done <- w.post(name) }()
		require.NoError(t, held.Wait(w.ctx))
		require.NoError(t, w.post("another overtakes"))
		if f.Hold {
			require.Len(t, w.w.Messages("C1"), before+1)
		} else {
			require.Eventually(t, func() bool { return len(w.w.Messages("C1")) == before+2 }, 5*time.Second, time.Millisecond)
		}
		select {
		case err := <-done:
			t.Fatalf("%s: answered while held: %v", name, err)
		default:
		}
		held.Release()
		require.NoError(t, <-done)
		require.Len(t, w.w.Messages("C1"), before+2)
	}
}

func TestClientRefusesOtherHosts(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	for _, u := range []string{"https://evil.example/x", "http://127.0.0.1:1/", "https://slack.com.evil.example/", "https://slack.com@evil.example/",
		"https://slack.com:8443/api/auth.test", "https://notslack.com/", "http://169.254.169.254/latest", w.app.URL} {
		r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, u, nil)
		require.NoError(t, err)
		_, err = w.Client().Do(r)
		require.ErrorIs(t, err, fakeslack.ErrHost, u)
	}
	require.Len(t, w.Refused(), 8)
	require.Empty(t, w.app.all())
	for _, u := range []string{"https://slack.com/api/api.test", "http://www.slack.com/api/api.test", "https://SLACK.com:443/api/api.test", w.URL() + "/api/api.test"} {
		client := w.Client()
		if u == w.URL()+"/api/api.test" {
			client = http.DefaultClient
		}
		res, err := client.Get(u)
		require.NoError(t, err, u)
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Contains(t, string(b), `"ok":true`)
	}
	// The Web API is not on the host of the response URLs.
	res, err := w.Client().Get("https://hooks.slack.com/api/api.test")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 404, res.StatusCode)
}

func TestCloseReleasesEverything(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	held := w.Fail(fakeslack.Fault{Method: "chat.postMessage", Hold: true})
	delivery := w.Fail(fakeslack.Fault{Delivery: "message", Hold: true})
	posted := make(chan error, 2)
	go func() { posted <- w.post("x") }()
	go func() {
		_, err := w.w.Post(w.ctx, "UBOB", "C1", "x")
		posted <- err
	}()
	require.NoError(t, held.Wait(w.ctx))
	require.NoError(t, delivery.Wait(w.ctx))
	w.Close()
	for range 2 {
		err := <-posted
		require.False(t, errors.Is(err, context.DeadlineExceeded))
	}
}
