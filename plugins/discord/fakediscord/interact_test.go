package fakediscord_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/stretchr/testify/require"

	"github.com/metagov/gateway-go/plugins/discord/fakediscord"
)

const selects = `{"content":"Pick","components":[{"type":1,"components":[{"type":3,"custom_id":"pick","min_values":1,"max_values":2,"options":[` +
	`{"label":"A","value":"a"},{"label":"B","value":"b"},{"label":"C","value":"c"}]}]},` +
	`{"type":1,"components":[{"type":2,"style":1,"label":"Off","custom_id":"off","disabled":true}]}]}`

func TestClick(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	id := w.post(buttons(2))
	r, err := w.g.Click(hall, id, alice, "b1")
	require.NoError(t, err)
	require.Equal(t, 6, r.Type)
	require.Empty(t, r.Failed)
	got := w.app.all()[0]
	require.EqualValues(t, 3, got["type"])
	require.Equal(t, guildID, got["guild_id"])
	require.Equal(t, hall, got["channel_id"])
	require.Equal(t, map[string]any{"custom_id": "b1", "component_type": 2.0, "id": 1.0}, got["data"])
	require.Equal(t, id, got["message"].(map[string]any)["id"])
	member := got["member"].(map[string]any)
	require.Equal(t, alice, member["user"].(map[string]any)["id"])
	require.Equal(t, []any{member_}, member["roles"])
	require.NotEmpty(t, member["permissions"])
	require.NotEmpty(t, got["app_permissions"])
	d := w.DeliveriesOf("MESSAGE_COMPONENT")
	require.Len(t, d, 1)
	require.Equal(t, r.ID, d[0].ID)
	require.Equal(t, 200, d[0].Attempts[0].Answer.Status)

	pick := w.post(selects)
	_, err = w.g.Click(hall, pick, alice, "pick", "a", "c")
	require.NoError(t, err)
	require.Equal(t, []any{"a", "c"}, w.app.all()[1]["data"].(map[string]any)["values"])
	for what, c := range map[string]struct {
		channel, message, user, id string
		values                     []string
	}{
		"an unknown option":     {hall, pick, alice, "pick", []string{"z"}},
		"too many":              {hall, pick, alice, "pick", []string{"a", "b", "c"}},
		"none":                  {hall, pick, alice, "pick", nil},
		"disabled":              {hall, pick, alice, "off", nil},
		"no such button":        {hall, id, alice, "b9", nil},
		"a button with a value": {hall, id, alice, "b1", []string{"x"}},
		"no such message":       {hall, "5", alice, "b1", nil},
		"a stranger":            {hall, id, "777", "b1", nil},
		"a hidden channel":      {secret, id, alice, "b1", nil},
	} {
		_, err := w.g.Click(c.channel, c.message, c.user, c.id, c.values...)
		require.ErrorIs(t, err, fakediscord.ErrRefused, what)
	}
	require.Len(t, w.app.all(), 2)
}

func TestAnswers(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	id := w.post(buttons(2))
	click := func(body string) fakediscord.Reply {
		w.app.reply(http.StatusOK, body)
		r, err := w.g.Click(hall, id, alice, "b1")
		require.NoError(t, err)
		return r
	}
	r := click(`{"type":4,"data":{"content":"Only you","flags":64}}`)
	require.Equal(t, "Only you", r.Message.Content)
	require.Equal(t, alice, r.Message.WhisperTo)
	require.Len(t, w.g.Messages(hall), 1, "nobody else sees it")
	r = click(`{"type":4,"data":{"content":"All","components":[]}}`)
	require.Empty(t, r.Message.WhisperTo)
	require.Len(t, w.g.Messages(hall), 2)
	r = click(`{"type":7,"data":{"content":"Vote (1)"}}`)
	require.Equal(t, id, r.Message.ID)
	m, _ := w.g.Message(hall, id)
	require.Equal(t, "Vote (1)", m.Content)
	require.Len(t, m.Components, 1)
	r = click(`{"type":5,"data":{"flags":64}}`)
	require.True(t, r.Message.Loading)
	for what, body := range map[string]string{
		"HTML": "<html>", "no type": `{}`, "a pong": `{"type":1}`, "an unknown type": `{"type":77}`, "nothing to say": `{"type":4,"data":{}}`,
		"too long": `{"type":4,"data":{"content":"` + strings.Repeat("x", 2001) + `"}}`, "nothing": "",
	} {
		r := click(body)
		require.NotEmpty(t, r.Failed, what)
		require.Zero(t, r.Type, what)
	}
	w.app.reply(http.StatusInternalServerError, "")
	r, err := w.g.Click(hall, id, alice, "b1")
	require.NoError(t, err)
	require.Contains(t, r.Failed, "500")
}

