package fakeslack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

func TestPostUpdateDelete(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ch, ts, err := w.bot.PostMessageContext(w.ctx, "C1", slack.MsgOptionText("hello", false))
	require.NoError(t, err)
	require.Equal(t, "C1", ch)
	m, ok := w.w.Message("C1", ts)
	require.True(t, ok)
	require.Equal(t, "hello", m.Text)
	require.Equal(t, w.w.BotUserID(), m.User)
	require.Equal(t, w.w.BotID(), m.BotID)

	_, _, text, err := w.bot.UpdateMessageContext(w.ctx, "C1", ts, slack.MsgOptionText("bye", false))
	require.NoError(t, err)
	require.Equal(t, "bye", text)
	m, _ = w.w.Message("C1", ts)
	require.True(t, m.Edited)

	link, err := w.bot.GetPermalinkContext(w.ctx, &slack.PermalinkParameters{Channel: "C1", Ts: ts})
	require.NoError(t, err)
	require.Equal(t, "https://commons.slack.com/archives/C1/p"+strings.ReplaceAll(ts, ".", ""), link)

	_, _, err = w.bot.DeleteMessageContext(w.ctx, "C1", ts)
	require.NoError(t, err)
	m, ok = w.w.Message("C1", ts)
	require.True(t, ok)
	require.True(t, m.Deleted)
	require.Empty(t, w.w.Messages("C1"))

	w.flush()
	require.Equal(t, []string{"message", "message/message_changed", "message/message_deleted"}, w.app.types())
	e := w.app.all()[0].event()
	require.Equal(t, w.w.BotUserID(), e["user"])
	require.Equal(t, w.w.BotID(), e["bot_id"])
	require.Equal(t, w.App().AppID, e["app_id"])
	require.NotContains(t, e, "subtype")
	require.Zero(t, w.app.badSig)
}

func TestPostRefusals(t *testing.T) {
	w := newWorld(t, fakeslack.Options{}, "chat:write", "chat:write.customize", "channels:history")
	long := strings.Repeat("x", 40_001)
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"no channel argument", "invalid_arguments", []string{"text", "x"}},
		{"unknown channel", "channel_not_found", []string{"channel", "C404", "text", "x"}},
		{"private channel of others", "channel_not_found", []string{"channel", "CSECRET", "text", "x"}},
		{"not a member", "not_in_channel", []string{"channel", "C2", "text", "x"}},
		{"archived", "is_archived", []string{"channel", "C3", "text", "x"}},
		{"nothing to say", "no_text", []string{"channel", "C1"}},
		{"blank", "no_text", []string{"channel", "C1", "text", "  "}},
		{"too long", "msg_too_long", []string{"channel", "C1", "text", long}},
		{"blocks no JSON", "invalid_blocks_format", []string{"channel", "C1", "blocks", "{"}},
		{"unknown block", "invalid_blocks", []string{"channel", "C1", "blocks", `[{"type":"x"}]`}},
		{"thread of nothing", "thread_not_found", []string{"channel", "C1", "text", "x", "thread_ts", "1.000001"}},
		{"bad thread", "invalid_thread_ts", []string{"channel", "C1", "text", "x", "thread_ts", "abc"}},
		{"metadata", "invalid_metadata_schema", []string{"channel", "C1", "text", "x", "metadata", `{"event_type":"x"}`}},
		{"attachments", "invalid_attachments", []string{"channel", "C1", "text", "x", "attachments", `{}`}},
		{"argument name", "invalid_arg_name", []string{"channel", "C1", "text", "x", "a b", "c"}},
		{"deactivated user", "channel_not_found", []string{"channel", "UGONE", "text", "x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.call("chat.postMessage", c.args...)
			require.Equal(t, false, a["ok"])
			require.Equal(t, c.want, a["error"], a)
		})
	}
	require.Empty(t, w.w.Messages("C1"), "a refusal has no effect")
	require.Empty(t, w.app.all())
}

