package slack_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/slack"
	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/metagov/gateway-go/vote"
)

func (w *town) say(in any, opts ...gateway.DoOption) (slack.Posted, error) {
	return gateway.Do[slack.Posted](w.t.Context(), w.inst, "post-message", in, opts...)
}

func TestPostMessageTakesWhatSlackTakes(t *testing.T) {
	w := newRig(t).town("T1")
	root, err := w.say(slack.Message{Channel: "CHALL", Text: "root"})
	require.NoError(t, err)
	reply, err := w.say(slack.Message{
		Channel: "CHALL", Text: "reply", ThreadTS: root.TS, ReplyBroadcast: true, UnfurlLinks: new(false), UnfurlMedia: new(true),
		Blocks:      []map[string]any{{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": "*hi*"}}},
		Attachments: []map[string]any{{"text": "more"}},
		Metadata:    &slack.Metadata{EventType: "proposal", EventPayload: map[string]any{"number": 7}},
		More:        map[string]json.RawMessage{"username": json.RawMessage(`"Herald"`), "link_names": json.RawMessage(`true`)},
	})
	require.NoError(t, err)
	m, ok := w.w.Message("CHALL", reply.TS)
	require.True(t, ok)
	require.Equal(t, root.TS, m.ThreadTS)
	require.True(t, m.Broadcast)
	require.Equal(t, "Herald", m.Username)
	require.Contains(t, string(m.Blocks), "*hi*")
	require.Contains(t, string(m.Attachments), "more")
	require.Contains(t, string(m.Metadata), `"event_type":"proposal"`)
	require.Contains(t, string(m.Metadata), `"number":7`, "the caller's own metadata is kept")
	a := w.fake.CallsTo("chat.postMessage")[1].Args
	require.Equal(t, []string{"false", "true", "true"}, []string{a.Get("unfurl_links"), a.Get("unfurl_media"), a.Get("link_names")})

	_, err = w.say(slack.Message{Channel: "CHALL", MarkdownText: "# Title"})
	require.NoError(t, err)
	for _, users := range [][]string{{"UANN"}, {"UANN", "UBOB", "UCID"}} {
		dm, err := w.say(slack.Message{Users: users, Text: "psst"})
		require.NoError(t, err)
		require.Subset(t, w.w.Members(dm.Channel), users)
		require.Equal(t, w.w.OpenDM(append([]string{w.w.BotUserID()}, users...)...), dm.Channel)
	}
	got := w.events("message")
	require.Len(t, got, 5, "the app hears of its own messages")
	for _, e := range got {
		require.Equal(t, w.w.BotUserID(), e.Initiator, "also of the one under another name")
		require.True(t, e.Bot)
		require.NotEmpty(t, e.Cause)
	}
}

func TestPostMessageRefuses(t *testing.T) {
	w := newRig(t).town("T1")
	for name, in := range map[string]string{
		"neither":         `{"text":"x"}`,
		"both":            `{"text":"x","channel":"CHALL","users":["UANN"]}`,
		"nothing to say":  `{"channel":"CHALL"}`,
		"nine people":     `{"text":"x","users":["U1","U2","U3","U4","U5","U6","U7","U8","U9"]}`,
		"broadcast alone": `{"text":"x","channel":"CHALL","reply_broadcast":true}`,
		"a token":         `{"text":"x","channel":"CHALL","token":"t"}`,
		"another token":   `{"text":"x","channel":"CHALL","Access_Token":"t"}`,
		"wrong type":      `{"text":5,"channel":"CHALL"}`,
		"too many blocks": `{"channel":"CHALL","blocks":[` + strings.TrimSuffix(strings.Repeat(`{"type":"divider"},`, 51), ",") + `]}`,
		"empty":           `{}`,
	} {
		_, err := w.say(json.RawMessage(in))
		require.ErrorIs(t, err, gateway.Invalid, name)
	}
	require.Empty(t, w.fake.CallsTo("chat.postMessage"))
	for name, c := range map[string]struct {
		in   slack.Message
		code gateway.Code
	}{
		"no such channel": {slack.Message{Channel: "CNONE", Text: "x"}, gateway.NotFound},
		"no such thread":  {slack.Message{Channel: "CHALL", Text: "x", ThreadTS: "1.000000"}, gateway.NotFound},
		"no such person":  {slack.Message{Users: []string{"UNONE"}, Text: "x"}, gateway.NotFound},
		"bad blocks":      {slack.Message{Channel: "CHALL", Blocks: []map[string]any{{"type": "none"}}}, gateway.Invalid},
		"too long":        {slack.Message{Channel: "CHALL", Text: strings.Repeat("x", 40_001)}, gateway.Invalid},
	} {
		_, err := w.say(c.in)
		require.ErrorIs(t, err, c.code, name)
	}
}

func TestMethodCallsAnything(t *testing.T) {
	w := newRig(t).town("T1")
	ts, err := w.w.Post(t.Context(), "UANN", "CHALL", "pin me")
	require.NoError(t, err)
	do := func(in string) (map[string]json.RawMessage, error) {
		return gateway.Do[map[string]json.RawMessage](t.Context(), w.inst, "method", json.RawMessage(in))
	}
	_, err = do(`{"method_name":"pins.add","channel":"CHALL","timestamp":"` + ts + `"}`)
	require.NoError(t, err)
	_, err = do(`{"method_name":"pins.add","channel":"CHALL","timestamp":"` + ts + `"}`)
	require.ErrorIs(t, err, gateway.Conflict)
	out, err := do(`{"method_name":"users.info","user":"UANN","include_locale":true}`)
	require.NoError(t, err)
	require.Contains(t, string(out["user"]), `"UANN"`)
	require.NotContains(t, out, "ok")
	_, err = do(`{"method_name":"chat.postMessage","channel":"CPARK","text":"joined to say this","blocks":[{"type":"divider"}]}`)
	require.NoError(t, err)
	require.NotEmpty(t, w.events("pin_added"))
	require.True(t, w.events("pin_added")[0].Bot)

	before := len(w.fake.Calls())
	for name, c := range map[string]struct {
		in   string
		code gateway.Code
	}{
		"no method":          {`{"channel":"C1"}`, gateway.Invalid},
		"a path":             {`{"method_name":"../../evil"}`, gateway.Invalid},
		"a query":            {`{"method_name":"chat.postMessage?x=1"}`, gateway.Invalid},
		"a token":            {`{"method_name":"auth.test","token":"x"}`, gateway.Invalid},
		"a secret":           {`{"method_name":"auth.test","client_secret":"x"}`, gateway.Invalid},
		"channel of a list":  {`{"method_name":"pins.list","channel":["C1"]}`, gateway.Invalid},
		"oauth":              {`{"method_name":"oauth.v2.access","code":"x"}`, gateway.Denied},
		"revoking the token": {`{"method_name":"auth.revoke"}`, gateway.Denied},
		"uninstalling":       {`{"method_name":"apps.uninstall"}`, gateway.Denied},
	} {
		_, err := do(c.in)
		require.ErrorIs(t, err, c.code, name)
	}
	require.Len(t, w.fake.Calls(), before, "Slack did not hear of any of these")
	_, err = do(`{"method_name":"no.such"}`)
	require.ErrorIs(t, err, gateway.Invalid)
}

// joined makes a workspace whose bot may write only where it is.
func narrow(t *testing.T, scopes ...string) *town {
	r := newRig(t)
	w := r.fake.AddWorkspace("T1", "Town")
	for _, u := range []string{"UADMIN", "UANN"} {
		w.AddUser(u, strings.ToLower(u), fakeslack.Admin())
	}
	w.Install(scopes...)
	w.AddChannel("CHALL", "town-hall", "UADMIN", "UANN")
	w.AddChannel("CSECRET", "secret", "UANN").Private()
	return r.enable(w, "t1")
}

func TestABotJoinsAPublicChannelOnce(t *testing.T) {
	w := narrow(t, "chat:write", "channels:join", "channels:read", "channels:history")
	_, err := w.say(slack.Message{Channel: "CHALL", Text: "hello"})
	require.NoError(t, err)
	require.Len(t, w.fake.CallsTo("conversations.join"), 1)
	_, err = w.say(slack.Message{Channel: "CHALL", Text: "again"})
	require.NoError(t, err)
	require.Len(t, w.fake.CallsTo("conversations.join"), 1)
	_, err = w.say(slack.Message{Channel: "CSECRET", Text: "knock"})
	require.ErrorIs(t, err, gateway.NotFound)

	w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Error: "not_in_channel", Times: -1})
	_, err = w.say(slack.Message{Channel: "CHALL", Text: "never"})
	require.ErrorIs(t, err, gateway.Conflict)
	require.Len(t, w.fake.CallsTo("conversations.join"), 2, "once for each call")
}

