package fakeslack_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/metagov/gateway-go/plugins/slack/fakeslack"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

func TestClick(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts := w.ballot()
	w.app.reset()
	a, err := w.w.Click(w.ctx, "UBOB", "C1", ts, "yes", "y")
	require.NoError(t, err)
	require.Equal(t, 200, a.Status)
	p := w.app.all()[0]
	require.Zero(t, w.app.badSig)
	require.Equal(t, "block_actions", p.json["type"])
	var cb slack.InteractionCallback
	require.NoError(t, cb.UnmarshalJSON([]byte(p.form.Get("payload"))))
	require.Equal(t, "UBOB", cb.User.ID)
	require.Equal(t, "vote", cb.ActionCallback.BlockActions[0].BlockID)
	require.Equal(t, "y", cb.ActionCallback.BlockActions[0].Value)
	require.Equal(t, ts, cb.Container.MessageTs)
	require.Equal(t, "Shall we?", cb.Message.Text)

	w.app.reset()
	_, err = w.w.Select(w.ctx, "UBOB", "C1", ts, "pick", "b")
	require.NoError(t, err)
	cb = slack.InteractionCallback{}
	require.NoError(t, cb.UnmarshalJSON([]byte(w.app.all()[0].form.Get("payload"))))
	require.Equal(t, "b", cb.ActionCallback.BlockActions[0].SelectedOption.Value)
	require.Equal(t, "b", cb.BlockActionState.Values["vote"]["pick"].SelectedOption.Value)
}

func TestClicksThatSlackWouldNotSend(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts := w.ballot()
	w.app.reset()
	for name, c := range map[string][5]string{
		"no such button":  {"UBOB", "C1", ts, "maybe", ""},
		"another value":   {"UBOB", "C1", ts, "yes", "n"},
		"a select":        {"UBOB", "C1", ts, "pick", ""},
		"no such message": {"UBOB", "C1", "1.000001", "yes", ""},
		"no such channel": {"UBOB", "C9", ts, "yes", ""},
		"no such user":    {"UNOBODY", "C1", ts, "yes", ""},
		"deactivated":     {"UGONE", "C1", ts, "yes", ""},
	} {
		_, err := w.w.Click(w.ctx, c[0], c[1], c[2], c[3], c[4])
		require.ErrorIs(t, err, fakeslack.ErrRefused, name)
		if name == "no such message" {
			require.ErrorContains(t, err, "sees no message")
		}
	}
	_, err := w.w.Select(w.ctx, "UBOB", "C1", ts, "pick", "z")
	require.ErrorIs(t, err, fakeslack.ErrRefused)
	require.Empty(t, w.app.all())

	_, err = w.w.Click(w.ctx, "UNOBODY", "C1", ts, "maybe", "m", fakeslack.ForgedClick())
	require.NoError(t, err)
	require.Len(t, w.app.all(), 1)

	require.Equal(t, true, w.call("chat.delete", "channel", "C1", "ts", ts)["ok"])
	_, err = w.w.Click(w.ctx, "UBOB", "C1", ts, "yes", "y")
	require.ErrorIs(t, err, fakeslack.ErrRefused, "a deleted message has no buttons")
}

func TestOutsiderMayClickInPublic(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts := w.ballot()
	_, err := w.w.Click(w.ctx, "UCAROL", "C1", ts, "yes", "y")
	require.NoError(t, err)
	private := w.call("chat.postMessage", "channel", "CBOARD", "text", "x", "blocks", buttons)["ts"].(string)
	_, err = w.w.Click(w.ctx, "UCAROL", "CBOARD", private, "yes", "y")
	require.ErrorIs(t, err, fakeslack.ErrRefused)
}

func (w *world) respond(url, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, url, strings.NewReader(body))
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/json")
	res, err := w.Client().Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, string(b)
}

func (w *world) click(ts string) (responseURL string) {
	w.t.Helper()
	w.app.reset()
	_, err := w.w.Click(w.ctx, "UBOB", "C1", ts, "yes", "y")
	require.NoError(w.t, err)
	return w.app.all()[0].json["response_url"].(string)
}

func TestResponseURL(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	ts := w.ballot()
	u := w.click(ts)
	require.True(t, strings.HasPrefix(u, "https://hooks.slack.com/actions/T1/"))

	status, body := w.respond(u, `{"text":"only Bob"}`)
	require.Equal(t, 200, status, body)
	require.Equal(t, "only Bob", w.w.Ephemerals("UBOB")[0].Text)
	status, _ = w.respond(u, `{"text":"all","response_type":"in_channel"}`)
	require.Equal(t, 200, status)
	require.Len(t, w.w.Messages("C1"), 2)
	status, _ = w.respond(u, `{"text":"counted","replace_original":true}`)
	require.Equal(t, 200, status)
	m, _ := w.w.Message("C1", ts)
	require.Equal(t, "counted", m.Text)
	require.Nil(t, m.Blocks)
	status, body = w.respond(u, `{}`)
	require.Equal(t, 400, status, body)
	status, _ = w.respond(u, `{"delete_original":true}`)
	require.Equal(t, 200, status)
	m, _ = w.w.Message("C1", ts)
	require.True(t, m.Deleted)
	status, _ = w.respond(u, `{"text":"fifth"}`)
	require.Equal(t, 200, status)
	status, body = w.respond(u, `{"text":"sixth"}`)
	require.Equal(t, 404, status)
	require.Contains(t, body, "expired_url")
	require.Len(t, w.CallsTo("response_url"), 7)
}