func TestAuthentication(t *testing.T) {
	w := newWorld(t, fakeslack.Options{}, "chat:write")
	require.Equal(t, "not_authed", w.callAs("", "auth.test")["error"])
	require.Equal(t, "invalid_auth", w.callAs("nonsense", "auth.test")["error"])
	require.Equal(t, "unknown_method", w.call("chat.shout")["error"])
	require.Equal(t, "not_allowed_token_type", w.callAs(w.App().AppToken, "auth.test")["error"])
	require.Equal(t, "not_allowed_token_type", w.call("apps.connections.open")["error"])
	a := w.call("users.list")
	require.Equal(t, "missing_scope", a["error"])
	require.Equal(t, "users:read", a["needed"])
	require.Equal(t, "chat:write", a["provided"])
	require.Equal(t, true, w.callAs("", "auth.test", "token", w.token)["ok"], "the token as an argument")

	// The bot token is used in the calls, but never kept in what they record.
	calls := w.CallsTo("auth.test")
	last := calls[len(calls)-1]
	require.Equal(t, "bot", last.Token)
	require.Equal(t, w.w.BotUserID(), last.User)
	require.False(t, last.Args.Has("token"))
	require.True(t, last.Answer.OK())
	require.False(t, calls[0].Answer.OK())

	w.w.RevokeTokens(w.w.BotUserID())
	require.Equal(t, "token_revoked", w.call("auth.test")["error"])
	w.w.Install("chat:write")
	require.NotEqual(t, w.token, w.w.BotToken(), "a revoked token does not come back")
	require.Equal(t, true, w.callAs(w.w.BotToken(), "auth.test")["ok"])
	w.w.Uninstall()
	require.Empty(t, w.w.BotToken())
	w.flush()
	require.Equal(t, []string{"tokens_revoked", "tokens_revoked", "app_uninstalled"}, w.app.types())
}

func TestJSONBodies(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	a := w.callJSON("chat.postMessage", `{"channel":"C1","text":"x","blocks":`+buttons+`,"metadata":{"event_type":"e","event_payload":{"n":1}}}`)
	require.Equal(t, true, a["ok"], a)
	m, _ := w.w.Message("C1", a["ts"].(string))
	require.JSONEq(t, `{"event_type":"e","event_payload":{"n":1}}`, string(m.Metadata))
	require.Equal(t, "invalid_json", w.callJSON("chat.postMessage", `{`)["error"])
	require.Equal(t, "json_not_object", w.callJSON("chat.postMessage", `[]`)["error"])
	require.Equal(t, "invalid_array_arg", w.callJSON("chat.postMessage", `{"channel":["C1"],"text":"x"}`)["error"])
	// Methods that read do not look at JSON bodies.
	require.Equal(t, "invalid_arguments", w.callJSON("users.info", `{"user":"UBOB"}`)["error"])
	require.NotEmpty(t, w.CallsTo("users.info")[0].Problems)
}

func TestUnknownArgumentsAreRecorded(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	require.Equal(t, true, w.call("chat.postMessage", "channel", "C1", "text", "x", "chanel", "y")["ok"])
	require.Equal(t, []string{"unknown argument chanel"}, w.CallsTo("chat.postMessage")[0].Problems)
	strict := newWorld(t, fakeslack.Options{Strict: true})
	require.Equal(t, "invalid_arguments", strict.call("chat.postMessage", "channel", "C1", "text", "x", "chanel", "y")["error"])
	require.Equal(t, "invalid_limit", w.call("conversations.list", "limit", "many")["error"])
}

func TestOnlyOwnMessagesCanBeChanged(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts, err := w.w.Post(w.ctx, "UBOB", "C1", "mine")
	require.NoError(t, err)
	require.Equal(t, "cant_update_message", w.call("chat.update", "channel", "C1", "ts", ts, "text", "x")["error"])
	require.Equal(t, "cant_delete_message", w.call("chat.delete", "channel", "C1", "ts", ts)["error"])
	require.Equal(t, "message_not_found", w.call("chat.update", "channel", "C1", "ts", "1.000001", "text", "x")["error"])

	bob := w.w.UserToken("UBOB", "chat:write")
	require.Equal(t, true, w.callAs(bob, "chat.update", "channel", "C1", "ts", ts, "text", "x")["ok"])
	own := w.call("chat.postMessage", "channel", "C1", "text", "of the app")["ts"].(string)
	require.Equal(t, "cant_delete_message", w.callAs(bob, "chat.delete", "channel", "C1", "ts", own)["error"])
	// An administrator's token deletes anything.
	alice := w.w.UserToken("UALICE", "chat:write")
	require.Equal(t, true, w.callAs(alice, "chat.delete", "channel", "C1", "ts", ts)["ok"])
	m, _ := w.w.Message("C1", ts)
	require.True(t, m.Deleted)
}

func TestUpdateKeepsOrTakesAwayBlocks(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts := w.ballot()
	other := `[{"type":"divider"}]`
	require.Equal(t, true, w.call("chat.update", "channel", "C1", "ts", ts, "blocks", other)["ok"])
	m, _ := w.w.Message("C1", ts)
	require.Contains(t, string(m.Blocks), "divider")
	require.Equal(t, "Shall we?", m.Text)
	require.Equal(t, true, w.call("chat.update", "channel", "C1", "ts", ts, "text", "Closed")["ok"])
	m, _ = w.w.Message("C1", ts)
	require.Nil(t, m.Blocks)
}

