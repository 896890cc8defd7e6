package slack_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/store"
	"github.com/metagov/gateway-go/vote"
)

const hello = `{"type":"event_callback","team_id":"T1","event_id":"Ev7","event_time":1793620800,"event":{"type":"message","channel":"CHALL","user":"UANN","text":"hello","ts":"1793620800.000100"}}`

// kept says whether the store holds a delivery that came by webhook, in whatever state.
func (r *rig) kept(since int64) bool {
	var events int
	require.NoError(r.t, r.store.View(r.t.Context(), func(tx store.Tx) error {
		list, err := tx.Events(store.EventQuery{After: since}, 100)
		events = len(list)
		return err
	}))
	waiting, err := r.Inbox(r.t.Context(), "", 100)
	require.NoError(r.t, err)
	return events+len(waiting) > 0
}

// Mistakes 1, 31 and 34 of the original: no signature was checked, of a click least of all, and a time of 1970 would do.
func TestMistakes1And31And34SignaturesAreChecked(t *testing.T) {
	r := newRig(t, func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) { o.MaxBody = 4096 })
	w := r.town("T1")
	p, m := w.vote(slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
	r.due()
	all, err := w.c.Events(t.Context(), 0, 100)
	require.NoError(t, err)
	since := all[len(all)-1].Seq
	click := `{"type":"block_actions","team":{"id":"T1"},"user":{"id":"UANN"},"trigger_id":"1.2.x","container":{"type":"message","message_ts":"` + m.TS + `","channel_id":"CHALL"},
		"channel":{"id":"CHALL"},"actions":[{"action_id":"cast_vote","block_id":"gw:` + p.ID + `:option0","value":"0","action_ts":"1793620800.100000"}]}`
	at := func(d time.Duration) func(*http.Request, string) {
		return func(q *http.Request, body string) { r.fake.SignAt(q, []byte(body), r.clock.now().Add(d)) }
	}
	set := func(k, v string) func(*http.Request, string) {
		return func(q *http.Request, _ string) { q.Header.Set(k, v) }
	}
	for name, c := range map[string]struct {
		change func(*http.Request, string)
		status int
	}{
		"no signature":    {func(q *http.Request, _ string) { q.Header.Del("X-Slack-Signature") }, 401},
		"no time":         {func(q *http.Request, _ string) { q.Header.Del("X-Slack-Request-Timestamp") }, 401},
		"neither":         {func(q *http.Request, _ string) { q.Header = http.Header{} }, 401},
		"wrong":           {set("X-Slack-Signature", "v0="+strings.Repeat("ab", 32)), 401},
		"of another body": {func(q *http.Request, _ string) { r.fake.Sign(q, []byte("{}")) }, 401},
		"of another time": {set("X-Slack-Request-Timestamp", "1793620801"), 401},
		"short":           {set("X-Slack-Signature", "v0="), 401},
		"another version": {func(q *http.Request, _ string) {
			q.Header.Set("X-Slack-Signature", "v1="+strings.TrimPrefix(q.Header.Get("X-Slack-Signature"), "v0="))
		}, 401},
		"old":               {at(-301 * time.Second), 401},
		"of 1970":           {at(-r.clock.now().Sub(time.Unix(1, 0))), 401},
		"from the future":   {at(301 * time.Second), 401},
		"far in the future": {at(290 * 365 * 24 * time.Hour), 401},
	} {
		for kind, body := range map[string]string{"event": hello, "click": form(click)} {
			res := r.post(body, func(q *http.Request) { c.change(q, body) })
			require.Equal(t, c.status, res.StatusCode, "%s, %s", name, kind)
			require.False(t, r.kept(since), "%s, %s", name, kind)
		}
	}
	require.Equal(t, http.StatusMethodNotAllowed, r.post(hello, func(q *http.Request) { q.Method = http.MethodGet }).StatusCode)
	require.Equal(t, http.StatusMethodNotAllowed, r.post(hello, func(q *http.Request) { q.Method = http.MethodPut }).StatusCode)
	require.Equal(t, http.StatusRequestEntityTooLarge, r.post(strings.Repeat(" ", 5000)+hello).StatusCode)
	require.False(t, r.kept(since))
	p, _ = w.again(p, m)
	require.Empty(t, p.Counts, "nobody's vote was counted")

	// The same two, signed, are taken; five minutes of difference are allowed either way.
	require.Equal(t, 200, r.post(form(click), func(q *http.Request) { at(-300*time.Second)(q, form(click)) }).StatusCode)
	require.Equal(t, 200, r.post(hello, func(q *http.Request) { at(300*time.Second)(q, hello) }).StatusCode)
	require.True(t, r.kept(since))
	p, _ = w.again(p, m)
	require.Equal(t, map[string]int64{"yes": 1}, counts(p))
}