func TestAMissingScopeIsNamed(t *testing.T) {
	w := narrow(t, "chat:write")
	_, err := w.inst.Do(t.Context(), "method", json.RawMessage(`{"method_name":"pins.list","channel":"CHALL"}`))
	require.ErrorIs(t, err, gateway.Denied)
	require.ErrorContains(t, err, "pins:read")
	_, err = w.say(slack.Message{Channel: "CHALL", Text: "x"})
	require.ErrorIs(t, err, gateway.Conflict, "it could not join, and says what was the matter first")
	require.ErrorContains(t, err, "not_in_channel")
	status, _, err := w.inst.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "active", status, "a missing scope is no bad credential")
}

func TestARateLimitIsHonoured(t *testing.T) {
	r := newRig(t)
	one, two := r.town("T1"), r.town("T2")
	r.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", RetryAfter: 30 * time.Second})
	_, err := one.say(slack.Message{Channel: "CHALL", Text: "x"})
	require.ErrorIs(t, err, gateway.Unavailable)
	require.Equal(t, 30*time.Second, gateway.RetryAfter(err))
	r.clock.advance(20 * time.Second)
	_, err = one.say(slack.Message{Channel: "CHALL", Text: "x"})
	require.Equal(t, 10*time.Second, gateway.RetryAfter(err))
	require.Len(t, r.fake.CallsTo("chat.postMessage"), 1, "Slack was not asked again")
	_, err = two.say(slack.Message{Channel: "CHALL", Text: "x"})
	require.NoError(t, err, "another workspace may")
	_, err = one.inst.Do(t.Context(), "method", json.RawMessage(`{"method_name":"users.list"}`))
	require.NoError(t, err, "another method may")
	r.clock.advance(10 * time.Second)
	_, err = one.say(slack.Message{Channel: "CHALL", Text: "x"})
	require.NoError(t, err)
}