func TestDeferredAndFollowUps(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	id := w.post(buttons(2))
	w.app.reply(http.StatusOK, `{"type":5,"data":{"flags":64}}`)
	r, err := w.g.Click(hall, id, alice, "b1")
	require.NoError(t, err)
	hook := "/webhooks/" + w.App().AppID + "/" + r.Token
	ask := func(method, path, body string) answer { return w.as("", method, path, body) } // no token but that of the path
	require.Equal(t, 200, ask("PATCH", hook+"/messages/@original", `{"content":"Done"}`).status)
	m := w.Reply(r.Token).Message
	require.Equal(t, "Done", m.Content)
	require.False(t, m.Loading)
	require.Equal(t, alice, m.WhisperTo)
	more := ask("POST", hook, `{"content":"And more"}`)
	require.Equal(t, 200, more.status)
	require.Len(t, w.g.Messages(hall), 2)
	require.Equal(t, 10015, ask("POST", "/webhooks/1/"+r.Token, `{"content":"x"}`).code(t))
	require.Equal(t, 50027, ask("POST", "/webhooks/"+w.App().AppID+"/wrong", `{"content":"x"}`).code(t))
	require.Equal(t, 40060, ask("POST", "/interactions/"+r.ID+"/"+r.Token+"/callback", `{"type":6}`).code(t))
	require.Equal(t, 204, ask("DELETE", hook+"/messages/@original", "").status)
	require.Equal(t, 10008, ask("PATCH", hook+"/messages/@original", `{"content":"x"}`).code(t))
	w.clock.Add(15 * time.Minute)
	a := ask("POST", hook, `{"content":"late"}`)
	require.Equal(t, 401, a.status)
	require.Equal(t, 50027, a.code(t))

	w.app.reply(http.StatusAccepted, "")
	r, err = w.g.Click(hall, id, alice, "b1")
	require.NoError(t, err)
	require.Equal(t, 10015, ask("POST", "/webhooks/"+w.App().AppID+"/"+r.Token, `{"content":"x"}`).code(t), "it is not answered yet")
	w.clock.Add(4 * time.Second)
	require.Equal(t, 10062, ask("POST", "/interactions/"+r.ID+"/"+r.Token+"/callback", `{"type":6}`).code(t), "after three seconds")
	r, err = w.g.Click(hall, id, alice, "b1")
	require.NoError(t, err)
	require.Equal(t, 204, ask("POST", "/interactions/"+r.ID+"/"+r.Token+"/callback", `{"type":6}`).status)
	require.Equal(t, 10062, ask("POST", "/interactions/1/"+r.Token+"/callback", `{"type":6}`).code(t))
	require.Equal(t, "interaction", w.Calls()[len(w.Calls())-1].Token)
}

func TestCommand(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	path := "/applications/" + w.App().AppID + "/guilds/" + guildID + "/commands"
	require.Equal(t, 201, w.bot("POST", path, `{"name":"vote","description":"Votes","options":[{"type":1,"name":"open","description":"d","options":[`+
		`{"type":3,"name":"title","description":"d","required":true},{"type":6,"name":"who","description":"d"}]}]}`).status)
	require.Equal(t, 200, w.bot("POST", path, `{"name":"vote","description":"Other","options":[{"type":1,"name":"open","description":"d","options":[`+
		`{"type":3,"name":"title","description":"d","required":true},{"type":6,"name":"who","description":"d"}]}]}`).status, "the same again is a change")
	require.Equal(t, []string{"vote"}, w.Commands(guildID))
	w.app.reply(http.StatusOK, `{"type":4,"data":{"content":"Opened"}}`)
	r, err := w.g.Command(hall, alice, "/vote open", map[string]any{"title": "Tea", "who": bob})
	require.NoError(t, err)
	require.Equal(t, "Opened", r.Message.Content)
	data := w.app.all()[0]["data"].(map[string]any)
	require.Equal(t, "vote", data["name"])
	sub := data["options"].([]any)[0].(map[string]any)
	require.Equal(t, "open", sub["name"])
	require.Len(t, sub["options"], 2)
	require.Contains(t, data["resolved"].(map[string]any)["users"], bob)
	for _, c := range []struct {
		name    string
		options map[string]any
	}{{"vote open", nil}, {"vote", nil}, {"vote shut", nil}, {"nothing", nil}, {"vote open", map[string]any{"title": "x", "other": 1}}} {
		_, err := w.g.Command(hall, alice, c.name, c.options)
		require.ErrorIs(t, err, fakediscord.ErrRefused, c.name)
	}
	_, err = w.CommandDirect(alice, "vote open", map[string]any{"title": "x"})
	require.ErrorIs(t, err, fakediscord.ErrRefused, "it is only in the guild")
	w.ok("POST", "/applications/"+w.App().AppID+"/commands", `{"name":"hello","description":"d","options":[{"type":6,"name":"who","description":"d"}]}`)
	r, err = w.CommandDirect(alice, "hello", map[string]any{"who": bob})
	require.NoError(t, err)
	require.Empty(t, r.Failed)
	sent := w.app.all()[len(w.app.all())-1]
	require.Nil(t, sent["guild_id"])
	require.Equal(t, alice, sent["user"].(map[string]any)["id"])
	w.ok("POST", path, `{"name":"ban","description":"d","default_member_permissions":"4"}`)
	_, err = w.g.Command(hall, alice, "ban", nil)
	require.ErrorIs(t, err, fakediscord.ErrRefused)
	_, err = w.g.Command(hall, mod, "ban", nil)
	require.NoError(t, err)
	for _, body := range []string{`{"name":"Vote","description":"d"}`, `{"name":"a b","description":"d"}`, `{"name":"a"}`,
		`{"name":"a","description":"d","options":[{"type":3,"name":"x","description":"d"},{"type":3,"name":"y","description":"d","required":true}]}`} {
		w.no(400, 50035, "POST", path, body)
	}
	w.no(403, 20012, "GET", "/applications/5/commands", "")
	w.no(403, 50001, "GET", "/applications/"+w.App().AppID+"/guilds/5/commands", "")
	w.no(404, 10063, "DELETE", path+"/5", "")
}