func TestWithoutASigningSecretEveryDeliveryIsRefused(t *testing.T) {
	_, err := slack.New(slack.App{ClientID: "1.2", ClientSecret: "s"})
	require.ErrorIs(t, err, gateway.Invalid)
	require.ErrorContains(t, err, "SigningSecret")
	_, err = slack.New(slack.App{SigningSecret: "s", ClientID: "1.2"})
	require.ErrorIs(t, err, gateway.Invalid)

	// With Socket Mode alone the HTTP door stays shut, also for who signs with the empty secret.
	r := newRig(t, func(a *slack.App, o *fakeslack.Options, _ *gateway.Options) { a.AppToken, a.SigningSecret = "set", "" })
	r.town("T1")
	require.Equal(t, 401, r.post(hello).StatusCode)
	require.Equal(t, 401, r.post(`{"type":"url_verification","challenge":"c"}`).StatusCode)
	require.False(t, r.kept(0))
}

// Mistake 33: the challenge was echoed unsigned, as HTML.
func TestMistake33TheChallengeIsSignedAndText(t *testing.T) {
	r := newRig(t)
	body := `{"type":"url_verification","token":"x","challenge":"<script>1</script>"}`
	require.Equal(t, 401, r.post(body, func(q *http.Request) { q.Header.Del("X-Slack-Signature") }).StatusCode)
	res := r.post(body)
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
	require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "<script>1</script>", string(raw))
	require.NoError(t, r.fake.VerifyURL(t.Context()))
	require.Equal(t, 200, r.post("ssl_check=1&token=x").StatusCode)
	require.False(t, r.kept(0))
}