func TestAVoteThatSlackPutsOffStartsLater(t *testing.T) {
	w := newRig(t).town("T1")
	w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", RetryAfter: time.Minute})
	p, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
	require.NoError(t, err)
	require.Equal(t, gateway.StatusCreated, p.Status)
	for range 5 {
		w.later(time.Minute)
	}
	p, _ = w.again(p, w.message(p))
	require.Equal(t, gateway.StatusPending, p.Status)
	require.Len(t, w.w.Messages("CHALL"), 1)
	require.Empty(t, w.fake.CallsTo("conversations.history"), "Slack had said no, so nothing is looked for")
}

// A vote that is called off before Slack has taken it says nothing of a result: nobody knows of it.
func TestAVoteThatEndsBeforeItIsPostedSaysNothing(t *testing.T) {
	for _, publish := range []string{"thread", "channel"} {
		w := newRig(t).town("T1")
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Status: 503})
		p, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL", Publish: publish})
		require.NoError(t, err)
		require.Equal(t, gateway.StatusCreated, p.Status)
		_, err = w.c.Cancel(t.Context(), p.ID)
		require.NoError(t, err)
		w.later(time.Hour)
		require.Empty(t, w.w.Messages("CHALL"), publish)
	}
}

// The message was posted and the answer lost: it is found by its metadata, and stands there once.
func TestALostAnswerPostsOnce(t *testing.T) {
	t.Run("found at once", func(t *testing.T) {
		w := newRig(t).town("T1")
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		got, err := w.say(slack.Message{Channel: "CHALL", Text: "once"})
		require.NoError(t, err)
		require.Len(t, w.w.Messages("CHALL"), 1)
		require.Equal(t, w.w.Messages("CHALL")[0].TS, got.TS)
		e := w.events("message")
		require.Len(t, e, 1)
		require.NotEmpty(t, e[0].Cause)
	})
	t.Run("found by the next attempt", func(t *testing.T) {
		w := newRig(t).town("T1")
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		w.fake.Fail(fakeslack.Fault{Method: "conversations.history", Status: 500})
		_, err := w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.ErrorIs(t, err, gateway.Unknown)
		got, err := w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.NoError(t, err)
		again, err := w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.NoError(t, err)
		require.Equal(t, got, again)
		require.Len(t, w.w.Messages("CHALL"), 1)
	})
	t.Run("in a thread, behind others", func(t *testing.T) {
		w := newRig(t).town("T1")
		root, err := w.w.Post(t.Context(), "UANN", "CHALL", "root")
		require.NoError(t, err)
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		got, err := w.say(slack.Message{Channel: "CHALL", Text: "once", ThreadTS: root})
		require.NoError(t, err)
		m, ok := w.w.Message("CHALL", got.TS)
		require.True(t, ok)
		require.Equal(t, "once", m.Text)
	})
	t.Run("behind more than is read", func(t *testing.T) {
		w := newRig(t).town("T1")
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		w.fake.Fail(fakeslack.Fault{Method: "conversations.history", Times: -1, Body: `{"ok":true,"messages":[{"ts":"1.000001"}],"response_metadata":{"next_cursor":"more"}}`})
		for range 3 {
			_, err := w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
			require.ErrorIs(t, err, gateway.Unknown)
			w.later(time.Hour) // no grace makes it certain
		}
		require.Len(t, w.w.Messages("CHALL"), 1)
	})
	t.Run("lost before it was carried out", func(t *testing.T) {
		w := newRig(t).town("T1")
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", CloseBefore: true})
		_, err := w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.ErrorIs(t, err, gateway.Unknown)
		require.Empty(t, w.w.Messages("CHALL"))
		_, err = w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.ErrorIs(t, err, gateway.Unknown, "it may yet show")
		w.later(gateway.RetryAfter(err))
		_, err = w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.NoError(t, err)
		require.Len(t, w.w.Messages("CHALL"), 1)
	})
	t.Run("found without being asked for again", func(t *testing.T) {
		w := newRig(t).town("T1")
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		w.fake.Fail(fakeslack.Fault{Method: "conversations.history", Status: 500})
		_, err := w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.ErrorIs(t, err, gateway.Unknown)
		require.Empty(t, w.events("message"), "it waits to be told apart from what others do")
		w.later(time.Minute)
		e := w.events("message")
		require.Len(t, e, 1)
		require.NotEmpty(t, e[0].Cause, "it is ours")
		looks := len(w.fake.CallsTo("conversations.history"))
		got, err := w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.NoError(t, err)
		require.Equal(t, w.w.Messages("CHALL")[0].TS, got.TS)
		require.Len(t, w.fake.CallsTo("conversations.history"), looks, "the gateway knows already")
	})
	t.Run("killed before the answer came", func(t *testing.T) {
		for name, f := range map[string]fakeslack.Fault{
			"carried out": {Method: "chat.postMessage", HoldAnswer: true},
			"not yet":     {Method: "chat.postMessage", Hold: true, LoseAnswer: true},
		} {
			w := newRig(t).town("T1")
			held := w.fake.Fail(f)
			ctx, kill := context.WithCancel(t.Context())
			dead := make(chan struct{})
			go func() {
				defer close(dead)
				_, _ = gateway.Do[slack.Posted](ctx, w.inst, "post-message", slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
			}()
			require.NoError(t, held.Wait(t.Context()), name)
			kill()
			<-dead
			_, err := w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
			if name == "not yet" && gateway.CodeOf(err) == gateway.Unknown { // Slack does it only now, and may be slower than we look
				require.Eventually(t, func() bool { return len(w.w.Messages("CHALL")) == 1 }, 10*time.Second, time.Millisecond) // our clock does not wait for it
				w.later(gateway.RetryAfter(err))
				_, err = w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
			}
			require.NoError(t, err, name)
			require.Len(t, w.w.Messages("CHALL"), 1, name)
			held.Remove()
		}
	})
	t.Run("and nothing to look with", func(t *testing.T) {
		w := narrow(t, "chat:write", "chat:write.public")
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		_, err := w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.ErrorIs(t, err, gateway.Unknown)
		_, err = w.say(slack.Message{Channel: "CHALL", Text: "once"}, gateway.Once("id"))
		require.Equal(t, gateway.Unknown, gateway.CodeOf(err))
		require.ErrorContains(t, err, "the app needs the scope channels:history")
		require.Len(t, w.w.Messages("CHALL"), 1, "never a blind second try")
	})
	t.Run("a vote", func(t *testing.T) {
		w := newRig(t).town("T1")
		w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", LoseAnswer: true})
		w.fake.Fail(fakeslack.Fault{Method: "conversations.history", Status: 500})
		p, err := w.inst.Start(t.Context(), "emoji-vote", slack.Vote{Ask: vote.Ask{Title: "Lunch?"}, Channel: "CHALL"})
		require.NoError(t, err)
		require.Equal(t, gateway.StatusCreated, p.Status)
		m := w.message(p)
		w.click("UANN", m, "0") // quicker than we: it waits for its process
		for range 5 {
			w.later(time.Minute)
		}
		p, _ = w.again(p, m)
		require.Equal(t, gateway.StatusPending, p.Status)
		require.EqualValues(t, 1, p.Voters)
		require.Len(t, w.w.Messages("CHALL"), 1)
	})
}

func TestSlackIsNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		fault fakeslack.Fault
		post  gateway.Code // of chat.postMessage, which must not be repeated blindly
		list  gateway.Code // of users.list, which may
	}{
		"an error page":     {fakeslack.Fault{Status: 502, Body: "<html>"}, gateway.Unknown, gateway.Unavailable},
		"a page instead":    {fakeslack.Fault{Body: "<html>maintenance"}, gateway.Unknown, gateway.Unavailable},
		"a proxy's refusal": {fakeslack.Fault{Status: 403, Body: "<html>"}, gateway.Unavailable, gateway.Unavailable},
		"a redirect":        {fakeslack.Fault{Status: 302}, gateway.Unavailable, gateway.Unavailable},
		"internal_error":    {fakeslack.Fault{Error: "internal_error"}, gateway.Unknown, gateway.Unavailable},
		"request_timeout":   {fakeslack.Fault{Error: "request_timeout"}, gateway.Unavailable, gateway.Unavailable},
		"ratelimited":       {fakeslack.Fault{Error: "ratelimited"}, gateway.Unavailable, gateway.Unavailable},
		"closed":            {fakeslack.Fault{CloseBefore: true}, gateway.Unknown, gateway.Unavailable},
		"an empty object":   {fakeslack.Fault{Body: "{}"}, gateway.Unknown, gateway.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRig(t).town("T1")
			for method, code := range map[string]gateway.Code{"chat.postMessage": c.post, "users.list": c.list} {
				f := c.fault
				f.Method = method
				w.fake.Fail(f)
				_, err := w.inst.Do(t.Context(), "method", map[string]any{"method_name": method, "channel": "CHALL", "text": "x"})
				require.ErrorIs(t, err, code, method)
				require.NotContains(t, err.Error(), w.w.BotToken())
			}
			status, _, err := w.inst.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, "active", status)
		})
	}
}

