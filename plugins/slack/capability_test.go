package slack_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/vote"
)

// Commands and shortcuts are events, answered at once, with what a driver needs to answer the person: the trigger and the response URL.
func TestCommandsAndShortcutsCarryTheirCapabilities(t *testing.T) {
	w := newRig(t).town("T1")
	a, err := w.w.Command(t.Context(), "UANN", "CHALL", "/propose", "more soup")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status)
	require.Empty(t, a.Body, "what would be in it everybody could see as the app's answer")
	got := w.events("slash_command")
	require.Len(t, got, 1)
	require.Equal(t, "UANN", got[0].Initiator)
	require.NotContains(t, string(got[0].Data), `"token"`)
	data := fields(t, got[0].Data)
	require.Equal(t, "/propose", data["command"])
	require.Equal(t, "more soup", data["text"])
	require.True(t, strings.HasPrefix(data["response_url"].(string), "https://hooks.slack.com/commands/T1/"))

	// The trigger opens a view for three seconds.
	open := func(trigger any) error {
		raw, err := json.Marshal(map[string]any{"method_name": "views.open", "trigger_id": trigger, "view": map[string]any{
			"type": "modal", "title": map[string]any{"type": "plain_text", "text": "Propose"}, "callback_id": "propose",
			"submit": map[string]any{"type": "plain_text", "text": "Go"}, "blocks": []any{map[string]any{"type": "divider"}}}})
		require.NoError(t, err)
		_, err = w.inst.Do(t.Context(), "method", json.RawMessage(raw))
		return err
	}
	require.NoError(t, open(data["trigger_id"]))
	_, err = w.w.Command(t.Context(), "UANN", "CHALL", "/propose", "again")
	require.NoError(t, err)
	w.clock.advance(4 * time.Second)
	second := fields(t, w.events("slash_command")[1].Data)
	require.ErrorIs(t, open(second["trigger_id"]), gateway.Conflict, "a trigger lives for three seconds")

	send := func(payload string) {
		a, err := w.fake.Send(t.Context(), []byte(payload))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status)
	}
	send(`{"type":"shortcut","token":"x","callback_id":"all","team":{"id":"T1"},"user":{"id":"UBOB"},"trigger_id":"9.1","action_ts":"1793620800.1"}`)
	send(`{"type":"message_action","token":"x","callback_id":"one","team":{"id":"T1"},"user":{"id":"UBOB"},"trigger_id":"9.2","response_url":"https://hooks.slack.com/app/T1/1/x",
		"channel":{"id":"CHALL"},"message_ts":"1.0","message":{"ts":"1.0"}}`)
	require.Equal(t, "9.1", fields(t, w.events("shortcut")[0].Data)["trigger_id"])
	act := fields(t, w.events("message_action")[0].Data)
	require.Equal(t, "9.2", act["trigger_id"])
	require.Equal(t, "https://hooks.slack.com/app/T1/1/x", act["response_url"])
	for _, e := range w.events("") {
		require.NotContains(t, string(e.Data), `"token":`)
	}
}

// A submission of a view that was closed, or that nobody knows, is an event like any other: the driver decides what it means.
func TestAViewIsSubmittedAfterItWasClosed(t *testing.T) {
	w := newRig(t).town("T1")
	for _, typ := range []string{"view_closed", "view_submission", "view_submission"} {
		a, err := w.fake.Send(t.Context(), []byte(`{"type":"`+typ+`","token":"x","team":{"id":"T1"},"user":{"id":"UANN"},"trigger_id":"3.`+typ+`","view":{"id":"V1","hash":"1.a","callback_id":"c","state":{"values":{}}}}`))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status)
		require.Empty(t, a.Body, "an empty answer closes the view")
	}
	require.Len(t, w.events("view_closed"), 1)
	require.Len(t, w.events("view_submission"), 1, "the same submission counts once")
	require.Equal(t, "UANN", w.events("view_submission")[0].Initiator)
}

// Channel IDs are of one workspace: what happens in the other's channel of that name is the other's.
func TestTwoWorkspacesWithTheSameChannelIDs(t *testing.T) {
	r := newRig(t)
	one, two := r.town("T1"), r.town("T2")
	p1, m1 := one.vote(slack.Vote{Ask: vote.Ask{Title: "One"}, Channel: "CHALL"})
	p2, m2 := two.vote(slack.Vote{Ask: vote.Ask{Title: "Two"}, Channel: "CHALL"})
	one.click("UANN", m1, "0")
	two.click("UANN", m2, "1")
	// The first's vote, clicked in the second.
	body := `{"type":"block_actions","team":{"id":"T2"},"user":{"id":"UBOB"},"trigger_id":"7.7","container":{"message_ts":"` + m1.TS + `","channel_id":"CHALL"},
		"actions":[{"action_id":"cast_vote","block_id":"gw:` + p1.ID + `:option0","value":"0","action_ts":"1793620800.1"}]}`
	a, err := r.fake.Send(t.Context(), []byte(body))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status)
	r.due()
	p1, _ = one.again(p1, m1)
	p2, _ = two.again(p2, m2)
	require.Equal(t, map[string]int64{"yes": 1}, counts(p1))
	require.Equal(t, map[string]int64{"no": 1}, counts(p2))

	for _, w := range []*town{one, two} {
		ts, err := w.w.Post(t.Context(), "UANN", "CHALL", "pin me")
		require.NoError(t, err)
		_, err = w.inst.Do(t.Context(), "pin-message", slack.Item{Place: slack.Place{Channel: "CHALL"}, TS: ts})
		require.NoError(t, err)
	}
	_, err = one.inst.Do(t.Context(), "rename-conversation", slack.RenameConversation{Place: slack.Place{Channel: "CHALL"}, Name: "agora"})
	require.NoError(t, err)
	require.NoError(t, two.w.Rename(t.Context(), "UADMIN", "CHALL", "agora"))
	renames := r.events("channel_rename")
	require.Len(t, renames, 2)
	for _, e := range renames {
		require.Equal(t, e.Instance == one.inst.ID(), e.Cause != "", "the other's rename is a person's")
	}
	for _, e := range r.events("pin_added") {
		require.NotEmpty(t, e.Cause)
	}
}

// Slack says that it holds events back: drivers hear of it, and whoever runs the program finds it in the log.
func TestAppRateLimited(t *testing.T) {
	var log strings.Builder
	r := newRig(t, logTo(&log))
	w := r.town("T1")
	a, err := r.fake.Send(t.Context(), []byte(`{"token":"x","type":"app_rate_limited","team_id":"T1","minute_rate_limited":1793620800,"api_app_id":"A1"}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status)
	got := w.events("app_rate_limited")
	require.Len(t, got, 1)
	require.Contains(t, string(got[0].Data), `"minute_rate_limited":1793620800`)
	require.NotContains(t, string(got[0].Data), "token")
	require.Contains(t, log.String(), "Slack holds events back")
	require.Contains(t, log.String(), "level=WARN")
}

type object map[string]any

// raw is a field as JSON.
func (o object) raw(name string) string {
	raw, err := json.Marshal(o[name])
	if err != nil {
		return "null"
	}
	return string(raw)
}

func fields(t *testing.T, raw json.RawMessage) object {
	t.Helper()
	var out object
	require.NoError(t, json.Unmarshal(raw, &out))
	return out
}

func logTo(b *strings.Builder) rigOption {
	return func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) {
		o.Log = slog.New(slog.NewTextHandler(&guarded{b: b}, nil))
	}
}

// guarded is a log that several goroutines write.
type guarded struct {
	mu sync.Mutex
	b  *strings.Builder
}

func (g *guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(p)
}
