package fakeslack_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"
)

func (w *world) dial() *websocket.Conn {
	w.t.Helper()
	a := w.callAs(w.App().AppToken, "apps.connections.open")
	require.Equal(w.t, true, a["ok"], a)
	c, _, err := websocket.DefaultDialer.DialContext(w.ctx, a["url"].(string), nil)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	require.Equal(w.t, "hello", read(w.t, c)["type"])
	_, _, err = websocket.DefaultDialer.DialContext(w.ctx, a["url"].(string), nil)
	require.Error(w.t, err, "an address works once")
	return c
}

func read(t *testing.T, c *websocket.Conn) map[string]any {
	t.Helper()
	_, b, err := c.ReadMessage()
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(b, &m))
	return m
}

func TestSocketMode(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	c := w.dial()
	done := make(chan error, 1)
	go func() {
		_, err := w.w.Post(w.ctx, "UBOB", "C1", "hi")
		done <- err
	}()
	m := read(t, c)
	require.Equal(t, "events_api", m["type"])
	require.Equal(t, false, m["accepts_response_payload"])
	require.Equal(t, "hi", m["payload"].(map[string]any)["event"].(map[string]any)["text"])
	require.NoError(t, c.WriteJSON(map[string]any{"envelope_id": m["envelope_id"]}))
	require.NoError(t, <-done)
	require.Empty(t, w.app.all(), "a socket takes precedence over the request URL")

	go func() {
		a, err := w.w.Command(w.ctx, "UBOB", "C1", "/vote", "x")
		if err == nil && !strings.Contains(string(a.Body), "started") {
			err = context.Canceled
		}
		done <- err
	}()
	m = read(t, c)
	require.Equal(t, "slash_commands", m["type"])
	require.Equal(t, true, m["accepts_response_payload"])
	require.Equal(t, "/vote", m["payload"].(map[string]any)["command"])
	require.NoError(t, c.WriteJSON(map[string]any{"envelope_id": m["envelope_id"], "payload": map[string]any{"text": "started"}}))
	require.NoError(t, <-done)
	require.Equal(t, "started", w.w.Ephemerals("UBOB")[0].Text)
}

func TestUnacknowledgedIsSentAgain(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	w.SetRequestURL("", nil)
	c := w.dial()
	done := make(chan error, 1)
	go func() {
		_, err := w.w.Post(w.ctx, "UBOB", "C1", "hi")
		done <- err
	}()
	first := read(t, c)
	w.Disconnect("refresh_requested")
	bye := read(t, c)
	require.Equal(t, "disconnect", bye["type"])
	require.Equal(t, "refresh_requested", bye["reason"])
	require.NoError(t, <-done)
	require.NoError(t, w.WaitSockets(w.ctx, 0))
	_, err := w.w.Post(w.ctx, "UBOB", "C1", "meanwhile")
	require.NoError(t, err)

	c = w.dial()
	again := read(t, c)
	id := func(m map[string]any) any { return m["payload"].(map[string]any)["event_id"] }
	require.Equal(t, id(first), id(again))
	require.EqualValues(t, 1, again["retry_attempt"])
	require.NoError(t, c.WriteJSON(map[string]any{"envelope_id": again["envelope_id"]}))
	m := read(t, c)
	require.Equal(t, "meanwhile", m["payload"].(map[string]any)["event"].(map[string]any)["text"])
	require.NoError(t, c.WriteJSON(map[string]any{"envelope_id": m["envelope_id"]}))
	w.flush()
}

func TestSlackGoSocketMode(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	client := socketmode.New(slack.New(w.token, slack.OptionAppLevelToken(w.App().AppToken), slack.OptionHTTPClient(w.Client())))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = client.RunContext(ctx)
	}()
	require.NoError(t, w.WaitSockets(ctx, 1))
	posted := make(chan error, 1)
	go func() {
		_, err := w.w.Post(ctx, "UBOB", "C1", "hi")
		posted <- err
	}()
	for e := range client.Events {
		if e.Type == socketmode.EventTypeEventsAPI {
			require.NoError(t, client.AckCtx(ctx, e.Request.EnvelopeID, nil))
			break
		}
	}
	require.NoError(t, <-posted)
	require.Empty(t, w.Deliveries()[0].Attempts[0].Failed)
	cancel()
	for {
		select {
		case <-client.Events:
		case <-ended:
			return
		}
	}
}