func TestNobodyListensIsNotAMaybe(t *testing.T) {
	broken := func(_ *slack.App, _ *fakeslack.Options, o *gateway.Options) {}
	w := newRig(t, broken).town("T1")
	w.fake.Close()
	_, err := w.say(slack.Message{Channel: "CHALL", Text: "x"})
	require.ErrorIs(t, err, gateway.Unavailable, "no connection was made, so nothing was posted")
}

func TestABadTokenPausesTheInstance(t *testing.T) {
	for _, code := range []string{"invalid_auth", "token_revoked", "account_inactive", "token_expired", "not_authed"} {
		t.Run(code, func(t *testing.T) {
			w := newRig(t).town("T1")
			w.fake.Fail(fakeslack.Fault{Method: "chat.postMessage", Error: code})
			_, err := w.say(slack.Message{Channel: "CHALL", Text: "x"})
			require.ErrorIs(t, err, gateway.Denied)
			status, reason, err := w.inst.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, "paused", status)
			require.Equal(t, gateway.BadCredentials, reason)
		})
	}
}

func TestEnablingAsksSlackWhoseTokenItIs(t *testing.T) {
	r := newRig(t)
	w := r.workspace("T1")
	other := r.workspace("T2")
	c, err := r.CreateCommunity(t.Context(), "c", "C")
	require.NoError(t, err)
	enable := func(conf slack.Config) error {
		_, err := c.Enable(t.Context(), "slack", conf)
		return err
	}
	require.ErrorIs(t, enable(slack.Config{}), gateway.Invalid)
	require.ErrorIs(t, enable(slack.Config{BotToken: "wrong"}), gateway.Denied)
	require.ErrorIs(t, enable(slack.Config{BotToken: gateway.Secret(w.BotToken()), TeamID: "T2"}), gateway.Invalid)
	require.ErrorIs(t, enable(slack.Config{BotToken: gateway.Secret(w.UserToken("UANN", "users:read"))}), gateway.Invalid)
	r.fake.Fail(fakeslack.Fault{Method: "auth.test", Status: 503})
	require.ErrorIs(t, enable(slack.Config{BotToken: gateway.Secret(w.BotToken())}), gateway.Unavailable)
	require.NoError(t, enable(slack.Config{BotToken: gateway.Secret(w.BotToken())}))
	inst, err := c.Instance(t.Context(), "slack")
	require.NoError(t, err)
	require.Equal(t, "T1", inst.PlatformID())
	raw, err := inst.Config(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(raw), `"team_name":"Town T1"`)
	require.Contains(t, string(raw), `"bot_user_id":"`+w.BotUserID()+`"`)
	require.NotContains(t, string(raw), w.BotToken()) // mistakes 6 and 40
	require.ErrorIs(t, enable(slack.Config{BotToken: gateway.Secret(other.BotToken())}), gateway.Conflict)
}