// Mistake 36: what could not be read was a 500.
func TestMistake36WhatCannotBeReadIs400(t *testing.T) {
	r := newRig(t)
	r.town("T1")
	for _, body := range []string{
		"", "{", "[]", "null", `{"type":5}`, `{"type":"event_callback","event":[]}`, "payload=", "a=b", "\xff",
		`{"type":"x","a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
	} {
		require.Equal(t, 400, r.post(body).StatusCode, "%.40q", body)
	}
	require.False(t, r.kept(0))
	res := r.post(hello, func(q *http.Request) { q.Header.Set("Content-Type", "application/json; charset=utf-8") })
	require.Equal(t, 200, res.StatusCode)
	res = r.post(`{"type":"event_callback","team_id":"T1","event_id":"Ev8","event":{"type":"push","x":{}}}`)
	require.Equal(t, 200, res.StatusCode)
	require.Len(t, r.events("push"), 1, "a type that nobody knew is passed on")
}

// Mistakes 9 and 34: every retry was an event of its own, and one kind of retry was dropped even if the first try had died.
func TestMistakes9And34ARetryIsTheSameEventOnce(t *testing.T) {
	r := newRig(t)
	w := r.town("T1")
	r.fake.Fail(fakeslack.Fault{Delivery: "message", LoseAnswer: true})
	_, err := w.w.Post(t.Context(), "UANN", "CHALL", "came, and the answer was lost")
	require.NoError(t, err)
	r.fake.Fail(fakeslack.Fault{Delivery: "message", CloseBefore: true})
	_, err = w.w.Post(t.Context(), "UBOB", "CHALL", "did not come at first")
	require.NoError(t, err)
	require.Len(t, r.events("message"), 1)
	for range 4 {
		r.later(6 * time.Minute)
		r.fake.RetryDue(t.Context())
	}
	got := r.events("message")
	require.Len(t, got, 2)
	require.Equal(t, []string{"UANN", "UBOB"}, []string{got[0].Initiator, got[1].Initiator})

	for range 3 {
		require.Equal(t, 200, r.post(hello, func(q *http.Request) {
			q.Header.Set("X-Slack-Retry-Num", "1")
			q.Header.Set("X-Slack-Retry-Reason", "http_timeout")
		}).StatusCode)
	}
	require.Len(t, r.events("message"), 3)
}

func TestAnUnknownWorkspaceWaitsUntilItIsInstalled(t *testing.T) {
	r := newRig(t)
	w := r.workspace("T1")
	_, err := w.Post(t.Context(), "UANN", "CHALL", "is anybody there?")
	require.NoError(t, err)
	waiting, err := r.Inbox(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	require.Equal(t, "unknown:slack:T1", waiting[0].For)
	require.Empty(t, r.events(""))
	r.enable(w, "t1")
	got := r.events("message")
	require.Len(t, got, 1)
	require.Equal(t, "UANN", got[0].Initiator)
}

func TestTwoWorkspacesOfOneAppDoNotMix(t *testing.T) {
	r := newRig(t)
	one, two := r.town("T1"), r.town("T2")
	_, err := one.w.Post(t.Context(), "UANN", "CHALL", "one")
	require.NoError(t, err)
	require.Len(t, r.events("message"), 1)
	e, err := two.c.Events(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, e)

	p1, m1 := one.vote(slack.Vote{Ask: vote.Ask{Title: "One?"}, Channel: "CHALL"})
	r.clock.advance(time.Second)
	p2, m2 := two.vote(slack.Vote{Ask: vote.Ask{Title: "Two?"}, Channel: "CHALL"})
	one.click("UANN", m1, "0")
	two.click("UANN", m2, "1")
	p1, _ = one.again(p1, m1)
	p2, _ = two.again(p2, m2)
	require.Equal(t, map[string]int64{"yes": 1}, counts(p1))
	require.Equal(t, map[string]int64{"no": 1}, counts(p2))
	_, err = two.c.Process(t.Context(), p1.ID)
	require.ErrorIs(t, err, gateway.NotFound)

	// A click of workspace two that names the vote of workspace one, and its very message, changes nothing.
	body := `{"type":"block_actions","team":{"id":"T2"},"user":{"id":"UBOB"},"trigger_id":"9.9.x","container":{"message_ts":"` + m1.TS + `","channel_id":"CHALL"},
		"actions":[{"action_id":"cast_vote","block_id":"gw:` + p1.ID + `:option0","value":"0","action_ts":"1793620999.100000"}]}`
	require.Equal(t, 200, r.post(form(body)).StatusCode)
	r.due()
	p1, _ = one.again(p1, m1)
	require.Equal(t, map[string]int64{"yes": 1}, counts(p1))
}

func TestCommandsAndShortcutsAreEvents(t *testing.T) {
	r := newRig(t)
	w := r.town("T1")
	_, err := w.w.Command(t.Context(), "UANN", "CHALL", "/vote", "now & here")
	require.NoError(t, err)
	_, err = w.w.Shortcut(t.Context(), "UBOB", "propose")
	require.NoError(t, err)
	ts, err := w.w.Post(t.Context(), "UANN", "CHALL", "this")
	require.NoError(t, err)
	_, err = w.w.MessageShortcut(t.Context(), "UCID", "CHALL", ts, "revert")
	require.NoError(t, err)
	for typ, user := range map[string]string{"slash_command": "UANN", "shortcut": "UBOB", "message_action": "UCID"} {
		got := r.events(typ)
		require.Len(t, got, 1, typ)
		require.Equal(t, user, got[0].Initiator)
		require.NotContains(t, string(got[0].Data), r.fake.App().VerificationToken)
	}
	require.Contains(t, string(r.events("slash_command")[0].Data), `"text":"now \u0026 here"`)
}

func TestUninstallingPausesAndInstallingAgainResumes(t *testing.T) {
	r := newRig(t)
	w := r.town("T1")
	w.w.Uninstall()
	require.NoError(t, r.fake.Flush(t.Context()))
	r.due()
	status, reason, err := w.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "paused "+gateway.BadCredentials, status+" "+reason)
	_, err = w.inst.Do(t.Context(), "post-message", slack.Message{Channel: "CHALL", Text: "x"})
	require.ErrorIs(t, err, gateway.Conflict)
}

func TestALateWordOfUninstallingDoesNotPauseTheNextInstallation(t *testing.T) {
	r := newRig(t)
	w := r.town("T1")
	for _, body := range []string{
		`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"app_uninstalled"}}`,
		`{"type":"event_callback","team_id":"T1","event_id":"Ev2","event":{"type":"tokens_revoked","tokens":{"oauth":["UANN"],"bot":[]}}}`,
	} {
		require.Equal(t, 200, r.post(body).StatusCode)
	}
	require.Len(t, r.events("app_uninstalled"), 1)
	require.Len(t, r.events("tokens_revoked"), 1)
	status, _, err := w.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status)
}