func TestModal(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	id := w.post(buttons(1))
	w.app.reply(http.StatusOK, `{"type":9,"data":{"custom_id":"m","title":"Why?","components":[{"type":1,"components":[{"type":4,"custom_id":"why","style":1,"label":"Why"}]}]}}`)
	r, err := w.g.Click(hall, id, alice, "b0")
	require.NoError(t, err)
	require.Equal(t, "m", r.Modal["custom_id"])
	w.app.reply(http.StatusOK, `{"type":4,"data":{"content":"Thanks"}}`)
	_, err = w.g.Submit(r, bob, nil)
	require.ErrorIs(t, err, fakediscord.ErrRefused)
	got, err := w.g.Submit(r, alice, map[string]string{"why": "because"})
	require.NoError(t, err)
	require.Equal(t, "Thanks", got.Message.Content)
	sent := w.app.all()[1]
	require.EqualValues(t, 5, sent["type"])
	data, err := json.Marshal(sent["data"])
	require.NoError(t, err)
	require.Contains(t, string(data), `"value":"because"`)
}

func TestInteractionsThroughTheGateway(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	w.SetRequestURL("", nil)
	d, _ := w.discordgo(0)
	d.ShouldReconnectOnError = false
	d.AddHandler(func(d *discordgo.Session, i *discordgo.InteractionCreate) {
		_ = d.InteractionRespond(i.Interaction, &discordgo.InteractionResponse{Type: discordgo.InteractionResponseChannelMessageWithSource,
			Data: &discordgo.InteractionResponseData{Content: "by discordgo"}})
	})
	require.NoError(t, d.Open())
	r, err := w.g.Click(hall, w.post(buttons(1)), alice, "b0")
	require.NoError(t, err)
	require.Empty(t, r.Failed)
	require.Equal(t, "by discordgo", r.Message.Content)
}

func TestProbe(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	require.NoError(t, w.Probe(w.ctx))
	lax := newApp(t, w.App().PublicKey)
	lax.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"type":1}`))
	})
	w.SetURLs(lax.URL, w.app.URL, nil)
	require.ErrorContains(t, w.Probe(w.ctx), "401")
	w.SetURLs(w.app.URL, lax.URL, nil)
	require.ErrorContains(t, w.Probe(w.ctx), "204")
	lax.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write([]byte(`{"type":1}`)) })
	w.SetURLs(lax.URL, w.app.URL, nil)
	require.ErrorContains(t, w.Probe(w.ctx), "ping", "without a Content-Type")
	w.SetURLs(w.app.URL, w.app.URL, nil)
	_, err := w.Send(w.ctx, []byte("{"))
	require.Error(t, err)
	a, err := w.Send(w.ctx, []byte(`{"id":"5","type":3,"token":"x","data":{"custom_id":"c"}}`))
	require.NoError(t, err)
	require.Equal(t, 200, a.Status)
}

func TestInteractionFaults(t *testing.T) {
	w := newWorld(t, fakediscord.Options{})
	id := w.post(buttons(1))
	w.Fail(fakediscord.Fault{Delivery: "MESSAGE_COMPONENT", Duplicate: 1})
	_, err := w.g.Click(hall, id, alice, "b0")
	require.NoError(t, err)
	require.Len(t, w.app.all(), 2)
	require.Equal(t, w.app.all()[0]["id"], w.app.all()[1]["id"])
	w.Fail(fakediscord.Fault{Delivery: "MESSAGE_COMPONENT", Drop: true})
	r, err := w.g.Click(hall, id, alice, "b0")
	require.NoError(t, err)
	require.NotEmpty(t, r.Failed)
	require.Len(t, w.app.all(), 2)
	w.Fail(fakediscord.Fault{Delivery: "MESSAGE_COMPONENT", LoseAnswer: true})
	r, err = w.g.Click(hall, id, alice, "b0")
	require.NoError(t, err)
	require.NotEmpty(t, r.Failed)
	require.Len(t, w.app.all(), 3)
}