func TestThreads(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	root := w.call("chat.postMessage", "channel", "C1", "text", "root")["ts"].(string)
	reply := w.call("chat.postMessage", "channel", "C1", "text", "reply", "thread_ts", root)["ts"].(string)
	nested := w.call("chat.postMessage", "channel", "C1", "text", "again", "thread_ts", reply, "reply_broadcast", "true")["ts"].(string)
	m, _ := w.w.Message("C1", nested)
	require.Equal(t, root, m.ThreadTS, "a reply to a reply is in the same thread")
	require.True(t, m.Broadcast)

	h, err := w.bot.GetConversationHistoryContext(w.ctx, &slack.GetConversationHistoryParameters{ChannelID: "C1"})
	require.NoError(t, err)
	require.Len(t, h.Messages, 2, "history shows the root and the broadcast")
	require.Equal(t, 2, h.Messages[1].ReplyCount)
	msgs, more, _, err := w.bot.GetConversationRepliesContext(w.ctx, &slack.GetConversationRepliesParameters{ChannelID: "C1", Timestamp: root})
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, msgs, 3)
	w.flush()
	require.Equal(t, []string{"message", "message", "message/thread_broadcast"}, w.app.types())
}

func TestEphemeral(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	_, err := w.bot.PostEphemeralContext(w.ctx, "C1", "UBOB", slack.MsgOptionText("only you", false))
	require.NoError(t, err)
	require.Len(t, w.w.Ephemerals("UBOB"), 1)
	require.Empty(t, w.w.Ephemerals("UALICE"))
	require.Empty(t, w.w.Messages("C1"))
	require.Equal(t, "user_not_in_channel", w.call("chat.postEphemeral", "channel", "C1", "user", "UCAROL", "text", "x")["error"])
	w.flush()
	require.Empty(t, w.app.all(), "nothing is sent about ephemeral messages")
}

func TestScheduled(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	in := func(d time.Duration) string { return itoa(w.clock.Now().Add(d).Unix()) }
	require.Equal(t, "time_in_past", w.call("chat.scheduleMessage", "channel", "C1", "text", "x", "post_at", in(-time.Hour))["error"])
	require.Equal(t, "time_too_far", w.call("chat.scheduleMessage", "channel", "C1", "text", "x", "post_at", in(121*24*time.Hour))["error"])
	a := w.call("chat.scheduleMessage", "channel", "C1", "text", "later", "post_at", in(time.Hour))
	b := w.call("chat.scheduleMessage", "channel", "C1", "text", "never", "post_at", in(time.Hour))
	require.Equal(t, true, w.call("chat.deleteScheduledMessage", "channel", "C1", "scheduled_message_id", b["scheduled_message_id"].(string))["ok"])
	require.Zero(t, w.PostScheduled())
	w.clock.Add(time.Hour)
	require.Equal(t, 1, w.PostScheduled())
	require.Equal(t, "later", w.w.Messages("C1")[0].Text)
	require.Equal(t, "invalid_scheduled_message_id",
		w.call("chat.deleteScheduledMessage", "channel", "C1", "scheduled_message_id", a["scheduled_message_id"].(string))["error"])
}

func TestCustomName(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	a := w.call("chat.postMessage", "channel", "C1", "text", "x", "username", "Herald")
	m, _ := w.w.Message("C1", a["ts"].(string))
	require.Equal(t, "Herald", m.Username)
	require.Equal(t, "bot_message", m.Subtype)
	require.Equal(t, true, w.call("chat.update", "channel", "C1", "ts", m.TS, "text", "y")["ok"], "still the app's own")
}

func TestRateLimits(t *testing.T) {
	w := newWorld(t, fakeslack.Options{RateLimits: true})
	post := func() error {
		_, _, err := w.bot.PostMessageContext(w.ctx, "C1", slack.MsgOptionText("x", false))
		return err
	}
	require.NoError(t, post())
	var limited *slack.RateLimitedError
	require.ErrorAs(t, post(), &limited)
	require.Equal(t, time.Second, limited.RetryAfter)
	require.Len(t, w.w.Messages("C1"), 1)
	w.clock.Add(time.Second)
	require.NoError(t, post())
	for range 20 {
		require.Equal(t, true, w.call("users.list")["ok"])
	}
	require.Equal(t, "ratelimited", w.call("users.list")["error"])
	require.Equal(t, true, w.call("users.info", "user", "UBOB")["ok"], "each method has its own limit")
	w.clock.Add(time.Minute)
	require.Equal(t, true, w.call("users.list")["ok"])
}