func TestChoices(t *testing.T) {
	w := newRig(t).town("T1")
	w.w.AddUserGroup("S1", "cooks", "UANN")
	w.w.AddUser("UOLD", "oldie", fakeslack.Deleted())
	for name, c := range map[string]struct {
		query string
		want  []string
	}{
		"channels": {"", []string{"CHALL", "CPARK"}}, "users": {"", []string{"UADMIN", "UANN", "UBOB", "UCID", "UDAN"}}, "user-groups": {"", []string{"S1"}},
		"channels ": {"#PAR", []string{"CPARK"}}, "users ": {"@ad", []string{"UADMIN"}}, "user-groups ": {"zzz", nil},
	} {
		got, err := w.inst.Choices(t.Context(), strings.TrimSpace(name), c.query)
		require.NoError(t, err)
		var ids []string
		for _, x := range got {
			ids = append(ids, x.Value)
			require.NotEmpty(t, x.Label)
		}
		require.ElementsMatch(t, c.want, ids, name)
	}
}

// Whatever is done, no token is in an error, an event or a log.
func TestSecretsStayIn(t *testing.T) {
	w := newRig(t).town("T1")
	w.fake.Fail(fakeslack.Fault{Method: "*", Error: "invalid_arguments"})
	_, err := w.say(slack.Message{Channel: "CHALL", Text: "x"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), w.w.BotToken())
	var e *gateway.Error
	require.True(t, errors.As(err, &e))
	for _, c := range w.fake.Calls() {
		require.NotContains(t, c.Args.Encode(), w.w.BotToken(), "the token is in a header, never among the arguments")
	}
}