func TestResponseURLExpires(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	u := w.click(w.ballot())
	w.clock.Add(30*time.Minute - time.Second)
	status, _ := w.respond(u, `{"text":"in time"}`)
	require.Equal(t, 200, status)
	w.clock.Add(time.Second)
	status, body := w.respond(u, `{"text":"late"}`)
	require.Equal(t, 404, status)
	require.Contains(t, body, "expired_url")
	status, _ = w.respond("https://hooks.slack.com/actions/T1/1/guess", `{"text":"x"}`)
	require.Equal(t, 404, status)
}

func TestCommand(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	w.app.reply(200, http.Header{"Content-Type": {"application/json"}}, `{"response_type":"in_channel","text":"a vote begins"}`)
	_, err := w.w.Command(w.ctx, "UBOB", "C1", "/vote", "on lunch")
	require.NoError(t, err)
	f := w.app.all()[0].form
	cmd, err := slack.SlashCommandParse(&http.Request{PostForm: f, Form: f, Method: http.MethodPost})
	require.NoError(t, err)
	require.Equal(t, "/vote", cmd.Command)
	require.Equal(t, "on lunch", cmd.Text)
	require.Equal(t, "bob", cmd.UserName)
	require.Equal(t, "a vote begins", w.w.Messages("C1")[0].Text)
	w.app.reply(200, nil, "plain")
	_, err = w.w.Command(w.ctx, "UBOB", "C1", "/vote", "")
	require.NoError(t, err)
	require.Equal(t, "plain", w.w.Ephemerals("UBOB")[0].Text)

	none := newWorld(t, fakeslack.Options{}, "chat:write")
	_, err = none.w.Command(none.ctx, "UBOB", "C1", "/vote", "")
	require.ErrorIs(t, err, fakeslack.ErrRefused)
}

func modal(title string) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: "new-vote", Title: slack.NewTextBlockObject("plain_text", title, false, false),
		Submit: slack.NewTextBlockObject("plain_text", "Go", false, false), NotifyOnClose: true,
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewInputBlock("b", slack.NewTextBlockObject("plain_text", "Question", false, false), nil,
			slack.NewPlainTextInputBlockElement(nil, "a"))}},
	}
}

func TestViews(t *testing.T) {
	w := newWorld(t, fakeslack.Options{})
	trigger := func() string {
		w.app.reset()
		_, err := w.w.Shortcut(w.ctx, "UBOB", "start")
		require.NoError(t, err)
		return w.app.all()[0].json["trigger_id"].(string)
	}
	id := trigger()
	v, err := w.bot.OpenViewContext(w.ctx, id, modal("New vote"))
	require.NoError(t, err)
	require.Equal(t, "new-vote", v.CallbackID)
	_, err = w.bot.OpenViewContext(w.ctx, id, modal("Again"))
	require.ErrorContains(t, err, "exchanged_trigger_id")
	id = trigger()
	w.clock.Add(4 * time.Second)
	_, err = w.bot.OpenViewContext(w.ctx, id, modal("Late"))
	require.ErrorContains(t, err, "expired_trigger_id")
	_, err = w.bot.OpenViewContext(w.ctx, "1.2.guess", modal("Guess"))
	require.ErrorContains(t, err, "invalid_trigger_id")
	_, err = w.bot.OpenViewContext(w.ctx, trigger(), modal("A title that is far too long for Slack"))
	require.ErrorContains(t, err, "invalid_arguments")

	_, err = w.bot.UpdateViewContext(w.ctx, modal("Changed"), "", "stale", v.ID)
	require.ErrorContains(t, err, "hash_conflict")
	_, err = w.bot.UpdateViewContext(w.ctx, modal("Changed"), "", v.Hash, v.ID)
	require.NoError(t, err)
	require.Contains(t, string(w.w.OpenViews("UBOB")[0].JSON), "Changed")

	values := map[string]map[string]any{"b": {"a": map[string]any{"type": "plain_text_input", "value": "Lunch?"}}}
	w.app.reset()
	w.app.reply(200, http.Header{"Content-Type": {"application/json"}}, `{"response_action":"errors","errors":{"b":"too short"}}`)
	_, err = w.w.Submit(w.ctx, "UBOB", v.ID, values)
	require.NoError(t, err)
	require.Len(t, w.w.OpenViews("UBOB"), 1, "errors keep it open")
	w.app.reply(200, nil, "")
	_, err = w.w.Submit(w.ctx, "UBOB", v.ID, values)
	require.NoError(t, err)
	require.Empty(t, w.w.OpenViews("UBOB"))
	var cb slack.InteractionCallback
	require.NoError(t, cb.UnmarshalJSON([]byte(w.app.all()[1].form.Get("payload"))))
	require.Equal(t, "Lunch?", cb.View.State.Values["b"]["a"].Value)
	_, err = w.w.Submit(w.ctx, "UBOB", v.ID, values)
	require.ErrorIs(t, err, fakeslack.ErrRefused)

	_, err = w.bot.PublishViewContext(w.ctx, slack.PublishViewContextRequest{UserID: "UBOB", View: slack.HomeTabViewRequest{
		Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewDividerBlock()}}}})
	require.NoError(t, err)
	home, ok := w.w.Home("UBOB")
	require.True(t, ok)
	require.Contains(t, string(home.JSON), "divider")
	w.app.reset()
	require.NoError(t, w.w.OpenHome(w.ctx, "UBOB"))
	require.Equal(t, []string{"app_home_opened"}, w.app.types())
}
